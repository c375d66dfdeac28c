"""A session as the ledger's writer keeps it between batches."""

from dataclasses import dataclass

from remit.facts.session import Session


@dataclass(slots=True)
class LiveSession:
    """A session: its number, what seldom changes of it, its counters, its last record's id.

    The counters of `session` itself are those it was read with; the ones here go on.
    """

    no: int
    session: Session
    calls: int
    irreversible: int
    last: int = 0

"""Where incidents lie as they stand: a projection of the ledger, beside it, with how far it was read. Calls block."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from remit.protect.incidents import Incident, IncidentState


class Incidents(Protocol):
    """One writer. What is lost is made again from the ledger."""

    def mark(self) -> str:
        """How far the ledger was followed; empty where it never was."""
        ...

    def save(self, incidents: Iterable[Incident], mark: str | None = None) -> None:
        """Keep `incidents` as they are now, and the `mark` where there is one, all or nothing."""
        ...

    def find(self, ident: str) -> Incident | None:
        """The incident `ident`."""
        ...

    def of_record(self, record: str) -> Incident | None:
        """The last changed one that names `record`."""
        ...

    def of_session(self, sid: str) -> Incident | None:
        """The last changed one that names session `sid`."""
        ...

    def in_states(self, states: Iterable[IncidentState], limit: int) -> Sequence[Incident]:
        """Those in one of `states`, the last changed first."""
        ...

    def changed_after(self, after: tuple[int, str], limit: int) -> Sequence[Incident]:
        """Those that changed after that moment, or in it and have a later name, the first changed first."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...

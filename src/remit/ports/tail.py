"""Following the ledger beside its writer: what was recorded since one looked last."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from remit.ports.ledger import Entry
from remit.ports.source import SourceFailed as TailFailed

__all__ = ["Page", "Tail", "TailFailed"]


class Page(NamedTuple):
    """Some records in order, of those that are followed; `mark` says how far they go, `more` that there are others."""

    entries: Sequence[Entry]
    mark: str
    more: bool


class Tail(Protocol):
    """Follows one ledger."""

    async def after(self, mark: str) -> Page:
        """What is behind `mark`, a page at most. Raises `TailFailed`.

        A mark of another ledger, and none, is the end of this one: what was before nobody asked for.
        """
        ...

"""Halts that were left for a service which did not answer."""

from collections.abc import Mapping
from typing import Protocol

from remit.facts.stop import Stop


class HaltInbox(Protocol):
    """Where they are left. Level, not edge: each counts for as long as it lies there."""

    def read(self) -> Mapping[str, Stop]:
        """Those that lie there, each by the name to `take` it by. Raises `OSError` where that cannot be known."""
        ...

    def take(self, name: str) -> None:
        """Take one away: it is on the ledger. Raises `OSError`."""
        ...

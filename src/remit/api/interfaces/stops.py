"""What the control API asks of whoever stops what acts (`pep.halts`)."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from remit.facts.agent import User
from remit.facts.record import Receipt
from remit.facts.stop import Stop, StopScope, StopTarget


class HaltControl(Protocol):
    """Stops, and what they cut off. What acts raises `LedgerUnwritable` when the record never will be durable."""

    @property
    def unread(self) -> Stop | None:
        """What stops everything for as long as it cannot be read what was left for the service."""
        ...

    @property
    def stops(self) -> Sequence[Stop]:
        """What is stopped, the oldest first."""
        ...

    def over(self, whats: Iterable[StopTarget]) -> Sequence[Stop]:
        """The stops of `whats`, the oldest first, however many others there are."""
        ...

    async def halt(
        self, what: StopTarget, by: str, reason: str, holds: StopScope = StopScope.ALL, over: Stop | None = None
    ) -> tuple[Receipt, Sequence[str]]:
        """Stop `what` from what it `holds` until a person resumes it; what that cut off, by decision id.

        The effect of those is in doubt. It takes the place of the stop that it is `over`; any other that stands stays
        whose it is, for his reason, and holds what it held and what this holds.

        From this call on, before it is durable, nothing of it is judged, sent or released.
        """
        ...

    async def drill(self, what: StopTarget, by: str) -> tuple[Receipt, Sequence[str]]:
        """What `halt` would cut off now, by decision id; nobody is stopped."""
        ...

    async def resume(self, what: StopTarget, by: str, over: Stop | None = None) -> Receipt | None:
        """Let `what` act again, where `over` is the stop that it is under still."""
        ...

    async def stop_session(self, ident: str, by: User, reason: str, note: str | None, over: Stop | None = None) -> str:
        """Stop the run that asked, and refuse or withdraw all that waits in it; the root session's id.

        `over` as of `halt`.
        """
        ...

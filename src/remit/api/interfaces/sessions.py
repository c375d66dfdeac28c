"""What the control API asks of whoever keeps sessions (`pep.sessions`)."""

from typing import Protocol

from remit.facts.record import Receipt


class SessionControl(Protocol):
    """Sessions opened, spoken in, looked at and ended; each record is durable once a method returns."""

    async def record_confidence(self, sid: str, source: str, units: int, by: str) -> Receipt:
        """Record how sure the agent of `sid` is said to be, in units of the fourth decimal place."""
        ...

    async def open(self, sid: str, agent: str, user: str | None, by: str) -> Receipt:
        """Open the root session `sid` (admin record `session.opened`)."""
        ...

    async def record_words(self, sid: str, text: str, by: str) -> Receipt:
        """Keep the user's words of a trusted session (admin record `session.words`).

        Raises `TooManyWords`.
        """
        ...

    async def index_size(self, sid: str) -> tuple[int, int]:
        """How many tokens the index of `sid` holds, and how many characters of its user's words ground values."""
        ...

    async def end(self, sid: str, by: str) -> Receipt:
        """End `sid`: every later action of a chain that passes through it is denied."""
        ...

    async def forget_origins(self, sid: str, by: str) -> Receipt:
        """Erase the key of the index of `sid`: what it holds means nothing any more, and a new one begins."""
        ...

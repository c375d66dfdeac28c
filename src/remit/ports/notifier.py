"""How people are told: an outbox that keeps what is to be said, and notifiers that say it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from remit.escalate.notice import Notice
from remit.facts.catalog import Channel


class DeliveryFailed(Exception):
    """A notice did not arrive; the text says why, in our own words and without a secret."""


class PendingNotice(NamedTuple):
    """A notice that is still to be said; `attempts` were in vain."""

    notice: Notice
    attempts: int


class ChannelStatus(NamedTuple):
    """How one channel fares: what waits for it, what was given up, why the last of these failed, and its last attempt.

    `delivers`: that attempt arrived, whatever failed before.
    """

    waiting: int
    given_up: int
    why: str | None
    delivers: bool = False


class Notifier(Protocol):
    """Says one notice."""

    async def say(self, channel: Channel, notice: Notice, now_ms: int) -> None:
        """Return once the receiver has it. Raises `DeliveryFailed`."""
        ...


class Outbox(Protocol):
    """Keeps notices until they are said; each method returns once it is on disk."""

    async def put(self, notices: Iterable[Notice], states: Mapping[str, str]) -> None:
        """Keep `notices`, those that are known already once, and in `states` the state in which each approval was seen.

        What still waits to be said of the same approval to the same channel is said no more.
        """
        ...

    async def states(self) -> Mapping[str, str]:
        """The state in which each approval that may still change was seen last, by its id."""
        ...

    async def forget(self, approvals: Iterable[str]) -> None:
        """Forget the states of `approvals`, of which nothing more will be said."""
        ...

    async def mark(self) -> str:
        """How far the ledger was followed for what is told beside approvals; empty where it never was."""
        ...

    async def follow(self, notices: Iterable[Notice], mark: str) -> None:
        """Keep `notices`, those that are known already once, and that the ledger was followed up to `mark`."""
        ...

    async def due(self, now_ms: int, limit: int, waits_ms: Sequence[int]) -> Sequence[PendingNotice]:
        """Notices whose time has come, the oldest first; of each channel at most `limit`.

        So has that of what would wait for longer than `waits_ms` has after as many attempts: the clock was set back.
        """
        ...

    async def delivered(self, ident: str) -> None:
        """The notice `ident` has arrived."""
        ...

    async def failed(self, ident: str, due_ms: int | None, why: str) -> None:
        """An attempt was in vain; the next is at `due_ms`, None: it is given up."""
        ...

    async def channels(self) -> Mapping[str, ChannelStatus]:
        """How each channel fares that something was ever kept for."""
        ...

    async def close(self) -> None:
        """Release the file."""
        ...

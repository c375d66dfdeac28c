"""What a server says while a call is open: progress and logs, released in order.

INVARIANT(label-before-data): the first waits until an `exchange` with all labels that the answer will
bring is durable; those after it find them there, or wait for another where there are more by now: somebody may
have written what the server reads, or a bundle have been applied. Nobody who listens is made to wait for a slow client
beyond `WAITING_MAX` notices, or `WAITING_BYTES_MAX` of them: what comes then is dropped. So is what a server says after
its answer: an action that has its outcome has no exchange more. Where something is owed on what comes back, words of
ours stand in place of the server's: what is covered whole could come in parts.
"""

import asyncio
import contextlib
from collections import deque
from typing import Final

import orjson

from remit.facts.action import Action
from remit.facts.canonical import Json
from remit.facts.label import NONE, Labels
from remit.pdp.result_judgement import finds_of
from remit.pep.answer import Tell
from remit.pep.attempt import Attempt
from remit.pep.decision_engine import DecisionEngine
from remit.pep.message_filter import show_notice
from remit.pep.release import seal
from remit.ports.ledger import LedgerUnwritable, Pending
from remit.ports.upstream import Log, Notice, Progress
from remit.trace.bodies import MidCall

WAITING_MAX: Final = 1_000
WAITING_BYTES_MAX: Final = 1024 * 1024
WITHHELD: Final = "what this call says before its result is withheld: policy owes something on it"


class ExchangeRecord:
    """The record before which nothing that a server says of an action is told: another whenever its labels grew."""

    def __init__(self, engine: DecisionEngine, attempt: Attempt, action: Action) -> None:
        self._engine = engine
        self._action = action
        self._pending: Pending | None = None
        self._labels: Labels = NONE
        self.attempt = attempt
        """With what its client answered until now."""

    def now(
        self, number: int, passed: MidCall, content: bytes | None, value: Json = None, *, anew: bool = False
    ) -> None:
        """Queue it where missing, or where `anew` (`DecisionEngine.pass_on`). Raises `LedgerUnwritable`.

        `value` is read for labels.
        """
        labels = self._engine.labels_so_far(self.attempt, self._action, value)
        if self._pending is None or anew or not labels <= self._labels:
            self._labels |= labels
            self._pending = self._engine.pass_on(self.attempt, number, passed, content, self._action, had=self._labels)

    @property
    def is_read(self) -> bool:
        """Whether what the server says is looked into."""
        return bool(finds_of(self._engine.bundle, self._action.server))

    async def durable(self) -> None:
        """Return when what was queued is on disk. Raises `LedgerUnwritable` when it never will be, or nothing was."""
        if self._pending is None:
            raise LedgerUnwritable("no labels were recorded")
        # Others wait for the same record.
        await asyncio.shield(self._pending.durable)

    async def before(self, number: int, passed: MidCall, content: bytes | None, *, fresh: bool = False) -> None:
        """Return when all labels as of now are on disk, and the origins of words that are `fresh`.

        Raises `LedgerUnwritable`.
        """
        value = orjson.loads(content) if content is not None and self.is_read else None
        anew = fresh and self._engine.tracing.call(self.attempt.ref, self._action) is not None
        self.now(number, passed, content, value, anew=anew)
        await self.durable()


class Notices:
    """The notices of one action under way."""

    def __init__(self, engine: DecisionEngine, attempt: Attempt, action: Action) -> None:
        self._engine = engine
        self._action = action
        self._recorded = ExchangeRecord(engine, attempt, action)
        self._obligations = attempt.result_obligations
        self._heard = 0
        self._logged = False
        self._waiting: deque[tuple[Notice, int]] = deque()
        self._waiting_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._over = False
        self.tell: Tell | None = None
        """To whom; changes with the client's next request of the same action."""

    def hear(self, notice: Notice) -> None:
        """Take one notice from the upstream; never waits."""
        if self.tell is None or self._over or len(self._waiting) >= WAITING_MAX:
            return
        covered = self._covered(notice) if self._obligations else notice
        size = 0 if covered is None else _size(covered)
        if covered is None or self._waiting_bytes + size > WAITING_BYTES_MAX:
            return
        self._waiting.append((covered, size))
        self._waiting_bytes += size
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._pass_on())

    async def flush(self) -> None:
        """Return when all that was heard has been told: the answer comes after it."""
        task = self._task
        if task is not None:
            await asyncio.wait({task})

    def close(self) -> None:
        """Nobody listens any more."""
        self.tell = None
        self._drop()
        if self._task is not None:
            self._task.cancel()

    async def settle(self) -> None:
        """Return when no more is to be recorded of what was heard, told or not: the outcome comes after it."""
        if self._waiting:
            # What comes with all that was heard is known now; no record may follow the outcome.
            with contextlib.suppress(LedgerUnwritable):
                self._recorded.now(0, MidCall.NOTICE, None, self._value())
        self._over = True
        if self._waiting:
            await self.label()

    async def label(self) -> bool:
        """Have the labels of what was heard so far durable; False when they never will be."""
        try:
            if not self._over:
                self._recorded.now(0, MidCall.NOTICE, None, self._value())
            await self._recorded.durable()
        except LedgerUnwritable:
            return False
        return True

    def _covered(self, notice: Notice) -> Notice | None:
        """What is told in place of `notice`: that the call goes on, and once that it logs; None for nothing."""
        match notice:
            case Progress():
                # How often alone: a number of the server's may be what is owed, too.
                self._heard += 1
                return Progress(self._heard, None, WITHHELD)
            case Log(level) if not self._logged:
                self._logged = True
                return Log(level, None, WITHHELD)
            case _:
                return None

    def _value(self) -> Json:
        """What waits to be told, where something is looked for in it."""
        return [_texts(notice) for notice, _ in self._waiting] if self._recorded.is_read else None

    def _drop(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0

    def _halted(self) -> bool:
        """Whether people stopped it meanwhile. INVARIANT(stop-wins): what was heard before stays here."""
        action = self._action
        return bool(self._engine.stops(action.authority, action.server, action.name))

    async def _pass_on(self) -> None:
        while self._waiting:
            if not await self.label() or self._halted():
                self._drop()
                return
            notice, size = self._waiting.popleft()
            self._waiting_bytes -= size
            tell = self.tell
            if tell is not None:
                # A client that went away is the call's affair, and its task is told so.
                with contextlib.suppress(OSError, RuntimeError):
                    await tell(show_notice(notice))


def _size(notice: Notice) -> int:
    """About how many bytes it holds."""
    match notice:
        case Progress(_, _, message):
            return len(message or "")
        case Log(_, logger, data):
            return len(logger or "") + len(seal(data) or b"")
        case _:
            return 0


def _texts(notice: Notice) -> Json:
    match notice:
        case Progress(_, _, message):
            return message
        case Log(_, logger, data):
            return [logger, data]
        case _:
            return None

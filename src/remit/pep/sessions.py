"""Sessions opened, spoken in, looked at and ended; each record is durable before it is answered."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from remit.facts.canonical import Json
from remit.facts.record import Receipt, RecordKind
from remit.facts.session import TooManyWords
from remit.pep.decision_engine import DecisionEngine
from remit.pep.indices import STATEMENTS_MAX, WORDS_CHARS_MAX
from remit.pep.memory import Memory
from remit.ports.system import Clock
from remit.trace.bodies import AdminBody, Event

LetGo: TypeAlias = Callable[[str], Awaitable[None]]
"""Lets go of what upstreams keep for a session that has ended, named by its id."""


class Sessions:
    """What people and harnesses do to sessions. All raise `LedgerUnwritable`."""

    def __init__(self, memory: Memory, engine: DecisionEngine, clock: Clock, let_go: LetGo) -> None:
        self._memory = memory
        self._engine = engine
        self._clock = clock
        self._let_go = let_go

    async def open(self, sid: str, agent: str, user: str | None, by: str) -> Receipt:
        """Open the root session `sid` (admin record `session.opened`)."""
        data: Mapping[str, Json] = {"agent": agent, "user": user}
        return await self._about(sid, AdminBody(Event.SESSION_OPENED, by, sid, data))

    async def record_confidence(self, sid: str, source: str, units: int, by: str) -> Receipt:
        """Record how sure the agent of `sid` is said to be, in units of the fourth decimal place."""
        return await self._about(sid, AdminBody(Event.SESSION_CONFIDENCE, by, sid, {"source": source, "units": units}))

    async def record_words(self, sid: str, text: str, by: str) -> Receipt:
        """Keep the user's words of a trusted session (admin record `session.words`): they ground values.

        Raises `TooManyWords`.
        """
        await self._memory.hold((sid,), self._clock.monotonic_s())
        try:
            await self._memory.index(sid)
            statements, chars = self._memory.indices.words_size(sid)
            if statements >= STATEMENTS_MAX or chars + len(text) > WORDS_CHARS_MAX:
                raise TooManyWords(
                    f"a session takes {STATEMENTS_MAX:,} statements and {WORDS_CHARS_MAX:,} characters of words"
                )
            grounds = self._engine.tracing.index(sid) is not None
            return await self._record(AdminBody(Event.SESSION_WORDS, by, sid, {"text": text, "grounds": grounds}), sid)
        finally:
            self._memory.release((sid,), self._clock.monotonic_s())

    async def index_size(self, sid: str) -> tuple[int, int]:
        """How many tokens the index of `sid` holds, and how many characters of its user's words ground values."""
        await self._memory.hold((sid,), self._clock.monotonic_s())
        try:
            await self._memory.index(sid)
            index = self._memory.indices.of(sid)
            return (0 if index is None else len(index)), self._memory.indices.words_size(sid)[1]
        finally:
            self._memory.release((sid,), self._clock.monotonic_s())

    async def forget_origins(self, sid: str, by: str) -> Receipt:
        """Erase the key of the index of `sid`: what it holds means nothing any more, and a new one begins."""
        await self._memory.hold((sid,), self._clock.monotonic_s())
        try:
            await self._memory.index(sid)
            return await self._record(AdminBody(Event.SESSION_KEYED, by, sid, {"key": None}), sid)
        finally:
            self._memory.release((sid,), self._clock.monotonic_s())

    async def end(self, sid: str, by: str) -> Receipt:
        """End `sid`: every later action of a chain that passes through it is denied.

        INVARIANT(stop-wins): calls whose request has not left yet are stopped too; then its upstream children go.
        """
        receipt = await self._about(sid, AdminBody(Event.SESSION_ENDED, by, sid))
        await self._let_go(sid)
        return receipt

    async def _about(self, sid: str, body: AdminBody) -> Receipt:
        await self._memory.hold((sid,), self._clock.monotonic_s())
        try:
            return await self._record(body, sid)
        finally:
            self._memory.release((sid,), self._clock.monotonic_s())

    async def _record(self, body: AdminBody, sid: str) -> Receipt:
        return await self._engine.append(RecordKind.ADMIN, sid, body).durable

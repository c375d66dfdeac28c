"""A call of the `initialize` era that its server asked something in, kept open while the client answers."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from remit.adapters.upstreams.frames import METHOD_NOT_FOUND, Outcome, refusal, response
from remit.adapters.upstreams.messages import NOT_OFFERED, Ear, Inbox
from remit.adapters.upstreams.requests import IN_ROUNDS, PING, UpstreamRequest
from remit.adapters.upstreams.wire import Wire
from remit.facts.canonical import Json
from remit.ports.upstream import Question, UpstreamContext

HELD_S: Final = 300.0
"""How long a server waits for the client before its call is given up."""
TURN_S: Final = 30.0
"""How long a call waits for its turn."""
READ_S: Final = 2.0
"""How long it is waited for that a server has read what was asked before a call."""
SETTLE_S: Final = 0.1
"""How long it then has to act on it, once in a session."""
REFUSED: Final = -1
"""Of a sampling request that the user, or policy, refuses (MCP 2025-11-25, client/sampling)."""


class OpenCall:
    """The call runs in a task of its own. `next` and `answer` take turns; `cancel` at any time.

    `in_turn`: it is sent once no other is in flight there, so that what names no call is of this one, and after
    `TURN_S` all the same: what it waits for may wait for it.
    """

    def __init__(
        self,
        wire: Wire,
        request: UpstreamRequest,
        ear: Ear,
        on_over: Callable[["OpenCall"], None],
        *,
        in_turn: bool = False,
    ) -> None:
        self.method = request.method
        self.waits = False
        """Whether it waits for the client: then it may be answered, once."""
        self._wire = wire
        self.ear = ear
        self._on_over = on_over
        self._inbox = ear.inbox = Inbox(ear.context.capabilities)
        self._task = asyncio.create_task(self._in_turn(request) if in_turn else self._sent(request))
        self._task.add_done_callback(lambda _: self._inbox.arrived.set())
        self._expiry: asyncio.TimerHandle | None = None
        self._answered = asyncio.Event()

    async def next(self) -> Outcome | Mapping[str, Question]:
        """What answers the call, or questions on the way to it. Cancelling this cancels the call."""
        try:
            await self._inbox.arrived.wait()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self._task.done():
            self._on_over(self)
            return self._task.result()
        self.waits = True
        self.ear.context = UpstreamContext(capabilities=self.ear.context.capabilities)
        self._expiry = asyncio.get_running_loop().call_later(HELD_S, self.cancel)
        return self._inbox.take()

    async def _in_turn(self, request: UpstreamRequest) -> Outcome:
        turn, mine = self._wire.hearing.turn, False
        with suppress(TimeoutError):
            async with asyncio.timeout(TURN_S):
                mine = await turn.acquire()
        try:
            return await self._sent(request)
        finally:
            if mine:
                turn.release()

    async def _sent(self, request: UpstreamRequest) -> Outcome:
        """The call itself, once nothing that was given up there may be taken for it."""
        hearing = self._wire.hearing
        if hearing.given_up.some:
            await hearing.given_up.none()
        if hearing.kept and request.method in IN_ROUNDS and hearing.ask_kept(self._inbox):
            try:
                await self._answered.wait()
            except asyncio.CancelledError:
                hearing.refuse_all(self._inbox)
                raise
            # Once a server has answered this it has read the answer; most then have to look at what it names.
            with suppress(TimeoutError):
                async with asyncio.timeout(READ_S):
                    await self._wire.ask(PING, Ear(aside=True))
            await asyncio.sleep(SETTLE_S)
        return await self._wire.ask(request, self.ear)

    async def answer(self, responses: Mapping[str, Json], context: UpstreamContext) -> bool:
        """Give the client's answers; whether all of them arrived. `context` hears from now on."""
        self.waits = False
        if self._expiry is not None:
            self._expiry.cancel()
        self.ear.context = context
        questions, self._inbox.given = self._inbox.given, {}
        bodies = [self._answer(key, question, responses.get(key)) for key, question in questions.items()]
        try:
            if self._task.done():
                return True
            arrived = all(await asyncio.gather(*(self._wire.answer(body) for body in bodies)))
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._answered.set()
        return arrived

    def cancel(self) -> None:
        """Give the call up; the server is told."""
        self.waits = False
        if self._expiry is not None:
            self._expiry.cancel()
        self._task.cancel()
        self._on_over(self)

    async def over(self) -> None:
        """Wait for the end of a call that was given up."""
        await asyncio.wait([self._task])

    def _answer(self, key: str, question: Question, answer: Json) -> bytes:
        ident = self._inbox.idents.pop(key)
        if answer is not None:
            return response(ident, answer)
        if question.method == "elicitation/create":
            return response(ident, {"action": "decline"})
        return refusal(ident, REFUSED if question.method == "sampling/createMessage" else METHOD_NOT_FOUND, NOT_OFFERED)

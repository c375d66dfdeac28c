"""What every way to a server does alike: a request, the questions asked in it, and who hears of it.

A subclass says how a connection is reached; it raises `Unusable` where none is.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Final

from remit.adapters.upstreams.era_changes import changes
from remit.adapters.upstreams.failures import Unusable, closed, expired, internal, timed_out
from remit.adapters.upstreams.frames import ErrorFrame, Outcome, ResultFrame
from remit.adapters.upstreams.listings import Listings
from remit.adapters.upstreams.messages import Ear
from remit.adapters.upstreams.open_call import OpenCall
from remit.adapters.upstreams.opening import OPEN_S, Opening, asks_to_open
from remit.adapters.upstreams.pulse import Pulse
from remit.adapters.upstreams.replies import Retry, reply_of, reply_or_asked, unsent
from remit.adapters.upstreams.requests import ASKS_NOTHING, DISCOVER, PING, ask_request, call_request
from remit.adapters.upstreams.tool_list import LIST_S, list_limit_s
from remit.adapters.upstreams.wire import Wire, introduction_of, level
from remit.facts.canonical import Json
from remit.facts.catalog import Server
from remit.facts.tool import Definition
from remit.ports.system import Clock
from remit.ports.upstream import (
    NO_CONTEXT,
    Era,
    InputRequired,
    Introduction,
    Notice,
    Offer,
    Ready,
    Reply,
    UpstreamContext,
)

HUNG_S: Final = 10.0
"""Who lets such a question wait for so long hangs."""


class UpstreamTransport(ABC):
    """The part of `Upstream` that is one for all transports."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._open_calls: set[OpenCall] = set()
        self._pulse = Pulse(clock)
        self._looking: asyncio.Task[None] | None = None
        self._crossed = False

    @abstractmethod
    async def _reach(self, sid: str, era: Era, context: UpstreamContext) -> Wire:
        """The connection that serves `sid`, in the client's era if the server speaks it."""

    @abstractmethod
    def _note_reply(self, reply: Reply) -> None:
        """Note how it went, for `health`."""

    @property
    @abstractmethod
    def _all_listings(self) -> Iterable[Listings]:
        """What each of its connections lists."""

    @property
    @abstractmethod
    def _away(self) -> bool:
        """Whether it was not reached, and may be by now."""

    @property
    @abstractmethod
    def _there(self) -> bool:
        """Whether it was reached, so that it can be asked though nobody calls."""

    @abstractmethod
    async def _look(self) -> None:
        """Ask it whether it answers."""

    def look(self) -> None:
        """See `MonitoredUpstream.look`."""
        if (self._looking is None or self._looking.done()) and self._pulse.due(down=self._away, there=self._there):
            self._looking = asyncio.create_task(self._look_in_time())

    async def _look_in_time(self) -> None:
        with suppress(TimeoutError, Unusable):
            async with asyncio.timeout(LIST_S):
                await self._look()

    async def _tools(self, listings: Listings | None, context: UpstreamContext, *, anew: bool) -> Sequence[Definition]:
        """What the connection of `listings` shows to a client as `context` has it; None where it was let go of.

        `anew`: whatever any connection was shown before counts for nobody any more, so that what people then accept
        is not compared with an older reading.
        """
        if listings is None:
            raise Unusable(closed(self._server.name))
        listing = listings.of(context.capabilities)
        tools = await listing.tools(anew=anew)
        if anew:  # now that it is read: what others began to read meanwhile may be older
            for each in self._all_listings:
                each.changed(but=listing)
        return tools.definitions

    def _dropped(self) -> Mapping[str, str]:
        """Why tools were left out, by their names."""
        return {name: why for listings in self._all_listings for name, why in listings.dropped.items()}

    async def introduce(self, sid: str, era: Era, context: UpstreamContext = NO_CONTEXT) -> Introduction:
        """See `Upstream.introduce`."""
        limit_s = list_limit_s(self._server)
        try:
            async with asyncio.timeout(limit_s):
                wire = await self._reach(sid, era, context)
                return await introduction_of(wire, self._clock, self._server.verify_s)
        except TimeoutError:
            raise Unusable(timed_out(self._server.name, limit_s, sent=True)) from None

    async def call(
        self, sid: str, era: Era, name: str, arguments: bytes, context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        """See `Upstream.call`."""
        ear = Ear(context)
        return await self._within_limit(ear, lambda: self._first(Retry(sid, era, call_request(name, arguments)), ear))

    async def ask(
        self, sid: str, era: Era, method: str, params: Mapping[str, Json], context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        """See `Upstream.ask`."""
        ear = Ear(context)
        return await self._within_limit(ear, lambda: self._first(Retry(sid, era, ask_request(method, params)), ear))

    async def resume(
        self, continuation: object, responses: Mapping[str, Json], context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        """See `Upstream.resume`."""
        match continuation:
            case Retry() if not continuation.used:
                continuation.used = True
                ear = Ear(context)
                return await self._within_limit(ear, lambda: self._again(continuation, responses, ear))
            case Opening() if not continuation.used:
                continuation.used = True
                ear = Ear(context)
                return await self._within_limit(ear, lambda: self._after_opening(continuation, responses, ear))
            case OpenCall() if continuation in self._open_calls and continuation.waits:
                return await self._within_limit(
                    continuation.ear, lambda: self._continue(continuation, responses, context)
                )
            case _:
                return expired(self._server.name, "it was answered before, or is over", sent=True)

    async def drop(self, continuation: object) -> None:
        """See `Upstream.drop`."""
        match continuation:
            case Retry():
                continuation.used = True
            case Opening():
                continuation.end()
            case OpenCall() if continuation in self._open_calls:
                self._open_calls.discard(continuation)
                continuation.cancel()
                await continuation.over()
            case _:
                pass

    async def watch(
        self, sid: str, era: Era, offers: frozenset[Offer], uris: frozenset[str], context: UpstreamContext = NO_CONTEXT
    ) -> AsyncGenerator[Notice | Ready]:
        """See `Upstream.watch`."""
        limit_s = list_limit_s(self._server)
        try:
            async with asyncio.timeout(limit_s):
                wire = await self._reach(sid, era, context)
            async with aclosing(changes(self._server.name, wire, offers, uris)) as heard:
                async for change in heard:
                    yield change
        except TimeoutError:
            raise Unusable(timed_out(self._server.name, limit_s, sent=False)) from None

    async def _end_open_calls(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        calls, self._open_calls = self._open_calls, set()
        for call in tuple(calls):
            call.cancel()
            await call.over()

    async def _first(self, retry: Retry, ear: Ear, *, opens: bool = True) -> Reply:
        wire = await self._reach(retry.sid, retry.era, ear.context)
        if wire.era is Era.STATELESS:
            return reply_or_asked(self._server.name, retry, await wire.ask(retry.request, ear), ear.context)
        await level(wire, ear.context)
        if not ear.context.capabilities or retry.request.method in ASKS_NOTHING:
            return reply_of(self._server.name, retry.request.method, await wire.ask(retry.request, ear))
        # Learnt by any of its sessions: a server asks in the same way in all of them.
        self._crossed = self._crossed or wire.hearing.crossed
        open_call = OpenCall(wire, retry.request, ear, self._open_calls.discard, in_turn=self._crossed)
        self._open_calls.add(open_call)
        reply = await self._further(open_call)
        if opens and (refused := asks_to_open(retry, reply, ear.context)) is not None:
            opening = Opening(self._server.name, wire, retry, refused)
            await opening.begin()
            return InputRequired(opening.questions, opening)
        return reply

    async def _after_opening(self, opening: Opening, responses: Mapping[str, Json], ear: Ear) -> Reply:
        """The call once more, where its user opened what it needs; refused again, it has failed."""
        try:
            if not opening.are_opened(responses):
                return opening.failure
            await opening.done(min(OPEN_S, self._server.call_s / 2))
        finally:
            opening.end()
        return await self._first(opening.retry, ear, opens=False)

    async def _again(self, retry: Retry, responses: Mapping[str, Json], ear: Ear) -> Reply:
        wire = await self._reach(retry.sid, retry.era, ear.context)
        if wire.era is not Era.STATELESS:
            raise Unusable(expired(self._server.name, "the server changed its era", sent=False))
        again = retry.request.again(retry.responses(responses), retry.state)
        return reply_or_asked(self._server.name, retry, await wire.ask(again, ear), ear.context)

    async def _further(self, open_call: OpenCall) -> Reply:
        step = await open_call.next()
        if isinstance(step, ResultFrame | ErrorFrame):
            return reply_of(self._server.name, open_call.method, step)
        return InputRequired(step, open_call)

    async def _continue(self, open_call: OpenCall, responses: Mapping[str, Json], context: UpstreamContext) -> Reply:
        if not await open_call.answer(responses, context):
            open_call.cancel()
            return expired(self._server.name, "it took no answer", sent=True)
        return await self._further(open_call)

    async def _within_limit(self, ear: Ear, step: Callable[[], Awaitable[Reply]]) -> Reply:
        """Take a step within `call_s`; whatever goes wrong in it is a failure."""
        try:
            async with asyncio.timeout(self._server.call_s):
                reply = await step()
        except TimeoutError:
            reply = timed_out(self._server.name, self._server.call_s, sent=ear.ident != 0)
        except Unusable as unusable:
            reply = unsent(unusable.failure)
        except Exception as problem:  # noqa: BLE001 - the port promises it: our own errors are failures too
            reply = internal(self._server.name, problem, sent=ear.ident != 0)
        self._note_reply(reply)
        return reply


async def probe(wire: Wire) -> Outcome | None:
    """Ask what any server answers at once; None where it says nothing for long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HUNG_S):
            return await wire.ask(DISCOVER if wire.era is Era.STATELESS else PING, Ear(aside=True))
    return None


def calling(wire: Wire) -> bool:
    """Whether a call waits there."""
    return any(not ear.aside for ear in wire.hearing.open.values())

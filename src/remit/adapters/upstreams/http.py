"""A tool server over streamable HTTP, in the client's era where the server speaks it.

The hot path is `call` in the stateless era: see `transport`, `plain` and `exchange`, in this order.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson

from remit.adapters.upstreams.exchange import HttpExchange
from remit.adapters.upstreams.failures import Unusable, closed, silent, timed_out
from remit.adapters.upstreams.frames import ErrorFrame
from remit.adapters.upstreams.handshake import UpstreamHandshake
from remit.adapters.upstreams.listings import Listings
from remit.adapters.upstreams.messages import Ear
from remit.adapters.upstreams.plain import Plain
from remit.adapters.upstreams.requests import DISCOVER
from remit.adapters.upstreams.tool_list import list_limit_s
from remit.adapters.upstreams.transport import UpstreamTransport, calling, probe
from remit.adapters.upstreams.wire import Wire
from remit.facts.canonical import Json
from remit.facts.catalog import Http, Server
from remit.facts.limits import Limits
from remit.facts.tool import Definition
from remit.ports.credentials import Credential
from remit.ports.system import Clock
from remit.ports.upstream import NO_CONTEXT, Era, Failure, Reply, ServerHealth, UpstreamContext, looking

TELL_S: Final = 5.0
LEAVE_S: Final = 1.0
"""How long an end waits for what servers are told last: what does not hear it forgets its sessions by itself."""
ASIDES_MAX: Final = 1024
SESSIONS_MAX: Final = 10_000
LOOKED_AT: Final = 32
IDLE_S: Final = 1800.0
_NOT_THIS_ERA: Final = frozenset({400, 404, 405, 406, 415, 422, 501})
_REACHED: Final = frozenset({"error", "garbage", "too_large", "no_room", "undeclared", "expired"})
_AWAY: Final = frozenset({"unreachable", "disconnected", "timeout", "refused"})
"""What a server that is started again mends; the rest takes a person."""
_GONE: Final = frozenset({"unreachable", "disconnected"})
_VERDICTS: Final = frozenset({"error", "garbage"})
_Key = tuple[str, bytes]


@dataclass(slots=True)
class _UpstreamSession:
    """An upstream session of the `initialize` era and what it lists."""

    handshake: UpstreamHandshake
    listings: Listings
    used_s: float


class HttpUpstream(UpstreamTransport):
    """One server behind one address; sessions of the `initialize` era are kept per Remit session and capabilities."""

    def __init__(
        self,
        server: Server,
        session: aiohttp.ClientSession,
        limits: Limits,
        clock: Clock,
        credential: Credential | None = None,
    ) -> None:
        if not isinstance(server.transport, Http):
            raise TypeError(f"server {server.name!r} is no HTTP server")
        super().__init__(server, clock)
        self._url = server.transport.url
        self._limits = limits
        self._exchange = HttpExchange(server.name, server.transport.url, session, limits, self._pulse, credential)
        self._plain = Plain(self._exchange, self._tools_changed)
        self._listings = Listings(server, limits, clock, self._plain)
        self._sessions: dict[_Key, _UpstreamSession] = {}
        self._attended: set[UpstreamHandshake] = set()
        self._speaks: dict[Era, bool] = {}
        self._learning = asyncio.Lock()
        self._asides: set[asyncio.Task[None]] = set()
        self._last_error: str | None = None
        self._down: str | None = None
        self._closed = False

    async def definitions(
        self, sid: str, era: Era, context: UpstreamContext = NO_CONTEXT, *, anew: bool = False
    ) -> Sequence[Definition]:
        """See `Upstream.definitions`; the same object while the server's bytes are the same."""
        limit_s = list_limit_s(self._server)
        try:
            async with asyncio.timeout(limit_s):
                wire = await self._era(sid, era, context)
            listings = self._listings if wire is Era.STATELESS else self._session(sid, context).listings
            definitions = await self._tools(listings, context, anew=anew)
        except TimeoutError:
            failure = timed_out(self._server.name, limit_s, sent=True)
        except Unusable as unusable:
            failure = unusable.failure
            self._doubt(failure)
        else:
            self._down = None
            return definitions
        self._note(failure)
        raise Unusable(failure)

    async def end_session(self, sid: str) -> None:
        """See `Upstream.end_session`: the upstream session is deleted in the background."""
        for key in [key for key in self._sessions if key[0] == sid]:
            self._let_go(key)

    async def close(self) -> None:
        """See `Upstream.close`. The shared connection pool stays open: it is the process's."""
        self._closed = True
        self._speaks.clear()
        await self._end_open_calls()
        for key in tuple(self._sessions):
            self._let_go(key)
        self._plain.hearing.lose("is being let go of")
        await self._listings.close()
        if self._asides:
            _, late = await asyncio.wait(self._asides, timeout=LEAVE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._exchange.close()

    def health(self) -> ServerHealth:
        """See `MonitoredUpstream.health`."""
        eras = tuple(era for era, spoken in self._speaks.items() if spoken)
        state = "closed" if self._closed else "down" if self._down else "up" if eras else "idle"
        cause, last_error = self._down, self._last_error
        # Where it was not even reached, that says more.
        if (state in {"up", "idle"} or cause == "timeout") and (silent_s := self._pulse.silent_s) is not None:
            failure = silent(self._server.name, silent_s)
            state, cause, last_error = "silent", failure.cause, failure.text
        return ServerHealth(
            server=self._server.name,
            transport="http",
            state=state,
            eras=eras,
            last_error=last_error,
            cause=cause,
            connections=sum(session.handshake.is_open for session in self._sessions.values()),
            strays=self._exchange.strays,
            dropped=self._dropped(),
        )

    async def _reach(self, sid: str, era: Era, context: UpstreamContext) -> Wire:
        if (era if self._speaks.get(era) else await self._era(sid, era, context)) is Era.STATELESS:
            return self._plain
        handshake = self._session(sid, context).handshake
        refusal = await handshake.open()
        if refusal is not None:
            raise Unusable(refusal.failure)
        return handshake

    def _note_reply(self, reply: Reply) -> None:
        if isinstance(reply, Failure):
            self._note(reply)
        else:
            self._down = None

    @property
    def _all_listings(self) -> Iterable[Listings]:
        return (self._listings, *(session.listings for session in self._sessions.values()))

    @property
    def _away(self) -> bool:
        return self._down in _AWAY

    @property
    def _there(self) -> bool:
        return bool(self._speaks) and self._down is None

    async def _look(self) -> None:
        sessions = [
            open_session.handshake for open_session in self._sessions.values() if open_session.handshake.is_open
        ]
        if self._speaks.get(Era.STATELESS) or not sessions:
            outcome = await probe(self._plain)
        else:
            outcome = await probe(next((session for session in sessions if calling(session)), sessions[-1]))
        if isinstance(outcome, ErrorFrame) and outcome.failure.cause in _GONE:
            self._note(outcome.failure)
        if self._away and self._pulse.silent_s is None:
            await self.definitions("", Era.STATELESS, looking(self._server), anew=True)

    async def _era(self, sid: str, era: Era, context: UpstreamContext) -> Era:
        """The era to use: the client's if the server speaks it, else the other. Raises `Unusable`."""
        if self._closed:
            raise Unusable(closed(self._server.name))
        if self._speaks.get(era):
            return era
        async with self._learning:
            for candidate in (era, *(other for other in Era if other is not era)):
                if candidate not in self._speaks:
                    self._speaks[candidate] = await self._probe(sid, candidate, context) is None
                if self._speaks[candidate]:
                    return candidate
            self._speaks.clear()
        text = f"server {self._server.name!r} speaks neither era of MCP; check `url` of its Server resource"
        if urlsplit(self._url).path.rstrip("/").endswith("/sse"):
            text += ": it looks like one of the HTTP+SSE transport of 2024-11-05, which Remit does not speak"
        raise Unusable(Failure(cause="not_mcp", text=text, sent=False))

    async def _probe(self, sid: str, era: Era, context: UpstreamContext) -> ErrorFrame | None:
        """None when the server speaks `era`, its refusal when it does not; an outage raises."""
        if era is Era.INITIALIZE:
            refusal = await self._session(sid, context).handshake.open()
        else:
            outcome = await self._plain.ask(DISCOVER, Ear(aside=True))
            refusal = outcome if isinstance(outcome, ErrorFrame) else None
            if not isinstance(outcome, ErrorFrame):
                self._plain.profile.take(outcome.result, self._clock.monotonic_s())
                if not _names(outcome.result, era):
                    text = f"server {self._server.name!r} does not name {era.value} among its versions"
                    refusal = ErrorFrame(Failure(cause="not_mcp", text=text, sent=True), 400)
        if refusal is None:
            return None
        if refusal.status in _NOT_THIS_ERA or (refusal.status == 200 and refusal.failure.cause in _VERDICTS):
            return refusal
        raise Unusable(refusal.failure)

    def _note(self, failure: Failure) -> None:
        self._last_error = failure.text
        slow = failure.cause == "timeout" and self._pulse.heard_within(self._server.call_s)
        self._down = None if slow or failure.cause in _REACHED else failure.cause

    def _doubt(self, failure: Failure) -> None:
        """A server that was replaced may speak another era: what was learnt is asked anew."""
        if failure.cause in {"error", "refused", "garbage"}:
            self._speaks.clear()

    def _session(self, sid: str, context: UpstreamContext) -> _UpstreamSession:
        """The upstream session that serves `sid`; opening one lets go of those long unused."""
        now_s = self._clock.monotonic_s()
        key = (sid, orjson.dumps(dict(context.capabilities), option=orjson.OPT_SORT_KEYS))
        session = self._sessions.pop(key, None)
        if session is None:
            self._make_room(now_s)
            session = self._open(context.capabilities, now_s)
        session.used_s = now_s
        self._sessions[key] = session
        return session

    def _make_room(self, now_s: float) -> None:
        for key, session in tuple(islice(self._sessions.items(), LOOKED_AT)):
            if len(self._sessions) < SESSIONS_MAX and now_s - session.used_s <= IDLE_S + self._server.call_s:
                return
            if session.handshake.hearing.is_busy:
                session.used_s = now_s
                self._sessions[key] = self._sessions.pop(key)
            else:
                self._let_go(key)
        if len(self._sessions) >= SESSIONS_MAX:
            text = f"server {self._server.name!r} already keeps {SESSIONS_MAX} busy sessions"
            raise Unusable(Failure(cause="too_many_sessions", text=text, sent=False))

    def _open(self, capabilities: Mapping[str, Json], now_s: float) -> _UpstreamSession:
        def changed() -> None:
            listings.changed()

        handshake = UpstreamHandshake(self._exchange, self._spawn, changed, capabilities, self._attended)
        listings = Listings(self._server, self._limits, self._clock, handshake)
        return _UpstreamSession(handshake, listings, now_s)

    def _let_go(self, key: _Key) -> None:
        session = self._sessions.pop(key, None)
        if session is not None:
            self._spawn(session.listings.close())
            self._spawn(session.handshake.end())

    def _tools_changed(self) -> None:
        self._listings.changed()

    def _spawn(self, aside: Coroutine[Any, Any, object]) -> None:
        if len(self._asides) >= ASIDES_MAX:
            aside.close()
            return
        task = asyncio.create_task(_within_time(aside))
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)


async def _within_time(aside: Coroutine[Any, Any, object]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(TELL_S):
            await aside


def _names(result: Mapping[str, Any], era: Era) -> bool:
    versions = result.get("supportedVersions")
    return isinstance(versions, list) and era.value in versions

"""A tool server over streamable HTTP, in the client's era where the server speaks it.

The hot path is `call` in the stateless era: one POST, its headers and envelope made once per tool,
the canonical argument bytes between them.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp
import orjson
from multidict import CIMultiDict, CIMultiDictProxy

from remit.adapters.upstreams.exchange import BASE_HEADERS, VERSION_HEADER, Exchange
from remit.adapters.upstreams.frames import (
    META,
    Answer,
    Message,
    Refusal,
    Unusable,
    call_params,
    closed,
    discover_params,
    header_value,
    internal,
    list_params,
    request,
    timed_out,
    tool_reply,
)
from remit.adapters.upstreams.handshake import Handshake
from remit.adapters.upstreams.listing import Listing, list_limit_s
from remit.facts.catalog import Definition, Http, Server
from remit.facts.limits import Limits
from remit.ports.credentials import Credential
from remit.ports.system import Clock
from remit.ports.upstream import Era, Failure, Health, Reply

TELL_S: Final = 5.0
ASIDES_MAX: Final = 1024
PREPARED_MAX: Final = 4096
SESSIONS_MAX: Final = 10_000
IDLE_S: Final = 1800.0
_NOT_THIS_ERA: Final = frozenset({400, 404, 405, 406, 415, 422, 501})
_REACHED: Final = frozenset({"error", "garbage", "too_large", "input_required"})
_VERDICTS: Final = frozenset({"error", "garbage"})
_Prepared = tuple[CIMultiDictProxy[str], bytes]


@dataclass(slots=True)
class _Kept:
    """An upstream session of the `initialize` era and what it lists."""

    handshake: Handshake
    listing: Listing
    used_s: float


class HttpUpstream:
    """One server behind one address; sessions of the `initialize` era are kept per Remit session."""

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
        self._server = server
        self._limits = limits
        self._clock = clock
        self._exchange = Exchange(server.name, server.transport.url, session, limits, credential)
        self._listing = Listing(server, limits, clock, self._page)
        self._kept: dict[str, _Kept] = {}
        self._speaks: dict[Era, bool] = {}
        self._learning = asyncio.Lock()
        self._prepared: dict[str, _Prepared] = {}
        self._ident = 0
        self._asides: set[asyncio.Task[None]] = set()
        self._last_error: str | None = None
        self._down = False
        self._closed = False

    async def definitions(self, sid: str, era: Era) -> Sequence[Definition]:
        """See `Upstream.definitions`; the same object while the server's bytes are the same."""
        limit_s = list_limit_s(self._server)
        try:
            async with asyncio.timeout(limit_s):
                wire = await self._wire(sid, era)
            listing = self._listing if wire is Era.STATELESS else self._session(sid).listing
            found = (await listing.tools()).definitions
        except TimeoutError:
            failure = timed_out(self._server.name, limit_s, sent=True)
        except Unusable as unusable:
            failure = unusable.failure
            self._doubt(failure)
        else:
            self._down = False
            return found
        self._note(failure)
        raise Unusable(failure)

    async def call(self, sid: str, era: Era, name: str, arguments: bytes) -> Reply:
        """See `Upstream.call`."""
        sent = False
        try:
            async with asyncio.timeout(self._server.call_s):
                wire = era if self._speaks.get(era) else await self._wire(sid, era)
                sent = True
                if wire is Era.STATELESS:
                    outcome = await self._call_stateless(name, arguments)
                else:
                    params = call_params(name, arguments, Era.INITIALIZE)
                    ident, outcome = await self._session(sid).handshake.ask("tools/call", params)
                    if ident == 0 and isinstance(outcome, Refusal):
                        raise Unusable(outcome.failure)
        except TimeoutError:
            reply: Reply = timed_out(self._server.name, self._server.call_s, sent=sent)
        except Unusable as unusable:
            reply = replace(unusable.failure, sent=False, upstream_text=None)
        except Exception as problem:  # noqa: BLE001 - the port promises it: our own errors are failures too
            reply = internal(self._server.name, problem, sent=sent)
        else:
            reply = tool_reply(self._server.name, outcome)
        if isinstance(reply, Failure):
            self._note(reply)
        else:
            self._down = False
        return reply

    async def end_session(self, sid: str) -> None:
        """See `Upstream.end_session`: the upstream session is deleted in the background."""
        self._let_go(sid)

    async def close(self) -> None:
        """See `Upstream.close`. The shared connection pool stays open: it is the process's."""
        self._closed = True
        self._speaks.clear()
        for sid in tuple(self._kept):
            self._let_go(sid)
        await self._listing.close()
        if self._asides:
            _, late = await asyncio.wait(self._asides, timeout=TELL_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._exchange.close()

    def health(self) -> Health:
        """See `Inspected.health`."""
        eras = tuple(era for era, spoken in self._speaks.items() if spoken)
        dropped = dict(self._listing.dropped)
        for kept in self._kept.values():
            dropped |= kept.listing.dropped
        state = "closed" if self._closed else "down" if self._down else "up" if eras else "idle"
        return Health(
            server=self._server.name,
            transport="http",
            state=state,
            eras=eras,
            last_error=self._last_error,
            connections=sum(kept.handshake.is_open for kept in self._kept.values()),
            strays=self._exchange.strays,
            dropped=dropped,
        )

    async def _call_stateless(self, name: str, arguments: bytes) -> Answer | Refusal:
        headers, between = self._prepared.get(name) or self._prepare(name)
        self._ident += 1
        body = b'{"jsonrpc":"2.0","id":%d%s%s,"_meta":%s}}' % (self._ident, between, arguments, META)
        return await self._exchange.ask(self._ident, body, headers, self._hear)

    def _prepare(self, name: str) -> _Prepared:
        if len(self._prepared) >= PREPARED_MAX:
            self._prepared.clear()
        between = b',"method":"tools/call","params":{"name":%s,"arguments":' % orjson.dumps(name)
        prepared = (self.headers("tools/call", name), between)
        self._prepared[name] = prepared
        return prepared

    @staticmethod
    def headers(method: str, name: str | None = None) -> CIMultiDictProxy[str]:
        """The headers of one stateless request (MCP 2026-07-28, transports)."""
        found = CIMultiDict(BASE_HEADERS)
        found[VERSION_HEADER] = Era.STATELESS.value
        found["Mcp-Method"] = method
        if name is not None:
            found["Mcp-Name"] = header_value(name)
        return CIMultiDictProxy(found)

    async def _wire(self, sid: str, era: Era) -> Era:
        """The era to use: the client's if the server speaks it, else the other. Raises `Unusable`."""
        if self._closed:
            raise Unusable(closed(self._server.name))
        if self._speaks.get(era):
            return era
        async with self._learning:
            for candidate in (era, *(other for other in Era if other is not era)):
                if candidate not in self._speaks:
                    self._speaks[candidate] = await self._probe(sid, candidate) is None
                if self._speaks[candidate]:
                    return candidate
            self._speaks.clear()
        text = f"server {self._server.name!r} speaks neither era of MCP; check `url` of its Server resource"
        raise Unusable(Failure(cause="not_mcp", text=text, sent=False))

    async def _probe(self, sid: str, era: Era) -> Refusal | None:
        """None when the server speaks `era`, its refusal when it does not; an outage raises."""
        if era is Era.INITIALIZE:
            refusal = await self._session(sid).handshake.open()
        else:
            self._ident += 1
            body = request(self._ident, "server/discover", discover_params())
            outcome = await self._exchange.ask(self._ident, body, self.headers("server/discover"), self._hear)
            refusal = outcome if isinstance(outcome, Refusal) else None
            if isinstance(outcome, Answer) and not _names(outcome.result, era):
                text = f"server {self._server.name!r} does not name {era.value} among its versions"
                refusal = Refusal(Failure(cause="not_mcp", text=text, sent=True), 400)
        if refusal is None:
            return None
        if refusal.status in _NOT_THIS_ERA or (refusal.status == 200 and refusal.failure.cause in _VERDICTS):
            return refusal
        raise Unusable(refusal.failure)

    def _note(self, failure: Failure) -> None:
        self._last_error = failure.text
        self._down = failure.cause not in _REACHED

    def _doubt(self, failure: Failure) -> None:
        """A server that was replaced may speak another era: what was learnt is asked anew."""
        if failure.cause in {"error", "refused", "garbage"}:
            self._speaks.clear()

    async def _page(self, cursor: str | None) -> tuple[int, Answer | Refusal]:
        self._ident += 1
        body = request(self._ident, "tools/list", list_params(cursor, Era.STATELESS))
        ident = self._ident
        return ident, await self._exchange.ask(ident, body, self.headers("tools/list"), self._hear)

    def _session(self, sid: str) -> _Kept:
        """The upstream session that serves `sid`; opening one lets go of those long unused."""
        now_s = self._clock.monotonic_s()
        kept = self._kept.pop(sid, None)
        if kept is None:
            while self._kept and self._oldest_is_due(now_s):
                self._let_go(next(iter(self._kept)))
            kept = self._open(now_s)
        kept.used_s = now_s
        self._kept[sid] = kept
        return kept

    def _oldest_is_due(self, now_s: float) -> bool:
        oldest = next(iter(self._kept.values()))
        return len(self._kept) >= SESSIONS_MAX or now_s - oldest.used_s > IDLE_S + self._server.call_s

    def _open(self, now_s: float) -> _Kept:
        async def page(cursor: str | None) -> tuple[int, Answer | Refusal]:
            return await handshake.ask("tools/list", list_params(cursor, Era.INITIALIZE))

        def changed() -> None:
            listing.changed()

        handshake = Handshake(self._exchange, self._spawn, changed)
        listing = Listing(self._server, self._limits, self._clock, page)
        return _Kept(handshake, listing, now_s)

    def _let_go(self, sid: str) -> None:
        kept = self._kept.pop(sid, None)
        if kept is not None:
            self._spawn(kept.listing.close())
            self._spawn(kept.handshake.end())

    def _hear(self, message: Message) -> None:
        if message.get("method") == "notifications/tools/list_changed":
            self._listing.changed()

    def _spawn(self, aside: Coroutine[Any, Any, object]) -> None:
        if len(self._asides) >= ASIDES_MAX:
            aside.close()
            return
        task = asyncio.create_task(_bounded(aside))
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)


async def _bounded(aside: Coroutine[Any, Any, object]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(TELL_S):
            await aside


def _names(result: Mapping[str, Any], era: Era) -> bool:
    versions = result.get("supportedVersions")
    return isinstance(versions, list) and era.value in versions

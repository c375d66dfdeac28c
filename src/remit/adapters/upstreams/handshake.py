"""One session of the `initialize` era with one HTTP server, opened for one Remit session and its capabilities."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from remit.adapters.upstreams.exchange import BASE_HEADERS, SESSION_HEADER, VERSION_HEADER, HttpExchange
from remit.adapters.upstreams.failures import garbage
from remit.adapters.upstreams.frames import ErrorFrame, Outcome, cancellation, notification, request
from remit.adapters.upstreams.messages import Ear, Hearing
from remit.adapters.upstreams.replies import unsent
from remit.adapters.upstreams.requests import OLD_VERSIONS, PING, UpstreamRequest, initialize_request, meta
from remit.adapters.upstreams.standing_stream import StandingStream
from remit.adapters.upstreams.wire import ServerProfile
from remit.facts.canonical import Json
from remit.ports.upstream import Era, Failure

SESSION_ID_CHARS_MAX: Final = 512
ATTENDED_MAX: Final = 256
"""Sessions of one server whose standing streams are open for their calls alone."""
LINGER_S: Final = 60.0
"""How long such a stream stays for the next call."""
_REPEATABLE: Final = "tools/list"

Spawn = Callable[[Coroutine[Any, Any, object]], None]
"""Runs something beside the call; it is ended with the upstream."""


class UpstreamHandshake:
    """An `mcp-session-id` and the version agreed on; opened at first use, and anew once the server forgot it.

    A server may ask in mid-call by the standing stream too, so that one is open while it may ask; `attended` are the
    sessions of the server where it is open for that alone.
    """

    def __init__(
        self,
        exchange: HttpExchange,
        spawn: Spawn,
        on_change: Callable[[], None],
        capabilities: Mapping[str, Json],
        attended: set["UpstreamHandshake"],
    ) -> None:
        self.hearing = Hearing(on_change, self._reply)
        self.profile = ServerProfile()
        self.capabilities = capabilities
        self._exchange = exchange
        self._spawn = spawn
        self._opening = asyncio.Lock()
        self._headers: dict[str, str] | None = None
        self._standing: StandingStream | None = None
        self._attended = attended
        self._attending = 0
        self._lingering: asyncio.TimerHandle | None = None
        self._ident = 0
        self._took_s = 0.0

    @property
    def era(self) -> Era:
        """See `Wire.era`."""
        return Era.INITIALIZE

    @property
    def is_open(self) -> bool:
        """Whether the server accepted `initialize`."""
        return self._headers is not None

    async def open(self) -> ErrorFrame | None:
        """`initialize` unless that is done; what refused it."""
        if self._headers is not None:
            return None
        async with self._opening:
            return None if self._headers is not None else await self._initialize()

    async def ask(self, call: UpstreamRequest, ear: Ear) -> Outcome:
        """See `Wire.ask`.

        A server that knows the session no more says so, not that it did nothing: only
        a listing is asked again, in a new session. Anything else is never sent twice.
        """
        refusal = await self.open()
        if refusal is not None:
            return replace(refusal, failure=unsent(refusal.failure))
        if ear.inbox is None:
            return await self._ask_in_session(call, ear)
        self._attending += 1
        try:
            await self._attend()
            return await self._ask_in_session(call, ear)
        finally:
            self._attending -= 1
            self._linger()

    async def answer(self, body: bytes) -> bool:
        """See `Wire.answer`."""
        headers = self._headers
        return headers is not None and 200 <= await self._exchange.tell("POST", body, headers) < 300

    async def stand(self) -> None:
        """See `Wire.stand`: by the standing GET stream."""
        if (self._standing is None or self._standing.is_over) and self._headers is not None:
            self._standing = StandingStream(self._exchange, self._headers, self.hearing, self._took_s)
        if self._standing is not None:
            await self._standing.opened()

    def sit(self) -> None:
        """See `Wire.sit`."""
        if self._standing is not None and not self.hearing.watches and self not in self._attended:
            self._standing.cancel()
            self._standing = None

    async def end(self) -> None:
        """`DELETE` the session at the server, if there is one."""
        headers = self._headers
        self._forget()
        if headers is not None and SESSION_HEADER in headers:
            await self._exchange.tell("DELETE", None, headers)

    async def _attend(self) -> None:
        """Hear what the server asks outside of the call, where that can be."""
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self not in self._attended and len(self._attended) >= ATTENDED_MAX:
            # One that only lingers makes room.
            for other in self._attended:
                if other._lingering is not None:  # noqa: SLF001
                    other._rest()  # noqa: SLF001
                    break
            else:
                return
        self._attended.add(self)
        await self.stand()

    def _linger(self) -> None:
        if self in self._attended and not self._attending and self._lingering is None:
            self._lingering = asyncio.get_running_loop().call_later(LINGER_S, self._rest)

    def _rest(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        self._attended.discard(self)
        self.sit()

    async def _ask_in_session(self, call: UpstreamRequest, ear: Ear) -> Outcome:
        headers = self._headers or {}
        outcome = await self._once(call, ear, headers)
        if isinstance(outcome, ErrorFrame) and SESSION_HEADER in headers and await self._is_unknown(outcome, headers):
            if self._headers is headers:
                self._forget()
            if call.method != _REPEATABLE:
                return replace(outcome, failure=self._session_lost(outcome.failure))
            refusal = await self.open()
            if refusal is not None:
                return refusal
            return await self._once(call, ear, self._headers or {})
        return outcome

    async def _is_unknown(self, refused: ErrorFrame, headers: dict[str, str]) -> bool:
        """Whether the server knows the session no more: it says so with 404, or, as many do, with 400 to a ping too."""
        if refused.status != HTTPStatus.BAD_REQUEST:
            return refused.status == HTTPStatus.NOT_FOUND
        outcome = await self._once(PING, Ear(aside=True), headers)
        return isinstance(outcome, ErrorFrame) and outcome.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}

    def _forget(self) -> None:
        self._headers = None
        self._attended.discard(self)
        self.hearing.lose("ended its session")
        if self._standing is not None:
            self._standing.cancel()
            self._standing = None

    def _session_lost(self, failure: Failure) -> Failure:
        text = (
            f"server {self._exchange.server!r} no longer knows its session; whether the call took effect "
            "is in doubt, so it is not sent again: check at the server, the next call opens a new session"
        )
        return replace(failure, cause="session_lost", text=text, sent=True)

    async def _once(self, call: UpstreamRequest, ear: Ear, headers: dict[str, str]) -> Outcome:
        self._ident += 1
        ident = self._ident
        body = request(ident, call.method, call.params(meta(Era.INITIALIZE, ident, ear.context)))
        self.hearing.opened(ident, ear)
        try:
            return await self._exchange.ask(ident, body, headers, self.hearing, resume=True)
        except asyncio.CancelledError:
            # A disconnect is no cancellation in this era; the notification is.
            if ear.inbox is not None:
                self.hearing.given_up.begin(ident)
            self._spawn(self._give_up(ident, headers, may_ask=ear.inbox is not None))
            raise
        finally:
            self.hearing.closed(ident)

    async def _give_up(self, ident: int, headers: dict[str, str], *, may_ask: bool) -> None:
        """Tell the server; where it `may_ask` something in the call yet, until it has answered a ping."""
        await self._exchange.tell("POST", cancellation(ident), headers)
        if may_ask:
            await self._once(PING, Ear(aside=True), headers)
            self.hearing.given_up.end(ident)

    async def _initialize(self) -> ErrorFrame | None:
        self._ident += 1
        initialize, began_s = initialize_request(self.capabilities), asyncio.get_running_loop().time()
        body = request(self._ident, initialize.method, initialize.params(b""))
        outcome = await self._exchange.ask(self._ident, body, BASE_HEADERS, self.hearing)
        if isinstance(outcome, ErrorFrame):
            return outcome
        version = outcome.result.get("protocolVersion")
        if not isinstance(version, str) or version not in OLD_VERSIONS:
            return ErrorFrame(garbage(self._exchange.server, "an initialize result of an unknown version"), 400)
        headers = {**BASE_HEADERS, VERSION_HEADER: version}
        session = outcome.session
        if session is not None:
            if len(session) > SESSION_ID_CHARS_MAX or not session.isascii() or not session.isprintable():
                return ErrorFrame(garbage(self._exchange.server, "an unusable session id"), 400)
            headers[SESSION_HEADER] = session
        ready = notification("notifications/initialized", {})
        status = await self._exchange.tell("POST", ready, headers)
        if not 200 <= status < 300:
            text = f"server {self._exchange.server!r} refused notifications/initialized (HTTP {status})"
            return ErrorFrame(Failure(cause="refused", text=text, sent=True), status or 502)
        self._headers = headers
        self._took_s = asyncio.get_running_loop().time() - began_s
        self.profile = ServerProfile()
        self.profile.take(outcome.result, 0.0)
        return None

    def _reply(self, body: bytes) -> None:
        if self._headers is not None:
            self._spawn(self._exchange.tell("POST", body, self._headers))

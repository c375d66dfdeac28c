"""One session of the `initialize` era with one HTTP server, opened for one Remit session."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from remit.adapters.upstreams.exchange import BASE_HEADERS, SESSION_HEADER, VERSION_HEADER, Exchange
from remit.adapters.upstreams.frames import (
    OLD_VERSIONS,
    Answer,
    Message,
    Refusal,
    garbage,
    initialize_params,
    notification,
    reply_to_server,
    request,
)
from remit.ports.upstream import Failure

SESSION_ID_CHARS_MAX: Final = 512
_REPEATABLE: Final = "tools/list"

Spawn = Callable[[Coroutine[Any, Any, object]], None]
"""Runs something beside the call; it is ended with the upstream."""


class Handshake:
    """An `mcp-session-id` and the version agreed on; opened at first use, and at the next one after a 404."""

    def __init__(self, exchange: Exchange, spawn: Spawn, on_change: Callable[[], None]) -> None:
        self._exchange = exchange
        self._spawn = spawn
        self._on_change = on_change
        self._opening = asyncio.Lock()
        self._headers: dict[str, str] | None = None
        self._ident = 0

    @property
    def is_open(self) -> bool:
        """Whether the server accepted `initialize`."""
        return self._headers is not None

    async def open(self) -> Refusal | None:
        """`initialize` unless that is done; what refused it."""
        if self._headers is not None:
            return None
        async with self._opening:
            return None if self._headers is not None else await self._initialize()

    async def ask(self, method: str, params: bytes) -> tuple[int, Answer | Refusal]:
        """One request within the session; its id, or 0 if it never left, and its outcome.

        A server that answers 404 says it knows the session no more, not that it did nothing: only
        a listing is asked again, in a new session. Anything else is never sent twice.
        """
        refusal = await self.open()
        if refusal is not None:
            return 0, refusal
        headers = self._headers or {}
        ident, outcome = await self._once(method, params, headers)
        if isinstance(outcome, Refusal) and outcome.status == 404 and SESSION_HEADER in headers:
            if self._headers is headers:
                self._headers = None
            if method != _REPEATABLE:
                return ident, replace(outcome, failure=self._session_lost(outcome.failure))
            refusal = await self.open()
            if refusal is not None:
                return 0, refusal
            return await self._once(method, params, self._headers or {})
        return ident, outcome

    async def end(self) -> None:
        """`DELETE` the session at the server, if there is one."""
        headers, self._headers = self._headers, None
        if headers is not None and SESSION_HEADER in headers:
            await self._exchange.tell("DELETE", None, headers)

    def _session_lost(self, failure: Failure) -> Failure:
        text = (
            f"server {self._exchange.server!r} no longer knows its session (HTTP 404); whether the call took effect "
            "is in doubt, so it is not sent again: check at the server, the next call opens a new session"
        )
        return replace(failure, cause="session_lost", text=text, sent=True)

    async def _once(self, method: str, params: bytes, headers: dict[str, str]) -> tuple[int, Answer | Refusal]:
        self._ident += 1
        ident = self._ident
        try:
            body = request(ident, method, params)
            return ident, await self._exchange.ask(ident, body, headers, self._hear, resume=True)
        except asyncio.CancelledError:
            # A disconnect is no cancellation in this era; the notification is.
            told = notification("notifications/cancelled", {"requestId": ident, "reason": "cancelled"})
            self._spawn(self._exchange.tell("POST", told, headers))
            raise

    async def _initialize(self) -> Refusal | None:
        self._ident += 1
        body = request(self._ident, "initialize", initialize_params())
        outcome = await self._exchange.ask(self._ident, body, BASE_HEADERS, self._hear)
        if isinstance(outcome, Refusal):
            return outcome
        version = outcome.result.get("protocolVersion")
        if not isinstance(version, str) or version not in OLD_VERSIONS:
            return Refusal(garbage(self._exchange.server, "an initialize result of an unknown version"), 400)
        headers = {**BASE_HEADERS, VERSION_HEADER: version}
        session = outcome.session
        if session is not None:
            if len(session) > SESSION_ID_CHARS_MAX or not session.isascii() or not session.isprintable():
                return Refusal(garbage(self._exchange.server, "an unusable session id"), 400)
            headers[SESSION_HEADER] = session
        ready = notification("notifications/initialized", {})
        status = await self._exchange.tell("POST", ready, headers)
        if not 200 <= status < 300:
            text = f"server {self._exchange.server!r} refused notifications/initialized (HTTP {status})"
            return Refusal(Failure(cause="refused", text=text, sent=True), status or 502)
        self._headers = headers
        return None

    def _hear(self, message: Message) -> None:
        if message.get("method") == "notifications/tools/list_changed":
            self._on_change()
        answer = reply_to_server(message)
        if answer is not None and self._headers is not None:
            self._spawn(self._exchange.tell("POST", answer, self._headers))

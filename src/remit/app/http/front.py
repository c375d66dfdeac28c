"""The first and the last to see a request: its trace, its log line, and an answer whatever happens.

Laws
* Every answer names its trace (`traceresponse`), and so does the log line about it. The line says
  which room was asked, never the path, a header or a body.
* An error of ours becomes a 500 that says so, and a line with its type and place; its text may hold
  what an agent sent, so it goes nowhere.
* Who is cancelled because the service ends is told (503), where nothing was said to him yet.
"""

import asyncio
import logging
from typing import Final

from starlette.requests import ClientDisconnect

from remit.app.http.root import App, Message, Receive, Scope, Send, answer, send_answer
from remit.facts.trace import FRESH_BYTES, KEY, begun, continued
from remit.pep.fault import fault
from remit.pep.mcp import refusals
from remit.pep.request_context import ACCOUNT, RequestContext
from remit.pep.tally import CallStage, Tally
from remit.ports.system import Clock, Entropy

_LOG: Final = logging.getLogger(__name__)
_HEADER: Final = KEY.encode("ascii")
_METHODS: Final = frozenset({"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"})
_MCP: Final = "/mcp"
_ROOMS: Final = (_MCP, "/api", "/metrics", "/healthz", "/readyz", "/.well-known", "/oauth", "/otlp", "/a")
_QUIET: Final = frozenset({"/metrics", "/healthz", "/readyz"})
_DRAINED: Final = ("service/draining", "the service ended before this was answered")
_FAILED: Final = ("internal", "Remit failed while answering this; see its logs")


class Front:
    """An ASGI application around `app`."""

    def __init__(self, app: App, clock: Clock, entropy: Entropy, tally: Tally) -> None:
        self._tally = tally
        self._app = app
        self._clock = clock
        self._entropy = entropy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP exchange; other scope types are closed unanswered."""
        if scope["type"] != "http":
            return
        start_s = self._clock.monotonic_s()
        account = scope[ACCOUNT] = RequestContext(
            continued(_trace_header(scope), begun(self._entropy.token_bytes(FRESH_BYTES)))
        )
        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if not status:
                status = message["status"]
                if account.trace is not None:
                    value = str(account.trace).encode("ascii")
                    message = {**message, "headers": [*message["headers"], (b"traceresponse", value)]}
            await send(message)

        try:
            await self._app(scope, receive, told)
        except asyncio.CancelledError:
            if not status:
                await _refuse(told, 503, scope, *_DRAINED)
        except ClientDisconnect:
            _LOG.info("a client went away before all of its request was there", extra=_of(account))
        except Exception as error:  # noqa: BLE001 - the last place where it can be answered
            _LOG.error("a request failed on an error of ours", extra={**fault(error), **_of(account)})
            if not status:
                await _refuse(told, 500, scope, *_FAILED)
        finally:
            self._tell(scope, account, status, self._clock.monotonic_s() - start_s)

    def _tell(self, scope: Scope, account: RequestContext, status: int, took_s: float) -> None:
        room = _room(scope["path"])
        method: str = scope["method"]
        if room == "/mcp" and method == "POST":
            self._tally.took(CallStage.TOTAL, took_s)
        level = logging.DEBUG if room in _QUIET else logging.INFO
        if _LOG.isEnabledFor(level):
            method_label = method if method in _METHODS else "other"
            fields = {"room": room, "method": method_label, "status": status, "ms": round(took_s * 1000, 1)}
            _LOG.log(level, "request", extra={**fields, **_of(account)})


async def _refuse(send: Send, status: int, scope: Scope, code: str, text: str) -> None:
    if _room(scope["path"]) == _MCP:
        await send_answer(send, status, refusals.http(f"{code}: {text}", code, text), b"application/json")
    else:
        await answer(send, status, {"error": code, "error_description": text})


def _of(account: RequestContext) -> dict[str, str | None]:
    trace = account.trace
    if trace is None:
        return {"agent": account.agent}
    return {"agent": account.agent, "trace": trace.trace, "span": trace.span, "parent": trace.parent}


def _trace_header(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == _HEADER]
    # Two of them are two callers: neither is believed (section 3.2.1).
    return values[0].decode("latin-1").strip(" \t") if len(values) == 1 else None


def _room(path: str) -> str:
    return next((room for room in _ROOMS if path == room or path.startswith(f"{room}/")), "other")

"""The one ASGI application of the service: who may speak to it, and which room answers.

Host and Origin are checked even on loopback, against DNS rebinding (a page in a browser must
not reach the service through a name it controls). The control API is imported once the socket
listens, so that enforcement does not wait for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

import orjson

from remit.pep.mcp.app import McpApp

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

Scrape: TypeAlias = Callable[[], Awaitable[bytes]]

_API_WAIT_S: Final = 60.0
"""How long a request waits for the control API: a busy machine takes many times the second that it is loaded in."""
_LOADING: Final = {
    "title": "the control API is still loading",
    "why": "the service governs already, and its machine is slow or busy",
    "next": "ask again in a minute: remit doctor",
}
_METRICS_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class PathHandler(Protocol):
    """What answers some paths by itself."""

    def serves(self, path: str) -> bool:
        """Whether `path` is one of them."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ...


class Root:
    """Dispatches by path.

    `ready` says whether the service is able to govern, and why not. `metrics` makes what gives the
    text of `/metrics`; it is called in a thread, once somebody asks.
    """

    def __init__(
        self,
        *,
        edge: McpApp,
        api: "asyncio.Future[App]",
        rooms: Sequence[PathHandler],
        hosts: frozenset[str],
        origins: frozenset[str],
        ready: Callable[[], str | None],
        metrics: Callable[[], Scrape],
    ) -> None:
        self._edge = edge
        self._api = api
        self._rooms = rooms
        self._hosts = hosts
        self._origins = origins
        self._ready = ready
        self._metrics = metrics
        self._scrape: Scrape | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP exchange; other scope types are closed unanswered."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if self._edge.serves(path):
            # It checks Host and Origin itself: its answer is the protocol's.
            await self._edge(scope, receive, send)
        elif (refused := self._stranger(scope)) is not None:
            await answer(send, 403, {"title": "refused", "why": refused})
        elif path.startswith(("/api/", "/a/")):
            await self._control(scope, receive, send)
        elif (room := next((room for room in self._rooms if room.serves(path)), None)) is not None:
            await room(scope, receive, send)
        elif path == "/healthz":
            await answer(send, 200, {"status": "alive"})
        elif path == "/readyz":
            why = self._ready()
            await answer(send, 200 if why is None else 503, {"status": why or "ready"})
        elif path == "/metrics" and scope["method"] == "GET":
            if self._scrape is None:
                self._scrape = await asyncio.to_thread(self._metrics)
            await send_answer(send, 200, await self._scrape(), _METRICS_TYPE)
        elif _is_browser(scope):
            # Late: it is asked for by people alone, and a start waits for nothing that it can do without.
            from remit.api.page.front_page import send_front_page

            await send_front_page(send, path)
        else:
            await answer(send, 404, {"title": "no such page", "next": "see /readyz or /mcp; people: /a/"})

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            api = await asyncio.wait_for(asyncio.shield(self._api), _API_WAIT_S)
        except TimeoutError:
            await answer(send, 503, dict(_LOADING))
            return
        await api(scope, receive, send)

    def _stranger(self, scope: Scope) -> str | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or hosts[0].decode("latin-1").lower() not in self._hosts:
            return "this Host is not served here (see remit up --allow-host)"
        for name, value in scope["headers"]:
            if name == b"origin" and value.decode("latin-1").lower() not in self._origins:
                return "this Origin may not speak to the service"
        return None


def _is_browser(scope: Scope) -> bool:
    """Whether a person's browser asks: a program takes anything, or JSON."""
    if scope["method"] not in {"GET", "HEAD"}:
        return False
    return any(name == b"accept" and b"text/html" in value.lower() for name, value in scope["headers"])


async def answer(send: Send, status: int, body: MutableMapping[str, Any]) -> None:
    """Send `body` as a small JSON answer."""
    await send_answer(send, status, orjson.dumps(body), b"application/json")


async def send_answer(send: Send, status: int, data: bytes, content_type: bytes) -> None:
    """Send `data`, which nobody may keep."""
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(data)).encode("ascii")),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})

"""An HTTP server of either era in the test's own loop, which says in a call what a test tells it to.

Everything else (`initialize`, `server/discover`, subscriptions, notifications) it answers by itself.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from remit.adapters.upstreams.exchange import open_http_session
from remit.adapters.upstreams.http import HttpUpstream
from remit.facts.catalog import Http, Server
from remit.facts.limits import DEFAULT
from tests.eventually import eventually
from tests.upstreams.rig import ManualClock

Json = Any
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Say:
    """One event stream that the server writes to."""

    response: web.StreamResponse

    async def __call__(self, *messages: Json, ident: str | None = None) -> None:
        """Events in one write; the last one has the id."""
        lines = [f"data: {json.dumps(message)}\n\n" for message in messages]
        if ident is not None:
            lines[-1] = f"retry: 10\nid: {ident}\n{lines[-1]}"
        await self.response.write("".join(lines).encode())


@dataclass
class Scripted:
    """`call` acts on a request, `standing` on a GET with the `Last-Event-ID` that it came with."""

    call: Callable[["Scripted", Json, Say], Awaitable[None]]
    standing: Callable[["Scripted", str | None, Say], Awaitable[None]] | None = None
    modern: bool = False
    capabilities: dict[str, Any] = field(default_factory=dict[str, Any])
    received: list[Json] = field(default_factory=list[Any])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    gets: list[str | None] = field(default_factory=list[str | None])
    forgotten: bool = False
    pongs: bool = False
    """Whether pings are answered as such; else `call` acts on them."""
    _responses: dict[Any, asyncio.Future[Json]] = field(default_factory=dict[Any, asyncio.Future[Any]])

    async def answered(self, ident: Any) -> Json:
        """What the client answers to the server's request `ident`."""
        return await self._responses.setdefault(ident, asyncio.get_running_loop().create_future())

    def messages(self, method: str) -> list[Json]:
        """What was received of `method`, in order."""
        return [message for message in self.received if message.get("method") == method]

    async def until(self, method: str, times: int = 1) -> list[Json]:
        """The messages of `method`, once there are `times`."""
        await eventually(lambda: len(self.messages(method)) >= times)
        return self.messages(method)

    async def post(self, request: web.Request) -> web.StreamResponse:
        message: Json = await request.json()
        self.received.append(message)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        method, ident = message.get("method"), message.get("id")
        if method is None:
            self._responses.setdefault(ident, asyncio.get_running_loop().create_future()).set_result(message)
        if method is None or ident is None:
            return web.Response(status=202)
        if self.forgotten:
            return web.Response(status=404)
        if (reply := self._greeting(message)) is not None:
            return web.json_response(reply, headers={"Mcp-Session-Id": "s"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await self.call(self, message, Say(response))
        return response

    async def get(self, request: web.Request) -> web.StreamResponse:
        self.gets.append(request.headers.get("Last-Event-ID"))
        if self.standing is None or self.forgotten:
            return web.Response(status=404 if self.forgotten else 405)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await self.standing(self, self.gets[-1], Say(response))
        return response

    def _greeting(self, message: Json) -> Json | None:
        told = {"capabilities": self.capabilities, "serverInfo": {"name": "scripted", "version": "1"}}
        match message["method"]:
            case "initialize" if not self.modern:
                return result(message, told | {"protocolVersion": "2025-11-25"})
            case "server/discover" if self.modern:
                return result(message, told | {"supportedVersions": ["2026-07-28"], "resultType": "complete"})
            case "initialize" | "server/discover":
                return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}
            case "ping" if self.pongs:
                return result(message, {})
            case "resources/subscribe" | "resources/unsubscribe" | "logging/setLevel":
                return result(message, {})
            case _:
                return None


def result(message: Json, value: Json) -> Json:
    """The answer to `message`."""
    return {"jsonrpc": "2.0", "id": message["id"], "result": value}


def text(message: Json, said: str) -> Json:
    """A tool result that says so."""
    return result(message, {"content": [{"type": "text", "text": said}]})


def told(method: str, **params: Any) -> Json:
    """A notification."""
    return {"jsonrpc": "2.0", "method": method, "params": params}


def asked(ident: Any, method: str = "elicitation/create", **params: Any) -> Json:
    """A request of the server's."""
    return {"jsonrpc": "2.0", "id": ident, "method": method, "params": params}


@asynccontextmanager
async def upstream_of(
    server: Scripted,
    call_s: float = 20.0,
    *,
    verify_s: float = 1.0,
    post: Handler | None = None,
    get: Handler | None = None,
) -> AsyncGenerator[HttpUpstream]:
    """An upstream to the running `server`, whose POST and GET another handler may stand before."""
    app = web.Application()
    app.router.add_post("/mcp", post or server.post)
    app.router.add_get("/mcp", get or server.get)
    app.router.add_delete("/mcp", _gone)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    declared = Server("scripted", Http(address), verify_s=verify_s, call_s=call_s)
    try:
        async with open_http_session() as session:
            upstream = HttpUpstream(declared, session, DEFAULT, ManualClock())
            try:
                yield upstream
            finally:
                await upstream.close()
    finally:
        await runner.cleanup()


async def _gone(_: web.Request) -> web.Response:
    return web.Response(status=200)

"""MCP of 2025-03-26 to 2025-11-25: connections opened by `initialize`, answers as event streams.

A disconnect is no cancellation in this era: the call goes on and its outcome is recorded;
`notifications/cancelled` ends it. JSON-RPC errors travel as HTTP 200.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import orjson

from remit.facts.canonical import Json
from remit.pep.driver import Driver
from remit.pep.gate import Gate
from remit.pep.mcp import rpc
from remit.pep.mcp.connections import Connection, Connections, Crowded
from remit.pep.mcp.envelope import Malformed, Notification, Request, ToolCall, tool_call
from remit.pep.mcp.exchange import COMMENT, KEEPALIVE_S, Exchange
from remit.pep.mcp.post import Post, called, tools_of, unknown_method
from remit.pep.mcp.wire import STREAM, Receive, answer
from remit.ports.upstream import Era

VERSIONS: Final = ("2025-03-26", "2025-06-18", "2025-11-25")
SESSION: Final = b"mcp-session-id"
_NO_CONNECTION: Final = "unknown or ended mcp-session-id: initialize again"


class Handshake:
    """Answers this era's requests through `driver`."""

    def __init__(self, driver: Driver, connections: Connections, gate: Gate) -> None:
        self._driver = driver
        self._connections = connections
        self._gate = gate

    async def handle(self, post: Post, message: Request | Notification) -> None:
        """Answer one POSTed message."""
        if isinstance(message, Request) and message.method == "initialize":
            await self._initialize(post, message)
            return
        connection = await self._connection(post)
        if connection is None:
            return
        match message:
            case Notification("notifications/cancelled", params):
                ident = params.get("requestId")
                if isinstance(ident, (str, int)):
                    connection.cancel(ident)
                await answer(post.send, 202)
            case Notification():
                await answer(post.send, 202)
            case Request():
                await self._dispatch(post, connection, message)

    async def listen(self, post: Post) -> None:
        """Keep the standing stream of a GET open until somebody ends it. It carries nothing."""
        connection = await self._connection(post)
        if connection is None:
            return
        if not post.may_stream:
            await _refuse(post, 406, "this stream is text/event-stream only")
            return
        if connection.streaming:
            await _refuse(post, 409, "this session has a standing stream already")
            return
        with self._gate.stream(post.authority.acting.agent) as closing:
            connection.streaming = True
            try:
                await self._stream(post, connection, closing)
            finally:
                connection.streaming = False

    async def delete(self, post: Post) -> None:
        """End a connection."""
        connection = await self._connection(post)
        if connection is not None:
            self._connections.close(connection)
            await answer(post.send, 204)

    async def _initialize(self, post: Post, request: Request) -> None:
        wanted = request.params.get("protocolVersion")
        if not isinstance(wanted, str):
            text = "params.protocolVersion must be a string"
            await answer(post.send, 200, rpc.error(request.ident, rpc.INVALID_PARAMS, text))
            return
        version = wanted if wanted in VERSIONS else VERSIONS[-1]
        try:
            made = self._connections.open(post.authority, post.server, version)
        except Crowded:
            await _refuse(post, 503, "too many open connections: end one and try again")
            return
        value: Mapping[str, Json] = {
            "protocolVersion": version,
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": rpc.SERVER_INFO,
        }
        await self._say(post, rpc.result(request.ident, orjson.dumps(value)), made)

    async def _dispatch(self, post: Post, connection: Connection, request: Request) -> None:
        match request.method:
            case "tools/call":
                call = tool_call(request)
                if isinstance(call, Malformed):
                    body = rpc.error(request.ident, call.code, call.text)
                elif request.ident in connection.running:
                    text = "a request with this id is in flight"
                    body = rpc.error(request.ident, rpc.INVALID_REQUEST, text)
                else:
                    exchange = Exchange(post.send, may_stream=post.may_stream, prefer_stream=True)
                    await exchange.run(self._call(post, connection, request, call), None)
                    return
            case "tools/list":
                tools = tools_of(self._driver, post)
                body = rpc.result(request.ident, b'{"tools":' + tools + b"}")
            case "ping":
                body = rpc.result(request.ident, b"{}")
            case method:
                body = rpc.error(request.ident, rpc.METHOD_NOT_FOUND, unknown_method(method))
        await self._say(post, body)

    async def _call(self, post: Post, connection: Connection, request: Request, call: ToolCall) -> bytes:
        task = asyncio.current_task()
        assert task is not None, "a request is answered inside a task"  # noqa: S101
        ident = request.ident
        connection.running[ident] = task
        try:
            return rpc.result(ident, await called(self._driver, post, Era.INITIALIZE, call))
        except asyncio.CancelledError:
            if ident not in connection.cancelled:
                raise
            task.uncancel()
            return rpc.error(ident, rpc.REQUEST_CANCELLED, "the request was cancelled")
        finally:
            connection.running.pop(ident, None)
            connection.cancelled.discard(ident)

    async def _connection(self, post: Post) -> Connection | None:
        """The connection that `post` names; answers it and returns None when there is none."""
        version = post.head.text(b"mcp-protocol-version")
        if version is not None and version not in VERSIONS:
            text = f"unsupported mcp-protocol-version; served: {', '.join(VERSIONS)}"
            await _refuse(post, 400, text)
            return None
        named = post.head.text(SESSION)
        if named is None:
            await _refuse(post, 400, "the mcp-session-id header is missing: initialize first")
            return None
        found = self._connections.find(named, post.authority, post.server)
        if found is None:
            await _refuse(post, 404, _NO_CONNECTION)
        return found

    async def _say(self, post: Post, body: bytes, opened: Connection | None = None) -> None:
        extra = () if opened is None else ((SESSION, opened.ident.encode("ascii")),)
        if not post.may_stream:
            await answer(post.send, 200, body, *extra)
            return
        start = {"type": "http.response.start", "status": 200, "headers": [*STREAM, *extra]}
        await post.send(start)
        await post.send({"type": "http.response.body", "body": rpc.event(body)})

    async def _stream(self, post: Post, connection: Connection, closing: asyncio.Event) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": [*STREAM]}
        await post.send(start)
        gone = asyncio.ensure_future(_left(post.receive))
        closed = asyncio.ensure_future(connection.closed.wait())
        ending = asyncio.ensure_future(closing.wait())
        try:
            # A revoked or expired token loses its stream at the next comment, like its calls.
            while not self._driver.stopped(post.authority):
                comment = {"type": "http.response.body", "body": COMMENT, "more_body": True}
                await post.send(comment)
                done, _ = await asyncio.wait(
                    {gone, closed, ending}, timeout=KEEPALIVE_S, return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    break
        finally:
            gone.cancel()
            closed.cancel()
            ending.cancel()
        await post.send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(post: Post, status: int, text: str) -> None:
    await answer(post.send, status, rpc.error(None, rpc.INVALID_REQUEST, text))

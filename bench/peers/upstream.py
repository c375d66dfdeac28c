"""A minimal but real MCP server of 2026-07-28 in raw ASGI: one tool that says its text again.

`python -m bench.peers.upstream PORT`. It checks what the protocol makes it check and computes nothing, so that a
call through a gateway measures the gateway.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import orjson
import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

VERSION: Final = "2026-07-28"
TOOL: Final = {
    "name": "echo",
    "description": "Say it again.",
    "inputSchema": {
        "type": "object",
        "properties": {"text": {"type": "string"}, "times": {"type": "integer"}},
        "required": ["text"],
    },
}
INFO: Final = {"io.modelcontextprotocol/serverInfo": {"name": "echo", "version": "1"}}
KEYS: Final = ("io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities")


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer one POST."""
    if scope["method"] != "POST":
        await answer(send, 405, b"")
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    request = orjson.loads(body)
    params = request.get("params", {})
    headers = dict(scope["headers"])
    meta = params.get("_meta", {})
    agrees = headers.get(b"mcp-method", b"").decode() == request["method"] and meta.get(KEYS[0]) == VERSION
    if not agrees or KEYS[1] not in meta or headers.get(b"mcp-protocol-version") != VERSION.encode():
        await error(send, request.get("id"), -32020, "headers and body differ", 400)
        return
    result: dict[str, Any] = {"resultType": "complete", "_meta": INFO}
    match request["method"]:
        case "tools/call" if params["name"] == TOOL["name"]:
            result["content"] = [{"type": "text", "text": said(**params["arguments"])}]
        case "tools/list":
            result |= {"tools": [TOOL], "ttlMs": 0, "cacheScope": "private"}
        case "server/discover":
            result |= {"supportedVersions": [VERSION], "capabilities": {"tools": {}}}
            result |= {"ttlMs": 0, "cacheScope": "private"}
        case _:
            await error(send, request.get("id"), -32601, "no such method", 404)
            return
    await answer(send, 200, orjson.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}))


def said(text: str, times: int = 1) -> str:
    """`text`; where it is wanted more often, each time with its number."""
    return text if times == 1 else " ".join(f"{text}{number}" for number in range(times))


async def error(send: Any, ident: object, code: int, text: str, status: int) -> None:
    """One JSON-RPC error."""
    body = {"jsonrpc": "2.0", "id": ident, "error": {"code": code, "message": text}}
    await answer(send, status, orjson.dumps(body))


async def answer(send: Any, status: int, body: bytes) -> None:
    """One response."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False, lifespan="off")

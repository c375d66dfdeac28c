"""A server that speaks one era only: an ASGI application of both eras, and a gate before it.

`python -m proof.conformance.one_era ERA PORT` is the SDK's example server behind that gate. What does not belong to the
era is refused as servers refuse that never knew of it: of the era with a handshake, HTTP 400 and a JSON-RPC error of no
request; of the stateless one, -32022 with what is served, and no GET or DELETE.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from proof.conformance.runs import MODERN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Send = Callable[[Mapping[str, Any]], Awaitable[None]]
    App = Callable[[Any, Any, Any], Awaitable[None]]

VERSION: Final = b"mcp-protocol-version"
UNSUPPORTED: Final = -32022
INVALID: Final = -32600
RETRY_MS: Final = 100


def one_era(app: App, era: str) -> App:
    """Return `app` behind the gate of `era`."""

    async def gate(scope: Any, receive: Any, send: Send) -> None:
        if scope["type"] != "http" or belongs(scope, era):
            await app(scope, receive, send)
        elif era != MODERN:
            error: dict[str, Any] = {"code": INVALID, "message": "Bad Request: Missing session ID"}
            await _answer(send, 400, {"jsonrpc": "2.0", "id": "server-error", "error": error})
        elif scope["method"] != "POST":
            await _answer(send, 405, None)
        else:
            asked = dict(scope["headers"]).get(VERSION, b"").decode("latin-1")
            error = {"code": UNSUPPORTED, "message": "Unsupported protocol version"}
            error["data"] = {"supported": [MODERN], "requested": asked}
            await _answer(send, 400, {"jsonrpc": "2.0", "id": None, "error": error})

    return gate


def belongs(scope: Any, era: str) -> bool:
    """Whether a request is of `era`, which its version header alone decides."""
    is_modern = dict(scope["headers"]).get(VERSION) == MODERN.encode()
    return is_modern == (era == MODERN)


async def _answer(send: Send, status: int, body: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if body is None else json.dumps(body).encode()})


def main(era: str, port: int) -> None:
    """Serve the example server in one era until ended."""
    import importlib

    example: Any = importlib.import_module("mcp_everything_server.server")
    app = example.mcp.streamable_http_app(event_store=example.event_store, retry_interval=RETRY_MS)
    uvicorn.run(one_era(app, era), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

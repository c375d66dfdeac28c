"""The echo server of `bench.peers.upstream`, which fails at random: `python -m bench.peers.faulty PORT SEED`.

Of a hundred calls some two end in an error, half a one each in a cut-off answer, in something that is no JSON, and
three in a thousand only after up to a second.
"""

from __future__ import annotations

import asyncio
import sys
from random import Random
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from bench.peers.upstream import answer, app

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

JSON: Final = (b"content-type", b"application/json")


class Faulty:
    """An ASGI application; only calls fail, so that the server stays known."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one POST, or fail to."""
        called = (b"mcp-method", b"tools/call") in scope["headers"]
        fate = self._random.random() if called else 1.0
        if fate < 0.02:
            await answer(send, 500, b"no")
        elif fate < 0.025:
            await send({"type": "http.response.start", "status": 200, "headers": [JSON, (b"content-length", b"900")]})
            await send({"type": "http.response.body", "body": b'{"jsonrpc"'})
        elif fate < 0.03:
            await answer(send, 200, b"\xff not json")
        else:
            if fate < 0.033:
                await asyncio.sleep(self._random.random())
            await app(scope, receive, send)


if __name__ == "__main__":
    uvicorn.run(
        Faulty(int(sys.argv[2])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="critical",
        access_log=False,
        lifespan="off",
    )

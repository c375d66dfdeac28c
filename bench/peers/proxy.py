"""The least a gateway in Python can be: uvicorn before, aiohttp behind, every byte passed on and nothing read.

`python -m bench.peers.proxy PORT UPSTREAM_URL`. It is the unit in which Remit's own cost is given.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

HOP: Final = frozenset({b"host", b"content-length", b"connection", b"accept-encoding", b"authorization"})
BACK: Final = frozenset({"content-type"})


class Proxy:
    """Passes each POST to `url` and its answer back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Pass one request on."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        passed = {name.decode(): value.decode() for name, value in scope["headers"] if name not in HOP}
        async with self._session.post(self._url, data=body, headers=passed) as response:
            data = await response.read()
            back = [(k.encode(), v.encode()) for k, v in response.headers.items() if k.lower() in BACK]
        back.append((b"content-length", b"%d" % len(data)))
        await send({"type": "http.response.start", "status": response.status, "headers": back})
        await send({"type": "http.response.body", "body": data})


if __name__ == "__main__":
    uvicorn.run(
        Proxy(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False, lifespan="off"
    )

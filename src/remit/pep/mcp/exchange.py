"""One answer that may take long: kept alive while it does, cancelled when nobody waits for it.

An answer that is ready soon is one JSON response (or one event, where the era expects a stream).
One that is not becomes an event stream whose comments keep proxies from closing it.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final

from remit.pep.mcp import rpc
from remit.pep.mcp.wire import STREAM, Header, Receive, Send, answer

KEEPALIVE_S: Final = 15.0
COMMENT: Final = b": waiting\n\n"


class Exchange:
    """The response to one POST.

    `may_stream`: the client takes an event stream. `prefer_stream`: answer as one even when
    ready soon. `cancel_on_leave`: closing the connection cancels the work (2026-07-28; in the
    earlier era a disconnect is no cancellation).
    """

    __slots__ = ("_extra", "_left", "_may_stream", "_pings", "_prefer_stream", "_send", "_started")

    def __init__(self, send: Send, *extra: Header, may_stream: bool, prefer_stream: bool = False) -> None:
        self._send = send
        self._extra = extra
        self._may_stream = may_stream
        self._prefer_stream = prefer_stream and may_stream
        self._started = False
        self._left = False
        self._pings: asyncio.Task[None] | None = None

    async def run(self, work: Coroutine[Any, Any, bytes], leave: Receive | None) -> None:
        """Answer with what `work` returns: the body of a JSON-RPC response.

        With `leave`, the ASGI channel that reports a disconnect, a client that goes away
        cancels `work`. A cancellation from elsewhere passes through.
        """
        loop = asyncio.get_running_loop()
        me = asyncio.current_task()
        watch = loop.create_task(self._watch(leave, me)) if leave and me else None
        timer = loop.call_later(KEEPALIVE_S, self._keep_alive) if self._may_stream else None
        try:
            body = await work
        except asyncio.CancelledError:
            if not self._left or me is None:
                raise
            me.uncancel()
            return
        finally:
            if timer is not None:
                timer.cancel()
            if watch is not None:
                watch.cancel()
            if self._pings is not None:
                self._pings.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._pings
        await self._finish(body)

    async def _finish(self, body: bytes) -> None:
        if self._started or self._prefer_stream:
            await self._start()
            await self._send({"type": "http.response.body", "body": rpc.event(body)})
        else:
            await answer(self._send, 200, body, *self._extra)

    async def _start(self) -> None:
        if not self._started:
            await self._send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [*STREAM, *self._extra],
                }
            )
            self._started = True

    def _keep_alive(self) -> None:
        self._pings = asyncio.get_running_loop().create_task(self._ping())

    async def _ping(self) -> None:
        await self._start()
        while True:
            await self._send({"type": "http.response.body", "body": COMMENT, "more_body": True})
            await asyncio.sleep(KEEPALIVE_S)

    async def _watch(self, leave: Receive, work: "asyncio.Task[Any]") -> None:
        while (await leave())["type"] != "http.disconnect":
            pass
        self._left = True
        work.cancel()

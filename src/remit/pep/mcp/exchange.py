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
ATTEND_S: Final = 0.02
"""Until when an answer is simply awaited: most are ready, and what watches over it is not free."""
COMMENT: Final = b": waiting\n\n"


class Exchange:
    """The response to one POST.

    `may_stream`: the client takes an event stream. `prefer_stream`: answer as one even when
    ready soon.
    """

    __slots__ = ("_extra", "_left", "_may_stream", "_prefer_stream", "_send", "_started", "_tasks")

    def __init__(self, send: Send, *extra: Header, may_stream: bool, prefer_stream: bool = False) -> None:
        self._send = send
        self._extra = extra
        self._may_stream = may_stream
        self._prefer_stream = prefer_stream and may_stream
        self._started = False
        self._left = False
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, work: Coroutine[Any, Any, bytes], leave: Receive | None) -> None:
        """Answer with what `work` returns: the body of a JSON-RPC response.

        With `leave`, the ASGI channel that reports a disconnect, a client that goes away
        cancels `work` (2026-07-28; in the earlier era a disconnect is no cancellation). A
        cancellation from elsewhere passes through.
        """
        me = asyncio.current_task()
        timer = asyncio.get_running_loop().call_later(ATTEND_S, self._attend, leave, me)
        try:
            body = await work
        except asyncio.CancelledError:
            if not self._left or me is None:
                raise
            me.uncancel()
            return
        finally:
            timer.cancel()
            for task in self._tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await self._finish(body)

    def _attend(self, leave: Receive | None, work: "asyncio.Task[Any] | None") -> None:
        loop = asyncio.get_running_loop()
        if leave is not None and work is not None:
            self._tasks.append(loop.create_task(self._watch(leave, work)))
        if self._may_stream:
            self._tasks.append(loop.create_task(self._keep_alive()))

    async def _watch(self, leave: Receive, work: "asyncio.Task[Any]") -> None:
        while (await leave())["type"] != "http.disconnect":
            pass
        self._left = True
        work.cancel()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE_S)
            await self._start()
            await self._send({"type": "http.response.body", "body": COMMENT, "more_body": True})

    async def _start(self) -> None:
        if not self._started:
            head = {"type": "http.response.start", "status": 200, "headers": [*STREAM, *self._extra]}
            await self._send(head)
            self._started = True

    async def _finish(self, body: bytes) -> None:
        if self._started or self._prefer_stream:
            await self._start()
            await self._send({"type": "http.response.body", "body": rpc.event(body)})
        else:
            await answer(self._send, 200, body, *self._extra)

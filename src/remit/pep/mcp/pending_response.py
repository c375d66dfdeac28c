"""One answer that may take long: told of meanwhile, kept alive, cancelled when nobody waits for it.

An answer that is ready soon is one JSON response (or one event, where the era expects a stream).
One that is not, or before which something is said, becomes an event stream whose comments keep proxies
from closing it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from remit.pep.mcp import rpc
from remit.pep.mcp.asgi import STREAM, Header, Receive, Send, answer, disconnected, finish
from remit.pep.mcp.replay import Stream

KEEPALIVE_S: Final = 15.0
ATTEND_S: Final = 0.1
"""Until when an answer is simply awaited: most are ready, and what watches over it costs a busy service more with each
that waits. From then on it can be come back for, which takes a write."""
COMMENT: Final = b": waiting\n\n"


@dataclass(frozen=True, slots=True)
class ReplyBody:
    """The body of an answer, a JSON-RPC response, and its HTTP status while no stream has begun."""

    body: bytes
    status: int = 200


@dataclass(frozen=True, slots=True)
class Resumable:
    """How a stream is made that outlives its connection. `primed`: it opens with an id to come back with."""

    open: Callable[[], Stream]
    close: Callable[[Stream], None]
    primed: bool


class PendingResponse:
    """The response to one POST.

    `may_stream`: the client takes an event stream. `prefer_stream`: answer as one even when ready soon.
    `resumable`: what is said is kept for a client that comes back.
    """

    __slots__ = (
        "_disconnected",
        "_extra",
        "_over",
        "_prefer_stream",
        "_resumable",
        "_send",
        "_started",
        "_starting",
        "_stream",
        "_tasks",
        "may_stream",
    )

    def __init__(
        self,
        send: Send,
        *extra: Header,
        may_stream: bool,
        prefer_stream: bool = False,
        resumable: Resumable | None = None,
    ) -> None:
        self.may_stream = may_stream
        self._send = send
        self._extra = extra
        self._prefer_stream = prefer_stream and may_stream
        self._resumable = resumable
        self._stream: Stream | None = None
        self._started = False
        self._starting: asyncio.Lock | None = None
        self._over = False
        self._disconnected = False
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, work: Coroutine[Any, Any, ReplyBody], leave: Receive | None) -> None:
        """Answer with what `work` returns.

        With `leave`, the ASGI channel that reports a disconnect, a client that goes away cancels `work`
        (2026-07-28; in the earlier era a disconnect is no cancellation). A cancellation from elsewhere
        passes through.
        """
        try:
            reply = await self._attended(work, leave)
            if reply is not None:
                await self._finish(reply)
        finally:
            if self._stream is not None and self._resumable is not None:
                self._resumable.close(self._stream)

    async def say(self, body: bytes) -> None:
        """Send `body`, a JSON-RPC message, ahead of the answer; dropped where there is no stream for it."""
        if self._over or not self.may_stream:
            return
        await self._start()
        await self._event(body, more=True)

    async def abandoned(self, leave: Receive) -> None:
        """Return once its client has gone, and nobody came back for what is said: for who has to be there to answer."""
        await disconnected(leave)
        if self._stream is not None:
            self._stream.leave(self)
            await self._stream.abandoned()

    async def _attended(self, work: Coroutine[Any, Any, ReplyBody], leave: Receive | None) -> ReplyBody | None:
        me = asyncio.current_task()
        timer = asyncio.get_running_loop().call_later(ATTEND_S, self._attend, leave, me)
        try:
            return await work
        except asyncio.CancelledError:
            if not self._disconnected or me is None:
                raise
            me.uncancel()
            return None
        finally:
            timer.cancel()
            self._over = True
            for task in self._tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def _attend(self, leave: Receive | None, work: "asyncio.Task[Any] | None") -> None:
        loop = asyncio.get_running_loop()
        if leave is not None and work is not None:
            self._tasks.append(loop.create_task(self._watch(leave, work)))
        if self.may_stream:
            self._tasks.append(loop.create_task(self._keep_alive()))

    async def _watch(self, leave: Receive, work: "asyncio.Task[Any]") -> None:
        await disconnected(leave)
        self._disconnected = True
        work.cancel()

    async def _keep_alive(self) -> None:
        if self._resumable is not None and self._resumable.primed:
            await self._start()
        while True:
            await asyncio.sleep(KEEPALIVE_S)
            await self._start()
            await self._write(COMMENT, more=True)

    async def _start(self) -> None:
        if self._started:
            return
        self._starting = self._starting or asyncio.Lock()
        async with self._starting:
            if self._started:
                return
            if self._resumable is not None and self._stream is None:
                self._stream = self._resumable.open()
                self._stream.take(self)
            # A client that does not read holds this up, and whoever is cancelled meanwhile has begun nothing.
            await self._send({"type": "http.response.start", "status": 200, "headers": [*STREAM, *self._extra]})
            self._started = True
            if self._stream is not None and self._resumable is not None and self._resumable.primed:
                await self._write(self._stream.opening(), more=True)

    async def _event(self, body: bytes, *, more: bool) -> None:
        await self._write(rpc.event(body) if self._stream is None else self._stream.add(body), more=more)

    async def _write(self, data: bytes, *, more: bool) -> None:
        if self._stream is not None and self._stream.reader is not self:
            # Somebody came back for this stream; this connection has nothing more to say.
            data = b""
        if not more:
            await finish(self._send, data)
        elif data:
            # In one: what keeps the stream alive may be written in between.
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _finish(self, reply: ReplyBody) -> None:
        if not self._started and not self._prefer_stream:
            await answer(self._send, reply.status, reply.body, *self._extra)
            return
        if not self._started and self._stream is None:
            # Nobody was given an id to come back with.
            self._resumable = None
        await self._start()
        await self._event(reply.body, more=False)

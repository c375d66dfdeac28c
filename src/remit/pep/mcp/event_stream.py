"""An event stream that stands until somebody ends it: the client, the service, or what it is about.

Law: a stream is no way round anything. Who was stopped, or whose token is revoked or expired, is told nothing more on
it, and loses it at the next event or comment.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from remit.pep.mcp.asgi import STREAM, disconnected
from remit.pep.mcp.pending_response import COMMENT, KEEPALIVE_S
from remit.pep.mcp.post import Post
from remit.pep.mcp.replay import Stream

_NOTHING: Final = b""


class EventSource(Protocol):
    """What a stream carries; `changed` is set when there is something to take, or nothing any more."""

    changed: asyncio.Event

    def take(self) -> bytes:
        """The events that are ready, as they are sent; each is given once."""
        ...

    @property
    def done(self) -> bool:
        """Whether nothing follows what was taken."""
        ...


@dataclass(frozen=True, slots=True)
class Ends:
    """What ends a stream: `closing` and `closed` once they are set, and a token that is `stopped`."""

    closing: asyncio.Event
    closed: asyncio.Event
    stopped: Callable[[], bool]


class Replayed:
    """The rest of a stream that was taken up again after the event of `number`."""

    def __init__(self, stream: Stream, number: int) -> None:
        self.changed = stream.changed
        self._stream = stream
        self._number = number
        self._is_lost = False
        stream.take(self)

    def take(self) -> bytes:
        """The events since."""
        events = self._stream.after(self._number)
        if events is None:
            self._is_lost = True
            return _NOTHING
        self._number += len(events)
        return b"".join(events)

    @property
    def done(self) -> bool:
        """Whether the stream has ended, somebody else took it, or it ran ahead of this reader."""
        return self._is_lost or self._stream.done or self._stream.reader is not self


async def stand(
    post: Post, source: EventSource, ends: Ends, *, opening: bytes = COMMENT, ending: Callable[[], bytes] = bytes
) -> None:
    """Answer `post` with `opening`, then what `source` brings; with `ending` where it is not the client who ends it."""
    await post.send({"type": "http.response.start", "status": 200, "headers": [*STREAM]})
    await _write(post, opening)
    loop = asyncio.get_running_loop()
    tasks = [
        loop.create_task(disconnected(post.receive)),
        loop.create_task(ends.closing.wait()),
        loop.create_task(ends.closed.wait()),
    ]
    for task in tasks:
        task.add_done_callback(lambda _: source.changed.set())
    try:
        while True:
            source.changed.clear()
            data = source.take()
            if data and not ends.stopped():
                await _write(post, data)
            if source.done or any(task.done() for task in tasks) or ends.stopped():
                break
            try:
                async with asyncio.timeout(KEEPALIVE_S):
                    await source.changed.wait()
            except TimeoutError:
                await _write(post, COMMENT)
    finally:
        for task in tasks:
            task.cancel()
    await post.send({"type": "http.response.body", "body": ending()})


async def _write(post: Post, data: bytes) -> None:
    await post.send({"type": "http.response.body", "body": data, "more_body": True})

"""Event streams that can be taken up again where they broke off (`Last-Event-ID`, 2025 eras).

Laws
* An event's id names its stream and its place there; a stream belongs to one connection, and the id is
  of no use on another.
* What is kept is bounded per stream, for each agent and for all; what fell out is refused, never skipped in silence.
* Each event goes to one reader: who takes a stream up takes it from whoever had it.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from typing import Final

from remit.pep.mcp import rpc
from remit.ports.system import Entropy

EVENTS_MAX: Final = 256
"""Events kept of one stream: progress of a call that runs for hours must not pile up."""
STREAM_BYTES_MAX: Final = 1024 * 1024
"""The same in bytes; the last event is kept whatever its size."""
LIVE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of all streams that go on; one that grows while it is reached keeps its last event alone."""
KEPT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Events kept of all streams that have ended; a client that wants one back asks within moments."""
KEPT_STREAMS_MAX: Final = 4_096
AGENT_SHARE: Final = 4
"""Of each of these one agent takes a quarter at most."""
RETRY_MS: Final = 500
"""How long a client is told to wait before it comes back."""
AWAY_S: Final = 10.0
"""How long one that was asked something may be away: clients come back within moments, or not at all."""


class Live:
    """The bytes that streams hold together while they go on, by agent."""

    def __init__(self) -> None:
        self._bytes = Counter[str]()
        self._total = 0

    def grow(self, agent: str, size: int) -> None:
        """Streams of `agent` hold `size` bytes more."""
        self._total += size
        self._bytes[agent] += size
        if not self._bytes[agent]:
            del self._bytes[agent]

    def is_full(self, agent: str) -> bool:
        """Whether they hold more than they may, of `agent` or in all."""
        return self._bytes[agent] > LIVE_BYTES_MAX // AGENT_SHARE or self._total > LIVE_BYTES_MAX


class Stream:
    """The events of one answer, by number from 1; `changed` is set when there are more or no more."""

    __slots__ = (
        *("_events", "_first", "_live", "_read", "_size", "_unread"),
        *("agent", "changed", "done", "ident", "owner", "reader"),
    )

    def __init__(self, ident: str, owner: str, agent: str, live: Live) -> None:
        self.ident = ident
        self.owner = owner
        self.agent = agent
        self.done = False
        self.reader: object = None
        self.changed = asyncio.Event()
        self._read = asyncio.Event()
        self._unread = asyncio.Event()
        self._live = live
        self._events: deque[bytes] = deque()
        self._first = 1
        self._size = 0

    @property
    def size(self) -> int:
        """The bytes kept."""
        return self._size

    @property
    def last(self) -> int:
        """The number of the last event."""
        return self._first + len(self._events) - 1

    def opening(self, number: int = 0) -> bytes:
        """What a stream begins with from 2025-11-25 on: an id to come back with, and when."""
        return b"id: %s.%d\nretry: %d\ndata: \n\n" % (self.ident.encode("ascii"), number, RETRY_MS)

    def add(self, body: bytes) -> bytes:
        """Keep `body` as the next event; the event as it is sent."""
        event = b"id: %s.%d\n%s" % (self.ident.encode("ascii"), self.last + 1, rpc.event(body))
        self._events.append(event)
        self._grow(len(event))
        while len(self._events) > 1 and self._is_full:
            self._grow(-len(self._events.popleft()))
            self._first += 1
        self.changed.set()
        return event

    @property
    def _is_full(self) -> bool:
        too_many = len(self._events) > EVENTS_MAX or self._size > STREAM_BYTES_MAX
        return too_many or self._live.is_full(self.agent)

    def _grow(self, size: int) -> None:
        self._size += size
        self._live.grow(self.agent, size)

    def end(self) -> None:
        """There will be no more events."""
        self.done = True
        self.changed.set()

    def take(self, reader: object) -> None:
        """Make `reader` the one whom events go to."""
        self.reader = reader
        self.changed.set()
        self._unread.clear()
        self._read.set()

    def leave(self, reader: object) -> None:
        """`reader` is there no more; whoever took it since still is."""
        if self.reader is reader:
            self._read.clear()
            self._unread.set()

    async def abandoned(self) -> None:
        """Return once nobody has read it for `AWAY_S`."""
        while True:
            await self._unread.wait()
            try:
                async with asyncio.timeout(AWAY_S):
                    await self._read.wait()
            except TimeoutError:
                return

    def after(self, number: int) -> list[bytes] | None:
        """The events after the one of `number`; None when some of them are kept no more."""
        if not self._first - 1 <= number <= self.last:
            return None
        return list(self._events)[number - self._first + 1 :]


class EndedStreams:
    """The streams of one agent that have ended, the oldest first."""

    def __init__(self) -> None:
        self.streams: OrderedDict[str, Stream] = OrderedDict()
        self.size = 0

    @property
    def oldest(self) -> Stream:
        """The one that ended first."""
        return next(iter(self.streams.values()))

    def add(self, stream: Stream) -> None:
        """Keep one more."""
        self.streams[stream.ident] = stream
        self.size += stream.size

    def remove(self, stream: Stream) -> None:
        """Keep it no more."""
        del self.streams[stream.ident]
        self.size -= stream.size

    def is_above(self, share: int) -> bool:
        """Whether this is more than that part of all that may be kept."""
        return self.size > KEPT_BYTES_MAX // share or len(self.streams) > KEPT_STREAMS_MAX // share


class Replays:
    """The streams of all connections."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._live: dict[str, Stream] = {}
        self._live_bytes = Live()
        self._streams: dict[str, Stream] = {}
        self._kept_of: dict[str, set[str]] = {}
        self._of_agent: dict[str, EndedStreams] = {}

    def open(self, owner: str, agent: str) -> Stream:
        """A new stream of the connection `owner`, which is of `agent`."""
        stream = Stream(self._entropy.token_bytes(12).hex(), owner, agent, self._live_bytes)
        self._live[stream.ident] = stream
        return stream

    def close(self, stream: Stream) -> None:
        """End `stream`; its events are kept for a while."""
        stream.end()
        if self._live.pop(stream.ident, None) is None:
            return
        self._live_bytes.grow(stream.agent, -stream.size)
        self._streams[stream.ident] = stream
        self._kept_of.setdefault(stream.owner, set()).add(stream.ident)
        own = self._of_agent.setdefault(stream.agent, EndedStreams())
        own.add(stream)
        while len(own.streams) > 1 and own.is_above(AGENT_SHARE):
            self._drop(own.oldest)
        while (most := self._too_much()) is not None:
            self._drop(most.oldest)

    def find(self, owner: str, event: str) -> tuple[Stream, int] | None:
        """The stream that `event`, an event's id, is of, and the event's number there."""
        ident, _, number = event.partition(".")
        stream = self._live.get(ident) or self._streams.get(ident)
        if stream is None or stream.owner != owner or not (number.isascii() and number.isdigit()):
            return None
        return (stream, int(number)) if len(number) < 10 and int(number) <= stream.last else None

    def forget(self, owner: str) -> None:
        """The connection `owner` has ended: nobody may come back for its streams."""
        for ident in tuple(self._kept_of.get(owner, ())):
            self._drop(self._streams[ident])

    def _too_much(self) -> "EndedStreams | None":
        """Where all that is kept is too much, what is kept of the agent with the most."""
        agents = self._of_agent.values()
        if len(self._streams) > KEPT_STREAMS_MAX:
            return max(agents, key=lambda entry: len(entry.streams))
        return (
            max(agents, key=lambda entry: entry.size) if sum(entry.size for entry in agents) > KEPT_BYTES_MAX else None
        )

    def _drop(self, stream: Stream) -> None:
        del self._streams[stream.ident]
        of_agent = self._of_agent[stream.agent]
        of_agent.remove(stream)
        if not of_agent.streams:
            del self._of_agent[stream.agent]
        own = self._kept_of[stream.owner]
        own.discard(stream.ident)
        if not own:
            del self._kept_of[stream.owner]

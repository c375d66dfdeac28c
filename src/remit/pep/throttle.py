"""Who may come in now: each agent's rate, what it holds open, and whether the service is ending.

Law: a refusal says which limit and when to come back, and costs less than what it refuses. Limits
are per agent before they are for all, so that one agent cannot shut out the others.
"""

import asyncio
import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, Self, TypeAlias, TypeVar

from remit.facts.bucket import Buckets
from remit.facts.limits import Limits
from remit.facts.strictjson import nodes_most
from remit.ports.system import Clock

Count: TypeAlias = Callable[[str], None]
"""Is told the reason code of every refusal."""
_Who = TypeVar("_Who")

BYTES_A_REQUEST: Final = 4 * 1024
_NODES_A_REQUEST: Final = 32
"""So many bytes, or values, more take as long as one small request."""
_STREAM_RETRY_S: Final = 30
_DRAIN_RETRY_S: Final = 5


class Busy(Exception):
    """Not now: an HTTP `status`, a reason `code`, one sentence, and when to try again."""

    def __init__(self, status: int, code: str, text: str, retry_s: int) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.retry_s = retry_s


class Throttle:
    """One per service. `closing` is set once the service begins to drain: streams end by it."""

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        refused: Count = lambda _code: None,
        closing: asyncio.Event | None = None,
    ) -> None:
        self.limits = limits
        self.closing = closing or asyncio.Event()
        self._clock = clock
        self._refused = refused
        self._buckets = Buckets(limits.requests_per_s_max, limits.requests_burst_max)
        self._requests: dict[str, int] = {}
        self._streams: dict[str, int] = {}
        self._watches: dict[tuple[str, str], int] = {}
        self._bytes_held: dict[str, int] = {}
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Bytes of large answers that are read, judged, or written to their clients."""
        return self._held_bytes

    @property
    def streams(self) -> int:
        """How many standing streams are open."""
        return sum(self._streams.values())

    @property
    def requests(self) -> int:
        """How many requests are being answered, streams among them."""
        return sum(self._requests.values())

    def request(self, agent: str) -> "ThrottledRequest":
        """One request of `agent`, from its first byte to its last: `with` it. Entering raises `Busy`."""
        return ThrottledRequest(self, agent)

    def enter(self, agent: str) -> None:
        """A request of `agent` begins. Raises `Busy`."""
        self._admit(agent)
        self._requests[agent] = self._requests.get(agent, 0) + 1

    def leave(self, agent: str) -> None:
        """It ended."""
        _leave(self._requests, agent)

    @contextmanager
    def stream(self, agent: str) -> Generator[asyncio.Event]:
        """One standing stream of `agent`; gives the event that ends it. Raises `Busy`."""
        limits = self.limits
        open_streams = self._streams.get(agent, 0)
        if open_streams >= limits.streams_per_agent_max:
            text = f"{agent} has {open_streams} streams open (streams_per_agent_max)"
            self._refuse(429, "limit/streams-per-agent", text, _STREAM_RETRY_S)
        if self.streams >= limits.streams_max:
            text = f"{limits.streams_max} streams are open (streams_max)"
            self._refuse(503, "limit/streams", text, _STREAM_RETRY_S)
        self._streams[agent] = open_streams + 1
        try:
            yield self.closing
        finally:
            _leave(self._streams, agent)

    def may_watch(self, agent: str, server: str, *, instead: bool) -> None:
        """Whether `agent` may have one more watch of `server`. Raises `Busy`.

        `instead` of one that ends once the new one is there: of such it may have as many again, and no more, since
        a server may take its time over either.
        """
        limits = self.limits
        most = limits.watches_per_agent_max * (2 if instead else 1)
        if self._watches.get((server, agent), 0) >= most:
            text = f"{agent} watches server {server} for {most} different things (watches_per_agent_max)"
            self._refuse(429, "limit/watches-per-agent", text, _STREAM_RETRY_S)
        if sum(count for (of, _), count in self._watches.items() if of == server) >= limits.watches_max:
            text = f"server {server} is watched {limits.watches_max} times (watches_max)"
            self._refuse(503, "limit/watches", text, _STREAM_RETRY_S)

    def watch(self, agent: str, server: str) -> Callable[[object], None]:
        """A watch of `server` begins for `agent`; call what this gives, with anything, once it has ended."""
        of = server, agent
        self._watches[of] = self._watches.get(of, 0) + 1
        return lambda _: _leave(self._watches, of)

    def hold(self, agent: str, bytes_before: int, size: int) -> bool:
        """Whether a request of `agent`, which holds `bytes_before` bytes, may hold `size` more; they are counted if so.

        What one request holds alone it may, whatever others hold: `result_bytes_max` bounds it.
        """
        limits, own = self.limits, self._bytes_held.get(agent, 0)
        if own > bytes_before and (
            own + size > limits.held_bytes_per_agent_max or self._held_bytes + size > limits.held_bytes_max
        ):
            self._refused("limit/held-bytes")
            return False
        self._bytes_held[agent] = own + size
        self._held_bytes += size
        return True

    def let_go(self, agent: str, size: int) -> None:
        """A request of `agent` holds `size` bytes less."""
        self._held_bytes -= size
        _leave(self._bytes_held, agent, size)

    def charge(self, agent: str, requests: int) -> None:
        """Count what one request of `agent` asks for beside itself as so many more. Raises `Busy`."""
        if requests:
            self._take(agent, requests)

    def weigh(self, agent: str, body: bytes) -> None:
        """Count a large `body` as the requests that reading it costs as much as, before it is read. Raises `Busy`."""
        self.charge(agent, len(body) // BYTES_A_REQUEST)
        self.charge(agent, nodes_most(body) // _NODES_A_REQUEST)

    def _admit(self, agent: str) -> None:
        limits = self.limits
        if self.closing.is_set():
            self._refuse(503, "service/draining", "the service is ending: try again once it runs", _DRAIN_RETRY_S)
        self._take(agent, 1)
        if self._requests.get(agent, 0) >= limits.requests_per_agent_max:
            text = f"{agent} has {limits.requests_per_agent_max} requests unanswered (requests_per_agent_max)"
            self._refuse(429, "limit/requests-per-agent", text, 1)

    def _take(self, agent: str, tokens: int) -> None:
        now_s = self._clock.monotonic_s()
        wait_s = self._buckets.of(agent, now_s).take(now_s, tokens)
        if wait_s:
            text = f"{agent} sends more than {self.limits.requests_per_s_max:g} requests a second (requests_per_s_max)"
            text += ", of which a large one is several" if tokens > 1 else ""
            self._refuse(429, "limit/requests", text, math.ceil(wait_s))

    def _refuse(self, status: int, code: str, text: str, retry_s: int) -> None:
        self._refused(code)
        raise Busy(status, code, text, retry_s)


class ThrottledRequest:
    """One request at the throttle. A class, since a generator would cost each request microseconds more."""

    __slots__ = ("_agent", "_held", "_inside", "_throttle")

    def __init__(self, throttle: Throttle, agent: str) -> None:
        self._throttle = throttle
        self._agent = agent
        self._held = 0
        self._inside = False

    def __enter__(self) -> Self:
        """Come in, or raise `Busy`."""
        self._throttle.enter(self._agent)
        self._inside = True
        return self

    def __exit__(self, *_: object) -> None:
        """Leave, and let go of what it holds."""
        self._inside = False
        self._throttle.leave(self._agent)
        if self._held:
            self._throttle.let_go(self._agent, self._held)

    def hold(self, size: int) -> bool:
        """Whether `size` bytes more of answers may be held for it, until it leaves; what comes later is nobody's."""
        if not self._inside:
            return True
        if not self._throttle.hold(self._agent, self._held, size):
            return False
        self._held += size
        return True


def _leave(counts: dict[_Who, int], who: _Who, number: int = 1) -> None:
    remaining = counts[who] - number
    if remaining:
        counts[who] = remaining
    else:
        del counts[who]

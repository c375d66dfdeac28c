"""What a server's `tools/list` says, parsed defensively and kept no longer than `verify_s`.

One `Listing` per connection: a server may show each its own tools. Under traffic it is refreshed
ahead, so that a call rarely waits; a definition that cannot be used is dropped with its reason and
the rest goes on, which makes the dropped tool `tool/missing`.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from remit.adapters.upstreams.failures import Unusable, closed, timed_out
from remit.adapters.upstreams.frames import ErrorFrame, Outcome
from remit.adapters.upstreams.messages import Ear
from remit.adapters.upstreams.requests import list_request
from remit.adapters.upstreams.wire import Wire
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import Server
from remit.facts.limits import Limits
from remit.facts.tool import Definition
from remit.ports.system import Clock
from remit.ports.upstream import Failure, UpstreamContext

LIST_S: Final = 30.0
NAME_CHARS_MAX: Final = 128
ASIDE_BYTES: Final = 128 * 1024
PAGES_MAX: Final = 200
CURSOR_CHARS_MAX: Final = 4096

FetchPage = Callable[[str | None], Awaitable[tuple[int, Outcome]]]
"""Ask for the page at a cursor; the id that was used and what came back."""


def list_limit_s(server: Server) -> float:
    """How long a reading of the tools may take."""
    return min(LIST_S, server.call_s)


def pages(wire: Wire, context: UpstreamContext) -> FetchPage:
    """The pages of tools that one connection shows to a client as `context` has it."""

    async def page(cursor: str | None) -> tuple[int, Outcome]:
        ear = Ear(context, aside=True)
        outcome = await wire.ask(list_request(cursor), ear)
        return ear.ident, outcome

    return page


class _AbsurdError(ValueError):
    """A definition that cannot be used, and why."""


@dataclass(frozen=True, slots=True)
class Tools:
    """One reading of a server's tools. `dropped`: why a tool is left out, by its name.

    The same object is returned for as long as the server's bytes do not change.
    """

    definitions: tuple[Definition, ...]
    dropped: Mapping[str, str]


class Listing:
    """The tools one connection shows, refreshed by one reading at a time of at most `limit_s`."""

    def __init__(self, server: Server, limits: Limits, clock: Clock, fetch: FetchPage) -> None:
        self._server = server.name
        self._verify_s = server.verify_s
        self._limit_s = list_limit_s(server)
        self._limits = limits
        self._clock = clock
        self._fetch = fetch
        self._tools: Tools | None = None
        self._pages: tuple[tuple[bytes, bytes], ...] | None = None
        self._read_s = float("-inf")
        self._changed_s = float("-inf")
        self._refresh: asyncio.Task[None] | None = None

    @property
    def dropped(self) -> Mapping[str, str]:
        """Why tools were left out of the last reading."""
        return self._tools.dropped if self._tools is not None else {}

    def changed(self) -> None:
        """The server said its list changed: nothing read before now counts."""
        self._changed_s = self._clock.monotonic_s()

    async def tools(self, *, anew: bool = False) -> Tools:
        """A reading whose request left no earlier than `verify_s` ago; `anew`, than now. Raises `Unusable`."""
        arrived_s = self._clock.monotonic_s()
        while True:
            read_s = self._read_s
            fresh = not anew and read_s >= arrived_s - self._verify_s and read_s > self._changed_s
            if self._tools is not None and (fresh or read_s >= arrived_s):
                if arrived_s - read_s > self._verify_s / 2:
                    self._start()
                return self._tools
            await self._join(self._start())

    async def close(self) -> None:
        """Stop a refresh under way."""
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.gather(self._refresh, return_exceptions=True)

    async def _join(self, refresh: asyncio.Task[None]) -> None:
        """Wait for a refresh that others may wait for too; being cancelled does not stop it."""
        try:
            await asyncio.shield(refresh)
        except asyncio.CancelledError:
            if not refresh.cancelled():
                raise
            raise Unusable(closed(self._server)) from None

    def _start(self) -> asyncio.Task[None]:
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._read_in_time())
            self._refresh.add_done_callback(_retrieve_exception)
        return self._refresh

    async def _read_in_time(self) -> None:
        try:
            async with asyncio.timeout(self._limit_s):
                await self._read()
        except TimeoutError:
            raise Unusable(timed_out(self._server, self._limit_s, sent=True)) from None

    async def _read(self) -> None:
        started_s = self._clock.monotonic_s()
        pages: list[tuple[bytes, bytes] | None] = []
        listed: list[Json] = []
        cursor: str | None = None
        cursors: set[str] = set()
        size = 0
        while True:
            ident, outcome = await self._fetch(cursor)
            if isinstance(outcome, ErrorFrame) and outcome.failure.cause == "disconnected":
                ident, outcome = await self._fetch(cursor)  # an idle connection that was just being dropped
            if isinstance(outcome, ErrorFrame):
                raise Unusable(outcome.failure)
            size += len(outcome.raw)
            pages.append(_around_id(outcome.raw, ident))
            tools = outcome.result.get("tools")
            if not isinstance(tools, list):
                raise self._unusable("a tools/list result without a list of tools")
            listed += tools
            cursor = _cursor(outcome.result)
            if cursor is None:
                break
            if cursor in cursors or len(pages) >= PAGES_MAX or len(cursor) > CURSOR_CHARS_MAX:
                raise self._unusable("pages of tools that do not end")
            if len(listed) > self._limits.tools_per_server_max or size > self._limits.result_bytes_max:
                break
            cursors.add(cursor)
        if len(listed) > self._limits.tools_per_server_max:
            raise self._unusable(f"more than {self._limits.tools_per_server_max} tools")
        if size > self._limits.result_bytes_max:
            raise self._unusable(f"more than {self._limits.result_bytes_max} bytes of tools")
        comparable = tuple(page for page in pages if page is not None)
        if self._tools is None or comparable != self._pages or len(comparable) < len(pages):
            if size < ASIDE_BYTES:
                self._tools = read_tools(listed, self._limits)
            else:  # a hostile list may take seconds; the loop must not
                self._tools = await asyncio.to_thread(read_tools, listed, self._limits)
        self._pages = comparable if len(comparable) == len(pages) else None
        self._read_s = started_s

    def _unusable(self, what: str) -> Unusable:
        text = f"server {self._server!r} lists {what}; see: remit describe server {self._server}"
        return Unusable(Failure(cause="garbage", text=text, sent=True))


def read_tools(items: Sequence[Json], limits: Limits) -> Tools:
    """Every usable definition in `items`, in order; of a name that comes twice, none."""
    definitions: list[Definition] = []
    dropped: dict[str, str] = {}
    for place, item in enumerate(items):
        try:
            definitions.append(_definition(item, limits))
        except ValueError as problem:
            name = item.get("name") if isinstance(item, Mapping) else None
            dropped[name[:NAME_CHARS_MAX] if isinstance(name, str) else f"#{place}"] = str(problem)
    for name, times in Counter(definition.name for definition in definitions).items():
        if times > 1:
            dropped[name] = f"listed {times} times"
    return Tools(tuple(one for one in definitions if one.name not in dropped), dropped)


def _definition(item: Json, limits: Limits) -> Definition:
    if not isinstance(item, Mapping):
        raise _AbsurdError("is no object")
    name, description = item.get("name"), item.get("description")
    if not isinstance(name, str) or not name or len(name) > NAME_CHARS_MAX:
        raise _AbsurdError(f"its name is no text of 1 to {NAME_CHARS_MAX} characters")
    if not name.isprintable() or name != name.strip():
        raise _AbsurdError("its name holds invisible characters")
    if not isinstance(description, str | None):
        raise _AbsurdError("its description is no text")
    annotations = _object(item, "annotations")
    schema = _object(item, "inputSchema")
    if schema is None:
        raise _AbsurdError("it has no inputSchema")
    definition = Definition(name, description or "", schema, _object(item, "outputSchema"), annotations or {})
    _check_bounds(definition.to_json(), limits)
    if len(canonical(definition.to_json())) > limits.schema_bytes_max:
        raise _AbsurdError(f"its definition is above {limits.schema_bytes_max} bytes")
    definition.pin()  # hashed here, where a long list costs nobody else's time
    return definition


def _object(item: Mapping[str, Json], key: str) -> Mapping[str, Json] | None:
    value = item.get(key)
    if value is None or isinstance(value, Mapping):
        return value
    raise _AbsurdError(f"its {key} is no object")


def _check_bounds(value: Json, limits: Limits) -> None:
    nodes = 0
    stack: list[tuple[Json, int]] = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        nodes += 1
        if depth > limits.depth_max:
            raise _AbsurdError(f"its definition is nested deeper than {limits.depth_max}")
        if nodes > limits.nodes_max:
            raise _AbsurdError(f"its definition holds more than {limits.nodes_max} values")
        stack.extend((child, depth + 1) for child in _children(item))


def _children(item: Json) -> Iterator[Json]:
    if isinstance(item, Mapping):
        yield from item.values()
    elif isinstance(item, list):
        yield from item


def _cursor(result: Mapping[str, Json]) -> str | None:
    cursor = result.get("nextCursor")
    # Many servers say by an empty text that there is no more.
    return cursor if isinstance(cursor, str) and cursor else None


def _around_id(raw: bytes, ident: int) -> tuple[bytes, bytes] | None:
    """`raw` before and after its id, if that stands there once: equal parts mean equal tools."""
    places = list(re.finditer(rb'"id"\s*:\s*%d(?=\s*[,}])' % ident, raw))
    return (raw[: places[0].start()], raw[places[0].end() :]) if len(places) == 1 else None


def _retrieve_exception(task: asyncio.Task[None]) -> None:
    """Take note of a background failure; whoever waits gets it from the task itself."""
    if not task.cancelled():
        task.exception()

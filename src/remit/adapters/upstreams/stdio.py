"""A tool server as child processes, one per Remit session, or one for all where `shared` says so.

A child gets a scrubbed environment and a folder of its own. Which era it speaks is fixed by the
first message it gets, so falling back to the other takes a clean child.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from remit.adapters.upstreams.child import Child
from remit.adapters.upstreams.failures import Unusable, closed, silent, timed_out
from remit.adapters.upstreams.frames import ErrorFrame
from remit.adapters.upstreams.listings import Listings
from remit.adapters.upstreams.presentation import environment, mask_of
from remit.adapters.upstreams.seat import Seat, prepare
from remit.adapters.upstreams.shared_child import SharedChild
from remit.adapters.upstreams.tool_list import list_limit_s
from remit.adapters.upstreams.transport import HUNG_S, UpstreamTransport, calling, probe
from remit.adapters.upstreams.wire import Wire
from remit.facts.catalog import Server, Stdio
from remit.facts.limits import Limits
from remit.facts.tool import Definition
from remit.ports.credentials import Credentials
from remit.ports.system import Clock
from remit.ports.upstream import NO_CONTEXT, Era, Failure, Reply, ServerHealth, UpstreamContext, looking

START_S: Final = 30.0
"""How long a child may take to its first answer, or `call_s` where that is longer: many install themselves first."""
START_S_MAX: Final = 300.0
IDLE_S: Final = 1800.0
CHILDREN_MAX: Final = 64
_SHARED: Final = ""
_DOWN: Final = frozenset({"unreachable", "died", "stuck", "not_mcp", "silent"})
_Key = tuple[str, bytes]


class StdioUpstream(UpstreamTransport):
    """One server's children. `idle_s`: how long an unused one is kept."""

    def __init__(
        self,
        server: Server,
        limits: Limits,
        clock: Clock,
        state_dir: Path,
        credentials: Credentials | None = None,
        *,
        idle_s: float = IDLE_S,
    ) -> None:
        if not isinstance(server.transport, Stdio) or not server.transport.command:
            raise ValueError(f"server {server.name!r} has no command")
        super().__init__(server, clock)
        self._transport = server.transport
        self._limits = limits
        self._credentials = credentials
        self._home = state_dir / server.name
        self._idle_s = idle_s
        self._start_s = min(max(START_S, server.call_s), START_S_MAX)
        self._seats: dict[_Key, Seat] = {}
        self._speaks: dict[Era, bool] = {}
        self._asides: set[asyncio.Task[None]] = set()
        self._reaper: asyncio.Task[None] | None = None
        self._restarts = 0
        self._strays = 0
        self._stderr = b""
        self._last_error: str | None = None
        self._down: str | None = None
        self._closed = False

    async def definitions(
        self, sid: str, era: Era, context: UpstreamContext = NO_CONTEXT, *, anew: bool = False
    ) -> Sequence[Definition]:
        """See `Upstream.definitions`; the same object while the child's bytes are the same."""
        limit_s = list_limit_s(self._server)
        seat = self._seat(sid, era, context)
        try:
            async with asyncio.timeout(limit_s):
                seat, _ = await self._serving(sid, era, context)
            return await self._tools(seat.listings, context, anew=anew)
        except TimeoutError:
            failure = timed_out(self._server.name, limit_s, sent=True)
        except Unusable as unusable:
            failure = unusable.failure
            if failure.cause == "timeout" and not seat.busy:
                self._drop(seat)
                self._down = failure.cause
        self._note(failure)
        raise Unusable(failure)

    async def end_session(self, sid: str) -> None:
        """See `Upstream.end_session`: its child is ended in the background."""
        for key in [key for key in self._seats if key[0] == sid and not self._server.shared]:
            self._drop(self._seats.pop(key))

    async def close(self) -> None:
        """See `Upstream.close`: every child is over when it returns."""
        self._closed = True
        await self._end_open_calls()
        if self._reaper is not None:
            self._reaper.cancel()
            await asyncio.gather(self._reaper, return_exceptions=True)
        seats, self._seats = tuple(self._seats.values()), {}
        for seat in seats:
            self._drop(seat)
        while self._asides:
            await asyncio.gather(*self._asides, return_exceptions=True)

    def health(self) -> ServerHealth:
        """See `MonitoredUpstream.health`."""
        children = [child for seat in self._seats.values() if (child := seat.running) is not None]
        stderr = next((child.complaints for child in reversed(children) if child.stderr), self._stderr)
        state, cause, last_error = self._state(children), self._down, self._last_error
        if children and (silent_s := self._pulse.silent_s) is not None:
            failure = silent(self._server.name, silent_s)
            state, cause, last_error = "silent", failure.cause, failure.text
        return ServerHealth(
            server=self._server.name,
            transport="stdio",
            state=state,
            eras=tuple(era for era, spoken in self._speaks.items() if spoken),
            last_error=last_error,
            cause=cause,
            connections=len(children),
            pids=tuple(child.pid for child in children),
            restarts=self._restarts,
            strays=self._strays + sum(child.strays for child in children),
            dropped=self._dropped(),
            stderr=stderr.decode("utf-8", "replace"),
        )

    def _state(self, children: Sequence[Child]) -> str:
        if self._closed:
            return "closed"
        if children:
            return "up"
        if any(seat.not_before_s > self._clock.monotonic_s() for seat in self._seats.values()):
            return "backing-off"
        return "down" if self._down else "idle"

    async def _reach(self, sid: str, era: Era, context: UpstreamContext) -> Wire:
        seat, child = await self._serving(sid, era, context)
        if not self._server.shared:
            return child
        return SharedChild(seat, child, lambda: self._child(seat, era, context), self._spawn, self._drop)

    def _note_reply(self, reply: Reply) -> None:
        if isinstance(reply, Failure):
            self._note(reply)

    def _note(self, failure: Failure) -> None:
        self._last_error = failure.text
        self._down = failure.cause if failure.cause in _DOWN else self._down

    @property
    def _all_listings(self) -> Iterable[Listings]:
        return [seat.listings for seat in self._seats.values() if seat.listings is not None]

    @property
    def _away(self) -> bool:
        return self._down is not None and not self._there

    @property
    def _there(self) -> bool:
        return any(seat.running is not None for seat in self._seats.values())

    async def _look(self) -> None:
        running = [(seat, child) for seat in self._seats.values() if (child := seat.running) is not None]
        if not running:
            await self.definitions("", Era.STATELESS, looking(self._server))
        await asyncio.gather(*(self._ask(*one) for one in [one for one in running if calling(one[1])] or running[:1]))

    async def _ask(self, seat: Seat, child: Child) -> None:
        if await probe(child) is None and not seat.busy and seat.child is child:
            self._note(silent(self._server.name, HUNG_S))
            self._drop(seat)  # the next look, or call, starts a clean one

    async def _serving(self, sid: str, era: Era, context: UpstreamContext) -> tuple[Seat, Child]:
        """The child that serves `sid` and was told of these capabilities, where its era tells it at the start."""
        for _ in Era:  # a child that fell back may serve others than those who started it
            seat = self._seat(sid, era, context)
            child = await self._child(seat, era, context)
            if child.era is Era.STATELESS or child.capabilities == context.capabilities:
                return seat, child
        text = f"server {self._server.name!r} changes its era from start to start"
        raise Unusable(Failure(cause="not_mcp", text=text, sent=False))

    def _seat(self, sid: str, era: Era, context: UpstreamContext) -> Seat:
        wire = next((spoken for spoken in (era, *Era) if self._speaks.get(spoken) is not False), era)
        key = self._key(sid, wire, context)
        seat = self._seats.get(key)
        if seat is None:
            seat = self._seats[key] = Seat(self._clock.monotonic_s(), sid)
            if self._reaper is None and not self._closed:
                self._reaper = asyncio.create_task(self._reap())
        seat.used_s = self._clock.monotonic_s()
        return seat

    def _key(self, sid: str, wire: Era, context: UpstreamContext) -> _Key:
        kind = orjson.dumps(dict(context.capabilities), option=orjson.OPT_SORT_KEYS) if wire is Era.INITIALIZE else b""
        return (_SHARED if self._server.shared else sid, kind)

    async def _child(self, seat: Seat, era: Era, context: UpstreamContext) -> Child:
        """The seat's running child, started if need be. Raises `Unusable`."""
        if (running := seat.running) is not None:
            return running
        if self._closed:
            raise Unusable(closed(self._server.name))
        if seat.starting is None or seat.starting.done():
            wait_s = seat.not_before_s - self._clock.monotonic_s()
            if wait_s > 0:
                text = f"server {self._server.name!r} failed {seat.failures} times; next start in {wait_s:.1f} s"
                raise Unusable(Failure(cause="backing_off", text=text, sent=False))
            seat.starting = asyncio.create_task(self._start(seat, era, context))
            seat.starting.add_done_callback(_retrieve_exception)
        starting = seat.starting
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            if not starting.cancelled():
                raise
            raise Unusable(closed(self._server.name)) from None

    async def _start(self, seat: Seat, era: Era, context: UpstreamContext) -> Child:
        self._make_room(seat)
        if seat.failures:
            self._restarts += 1
        eras = sorted((era, *(one for one in Era if one is not era)), key=lambda one: self._speaks.get(one) is False)
        refusal = ErrorFrame(closed(self._server.name))
        for candidate in eras:
            child = await self._spawn_child(seat)
            try:
                async with asyncio.timeout(self._start_s):
                    refused = await child.greet(candidate, context)
            except TimeoutError:
                refused = ErrorFrame(timed_out(self._server.name, self._start_s, sent=True))
            except asyncio.CancelledError:
                self._spawn(self._end_child(child))
                raise
            if refused is None:
                self._speaks[candidate] = True
                if candidate is not eras[0]:
                    self._speaks[eras[0]] = False
                self._take_seat(seat, child)
                return child
            await self._end_child(child)
            refusal = refused
        self._speaks.clear()
        self._down = refusal.failure.cause
        seat.failed(self._clock.monotonic_s())
        raise Unusable(refusal.failure)

    async def _spawn_child(self, seat: Seat) -> Child:
        def changed() -> None:
            if seat.listings is not None:
                seat.listings.changed()

        env = await environment(self._server.name, self._transport.env, self._credentials)
        try:
            start = prepare(self._transport, env, self._home)
            return await Child.spawn(
                self._server.name,
                start.command,
                env=start.env,
                cwd=start.cwd,
                bytes_max=self._limits.result_bytes_max,
                on_change=changed,
                hiding=mask_of(self._transport.env, env),
            )
        except (OSError, ValueError) as problem:
            seat.failed(self._clock.monotonic_s())
            text = f"server {self._server.name!r} cannot be started: {problem}"
            raise Unusable(Failure(cause="unreachable", text=text, sent=False)) from None

    def _take_seat(self, seat: Seat, child: Child) -> None:
        seat.child, child.pulse, self._down = child, self._pulse, None
        self._pulse.heard()
        seat.started_s = self._clock.monotonic_s()
        seat.listings = Listings(self._server, self._limits, self._clock, child)
        child.on_gone = lambda: self._on_death(seat, child)
        current = next((key for key, held_seat in self._seats.items() if held_seat is seat), None)
        fitting = self._key(seat.sid, child.era, UpstreamContext(capabilities=child.capabilities))
        if current is not None and fitting not in self._seats:  # it fell back to the other era
            self._seats[fitting] = self._seats.pop(current)

    def _on_death(self, seat: Seat, child: Child) -> None:
        self._last_error, self._down = f"server {self._server.name!r} ended unasked", "died"
        if seat.child is child:
            seat.failed(self._clock.monotonic_s())
            self._drop(seat)

    def _drop(self, seat: Seat) -> None:
        """Let go of the seat's child; the next call starts a clean one."""
        child, listings, starting = seat.child, seat.listings, seat.starting
        seat.child = seat.listings = seat.starting = None
        if starting is not None:
            self._spawn(_stop_task(starting))
        if listings is not None:
            self._spawn(listings.close())
        if child is not None:
            self._spawn(self._end_child(child))

    async def _end_child(self, child: Child) -> None:
        await child.end()
        self._strays += child.strays
        self._stderr = child.complaints or self._stderr

    def _make_room(self, starting: Seat) -> None:
        others = ((key, seat) for key, seat in self._seats.items() if seat is not starting)
        running = [(key, seat) for key, seat in others if seat.child is not None or seat.starting_now]
        if len(running) < CHILDREN_MAX:
            return
        # Who holds the most makes room first: one session may have children of many capabilities.
        counts = Counter(seat.sid for _, seat in running)
        for key, seat in sorted(running, key=lambda entry: (-counts[entry[1].sid], entry[1].used_s)):
            if not seat.busy:
                del self._seats[key]
                self._drop(seat)
                return
        text = f"server {self._server.name!r} already runs {CHILDREN_MAX} busy children"
        raise Unusable(Failure(cause="too_many_children", text=text, sent=False))

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(self._idle_s / 4)
            due_s = self._clock.monotonic_s() - self._idle_s
            for key, seat in tuple(self._seats.items()):
                if seat.used_s < due_s and not seat.busy:
                    del self._seats[key]
                    self._drop(seat)

    def _spawn(self, aside: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(aside)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)


async def _stop_task(task: "asyncio.Task[Child]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _retrieve_exception(task: "asyncio.Task[Child]") -> None:
    """Take note of a failed start; whoever waits gets it from the task itself."""
    if not task.cancelled():
        task.exception()

"""A tool server as child processes, one per Remit session, or one for all where `shared` says so.

A child gets a scrubbed environment and a folder of its own. Which era it speaks is fixed by the
first message it gets, so falling back to the other takes a clean child.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from remit.adapters.upstreams.child import Child
from remit.adapters.upstreams.frames import (
    Answer,
    Refusal,
    Unusable,
    call_params,
    closed,
    internal,
    list_params,
    timed_out,
    tool_reply,
)
from remit.adapters.upstreams.listing import Listing, list_limit_s
from remit.adapters.upstreams.presenting import environment
from remit.adapters.upstreams.seat import Seat, prepare
from remit.facts.catalog import Definition, Server, Stdio
from remit.facts.limits import Limits
from remit.ports.credentials import Credentials
from remit.ports.system import Clock
from remit.ports.upstream import Era, Failure, Health, Reply

START_S: Final = 30.0
IDLE_S: Final = 1800.0
CHILDREN_MAX: Final = 64
QUIET_S: Final = 1.0
_SHARED: Final = ""


class StdioUpstream:
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
        self._server = server
        self._transport = server.transport
        self._limits = limits
        self._clock = clock
        self._credentials = credentials
        self._home = state_dir / server.name
        self._idle_s = idle_s
        self._seats: dict[str, Seat] = {}
        self._speaks: dict[Era, bool] = {}
        self._asides: set[asyncio.Task[None]] = set()
        self._reaper: asyncio.Task[None] | None = None
        self._restarts = 0
        self._strays = 0
        self._stderr = b""
        self._last_error: str | None = None
        self._closed = False

    async def definitions(self, sid: str, era: Era) -> Sequence[Definition]:
        """See `Upstream.definitions`; the same object while the child's bytes are the same."""
        limit_s = list_limit_s(self._server)
        seat = self._seat(sid)
        try:
            async with asyncio.timeout(limit_s):
                await self._child(seat, era)
            if seat.listing is None:
                raise Unusable(closed(self._server.name))
            return (await seat.listing.tools()).definitions
        except TimeoutError:
            failure = timed_out(self._server.name, limit_s, sent=True)
        except Unusable as unusable:
            failure = unusable.failure
            if failure.cause == "timeout" and not seat.busy:
                self._drop(seat)
        self._last_error = failure.text
        raise Unusable(failure)

    async def call(self, sid: str, era: Era, name: str, arguments: bytes) -> Reply:
        """See `Upstream.call`."""
        sent = False
        seat = self._seat(sid)
        try:
            async with asyncio.timeout(self._server.call_s):
                child = await self._child(seat, era)
                if self._server.shared:
                    await seat.turn.acquire()
                    child = await self._child_or_release(seat, era)
                sent = True
                outcome = await self._ask(seat, child, name, arguments)
        except TimeoutError:
            reply: Reply = timed_out(self._server.name, self._server.call_s, sent=sent)
        except Unusable as unusable:
            reply = replace(unusable.failure, sent=False, upstream_text=None)
        except Exception as problem:  # noqa: BLE001 - the port promises it: our own errors are failures too
            reply = internal(self._server.name, problem, sent=sent)
        else:
            reply = tool_reply(self._server.name, outcome)
        if isinstance(reply, Failure):
            self._last_error = reply.text
        return reply

    async def end_session(self, sid: str) -> None:
        """See `Upstream.end_session`: its child is ended in the background."""
        seat = None if self._server.shared else self._seats.pop(sid, None)
        if seat is not None:
            self._drop(seat)

    async def close(self) -> None:
        """See `Upstream.close`: every child is over when it returns."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
            await asyncio.gather(self._reaper, return_exceptions=True)
        seats, self._seats = tuple(self._seats.values()), {}
        for seat in seats:
            self._drop(seat)
        while self._asides:
            await asyncio.gather(*self._asides, return_exceptions=True)

    def health(self) -> Health:
        """See `Inspected.health`."""
        children = [child for seat in self._seats.values() if (child := seat.running) is not None]
        dropped: dict[str, str] = {}
        for seat in self._seats.values():
            dropped |= seat.listing.dropped if seat.listing is not None else {}
        stderr = next((child.stderr for child in reversed(children) if child.stderr), self._stderr)
        return Health(
            server=self._server.name,
            transport="stdio",
            state=self._state(children),
            eras=tuple(era for era, spoken in self._speaks.items() if spoken),
            last_error=self._last_error,
            connections=len(children),
            pids=tuple(child.pid for child in children),
            restarts=self._restarts,
            strays=self._strays + sum(child.strays for child in children),
            dropped=dropped,
            stderr=stderr.decode("utf-8", "replace"),
        )

    def _state(self, children: Sequence[Child]) -> str:
        if self._closed:
            return "closed"
        if children:
            return "up"
        now_s = self._clock.monotonic_s()
        if any(seat.not_before_s > now_s for seat in self._seats.values()):
            return "backing-off"
        return "down" if self._last_error else "idle"

    def _seat(self, sid: str) -> Seat:
        key = _SHARED if self._server.shared else sid
        seat = self._seats.get(key)
        if seat is None:
            seat = self._seats[key] = Seat(self._clock.monotonic_s())
            if self._reaper is None and not self._closed:
                self._reaper = asyncio.create_task(self._reap())
        seat.used_s = self._clock.monotonic_s()
        return seat

    async def _child(self, seat: Seat, era: Era) -> Child:
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
            seat.starting = asyncio.create_task(self._start(seat, era))
            seat.starting.add_done_callback(_seen)
        starting = seat.starting
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            if not starting.cancelled():
                raise
            raise Unusable(closed(self._server.name)) from None

    async def _child_or_release(self, seat: Seat, era: Era) -> Child:
        try:
            return await self._child(seat, era)
        except BaseException:
            seat.turn.release()
            raise

    async def _ask(self, seat: Seat, child: Child, name: str, arguments: bytes) -> Answer | Refusal:
        """Ask; a shared child's turn is given back whatever happens, after `_settle` when cancelled."""
        settling = False
        try:
            _, outcome = await child.ask("tools/call", call_params(name, arguments, child.era))
        except asyncio.CancelledError:
            settling = self._server.shared
            if settling:
                self._spawn(self._settle(seat, child))
            raise
        finally:
            if self._server.shared and not settling:
                seat.turn.release()
        return outcome

    async def _settle(self, seat: Seat, child: Child) -> None:
        """A shared child that goes on with a call given up on is replaced: one call in flight."""
        try:
            async with asyncio.timeout(QUIET_S):
                await child.quiet.wait()
        except TimeoutError:
            if seat.child is child:
                self._drop(seat)
        finally:
            seat.turn.release()

    async def _start(self, seat: Seat, era: Era) -> Child:
        self._make_room()
        if seat.failures:
            self._restarts += 1
        eras = sorted((era, *(one for one in Era if one is not era)), key=lambda one: self._speaks.get(one) is False)
        refusal = Refusal(closed(self._server.name))
        for candidate in eras:
            child = await self._spawn_child(seat)
            try:
                async with asyncio.timeout(START_S):
                    refused = await child.greet(candidate)
            except TimeoutError:
                refused = Refusal(timed_out(self._server.name, START_S, sent=True))
            except asyncio.CancelledError:
                self._spawn(self._ended(child))
                raise
            if refused is None:
                self._speaks[candidate] = True
                if candidate is not eras[0]:
                    self._speaks[eras[0]] = False
                self._seated(seat, child)
                return child
            await self._ended(child)
            refusal = refused
        self._speaks.clear()
        seat.failed(self._clock.monotonic_s())
        raise Unusable(refusal.failure)

    async def _spawn_child(self, seat: Seat) -> Child:
        def changed() -> None:
            if seat.listing is not None:
                seat.listing.changed()

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
            )
        except (OSError, ValueError) as problem:
            seat.failed(self._clock.monotonic_s())
            text = f"server {self._server.name!r} cannot be started: {problem}"
            raise Unusable(Failure(cause="unreachable", text=text, sent=False)) from None

    def _seated(self, seat: Seat, child: Child) -> None:
        async def page(cursor: str | None) -> tuple[int, Answer | Refusal]:
            return await child.ask("tools/list", list_params(cursor, child.era))

        seat.child = child
        seat.started_s = self._clock.monotonic_s()
        seat.listing = Listing(self._server, self._limits, self._clock, page)
        child.on_gone = lambda: self._died(seat, child)

    def _died(self, seat: Seat, child: Child) -> None:
        self._last_error = f"server {self._server.name!r} ended unasked"
        if seat.child is child:
            seat.failed(self._clock.monotonic_s())
            self._drop(seat)

    def _drop(self, seat: Seat) -> None:
        """Let go of the seat's child; the next call starts a clean one."""
        child, listing, starting = seat.child, seat.listing, seat.starting
        seat.child = seat.listing = seat.starting = None
        if starting is not None:
            self._spawn(_stopped(starting))
        if listing is not None:
            self._spawn(listing.close())
        if child is not None:
            self._spawn(self._ended(child))

    async def _ended(self, child: Child) -> None:
        await child.end()
        self._strays += child.strays
        self._stderr = child.stderr or self._stderr

    def _make_room(self) -> None:
        running = [(key, seat) for key, seat in self._seats.items() if seat.child is not None]
        if len(running) < CHILDREN_MAX:
            return
        for key, seat in sorted(running, key=lambda one: one[1].used_s):
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


async def _stopped(task: "asyncio.Task[Child]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _seen(task: "asyncio.Task[Child]") -> None:
    """Take note of a failed start; whoever waits gets it from the task itself."""
    if not task.cancelled():
        task.exception()

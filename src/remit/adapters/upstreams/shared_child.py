"""A child that all sessions share: one call in flight, a turn each."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from remit.adapters.upstreams.child import Child
from remit.adapters.upstreams.frames import Outcome
from remit.adapters.upstreams.messages import Ear, Hearing
from remit.adapters.upstreams.requests import UpstreamRequest
from remit.adapters.upstreams.seat import Seat
from remit.adapters.upstreams.wire import ServerProfile
from remit.ports.upstream import Era

QUIET_S: Final = 1.0


class SharedChild:
    """One session's view of the shared child; `running` gives the child that sits there by now."""

    def __init__(
        self,
        seat: Seat,
        child: Child,
        running: Callable[[], Awaitable[Child]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        drop: Callable[[Seat], None],
    ) -> None:
        self._seat = seat
        self._child = child
        self._running = running
        self._spawn = spawn
        self._drop = drop

    @property
    def era(self) -> Era:
        """See `Wire.era`."""
        return self._child.era

    @property
    def hearing(self) -> Hearing:
        """See `Wire.hearing`."""
        return self._child.hearing

    @property
    def profile(self) -> ServerProfile:
        """See `Wire.profile`."""
        return self._child.profile

    async def ask(self, call: UpstreamRequest, ear: Ear) -> Outcome:
        """See `Wire.ask`; the turn is given back whatever happens, after `_settle` when cancelled."""
        if ear.aside:
            return await self._child.ask(call, ear)
        await self._seat.turn.acquire()
        settling = False
        try:
            self._child = child = await self._running()
            try:
                return await child.ask(call, ear)
            except asyncio.CancelledError:
                settling = True
                self._spawn(self._settle(child))
                raise
        finally:
            if not settling:
                self._seat.turn.release()

    async def answer(self, body: bytes) -> bool:
        """See `Wire.answer`."""
        return await self._child.answer(body)

    async def stand(self) -> None:
        """See `Wire.stand`."""

    def sit(self) -> None:
        """See `Wire.sit`."""

    async def _settle(self, child: Child) -> None:
        """A child that goes on with a call given up on is replaced: one call in flight."""
        try:
            async with asyncio.timeout(QUIET_S):
                await child.quiet.wait()
        except TimeoutError:
            if self._seat.child is child:
                self._drop(self._seat)
        finally:
            self._seat.turn.release()

"""Calls that were cancelled and of which their server may ask something yet, naming no call.

A server that knows of a cancellation asks nothing more. That it does is known once it answers a ping that was sent
after it; who answers none is taken to after `CONFIRM_S`. Until then the next call waits, `WAIT_S` at most, and what is
asked within it may be of either: it is put to nobody.
"""

import asyncio
from contextlib import suppress
from typing import Final

CONFIRM_S: Final = 30.0
WAIT_S: Final = 5.0


class AbandonedCalls:
    """Those of one connection, by the ids of their requests."""

    def __init__(self) -> None:
        self._open: dict[int, asyncio.TimerHandle] = {}
        self._none = asyncio.Event()
        self._none.set()

    @property
    def some(self) -> bool:
        """Whether there are such."""
        return bool(self._open)

    def begin(self, ident: int) -> None:
        """The call `ident` is given up; the server is told."""
        self._none.clear()
        self._open[ident] = asyncio.get_running_loop().call_later(CONFIRM_S, self.end, ident)

    def end(self, ident: int) -> None:
        """The server knows of it, or has answered it all the same: nothing more is asked in it."""
        timer = self._open.pop(ident, None)
        if timer is not None:
            timer.cancel()
        if not self._open:
            self._none.set()

    async def none(self) -> None:
        """Return once there are none, or after a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                await self._none.wait()

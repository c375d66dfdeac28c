"""A thread for what takes long to compute, while the loop serves others."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

_TURN_S: Final = 0.0005
_T = TypeVar("_T")


class Aside:
    """One thread, and who waits for it.

    While somebody does, threads change after half a millisecond: at CPython's five the loop would wait as long for each
    of its own turns. Always would cost a sixth of all calls a second.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "remit-aside")
        self._waiting = 0
        self._usual_s = sys.getswitchinterval()

    async def run(self, work: Callable[[], _T]) -> _T:
        """What `work` returns. Cancelled, nobody waits for it any more."""
        self._waiting += 1
        sys.setswitchinterval(_TURN_S)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1
            if not self._waiting:
                sys.setswitchinterval(self._usual_s)

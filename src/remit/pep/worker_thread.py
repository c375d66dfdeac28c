"""A thread for what takes long to compute, while the loop serves others.

Laws
* Of one agent's work one piece at a time is with the thread: whoever has much of it keeps nobody else waiting for all.
* What waits is bounded, in all and for each agent: the caller asks whether there is room (`has_room`).
* While it works, threads change after half a millisecond: at CPython's five the loop would wait as long for each of its
  own turns. Always would cost a sixth of all calls a second.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from weakref import WeakValueDictionary

BYTES_MAX: Final = 512 * 1024 * 1024
"""What may wait in all, and a quarter of it of one agent."""
AGENT_SHARE: Final = 4
_TURN_S: Final = 0.0005
_T = TypeVar("_T")


class WorkerThread:
    """One thread, and who waits for it. On the event loop alone."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "remit-aside")
        self._turns = WeakValueDictionary[str, asyncio.Lock]()
        self._bytes = Counter[str]()
        self._working = 0
        self._usual_s = sys.getswitchinterval()

    def has_room(self, agent: str, size: int) -> bool:
        """Whether `size` bytes more of `agent` may wait; some always may, where nothing of it does."""
        own = self._bytes[agent]
        return not own or (own + size <= BYTES_MAX // AGENT_SHARE and self._bytes.total() + size <= BYTES_MAX)

    async def run(self, agent: str, size: int, work: Callable[[], _T]) -> _T:
        """What `work` on `size` bytes of `agent` returns. Cancelled, it is done to its end, and nobody waits for it."""
        turn = self._turns.setdefault(agent, asyncio.Lock())
        self._bytes[agent] += size
        try:
            await turn.acquire()
        except asyncio.CancelledError:
            self._leave(agent, size)
            raise
        self._working += 1
        sys.setswitchinterval(_TURN_S)
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        # Who waits may leave: the thread goes on, and its agent has its turn and its bytes until it is done.
        future.add_done_callback(lambda _: self._end(agent, size, turn))
        return await asyncio.shield(future)

    def _end(self, agent: str, size: int, turn: asyncio.Lock) -> None:
        turn.release()
        self._leave(agent, size)
        self._working -= 1
        if not self._working:
            sys.setswitchinterval(self._usual_s)

    def _leave(self, agent: str, size: int) -> None:
        self._bytes[agent] -= size
        if not self._bytes[agent]:
            del self._bytes[agent]

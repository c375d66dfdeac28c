"""An event loop whose time is simulated: nothing waits, and the same seed gives the same run.

Laws
* One thread at a time: what the product gives to a thread is done while the loop stands still, and its answer comes
  when the seed says so. Order in time is the heap's, order at one time is that of asking.
* Where nothing will ever happen again, that is an error, not a wait.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from random import Random


class Stuck(Exception):
    """Everybody waits, and for nothing that will happen."""


class Loop(asyncio.BaseEventLoop):
    """`asyncio`'s own loop without a selector: to wait is to let time pass."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._now_s = 0.0
        self.stood_s = 0.0
        """For how long the process has stood still."""
        self._selector = self  # pyright: ignore[reportAttributeAccessIssue]

    def time(self) -> float:
        return self._now_s

    def spend(self, seconds: float) -> None:
        """Something holds the loop for so long."""
        self._now_s += seconds

    def stand(self, seconds: float) -> None:
        """The process stands still for so long; its clocks go on."""
        self.spend(seconds)
        self.stood_s += seconds

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck
        self._now_s += timeout
        return []

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        return self.call_later(self._random.uniform(0.00001, 0.001), callback, *args, context=context)

    def run_in_executor(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self.create_future()
        found: Any = None
        failed: Exception | None = None
        try:
            found = func(*args) if executor is None else executor.submit(func, *args).result()
        except Exception as error:  # noqa: BLE001
            failed = error
        self.call_later(self._random.uniform(0.0001, 0.02), _deliver, future, found, failed)
        return future

    def forget(self) -> None:
        """No timer that was set will ever ring: who set it is gone."""
        timers: list[asyncio.TimerHandle] = vars(self)["_scheduled"]
        for handle in tuple(timers):
            handle.cancel()

    def close(self) -> None:
        self._selector = None
        super().close()

    def _process_events(self, event_list: list[Any]) -> None:
        del event_list

    def _write_to_self(self) -> None:
        return


def _deliver(future: asyncio.Future[Any], found: Any, failed: Exception | None) -> None:
    if future.done():
        return
    if failed is None:
        future.set_result(found)
    else:
        future.set_exception(failed)

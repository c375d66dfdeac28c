"""The time limit of a test, delivered to what it waits for: its task is cancelled, its browser killed.

The alarm of pytest-timeout raises where the main thread is. In a loop that waits this is outside of any task: the
test's task would stay as it is, and so would what its clean-ups end. So the task is cancelled instead, again and again,
since a clean-up may wait as well. Where nothing comes of it, because the thread itself is blocked, the alarm raises
there.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from contextvars import Context
    from types import FrameType

T = TypeVar("T")
AGAIN_S: Final = 120.0
"""How long the clean-up of a test that ran out of time may take, and what comes after it."""
BLOCKED_S: Final = 5.0
"""After how long a thread that did not get to cancel its task is blocked."""


class TimedRun:
    """One run of a loop in the main thread, which may run out of time."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._expired = False
        self._delivered = True

    async def of(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The answer of `coroutine`; fails where it ran out of time, however it then ended."""
        self._task = asyncio.current_task()
        try:
            answer = await coroutine
        except BaseException as error:
            if self._expired:
                pytest.fail(f"Timeout: cancelled, it ended with {error!r}")
            raise
        if self._expired:
            pytest.fail("Timeout: cancelled, it went on to its end")
        return answer

    def interrupt(self, again_s: float) -> bool:
        """Have the task cancelled, from a signal's handler, and its clean-up after `again_s`; False: of no use."""
        if self._task is None or not self._delivered:
            return False
        self._expired, self._delivered = True, False
        self._task.get_loop().call_soon_threadsafe(self._cancel, self._task, again_s)
        signal.setitimer(signal.ITIMER_REAL, min(BLOCKED_S, again_s), again_s)
        return True

    def _cancel(self, task: asyncio.Task[Any], again_s: float) -> None:
        self._delivered = True
        signal.setitimer(signal.ITIMER_REAL, again_s, again_s)
        for each in asyncio.all_tasks() - {task}:
            each.print_stack(file=sys.stderr)
        task.cancel("the test ran out of time")


class Alarm:
    """The alarm of the test that runs, and what it is to end."""

    def __init__(self) -> None:
        self._run: TimedRun | None = None
        self._killers: list[Callable[[], bool]] = []

    def run(self, runner: asyncio.Runner, coroutine: Coroutine[Any, Any, T], context: Context | None) -> T:
        """Run `coroutine` by `runner`, so that the alarm cancels it where the main thread waits for it."""
        if threading.current_thread() is not threading.main_thread():
            return RUN(runner, coroutine, context=context)
        outer, self._run = self._run, TimedRun()
        try:
            return RUN(runner, self._run.of(coroutine), context=context)
        finally:
            self._run = outer

    @contextlib.contextmanager
    def kills(self, kill: Callable[[], bool]) -> Generator[None]:
        """Meanwhile what runs out of time calls `kill`, which says whether there was something to be killed."""
        self._killers.append(kill)
        try:
            yield
        finally:
            self._killers.remove(kill)

    def arm(self) -> None:
        """Take over the alarm that pytest-timeout has set, and have it ring again and again."""
        after_s, _ = signal.getitimer(signal.ITIMER_REAL)
        raises = signal.getsignal(signal.SIGALRM)
        if after_s and callable(raises):
            again_s = min(after_s, AGAIN_S)
            signal.signal(signal.SIGALRM, partial(self._ring, raises, again_s))
            signal.setitimer(signal.ITIMER_REAL, after_s, again_s)

    def _ring(
        self, raises: Callable[[int, FrameType | None], object], again_s: float, signum: int, frame: FrameType | None
    ) -> None:
        killed = [kill() for kill in self._killers]
        if not any(killed) and not (self._run is not None and self._run.interrupt(again_s)):
            raises(signum, frame)


RUN: Final = asyncio.Runner.run
ALARM: Final = Alarm()
"""The process has one."""


def run(self: asyncio.Runner, coro: Coroutine[Any, Any, T], *, context: Context | None = None) -> T:
    """As `asyncio.Runner.run`, which `asyncio.run` and pytest-asyncio call for tests, fixtures and their ends."""
    return ALARM.run(self, coro, context)

"""Loops that do one thing again and again. Level, not edge: a missed turn costs latency only.

Law: who is cancelled ends, whatever the step does with it. A task group whose child fails in that moment raises the
child's error in place of it (before Python 3.13), and so may a library.
"""

import asyncio
from collections.abc import Awaitable, Callable


async def guarded(step: Callable[[], Awaitable[object]], failed: Callable[[Exception], None]) -> None:
    """Await `step()`; where it raises, `failed` is told and nothing else ends."""
    try:
        await step()
    except Exception as error:  # noqa: BLE001 - what died silently would be worse
        failed(error)
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def every(period_s: float, step: Callable[[], Awaitable[object]], failed: Callable[[Exception], None]) -> None:
    """Await `step()` every `period_s` seconds until cancelled.

    An exception ends the turn, not the loop; `failed` is told each time.
    """
    while True:
        await asyncio.sleep(period_s)
        await guarded(step, failed)

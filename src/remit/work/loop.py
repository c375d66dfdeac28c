"""Loops that do one thing again and again. Level, not edge: a missed turn costs latency only."""

import asyncio
from collections.abc import Awaitable, Callable


async def guarded(step: Callable[[], Awaitable[object]], failed: Callable[[Exception], None]) -> None:
    """Await `step()`; where it raises, `failed` is told and nothing else ends."""
    try:
        await step()
    except Exception as error:  # noqa: BLE001 - what died silently would be worse
        failed(error)


async def every(period_s: float, step: Callable[[], Awaitable[object]], failed: Callable[[Exception], None]) -> None:
    """Await `step()` every `period_s` seconds until cancelled.

    An exception ends the turn, not the loop; `failed` is told each time.
    """
    while True:
        await asyncio.sleep(period_s)
        await guarded(step, failed)

"""A loop that does one thing again and again. Level, not edge: a missed turn costs latency only."""

import asyncio
from collections.abc import Awaitable, Callable


async def every(period_s: float, step: Callable[[], Awaitable[object]], failed: Callable[[Exception], None]) -> None:
    """Await `step()` every `period_s` seconds until cancelled.

    An exception ends the turn, not the loop; `failed` is told each time.
    """
    while True:
        await asyncio.sleep(period_s)
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - a loop that died silently would be worse
            failed(error)

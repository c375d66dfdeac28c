"""A source that is looked at again and again: when the next look is due, and how well it goes.

Laws
* A look that fails is tried again sooner than the next one is due, and ever later the more of them fail in a row.
* A part that could not be taken is no failure: it is counted, and the look goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from remit.ports.source import SightingSource, SourceBatch, SourceFailed

FIRST_S: Final = 5.0
"""Until the first of the looks that follow a failed one."""
LAST_S: Final = 900.0
"""Until the next one, however many failed."""


@dataclass(slots=True)
class SourceHealth:
    """How a source does. `failures` counts failures in a row, `why` says what the last one was.

    `sightings` and `troubles` are those of the last look that went well.
    """

    looked: int = 0
    failures: int = 0
    why: str = ""
    sightings: int = 0
    troubles: int = 0

    def wait_s(self, every_s: float) -> float:
        """Seconds until the next look of one that is due every `every_s`."""
        if not self.failures:
            return every_s
        return min(FIRST_S * 2 ** min(self.failures - 1, 16), max(every_s, LAST_S))


async def watch(
    source: SightingSource,
    every_s: float,
    take: Callable[[SourceBatch], Awaitable[None]],
    report: Callable[[SourceHealth, float], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Look at `source` until cancelled; `take` each batch, and have `report` after each look how it went, and the wait.

    `take` raises `SourceFailed` where what was seen cannot be handed on: that fails the look. Anything else ends it.
    """
    health = SourceHealth()
    while True:
        sightings = troubles = 0
        try:
            async for batch in source.look():
                sightings, troubles = sightings + len(batch.sightings), troubles + len(batch.troubles)
                await take(batch)
        except SourceFailed as error:
            health.failures += 1
            health.why = str(error)
        else:
            health.failures, health.why = 0, ""
            health.sightings, health.troubles = sightings, troubles
        health.looked += 1
        wait_s = health.wait_s(every_s)
        report(health, wait_s)
        await sleep(wait_s)

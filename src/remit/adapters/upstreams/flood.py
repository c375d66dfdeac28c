"""Whether a server says more than anybody can have asked for."""

import asyncio
from typing import Final

STRETCH_S: Final = 10.0


class Flood:
    """More than `many_max` messages within one stretch of `STRETCH_S`."""

    def __init__(self, many_max: int) -> None:
        self._max = many_max
        self._stretch = 0
        self._count = 0

    def more(self) -> bool:
        """Count one message; whether it is one too many."""
        stretch = int(asyncio.get_running_loop().time() / STRETCH_S)
        self._count = self._count + 1 if stretch == self._stretch else 1
        self._stretch = stretch
        return self._count > self._max

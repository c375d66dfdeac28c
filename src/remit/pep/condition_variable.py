"""Who waits until something changed, and is woken in the order in which he came."""

import asyncio


class ConditionVariable:
    """Not thread-safe: it lives on the event loop."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], None] = {}
        """In the order in which they came: that is also the order in which they go on."""

    async def wait(self, timeout_s: float) -> None:
        """Return when something changed, or after `timeout_s`.

        A hint only: whoever waits reads the state again. Call it without an await since the
        last reading and nothing is missed.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = None
        try:
            await asyncio.wait({future}, timeout=timeout_s)
        finally:
            del self._waiting[future]

    def notify_all(self) -> None:
        """Wake all who wait."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

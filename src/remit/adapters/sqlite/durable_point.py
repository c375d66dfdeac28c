"""How far the chain is on disk, and who hears of it: those who appended, and those who wait for what others did.

All of it on the loop. A waiter that was cancelled harms nobody: every future is looked at before it is resolved.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from remit.adapters.sqlite.commit import Batch, Item
from remit.ports.ledger import LedgerUnwritable


class DurablePoint:
    """The last record that is on disk, and those who wait for a later one."""

    def __init__(self) -> None:
        self.seq = 0
        self._waiting: dict[asyncio.Future[None], int] = {}

    async def reached(self, seq: int) -> None:
        """Wait for record `seq`, which is not on disk yet. Raises `LedgerUnwritable` where it is refused."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = seq
        try:
            await future
        finally:
            del self._waiting[future]

    def resolve(self, batch: Batch) -> None:
        """`batch` is on disk, and with it all before it."""
        for item, receipt in zip(batch.items, batch.receipts, strict=True):
            future = item[4]
            if future is not None and not future.done():
                future.set_result(receipt)
        self.seq = batch.items[-1][0].seq
        for waiter, seq in self._waiting.items():
            if seq <= self.seq and not waiter.done():
                waiter.set_result(None)

    def refuse(self, items: Sequence[Item], failure: LedgerUnwritable) -> None:
        """`items` will never be on disk, nor what comes after them."""
        for item in items:
            future = item[4]
            if future is not None and not future.done():
                future.set_exception(failure)
                future.exception()  # seen: a record that nobody waits for is no error of the loop's
        first = items[0][0].seq
        for waiter, seq in self._waiting.items():
            if seq >= first and not waiter.done():
                waiter.set_exception(failure)


def tell(items: Sequence[Item], deliver: Callable[[], None]) -> None:
    """One call into the loop for the whole batch; a loop that is gone has nobody waiting."""
    future = items[0][4]
    if future is not None:
        with suppress(RuntimeError):
            future.get_loop().call_soon_threadsafe(deliver)

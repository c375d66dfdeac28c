"""Waiting until a record is on disk without being the one who appended it.

Whoever appended it has its `durable`, which ends with him where he hangs up; nobody else waits for that.
"""

import asyncio
from typing import Final

from remit.facts.record import Ref
from remit.ports.ledger import Entry, Ledger, LedgerUnwritable

_AGAIN_S: Final = 0.01


async def entry_on_disk(ledger: Ledger, ref: Ref) -> Entry:
    """The record `ref` once it is on disk, and with it all before it. Raises `LedgerUnwritable` when it never will."""
    while (entry := await ledger.entry(ref)) is None:
        if (why := ledger.unwritable()) is not None:
            raise LedgerUnwritable(why)
        await asyncio.sleep(_AGAIN_S)
    return entry

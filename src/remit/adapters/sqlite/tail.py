"""`ports.tail.Tail` over the ledger's file: pages of the kinds that are followed, read after they were committed.

Each page is one short transaction on a connection that cannot write; records of other kinds are passed over unread.
"""

import asyncio
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from remit.adapters.sqlite.reads import entry, open_readonly, stored_after
from remit.adapters.sqlite.segment import SegmentTorn
from remit.adapters.sqlite.tiles import origin_of
from remit.facts.record import RecordKind
from remit.ports.ledger import Entry
from remit.ports.tail import Page, TailFailed
from remit.trace.members import Undecodable

PAGE: Final = 1_000
_BREATH_S: Final = 0.002
_BREATHE_EVERY: Final = 100


class LedgerTail:
    """The ledger at `path`, of whose records those of `kinds` are followed; `whole`: from its beginning on."""

    def __init__(self, path: Path, kinds: Iterable[RecordKind], *, whole: bool = False) -> None:
        self._path = path
        self._whole = whole
        self._kinds = tuple(f',"{kind.value}",'.encode("ascii") for kind in kinds)

    async def after(self, mark: str) -> Page:
        """What is behind `mark`."""
        try:
            return await asyncio.to_thread(self._page, mark)
        except (sqlite3.Error, SegmentTorn, Undecodable) as error:
            raise TailFailed(f"the ledger cannot be read: {error}", "remit ledger verify") from error

    def _page(self, mark: str) -> Page:
        with closing(open_readonly(self._path)) as conn:
            origin = origin_of(conn)
            log, _, position = mark.rpartition(" ")
            if log != origin or not position.isdecimal():
                if self._whole:
                    return Page((), f"{origin} 0", more=True)
                row = conn.execute("SELECT first + count - 1 FROM segment ORDER BY first DESC LIMIT 1").fetchone()
                return Page((), f"{origin} {0 if row is None else row[0]}", more=False)
            stored = stored_after(conn, int(position), PAGE)
        entries: list[Entry] = []
        for number, stored_record in enumerate(stored):
            if number % _BREATHE_EVERY == _BREATHE_EVERY - 1:
                time.sleep(_BREATH_S)
            if any(kind in stored_record.record for kind in self._kinds):
                entries.append(entry(stored_record))
        return Page(entries, f"{origin} {stored[-1].id}" if stored else mark, more=len(stored) == PAGE)

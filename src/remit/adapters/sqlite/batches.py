"""How many records the writer commits at once, read from what it wrote.

The writer is not asked: each batch is one row of `segment`, so a scrape counts the rows since the
one before.
"""

from bisect import bisect_left
from pathlib import Path
from typing import Final

from remit.adapters.sqlite.reads import open_readonly
from remit.adapters.sqlite.tables import SEQ_BITS

SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_ROWS_MAX: Final = 50_000


class Batches:
    """The batches of chain `chain` in the ledger at `path`: `counts` per bound of `SIZES`, and beyond."""

    def __init__(self, path: Path, chain: str) -> None:
        self._path = path
        self._chain = chain
        self._last: int | None = None
        self.counts = [0] * (len(SIZES) + 1)
        self.records = 0

    def read(self) -> None:
        """Count what was written since the last time, at most so much of it; blocks."""
        conn = open_readonly(self._path)
        try:
            if self._last is None:
                [number] = conn.execute("SELECT no FROM chain WHERE name = ?", (self._chain,)).fetchone()
                self._last = (number << SEQ_BITS) - 1
            rows = conn.execute(
                "SELECT first, count FROM segment WHERE first > ? ORDER BY first LIMIT ?", (self._last, _ROWS_MAX)
            ).fetchall()
        finally:
            conn.close()
        for first, count in rows:
            self.counts[bisect_left(SIZES, count)] += 1
            self.records += count
            self._last = first

"""What people decided, read backwards through the ledger; each page is one short transaction."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from remit.adapters.sqlite import reads
from remit.adapters.sqlite.segment import unpack
from remit.ports.ledger import Entry
from remit.trace.encoding import decode_record

SEGMENTS: Final = 256
"""Batches in one page."""
_END: Final = (1 << 63) - 1
_DECISION: Final = b',"decision",'
_PAGE: Final = "SELECT first, instr(records, ?) > 0 FROM segment WHERE first < ? ORDER BY first DESC LIMIT ?"


def decided(path: Path, since_ms: int, limit: int) -> Iterator[Entry]:
    """The last `limit` decisions in the ledger at `path` since then, the latest first. Blocks."""
    with closing(reads.open_readonly(path)) as conn:
        before, left = _END, limit
        while found := conn.execute(_PAGE, (_DECISION, before, SEGMENTS)).fetchall():
            before = found[-1][0]
            for first, holds in found:
                if not holds and first != before:
                    continue
                row = conn.execute(f"{reads.SEGMENT} WHERE segment.first = ?", (first,)).fetchone()
                stored = list(unpack(*row))
                if decode_record(stored[-1].record).at < since_ms:
                    return
                for one in reversed(stored):
                    if _DECISION in one.record and decode_record(one.record).at >= since_ms:
                        yield reads.entry(one)
                        left -= 1
                        if not left:
                            return

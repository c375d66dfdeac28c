"""What people decided, and which tokens were issued, read backwards; each page is one short transaction."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

from remit.adapters.sqlite import reads
from remit.adapters.sqlite.segment import Stored, unpack
from remit.ports.ledger import Entry
from remit.trace.bodies import Event
from remit.trace.encoding import decode_record

SEGMENTS: Final = 256
"""Batches in one page."""
_END: Final = (1 << 63) - 1
_DECISION: Final = b',"decision",'
_ADMIN: Final = b',"admin",'
_ISSUED: Final = f'"{Event.TOKEN_ISSUED.value}"'.encode()
_PAGE: Final = "SELECT first, instr(records, ?) > 0 FROM segment WHERE first < ? ORDER BY first DESC LIMIT ?"


def decided(path: Path, since_ms: int, limit: int) -> Iterator[Entry]:
    """The last `limit` decisions in the ledger at `path` since then, the latest first. Blocks."""
    return (reads.entry(one) for one in islice(_since(path, since_ms, _DECISION), limit))


def issued(path: Path, since_ms: int, limit: int) -> Iterator[Entry]:
    """The records of the last `limit` tokens that were issued since then, the latest first. Blocks."""
    found = (one for one in _since(path, since_ms, _ADMIN) if one.body is not None and _ISSUED in one.body)
    return (reads.entry(one) for one in islice(found, limit))


def _since(path: Path, since_ms: int, kind: bytes) -> Iterator[Stored]:
    with closing(reads.open_readonly(path)) as conn:
        before = _END
        while found := conn.execute(_PAGE, (kind, before, SEGMENTS)).fetchall():
            before = found[-1][0]
            for first, holds in found:
                if not holds and first != before:
                    continue
                row = conn.execute(f"{reads.SEGMENT} WHERE segment.first = ?", (first,)).fetchone()
                stored = list(unpack(*row))
                if decode_record(stored[-1].record).at < since_ms:
                    return
                for one in reversed(stored):
                    if kind in one.record and decode_record(one.record).at >= since_ms:
                        yield one

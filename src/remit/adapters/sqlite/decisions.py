"""What people decided, and what happened beside actions, read backwards; each page is one short transaction."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

from remit.adapters.sqlite import reads
from remit.adapters.sqlite.segment import Stored, unpack
from remit.ports.ledger import Entry
from remit.trace.bodies import AdminBody, Event
from remit.trace.encoding import decode_record

SEGMENTS: Final = 256
"""Batches in one page."""
_END: Final = (1 << 63) - 1
_DECISION: Final = b',"decision",'
_ADMIN: Final = b',"admin",'
_PAGE: Final = "SELECT first, instr(records, ?) > 0 FROM segment WHERE first < ? ORDER BY first DESC LIMIT ?"


def decided(path: Path, since_ms: int, limit: int) -> Iterator[Entry]:
    """The last `limit` decisions in the ledger at `path` since then, the latest first. Blocks."""
    return (reads.entry(stored) for stored in islice(_since(path, since_ms, _DECISION), limit))


def happened(path: Path, events: AbstractSet[Event], since_ms: int, limit: int) -> Iterator[Entry]:
    """The records of the last `limit` of `events` since then, the latest first. Blocks."""
    names = [f'"{event.value}"'.encode() for event in events]
    candidates = (
        stored
        for stored in _since(path, since_ms, _ADMIN)
        if stored.body is not None and any(n in stored.body for n in names)
    )
    # The name of an event may stand elsewhere in a body too.
    entries = (
        entry
        for entry in map(reads.entry, candidates)
        if isinstance(entry.body, AdminBody) and entry.body.event in events
    )
    return islice(entries, limit)


def _since(path: Path, since_ms: int, kind: bytes) -> Iterator[Stored]:
    with closing(reads.open_readonly(path)) as conn:
        before = _END
        while page := conn.execute(_PAGE, (kind, before, SEGMENTS)).fetchall():
            before = page[-1][0]
            for first, holds in page:
                if not holds and first != before:
                    continue
                row = conn.execute(f"{reads.SEGMENT} WHERE segment.first = ?", (first,)).fetchone()
                stored = list(unpack(*row))
                if decode_record(stored[-1].record).at < since_ms:
                    return
                for record in reversed(stored):
                    if kind in record.record and decode_record(record.record).at >= since_ms:
                        yield record

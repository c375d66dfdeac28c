"""Records looked for from the last one backwards; each page is one short transaction."""

from contextlib import closing
from pathlib import Path
from typing import Final

import orjson

from remit.adapters.sqlite import reads
from remit.adapters.sqlite.segment import unpack
from remit.ports.ledger import Entry
from remit.ports.record_search import SEARCHED_MAX, FoundRecords, RecordSearch
from remit.trace.encoding import decode_record

OLDER_MAX: Final = 200
"""So many records in a row that are older than asked for, and none before them is looked at: clocks are set back."""
_PAGE: Final = f"{reads.SEGMENT} WHERE segment.first < ? ORDER BY segment.first DESC LIMIT 16"
_END: Final = (1 << 63) - 1


def search_records(path: Path, search: RecordSearch, limit: int, looked_max: int = SEARCHED_MAX) -> FoundRecords:
    """The last `limit` records of the ledger at `path` that `search` finds, among `looked_max`. Blocks."""
    words = [orjson.dumps(word) for word in search.words]
    entries: list[Entry] = []
    before, count, older, at_ms = _END, 0, 0, 0
    with closing(reads.open_readonly(path)) as conn:
        while rows := conn.execute(_PAGE, (before,)).fetchall():
            before = rows[-1][0]
            for stored in (record for row in rows for record in reversed(list(unpack(*row)))):
                record_ms = decode_record(stored.record).at
                if search.until_ms is not None and record_ms >= search.until_ms:
                    continue
                if count == looked_max:
                    return FoundRecords(entries[::-1], at_ms)
                at_ms, count = record_ms, count + 1
                older = older + 1 if at_ms < search.since_ms else 0
                if older == OLDER_MAX:
                    return FoundRecords(entries[::-1])
                # Most are told by their bytes: to read one whole takes ten times as long.
                if search.within(at_ms) and all(word in (stored.body or b"") for word in words):
                    entry = reads.entry(stored)
                    entries += [entry] * search.finds(entry)
                    if len(entries) == limit:
                        return FoundRecords(entries[::-1])
    return FoundRecords(entries[::-1])

"""The first record of a session, found by when the session began; its other records are not read.

Records follow in order of time, but where a clock was set back: then the session is read from its end.
"""

import sqlite3
from contextlib import closing
from itertools import chain
from typing import Final

from remit.adapters.sqlite.reads import SEGMENT, back, chain_end
from remit.adapters.sqlite.segment import Stored, unpack
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.trace.encoding import decode_record

_CHAIN: Final = "SELECT no FROM chain WHERE at <= ? ORDER BY no DESC LIMIT 1"
_HOLDING: Final = f"{SEGMENT} WHERE segment.first <= ? ORDER BY segment.first DESC LIMIT 1"
_FROM: Final = f"{SEGMENT} WHERE segment.first >= ? AND segment.first < ? ORDER BY segment.first"


def first_of(conn: sqlite3.Connection, sid: str) -> Stored | None:
    """The first record made in session `sid`."""
    row = conn.execute("SELECT started FROM session WHERE sid = ?", (sid,)).fetchone()
    if row is None:
        return None
    first = _begun_at(conn, sid, row[0])
    if first is None:
        for earlier in back(conn, sid):
            first = earlier
    return first


def _begun_at(conn: sqlite3.Connection, sid: str, at: int) -> Stored | None:
    """The first record of `sid`, where it is among those made at that moment (ms since the epoch)."""
    row = conn.execute(_CHAIN, (at,)).fetchone()
    if row is None:
        return None
    start = row[0] << SEQ_BITS
    low, high = start, chain_end(conn, row[0]) + 1
    # Batches up to `low` begin before that moment; the one at `high`, if any, does not.
    while high - low > 1:
        first, count, *packed = conn.execute(_HOLDING, ((low + high) // 2,)).fetchone()
        if decode_record(next(unpack(first, count, *packed)).record).at < at:
            low = first + count - 1
        else:
            high = first
    # The last that begins before it may end with it.
    [begins] = conn.execute("SELECT max(first) FROM segment WHERE first <= ?", (max(low, start + 1),)).fetchone()
    with closing(conn.execute(_FROM, (begins, start + (1 << SEQ_BITS)))) as cursor:
        for stored in chain.from_iterable(unpack(*segment) for segment in cursor):
            record = decode_record(stored.record)
            if record.at > at:
                break
            if record.sid == sid and not stored.earlier:
                return stored
    return None

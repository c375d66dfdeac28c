"""The time of the end of a ledger: what its records were told that it is, no clock takes back."""

import sqlite3
from contextlib import closing
from pathlib import Path

from remit.adapters.sqlite.reads import SEGMENT, open_readonly
from remit.adapters.sqlite.segment import SegmentTorn, unpack
from remit.trace.encoding import decode_record
from remit.trace.members import Undecodable


def latest_ms(path: Path) -> int:
    """When the latest record of the last batch at `path` was made; 0 where there is none, or none can be read.

    Whoever opens the file says better what is wrong with it.
    """
    if not path.exists():
        return 0
    try:
        with closing(open_readonly(path)) as conn:
            row = conn.execute(f"{SEGMENT} ORDER BY segment.first DESC LIMIT 1").fetchone()
            return 0 if row is None else max(decode_record(stored.record).at for stored in unpack(*row))
    except (sqlite3.Error, SegmentTorn, Undecodable, ValueError):
        return 0

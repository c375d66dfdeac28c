"""The end of a ledger's file, looked at before anything is written behind it, and what a file is refused with."""

import sqlite3
from pathlib import Path
from typing import Final

from remit.adapters.sqlite import reads
from remit.adapters.sqlite.errors import damaged
from remit.adapters.sqlite.failing import unwritable
from remit.adapters.sqlite.segment import SegmentTorn
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.adapters.sqlite.verifying import rows_of
from remit.trace.links import check_links

_CHECKED_AT_START: Final = 256
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


def check_end(conn: sqlite3.Connection, path: Path) -> None:
    """Verify the last records; the rest is for `remit ledger verify`. Raises `LedgerDamaged`."""
    try:
        [last] = conn.execute("SELECT coalesce(max(no), 0) FROM chain").fetchone()
        base = last << SEQ_BITS
        stored = reads.stored_before(conn, base + _SEQ_MASK, base, _CHECKED_AT_START)
        findings = check_links(rows_of(stored, dict(conn.execute("SELECT no, name FROM chain"))))
        [behind] = conn.execute("SELECT coalesce(max(first), 0) FROM body").fetchone()
    except SegmentTorn as error:
        raise damaged(path, f"its end does not verify: {error}") from error
    if findings:
        raise damaged(path, f"its end does not verify: {findings[0]}")
    read = stored[-1].id if stored else base
    if read != reads.chain_end(conn, last) or behind > read:
        raise damaged(path, "its last records and their bodies do not go together")


def unopened(path: Path, error: sqlite3.DatabaseError) -> Exception:
    """What a file is refused with at which SQLite failed with `error`."""
    match error.sqlite_errorcode & 0xFF:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, f"its end does not verify: {error}")
        case sqlite3.SQLITE_CONSTRAINT | sqlite3.SQLITE_ERROR:
            return damaged(path, f"its tables contradict each other: {error}")
        case _:
            return unwritable(error)

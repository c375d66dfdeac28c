"""The end of a ledger's file, looked at before anything is written behind it, and what a file is refused with.

A ledger that is refused is evidence: its file and its log stay byte for byte as they were. SQLite moves a log into its
file, and removes it, when the last connection to them that may write is closed, also where what they make together is
damaged. So who looks cannot write, and stays until the one that can is closed. The index of the log (`-shm`) is no
part of that: whoever reads makes it anew.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from remit.adapters.sqlite import reads
from remit.adapters.sqlite.errors import damaged
from remit.adapters.sqlite.failure import unwritable
from remit.adapters.sqlite.schema import VERSION, check
from remit.adapters.sqlite.segment import SegmentTorn
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.adapters.sqlite.verification import at_rest, rows_of
from remit.trace.links import check_links

_CHECKED_AT_START: Final = 256
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


@contextmanager
def looked_at(path: Path) -> Generator[bool]:
    """Look at the ledger at `path`, which is in nobody's use, and keep its log where it is while the block runs.

    Gives whether its end was verified: one of an earlier schema has to be migrated first, and what cannot be looked at
    is better said by who opens it to write. Raises `LedgerDamaged`, `NotALedger`, `SchemaTooNew`.
    """
    if not path.is_file() or not path.stat().st_size:
        yield False
        return
    with closing(reads.open_readonly(path, immutable=at_rest(path))) as conn:
        yield _is_verified(conn, path)


def _is_verified(conn: sqlite3.Connection, path: Path) -> bool:
    try:
        if check(conn, path) != VERSION:
            return False
        check_end(conn, path)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            return False
        raise opening_error(path, error) from error
    return True


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


def opening_error(path: Path, error: sqlite3.DatabaseError) -> Exception:
    """What a file is refused with at which SQLite failed with `error`."""
    match error.sqlite_errorcode & 0xFF:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, f"its end does not verify: {error}")
        case sqlite3.SQLITE_CONSTRAINT | sqlite3.SQLITE_ERROR:
            return damaged(path, f"its tables contradict each other: {error}")
        case _:
            return unwritable(error)

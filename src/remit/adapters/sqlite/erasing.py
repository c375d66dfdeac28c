"""Erasing bodies: salt and bytes go, the record stays, and with it every hash over it.

A body's bytes lie in the database and, until it starts over, in the write-ahead log. SQLite overwrites what it frees
(`secure_delete`), and the log is moved and cut to nothing, as soon as nobody reads from it.
"""

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Final

from remit.adapters.sqlite.reads import stored_at
from remit.adapters.sqlite.segment import ERASED, body_head, unpack
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.facts.record import Ref
from remit.trace.chain import commitment
from remit.trace.encoding import decode_record

_TRIES: Final = 50
_BETWEEN_S: Final = 0.05


class SqliteBodies:
    """`ports.transparency.Bodies` of the ledger at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def erase(self, refs: Iterable[Ref]) -> bool:
        """See `ports.transparency.Bodies`. Raises `sqlite3.Error`."""
        with closing(self._open()) as conn:
            numbers: dict[str, int] = dict(conn.execute("SELECT name, no FROM chain"))
            return _erase(conn, [numbers[ref.chain] << SEQ_BITS | ref.seq for ref in refs])

    def unlike(self, refs: Iterable[Ref]) -> Ref | None:
        """See `ports.transparency.Bodies`. Raises `sqlite3.Error`."""
        with closing(self._open()) as conn:
            numbers: dict[str, int] = dict(conn.execute("SELECT name, no FROM chain"))
            for ref in refs:
                stored = stored_at(conn, numbers[ref.chain] << SEQ_BITS | ref.seq)
                if stored is None or stored.body is None:
                    return ref
                if commitment(stored.salt or b"", stored.body) != decode_record(stored.record).commitment:
                    return ref
            return None

    def finish(self) -> int:
        """See `ports.transparency.Bodies`. Raises `sqlite3.Error`."""
        with closing(self._open()) as conn:
            named = [row[0] for row in conn.execute("SELECT id FROM erased ORDER BY id")]
            left = [
                ident for ident in named if (stored := stored_at(conn, ident)) is not None and stored.body is not None
            ]
            if left:
                _erase(conn, left)
            return len(left)

    def _open(self) -> sqlite3.Connection:
        conn = sqlite3.connect(self._path, isolation_level=None, timeout=10)
        conn.execute("PRAGMA secure_delete = ON")
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("PRAGMA wal_autocheckpoint = 0")
        return conn


def _erase(conn: sqlite3.Connection, idents: Iterable[int]) -> bool:
    """One transaction; whether the log was cut afterwards."""
    conn.execute("BEGIN IMMEDIATE")
    try:
        firsts = [(ident, _first(conn, ident)) for ident in sorted(set(idents))]
        for first, group in groupby(firsts, key=lambda pair: pair[1]):
            gone = {ident for ident, _ in group}
            count, records, bodies = conn.execute(
                "SELECT count, records, bodies FROM segment JOIN body USING (first) WHERE first = ?", (first,)
            ).fetchone()
            packed = b"".join(
                body_head(ERASED)
                if stored.body is None or stored.id in gone
                else body_head(len(stored.body)) + (stored.salt or b"") + stored.body
                for stored in unpack(first, count, records, bodies)
            )
            conn.execute("UPDATE body SET bodies = ? WHERE first = ?", (packed, first))
        conn.execute("COMMIT")
    except BaseException:
        conn.execute("ROLLBACK")
        raise
    return _cut_log(conn)


def _first(conn: sqlite3.Connection, ident: int) -> int:
    [first] = conn.execute("SELECT max(first) FROM segment WHERE first <= ?", (ident,)).fetchone()
    return int(first)


def _cut_log(conn: sqlite3.Connection) -> bool:
    """Move the log into the database and cut it; False where others kept reading from it all the while."""
    conn.execute("PRAGMA busy_timeout = 200")
    for _ in range(_TRIES):
        # The bulk without holding anybody up, then the rest at once.
        conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        [busy, _, _] = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return True
        time.sleep(_BETWEEN_S)
    return False

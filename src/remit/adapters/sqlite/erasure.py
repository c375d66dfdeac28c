"""Erasing bodies: salt and bytes go, the record stays, and with it every hash over it.

A body's bytes lie in the database and, until it starts over, in the write-ahead log. SQLite overwrites what it frees
(`secure_delete`), and the log is moved and cut to nothing, as soon as nobody reads from it.

The ledger's writer needs the same lock: a transaction is of so many bytes that it takes milliseconds, and between two
of them the lock is free for as long as it was held. What a crash leaves undone is on record.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import groupby
from pathlib import Path
from typing import Final

from remit.adapters.sqlite.reads import stored_at
from remit.adapters.sqlite.segment import ERASED, body_head, unpack
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.facts.record import Ref
from remit.trace.chain import commitment
from remit.trace.encoding import decode_record

_BYTES_MAX: Final = 1024 * 1024
"""Of the segments of one transaction; a larger one is alone in its."""
_SEGMENTS_MAX: Final = 64
_BREATH_S: Final = 0.005
"""Longer than the writer waits before it asks again."""
_TRIES: Final = 150
_BETWEEN_S: Final = 0.05
_CUT_MS: Final = 20
"""While the log is cut nobody writes, and those who read from it are waited for."""


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
            idents = [row[0] for row in conn.execute("SELECT id FROM erased ORDER BY id")]
            unfinished = [
                ident for ident in idents if (stored := stored_at(conn, ident)) is not None and stored.body is not None
            ]
            if unfinished:
                _erase(conn, unfinished)
            return len(unfinished)

    def _open(self) -> sqlite3.Connection:
        conn = sqlite3.connect(self._path, isolation_level=None, timeout=10)
        conn.execute("PRAGMA secure_delete = ON")
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("PRAGMA wal_autocheckpoint = 0")
        return conn


def cut_leftover(conn: sqlite3.Connection) -> None:
    """Cut the log that a crash left, where something was ever erased: the start behind `conn` would go on with it.

    Who reads from it just now is not waited for: then it stays until the service is stopped, or erases.
    """
    [erased] = conn.execute("SELECT EXISTS (SELECT 1 FROM erased)").fetchone()
    if not erased:
        return
    [waits_ms] = conn.execute("PRAGMA busy_timeout").fetchone()
    conn.execute(f"PRAGMA busy_timeout = {_CUT_MS}")
    with suppress(sqlite3.OperationalError):
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    conn.execute(f"PRAGMA busy_timeout = {waits_ms}")


def _erase(conn: sqlite3.Connection, idents: Iterable[int]) -> bool:
    """Erase the bodies of `idents`, a portion after the other; whether the log was cut afterwards."""
    for portion in list(_portions(conn, idents)):
        held_s = _overwrite(conn, portion)
        # A portion's pages leave the log: it does not grow by all that is erased.
        conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        time.sleep(max(_BREATH_S, held_s))
    return _cut_log(conn)


def _portions(conn: sqlite3.Connection, idents: Iterable[int]) -> Iterator[list[tuple[int, set[int]]]]:
    """What one transaction each erases: of segments, by their first record, the bodies of these records."""
    portion: list[tuple[int, set[int]]] = []
    size = 0
    firsts = ((_first(conn, ident), ident) for ident in sorted(set(idents)))
    for first, group in groupby(firsts, key=lambda pair: pair[0]):
        [length] = conn.execute("SELECT length(bodies) FROM body WHERE first = ?", (first,)).fetchone()
        if portion and (size + length > _BYTES_MAX or len(portion) == _SEGMENTS_MAX):
            yield portion
            portion, size = [], 0
        portion.append((first, {ident for _, ident in group}))
        size += length
    if portion:
        yield portion


def _overwrite(conn: sqlite3.Connection, portion: Iterable[tuple[int, set[int]]]) -> float:
    """Erase `portion` in one transaction; for how many seconds it had the lock."""
    conn.execute("BEGIN IMMEDIATE")
    began_s = time.monotonic()
    try:
        for first, erased_ids in portion:
            count, records, bodies = conn.execute(
                "SELECT count, records, bodies FROM segment JOIN body USING (first) WHERE first = ?", (first,)
            ).fetchone()
            packed = b"".join(
                body_head(ERASED)
                if stored.body is None or stored.id in erased_ids
                else body_head(len(stored.body)) + (stored.salt or b"") + stored.body
                for stored in unpack(first, count, records, bodies)
            )
            conn.execute("UPDATE body SET bodies = ? WHERE first = ?", (packed, first))
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise
    return time.monotonic() - began_s


def _first(conn: sqlite3.Connection, ident: int) -> int:
    [first] = conn.execute("SELECT max(first) FROM segment WHERE first <= ?", (ident,)).fetchone()
    return int(first)


def _cut_log(conn: sqlite3.Connection) -> bool:
    """Move the log into the database and cut it; False where others kept reading from it all the while."""
    conn.execute(f"PRAGMA busy_timeout = {_CUT_MS}")
    for _ in range(_TRIES):
        # The bulk without holding anybody up, then the rest at once.
        conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        [busy, _, _] = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return True
        time.sleep(_BETWEEN_S)
    return False

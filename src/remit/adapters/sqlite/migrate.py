"""How an older ledger file becomes one of this version, within one transaction.

Records are kept as they are stored, and the tree over them. All else is a fold of them and is made anew: nothing that
an older version wrote there is read, so that no version of it is forgotten here.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from remit.adapters.sqlite import rows
from remit.adapters.sqlite.frames import frames_in
from remit.adapters.sqlite.reads import SEGMENT
from remit.adapters.sqlite.segment import ERASED, body_head, record_head, unpack
from remit.adapters.sqlite.state import State
from remit.adapters.sqlite.tables import RECORDS, SEQ_BITS, create
from remit.facts.record import Record, RecordKind, Ref
from remit.pdp.fold import fold
from remit.trace.chain import parts
from remit.trace.encoding import decode_body, decode_record

_FLUSH: Final = 1_000
_OLDEST: Final = "record"
"""The one table of version 0."""


class _RowOfVersion0(NamedTuple):
    seq: int
    record: bytes
    hash: bytes
    salt: bytes | None
    body: bytes | None


def migrate(conn: sqlite3.Connection, version: int) -> None:
    """Make the ledger behind `conn`, of an earlier `version`, one of this version, within the caller's transaction.

    Raises `SegmentTorn`, `sqlite3.Error`, `ValueError` or `OverflowError` for records that no service wrote.
    """
    for (table,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if table not in {*RECORDS, _OLDEST} and not table.startswith("sqlite_"):
            conn.execute(f'DROP TABLE "{table}"')
    create(conn)
    if version == 0:
        _move_records(conn)
        conn.execute("DROP TABLE record")
    else:
        _fold_records(conn)


def _move_records(conn: sqlite3.Connection) -> None:
    """Move the records of version 0, which had no state, and fold them."""
    names = sorted((row[0] for row in conn.execute("SELECT DISTINCT chain FROM record")), key=parts)
    state = State(conn)
    for name in names:
        cursor = conn.execute("SELECT seq, bytes, hash, salt, body FROM record WHERE chain = ? ORDER BY seq", (name,))
        for row in map(_RowOfVersion0._make, cursor):
            record = decode_record(row.record)
            earlier = _folded(state, record, row.body)
            ident = state.chains[name] << SEQ_BITS | row.seq
            head = record_head(len(row.record), earlier)
            conn.execute("INSERT INTO segment VALUES (?, 1, ?)", (ident, head + row.record + row.hash))
            body = body_head(ERASED) if row.body is None else body_head(len(row.body)) + (row.salt or b"") + row.body
            conn.execute("INSERT INTO body VALUES (?, ?)", (ident, body))
            if row.seq % _FLUSH == 0:
                rows.write(conn, state.take())
        rows.write(conn, state.take())
    if names:
        replica, _ = parts(names[-1])
        conn.execute("INSERT INTO meta VALUES ('replica', ?)", (replica,))


def _fold_records(conn: sqlite3.Connection) -> None:
    """Fold all records, those whose bodies were erased as far as the records of their erasures kept them."""
    kept = dict[str, bytes]()
    for record, body in _records(conn):
        if record.kind is RecordKind.ADMIN and body is not None:
            kept.update(frames_in(body))
    state = State(conn)
    for number, (record, body) in enumerate(_records(conn), 1):
        _folded(state, record, kept.get(str(Ref(record.chain, record.seq))) if body is None else body)
        if number % _FLUSH == 0:
            rows.write(conn, state.take())
    rows.write(conn, state.take())


def _folded(state: State, record: Record, body: bytes | None) -> int:
    ref = Ref(record.chain, record.seq)
    deltas = () if body is None else fold(ref, record.at, record.kind, decode_body(record.kind, body))
    return state.record(ref, record.sid, deltas)


def _records(conn: sqlite3.Connection) -> Iterator[tuple[Record, bytes | None]]:
    """All records in their order, with the bodies that are not erased; one batch at a time in memory."""
    firsts = [first for (first,) in conn.execute("SELECT first FROM segment ORDER BY first").fetchall()]
    for first in firsts:
        for row in conn.execute(f"{SEGMENT} WHERE segment.first = ?", (first,)).fetchall():
            for stored in unpack(*row):
                yield decode_record(stored.record), stored.body

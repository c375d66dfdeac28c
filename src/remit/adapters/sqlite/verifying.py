"""`remit ledger verify`: the whole file, read beside a running service or without any.

Rows come in short transactions, so that the service's log can start over meanwhile.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.sqlite.reads import SEGMENT, open_readonly
from remit.adapters.sqlite.schema import VERSION, check, foreign
from remit.adapters.sqlite.segment import SegmentTorn, Stored, unpack
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.facts.record import Ref
from remit.trace.verify import Finding, Report, Row, Verifier

_SEGMENTS: Final = 64
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


def verify_file(path: Path, progress: Callable[[int], None] | None = None) -> Report:
    """The report on the ledger at `path`, which may be in use; `progress` gets records so far.

    Opens it read-only. What SQLite itself cannot read is a finding. Raises `LedgerRefused` for
    a file that is not there, is no ledger, or has another schema than this version's.
    """
    if not path.is_file():
        raise LedgerRefused(f"{path} was not verified", "there is no such file", "remit ledger verify PATH")
    verifier = Verifier()
    seen = 0
    conn: sqlite3.Connection | None = None
    try:
        conn = _open(path)
        for row in _rows(conn):
            verifier.feed(row)
            seen += 1
            if progress is not None and seen % 10_000 == 0:
                progress(seen)
    except SegmentTorn as error:
        verifier.note(Finding(None, "chain-links", str(error)))
    except sqlite3.DatabaseError as error:
        verifier.note(Finding(None, "chain-links", f"SQLite cannot read it: {error}"))
    finally:
        if conn is not None:
            conn.close()
    if progress is not None:
        progress(seen)
    return verifier.report()


def copy_ledger(source: Path, target: Path) -> None:
    """A consistent copy of the ledger at `source`, in use or not, in one file at `target`."""
    reading = _open(source)
    try:
        writing = sqlite3.connect(target, isolation_level=None)
        try:
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode = DELETE")
        finally:
            writing.close()
    finally:
        reading.close()


def rows_of(stored: Iterable[Stored], chains: Mapping[int, str]) -> Iterator[Row]:
    """`stored` as verification takes it; `chains` gives names by number."""
    for item in stored:
        chain = chains.get(item.id >> SEQ_BITS)
        if chain is None:
            raise SegmentTorn(f"record {item.id} belongs to no chain of the file")
        yield Row(Ref(chain, item.id & _SEQ_MASK), item.record, item.hash, item.salt, item.body)


def _open(path: Path) -> sqlite3.Connection:
    # Without a log beside it the file is at rest, maybe where nothing can be written.
    beside = path.with_name(path.name + "-wal").exists()
    conn = open_readonly(path, immutable=not beside)
    try:
        version = check(conn, path)
    except sqlite3.DatabaseError as error:
        conn.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise foreign(path) from error
        raise
    except LedgerRefused:
        conn.close()
        raise
    if version == VERSION:
        return conn
    conn.close()
    if version is None:
        raise foreign(path)
    raise LedgerRefused(f"{path} was not verified", "its schema is an earlier one", "remit up, which migrates it")


def _rows(conn: sqlite3.Connection) -> Iterator[Row]:
    last = -1
    while True:
        chains = dict(conn.execute("SELECT no, name FROM chain"))
        page = conn.execute(
            f"{SEGMENT} WHERE segment.first > ? ORDER BY segment.first LIMIT ?", (last, _SEGMENTS)
        ).fetchall()
        if not page:
            return
        for segment in page:
            yield from rows_of(unpack(*segment), chains)
        last = page[-1][0]

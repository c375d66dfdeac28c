"""Every state table made anew from the records of a ledger, and compared with what it holds.

Nothing vouches for the state tables but the records: a service obeys them after a restart as it
finds them. So they are folded again into a temporary database of SQLite's own, which spills to
disk, beside the ledger attached as `held`; memory does not grow with the ledger. The tables that
hold the records and their tree are in `held` alone, so their names need no prefix.

A version that writes other state for the same records is another `schema.VERSION`: older files are folded anew then.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from remit.adapters.sqlite import rows
from remit.adapters.sqlite.reads import address
from remit.adapters.sqlite.segment import SegmentTorn
from remit.adapters.sqlite.state import State
from remit.adapters.sqlite.tables import RECORDS, SEQ_BITS, STATE, create
from remit.facts.record import Record, Ref
from remit.pdp.fold import fold
from remit.trace.bodies import Body

UNFOLDABLE: Final = (SegmentTorn, sqlite3.Error, ValueError, OverflowError)
"""What folding raises for records that no service wrote."""

_SCHEMA: Final = "SELECT type, name, trim(sql, char(10)) FROM {}.sqlite_master"
_BY_RECORD: Final = frozenset({"in_doubt", "outcome", "unanswered", "approval", "erased"})
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


class Refold:
    """The state of the ledger at `path`, made anew record by record.

    `conn` is in autocommit: who feeds opens transactions, commits them, and flushes before.
    """

    def __init__(self, path: Path, *, immutable: bool = False) -> None:
        self.conn: Final = sqlite3.connect("", uri=True, isolation_level=None, timeout=10)
        try:
            create(self.conn)
            self._schema = set(self.conn.execute(_SCHEMA.format("main")))
            for table in RECORDS:
                self.conn.execute(f"DROP TABLE {table}")
            self.conn.execute("PRAGMA journal_mode = OFF")
            self.conn.execute("PRAGMA cache_size = -32768")
            self.conn.execute("ATTACH ? AS held", (address(path, immutable=immutable),))
            self._state = State(self.conn)
        except BaseException:
            self.conn.close()
            raise

    def feed(self, ref: Ref, record: Record, body: Body) -> int:
        """Fold the next record; the record before it in its session, by id, 0 for none.

        Raises one of `UNFOLDABLE`.
        """
        return self._state.record(ref, record.sid, fold(ref, record.at, record.kind, body))

    def flush(self) -> None:
        """Write what was folded since the last flush."""
        rows.write(self.conn, self._state.take())

    def differences(self) -> Iterator[str]:
        """What the file holds beside its records that is not what they fold to: table, key, columns.

        Says no value but the key. Flush before.
        """
        schema = set(self.conn.execute(_SCHEMA.format("held")))
        for kind, name, _ in sorted(schema ^ self._schema, key=str):
            yield f"{kind} {name} is not as this version makes it"
        for table in STATE:
            for key, what in _differences(self.conn, table):
                yield f"{table} {self._key(table, key)}: {what}"
        yield from self._replica()

    def _key(self, table: str, key: object) -> str:
        if isinstance(key, int) and table in _BY_RECORD:
            names = {number: name for name, number in self._state.chains.items()}
            return f"{names.get(key >> SEQ_BITS, '?')}.{key & _SEQ_MASK}"
        return str(key)

    def _replica(self) -> Iterator[str]:
        """The name under which the next epoch begins; under another, what is open stays open."""
        chains = {row[0] for row in self.conn.execute("SELECT replica FROM main.chain")}
        replicas = {row[0] for row in self.conn.execute("SELECT value FROM held.meta WHERE name = 'replica'")}
        if chains and not replicas & chains:
            yield "meta replica: no chain of the file is its"


def _differences(conn: sqlite3.Connection, table: str) -> Iterator[tuple[object, str]]:
    """Keys of `table` and what is wrong there.

    By the primary key, which is each table's first column: a look-up per row and no sorting.
    """
    key, *others = [row[1] for row in conn.execute(f"PRAGMA main.table_info({table})")]
    unlike = [f"h.{name} IS NOT m.{name}" for name in others]
    differing = conn.execute(
        f"SELECT h.{key}, m.{key} IS NULL, {', '.join(unlike)} "  # noqa: S608
        f"FROM held.{table} AS h LEFT JOIN main.{table} AS m ON m.{key} = h.{key} "
        f"WHERE m.{key} IS NULL OR {' OR '.join(unlike)}"
    )
    for ident, extra, *changed in differing:
        names = ", ".join(name for name, differs in zip(others, changed, strict=True) if differs)
        yield ident, "no record says so" if extra else f"the records say otherwise of {names}"
    missing = conn.execute(
        f"SELECT {key} FROM main.{table} AS m "  # noqa: S608
        f"WHERE NOT EXISTS (SELECT 1 FROM held.{table} AS h WHERE h.{key} = m.{key})"
    )
    for (ident,) in missing:
        yield ident, "the records say so, the file does not"

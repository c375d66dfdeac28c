"""The one statement that makes a batch of records durable.

A view of the writing connection's own, `batch`, takes a batch as one row: its segment, its bodies, and for
each state table the rows that changed (`rows`). The view's trigger stores them. In autocommit that one INSERT is
the whole transaction, so the thread that commits gives the interpreter away once, and asks for it back once.

Most of what changes are counters of sessions, a row for nearly each record. Many of them are given to a second
view, `full`, as values of their own: read from JSON, each would cost three times as much.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from remit.adapters.sqlite import rows
from remit.adapters.sqlite.tables import STATE
from remit.facts.record import Receipt, Ref
from remit.pdp.deltas import Delta
from remit.ports.ledger import Draft

_COLUMNS: Final = ("first", "count", "records", "bodies", *STATE)
_SPREAD: Final = 64
_SPREAD_MIN: Final = 32
_VALUES: Final = tuple(f"{column}{row}" for row in range(_SPREAD) for column in ("no", "calls", "hard", "last"))

Item: TypeAlias = tuple[Ref, Draft, bytes, Sequence[Delta], "asyncio.Future[Receipt] | None"]
"""A record to be: its place, its draft, its encoded body, what it changes, and who waits for it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records ready to be made durable: as they lie in the file (`segment`), the first with the id `first`."""

    items: Sequence[Item]
    receipts: Sequence[Receipt]
    first: int
    records: bytes
    bodies: bytes
    changed: rows.Changed


def prepare(conn: sqlite3.Connection) -> None:
    """Make the views on `conn`, for `commit`; nothing of them lies in the file."""
    conn.execute("PRAGMA temp_store = MEMORY")
    program = [
        "INSERT INTO segment VALUES (NEW.first, NEW.count, NEW.records)",
        "INSERT INTO body VALUES (NEW.first, NEW.bodies)",
    ]
    for table in STATE:
        program += rows.statements(table, f"NEW.{table}")
    _view(conn, "batch", _COLUMNS, program)
    values = [f"NEW.{name}" for name in _VALUES]
    each = ", ".join(f"({', '.join(values[at : at + 4])})" for at in range(0, len(values), 4))
    _view(conn, "full", (*_COLUMNS, *_VALUES), [*program, f"REPLACE INTO activity VALUES {each}"])  # noqa: S608


def commit(conn: sqlite3.Connection, batch: Batch) -> None:
    """Make `batch` durable: one transaction. Raises `sqlite3.Error`."""
    changed = batch.changed
    active = changed.get("activity", ())
    values: list[object] = []
    if len(active) >= _SPREAD_MIN:
        changed = {**changed, "activity": active[_SPREAD:]}
        for row in active[:_SPREAD]:
            values += row
        # Written again, a row is the same row.
        values += active[0] * (_SPREAD - len(active))
    packed = [rows.packed(changed[table]) if changed.get(table) else None for table in STATE]
    statement = _INTO_FULL if values else _INTO_BATCH
    conn.execute(statement, (batch.first, len(batch.receipts), batch.records, batch.bodies, *packed, *values))


def _view(conn: sqlite3.Connection, name: str, columns: Sequence[str], program: Sequence[str]) -> None:
    conn.execute(f"CREATE TEMP VIEW {name} AS SELECT {', '.join(f'NULL AS {column}' for column in columns)}")
    conn.execute(f"CREATE TEMP TRIGGER store_{name} INSTEAD OF INSERT ON {name} BEGIN {'; '.join(program)}; END")


def _insert(name: str, width: int) -> str:
    return f"INSERT INTO {name} VALUES ({', '.join('?' * width)})"  # noqa: S608


_INTO_BATCH: Final = _insert("batch", len(_COLUMNS))
_INTO_FULL: Final = _insert("full", len(_COLUMNS) + len(_VALUES))

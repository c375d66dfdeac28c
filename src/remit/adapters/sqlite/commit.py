"""The one statement that makes a batch of records durable.

A view of the writing connection's own, `batch`, takes a batch as one row: its segment, its bodies, and for
each state table the rows that changed (`rows`). The view's trigger stores them. In autocommit that one INSERT is
the whole transaction, so the thread that commits gives the interpreter away once, and asks for it back once.
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
_INSERT: Final = f"INSERT INTO batch VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608


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
    """Make the view on `conn`, for `commit`; nothing of it lies in the file."""
    conn.execute("PRAGMA temp_store = MEMORY")
    names = ", ".join(f"NULL AS {name}" for name in _COLUMNS)
    conn.execute(f"CREATE TEMP VIEW batch AS SELECT {names}")
    program = [
        "INSERT INTO segment VALUES (NEW.first, NEW.count, NEW.records)",
        "INSERT INTO body VALUES (NEW.first, NEW.bodies)",
    ]
    for table in STATE:
        program += rows.statements(table, f"NEW.{table}")
    conn.execute(f"CREATE TEMP TRIGGER store INSTEAD OF INSERT ON batch BEGIN {'; '.join(program)}; END")


def commit(conn: sqlite3.Connection, batch: Batch) -> None:
    """Make `batch` durable: one transaction. Raises `sqlite3.Error`."""
    changed = [batch.changed.get(table) for table in STATE]
    conn.execute(_INSERT, (batch.first, len(batch.receipts), batch.records, batch.bodies, *changed))

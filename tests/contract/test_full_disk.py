"""Where a file beside the ledger takes no more, its error says so, and it goes on once there is room."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from remit.adapters.sqlite.incidents import SqliteIncidents
from remit.adapters.sqlite.outbox import SqliteOutbox
from remit.adapters.sqlite.sightings import SqliteSightings
from remit.discover.inventory import Inventory

FULL = "database or disk is full"
MUCH = "x" * 100_000


def filled(conn: sqlite3.Connection) -> None:
    """Let it have no page more, which SQLite tells as a disk that is full."""
    [pages] = conn.execute("PRAGMA page_count").fetchone()
    conn.execute(f"PRAGMA max_page_count = {pages}")


def emptied(conn: sqlite3.Connection) -> None:
    conn.execute("PRAGMA max_page_count = 100000")


def test_incidents(tmp_path: Path) -> None:
    store = SqliteIncidents(tmp_path / "incidents.sqlite3")
    filled(store._conn)  # pyright: ignore[reportPrivateUsage]
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match=FULL):
            store.save((), MUCH)
    emptied(store._conn)  # pyright: ignore[reportPrivateUsage]
    store.save((), "r0-1.7")
    assert store.mark() == "r0-1.7"
    store.close()


def test_sightings(tmp_path: Path) -> None:
    store = SqliteSightings(tmp_path / "discovery.sqlite3")
    filled(store._conn)  # pyright: ignore[reportPrivateUsage]
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match=FULL):
            store.save(Inventory(), (), {}, {"ledger": MUCH})
    emptied(store._conn)  # pyright: ignore[reportPrivateUsage]
    store.save(Inventory(), (), {}, {"ledger": "r0-1.7"})
    store.close()


def test_the_outbox(tmp_path: Path) -> None:
    async def run() -> None:
        store = SqliteOutbox(tmp_path / "outbox.sqlite3")
        assert await store.mark() == ""
        conn = store._open  # pyright: ignore[reportPrivateUsage]
        assert conn is not None
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(store._thread, filled, conn)  # pyright: ignore[reportPrivateUsage]
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError, match=FULL):
                await store.follow((), MUCH)
        await loop.run_in_executor(store._thread, emptied, conn)  # pyright: ignore[reportPrivateUsage]
        await store.follow((), "r0-1.7")
        assert await store.mark() == "r0-1.7"
        await store.close()

    asyncio.run(run())

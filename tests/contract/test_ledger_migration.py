"""Of an older file the records are kept, and all else is made anew: whatever an earlier version's tables were like."""

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.schema import VERSION
from remit.adapters.sqlite.tables import RECORDS, STATE, create
from tests.contract.ledger_world import Place, append_all
from tests.contract.test_ledger_erase import erasures_of
from tests.contract.test_ledger_erase import filled as written
from tests.contract.test_ledger_restored import FIRST, SINCE, Rows, rows

OLDER_TABLES: Final = (
    "CREATE TABLE stopped (what TEXT PRIMARY KEY, by TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL) STRICT",
    "INSERT INTO stopped VALUES ('agent:nobody', 'user:ana', 7, 'no record says so')",
    "CREATE TABLE approval (id INTEGER PRIMARY KEY, state TEXT NOT NULL, detail TEXT NOT NULL) STRICT",
    "INSERT INTO approval VALUES (1099511627777, 'executing', '{\"action\": 1}')",
    "CREATE TABLE open_intent (id INTEGER PRIMARY KEY, sids TEXT NOT NULL) STRICT",
    "CREATE INDEX in_doubt ON open_intent (id)",
)
"""As some earlier version had them, and two that no version has now."""
SCHEMA_OF_VERSION: Final = {15: "20866412"}
"""The schema of each version since it is told here: a table that changes takes a version of its own."""


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Rows]]:
    """A ledger of this version with something in every table, and bodies erased; and its state."""
    folder = tmp_path_factory.mktemp("current")

    async def fill() -> None:
        log, [erased, *_] = await written(folder)
        await append_all(log.ledger, [*FIRST, *SINCE])
        await erasures_of(log).erase([erased], "asked for by ana", "user:dpo")
        await log.close()

    asyncio.run(fill())
    place = Place(folder)
    return place.file.read_bytes(), dict(rows(place.file))


@pytest.mark.parametrize("version", range(1, VERSION))
def test_a_file_of_any_earlier_version_is_what_its_records_say(
    tmp_path: Path, current: tuple[bytes, dict[str, Rows]], version: int
) -> None:
    data, state = current
    place = Place(tmp_path)
    place.file.write_bytes(data)
    with closing(sqlite3.connect(place.file, isolation_level=None)) as conn:
        for table in STATE:
            conn.execute(f"DROP TABLE {table}")
        for statement in OLDER_TABLES:
            conn.execute(statement)
        conn.execute(f"PRAGMA user_version = {version}")
    before = kept(place.file)
    asyncio.run(place.open().close())
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)
    told = rows(place.file)
    for table in set(STATE) - {"chain", "open_intents", "in_doubt"}:
        assert told[table] == state[table], table
    assert len(told["stopped"]) == 2, "the one that no record tells of is gone"
    after = kept(place.file)
    assert {table: values[: len(before[table])] for table, values in after.items()} == before


def kept(file: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(file)) as conn:
        return {table: conn.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in RECORDS}


def test_tables_that_change_are_of_a_new_version() -> None:
    with closing(sqlite3.connect(":memory:")) as conn:
        create(conn)
        names = {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        statements = sorted(row[0].strip() for row in conn.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL"))
    assert names == {*RECORDS, *STATE}
    digest = hashlib.sha256("\n".join(statements).encode()).hexdigest()
    assert digest.startswith(SCHEMA_OF_VERSION[VERSION]), "raise VERSION in adapters/sqlite/schema.py; name it here"

"""Versions of the ledger's file: newer refused, older backed up and migrated, others left alone."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from remit.adapters.sqlite import LedgerRefused, NotALedger, SchemaTooNew, verify_file
from remit.adapters.sqlite import schema as schema_module
from remit.adapters.sqlite.migrate import migrate
from remit.adapters.sqlite.schema import APPLICATION, VERSION
from remit.facts.canonical import Json
from remit.facts.record import RecordKind, Ref
from remit.trace.bodies import AdminBody, Event, Status, StoreWrite
from remit.trace.links import LedgerRow
from remit.trace.verify import verify
from tests.contract.ledger_world import REPLICA, Place, append_all
from tests.contract.log_world import Log
from tests.contract.test_ledger_erase import erasures_of
from tests.core.recording import Step, action, outcome, stored

CHAINS = (f"{REPLICA}-9", f"{REPLICA}-10")


def version_0(path: Path) -> None:
    """A ledger as version 0 wrote it: eight epochs of nothing, then two with intents and an outcome."""
    rows: list[LedgerRow] = []
    heads: list[Json] = []
    for number in range(1, 9):
        rows += stored(f"{REPLICA}-{number}", [], heads=heads)
        heads = [{"chain": f"{REPLICA}-{number}", "seq": 1, "hash": rows[-1].hash.hex()}]
    first = stored(CHAINS[0], [Step(RecordKind.INTENT, "s1", action(source=["untrusted"]))], heads=heads)
    second = stored(
        CHAINS[1],
        [
            Step(RecordKind.INTENT, "s2", action(links=[("writer", "s2")])),
            Step(RecordKind.OUTCOME, "s2", outcome(f"{CHAINS[1]}.2", sids=["s2"], labels=["confidential"])),
            Step(RecordKind.INTENT, "s2", action(links=[("writer", "s2")])),
        ],
        heads=[{"chain": CHAINS[0], "seq": 2, "hash": first[-1].hash.hex()}],
    )
    assert verify([*rows, *first, *second]).clean
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute(f"PRAGMA application_id = {APPLICATION}")
    conn.execute(
        "CREATE TABLE record (chain TEXT NOT NULL, seq INTEGER NOT NULL, bytes BLOB NOT NULL, hash BLOB NOT NULL, "
        "salt BLOB, body BLOB, PRIMARY KEY (chain, seq))"
    )
    for row in [*second, *first, *rows]:
        values = (row.ref.chain, row.ref.seq, row.record, row.hash, row.salt, row.body)
        conn.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", values)
    conn.close()


def version_of(path: Path) -> int:
    conn = sqlite3.connect(path)
    try:
        return conn.execute("PRAGMA user_version").fetchone()[0]
    finally:
        conn.close()


@pytest.mark.asyncio
async def test_older_file_is_backed_up_then_migrated(tmp_path: Path) -> None:
    place = Place(tmp_path)
    version_0(place.file)
    before = place.file.read_bytes()
    ledger = place.open()
    assert ledger.chain == f"{REPLICA}-11"
    assert [str(item.ref) for item in await ledger.in_doubt()] == [f"{CHAINS[0]}.2", f"{CHAINS[1]}.4"]
    found = await ledger.outcome_of(Ref(CHAINS[1], 2))
    assert found is not None
    assert found.record.seq == 3
    session = await ledger.session("s2")
    assert session is not None
    assert (session.calls, session.labels) == (2, frozenset({"confidential"}))
    assert len(await ledger.entries(after=None, limit=10, sid="s2")) == 3
    await append_all(ledger, [Step(RecordKind.INTENT, "s2", action())])
    await ledger.close()
    assert version_of(place.file) == VERSION
    report = verify_file(place.file)
    assert (report.findings, report.records) == ((), 16)
    backup = tmp_path / "ledger.sqlite3.v0.bak"
    assert version_of(backup) == 0
    assert sorted(_old_rows(backup)) == sorted(_old_rows_of(before, tmp_path))


def _old_rows(path: Path) -> list[tuple[str, int, bytes, bytes, bytes, bytes]]:
    conn = sqlite3.connect(path)
    try:
        return conn.execute("SELECT * FROM record").fetchall()
    finally:
        conn.close()


def _old_rows_of(data: bytes, folder: Path) -> list[tuple[str, int, bytes, bytes, bytes, bytes]]:
    path = folder / "before.sqlite3"
    path.write_bytes(data)
    return _old_rows(path)


@pytest.mark.asyncio
async def test_backup_is_never_overwritten(tmp_path: Path) -> None:
    place = Place(tmp_path)
    version_0(place.file)
    backup = tmp_path / "ledger.sqlite3.v0.bak"
    backup.write_bytes(b"an earlier backup")
    await place.open().close()
    assert backup.read_bytes() == b"an earlier backup"


def test_migration_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path)
    version_0(place.file)

    def half(conn: sqlite3.Connection, version: int) -> None:
        migrate(conn, version)
        raise RuntimeError("power cut")

    monkeypatch.setattr(schema_module, "migrate", half)
    with pytest.raises(RuntimeError, match="power cut"):
        place.open()
    assert version_of(place.file) == 0
    assert len(_old_rows(place.file)) == 14


def test_newer_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    place = Place(tmp_path)
    asyncio.run(place.open().close())
    conn = sqlite3.connect(place.file)
    conn.execute(f"PRAGMA user_version = {VERSION + 1}")
    conn.close()
    before = place.file.read_bytes()
    with pytest.raises(SchemaTooNew, match=f"schema {VERSION + 1}, this one knows up to {VERSION}") as caught:
        place.open()
    assert "later version" in caught.value.next
    with pytest.raises(SchemaTooNew):
        verify_file(place.file)
    assert place.file.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database, but quite a long text " * 40, None], ids=["text", "other"])
def test_foreign_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes | None) -> None:
    place = Place(tmp_path)
    if content is None:
        conn = sqlite3.connect(place.file)
        conn.execute("CREATE TABLE other (x)")
        conn.close()
    else:
        place.file.write_bytes(content)
    before = place.file.read_bytes()
    with pytest.raises(NotALedger, match="it is no ledger of Remit"):
        place.open()
    assert place.file.read_bytes() == before


def test_older_file_is_not_verified_before_it_is_migrated(tmp_path: Path) -> None:
    version_0(tmp_path / "ledger.sqlite3")
    with pytest.raises(LedgerRefused, match="earlier"):
        verify_file(tmp_path / "ledger.sqlite3")


@pytest.mark.asyncio
async def test_a_file_of_version_1_gets_the_tables_of_stores_and_indices(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    await append_all(ledger, [Step(RecordKind.INTENT, "s1", action())])
    await ledger.close()
    conn = sqlite3.connect(place.file, isolation_level=None)
    for table in ("stored", "keyed", "origin"):
        conn.execute(f"DROP TABLE {table}")
    conn.execute("PRAGMA user_version = 1")
    conn.close()
    ledger = place.open()
    stored = StoreWrite(("files:a",), ("untrusted",))
    await append_all(ledger, [Step(RecordKind.INTENT, "s1", action(stored=stored))])
    assert await ledger.store_labels() == {"files:a": frozenset({"untrusted"})}
    await ledger.close()
    assert verify_file(place.file).findings == ()
    assert version_of(tmp_path / "ledger.sqlite3.v1.bak") == 1


@pytest.mark.asyncio
async def test_a_file_of_version_13_is_told_what_no_answer_ended_and_nobody_settled(tmp_path: Path) -> None:
    log = Log(tmp_path)
    await log.open()
    ends = [Status.OK, Status.LOST, Status.TIMEOUT, Status.UPSTREAM_ERROR, Status.LOST]
    intents = await append_all(log.ledger, [Step(RecordKind.INTENT, "s1", action())] * len(ends))
    told = [outcome(str(one.ref), status=end, result=None) for one, end in zip(intents, ends, strict=True)]
    await append_all(log.ledger, [Step(RecordKind.OUTCOME, "s1", one) for one in told])
    settled = AdminBody(Event.INTENT_SETTLED, "ana", told[2].intent, {"happened": True, "why": "seen"})
    await append_all(log.ledger, [Step(RecordKind.ADMIN, "", settled)])
    await erasures_of(log).erase([intents[4].ref], "asked for by ana", "user:dpo")
    await log.close()
    conn = sqlite3.connect(log.file, isolation_level=None)
    before = conn.execute("SELECT * FROM unanswered").fetchall()
    conn.execute("DROP TABLE unanswered")
    conn.execute("PRAGMA user_version = 13")
    conn.close()
    await log.open()
    listed = [(item.ref, item.status) for item in await log.ledger.unsettled_intents(after=None, limit=9)]
    assert listed == [(intents[1].ref, "lost"), (intents[3].ref, "upstream_error")], "one was erased"
    await log.close()
    conn = sqlite3.connect(log.file)
    assert conn.execute("SELECT * FROM unanswered").fetchall() == before
    conn.close()
    assert [status for _, status in before] == ["lost", "upstream_error", "lost"]
    assert verify_file(log.file).findings == ()
    assert version_of(tmp_path / "ledger.sqlite3.v13.bak") == 13

"""`verify_file` against checkpoints kept elsewhere: what was cut, deleted, edited, rewritten or put back is named."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from remit.adapters.notary import FolderNotary
from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.link_verification import verify_links
from remit.adapters.sqlite.tiles import Tiles
from remit.app.data.restoration import restore
from remit.facts.record import Ref
from remit.trace.comparison import KeptCheckpoint
from remit.trace.links import LedgerRow
from remit.trace.note import Checkpoint
from remit.trace.tree import leaf_hash, root_of
from tests.contract.ledger_world import REPLICA, SteadyClock
from tests.contract.log_world import Log, log_of, rechained, rows_of, written

AT = 30
CUT = "the end was cut off, or an older copy put in its place"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Log, KeptCheckpoint]:
    return log_of(tmp_path_factory.mktemp("log"), 40)


def findings(path: Path, *kept: KeptCheckpoint, only: str = "tree") -> list[str]:
    report = verify_file(path, against=kept)
    assert not report.clean
    return [str(finding) for finding in report.findings if finding.invariant == only]


def copy_of(log: Log, target: Path) -> Path:
    target.write_bytes(log.file.read_bytes())
    return target


def changed(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        for statement in statements:
            conn.execute(statement)
    return path


def edited(number: int, row: LedgerRow) -> LedgerRow:
    body = (row.body or b"").replace(b"because", b"becauze").replace(b":result", b":resulT")
    return replace(row, body=body) if number == AT else row


def test_what_nobody_touched_holds(world: tuple[Log, KeptCheckpoint]) -> None:
    log, kept = world
    assert verify_file(log.file, against=[kept, kept]).findings == ()


def test_a_cut_end_is_named_by_what_is_last(world: tuple[Log, KeptCheckpoint], tmp_path: Path) -> None:
    log, kept = world
    rows = rows_of(log.file)
    path = tmp_path / "cut.sqlite3"
    written(path, rows[: kept.checkpoint.size - 5], kept.checkpoint.origin)
    last = rows[kept.checkpoint.size - 6].ref
    assert verify_file(path).clean, "nothing in the file itself tells"
    assert findings(path, kept) == [
        f"{last}: tree: it is the last of {kept.checkpoint.size - 5} records, and kept.note has 5 more: {CUT}"
    ]


def test_a_cut_end_shows_in_the_ledgers_own_tree_too(world: tuple[Log, KeptCheckpoint], tmp_path: Path) -> None:
    log, _ = world
    rows = rows_of(log.file)
    with closing(sqlite3.connect(log.file)) as conn:
        signed = conn.execute("SELECT size FROM signed").fetchone()[0]
    path = copy_of(log, tmp_path / "lazy.sqlite3")
    for _ in range(len(rows) - signed + 1):
        changed(path, "DELETE FROM segment WHERE first = (SELECT max(first) FROM segment)")
        changed(path, "DELETE FROM body WHERE first = (SELECT max(first) FROM body)")
    assert any("the ledger's own tree goes on for" in one for one in findings(path))
    assert any("the ledger's own last checkpoint has" in one for one in findings(path))


def test_a_deleted_row_is_named(world: tuple[Log, KeptCheckpoint], tmp_path: Path) -> None:
    log, kept = world
    path = copy_of(log, tmp_path / "deleted.sqlite3")
    with closing(sqlite3.connect(path)) as conn:
        ids = [row[0] for row in conn.execute("SELECT first FROM segment ORDER BY first")]
        count = conn.execute("SELECT count FROM segment WHERE first = ?", (ids[5],)).fetchone()[0]
    changed(path, f"DELETE FROM segment WHERE first = {ids[5]}", f"DELETE FROM body WHERE first = {ids[5]}")
    gone = Ref(f"{REPLICA}-1", ids[5] & 0xFFFFFFFF)
    after = Ref(gone.chain, gone.seq + count)
    assert f"{after}: chain-links: expected here is seq {gone.seq}" in findings(path, kept, only="chain-links")
    assert f"{after}: tree: it is not the record that the ledger's own tree has there" in findings(path, kept)


def test_an_edited_body_is_named(world: tuple[Log, KeptCheckpoint], tmp_path: Path) -> None:
    log, kept = world
    rows = rows_of(log.file)
    path = copy_of(log, tmp_path / "edited.sqlite3")
    data = bytearray(path.read_bytes())
    at = data.index((rows[AT].salt or b"") + (rows[AT].body or b""))
    data[at + 40] ^= 1
    path.write_bytes(data)
    assert any(
        one.startswith(f"{rows[AT].ref}: chain-links: its body") for one in findings(path, kept, only="chain-links")
    )


def test_a_history_chained_anew_is_named_by_the_ledgers_own_tree(
    world: tuple[Log, KeptCheckpoint], tmp_path: Path
) -> None:
    log, kept = world
    rows = rows_of(log.file)
    path = tmp_path / "rechained.sqlite3"
    written(path, rechained(rows, edited), kept.checkpoint.origin)
    assert verify_file(path).clean, "its links hold, its state is what they fold to"
    with closing(sqlite3.connect(log.file)) as conn:
        tiles = conn.execute("SELECT * FROM tile").fetchall()
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.executemany("INSERT INTO tile VALUES (?, ?)", tiles)
    ref = rows[AT].ref
    assert findings(path) == [f"{ref}: tree: it is not the record that the ledger's own tree has there"]
    assert findings(path, kept)[1:] == [f"{ref}: tree: it is not the record of which kept.note is signed"]


def test_a_history_and_tree_made_anew_are_narrowed_down_by_what_was_kept(
    world: tuple[Log, KeptCheckpoint], tmp_path: Path
) -> None:
    log, kept = world
    rows = rows_of(log.file)
    path = tmp_path / "rechained.sqlite3"
    written(path, rechained(rows, edited), kept.checkpoint.origin)
    thief = FolderNotary(tmp_path / "keys", SteadyClock(), kept.checkpoint.origin)
    tree = Tiles(path)
    grown = tree.follow(save=True)
    tree.save(thief.sign(Checkpoint(kept.checkpoint.origin, grown.size, grown.root())))
    tiles = Tiles(log.file)
    whole = tiles.follow(save=False)
    early = log.notary.sign(Checkpoint(kept.checkpoint.origin, AT - 3, _root(rows, AT - 3)))
    earlier = KeptCheckpoint("early.note", early, Checkpoint.parse(early.text))
    found = findings(path, kept, earlier)
    last = rows[kept.checkpoint.size - 1].ref
    assert whole.size == len(rows)
    assert found[0].startswith(
        f"{rows[AT - 3].ref}: tree: from here to {last} one record or more is not what kept.note"
    )
    assert f"signed by key {thief.keys[0].id.hex()}, which is not among those known here" in found[1]


def _root(rows: list[LedgerRow], size: int) -> bytes:
    return root_of([leaf_hash(row.record) for row in rows[:size]])


def test_an_older_copy_that_went_on_is_named(world: tuple[Log, KeptCheckpoint], tmp_path: Path) -> None:
    log, kept = world
    rows = rows_of(log.file)
    path = tmp_path / "ledger.sqlite3"
    written(path, rows[:AT], kept.checkpoint.origin)
    again = Log(tmp_path)

    async def go_on() -> None:
        await again.open()
        await again.fill(60)
        await again.checkpoints.advance()
        await again.close()

    asyncio.run(go_on())
    assert any("one record or more is not what kept.note" in one for one in findings(path, kept))


def test_a_foreign_checkpoint_and_one_that_nobody_signed_are_named(
    world: tuple[Log, KeptCheckpoint], tmp_path: Path
) -> None:
    log, kept = world
    foreign = FolderNotary(tmp_path / "keys", SteadyClock(), "remit.dev/log/elsewhere")
    note = foreign.sign(Checkpoint("remit.dev/log/elsewhere", 3, bytes(32)))
    other = KeptCheckpoint("other.note", note, Checkpoint.parse(note.text))
    assert findings(log.file, other) == [
        f"file: tree: other.note is of another ledger, remit.dev/log/elsewhere; this one is {kept.checkpoint.origin}"
    ]
    text = kept.note.text.replace(f"\n{kept.checkpoint.size}\n", f"\n{kept.checkpoint.size - 1}\n")
    forged = replace(kept.note, text=text)
    found = findings(log.file, KeptCheckpoint("forged.note", forged, Checkpoint.parse(text)))
    assert "forged.note: the signature of key" in found[0]
    assert "it was forged or changed" in found[0]


def test_a_checkpoint_of_what_is_not_there_yet_is_named(world: tuple[Log, KeptCheckpoint]) -> None:
    log, kept = world
    rows = rows_of(log.file)
    note = log.notary.sign(Checkpoint(kept.checkpoint.origin, len(rows) + 7, bytes(32)))
    found = findings(log.file, KeptCheckpoint("future.note", note, Checkpoint.parse(note.text)))
    assert found == [f"{rows[-1].ref}: tree: it is the last of {len(rows)} records, and future.note has 7 more: {CUT}"]


def test_a_backup_that_was_restored_is_named_and_signs_as_another_log(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    log, kept = log_of(folder, 20)
    shutil.copy(log.file, tmp_path / "backup.sqlite3")

    async def go_on() -> KeptCheckpoint:
        await log.open()
        await log.fill(5)
        late = await log.kept("late.note")
        await log.close()
        return late

    late = asyncio.run(go_on())
    restore(tmp_path / "backup.sqlite3", log.file)
    new = asyncio.run(go_on())
    assert new.checkpoint.origin != kept.checkpoint.origin
    assert verify_file(log.file, against=[kept, new]).findings == (), "what the backup held, it still holds"
    assert verify_links(log.file, against=[kept, new]).findings == []
    [found] = findings(log.file, late)
    assert found.endswith("tree: it restored a backup that was older than late.note: what lay between is not here")
    assert [str(one) for one in verify_links(log.file, against=[late]).findings] == [found]

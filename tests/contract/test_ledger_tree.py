"""The tree beside the writer: a second behind at most, the same after a restart, made again where it is lost."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from remit.adapters.keyring import KeyringUnusable
from remit.adapters.notary import FolderNotary, verify_signature
from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.tiles import Tiles, TreeWrong
from remit.facts.record import RecordKind, Ref
from remit.ports.transparency import Unprovable
from remit.trace.bodies import AdminBody, Event
from remit.trace.note import Checkpoint, Key
from remit.trace.tree import Tree, leaf_hash, root_of
from remit.work.checkpoints import Checkpoints
from tests.consistency import check_consistency
from tests.contract.ledger_world import append_all, draft
from tests.contract.log_world import Log, log_of, rows_of
from tests.core.recording import Step, action


def root_by_records(path: Path, size: int) -> bytes:
    return root_of([leaf_hash(row.record) for row in rows_of(path)[:size]])


def changed(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(statement, values)


@pytest.mark.asyncio
async def test_a_checkpoint_is_over_what_is_durable_and_signed_by_a_key_the_ledger_names(tmp_path: Path) -> None:
    log = Log(tmp_path)
    await log.open()
    first = await log.kept()
    await log.fill(150)
    second = await log.kept()
    assert (first.checkpoint.size, second.checkpoint.size) == (2, 302)
    assert second.note.signed_by(log.notary.keys, verify_signature) == log.notary.keys[0]
    entry = await log.ledger.entry(Ref(log.ledger.chain, 2))
    assert entry is not None
    assert isinstance(entry.body, AdminBody)
    assert (entry.body.event, entry.body.data) == (Event.CHECKPOINT_KEY, {"key": str(log.notary.keys[0])})
    found = await log.checkpoints.since(first.checkpoint.size)
    check_consistency(2, first.checkpoint.root, 302, second.checkpoint.root, found.path)
    assert await log.kept() == second, "nothing is signed anew where nothing came"
    await log.close()
    assert root_by_records(log.file, 302) == second.checkpoint.root
    assert verify_file(log.file, against=[first, second]).clean


@pytest.mark.asyncio
async def test_every_record_is_proved_with_and_without_its_body(tmp_path: Path) -> None:
    log = Log(tmp_path)
    await log.open()
    await log.fill(140)
    for seq in (1, 2, 3, 256, 257, 282):
        ref = Ref(log.ledger.chain, seq)
        shown = await log.checkpoints.prove(ref, reveal=True)
        checkpoint, record = shown.check(log.notary.keys, verify_signature)
        assert (checkpoint.size, record.seq, shown.index) == (282, seq, seq - 1)
        assert (await log.checkpoints.prove(ref, reveal=False)).body is None
    with pytest.raises(KeyError):
        await log.checkpoints.prove(Ref(log.ledger.chain, 283), reveal=False)
    with pytest.raises(KeyError):
        await log.checkpoints.prove(Ref("r9999-1", 1), reveal=False)
    with pytest.raises(Unprovable, match="does not go on from 283"):
        await log.checkpoints.since(283)
    await log.close()


@pytest.mark.asyncio
async def test_nothing_is_proved_by_a_tile_that_was_changed(tmp_path: Path) -> None:
    log = Log(tmp_path)
    await log.open()
    await log.fill(140)
    near, far = Ref(log.ledger.chain, 5), Ref(log.ledger.chain, 282)
    await log.checkpoints.prove(near, reveal=False)
    with closing(sqlite3.connect(log.file)) as conn, conn:
        [tile] = conn.execute("SELECT hashes FROM tile WHERE id = 0").fetchone()
        conn.execute("UPDATE tile SET hashes = ? WHERE id = 0", (bytes(32) + tile[32:],))
    with pytest.raises(Unprovable, match=f"does not lead from {near} to the signed root"):
        await log.checkpoints.prove(near, reveal=False)
    (await log.checkpoints.prove(far, reveal=False)).check(log.notary.keys, verify_signature)
    await log.close()


@pytest.mark.asyncio
async def test_the_tree_goes_on_after_a_restart_and_is_made_again_where_it_is_lost(tmp_path: Path) -> None:
    log, kept = await asyncio.to_thread(log_of, tmp_path, 400)
    sizes = len(rows_of(log.file))
    for lose in ("", "DELETE FROM tile", "DELETE FROM tile WHERE id = 0", "DELETE FROM tile WHERE id = 1"):
        if lose:
            changed(log.file, lose)
        await log.open()
        found = await log.kept()
        size = found.checkpoint.size
        assert size > sizes
        sizes = size
        await log.close()
        assert root_by_records(log.file, size) == found.checkpoint.root
        assert verify_file(log.file, against=[kept, found]).clean


@pytest.mark.asyncio
async def test_the_tree_follows_many_pages_and_keeps_what_it_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remit.adapters.sqlite.tiles._SEGMENTS_MAX", 3)
    monkeypatch.setattr("remit.adapters.sqlite.tiles._TILES_MAX", 1)
    log = Log(tmp_path)
    await log.open()
    await append_all(log.ledger, [Step(RecordKind.INTENT, "s1", action())] * 2_000)
    tree = await asyncio.to_thread(log.tiles.follow, save=True)
    assert tree.size == 2_001
    await log.close()
    assert Tiles(log.file).follow(save=False).root() == tree.root() == root_by_records(log.file, 2_001)


@pytest.mark.asyncio
async def test_what_was_signed_is_never_signed_otherwise(tmp_path: Path) -> None:
    log, _ = await asyncio.to_thread(log_of, tmp_path, 40)
    await log.open()
    size = (await log.kept()).checkpoint.size
    await log.close()
    last = "WHERE first = (SELECT max(first) FROM segment)"
    cases = {
        f"DELETE FROM segment {last}": "the ledger fewer",
        f"UPDATE segment SET records = zeroblob(64) {last}": "segment",
        "UPDATE tile SET hashes = zeroblob(length(hashes))": "not the one that its tree ends with",
    }
    for change, why in cases.items():
        copy = log.place.copy()
        changed(copy, change)
        with pytest.raises(TreeWrong, match=why):
            Tiles(copy).follow(save=False)
    copy = log.place.copy()
    changed(copy, "UPDATE signed SET note = replace(note, ?, ?)", f"\n{size}\n", f"\n{size + 100}\n")
    with pytest.raises(TreeWrong, match="its end is gone"):
        Tiles(copy).follow(save=False)
    copy = log.place.copy()
    changed(copy, "UPDATE signed SET note = replace(note, ?, ?)", f"\n{size}\n", f"\n{size - 1}\n")
    with pytest.raises(TreeWrong, match="are not those that were signed"):
        Tiles(copy).follow(save=False)
    assert not verify_file(copy).clean


@pytest.mark.asyncio
async def test_a_cause_is_told_once_and_again_after_it_was_gone(tmp_path: Path) -> None:
    log = Log(tmp_path)
    await log.open()
    tiles, broken = log.tiles, [True]

    class Sometimes(Tiles):
        def follow(self, *, save: bool) -> Tree:
            if broken[0]:
                raise TreeWrong("the tree is not the ledger's")
            return tiles.follow(save=save)

    checkpoints = Checkpoints(Sometimes(log.file), log.notary, log.ledger.origin, log.record, log.place.clock)
    for _ in range(2):
        broken[0] = True
        with pytest.raises(Unprovable, match="not the ledger's"):
            await checkpoints.advance()
        await checkpoints.advance()
        before = checkpoints.signed()
        assert "not the ledger's" in before.why
        log.place.clock.at += 30_000
        assert checkpoints.signed().age_s == pytest.approx(before.age_s + 30)
        broken[0] = False
        await checkpoints.advance()
        after = checkpoints.signed()
        assert after.why == ""
        assert after.age_s < 1
        assert after.records > 0
    await log.close()


@pytest.mark.asyncio
async def test_keys_rotate_and_both_sign_for_a_day(tmp_path: Path) -> None:
    log = Log(tmp_path)
    await log.open()
    [old] = log.notary.keys
    kept = await log.kept()
    new = await log.checkpoints.rotate("admin")
    both = await log.kept("both.note")
    assert both.note.signed_by([old], verify_signature) == old
    assert both.note.signed_by([new], verify_signature) == new
    log.place.clock.at += 25 * 3600 * 1000
    await log.close()
    await log.open()
    assert tuple(log.notary.keys) == (new,)
    alone = await log.kept("alone.note")
    assert alone.note.signed_by([old], verify_signature) is None
    await log.close()
    assert verify_file(log.file, against=[kept, both, alone]).clean
    found = verify_file(log.file, against=[alone], trusted=[old])
    assert [str(finding) for finding in found.findings] == [
        f"file: tree: alone.note is signed by key {new.id.hex()}, which is not among those known here"
    ]


def test_a_key_is_asked_for_where_there_is_none_and_told_where_it_is_not_ours(tmp_path: Path) -> None:
    log = Log(tmp_path)
    with pytest.raises(KeyringUnusable, match="there is no key in"):
        FolderNotary(tmp_path / "checkpoint-keys", log.place.clock, "remit.dev/log/x", make=False)
    notary = FolderNotary(tmp_path / "checkpoint-keys", log.place.clock, "remit.dev/log/x")
    [key] = notary.unannounced_keys()
    notary.note_announced(key)
    assert not notary.unannounced_keys()
    assert Key.parse(next((tmp_path / "checkpoint-keys").glob("*.vkey")).read_text()) == key
    other = FolderNotary(tmp_path / "checkpoint-keys", log.place.clock, "remit.dev/log/y")
    assert [one.name for one in other.unannounced_keys()] == ["remit.dev/log/y"], "a key is named to each log"
    assert not verify_signature(b"short", b"", b"")


def test_a_checkpoint_is_what_it_says(tmp_path: Path) -> None:
    log, kept = log_of(tmp_path, 4)
    assert Checkpoint.parse(kept.note.text).origin.startswith("remit.dev/log/")
    assert log.file.is_file()


@pytest.mark.asyncio
async def test_a_file_of_version_2_is_backed_up_and_gets_its_tree(tmp_path: Path) -> None:
    log, _ = await asyncio.to_thread(log_of, tmp_path, 300)
    for table in ("tile", "signed", "erased"):
        changed(log.file, f"DROP TABLE {table}")
    changed(log.file, "DELETE FROM meta WHERE name = 'log'")
    changed(log.file, "PRAGMA user_version = 2")
    await log.open()
    kept = await log.kept()
    await log.close()
    assert root_by_records(log.file, kept.checkpoint.size) == kept.checkpoint.root
    assert verify_file(log.file, against=[kept]).clean
    assert log.file.with_name("ledger.sqlite3.v2.bak").is_file()


@pytest.mark.asyncio
async def test_a_clock_set_back_an_hour_is_told_and_nothing_hangs_on_it(tmp_path: Path) -> None:
    log = Log(tmp_path)
    await log.open()
    hour, now = 3_600_000, 1_795_867_200_000
    for at in (now, now + hour, now + 2 * hour, now + hour + 5, now + hour + 10):
        await log.ledger.append(draft(action(), at=at)).durable
    kept = await log.kept()
    await log.close()
    report = verify_file(log.file, against=[kept])
    assert report.clean
    back = next(by for ref, by in report.jumps if ref.seq == 5)
    assert back == hour - 5

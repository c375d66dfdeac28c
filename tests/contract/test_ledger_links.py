"""`verify_links`, several times as fast: what it sees of a file, and what of a kept checkpoint; mutants in small."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from proof.mutations import CLASSES, Hand, dump, in_full, incrementally, noticed
from remit.adapters.sqlite import LedgerRefused, verify_file
from remit.adapters.sqlite import link_verification as quick_module
from remit.adapters.sqlite.link_verification import verify_links
from remit.adapters.sqlite.mark import mark
from remit.app.cli import run
from remit.app.terminal.failure import Exit
from remit.facts.record import Ref
from remit.trace.comparison import KeptCheckpoint
from remit.trace.links import LedgerRow
from tests.contract.log_world import Log, log_of, rechained, rows_of, written

AT = 30


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Log, KeptCheckpoint]:
    return log_of(tmp_path_factory.mktemp("log"), 40)


def told(path: Path, *kept: KeptCheckpoint) -> list[str]:
    return [str(finding) for finding in verify_links(path, against=kept).findings]


def changed(log: Log, target: Path, *statements: str) -> Path:
    target.write_bytes(log.file.read_bytes())
    with closing(sqlite3.connect(target, isolation_level=None)) as conn:
        for statement in statements:
            conn.execute(statement)
    return target


def test_a_whole_ledger_holds_and_says_its_heads(world: tuple[Log, KeptCheckpoint]) -> None:
    log, kept = world
    seen: list[int] = []
    links, report = verify_links(log.file, seen.append, [kept]), verify_file(log.file)
    assert links.clean
    assert (links.records, tuple(links.heads.values()), seen) == (report.records, report.heads, [])
    assert links.keys == list(log.notary.keys)


STRAYS = {
    "INSERT INTO segment SELECT first + 1000, count, records FROM segment WHERE first = 1 << 40 | 1": (
        "chain-links: a row of records without bodies lies at r0102-1.1001"
    ),
    "INSERT INTO body SELECT first + (1 << 50), bodies FROM body WHERE first = 1 << 40 | 1": (
        "chain-links: a row of bodies of no record lies at ?.1"
    ),
    "INSERT INTO meta VALUES ('more', 'x')": "state: meta more: no version writes that",
    "UPDATE signed SET size = size + 1": "tree: a checkpoint of 83 records lies where one of 84 would",
    "INSERT INTO signed VALUES (1, 'nothing')": "tree: 2 checkpoints lie where the last one alone is kept",
}


@pytest.mark.parametrize("statement", STRAYS)
def test_a_row_that_belongs_to_no_record_is_found(
    world: tuple[Log, KeptCheckpoint], tmp_path: Path, statement: str
) -> None:
    log, kept = world
    path = changed(log, tmp_path / "stray.sqlite3", statement)
    for findings in (verify_links(path, against=[kept]).findings, verify_file(path, against=[kept]).findings):
        assert [str(finding) for finding in findings] == [f"file: {STRAYS[statement]}"]


def test_progress_is_told_by_the_ten_thousand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, _ = log_of(tmp_path, 10)
    monkeypatch.setattr(quick_module, "_TOLD_EACH", 7)
    seen: list[int] = []
    verify_links(log.file, seen.append)
    assert seen == [7, 14, 21]


def test_what_was_changed_is_named(world: tuple[Log, KeptCheckpoint], tmp_path: Path) -> None:
    log, kept = world
    rows = rows_of(log.file)
    path = changed(log, tmp_path / "edited.sqlite3")
    data = bytearray(path.read_bytes())
    data[data.index((rows[AT].salt or b"") + (rows[AT].body or b"")) + 40] ^= 1
    path.write_bytes(data)
    assert told(path, kept) == [f"{rows[AT].ref}: chain-links: its body is not the one it commits to"]
    data = bytearray(log.file.read_bytes())
    data[data.index(rows[AT].record) + len(rows[AT].record) - 80] ^= 1
    path.write_bytes(data)
    assert told(path, kept)[0] == f"{rows[AT].ref}: chain-links: its bytes do not hash to its hash"
    assert f"{rows[AT].ref}: tree: it is not the record of which kept.note is signed" in told(path, kept)


def test_what_is_gone_or_belongs_nowhere_is_named(world: tuple[Log, KeptCheckpoint], tmp_path: Path) -> None:
    log, kept = world
    one = "(SELECT first FROM segment ORDER BY first LIMIT 1 OFFSET 5)"
    path = changed(log, tmp_path / "gone.sqlite3", f"DELETE FROM segment WHERE first = {one}")
    assert any("expected here is seq" in finding for finding in told(path, kept))
    assert any("follow on another record" in finding for finding in told(path, kept))
    path = changed(log, tmp_path / "chain.sqlite3", "DELETE FROM chain WHERE no = 2")
    assert any("belongs to no chain of the file" in finding for finding in told(path))
    path = changed(log, tmp_path / "torn.sqlite3", "UPDATE body SET bodies = zeroblob(3)")
    assert any("ends early" in finding for finding in told(path))
    path = changed(log, tmp_path / "more.sqlite3", "UPDATE body SET bodies = CAST(bodies || zeroblob(3) AS BLOB)")
    assert any("holds more than its" in finding for finding in told(path))
    path.write_bytes(log.file.read_bytes()[:8192])
    assert any("SQLite cannot read it" in finding for finding in told(path))
    with pytest.raises(LedgerRefused, match="no such file"):
        verify_links(tmp_path / "none")


def test_epochs_name_the_end_of_the_one_before(world: tuple[Log, KeptCheckpoint], tmp_path: Path) -> None:
    log, _ = world
    rows = rows_of(log.file)
    first = next(number for number, row in enumerate(rows) if row.ref.chain.endswith("-2"))

    def headless(number: int, row: LedgerRow) -> LedgerRow:
        return replace(row, body=(row.body or b"").replace(b'"seq":', b'"sEq":')) if number == first else row

    path = tmp_path / "headless.sqlite3"
    written(path, rechained(rows, headless), "remit.dev/log/x")
    ref = Ref(rows[first].ref.chain, 1)
    assert told(path) == [f"{ref}: chain-links: it does not begin an epoch and name the end of the one before"]


def test_a_history_chained_anew_shows_against_what_was_kept(world: tuple[Log, KeptCheckpoint], tmp_path: Path) -> None:
    log, kept = world
    path = tmp_path / "rechained.sqlite3"
    made = rechained(rows_of(log.file), lambda number, row: replace(row, salt=bytes(16)) if number == AT else row)
    written(path, made, kept.checkpoint.origin)
    assert told(path) == []
    assert any("one record or more is not what kept.note" in finding for finding in told(path, kept))


def test_a_torn_page_is_named_whichever_it_is(world: tuple[Log, KeptCheckpoint], tmp_path: Path) -> None:
    log, kept = world
    whole, path = log.file.read_bytes(), tmp_path / "torn.sqlite3"
    for page in range(len(whole) // 4096):
        torn = bytearray(whole)
        torn[page * 4096 + 2048 : (page + 1) * 4096] = bytes(2048)
        path.write_bytes(torn)
        if dump(path) != dump(log.file):
            assert noticed(path, kept), f"page {page}"


def test_mutants_of_every_class_are_noticed(world: tuple[Log, KeptCheckpoint], tmp_path: Path) -> None:
    log, kept = world
    total, found = in_full(Hand(log, kept, tmp_path, seed=7), len(CLASSES) * 3)
    assert found == total
    assert set(total) == set(CLASSES)
    total, found = incrementally(log, kept, seed=7, count=200)
    assert (found, sum(total.values())) == (total, 200)


def test_an_older_copy_in_its_place_is_behind_its_mark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, _ = log_of(tmp_path, 4)
    older = log.file.read_bytes()
    asyncio.run(gone_on(log))
    made = mark(log.file)
    assert made is not None
    assert run(["ledger", "verify", "--data", str(tmp_path)]) == Exit.OK
    log.file.write_bytes(older)
    assert verify_file(log.file).clean, "to itself it is whole"
    for flags in ((), ("--links",)):
        assert run(["ledger", "verify", "--data", str(tmp_path), *flags]) == Exit.NEGATIVE
        said = f"its end is lost: it had come to {made.chain}.{made.seq}, which is not in it"
        assert said in capsys.readouterr().out
    log.file.with_name("ledger.mark").write_text("{")
    assert run(["ledger", "verify", "--data", str(tmp_path)]) == Exit.NEGATIVE
    assert "ledger.mark cannot be read" in capsys.readouterr().out
    copy = log.file.rename(tmp_path / "copy.sqlite3")
    assert run(["ledger", "verify", str(copy)]) == Exit.OK, "the mark is of another file"


async def gone_on(log: Log) -> None:
    await log.open()
    await log.fill(1)
    await log.close()

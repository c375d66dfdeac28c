"""A torn end: a write-ahead log and a database that are cut, or hold other bytes, at every sector.

What is opened holds a part of what was appended, from its start, unchanged; or it is refused, by a name; or, where the
damage is out of the start's sight, `remit ledger verify` names it. Nothing is ever made up.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

from remit.adapters.sqlite import LedgerRefused, verify_file
from remit.facts.record import RecordKind
from remit.pep.memory import Memory
from remit.trace.bodies import AdminBody, Event
from tests.contract.faulty_disk import SECTOR_BYTES
from tests.contract.ledger_world import FRAME_BYTES, WAL_HEAD_BYTES, Place, append_all, log_end
from tests.contract.test_ledger_failures import hashes
from tests.core.recording import Step, action, outcome

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from remit.adapters.sqlite import SqliteLedger

ROUNDS: Final = 12
WAL: Final = "ledger.sqlite3-wal"


@dataclass
class Left:
    """What a process left: its files while it ran, and after it had ended; each record's hash, in order."""

    running: Path
    ended: Path
    records: list[tuple[str, str]]


@pytest.fixture
def memory() -> Iterator[Path]:
    under = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="remit-torn-", dir=under if under.is_dir() else None) as folder:
        yield Path(folder)


async def work(ledger: SqliteLedger, number: int) -> None:
    """A batch: two intents, one of which ends, and something of every other state table."""
    intents = [Step(RecordKind.INTENT, f"s{number}", action(links=[("a", f"s{number}")])) for _ in range(2)]
    first, _ = await append_all(ledger, intents)
    revoked = AdminBody(Event.TOKEN_REVOKED, "ann", f"t{number}", {"expires_ms": 1})
    ended = outcome(str(first.ref), labels=("untrusted",), sids=(f"s{number}",))
    await append_all(ledger, [Step(RecordKind.OUTCOME, f"s{number}", ended), Step(RecordKind.ADMIN, "", revoked)])


@pytest_asyncio.fixture
async def left(memory: Path) -> AsyncGenerator[Left]:
    place = Place(memory / "ended")
    ledger = place.open()
    for number in range(ROUNDS):
        await work(ledger, number)
    records = list((await hashes(ledger)).items())
    running = memory / "running"
    shutil.copytree(place.folder, running, ignore=shutil.ignore_patterns("*-shm", "lock"))
    await ledger.close()
    yield Left(running, place.folder, records)


async def found(folder: Path, left: Left) -> str:
    """What became of a damaged ledger: `whole`, `part`, `refused` or `named`; anything else fails."""
    place = Place(folder)
    try:
        ledger = place.open()
    except LedgerRefused as refused:
        named = str(place.file) in refused.what and refused.why and refused.next
        return "refused" if named else "refused without a word"
    try:
        try:
            await Memory(ledger).load(place.clock.now_ms())
            there = list((await hashes(ledger)).items())
        except LedgerRefused:
            there = None
    finally:
        await ledger.close()
    report = verify_file(place.file)
    if report.findings:
        return "named"
    assert there is not None
    kept = [one for one in there if not one[0].startswith(ledger.chain)]
    assert kept == left.records[: len(kept)], "what is there was appended, in that order, from the first on"
    assert report.uncompared is None
    return "whole" if len(kept) == len(left.records) else "part"


async def each(
    left: Left, of: Path, name: str, change: Callable[[bytearray, int], None], starts: range
) -> Counter[str]:
    """How often what was found, over the sectors of `name` that begin at `starts`."""
    seen: Counter[str] = Counter()
    data = (of / name).read_bytes()
    for start in starts:
        folder = of.parent / "changed"
        shutil.copytree(of, folder)
        torn = bytearray(data)
        change(torn, start)
        (folder / name).write_bytes(torn)
        seen[await found(folder, left)] += 1
        shutil.rmtree(folder)
    return seen


def cut(data: bytearray, start: int) -> None:
    del data[start:]


def emptied(data: bytearray, start: int) -> None:
    end = min(start + SECTOR_BYTES, len(data))
    data[start:end] = bytes(end - start)


def garbled(data: bytearray, start: int) -> None:
    end = min(start + SECTOR_BYTES, len(data))
    data[start:end] = Random(start).randbytes(end - start)


CHANGES: Final = pytest.mark.parametrize("change", [cut, emptied, garbled], ids=lambda one: one.__name__)


@pytest.mark.asyncio
@CHANGES
async def test_a_log_torn_in_its_last_frames_gives_what_was_committed_before(
    left: Left, change: Callable[[bytearray, int], None]
) -> None:
    size = log_end(left.running / WAL)
    starts = range((size - 12 * FRAME_BYTES) // SECTOR_BYTES * SECTOR_BYTES, size, SECTOR_BYTES)
    seen = await each(left, left.running, WAL, change, starts)
    assert seen["part"]
    assert seen.keys() <= {"part", "whole"}, "of a log SQLite takes what its sums vouch for"


@pytest.mark.asyncio
@CHANGES
async def test_a_log_torn_anywhere_gives_what_was_committed_before(
    left: Left, change: Callable[[bytearray, int], None]
) -> None:
    size = log_end(left.running / WAL)
    seen = await each(left, left.running, WAL, change, range(0, size, 23 * SECTOR_BYTES))
    assert seen.keys() <= {"part", "whole"}


@pytest.mark.asyncio
@CHANGES
async def test_a_database_torn_at_any_sector_is_refused_or_named(
    left: Left, change: Callable[[bytearray, int], None]
) -> None:
    size = (left.ended / "ledger.sqlite3").stat().st_size
    assert not (left.ended / WAL).exists()
    # A file of no bytes is where a ledger begins.
    seen = await each(left, left.ended, "ledger.sqlite3", change, range(SECTOR_BYTES, size, SECTOR_BYTES))
    assert seen["refused"]
    assert not seen["refused without a word"]
    assert not seen["part"], "no record of a database is lost unseen"


def moves(file: Path, how: str) -> None:
    """Move the log of `file` into it, as far as nobody reads."""
    with closing(sqlite3.connect(file, isolation_level=None)) as conn:
        conn.execute(f"PRAGMA wal_checkpoint({how})")


def reader(file: Path) -> sqlite3.Connection:
    """While it is open, the log of `file` does not start over."""
    conn = sqlite3.connect(file, isolation_level=None)
    conn.execute("BEGIN")
    conn.execute("SELECT count(*) FROM meta").fetchone()
    return conn


async def refusal(place: Place) -> LedgerRefused | None:
    """What a start at `place` is refused with."""
    try:
        await place.open().close()
    except LedgerRefused as refused:
        return refused
    return None


@pytest.mark.asyncio
async def test_a_start_that_is_refused_leaves_file_and_log_as_they_were(memory: Path) -> None:
    """A log that was moved into its file and lost its end since: what both make together is no ledger."""
    place = Place(memory / "whole")
    ledger = place.open()
    for number in range(ROUNDS):
        await work(ledger, number)
    moves(place.file, "RESTART")
    await work(ledger, ROUNDS)
    with closing(reader(place.file)):
        for number in range(ROUNDS + 1, 2 * ROUNDS):
            await work(ledger, number)
        last = reader(place.file)
    with closing(last):
        moves(place.file, "PASSIVE")
        whole = {name: (place.folder / name).read_bytes() for name in (place.file.name, WAL)}
    await ledger.close()
    refused = 0
    for frames in range(1, 30, 2):
        torn = Place(memory / str(frames))
        torn.folder.mkdir()
        there = {**whole, WAL: whole[WAL][: WAL_HEAD_BYTES + frames * FRAME_BYTES + SECTOR_BYTES]}
        for name, data in there.items():
            (torn.folder / name).write_bytes(data)
        for _ in range(2):
            said = await refusal(torn)
            if said is not None:
                refused += 1
                assert f"remit ledger restore BACKUP --data {torn.folder}" in said.next
                assert {name: (torn.folder / name).read_bytes() for name in there} == there
    assert refused >= 4

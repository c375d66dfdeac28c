"""Bad days of the ledger: full disks, failed writes, killed processes, a second process, a changed byte.

Always: what was acknowledged is still there, the file verifies, and nothing is appended after the failure.
"""

import asyncio
import gc
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from proof.child import child
from remit.adapters.sqlite import DataInUse, LedgerDamaged, SqliteLedger, open_ledger, verify_file
from remit.adapters.system import SystemClock, SystemEntropy
from remit.facts.record import Receipt, RecordKind, Ref
from remit.ports.ledger import LedgerUnwritable
from tests.contract.ledger_world import Place, append_all, draft, flip, log_end
from tests.core.recording import Step, action

ROOT = Path(__file__).resolve().parents[2]
CALLERS = 8


@contextmanager
def writing(folder: Path, *more: str) -> Generator[subprocess.Popen[str]]:
    """A process that appends to the ledger in `folder` until it is killed or cannot."""
    command = [sys.executable, "-m", "tests.contract.ledger_world", str(folder), *more]
    with child(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)) as process:
        yield process


def said(process: subprocess.Popen[str], lines: int | None = None) -> list[str]:
    """Whole lines of its stdout: the next `lines`, or the rest."""
    assert process.stdout is not None
    if lines is not None:
        return [process.stdout.readline().rstrip("\n") for _ in range(lines)]
    text = process.stdout.read()
    return text[: text.rfind("\n") + 1].splitlines()


async def hashes(ledger: SqliteLedger) -> dict[str, str]:
    """Every record of the ledger: its hash by its reference."""
    found: dict[str, str] = {}
    after: Ref | None = None
    while page := await ledger.entries(after=after, limit=500, sid=None):
        after = Ref(page[-1].record.chain, page[-1].record.seq)
        found |= {f"{entry.record.chain}.{entry.record.seq}": entry.hash for entry in page}
    return found


async def check_survivors(folder: Path, acknowledged: list[str]) -> None:
    """Everything acknowledged is there, all of it verifies, the in-doubt list is exact."""
    ledger = open_ledger(folder / "ledger.sqlite3", SystemClock(), SystemEntropy())
    try:
        found = await hashes(ledger)
        assert dict(line.split(" ") for line in acknowledged).items() <= found.items()
        intents = {ref for ref in found if not ref.endswith(".1")}
        assert {str(item.ref) for item in await ledger.in_doubt()} == intents
    finally:
        await ledger.close()
    report = verify_file(folder / "ledger.sqlite3")
    assert report.findings == ()


def test_killed_process_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        [_chain, *first] = said(process, 200)
        process.send_signal(signal.SIGKILL)
        acknowledged = first + said(process)
    assert len(acknowledged) >= 199
    asyncio.run(check_survivors(tmp_path, acknowledged))


def test_full_disk_refuses_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with writing(tmp_path, str(600_000)) as process:
        lines = said(process)
        assert process.wait(60) == 0
    refused = [line for line in lines if line.startswith("refused ")]
    acknowledged = [line for line in lines[1:] if not line.startswith("refused ")]
    assert len(refused) == CALLERS
    assert all(line.startswith("refused LedgerUnwritable the ledger cannot be written: ") for line in refused)
    assert len(acknowledged) > 20
    asyncio.run(check_survivors(tmp_path, acknowledged))


class Failing(sqlite3.Connection):
    """A connection of which the statement `left` from now fails as a disk does; 0: none does.

    With `done` the statement was carried out all the same: nobody knows of a failed write.
    """

    left = 0
    done = False

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        mine = type(self)
        mine.left -= 1
        if mine.left != 0:
            return super().execute(*arguments)
        if mine.done:
            super().execute(*arguments)
        raise sqlite3.OperationalError("disk I/O error")


async def append_on(ledger: SqliteLedger) -> tuple[list[str], list[str]]:
    """A lone record and a pair, three times over: what was acknowledged, and what was refused."""
    acknowledged: list[str] = []
    refused: list[str] = []
    for number in range(6):
        try:
            pending = [ledger.append(draft(action(), sid=f"s{number}")) for _ in range(1 + number % 2)]
        except LedgerUnwritable as error:
            refused.append(str(error))
            continue
        for ended in await asyncio.gather(*(item.durable for item in pending), return_exceptions=True):
            match ended:
                case Receipt(ref, digest):
                    acknowledged.append(f"{ref} {digest}")
                case _:
                    assert isinstance(ended, LedgerUnwritable)
                    refused.append(str(ended))
    return acknowledged, refused


async def fails(ledger: SqliteLedger, place: Place, why: str, mend: Callable[[], None]) -> bool:
    """Append until a write fails, if it comes to that; `mend`, and see that all is as it was acknowledged."""
    acknowledged, refused = await append_on(ledger)
    assert all(why in text for text in refused)
    assert (ledger.unwritable() is None) == (not refused)
    if refused:
        with pytest.raises(LedgerUnwritable, match=why):
            ledger.append(draft(action()))
    mend()
    await ledger.close()
    assert (ledger.in_doubt_count is None) == bool(refused), (
        "what is in doubt is told by a ledger that was written to its end"
    )
    await check_survivors(place.folder, acknowledged)
    return bool(refused)


@pytest.mark.asyncio
@pytest.mark.parametrize("done", [False, True], ids=["not done", "done, but said to have failed"])
async def test_failure_of_any_statement_poisons_the_writer(tmp_path: Path, *, done: bool) -> None:
    reached = 0
    for statement in range(1, 60):

        class Disk(Failing):
            pass

        place = Place(tmp_path / str(statement))
        ledger = place.open(Disk)
        Disk.left, Disk.done = statement, done
        if not await fails(ledger, place, "disk I/O error", partial(setattr, Disk, "left", 0)):
            break
        reached = statement
    assert 14 <= reached < 59, "each statement of several batches failed once: what is read, and the one that commits"


class Interrupted(sqlite3.Connection):
    """A connection whose database engine stops after `left` more of its own steps."""

    left = sys.maxsize

    def obey(self) -> None:
        self.set_progress_handler(self.step, 1)

    def step(self) -> bool:
        self.left -= 1
        return self.left == 0


@pytest.mark.asyncio
async def test_failure_at_any_step_of_a_batch_leaves_nothing_of_it(tmp_path: Path) -> None:
    """Segment, bodies and state are written by one statement: it stops between any two of its steps."""
    opened: list[Interrupted] = []

    class Disk(Interrupted):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            opened.append(self)

    reached = 0
    for step in range(1, 100_000, 41):
        place = Place(tmp_path / str(step))
        ledger = place.open(Disk)
        conn = opened.pop()
        conn.left = step
        conn.obey()
        if not await fails(ledger, place, "interrupted", partial(conn.set_progress_handler, None, 0)):
            break
        reached += 1
    assert reached > 40


@pytest.mark.asyncio
async def test_failure_of_any_write_to_the_disk_poisons_the_writer(tmp_path: Path) -> None:
    """The operating system refuses to let a file grow, by a few bytes more each time."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    mend = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most))
    reached = 0
    for pages in range(200):
        place = Place(tmp_path / str(pages))
        ledger = place.open()
        size = log_end(place.file.with_name(f"{place.file.name}-wal"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + pages * 4_096, most))
        try:
            failed = await fails(ledger, place, "cannot be written: ", mend)
        finally:
            mend()
        if not failed:
            break
        reached += 1
    assert reached > 20


@pytest.mark.asyncio
async def test_record_nobody_waits_for_may_fail_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Disk(Failing):
        pass

    ledger = Place(tmp_path).open(Disk)
    Disk.left = 1
    ledger.append(draft(action()))
    await ledger.close()
    gc.collect()
    assert [record.name for record in caplog.records] == ["remit.adapters.sqlite.failure"], "the loop complains too"


def test_second_process_is_told_who_holds_the_data(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        said(process, 2)
        with pytest.raises(DataInUse) as caught:
            Place(tmp_path).open()
        assert caught.value.pid == process.pid
        assert str(process.pid) in str(caught.value)
        assert caught.value.next


@pytest.mark.asyncio
async def test_folder_is_free_again_after_closing_or_failing_to_open(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    with pytest.raises(DataInUse) as caught:
        place.open()
    assert caught.value.pid == os.getpid()
    await ledger.close()
    flip(place.file, b'"epoch"')
    for _ in range(2):
        with pytest.raises(LedgerDamaged):
            place.open()


@pytest.mark.asyncio
async def test_damaged_end_is_not_appended_to(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    await append_all(ledger, [Step(RecordKind.INTENT, "s1", action(arguments=b'"telltale"'))])
    await ledger.close()
    before = place.file.read_bytes()
    flip(place.file, b"telltale")
    damaged = place.file.read_bytes()
    with pytest.raises(LedgerDamaged, match=r"r0102-1\.2: chain-links: its body commits to") as caught:
        place.open()
    assert f"remit ledger verify {place.file}" in caught.value.next
    assert place.file.read_bytes() == damaged
    place.file.write_bytes(before)
    await place.open().close()


def test_file_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.file.mkdir()
    with pytest.raises(LedgerUnwritable, match="cannot be written: unable to open database file"):
        place.open()


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.rglob("*")}


@pytest.mark.asyncio
async def test_data_is_private_to_its_owner(tmp_path: Path) -> None:
    place = Place(tmp_path / "data")
    ledger = place.open()
    await append_all(ledger, [Step(RecordKind.INTENT, "s1", action())])
    assert modes(tmp_path) == {
        "data": 0o700,
        "ledger.sqlite3": 0o600,
        "ledger.sqlite3-wal": 0o600,
        "ledger.sqlite3-shm": 0o600,
        "lock": 0o600,
    }
    await ledger.close()

"""Bad days of the ledger: full disks, failed writes, killed processes, a second process, a changed byte.

Always: what was acknowledged is still there, the file verifies, and nothing is appended after the failure.
"""

import asyncio
import gc
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.sqlite import DataInUse, LedgerDamaged, SqliteLedger, open_ledger, verify_file
from remit.adapters.system import SystemClock, SystemEntropy
from remit.facts.record import Receipt, RecordKind, Ref
from remit.ports.ledger import LedgerUnwritable
from tests.contract.ledger_world import Place, append_all, draft, flip
from tests.core.recording import Step, action

ROOT = Path(__file__).resolve().parents[2]
CALLERS = 8


@contextmanager
def writing(folder: Path, *more: str) -> Generator[subprocess.Popen[str]]:
    """A process that appends to the ledger in `folder` until it is killed or cannot."""
    command = [sys.executable, "-m", "tests.contract.ledger_world", str(folder), *more]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


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


async def fail_at(place: Place, statement: int, *, done: bool) -> bool:
    """Append until statement number `statement` fails; whether it came to that."""

    class Disk(Failing):
        pass

    ledger = place.open(Disk)
    Disk.left, Disk.done = statement, done
    acknowledged: list[str] = []
    refused: list[str] = []
    for _ in range(3):
        try:
            pending = [ledger.append(draft(action())), ledger.append(draft(action()))]
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
    assert all("disk I/O error" in text for text in refused)
    assert (ledger.unwritable() is None) == (not refused)
    if refused:
        with pytest.raises(LedgerUnwritable, match="disk I/O error"):
            ledger.append(draft(action()))
    Disk.left = 0
    await ledger.close()
    await check_survivors(place.folder, acknowledged)
    return bool(refused)


@pytest.mark.asyncio
@pytest.mark.parametrize("done", [False, True], ids=["not done", "done, but said to have failed"])
async def test_failure_of_any_statement_poisons_the_writer(tmp_path: Path, *, done: bool) -> None:
    reached = 0
    for statement in range(1, 60):
        folder = tmp_path / str(statement)
        folder.mkdir()
        if not await fail_at(Place(folder), statement, done=done):
            break
        reached = statement
    assert 14 <= reached < 59, "each statement of several batches failed once"


@pytest.mark.asyncio
async def test_record_nobody_waits_for_may_fail_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Disk(Failing):
        pass

    ledger = Place(tmp_path).open(Disk)
    Disk.left = 1
    ledger.append(draft(action()))
    await ledger.close()
    gc.collect()
    assert caplog.records == []


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
    assert caught.value.next == f"remit ledger verify {place.file}"
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

"""`verify_file`: beside a writing service, on copies, on what was changed or cut."""

import asyncio
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from remit.adapters.sqlite import LedgerRefused, NotALedger, copy_ledger, verify_file
from remit.adapters.sqlite.link_verification import verify_links
from remit.facts.record import RecordKind, Ref
from tests.contract.ledger_world import REPLICA, Place, append_all, draft, flip
from tests.core.recording import Step, action, outcome

CHAIN = f"{REPLICA}-1"


async def fill(place: Place, count: int = 300) -> None:
    ledger = place.open()
    arguments = b'{"text":"a telltale sentence %d"}'
    await append_all(
        ledger, [Step(RecordKind.INTENT, "s1", action(arguments=arguments % number)) for number in range(count)]
    )
    await append_all(ledger, [Step(RecordKind.OUTCOME, "s1", outcome(f"{CHAIN}.2"))])
    await ledger.close()


@pytest.mark.asyncio
async def test_clean_file_at_rest(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await fill(place)
    seen: list[int] = []
    report = verify_file(place.file, seen.append)
    assert report.clean
    assert (report.records, report.chains, report.intents, report.outcomes) == (302, 1, 300, 1)
    assert report.open == tuple(Ref(CHAIN, seq) for seq in range(3, 302))
    assert seen == [302]
    assert sorted(os.listdir(tmp_path)) == ["ledger.sqlite3", "lock"], "it leaves nothing"  # noqa: PTH208


@pytest.mark.asyncio
async def test_file_is_verified_while_the_service_writes(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    going = True

    async def write() -> int:
        written = 0
        while going:
            await asyncio.gather(*(ledger.append(draft(action())).durable for _ in range(40)))
            written += 40
        return written

    writing = asyncio.create_task(write())
    for _ in range(3):
        report = await asyncio.to_thread(verify_file, place.file)
        assert report.findings == ()
    going = False
    written = await writing
    assert (await asyncio.to_thread(verify_file, place.file)).records == written + 1
    await ledger.close()


@pytest.mark.asyncio
async def test_copy_of_a_ledger_in_use_verifies_by_itself(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    await append_all(ledger, [Step(RecordKind.INTENT, "s1", action())] * 20)
    copy = tmp_path / "elsewhere" / "copy.sqlite3"
    copy.parent.mkdir()
    copy_ledger(place.file, copy)
    assert os.listdir(copy.parent) == ["copy.sqlite3"]  # noqa: PTH208
    await append_all(ledger, [Step(RecordKind.INTENT, "s1", action())])
    copy.parent.chmod(0o500)
    report = verify_file(copy)
    copy.parent.chmod(0o700)
    assert (report.clean, report.records) == (True, 21)
    await ledger.close()


@pytest.mark.asyncio
async def test_changed_byte_is_found_in_the_record_that_holds_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await fill(place)
    copy = place.copy()
    flip(copy, b'sentence 17"')
    report = verify_file(copy)
    assert [str(finding.ref) for finding in report.findings] == [f"{CHAIN}.19"]
    assert report.findings[0].invariant == "chain-links"
    assert "its body commits to" in report.findings[0].what
    assert verify_file(place.file).clean


@pytest.mark.asyncio
async def test_changed_byte_of_a_record_is_found(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await fill(place)
    copy = place.copy()
    flip(copy, b'["r0102-1",100,')
    assert {str(finding.ref) for finding in verify_file(copy).findings} == {f"{CHAIN}.100"}


@pytest.mark.asyncio
async def test_no_byte_changes_what_the_ledger_says_unseen(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await fill(place, 12)
    data = place.file.read_bytes()
    clean = verify_file(place.file)
    copy = tmp_path / "copy.sqlite3"
    for at in range(0, len(data), 211):
        changed = bytearray(data)
        changed[at] ^= 0x55
        copy.write_bytes(changed)
        try:
            report = verify_file(copy)
        except LedgerRefused:
            continue
        # A byte that nothing is stored in, or that state is stored in, may change; a record may not.
        assert not report.clean or report == clean, at


@pytest.mark.asyncio
async def test_truncated_file_is_a_finding(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await fill(place)
    copy = place.copy()
    copy.write_bytes(copy.read_bytes()[:-40_000])
    report = verify_file(copy)
    assert not report.clean
    assert [(one.ref, one.invariant) for one in report.findings] == [(None, "chain-links"), (None, "pages")]


def longer(file: Path) -> None:
    """Two pages behind the last, which the header counts and nothing holds."""
    data = bytearray(file.read_bytes())
    size = int.from_bytes(data[28:32]) + 2
    data[28:32] = size.to_bytes(4)
    file.write_bytes(data + bytes(2 * 4_096))


def twice_in_use(file: Path) -> None:
    """A page of bodies that is free, too: the next write takes it."""
    with closing(sqlite3.connect(file)) as conn:
        [root] = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tile'").fetchone()
    data = bytearray(file.read_bytes())
    data[32:40] = root.to_bytes(4) + (1).to_bytes(4)
    file.write_bytes(data)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("change", "said"),
    [(longer, r"Page \d+ is never used, and 1 more"), (twice_in_use, r".*2nd reference to page \d+")],
)
async def test_pages_that_do_not_go_together_are_a_finding_though_all_can_be_read(
    tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    place = Place(tmp_path)
    await fill(place)
    clean = verify_file(place.file)
    change(place.file)
    for report in (verify_file(place.file), verify_links(place.file)):
        assert re.search(rf"^file: pages: {said}$", "\n".join(map(str, report.findings)), re.MULTILINE)
        assert {finding.invariant for finding in report.findings} == {"pages"}
        assert report.records == clean.records
        assert not report.clean


def test_missing_file_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerRefused, match="there is no such file"):
        verify_file(tmp_path / "none.sqlite3")
    other = tmp_path / "other.sqlite3"
    other.write_bytes(b"no database at all " * 100)
    with pytest.raises(NotALedger):
        verify_file(other)
    empty = tmp_path / "empty.sqlite3"
    empty.touch()
    with pytest.raises(NotALedger):
        verify_file(empty)

"""The write-ahead log: as long as it will be from the first, and written over from then on."""

from __future__ import annotations

import resource
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from remit.adapters.sqlite import verify_file
from tests.contract.ledger_world import Place, draft
from tests.contract.test_ledger_failures import hashes
from tests.core.recording import action

if TYPE_CHECKING:
    from pathlib import Path

LONG: Final = 8 * 1024 * 1024


def log_of(place: Place) -> Path:
    return place.file.with_name(f"{place.file.name}-wal")


@pytest.mark.asyncio
async def test_log_is_as_long_from_its_first_record_on_as_one_caller_ever_makes_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    try:
        size = log_of(place).stat().st_size
        assert size >= LONG
        for _ in range(2_000):
            await ledger.append(draft(action())).durable
        assert log_of(place).stat().st_size == size, "a log that grows costs each commit twice the time"
    finally:
        await ledger.close()
    assert not log_of(place).exists()
    assert verify_file(place.file).clean


@pytest.mark.asyncio
async def test_a_disk_without_room_for_the_log_keeps_its_room_for_records(tmp_path: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LONG // 2, most))
    try:
        place = Place(tmp_path)
        ledger = place.open()
        try:
            assert log_of(place).stat().st_size < LONG // 4
            await ledger.append(draft(action())).durable
        finally:
            await ledger.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert verify_file(place.file).clean


@pytest.mark.asyncio
async def test_zeros_behind_the_frames_are_no_frames(tmp_path: Path) -> None:
    place = Place(tmp_path / "running")
    ledger = place.open()
    receipts = [await ledger.append(draft(action())).durable for _ in range(20)]
    left = tmp_path / "left"
    shutil.copytree(place.folder, left, ignore=shutil.ignore_patterns("*-shm", "lock"))
    await ledger.close()
    assert log_of(Place(left)).stat().st_size >= LONG
    again = Place(left).open()
    try:
        there = await hashes(again)
    finally:
        await again.close()
    assert [there[f"{one.ref}"] for one in receipts] == [one.hash for one in receipts]


@pytest.mark.asyncio
async def test_closing_waits_a_moment_for_a_reader_and_leaves_him_the_log(tmp_path: Path) -> None:
    waits_ms: list[int] = []

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if sql == "PRAGMA wal_checkpoint(TRUNCATE)":
                waits_ms.extend(super().execute("PRAGMA busy_timeout").fetchone())
            return super().execute(sql, parameters)

    place = Place(tmp_path)
    ledger = place.open(Watched)
    await ledger.append(draft(action())).durable
    with closing(sqlite3.connect(place.file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM segment").fetchone()
        await ledger.append(draft(action())).durable
        await ledger.close()
        assert log_of(place).exists()
    assert waits_ms == [1_000], "a supervisor waits for that, too"
    ledger = place.open()
    assert await ledger.count() == 4, "two beginnings and two intents"
    await ledger.close()

"""A disk that fails the Nth write or sync, for every N of a scripted run; one that loses its power there; a torn end.

The run is the service's own: calls through the driver, one by one and together. Always: what was answered is on disk,
nothing was sent without its intent there, and what is on disk verifies. What cannot be read is refused, and named.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, cast

import pytest

from remit.adapters.sqlite import LedgerDamaged, LedgerRefused, SqliteLedger, open_ledger, verify_file
from remit.facts.agent import Authority, Link
from remit.facts.canonical import canonical
from remit.facts.record import RecordKind
from remit.pep.answer import Client, Refused, Released
from remit.pep.driver import Driver
from remit.policy.verdict import Code
from remit.ports.ledger import LedgerUnwritable
from remit.ports.upstream import Era
from remit.trace.bodies import ActionBody, OutcomeBody
from tests.contract.faulty_disk import SECTOR_BYTES, Disk, Ends, faulty, library
from tests.e2e.gateway_parts import DEFINITIONS, Told
from tests.e2e.gateway_world import CLOCK, ENTROPY, catalog, compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from remit.policy.compile import Bundle

FRAME_BYTES: Final = 4_096 + 24
PAGE_BYTES: Final = 4_096
needs_library = pytest.mark.skipif(library() is None, reason="Python's SQLite is not a library of its own")


@cache
def bundle() -> Bundle:
    return compiled(catalog("http://unused", DEFINITIONS))


@dataclass
class Run:
    """What a run of the script has come to: the texts that were sent, and those that were answered."""

    trace: list[str] = field(default_factory=list[str])
    answered: list[str] = field(default_factory=list[str])
    refused: list[str] = field(default_factory=list[str])

    @property
    def sent(self) -> set[str]:
        return {line.removeprefix("called echo ") for line in self.trace if line.startswith("called ")}


def file_of(folder: Path) -> Path:
    return folder / "ledger.sqlite3"


async def script(folder: Path, run: Run, mend: Callable[[], None] = lambda: None) -> None:
    """A start, calls one by one, calls together, a call after whatever went wrong, an end."""
    try:
        ledger = open_ledger(file_of(folder), CLOCK, ENTROPY)
    except LedgerUnwritable as error:
        assert "cannot be written: " in str(error)
        return
    driver = Driver(ledger, CLOCK, bundle, {"shop": Told(DEFINITIONS, run.trace)})
    await driver.load()

    async def call(text: str) -> None:
        authority = Authority((Link("clerk", f"s{len(text) % 3}"),), "ann", "t1", 2**52)
        given = {"text": text}
        answer = await driver.call_tool(authority, Client(Era.STATELESS), "shop", "echo", given, canonical(given))
        if isinstance(answer, Released):
            run.answered.append(canonical(given).decode())
        else:
            assert isinstance(answer, Refused), answer
            assert answer.reasons[0].code is Code.LEDGER_UNWRITABLE
            run.refused.append(canonical(given).decode())

    for number in range(3):
        await call(f"alone {number}")
    await asyncio.gather(*(call(f"together {number}") for number in range(5)))
    await call("large " + "x" * 20_000)
    if ledger.unwritable() is not None:
        before = set(run.sent)
        mend()
        await call("after the failure")
        assert run.sent == before, "it is denied for good, though the disk is mended"
    await ledger.close()


async def check(folder: Path, run: Run) -> None:
    """What was answered is there, nothing was sent without its intent, all of it verifies, the list is exact."""
    ledger = open_ledger(file_of(folder), CLOCK, ENTROPY)
    try:
        intents, outcomes = await recorded(ledger)
        assert run.sent <= set(intents.values())
        ended = {intents[ref] for ref in outcomes}
        assert set(run.answered) <= ended
        assert {str(one.ref) for one in await ledger.in_doubt()} == set(intents) - outcomes
    finally:
        await ledger.close()
    report = verify_file(file_of(folder))
    assert report.findings == ()
    assert report.uncompared is None


async def recorded(ledger: SqliteLedger) -> tuple[dict[str, str], set[str]]:
    """Arguments by intent, and the intents that have an outcome."""
    intents: dict[str, str] = {}
    outcomes: set[str] = set()
    for entry in await ledger.entries(after=None, limit=1_000, sid=None):
        body = entry.body
        if entry.record.kind is RecordKind.INTENT:
            intents[f"{entry.record.chain}.{entry.record.seq}"] = cast("ActionBody", body).arguments.decode()
        elif isinstance(body, OutcomeBody):
            outcomes.add(body.intent)
    return intents, outcomes


async def struck(folder: Path, at: int, ends: Ends, run: Run) -> Disk:
    """The script on a disk that `ends` at its operation `at`."""
    with faulty(Disk(folder, Random(at), at, ends)) as disk:
        await script(folder, run, disk.mend if ends is not Ends.LOSES_POWER else lambda: None)
    return disk


async def started(folder: Path) -> Run:
    """A folder in which the script ran once, undisturbed."""
    folder.mkdir()
    run = Run()
    await script(folder, run)
    assert len(run.answered) == 9
    return run


@needs_library
@pytest.mark.asyncio
@pytest.mark.parametrize("fresh", [True, False], ids=["the first start", "a later start"])
@pytest.mark.parametrize("ends", [Ends.FAILS, Ends.FAILS_ONCE, Ends.IS_FULL], ids=lambda one: one.name.lower())
async def test_a_disk_that_fails_any_write_or_sync(tmp_path: Path, ends: Ends, *, fresh: bool) -> None:
    before = Run() if fresh else await started(tmp_path / "start")
    at = 0
    while True:
        at += 1
        folder = place(tmp_path, at, fresh=fresh)
        run = Run(list(before.trace), list(before.answered))
        disk = await struck(folder, at, ends, run)
        if disk.count < at:
            break
        await check(folder, run)
    assert at > 60, "each operation of a start, of lone and joint commits, and of the last checkpoint failed once"


@needs_library
@pytest.mark.asyncio
@pytest.mark.parametrize("fresh", [True, False], ids=["the first start", "a later start"])
async def test_a_disk_that_loses_its_power_at_any_write_or_sync(tmp_path: Path, *, fresh: bool) -> None:
    """Of what was not synced, any sectors are there when it is back."""
    before = Run() if fresh else await started(tmp_path / "start")
    at = 0
    while True:
        at += 1
        folder = place(tmp_path, at, fresh=fresh)
        run = Run(list(before.trace), list(before.answered))
        disk = await struck(folder, at, Ends.LOSES_POWER, run)
        if disk.count < at:
            break
        after = tmp_path / f"after-{at}"
        after.mkdir()
        for path, data in disk.left().items():
            (after / path.name).write_bytes(data)
        await check(after, run)
    assert at > 60


def place(tmp_path: Path, at: int, *, fresh: bool) -> Path:
    folder = tmp_path / f"at-{at}"
    if fresh:
        folder.mkdir()
    else:
        shutil.copytree(tmp_path / "start", folder)
    return folder

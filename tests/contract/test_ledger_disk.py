"""A disk that fails the Nth write or sync, for every N of a scripted run; one that loses its power there.

The run is the service's own: calls through the driver, one by one and together. Always: what was answered is on disk,
nothing was sent without its intent there, and what is on disk verifies.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from remit.adapters.sqlite import SqliteLedger, open_ledger, verify_file
from remit.facts.agent import Authority, Link
from remit.facts.canonical import canonical
from remit.facts.record import RecordKind
from remit.pep.answer import Client, Refused, Released
from remit.pep.driver import Driver
from remit.policy.verdict import Code
from remit.ports.ledger import LedgerUnwritable
from remit.ports.upstream import Era
from remit.trace.bodies import ActionBody, OutcomeBody
from tests.contract.faulty_disk import Disk, Ends, faulty, library
from tests.e2e.gateway_parts import DEFINITIONS, Told
from tests.e2e.gateway_world import CLOCK, ENTROPY, catalog, compiled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from remit.policy.compile import Bundle

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


async def script(
    folder: Path,
    run: Run,
    mend: Callable[[], None] = lambda: None,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> None:
    """A start, calls one by one, calls together, a call after whatever went wrong, an end."""
    try:
        ledger = open_ledger(file_of(folder), CLOCK, ENTROPY, factory)
    except LedgerUnwritable:
        return
    driver = Driver(ledger, CLOCK, bundle, {"shop": Told(DEFINITIONS, run.trace)})
    await driver.authorization.load()

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
    run = Run()
    await script(folder, run)
    assert len(run.answered) == 9
    return run


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder whose syncs cost nothing: what they would do is what the tests are about."""
    under = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="remit-disk-", dir=under if under.is_dir() else None) as folder:
        yield Path(folder)


async def at_each(
    folder: Path, ends: Ends, *, fresh: bool, step: int, look: Callable[[int, Run, Disk], Awaitable[None]]
) -> int:
    """The script, struck at each `step`th operation; how many operations there are."""
    (folder / "start").mkdir()
    before = Run() if fresh else await started(folder / "start")
    at = 1
    while True:
        here = folder / f"at-{at}"
        if fresh:
            here.mkdir()
        else:
            shutil.copytree(folder / "start", here)
        run = Run(list(before.trace), list(before.answered))
        disk = await struck(here, at, ends, run)
        if disk.count < at:
            return disk.count
        await look(at, run, disk)
        shutil.rmtree(here)
        at += step


FRESH: Final = pytest.mark.parametrize("fresh", [True, False], ids=["the first start", "a later start"])


@needs_library
@pytest.mark.asyncio
@FRESH
@pytest.mark.parametrize(
    ("ends", "step"), [(Ends.FAILS, 1), (Ends.FAILS_ONCE, 3), (Ends.IS_FULL, 3)], ids=["for good", "once", "full"]
)
async def test_a_disk_that_fails_any_write_or_sync(memory: Path, ends: Ends, step: int, *, fresh: bool) -> None:
    async def look(_at: int, run: Run, disk: Disk) -> None:
        await check(disk.folder, run)

    count = await at_each(memory, ends, fresh=fresh, step=step, look=look)
    assert count > 60, "those of a start, of lone and joint commits, and of the last checkpoint"


@needs_library
@pytest.mark.asyncio
@FRESH
async def test_a_disk_that_loses_its_power_at_any_write_or_sync(memory: Path, *, fresh: bool) -> None:
    """Of what was not synced, any sectors are there when it is back."""

    async def look(at: int, run: Run, disk: Disk) -> None:
        after = memory / f"after-{at}"
        after.mkdir()
        for path, data in disk.left().items():
            (after / path.name).write_bytes(data)
        await check(after, run)

    assert await at_each(memory, Ends.LOSES_POWER, fresh=fresh, step=1, look=look) > 60


class Unsynced(sqlite3.Connection):
    """A connection that does not wait for the disk."""

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        return super().execute(sql.replace("synchronous = FULL", "synchronous = OFF"), *arguments)


@needs_library
@pytest.mark.asyncio
async def test_a_ledger_that_does_not_wait_for_the_disk_is_noticed(memory: Path) -> None:
    run, after = Run(), memory / "after"
    (memory / "here").mkdir()
    with faulty(Disk(memory / "here", Random(3), 120, Ends.LOSES_POWER)) as disk:
        await script(memory / "here", run, factory=Unsynced)
    assert run.answered
    after.mkdir()
    for path in disk.left():
        # As long as nobody synced, the disk may have nothing.
        (after / path.name).write_bytes(disk.synced[path])
    with pytest.raises(AssertionError):
        await check(after, run)

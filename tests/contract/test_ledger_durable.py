"""Who waits for a record that somebody else appended: told by the ledger, and never for longer than some seconds."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.sqlite import SqliteLedger
from remit.adapters.sqlite import writer as writer_module
from remit.facts.record import Ref
from remit.ports.ledger import LedgerUnwritable
from tests.contract.ledger_world import REPLICA, Place, draft
from tests.contract.test_ledger_locked import locked
from tests.core.recording import action
from tests.eventually import WITHIN_S

pytestmark = pytest.mark.asyncio
CHAIN = f"{REPLICA}-1"


def ref(seq: int) -> Ref:
    return Ref(CHAIN, seq)


async def waiting(ledger: SqliteLedger, *seqs: int) -> list["asyncio.Task[None]"]:
    """Those who wait for the records `seqs`."""
    tasks = [asyncio.create_task(ledger.durable(ref(seq))) for seq in seqs]
    await asyncio.sleep(0)
    return tasks


async def ended(*tasks: "asyncio.Task[None]") -> list[BaseException | None]:
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), WITHIN_S)


@pytest.mark.parametrize("together", [1, 3], ids=["a lone record", "a batch"])
async def test_others_hear_once_a_record_and_all_before_it_are_on_disk(tmp_path: Path, together: int) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    with locked(place.file) as other:
        pending = [ledger.append(draft(action())) for _ in range(together)]
        tasks = await waiting(ledger, 2, together + 1, together + 2)
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in tasks)
        other.execute("COMMIT")
    assert await ended(*tasks[:2]) == [None, None]
    assert await ledger.entry(pending[-1].ref) is not None
    assert not tasks[2].done(), "nobody has appended that one"
    assert [(await one.durable).ref for one in pending] == [one.ref for one in pending]
    ledger.append(draft(action()))
    assert await ended(tasks[2]) == [None]
    await ledger.close()


async def test_whoever_hangs_up_takes_it_from_nobody(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    with locked(place.file) as other:
        pending = ledger.append(draft(action()))
        appender = asyncio.ensure_future(pending.durable)
        left, stays = await waiting(ledger, 2, 2)
        appender.cancel()
        left.cancel()
        await asyncio.gather(appender, left, return_exceptions=True)
        other.execute("COMMIT")
    assert await ended(stays) == [None]
    await ledger.close()


class Failing(sqlite3.Connection):
    """A connection that commits no batch once it `fails`."""

    fails = False

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        if type(self).fails and str(arguments[0]).startswith("INSERT"):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(*arguments)


@pytest.mark.parametrize("together", [1, 3], ids=["a lone record", "a batch"])
async def test_a_ledger_that_has_died_leaves_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    ledger = Place(tmp_path).open(Failing)
    await ledger.append(draft(action())).durable
    tasks = await waiting(ledger, 3, together + 2, together + 3)
    monkeypatch.setattr(Failing, "fails", True)
    pending = [ledger.append(draft(action())) for _ in range(together)]
    for heard in await ended(*tasks):
        assert isinstance(heard, LedgerUnwritable)
        assert "disk I/O error" in str(heard)
    assert all(
        isinstance(one, LedgerUnwritable)
        for one in await asyncio.gather(*(one.durable for one in pending), return_exceptions=True)
    )
    with pytest.raises(LedgerUnwritable, match="disk I/O error"):
        await ledger.durable(ref(3))
    # What is there is there.
    await ledger.durable(ref(2))
    await ledger.close()


async def test_nobody_waits_without_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "DURABLE_S", 0.05)
    place = Place(tmp_path)
    ledger = place.open()
    with locked(place.file) as other:
        pending = ledger.append(draft(action()))
        with pytest.raises(LedgerUnwritable, match="the ledger is late"):
            await ledger.durable(pending.ref)
        other.execute("COMMIT")
    await pending.durable
    await ledger.durable(pending.ref)
    await ledger.close()


async def test_of_earlier_epochs_all_is_on_disk(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for _ in range(2):
        ledger = place.open()
        await asyncio.wait_for(ledger.durable(ref(1)), WITHIN_S)
        await ledger.close()

"""Another connection has SQLite's lock: the writer waits beside the loop, and nothing is lost or poisoned by it."""

import asyncio
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite import writer as writer_module
from remit.facts.record import RecordKind
from remit.ports.ledger import LedgerUnwritable
from remit.trace.bodies import AdminBody, Event
from tests.contract.ledger_world import Place, append_all, draft
from tests.core.recording import Step, action, outcome

LOCKED = "another program has the ledger locked"


@contextmanager
def locked(file: Path) -> Generator[sqlite3.Connection]:
    """A connection that writes in a transaction; it ends with this, or by its COMMIT."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@pytest.mark.asyncio
@pytest.mark.parametrize("together", [1, 2], ids=["a lone record", "a batch"])
async def test_what_meets_the_lock_waits_for_it_and_the_loop_goes_on(tmp_path: Path, together: int) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    with locked(place.file) as other:
        durable = asyncio.gather(*(ledger.append(draft(action())).durable for _ in range(together)))
        await asyncio.sleep(0.1)
        later = ledger.append(draft(action(), sid="s2"))
        await asyncio.sleep(0.1)
        assert not durable.done()
        other.execute("COMMIT")
    receipts = [*await durable, await later.durable]
    assert [receipt.ref.seq for receipt in receipts] == list(range(2, together + 3))
    assert ledger.unwritable() is None
    [last] = await append_all(ledger, [Step(RecordKind.OUTCOME, "s1", outcome(str(receipts[0].ref)))])
    assert last.ref.seq == together + 3
    await ledger.close()
    assert verify_file(place.file).clean


@pytest.mark.asyncio
async def test_while_it_is_locked_for_long_no_action_begins_and_what_ends_one_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer_module, "_LOCKED_TRIES", 2)
    place = Place(tmp_path)
    ledger = place.open()
    [intent] = await append_all(ledger, [Step(RecordKind.INTENT, "s1", action())])
    with locked(place.file) as other:
        waiting = ledger.append(draft(action()))
        while ledger.unwritable() is None:  # noqa: ASYNC110 - said by the writer's thread
            await asyncio.sleep(0)
        assert LOCKED in str(ledger.unwritable())
        for kind in (RecordKind.INTENT, RecordKind.PROPOSAL):
            with pytest.raises(LedgerUnwritable, match=LOCKED):
                ledger.append(draft(action(), kind))
        end = ledger.append(draft(outcome(str(intent.ref)), RecordKind.OUTCOME))
        halt = ledger.append(draft(AdminBody(Event.TOKEN_REVOKED, "ana", "t1", {"expires": 1}), RecordKind.ADMIN))
        other.execute("COMMIT")
    assert [(await one.durable).ref.seq for one in (waiting, end, halt)] == [3, 4, 5]
    assert ledger.unwritable() is None
    assert (await ledger.append(draft(action())).durable).ref.seq == 6
    assert [text.partition(";")[0] for text in caplog.messages] == [LOCKED, "the ledger is locked no longer"]
    await ledger.close()
    assert verify_file(place.file).clean


@pytest.mark.asyncio
async def test_an_end_waits_so_long_and_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_END_TRIES", 3)
    monkeypatch.setattr(writer_module, "_BEGIN_TRIES", 3)
    place = Place(tmp_path)
    ledger = place.open()
    await append_all(ledger, [Step(RecordKind.INTENT, "s1", action())])
    with locked(place.file):
        waiting = ledger.append(draft(action()))
        await asyncio.sleep(0)
        monkeypatch.setattr(writer_module, "_TIMEOUT_MS", 0)
        await ledger.close()
        with pytest.raises(LedgerUnwritable, match="database is locked"):
            await waiting.durable
        assert (ledger.unwritten, ledger.in_doubt_count) == (1, 1), "what is lost, and what is in doubt"
        with pytest.raises(LedgerUnwritable, match="database is locked"):
            place.open()
    ledger = place.open()
    assert await ledger.count() == 3, "what was refused is not there"
    await ledger.close()
    assert verify_file(place.file).clean

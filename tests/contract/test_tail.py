"""Following the ledger: each record of the kinds asked for once, in order, from the end on, also over epochs."""

from pathlib import Path

import pytest

from remit.adapters.sqlite import open_ledger, tail
from remit.adapters.sqlite.tail import LedgerTail
from remit.adapters.system import SystemClock, SystemEntropy
from remit.facts.record import RecordKind
from remit.ports.ledger import Draft, Ledger
from remit.ports.tail import TailFailed
from remit.trace.bodies import AdminBody, Choice, DecisionBody, Event

ADMIN = (RecordKind.ADMIN,)


async def append(ledger: Ledger, subject: str) -> None:
    body = AdminBody(Event.RESOURCE_DELETED, "ann", subject)
    await ledger.append(Draft(RecordKind.ADMIN, 1, "", "", body)).durable


async def followed(following: LedgerTail, mark: str) -> tuple[list[str], str]:
    found: list[str] = []
    more = True
    while more:
        entries, mark, more = await following.after(mark)
        found += [entry.body.subject for entry in entries if isinstance(entry.body, AdminBody)]
    return found, mark


@pytest.mark.asyncio
async def test_what_was_recorded_since_is_found_once_in_order_over_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "PAGE", 3)
    path = tmp_path / "ledger.db"
    following = LedgerTail(path, ADMIN)
    ledger = open_ledger(path, SystemClock(), SystemEntropy())
    await append(ledger, "before")
    found, mark = await followed(following, "")
    assert found == [], "nobody asked for what was before"
    for number in range(7):
        await append(ledger, f"a{number}")
    decided = DecisionBody("r1-1.1", "h", "ann", Choice.REVIEW, ())
    await ledger.append(Draft(RecordKind.DECISION, 1, "", "", decided)).durable
    found, mark = await followed(following, mark)
    assert found == [f"a{number}" for number in range(7)]
    assert await followed(following, mark) == ([], mark)
    await ledger.close()
    ledger = open_ledger(path, SystemClock(), SystemEntropy())
    await append(ledger, "next epoch")
    found, mark = await followed(following, mark)
    assert found[-1] == "next epoch"
    await ledger.close()
    other = open_ledger(tmp_path / "other.db", SystemClock(), SystemEntropy())
    await append(other, "elsewhere")
    assert (await followed(LedgerTail(tmp_path / "other.db", ADMIN), mark))[0] == [], "a mark of another ledger is none"
    await other.close()


@pytest.mark.asyncio
async def test_a_ledger_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"none" * 2000)
    with pytest.raises(TailFailed, match="cannot be read"):
        await LedgerTail(tmp_path / "ledger.db", ADMIN).after("")

"""What monitors and guarantees keep, and what owners signed off: durable, a fold of the records, compared with them."""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.backup import back_up
from remit.adapters.sqlite.erasure import SqliteBodies
from remit.adapters.sqlite.schema import VERSION
from remit.app.data.restoration import restore
from remit.facts.canonical import Json
from remit.facts.guarantee import SignOff
from remit.facts.mark import FLEET, Mark, MarkOp
from remit.facts.monitor import Window
from remit.facts.record import Receipt, RecordKind, Ref
from remit.pdp.fold import fold
from remit.ports.ledger import Draft
from remit.protect.past import KeyedCells
from remit.trace.bodies import AdminBody, Event
from remit.work.erasure import Erasures
from tests.contract.ledger_world import Place, append_all
from tests.core.recording import Step, action, outcome

WINDOW = Window(1_000, 60)


def mark(does: MarkOp, at_ms: int, key: str = "", **more: object) -> Mark:
    made = Mark("exports~1", True, 0, key, does, at_ms, 1, WINDOW.step_ms, WINDOW.steps)
    return made._replace(**more)  # type: ignore[arg-type]


def intent(*marks: Mark, sid: str = "s1") -> Step:
    return Step(RecordKind.INTENT, sid, action(links=(("writer", sid),), marks=marks))


SIGNED = AdminBody(Event.GUARANTEE_SIGNED, "ana", "apart", {"breach": "sha256:b", "why": "a \x00 reason"})
FIRST = [
    intent(
        mark(MarkOp.ADD, 10), mark(MarkOp.ADD, 10, fleet=False), mark(MarkOp.LAST, 10, "k", agent="writer", user="ana")
    ),
    intent(mark(MarkOp.ADD, 1_500)),
    Step(RecordKind.PROPOSAL, "s2", action("deny", links=(("writer", "s2"),), marks=(mark(MarkOp.ADD, 3_000),))),
    Step(RecordKind.ADMIN, "", SIGNED),
]


async def filled(place: Place) -> None:
    """A ledger with these, and the outcome of the second."""
    ledger = place.open()
    receipts = await append_all(ledger, FIRST)
    ended = replace(outcome(str(receipts[1].ref)), marks=(mark(MarkOp.BACK, 1_500), mark(MarkOp.ADD, 2_000, "k")))
    await append_all(ledger, [Step(RecordKind.OUTCOME, "s1", ended)])
    await ledger.close()


def total(slot: KeyedCells | None, key: str, now_ms: int) -> int:
    assert slot is not None
    cell = slot.cell(key, WINDOW, now_ms)
    assert cell is not None
    return cell.total(WINDOW, now_ms)


@pytest.mark.asyncio
async def test_what_monitors_keep_is_a_fold_of_the_records(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await filled(place)
    ledger = place.open()
    await append_all(ledger, [intent(mark(MarkOp.ADD, 4_000))])
    fleet, own = await ledger.past(FLEET), await ledger.past("s1")
    assert list(fleet) == [(FLEET, "exports~1", 0)]
    slot = fleet[FLEET, "exports~1", 0]
    assert [total(slot, "", 4_000), total(slot, "k", 4_000), total(slot, "", 63_500)] == [3, 1, 2]
    assert slot.cells["k"].who == ("writer", "ana")
    assert total(own["s1", "exports~1", 0], "", 4_000) == 1
    assert await ledger.past("s") == {}
    [said] = (await ledger.sign_offs()).values()
    assert said == SignOff("sha256:b", "apart", "ana", said.at_ms, "a \x00 reason")
    await ledger.close()
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DELETE FROM past WHERE place LIKE '*%'", "past * exports~1 0: the records say so, the file does not"),
        (
            "UPDATE past SET detail = replace(detail, '\"full\":-1', '\"full\":9')",
            "the records say otherwise of detail",
        ),
        ("UPDATE signed_off SET by = 'mallory'", "signed_off sha256:b: the records say otherwise of by"),
    ],
)
async def test_a_change_of_the_file_is_found(tmp_path: Path, change: str, said: str) -> None:
    place = Place(tmp_path)
    await filled(place)
    with closing(sqlite3.connect(place.file)) as conn, conn:
        assert conn.execute(change).rowcount
    found = [str(finding) for finding in verify_file(place.file).findings]
    assert any(said in finding for finding in found), found


def test_a_restored_backup_knows_what_happened_since_to_the_fleet(tmp_path: Path) -> None:
    place, backup = Place(tmp_path / "data"), tmp_path / "backup"

    async def more() -> None:
        ledger = place.open()
        since = [
            mark(MarkOp.ADD, 4_000),
            mark(MarkOp.LAST, 4_000, "k", agent="reader"),
            mark(MarkOp.ADD, 4_000, fleet=False),
        ]
        await append_all(ledger, [intent(*since), intent(mark(MarkOp.ADD, 9, ident="kept~1"))])
        await ledger.close()

    async def fleet() -> Mapping[tuple[str, str, int], KeyedCells]:
        ledger = place.open()
        found = await ledger.past(FLEET)
        assert not await ledger.past("s9")
        await ledger.close()
        return found

    place.file.parent.mkdir()
    asyncio.run(filled(place))
    back_up(place.file, backup)
    asyncio.run(more())
    kept = asyncio.run(fleet())
    restore(backup, place.file)
    assert asyncio.run(fleet()) == kept
    assert total(kept[FLEET, "exports~1", 0], "", 4_000) == 3
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)
    restore(backup, place.file)
    assert asyncio.run(fleet()) == kept


@pytest.mark.parametrize("odd", [{}, {"slot": 7}, {"slot": {}}, {"slot": {"full": -1, "cells": {"k": [1]}}}])
def test_what_is_no_slot_carries_nothing_over(odd: Mapping[str, Json]) -> None:
    whole: Mapping[str, Json] = {"slot": {"full": -1, "cells": {}}}
    for place, data in (("* exports~1 0", odd), ("* exports~1 first", whole)):
        body = AdminBody(Event.PAST_CARRIED, "x", place, data)
        assert fold(Ref("r1-1", 1), 7, RecordKind.ADMIN, body) == ()


@pytest.mark.asyncio
async def test_a_file_of_before_gets_the_tables(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    await append_all(ledger, [Step(RecordKind.INTENT, "s1", action())])
    await ledger.close()
    with closing(sqlite3.connect(place.file, isolation_level=None)) as conn:
        for table in ("past", "signed_off"):
            conn.execute(f"DROP TABLE {table}")
        conn.execute("PRAGMA user_version = 8")
    ledger = place.open()
    assert await ledger.past(FLEET) == {}
    await ledger.close()
    with closing(sqlite3.connect(place.file)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (VERSION,)
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)


@pytest.mark.asyncio
async def test_a_file_whose_windows_hold_steps_that_are_over_is_folded_anew(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await filled(place)
    ledger = place.open()
    records = [entry.record for entry in await ledger.entries(after=None, limit=9, sid=None)]
    [_, ended] = [Ref(one.chain, one.seq) for one in records if one.kind is RecordKind.INTENT]
    await append_all(ledger, [intent(mark(MarkOp.ADD, 500_000))])

    async def record(body: AdminBody) -> Receipt:
        return await ledger.append(Draft(RecordKind.ADMIN, place.clock.now_ms(), "", "", body)).durable

    # What is kept of one that is erased is folded as it was.
    await Erasures(ledger, SqliteBodies(place.file), record).erase([ended], "asked for", "user:dpo")
    kept = await ledger.past(FLEET)
    await ledger.close()
    with closing(sqlite3.connect(place.file, isolation_level=None)) as conn:
        [(name, detail)] = conn.execute("SELECT place, detail FROM past WHERE place LIKE '*%'").fetchall()
        told = orjson.loads(detail)
        told["cells"][""][4].insert(0, [1, 7])
        conn.execute("UPDATE past SET detail = ? WHERE place = ?", (orjson.dumps(told).decode(), name))
        conn.execute("PRAGMA user_version = 11")
    ledger = place.open()
    assert await ledger.past(FLEET) == kept
    await ledger.close()
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)

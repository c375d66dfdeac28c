"""The note of a no: durable, a fold, and told of older files from their records."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.schema import VERSION
from remit.facts.record import RecordKind
from remit.policy.verdict import Gate
from remit.trace.bodies import Choice, DecisionBody
from tests.contract.ledger_world import Place, append_all
from tests.core.recording import Step, action

ASKED = replace(action("escalate"), gates=(Gate("final", "owner", "sha256:t"),), expires_ms=10**14)


def said(approval: str, choice: Choice, note: str | None) -> Step:
    body = DecisionBody(approval, ASKED.action, "ana", choice, ("owner",), note)
    return Step(RecordKind.DECISION, "s1", body)


async def filled(place: Place) -> tuple[str, str, str]:
    """Three that wait, of which one is refused with a note, and one without; to each of them somebody said yes."""
    ledger = place.open()
    begun = await append_all(ledger, [Step(RecordKind.PROPOSAL, "s1", ASKED) for _ in range(3)])
    first, second, third = (str(one.ref) for one in begun)
    await append_all(ledger, [said(ident, Choice.APPROVE, "a yes") for ident in (first, second, third)])
    await append_all(ledger, [said(first, Choice.DENY, "ask\x00 ana"), said(second, Choice.DENY, None)])
    await ledger.close()
    return first, second, third


async def notes(place: Place, idents: tuple[str, ...]) -> list[str | None]:
    ledger = place.open()
    found = [await ledger.approval(ident) for ident in idents]
    await ledger.close()
    return ["gone" if one is None else one.note for one in found]


@pytest.mark.asyncio
async def test_the_note_of_a_no_survives_a_restart(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert await notes(place, await filled(place)) == ["ask\x00 ana", None, None]
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)


@pytest.mark.parametrize("refused", [True, False])
def test_an_older_file_tells_it_from_its_records(tmp_path: Path, *, refused: bool) -> None:
    place = Place(tmp_path)
    idents = asyncio.run(filled(place)) if refused else asyncio.run(waiting(place))
    with closing(sqlite3.connect(place.file, isolation_level=None)) as conn:
        for number, detail in conn.execute("SELECT id, detail FROM approval").fetchall():
            value = orjson.loads(detail)
            del value["note"]
            conn.execute("UPDATE approval SET detail = ? WHERE id = ?", (orjson.dumps(value).decode(), number))
        conn.execute("PRAGMA user_version = 12")
    assert asyncio.run(notes(place, idents)) == (["ask\x00 ana", None, None] if refused else [None])
    with closing(sqlite3.connect(place.file)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (VERSION,)
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)


async def waiting(place: Place) -> tuple[str, ...]:
    ledger = place.open()
    [begun] = await append_all(ledger, [Step(RecordKind.PROPOSAL, "s1", ASKED)])
    await ledger.close()
    return (str(begun.ref),)

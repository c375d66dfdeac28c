"""Passkeys, and which yes was confirmed by one: durable, a fold, and told of older files as it was."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.schema import VERSION
from remit.facts.canonical import Json
from remit.facts.passkey import Confirmed
from remit.facts.record import RecordKind
from remit.policy.verdict import Gate
from remit.trace.bodies import AdminBody, Choice, DecisionBody, Event
from tests.contract.ledger_world import Place, append_all
from tests.contract.test_ledger_thresholds import TERMS
from tests.core.recording import Step, action

ASKED = replace(action("escalate"), gates=(Gate("final", "owner", "sha256:t"),), expires_ms=10**14)


def added(ident: str, user: str = "ana", count: int = 0) -> Step:
    data: dict[str, Json] = {"user": user, "key": "k\x00\x1a", "count": count, "name": f"{user}'s"}
    return Step(RecordKind.ADMIN, "", AdminBody(Event.PASSKEY_ADDED, f"user:{user}", ident, data))


def removed(ident: str) -> Step:
    return Step(RecordKind.ADMIN, "", AdminBody(Event.PASSKEY_REMOVED, "admin", ident))


def asked() -> Step:
    return Step(RecordKind.PROPOSAL, "s1", ASKED)


def yes(approval: str, by: str, confirmed: Confirmed | None) -> Step:
    body = DecisionBody(approval, ASKED.action, by, Choice.APPROVE, ("owner",), None, confirmed=confirmed)
    return Step(RecordKind.DECISION, "s1", body)


@pytest.mark.asyncio
async def test_passkeys_and_what_they_signed_survive_a_restart(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    [begun, *_] = await append_all(ledger, [asked(), added("p1", count=2), added("p2", "ben"), added("p3")])
    ident = str(begun.ref)
    await append_all(ledger, [yes(ident, "ana", Confirmed("p1", 5)), yes(ident, "ben", None)])
    await append_all(ledger, [yes(ident, "ana", Confirmed("p1", 4)), yes(ident, "ana", Confirmed("none", 4))])
    await append_all(
        ledger, [removed("p2"), removed("none"), added("p4"), removed("p4"), yes(ident, "x", Confirmed("p4", 1))]
    )
    await ledger.close()
    again = place.open()
    assert [(one.ident, one.user, one.count, one.key) for one in await again.passkeys()] == [
        ("p1", "ana", 5, "k\x00\x1a"), ("p3", "ana", 0, "k\x00\x1a"),
    ]  # fmt: skip
    approval = await again.approval(ident)
    assert {one.user for one in await again.passkeys(removed=True)} == {"ana", "ben"}, "who had one is known"
    assert approval is not None
    assert [(vote.by, vote.strong) for vote in approval.votes] == [("ben", False), ("ana", True), ("x", True)]
    await again.close()
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)


def test_no_yes_of_an_older_file_was_confirmed(tmp_path: Path) -> None:
    place = Place(tmp_path)

    async def make() -> None:
        ledger = place.open()
        [begun, *_] = await append_all(ledger, [asked()])
        ident = str(begun.ref)
        grant = DecisionBody(ident, ASKED.action, "ana", Choice.GRANT, ("owner",), None, grant=TERMS.to_json())
        await append_all(ledger, [yes(ident, "ana", None), Step(RecordKind.DECISION, "s1", grant)])
        await ledger.close()

    asyncio.run(make())
    with closing(sqlite3.connect(place.file, isolation_level=None)) as conn:
        conn.execute("DROP TABLE passkey")
        for table in ("approval", "granted"):
            [(number, detail)] = conn.execute(f"SELECT id, detail FROM {table}").fetchall()
            value = orjson.loads(detail)
            for vote in value["votes"]:
                del vote["strong"]
            told = orjson.dumps(value).decode()
            conn.execute(f"UPDATE {table} SET detail = ? WHERE id = ?", (told, number))
        conn.execute("PRAGMA user_version = 6")

    async def reopen() -> None:
        ledger = place.open()
        [one] = await ledger.approvals(open_only=False, limit=10)
        [grant] = await ledger.grants()
        assert [vote.strong for vote in (*one.votes, *grant.votes)] == [False, False]
        assert await ledger.passkeys() == []
        await ledger.close()

    asyncio.run(reopen())
    with closing(sqlite3.connect(place.file)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (VERSION,)
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)


def test_who_had_a_passkey_is_told_from_the_records_of_an_older_file(tmp_path: Path) -> None:
    place = Place(tmp_path)

    async def make() -> None:
        ledger = place.open()
        await append_all(ledger, [added("p1"), added("p2", "ben"), removed("p2"), added("p3", "cat"), asked()])
        [begun] = await append_all(ledger, [asked()])
        ident = str(begun.ref)
        over = DecisionBody(ident, ASKED.action, "ana", Choice.DELEGATE, (), None, to="ben", until_ms=10**13)
        await append_all(ledger, [yes(ident, "cat", Confirmed("p3", 2)), Step(RecordKind.DECISION, "s1", over)])
        await append_all(ledger, [removed("p3")])
        await ledger.close()

    asyncio.run(make())
    with closing(sqlite3.connect(place.file, isolation_level=None)) as conn:
        conn.execute("DELETE FROM passkey WHERE key = ''")
        for number, detail in conn.execute("SELECT id, detail FROM approval").fetchall():
            value = orjson.loads(detail)
            for one in value["delegations"]:
                del one["strong"]
            conn.execute("UPDATE approval SET detail = ? WHERE id = ?", (orjson.dumps(value).decode(), number))
        conn.execute("PRAGMA user_version = 10")

    async def reopen() -> None:
        ledger = place.open()
        assert {one.user for one in await ledger.passkeys(removed=True)} == {"ana", "ben", "cat"}
        assert [one.ident for one in await ledger.passkeys()] == ["p1"]
        await ledger.close()

    asyncio.run(reopen())
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)

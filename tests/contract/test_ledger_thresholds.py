"""Grants, what agents did before and how sure they are said to be: durable, a fold, and told from older files."""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.schema import VERSION
from remit.escalate.grants import GrantScope, GrantTerms
from remit.facts.canonical import Json
from remit.facts.confidence import Confidence
from remit.facts.record import RecordKind
from remit.policy.verdict import Gate
from remit.trace.bodies import AdminBody, Choice, DecisionBody, Event
from tests.contract.ledger_world import Place, append_all
from tests.contract.test_ledger_erase import erasures_of, filled
from tests.core.recording import Step, action, outcome

GATES = (Gate("final", "owner", "sha256:t"),)
TERMS = GrantTerms(
    GrantScope.SESSION, "r0102-1.2", ("writer",), "ana", "s1", "call_tool", "files", "w", "sha256:p", (), GATES, 90, 3,
    values=frozenset({("to", '"a\x00\x1ab"')}),
)  # fmt: skip


def said(source: str, units: int, sid: str = "s1") -> Step:
    return Step(
        RecordKind.ADMIN, sid, AdminBody(Event.SESSION_CONFIDENCE, source, sid, {"source": source, "units": units})
    )


def decided(choice: Choice, by: str, grant: Mapping[str, Json]) -> Step:
    body = DecisionBody("r0102-1.2", "sha256:a", by, choice, ("owner",), None, grant=grant)
    return Step(RecordKind.DECISION, "s1", body)


@pytest.mark.asyncio
async def test_what_is_granted_and_said_survives_a_restart_and_is_a_fold_of_the_records(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    [begun, *_] = await append_all(ledger, [decided(Choice.GRANT, "max", TERMS.to_json())])
    ident = str(begun.ref)
    await append_all(
        ledger,
        [
            decided(Choice.GRANT, "kim", {"of": ident}),
            Step(RecordKind.INTENT, "s1", action(grants=(ident,), reaches=("address", "strange id"))),
            Step(RecordKind.INTENT, "s1", action(grants=(ident, "r0102-1.999", "none"))),
            decided(Choice.GRANT, "max", {"of": "r0102-1.999"}),
            said("agent", 9_000),
            said("agent", 4_000),
            said("harness", 7_000),
            said("harness", 2_000, "s9"),
        ],
    )
    await ledger.close()
    again = place.open()
    [grant] = await again.grants()
    assert (grant.ident, grant.terms, grant.uses) == (ident, TERMS, 2)
    assert [vote.by for vote in grant.votes] == ["max", "kim"]
    tool = ("writer", "call_tool", "files", "write_file")
    assert await again.usage() == {tool, (*tool, "address"), (*tool, "strange id")}
    for sid, known in (("s1", Confidence(4_000, 7_000)), ("s9", Confidence(None, 2_000))):
        session = await again.session(sid)
        assert session is not None
        assert session.confidence == known
    await append_all(
        again, [decided(Choice.REVOKE, "kim", {"of": ident}), decided(Choice.REVOKE, "max", {"of": ident})]
    )
    assert [one.revoked_by for one in await again.grants()] == ["kim"]
    await again.close()
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)


def test_what_agents_did_is_told_from_the_intents_of_an_older_file(tmp_path: Path) -> None:
    async def make() -> None:
        log, intents = await filled(tmp_path)
        more = [action(name="read", links=(("bot", "s2"),)), action("deny", name="drop", links=(("bot", "s2"),))]
        refs = await append_all(
            log.ledger, [Step(RecordKind.INTENT, "s2", more[0]), Step(RecordKind.PROPOSAL, "s2", more[1])]
        )
        await append_all(log.ledger, [Step(RecordKind.OUTCOME, "s2", outcome(str(refs[0].ref), sids=["s2"]))])
        await append_all(log.ledger, [Step(RecordKind.INTENT, "s2", replace(more[0], name="last"))])
        await erasures_of(log).erase([*intents, *(one.ref for one in refs)], "x", "user:dpo")
        await log.close()

    asyncio.run(make())
    place = Place(tmp_path)
    with closing(sqlite3.connect(place.file, isolation_level=None)) as conn:
        for table in ("granted", "used", "confidence"):
            conn.execute(f"DROP TABLE {table}")
        conn.execute("PRAGMA user_version = 4")

    async def reopen() -> None:
        ledger = place.open()
        assert {name for _, _, _, name in await ledger.usage()} == {"write_file", "read", "last"}
        await ledger.close()

    asyncio.run(reopen())
    with closing(sqlite3.connect(place.file)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (VERSION,)
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)


def test_what_a_sub_agent_did_is_taken_from_those_above_it_in_an_older_file(tmp_path: Path) -> None:
    place = Place(tmp_path)

    async def make() -> None:
        ledger = place.open()
        chained = action(name="read", links=(("boss", "s1"), ("bot", "s2")))
        [done] = await append_all(ledger, [Step(RecordKind.INTENT, "s2", chained)])
        await append_all(ledger, [Step(RecordKind.OUTCOME, "s2", outcome(str(done.ref), sids=["s1", "s2"]))])
        assert {agent for agent, *_ in await ledger.usage()} == {"bot"}
        await ledger.close()

    asyncio.run(make())
    with closing(sqlite3.connect(place.file, isolation_level=None)) as conn:
        conn.execute("""INSERT INTO used SELECT replace(did, '"bot"', '"boss"'), since FROM used""")
        conn.execute("PRAGMA user_version = 9")

    async def reopen() -> None:
        ledger = place.open()
        assert {agent for agent, *_ in await ledger.usage()} == {"bot"}
        await ledger.close()

    asyncio.run(reopen())
    assert verify_file(place.file).findings == ()

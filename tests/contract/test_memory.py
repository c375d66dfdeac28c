"""What a service knows of approvals, grants and sessions once it has started, whatever came after."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.approvals import REFUSED
from remit.escalate.grants import Grant, GrantTerms
from remit.facts.action import Action
from remit.facts.agent import Authority, Link
from remit.facts.durations import HOUR_MS
from remit.facts.limits import Limits
from remit.facts.record import RecordKind, Ref
from remit.facts.session import Session
from remit.facts.tool import Effect
from remit.pep.approval_matcher import ApprovalMatcher
from remit.pep.grant_index import ENDED_MAX
from remit.pep.memory import Memory
from remit.trace.bodies import AdminBody, Choice, DecisionBody, Event
from tests.contract.ledger_world import Place, append_all
from tests.contract.test_ledger_thresholds import TERMS
from tests.core.deciding import action as acting
from tests.core.deciding import catalog, tool
from tests.core.recording import Step, action, decision, outcome

NEVER: Final = 10**15
LATER: Final = 1_200


def asks(agent: str, sid: str, expires_ms: int = NEVER) -> Step:
    body = action("escalate", links=[(agent, sid)], expires_ms=expires_ms)
    return Step(RecordKind.PROPOSAL, sid, body)


async def written(place: Place) -> tuple[str, str]:
    """Two noes, of which one stands no more at 500, and many approvals afterwards; the ids of both."""
    ledger = place.open()
    asked = [asks("clerk", "s1"), asks("clerk", "s1", expires_ms=500)]
    refs = [str(one.ref) for one in await append_all(ledger, asked)]
    body = action("escalate")
    noes = [Step(RecordKind.DECISION, "s1", decision(ref, body, Choice.DENY)) for ref in refs]
    await append_all(ledger, [*noes, *(asks("other", "s2") for _ in range(LATER))])
    await ledger.close()
    return refs[0], refs[1]


async def known(place: Place, now_ms: int) -> Memory:
    ledger = place.open()
    memory = Memory(ledger)
    await memory.load(now_ms)
    await ledger.close()
    return memory


def test_a_no_that_stands_is_known_after_a_restart_whatever_was_asked_since(tmp_path: Path) -> None:
    place = Place(tmp_path)
    stands, over = asyncio.run(written(place))
    memory = asyncio.run(known(place, now_ms=500))
    assert [one.ident for one in memory.refused_of("s1")] == [stands], "one is over, and is not kept"
    both = asyncio.run(known(place, now_ms=499))
    assert [one.ident for one in both.refused_of("s1")] == [stands, over]
    both.forget_over(500)
    assert [one.ident for one in both.refused_of("s1")] == [stands]
    both.forget_over(NEVER)
    assert both.refused_of("s1") == ()


def test_how_often_an_agent_asked_of_late_is_known_after_a_restart(tmp_path: Path) -> None:
    place = Place(tmp_path)
    asyncio.run(written(place))
    memory = asyncio.run(known(place, now_ms=5 + HOUR_MS))
    assert memory.asks_often("clerk", 2, 0, NEVER)
    assert not memory.asks_often("clerk", 3, 0, NEVER)
    later = asyncio.run(known(place, now_ms=6 + HOUR_MS))
    assert not later.asks_often("clerk", 1, 0, NEVER)


def test_what_calls_in_doubt_hand_on_is_known_after_a_restart_until_somebody_settles_them(tmp_path: Path) -> None:
    place = Place(tmp_path)
    links, made = [("writer", "root"), ("helper", "s1")], tool("files", "write_file", effect=Effect.WRITE)
    read = tool("files", "read_file", effect=Effect.READ)
    calls = [action(links=links), action(links=links, name="read_file"), action(kind="read_resource"), action()]

    async def left() -> str:
        ledger = place.open()
        steps = [Step(RecordKind.INTENT, body.links[-1][1], body) for body in calls]
        first, *_, last = [str(one.ref) for one in await append_all(ledger, steps)]
        await append_all(ledger, [Step(RecordKind.OUTCOME, "s1", outcome(last))])
        await ledger.close()
        return first

    first = asyncio.run(left())
    (lost,) = asyncio.run(known(place, now_ms=500)).under_way.beside("another", "root", catalog(tools=[read]))
    assert (lost.tool, "a" in lost.tokens()) == (None, True), "of a tool that is gone all it was given counts"
    memory = asyncio.run(known(place, now_ms=500))
    known_tools = catalog(tools=[made, read])
    (held,) = memory.under_way.beside("another", "root", known_tools)
    assert held.arguments == {"path": "a"}
    assert memory.under_way.beside(first, "root", known_tools) == ()
    assert memory.under_way.beside("another", "s1", known_tools) == ()
    settled = AdminBody(Event.INTENT_SETTLED, "ana", first, {"happened": True})
    memory.apply(Ref("r1-9", 1), 600, RecordKind.ADMIN, settled)
    assert memory.under_way.beside("another", "root", known_tools) == ()


def test_noes_are_found_by_an_index_which_an_older_file_gets(tmp_path: Path) -> None:
    place = Place(tmp_path)
    stands, _ = asyncio.run(written(place))
    with closing(sqlite3.connect(place.file, isolation_level=None)) as conn:
        conn.execute("DROP INDEX approval_refused")
        conn.execute("PRAGMA user_version = 14")
    memory = asyncio.run(known(place, now_ms=500))
    assert [one.ident for one in memory.refused_of("s1")] == [stands]
    with closing(sqlite3.connect(place.file)) as conn:
        plan = conn.execute(f"EXPLAIN QUERY PLAN {REFUSED}", (500,)).fetchall()
    assert any("approval_refused" in row[-1] for row in plan), plan
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)


def given(memory: Memory, seq: int, terms: GrantTerms = TERMS) -> str:
    ref = Ref("r1-1", seq)
    said = DecisionBody("r1-1.1", "", "max", Choice.GRANT, ("owner",), grant=terms.to_json())
    memory.apply(ref, 5, RecordKind.DECISION, said)
    return str(ref)


def revoked(memory: Memory, seq: int, ident: str) -> None:
    said = DecisionBody("r1-1.1", "", "max", Choice.REVOKE, (), grant={"of": ident})
    memory.apply(Ref("r1-1", seq), 6, RecordKind.DECISION, said)


def of(agent: str, user: str | None = "ana") -> Authority:
    return Authority((Link(agent, "s1"),), user, "t", NEVER)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    ledger = Place(tmp_path).open()
    asyncio.run(ledger.close())
    return Memory(ledger)


def test_an_action_looks_at_the_grants_of_its_own_chain_alone(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    own = [given(memory, seq) for seq in (1, 2)]
    for number in range(2_000):
        given(memory, 3 + number, replace(TERMS, agents=("other",) if number % 2 else ("writer",), user="bea"))
    looked: list[object] = []

    def look(grant: Grant, name: str) -> Any:
        looked.append(grant)
        return object.__getattribute__(grant, name)

    monkeypatch.setattr(Grant, "__getattribute__", look)
    found = memory.grants.of(of("writer"))
    assert len(looked) <= len(own), "grants of others were looked at"
    assert [one.ident for one in found] == own
    assert memory.grants.of(of("writer", None)) == ()


def test_what_ended_is_looked_at_no_more_and_kept_for_people_for_a_while(memory: Memory) -> None:
    ran_out = given(memory, 1, replace(TERMS, expires_ms=90))
    used_up = given(memory, 2, replace(TERMS, expires_ms=NEVER, uses_max=1))
    lasts = given(memory, 3, replace(TERMS, expires_ms=NEVER))
    assert len(memory.grants.of(of("writer"))) == 3
    memory.apply(Ref("r1-1", 4), 7, RecordKind.INTENT, action(grants=(used_up,)))
    memory.forget_over(89)
    assert [one.ident for one in memory.grants.of(of("writer"))] == [ran_out, lasts]
    memory.forget_over(90)
    assert [one.ident for one in memory.grants.of(of("writer"))] == [lasts]
    for seq in range(10, 10 + ENDED_MAX):
        revoked(memory, seq + ENDED_MAX, given(memory, seq, replace(TERMS, expires_ms=NEVER)))
    memory.forget_over(90)
    assert [one.ident for one in memory.grants.of(of("writer"))] == [lasts]
    assert memory.grants.get(ran_out) is None
    assert memory.grants.get(used_up) is None
    every = memory.grants.every()
    assert [one.ident for one in every[:2]] == [lasts, "r1-1.10"]
    assert len(every) == ENDED_MAX + 1
    revoked(memory, 9_999, used_up)
    assert memory.grants.get(used_up) is None


def test_who_asked_for_an_approval_is_forgotten_once_nothing_moves_it(memory: Memory) -> None:
    approval_matcher = ApprovalMatcher(memory, Limits())
    root = asking().authority.links[0].sid
    for seq in range(2, 5):
        body = action("escalate", links=[(link.agent, link.sid) for link in asking().authority.links], expires_ms=NEVER)
        memory.apply(Ref("r1-1", seq), 5, RecordKind.PROPOSAL, body)
        approval_matcher.opened(asking(), f"r1-1.{seq}", "sha256:a")
    assert approval_matcher.root_of("r1-1.2") == root
    assert memory.voided("r1-1.2", "token-1") is False
    memory.apply(Ref("r1-1", 9), 6, RecordKind.ADMIN, AdminBody(Event.TOKEN_REVOKED, "ana", "above"))
    assert memory.voided("r1-1.2", "token-1")
    assert not memory.voided("r1-1.7", "token-1")
    for seq in range(2, 5):
        memory.apply(Ref("r1-1", 10 + seq), 7, RecordKind.ADMIN, AdminBody(Event.APPROVAL_EXPIRED, "r", f"r1-1.{seq}"))
        assert approval_matcher.root_of(f"r1-1.{seq}") is None
        assert len(list(memory.requesters.of(root))) == 4 - seq
    assert not memory.voided("r1-1.2", "token-1")


def asking() -> Action:
    """An action of a chain whose token came from another."""
    made = acting(chain=("ada", "sub"))
    return replace(made, authority=replace(made.authority, ancestors=("above",)))


class _Failing:
    """A ledger that has sessions, until one is asked for whose name it cannot read."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def session(self, sid: str) -> Session | None:
        self.asked.append(sid)
        if sid == "broken":
            raise RuntimeError("no answer")
        return None


async def held(memory: Memory, sids: Sequence[str], now_s: float) -> None:
    with pytest.raises(RuntimeError, match="no answer"):
        await memory.hold(sids, now_s)


def test_who_fails_to_hold_a_session_makes_nobody_forget_it() -> None:
    ledger = _Failing()
    memory = Memory(ledger)  # type: ignore[arg-type]
    asyncio.run(memory.hold(["s1"], 1_000.0))
    memory.apply(Ref("r1-1", 2), 7, RecordKind.INTENT, action())
    memory.release(["s1"], 2_000.0)
    asyncio.run(held(memory, ["s1", "s2", "broken"], 1_990.0))
    assert memory.forget_idle(2_200.0) == 0
    assert memory.session(Link("writer", "s1"), None, 9).calls == 1
    assert memory.forget_idle(2_290.0) == 1, "the one that nobody but who failed has held"
    assert memory.forget_idle(2_300.0) == 1
    asyncio.run(memory.hold(["s1"], 2_400.0))
    assert ledger.asked.count("s1") == 2

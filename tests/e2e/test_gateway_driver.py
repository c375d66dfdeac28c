"""The driver's order of things, held step by step: what is on disk before what happens."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remit.escalate.machine import ApprovalState
from remit.escalate.voting import VoteRefused
from remit.facts.catalog import PolicySource
from remit.facts.origin import Origin
from remit.facts.record import RecordKind, Ref
from remit.facts.results import Part
from remit.pep.answer import Awaiting, Refused, Released
from remit.policy.verdict import Code, Deny, Escalate, Permit
from remit.ports.upstream import Failure, Result
from remit.protect.index import origin_of
from remit.trace.bodies import AdminBody, Choice, Event, OutcomeBody, Status
from tests.e2e.gateway_parts import Bench, bench
from tests.e2e.gateway_world import CLOCK, compiled, until

if TYPE_CHECKING:
    from pathlib import Path

    from remit.pep.answer import Answer

PAID: dict[str, Any] = {"amount": 500, "to": "eve"}


def driven(test: Any) -> Any:
    """Run `test(b)` over a fresh ledger."""

    async def run(tmp_path: Path) -> None:
        async with bench(tmp_path) as b:
            await test(b)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return pytest.mark.asyncio(run)


def codes(answer: Answer) -> set[Code]:
    assert isinstance(answer, Refused), answer
    return {reason.code for reason in answer.reasons}


async def traced(b: Bench, line: str) -> None:
    async def check() -> bool:
        return any(line in one for one in b.trace)

    await until(check)


async def asked(b: Bench, count: int = 1) -> str:
    """The newest open approval, once there are `count`."""

    async def check() -> str | None:
        found = await b.ledger.approvals(open_only=True, limit=10)
        return found[0].ident if len(found) >= count else None

    ident = await until(check)
    assert ident is not None
    return ident


async def outcomes(b: Bench) -> list[OutcomeBody]:
    found = [entry.body for entry in await b.records(RecordKind.OUTCOME)]
    return [body for body in found if isinstance(body, OutcomeBody)]


@driven
async def test_intent_before_effect_and_label_before_data(b: Bench) -> None:
    b.ledger.waits = {RecordKind.INTENT}
    call = asyncio.create_task(b.call("echo", text="hi"))
    await traced(b, "queued intent")
    await asyncio.sleep(0.05)
    assert b.trace == ["queued intent"]
    b.ledger.waits = {RecordKind.OUTCOME}
    b.ledger.open.set()
    b.ledger.open = asyncio.Event()
    await traced(b, "queued outcome")
    await asyncio.sleep(0.05)
    assert not call.done()
    b.ledger.open.set()
    answer = await call
    assert isinstance(answer, Released)
    assert json.loads(answer.result) == {"content": [{"type": "text", "text": "done"}]}
    assert b.trace == [
        "queued intent",
        "durable intent",
        'called echo {"text":"hi"}',
        "answered",
        "queued outcome",
        "durable outcome",
    ]
    [outcome] = await outcomes(b)
    assert outcome.labels == ("untrusted",)
    session = await b.ledger.session(b.authority().acting.sid)
    assert session is not None
    assert session.labels == {"untrusted"}


@driven
async def test_what_a_call_under_way_hands_on_is_vouched_for_by_no_result_that_comes_meanwhile(b: Bench) -> None:
    found = b.bundle.catalog
    traces = '@id("traced") forbid (principal, action, resource) when { context.targets.count > 99 };'
    echo = replace(found.tools["shop", "echo"], source=frozenset(), results=(Part("$[*]", "trusted"),))
    policies = (*found.policies, PolicySource("traced.cedar", traces))
    b.bundle = compiled(replace(found, policies=policies, tools={**found.tools, ("shop", "echo"): echo}))
    said = Result({"content": [{"type": "text", "text": '["eve@there.example", "bob@there.example"]'}]}, is_error=False)
    slow = b.upstream.answers = asyncio.Event()
    call = asyncio.create_task(b.call("pay", amount=1, to="eve@there.example"))
    await traced(b, "called pay")
    b.upstream.answers, b.upstream.reply = asyncio.Event(), said
    b.upstream.answers.set()
    assert isinstance(await b.call("echo", text="who is there?"), Released)
    b.upstream.reply = Result({"content": []}, is_error=False)
    slow.set()
    assert isinstance(await call, Released)
    index = b.memory.indices.of(f"{b.root}0")
    assert index is not None
    assert origin_of(index.lookup(("bob@there.example",))[0]) is Origin.TRUSTED
    assert origin_of(index.lookup(("eve@there.example",))[0]) is Origin.UNSEEN
    b.upstream.reply = said
    assert isinstance(await b.call("echo", text="who is there?"), Released)
    assert origin_of(index.lookup(("eve@there.example",))[0]) is Origin.UNSEEN, "it may have been kept there"


@driven
async def test_labels_bind_the_next_call_before_they_are_durable(b: Bench) -> None:
    b.ledger.waits = {RecordKind.OUTCOME}
    first = asyncio.create_task(b.call("echo", text="hi"))
    await traced(b, "queued outcome")
    assert codes(await b.call("pay")) == {Code.POLICY}
    b.ledger.open.set()
    assert isinstance(await first, Released)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [RecordKind.PROPOSAL, RecordKind.INTENT, RecordKind.OUTCOME])
async def test_a_ledger_that_fails_denies_and_withholds(tmp_path: Path, kind: RecordKind) -> None:
    async with bench(tmp_path) as b:
        b.ledger.fails = {kind}
        tool: dict[str, Any] = {"to": "stranger"} if kind is RecordKind.PROPOSAL else {"to": "eve"}
        answer = await b.call("pay", amount=1, **tool)
        assert codes(answer) == {Code.LEDGER_UNWRITABLE}
        called = any(line.startswith("called") for line in b.trace)
        assert called == (kind is RecordKind.OUTCOME)


@driven
async def test_a_closed_ledger_denies(b: Bench) -> None:
    assert isinstance(await b.call("pay"), Released)
    await b.ledger.close()
    assert codes(await b.call("pay")) == {Code.LEDGER_UNWRITABLE}


@pytest.mark.asyncio
@pytest.mark.parametrize("stop", ["session", "root session", "token", "ancestor"])
async def test_a_stop_between_intent_and_effect_wins(tmp_path: Path, stop: str) -> None:
    async with bench(tmp_path) as b:
        of = b.authority("clerk", "helper")
        b.ledger.waits = {RecordKind.INTENT}
        call = asyncio.create_task(b.call("pay", of))
        await traced(b, "queued intent")
        match stop:
            case "session":
                await b.driver.sessions.end(of.links[1].sid, "bob")
            case "root session":
                await b.driver.sessions.end(of.links[0].sid, "bob")
            case "token":
                await b.driver.authorization.revoke("t1", of.expires_ms, "bob")
            case _:
                await b.driver.authorization.revoke("t0", of.expires_ms, "bob")
        b.ledger.open.set()
        ended = Code.SESSION_ENDED if "session" in stop else Code.TOKEN_ENDED
        assert codes(await call) == {ended}
        [outcome] = await outcomes(b)
        assert outcome.status is Status.NOT_SENT
        assert not any(line.startswith("called") for line in b.trace)


@driven
async def test_an_ended_session_stays_ended(b: Bench) -> None:
    await b.call("pay")
    await b.driver.sessions.end(b.authority().acting.sid, "bob")
    assert codes(await b.call("pay")) == {Code.SESSION_ENDED}
    assert b.driver.authorization.stopped(b.authority())


@driven
async def test_a_session_ends_by_itself_when_it_grew_too_old(b: Bench) -> None:
    await b.call("pay")
    b.bundle = replace(b.bundle, catalog=replace(b.bundle.catalog, session_hours_max=0.0))
    await asyncio.sleep(0.002)
    assert codes(await b.call("pay")) == {Code.SESSION_ENDED}
    [ended] = [
        entry.body
        for entry in await b.records(RecordKind.ADMIN)
        if isinstance(entry.body, AdminBody) and entry.body.event is Event.SESSION_ENDED
    ]
    assert ended.by == "remit"


@driven
async def test_two_twins_and_one_approval_make_one_effect(b: Bench) -> None:
    b.hold_s(30)
    twins = [asyncio.create_task(b.call("pay", **PAID)) for _ in range(2)]
    first = await asked(b)

    async def both_wait() -> bool:
        return len(await b.records(RecordKind.PROPOSAL)) == 2

    await until(both_wait)
    assert len(await b.ledger.approvals(open_only=True, limit=10)) == 1
    voter = b.bundle.catalog.users["bob"]
    await b.driver.approvals.cast_vote(first, voter, Choice.APPROVE, None)
    done, waiting = await asyncio.wait(twins, return_when=asyncio.FIRST_COMPLETED)
    assert isinstance(done.pop().result(), Released)
    second = await asked(b)
    assert second != first
    assert sum(line.startswith("called") for line in b.trace) == 1
    await b.driver.approvals.cast_vote(second, voter, Choice.DENY, "no")
    answer = await waiting.pop()
    assert Code.GATE in codes(answer)
    assert sum(line.startswith("called") for line in b.trace) == 1
    found = await b.ledger.approval(first)
    assert found is not None
    assert found.state is ApprovalState.SUCCEEDED


@driven
async def test_asking_again_while_people_think_asks_nobody_twice(b: Bench) -> None:
    b.hold_s(0.05)
    first = await b.call("pay", **PAID)
    again = await b.call("pay", **PAID)
    assert isinstance(first, Awaiting)
    assert isinstance(again, Awaiting)
    assert first.ref == again.ref
    other = await b.call("pay", amount=501, to="eve")
    assert isinstance(other, Awaiting)
    assert other.ref != first.ref
    elsewhere = await b.call("pay", replace(b.authority(), user="bob"), **PAID)
    assert isinstance(elsewhere, Awaiting)
    assert elsewhere.ref not in {first.ref, other.ref}
    assert len(await b.ledger.approvals(open_only=True, limit=10)) == 3
    assert len(await b.records(RecordKind.PROPOSAL)) == 4


@driven
async def test_what_was_approved_is_claimed_by_the_rules_of_the_running_bundle(b: Bench) -> None:
    b.hold_s(0.01)
    before, bob = b.bundle, b.bundle.catalog.users["bob"]
    await b.call("pay", **PAID)
    ident = await asked(b)
    assert (await b.driver.approvals.cast_vote(ident, bob, Choice.APPROVE, None)).state is ApprovalState.APPROVED
    route = before.catalog.routes["finance"]
    for change in (
        {"users": {**before.catalog.users, "bob": replace(bob, groups=frozenset[str]())}},
        {"routes": {"finance": replace(route, count=2)}},
    ):
        b.bundle = compiled(replace(before.catalog, **change))
        assert isinstance(await b.call("pay", **PAID), Awaiting)
    b.bundle = before
    # People are asked anew: what they said before is void, also where the rules are as they were again.
    found = await b.ledger.approval(ident)
    assert found is not None
    assert (found.state, found.superseded_by) == (ApprovalState.SUPERSEDED, await asked(b))
    assert isinstance(await b.call("pay", **PAID), Awaiting)
    assert sum(line.startswith("called") for line in b.trace) == 0
    await b.driver.approvals.cast_vote(await asked(b), bob, Choice.APPROVE, None)
    assert isinstance(await b.call("pay", **PAID), Released)
    assert sum(line.startswith("called") for line in b.trace) == 1


@driven
async def test_a_new_approval_is_claimed_although_an_old_one_lifts_a_gate_that_changed(b: Bench) -> None:
    b.hold_s(0.01)
    bob = b.bundle.catalog.users["bob"]
    await b.call("pay", **PAID)
    old = await asked(b)
    await b.driver.approvals.cast_vote(old, bob, Choice.APPROVE, None)
    source = b.bundle.catalog.policies[0]
    changed = replace(source, text=source.text.replace("more than 100 needs", "more than a hundred needs"))
    b.bundle = compiled(replace(b.bundle.catalog, policies=(changed,)))
    assert isinstance(await b.call("pay", **PAID), Awaiting)
    new = await asked(b)
    assert new != old
    await b.driver.approvals.cast_vote(new, bob, Choice.APPROVE, None)
    assert isinstance(await b.call("pay", **PAID), Released)
    found = await b.ledger.approval(new)
    assert found is not None
    assert found.state is ApprovalState.SUCCEEDED


@driven
async def test_one_root_session_asks_people_about_twenty_things_at_once(b: Bench) -> None:
    b.hold_s(0)
    for amount in range(200, 210):
        assert isinstance(await b.call("pay", amount=amount, to="eve"), Awaiting)
    for amount in range(210, 220):
        below = b.authority("clerk", "helper")
        links = (below.links[0], replace(below.links[1], sid=f"{b.root}-{amount}"))
        assert isinstance(await b.call("pay", replace(below, links=links), amount=amount, to="eve"), Awaiting)
    assert codes(await b.call("pay", amount=220, to="eve")) >= {Code.GATE, Code.APPROVAL_TOO_MANY}
    assert codes(await b.call("pay", b.authority("clerk", "helper"), amount=220, to="eve")) >= {Code.APPROVAL_TOO_MANY}
    # Asking again for what waits is no further question, and another root has its own.
    assert isinstance(await b.call("pay", amount=200, to="eve"), Awaiting)
    root = b.root
    b.root = "other"
    assert isinstance(await b.call("pay", amount=220, to="eve"), Awaiting)
    b.root = root
    waiting = await b.ledger.approvals(open_only=True, limit=100)
    assert len(waiting) == 21
    await b.driver.approvals.cast_vote(waiting[-1].ident, b.bundle.catalog.users["bob"], Choice.DENY, None)
    assert isinstance(await b.call("pay", amount=220, to="eve"), Awaiting)


@driven
async def test_a_delegation_that_was_stopped_while_it_was_recorded_is_refused(b: Bench) -> None:
    rule = '@id("hand-on") permit (principal, action == Remit::Action::"delegate", resource);'
    source = b.bundle.catalog.policies[0]
    b.bundle = compiled(replace(b.bundle.catalog, policies=(replace(source, text=source.text + rule),)))
    b.ledger.waits = {RecordKind.INTENT}
    asking = asyncio.create_task(b.driver.authorization.delegate(b.authority(), "helper"))
    await traced(b, "queued intent")
    await b.driver.sessions.end(b.authority().acting.sid, "bob")
    b.ledger.open.set()
    _, decision = await asking
    assert decision.verdict == Deny()
    assert [reason.code for reason in decision.reasons] == [Code.SESSION_ENDED]
    assert [outcome.status for outcome in await outcomes(b)] == [Status.NOT_SENT]
    _, decision = await b.driver.authorization.delegate(b.authority(), "helper")
    assert decision.verdict == Deny()


@driven
async def test_the_requester_cannot_approve_and_a_refusal_ends_it(b: Bench) -> None:
    b.hold_s(30)
    call = asyncio.create_task(b.call("pay", **PAID))
    ident = await asked(b)
    users = b.bundle.catalog.users
    with pytest.raises(VoteRefused, match="requester"):
        await b.driver.approvals.cast_vote(ident, users["ann"], Choice.APPROVE, None)
    with pytest.raises(KeyError):
        await b.driver.approvals.cast_vote("r0-1.99", users["bob"], Choice.APPROVE, None)
    assert not call.done()
    after = await b.driver.approvals.cast_vote(ident, users["bob"], Choice.DENY, "too much")
    assert after.state is ApprovalState.DENIED
    answer = await call
    assert Code.GATE in codes(answer)
    assert isinstance(answer, Refused)
    assert answer.ref == ident
    assert "refused by bob" in answer.reasons[0].text
    with pytest.raises(VoteRefused):
        await b.driver.approvals.cast_vote(ident, users["bob"], Choice.APPROVE, None)


@driven
async def test_a_refusal_is_told_at_once_though_the_disk_is_slow(b: Bench) -> None:
    b.hold_s(30)
    call = asyncio.create_task(b.call("pay", **PAID))
    ident = await asked(b)
    b.ledger.waits = {RecordKind.DECISION}
    voter = b.bundle.catalog.users["bob"]
    vote = asyncio.create_task(b.driver.approvals.cast_vote(ident, voter, Choice.DENY, None))
    answer = await call
    assert Code.GATE in codes(answer)
    assert not vote.done()
    b.ledger.open.set()
    assert (await vote).state is ApprovalState.DENIED


@driven
async def test_revocations_outlive_the_token(b: Bench) -> None:
    of = b.authority()
    await b.driver.authorization.revoke("t0", CLOCK.now_ms() - 1, "bob")
    await b.driver.authorization.expire_due()
    assert b.driver.authorization.stopped(of), "by a clock that is set back it has not expired"


@driven
async def test_silence_is_denial(b: Bench) -> None:
    b.hold_s(30, expires_s=0.05)
    call = asyncio.create_task(b.call("pay", **PAID))
    await asked(b)
    await asyncio.sleep(0.06)
    assert await b.driver.authorization.expire_due() == 1
    assert await b.driver.authorization.expire_due() == 0
    answer = await call
    assert isinstance(answer, Refused)
    assert "nobody decided in time" in answer.reasons[0].text


@pytest.mark.asyncio
@pytest.mark.parametrize("stop", ["session", "token", "expiry"])
async def test_a_stop_ends_a_call_that_waits(tmp_path: Path, stop: str) -> None:
    async with bench(tmp_path) as b:
        b.hold_s(30)
        of = b.authority(ms=150 if stop == "expiry" else 60_000)
        call = asyncio.create_task(b.call("pay", of, **PAID))
        await asked(b)
        if stop == "session":
            await b.driver.sessions.end(of.acting.sid, "bob")
        elif stop == "token":
            await b.driver.authorization.revoke("t1", of.expires_ms, "bob")
        assert codes(await call) <= {Code.SESSION_ENDED, Code.TOKEN_ENDED}
        assert len(await b.records(RecordKind.PROPOSAL)) == 1


@pytest.mark.asyncio
async def test_an_approval_given_after_a_restart_is_claimed_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.hold_s(0.01)
        root = b.root
        pending = await b.call("pay", **PAID)
        assert isinstance(pending, Awaiting)
    async with bench(tmp_path) as b:
        b.root = root
        b.hold_s(0.01)
        await b.driver.approvals.cast_vote(pending.ref, b.bundle.catalog.users["bob"], Choice.APPROVE, None)
        assert isinstance(await b.call("pay", **PAID), Released)
        again = await b.call("pay", **PAID)
        assert isinstance(again, Awaiting)
        assert again.ref != pending.ref


@driven
async def test_a_client_that_leaves_is_recorded_at_every_step(b: Bench) -> None:
    b.upstream.answers.clear()
    call = asyncio.create_task(b.call("pay"))
    await traced(b, "called pay")
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert "cancelled upstream" in b.trace
    b.ledger.waits = {RecordKind.INTENT}
    call = asyncio.create_task(b.call("pay"))
    await until(lambda: count(b, "queued intent", 2))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    b.ledger.open.set()

    async def both() -> bool:
        return [one.status for one in await outcomes(b)] == [Status.LOST, Status.NOT_SENT]

    await until(both)


async def count(b: Bench, line: str, times: int) -> bool:
    return b.trace.count(line) == times


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("reply", "status", "says"),
    [
        (RuntimeError("secret"), Status.LOST, "failed in Remit (RuntimeError)"),
        (Result({"content": "no list"}, is_error=False), Status.LOST, "withheld"),
        (Result({"content": [{"type": "hologram"}]}, is_error=False), Status.LOST, "withheld"),
        (Result({"content": [], "structuredContent": {"x": "\ud800"}}, is_error=False), Status.LOST, "no JSON form"),
        (Failure("timeout", "server 'shop' took too long", sent=True), Status.TIMEOUT, "too long"),
        (Failure("refused", "server 'shop' refuses", sent=False), Status.NOT_SENT, "refuses"),
        (Failure("error", "an error", sent=True, upstream_text="ignore \ud800 me"), Status.UPSTREAM_ERROR, "ignore"),
        (Result({"content": [{"type": "text", "text": "no"}]}, is_error=True), Status.TOOL_ERROR, "no"),
    ],
)
async def test_whatever_an_upstream_does_is_told_and_recorded(
    tmp_path: Path, reply: Any, status: Status, says: str
) -> None:
    async with bench(tmp_path) as b:
        b.upstream.reply = reply
        answer = await b.call("echo", text="hi")
        assert isinstance(answer, Released)
        result = json.loads(answer.result)
        assert result["isError"] is True
        assert says in json.dumps(result)
        assert "secret" not in json.dumps(result)
        [outcome] = await outcomes(b)
        assert outcome.status is status
        assert outcome.result_bytes == (0 if status is Status.NOT_SENT else len(answer.result))
        assert (outcome.labels == ()) == (status is Status.NOT_SENT)


@driven
async def test_an_unreachable_upstream_is_named(b: Bench) -> None:
    b.upstream.reachable = False
    answer = await b.call("pay")
    assert codes(answer) == {Code.TOOL_UNVERIFIED}
    assert isinstance(answer, Refused)
    assert any("'shop' is away" in reason.text for reason in answer.reasons)


@driven
async def test_pins_are_compared_with_what_is_live(b: Bench) -> None:
    first = b.upstream.live
    assert isinstance(await b.call("pay"), Released)
    b.upstream.live = tuple(replace(one, description="Pay everybody.") for one in first)
    assert codes(await b.call("pay")) == {Code.TOOL_DRIFTED}
    b.upstream.live = first[:1]
    assert codes(await b.call("pay")) == {Code.TOOL_MISSING}
    b.upstream.live = (*first, replace(first[0], name="new"))
    assert codes(await b.call("new")) == {Code.TOOL_UNREVIEWED}
    assert codes(await b.call("newer")) == {Code.UNKNOWN_TOOL}
    b.upstream.live = list(first)
    assert isinstance(await b.call("pay"), Released)
    b.upstream.live[1] = replace(first[1], description="Pay everybody.")
    assert codes(await b.call("pay")) == {Code.TOOL_DRIFTED}


@pytest.mark.asyncio
async def test_an_error_of_our_own_denies_and_tells_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with bench(tmp_path) as b:

        async def broken(sid: str, era: object, along: object) -> object:
            raise ZeroDivisionError("the arguments were secret")

        b.upstream.definitions = broken  # pyright: ignore[reportAttributeAccessIssue]
        answer = await b.call("pay")
        assert codes(answer) == {Code.INTERNAL}
        assert "secret" not in str(answer) + caplog.text
        (told,) = [vars(record) for record in caplog.records if record.name == "remit.pep.outcomes"]
        assert told["error"] == "ZeroDivisionError"
        assert "secret" not in str(told)


@driven
async def test_can_has_no_side_effect(b: Bench) -> None:
    of = b.authority()
    assert isinstance((await b.driver.authorization.can(of, "shop", "pay", {"amount": 1, "to": "eve"})).verdict, Permit)
    assert isinstance((await b.driver.authorization.can(of, "shop", "pay", PAID)).verdict, Escalate)
    assert isinstance((await b.driver.authorization.can(of, "shop", "pay", {"amount": "x"})).verdict, Deny)
    assert isinstance((await b.driver.authorization.can(of, "shop", "steal", {})).verdict, Deny)
    assert isinstance((await b.driver.authorization.can(of, "bank", "pay", {})).verdict, Deny)
    assert isinstance((await b.driver.authorization.can(of, "shop", "pay", {"to": float("nan")})).verdict, Deny)
    assert b.trace == []
    assert await b.ledger.session(of.acting.sid) is None
    b.upstream.live = ()
    await b.call("pay")
    decision = await b.driver.authorization.can(of, "shop", "pay", {"amount": 1, "to": "eve"})
    assert [reason.code for reason in decision.reasons] == [Code.TOOL_MISSING]


@driven
async def test_delegating_is_judged_and_recorded(b: Bench) -> None:
    ref, decision = await b.driver.authorization.delegate(b.authority(), "helper")
    assert isinstance(decision.verdict, Deny)
    assert (await b.ledger.entry(ref)) is not None
    rule = '@id("hand-on") permit (principal, action == Remit::Action::"delegate", resource);'
    gate = '@id("ask") @gate("finance") forbid (principal, action == Remit::Action::"delegate", resource);'
    source = b.bundle.catalog.policies[0]
    b.bundle = compiled(replace(b.bundle.catalog, policies=(replace(source, text=source.text + rule),)))
    ref, decision = await b.driver.authorization.delegate(b.authority(), "helper")
    assert isinstance(decision.verdict, Permit)
    assert await b.ledger.outcome_of(ref) is not None
    b.bundle = compiled(replace(b.bundle.catalog, policies=(replace(source, text=source.text + rule + gate),)))
    asked_at, decision = await b.driver.authorization.delegate(b.authority(), "helper")
    again, _ = await b.driver.authorization.delegate(b.authority(), "helper")
    assert isinstance(decision.verdict, Escalate)
    assert asked_at == again
    await b.driver.approvals.cast_vote(str(asked_at), b.bundle.catalog.users["bob"], Choice.APPROVE, None)
    claimed, decision = await b.driver.authorization.delegate(b.authority(), "helper")
    assert isinstance(decision.verdict, Permit)
    assert claimed != asked_at
    found = await b.ledger.approval(str(asked_at))
    assert found is not None
    assert found.state is ApprovalState.SUCCEEDED


@driven
async def test_memory_says_what_the_ledger_says(b: Bench) -> None:
    of = b.authority("clerk", "helper")
    await b.driver.sessions.open(of.links[0].sid, "clerk", "ann", "bob")
    await b.driver.sessions.record_words(of.links[0].sid, "pay eve one", "harness")
    for tool, arguments in (("pay", {}), ("echo", {"text": "x"}), ("pay", {"amount": 500, "to": "eve"})):
        b.hold_s(0.01)
        await b.call(tool, of, **arguments)
    memory = b.memory
    await memory.hold([link.sid for link in of.links], 0.0)
    for link in of.links:
        assert await b.ledger.session(link.sid) == memory.session(link, "ann", CLOCK.now_ms())
    memory.release([link.sid for link in of.links], 0.0)
    assert memory.forget_idle(1e9) == 2
    await memory.hold([of.acting.sid], 0.0)
    assert memory.session(of.acting, "ann", 0).labels == {"untrusted"}
    assert memory.session(of.acting, "ann", 0).calls == 2
    for one in await b.records(RecordKind.INTENT):
        assert await b.ledger.outcome_of(Ref(one.record.chain, one.record.seq)) is not None

"""The handoff to a person, step by step: edits, reasons, stops, deputies, glass, hang-ups, crashes and crowds."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remit.adapters.sqlite import verify_file
from remit.escalate.machine import ApprovalState
from remit.escalate.voting import EditRefused, VoteRefused
from remit.facts.agent import User
from remit.facts.limits import DEFAULT
from remit.facts.record import RecordKind, Ref
from remit.facts.stop import StopKind, StopScope
from remit.pep.answer import Awaiting, Refused, Released
from remit.pep.argument_edits import NOTICE
from remit.policy.verdict import Code
from remit.ports.ledger import LedgerUnwritable
from remit.ports.upstream import NO_CONTEXT, Era, UpstreamContext
from remit.trace.bodies import ActionBody, AdminBody, Choice, DecisionBody, Event
from tests.contract.test_ledger_locked import locked
from tests.e2e.gateway_parts import Bench, bench
from tests.e2e.gateway_world import compiled, until
from tests.e2e.test_gateway_driver import asked, codes, driven, traced
from tests.eventually import WITHIN_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from remit.escalate.machine import Approval
    from remit.facts.tool import Definition
    from remit.pep.answer import Answer

PAID: dict[str, Any] = {"amount": 500, "to": "eve"}
BOB, CAT = User("bob", frozenset({"finance", "everyone"})), User("cat", frozenset({"finance", "everyone"}))
OLI = User("oli", frozenset({"oncall", "everyone"}))


def route(b: Bench, **said: Any) -> None:
    """Change the one route, and have more people about."""
    catalog = b.bundle.catalog
    changed = replace(catalog.routes["finance"], **{"hold_s": 0.01, "edits": True, **said})
    people = {**catalog.users, "cat": CAT, "oli": OLI, "dan": User("dan", frozenset({"everyone"}))}
    groups = catalog.groups | {"oncall"}
    b.bundle = compiled(replace(catalog, routes={"finance": changed}, users=people, groups=groups))


async def approval(b: Bench, ident: str) -> Approval:
    found = await b.ledger.approval(ident)
    assert found is not None
    return found


def calls(b: Bench) -> list[str]:
    return [line for line in b.trace if line.startswith("called")]


def texts(answer: Answer) -> list[str]:
    assert isinstance(answer, Released), answer
    return [block["text"] for block in json.loads(answer.result)["content"]]


@driven
async def test_what_a_person_edited_runs_once_as_edited_and_the_agent_is_told(b: Bench) -> None:
    route(b, hold_s=30.0)
    call = asyncio.create_task(b.call("pay", **PAID))
    ident = await asked(b)
    await b.driver.approvals.approve_edited(ident, BOB, {"to": "eve", "amount": 400}, "enough")
    told, done = texts(await call)
    assert told == NOTICE + '{"amount":400,"to":"eve"}'
    assert done == "done"
    assert calls(b) == ['called pay {"amount":400,"to":"eve"}']
    found = await approval(b, ident)
    assert (found.state, found.approved != found.requested) == (ApprovalState.SUCCEEDED, True)
    assert found.edit is not None
    assert (found.edit.by, [vote.by for vote in found.votes]) == ("bob", ["bob"])
    [said] = [one.body for one in await b.records(RecordKind.DECISION)]
    assert isinstance(said, DecisionBody)
    assert (said.edit, said.approved) == (found.edit.record, found.approved)
    held = await b.ledger.entry(Ref.parse(found.edit.record))
    [intent] = [one.body for one in await b.records(RecordKind.INTENT)]
    assert held is not None
    assert isinstance(held.body, ActionBody)
    assert isinstance(intent, ActionBody)
    assert intent.arguments == held.body.arguments == b'{"amount":400,"to":"eve"}'
    assert (intent.approval, intent.action) == (ident, found.approved)
    # Used once: the same call asks anew, and what was edited is nobody's permit.
    assert isinstance(await asyncio.wait_for(held_for(b, 0.01), WITHIN_S), Awaiting)
    assert isinstance(await b.call("pay", amount=400, to="eve"), Awaiting)
    assert len(calls(b)) == 1


async def held_for(b: Bench, seconds: float) -> Answer:
    route(b, hold_s=seconds)
    return await b.call("pay", **PAID)


@driven
async def test_an_edit_is_claimed_by_what_was_asked_alone_also_after_a_restart(b: Bench) -> None:
    route(b)
    ident = (await waits(b)).ref
    await b.driver.approvals.approve_edited(ident, BOB, {"amount": 400, "to": "eve"}, None)
    assert isinstance(await b.call("pay", amount=400, to="eve"), Awaiting)
    assert calls(b) == []
    b.driver._engine.approval_matcher._edits.clear()  # pyright: ignore[reportPrivateUsage]
    assert texts(await b.call("pay", **PAID))[0].startswith(NOTICE)
    assert calls(b) == ['called pay {"amount":400,"to":"eve"}']


async def waits(b: Bench, **arguments: Any) -> Awaiting:
    answer = await b.call("pay", **(arguments or PAID))
    assert isinstance(answer, Awaiting), answer
    return answer


@driven
async def test_an_edit_that_policy_would_permit_by_itself_is_used_up_all_the_same(b: Bench) -> None:
    route(b)
    ident = (await waits(b)).ref
    await b.driver.approvals.approve_edited(ident, BOB, {"amount": 40, "to": "eve"}, None)
    assert texts(await b.call("pay", **PAID))[1] == "done"
    assert (await approval(b, ident)).state is ApprovalState.SUCCEEDED
    assert isinstance(await b.call("pay", **PAID), Awaiting)
    assert calls(b) == ['called pay {"amount":40,"to":"eve"}']


@driven
async def test_an_edit_that_may_not_run_any_more_asks_people_anew(b: Bench) -> None:
    route(b)
    ident = (await waits(b)).ref
    await b.driver.approvals.approve_edited(ident, BOB, {"amount": 400, "to": "zoe"}, None)
    [source] = b.bundle.catalog.policies
    changed = replace(source, text=source.text.replace('"stranger"', '"zoe"'))
    b.bundle = compiled(replace(b.bundle.catalog, policies=(changed,)))
    again = await waits(b)
    assert again.ref != ident
    assert (await approval(b, ident)).superseded_by == again.ref
    assert calls(b) == []


@driven
async def test_what_may_not_run_is_no_edit(b: Bench) -> None:
    route(b)
    ident = (await waits(b)).ref
    for arguments, why in (
        ({"amount": 400, "to": "stranger"}, "nothing is paid to strangers"),
        ({"amount": "much", "to": "eve"}, "amount"),
        ({"amount": 400}, "to"),
        ({**PAID, "amuont": 8}, "the tool has no argument amuont: did you mean amount?"),
        ({**PAID, "x": 8}, "the tool has no argument x: it has amount, to"),
        (PAID, "would run anyway"),
        ({"amount": 400, "to": "\ud800"}, "canonical form"),
    ):
        with pytest.raises(EditRefused, match=why):
            await b.driver.approvals.approve_edited(ident, BOB, arguments, None)
    with pytest.raises(VoteRefused, match="requester"):
        await b.driver.approvals.approve_edited(ident, b.bundle.catalog.users["ann"], {"amount": 1, "to": "eve"}, None)
    route(b, edits=False)
    with pytest.raises(VoteRefused, match="do not let people approve other arguments"):
        await b.driver.approvals.approve_edited(ident, BOB, {"amount": 1, "to": "eve"}, None)
    assert await b.records(RecordKind.DECISION) == []
    assert (await approval(b, ident)).state is ApprovalState.PENDING


@driven
async def test_an_edit_that_meets_another_gate_is_left_to_the_agent(b: Bench) -> None:
    [source] = b.bundle.catalog.policies
    gate = '@id("zoe") @gate("finance") forbid (principal, action == Remit::Action::"shop___pay", resource)'
    text = source.text + gate + ' when { context.input.to == "zoe" };'
    b.bundle = compiled(replace(b.bundle.catalog, policies=(replace(source, text=text),)))
    route(b)
    ident = (await waits(b)).ref
    with pytest.raises(EditRefused, match="gates that nobody is asked about: zoe"):
        await b.driver.approvals.approve_edited(ident, BOB, {"amount": 400, "to": "zoe"}, None)


@driven
async def test_the_second_of_two_says_yes_to_what_the_first_made_of_it(b: Bench) -> None:
    route(b, count=2)
    ident = (await waits(b)).ref
    before = await approval(b, ident)
    await b.driver.approvals.cast_vote(ident, CAT, Choice.APPROVE, None)
    edited = await b.driver.approvals.approve_edited(ident, BOB, {"amount": 400, "to": "eve"}, None, shown=before.nonce)
    assert (edited.state, [vote.by for vote in edited.votes]) == (ApprovalState.PENDING, ["bob"])
    for shown in (None, before.nonce, "forged"):
        with pytest.raises(VoteRefused) as stale:
            await b.driver.approvals.cast_vote(ident, CAT, Choice.APPROVE, None, shown=shown)
        assert stale.value.stale
    assert calls(b) == []
    agreed = await b.driver.approvals.cast_vote(ident, CAT, Choice.APPROVE, None, shown=edited.shown)
    assert agreed.state is ApprovalState.APPROVED
    assert texts(await b.call("pay", **PAID))[1] == "done"
    assert calls(b) == ['called pay {"amount":400,"to":"eve"}']


@driven
async def test_two_who_decide_at_once_are_two_yeses_or_one_end(b: Bench) -> None:
    route(b, count=2)
    ident = (await waits(b)).ref
    yes = (b.driver.approvals.cast_vote(ident, who, Choice.APPROVE, None) for who in (BOB, CAT, BOB, CAT))
    found = await asyncio.gather(*yes)
    assert found[-1].state is ApprovalState.APPROVED
    assert len(await b.records(RecordKind.DECISION)) == 2
    other = (await waits(b, amount=501, to="eve")).ref
    said = (b.driver.approvals.cast_vote(other, who, Choice.DENY, None) for who in (BOB, CAT))
    ended = await asyncio.gather(*said, return_exceptions=True)
    assert sum(isinstance(one, VoteRefused) for one in ended) == 1


@driven
async def test_a_reason_reaches_the_agent_and_the_no_stands(b: Bench) -> None:
    route(b, hold_s=30.0)
    call = asyncio.create_task(b.call("pay", **PAID))
    ident = await asked(b)
    await b.driver.approvals.cast_vote(ident, BOB, Choice.DENY, "our secret", reason="wrong-target")
    answer = await call
    assert codes(answer) >= {Code.APPROVAL_REFUSED}
    assert isinstance(answer, Refused)
    assert "refused by bob: it would reach the wrong recipient" in answer.reasons[0].text
    again = await b.call("pay", **PAID)
    assert codes(again) >= {Code.APPROVAL_REFUSED}
    assert "secret" not in repr(answer) + repr(again)
    assert await b.ledger.approvals(open_only=True, limit=10) == []


@pytest.mark.asyncio
async def test_a_no_stands_after_a_restart_until_its_approval_would_have_ended(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        route(b)
        ident = (await waits(b)).ref
        await b.driver.approvals.cast_vote(ident, BOB, Choice.DENY, None, reason="not-now")
        root = b.root
    async with bench(tmp_path) as b:
        b.root = root
        route(b)
        assert codes(await b.call("pay", **PAID)) >= {Code.APPROVAL_REFUSED}
        b.memory.forget_over(2**60)
        assert isinstance(await b.call("pay", **PAID), Awaiting)


@driven
async def test_a_stopped_session_does_nothing_any_more(b: Bench) -> None:
    route(b, hold_s=30.0)
    call = asyncio.create_task(b.call("pay", **PAID))
    ident = await asked(b)
    other = asyncio.create_task(b.call("pay", amount=700, to="eve"))
    await asked(b, 2)
    b.upstream.answers.clear()
    running = asyncio.create_task(b.call("pay"))
    await traced(b, "called pay")
    stopped = await b.driver.halts.stop_session(ident, BOB, "suspicious", None)
    assert stopped == f"{b.root}0"
    for one in (call, other, running):
        assert codes(await one) >= {Code.HALTED}
    found = [one.state for one in await b.ledger.approvals(open_only=False, limit=10)]
    assert sorted(found) == [ApprovalState.CANCELLED, ApprovalState.DENIED]
    b.upstream.answers.set()
    below = await b.call("pay", b.authority("clerk", "helper"), amount=1, to="eve")
    assert codes(below) == {Code.HALTED}
    assert "stopped by user:bob: it looks as if" in repr(below)
    with pytest.raises(VoteRefused, match="not one of those"):
        await b.driver.halts.stop_session(ident, b.bundle.catalog.users["dan"], "suspicious", None)
    assert [name for _, name in await b.ledger.stops()] == [f"{b.root}0"]


@driven
async def test_a_caller_that_hangs_up_withdraws_his_question(b: Bench) -> None:
    route(b, hold_s=30.0)
    first, twin = (asyncio.create_task(b.call("pay", **PAID)) for _ in range(2))
    ident = await asked(b)

    async def both() -> bool:
        return len(await b.records(RecordKind.PROPOSAL)) == 2

    await until(both)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert (await approval(b, ident)).state is ApprovalState.PENDING
    twin.cancel()
    await asyncio.gather(twin, return_exceptions=True)

    async def cancelled() -> bool:
        return (await approval(b, ident)).state is ApprovalState.CANCELLED

    await until(cancelled)
    with pytest.raises(VoteRefused, match="cancelled"):
        await b.driver.approvals.cast_vote(ident, BOB, Choice.APPROVE, None)


@pytest.mark.asyncio
async def test_what_others_are_shown_does_not_say_that_a_tool_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as b:
        route(b)
        ident = (await waits(b)).ref
        sid, seen, live, gone = b.authority().acting.sid, b.driver.authorization, b.upstream.live, {""}

        async def definitions(
            sid: str, era: Era, context: UpstreamContext = NO_CONTEXT, *, anew: bool = False
        ) -> Sequence[Definition]:
            return tuple(one for one in live if one.name != "pay") if sid in gone else live

        monkeypatch.setattr(b.upstream, "definitions", definitions)
        await seen.look("shop")
        gone.add("other0")
        b.root, before = "other", b.root
        assert codes(await b.call("pay", **PAID)) == {Code.TOOL_MISSING}
        b.root = before
        assert seen.missing_since("shop", "pay", "other0") is not None
        assert seen.missing_since("shop", "pay", sid) is None
        await seen.look_for(ident, "shop", "pay")
        assert seen.missing_since("shop", "pay", sid) is None, "who asked is shown it"
        gone.add(sid)
        await seen.look_for(ident, "shop", "pay")
        since_ms = seen.missing_since("shop", "pay", sid)
        assert since_ms is not None
        await asyncio.sleep(0.005)
        await seen.look_for(ident, "shop", "pay")
        assert seen.missing_since("shop", "pay", sid) == since_ms, "the first look that did not show it"
        gone.clear()
        await seen.look_for(ident, "shop", "pay")
        assert seen.missing_since("shop", "pay", sid) is None


@driven
async def test_a_yes_that_came_before_the_caller_hung_up_stands(b: Bench) -> None:
    route(b, hold_s=30.0)
    call = asyncio.create_task(b.call("pay", **PAID))
    ident = await asked(b)
    said = asyncio.ensure_future(b.driver.approvals.cast_vote(ident, BOB, Choice.APPROVE, None))
    # The yes is queued by then, and the caller has not been woken yet.
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert (await said).state is ApprovalState.APPROVED
    assert (await approval(b, ident)).state is ApprovalState.APPROVED
    assert isinstance(await b.call("pay", **PAID), Released), "who was told that he approved it is asked no second time"


@driven
async def test_a_caller_that_hangs_up_before_it_is_on_disk_that_people_are_asked_withdraws_his_question(
    b: Bench,
) -> None:
    route(b, hold_s=30.0)
    b.ledger.waits = {RecordKind.PROPOSAL}
    call = asyncio.create_task(b.call("pay", **PAID))

    async def opened() -> str | None:
        return next((one.ident for one in b.memory.approvals()), None)

    ident = await until(opened) or ""
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    b.ledger.open.set()

    async def cancelled() -> bool:
        found = await b.ledger.approval(ident)
        return found is not None and found.state is ApprovalState.CANCELLED

    await until(cancelled)


@driven
async def test_a_service_that_ends_withdraws_nothing(b: Bench) -> None:
    route(b, hold_s=30.0)
    b.driver.drains_by(asyncio.Event()).set()
    call = asyncio.create_task(b.call("pay", **PAID))
    ident = await asked(b)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert (await approval(b, ident)).state is ApprovalState.PENDING


@driven
async def test_an_agent_that_floods_people_is_denied(b: Bench) -> None:
    route(b, hold_s=0.0)
    most = DEFAULT.asks_per_hour_max
    for number in range(most):
        b.root = f"run{number}-"
        await waits(b)
    b.root = "another-"
    assert codes(await b.call("pay", **PAID)) >= {Code.APPROVAL_TOO_OFTEN}
    assert isinstance(await b.call("pay"), Released)
    b.root = "run0-"
    await waits(b)
    helper = b.authority("helper")
    assert isinstance(await b.call("pay", helper, amount=800, to="eve"), Awaiting)


@driven
async def test_a_deputy_decides_and_glass_is_broken_alone(b: Bench) -> None:
    route(b, break_glass=frozenset({"oncall"}), count=3)
    dan = b.bundle.catalog.users["dan"]
    ident = (await waits(b)).ref
    until_ms = (await approval(b, ident)).expires_ms
    handed = await b.driver.approvals.delegate(ident, BOB, "dan", until_ms, None)
    assert [(one.by, one.to) for one in handed.delegations] == [("bob", "dan")]
    half = await b.driver.approvals.cast_vote(ident, dan, Choice.APPROVE, None)
    assert half.state is ApprovalState.PENDING
    broken = await b.driver.approvals.break_glass(ident, OLI, "the site is down")
    assert (broken.state, broken.expires_ms < until_ms) == (ApprovalState.APPROVED, False)
    assert isinstance(await b.call("pay", **PAID), Released)
    looked = await b.driver.approvals.review_glass(ident, BOB, "fine")
    assert looked.glass is not None
    assert looked.glass.reviewed_by == "bob"
    again = await b.driver.approvals.review_glass(ident, CAT, None)
    assert again.glass == looked.glass
    assert len(calls(b)) == 1


@pytest.mark.asyncio
async def test_ten_thousand_claims_at_once_have_one_winner_each(tmp_path: Path) -> None:
    approvals, claims = 500, 20
    async with bench(tmp_path) as b:
        route(b, hold_s=0.0)
        limits = replace(DEFAULT, asks_per_hour_max=10**6)
        b.driver._engine.approval_matcher._limits = limits  # pyright: ignore[reportPrivateUsage]
        roots = [f"run{number}-" for number in range(approvals)]

        def call(root: str, number: int) -> Any:
            b.root = root
            return b.call("pay", b.authority(), amount=1_000 + number, to="eve")

        waiting = [await call(root, number) for number, root in enumerate(roots)]
        for one in waiting:
            await b.driver.approvals.cast_vote(one.ref, BOB, Choice.APPROVE, None)
        order = [(root, number) for _ in range(claims) for number, root in enumerate(roots)]
        answers = await asyncio.gather(*[call(root, number) for root, number in order])
        assert len(answers) == 10_000
        assert sum(isinstance(answer, Released) for answer in answers) == approvals
        assert sorted(calls(b)) == sorted(
            f'called pay {{"amount":{1_000 + number},"to":"eve"}}' for number in range(approvals)
        )
        for one in waiting:
            assert (await approval(b, one.ref)).state is ApprovalState.SUCCEEDED
    assert verify_file(tmp_path / "ledger.sqlite3").clean


@driven
async def test_what_waited_is_withdrawn_however_soon_what_was_stopped_acts_again(b: Bench) -> None:
    route(b, channels=())
    idents = [(await waits(b)).ref, (await waits(b, amount=600, to="eve")).ref]
    await b.driver.approvals.cast_vote(idents[1], BOB, Choice.APPROVE, None)
    await b.driver.halts.halt((StopKind.AGENT, "clerk"), "ann", "odd")
    await b.driver.halts.resume((StopKind.AGENT, "clerk"), "cat")
    assert [(await approval(b, ident)).state for ident in idents] == [ApprovalState.CANCELLED, ApprovalState.CANCELLED]
    assert await b.driver.authorization.expire_due() == 0
    assert isinstance(await b.call("pay", amount=600, to="eve"), Awaiting), "what was approved before is asked anew"


@pytest.mark.asyncio
async def test_what_a_chain_waits_for_is_withdrawn_though_its_proposal_is_still_on_its_way_to_disk(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as b:
        route(b, channels=())
        halts, clerk = b.driver.halts, (StopKind.AGENT, "clerk")

        async def opened() -> list[Approval]:
            return [one for one in b.memory.approvals() if one.state is ApprovalState.PENDING]

        with locked(tmp_path / "ledger.sqlite3") as other:
            call = asyncio.ensure_future(b.call("pay", b.authority("clerk", "helper"), **PAID))
            [waiting] = await until(opened)
            halted = asyncio.ensure_future(halts.halt(clerk, "ann", "odd"))
            await asyncio.sleep(0)
            resumed = asyncio.ensure_future(halts.resume(clerk, "cat"))
            await asyncio.sleep(0.05)
            assert not resumed.done()
            other.execute("COMMIT")
        await asyncio.wait_for(asyncio.gather(call, halted, resumed), WITHIN_S)
        assert (await approval(b, waiting.ident)).state is ApprovalState.CANCELLED
        with locked(tmp_path / "ledger.sqlite3"):
            call = asyncio.ensure_future(b.call("pay", b.authority("clerk", "helper"), **PAID))
            await until(opened)
            halted = asyncio.ensure_future(halts.halt(clerk, "ann", "odd"))
            await asyncio.sleep(0)
            b.ledger.fail("the disk is full")
            with pytest.raises(LedgerUnwritable, match="the disk is full"):
                await halts.resume(clerk, "cat")
        await asyncio.wait_for(asyncio.gather(call, halted, return_exceptions=True), WITHIN_S)


@driven
async def test_what_was_asked_for_a_user_who_is_gone_is_withdrawn(b: Bench) -> None:
    route(b, channels=())
    ident = (await waits(b)).ref
    whole = b.bundle.catalog
    assert await b.driver.authorization.expire_due() == 0
    b.bundle = compiled(replace(whole, users={name: one for name, one in whole.users.items() if name != "ann"}))
    assert await b.driver.authorization.expire_due() == 1
    assert (await approval(b, ident)).state is ApprovalState.CANCELLED
    [why] = [one.body for one in await b.records(RecordKind.ADMIN) if isinstance(one.body, AdminBody)
             and one.body.event is Event.APPROVAL_CANCELLED]  # fmt: skip
    assert why.data == {"why": "user ann is gone: the running bundle declares none that is called so"}
    b.bundle = compiled(whole)
    assert isinstance(await b.call("pay", **PAID), Awaiting), "whoever comes back asks anew"


@driven
async def test_what_people_stopped_is_withdrawn_and_nobody_is_asked_any_more(b: Bench) -> None:
    route(b, channels=())
    idents = [(await waits(b)).ref, (await waits(b, amount=600, to="eve")).ref]
    await b.driver.approvals.cast_vote(idents[1], BOB, Choice.APPROVE, None)
    other = await b.call("pay", b.authority("helper"), amount=500, to="eve")
    assert isinstance(other, Awaiting)
    assert await b.driver.authorization.expire_due() == 0
    await b.driver.halts.halt((StopKind.AGENT, "clerk"), "ann", "odd")
    assert await b.driver.authorization.expire_due() == 2
    assert [(await approval(b, ident)).state for ident in idents] == [ApprovalState.CANCELLED, ApprovalState.CANCELLED]
    assert (await approval(b, other.ref)).state is ApprovalState.PENDING
    [why, _] = [one.body for one in await b.records(RecordKind.ADMIN) if isinstance(one.body, AdminBody)
                and one.body.event is Event.APPROVAL_CANCELLED]  # fmt: skip
    assert why.data == {"why": "agent clerk was stopped by ann: odd"}
    assert await b.driver.authorization.expire_due() == 0
    await b.driver.halts.resume((StopKind.AGENT, "clerk"), "cat")
    assert isinstance(await b.call("pay", **PAID), Awaiting), "asked anew"
    assert await b.driver.authorization.expire_due() == 0
    await b.driver.halts.halt((StopKind.TOOL, "shop/pay"), "ann", "odd", StopScope.READING)
    assert await b.driver.authorization.expire_due() == 0, "to pay is to act"
    await b.driver.halts.halt((StopKind.TOOL, "shop/pay"), "ann", "odd", StopScope.ACTING)
    assert await b.driver.authorization.expire_due() == 2

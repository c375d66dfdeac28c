"""`remit replay --ledger` and `--against`: history judged again, by the bundle that ran and by others."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remit.app.assurance import ledger_replay
from remit.app.cli import run
from remit.app.terminal.failure import CommandFailure, Exit
from remit.assure.changes import VerdictChanges
from remit.escalate.grants import GrantScope, Wish
from remit.facts.breaker import Breaker, BreakerSubject, On
from remit.facts.catalog import PolicySource
from remit.facts.record import RecordKind
from remit.facts.stop import StopKind as Whom
from remit.pep.answer import Client
from remit.ports.upstream import Era, Result
from remit.trace.bodies import ActionBody, Choice
from tests.e2e.gateway_parts import Bench, bench
from tests.e2e.gateway_world import POLICIES, compiled
from tests.e2e.test_gateway_driver import asked

if TYPE_CHECKING:
    from pathlib import Path

    from remit.facts.canonical import Json
    from remit.policy.bundle import Bundle


async def lived(b: Bench) -> None:
    """A little of everything: permitted, denied, escalated, approved, delegated, labelled, ended."""
    await b.call("pay", amount=1, to="eve")
    await b.call("pay", amount=1, to="stranger")
    await b.call("nothing")
    await b.call("pay", amount="much", to="eve")
    await b.call("pay", b.authority("guest"), amount=1, to="eve")
    await b.call("pay", b.authority("clerk", "helper"), amount=2, to="eve")
    waiting = asyncio.create_task(b.call("pay", amount=500, to="eve"))
    await b.driver.approvals.cast_vote(await asked(b), b.bundle.catalog.users["bob"], Choice.APPROVE, None)
    await waiting
    await b.call("pay", amount=500, to="eve")
    await b.call("echo", text="hi")
    await b.call("pay", amount=1, to="eve")
    await b.driver.sessions.end(b.authority().links[0].sid, "ann")
    await b.call("echo", text="hi")


async def history(folder: Path) -> tuple[Bundle, list[ActionBody]]:
    async with bench(folder) as b:
        await lived(b)
        entries = await b.records(RecordKind.INTENT, RecordKind.PROPOSAL)
        return b.bundle, [entry.body for entry in entries if isinstance(entry.body, ActionBody)]


@pytest.mark.asyncio
async def test_every_verdict_comes_out_as_it_was_recorded_byte_for_byte(tmp_path: Path) -> None:
    bundle, recorded = await history(tmp_path)
    assert {body.verdict for body in recorded} == {"permit", "deny", "escalate"}
    assert any(body.approval for body in recorded if body.verdict == "permit")
    found = list(ledger_replay.replayed_actions(tmp_path / "ledger.sqlite3", bundle))
    assert [one.recorded["verdict"] for one in found] == [body.verdict for body in recorded]
    assert [json.dumps(one.replayed) for one in found] == [json.dumps(one.recorded) for one in found]
    account = ledger_replay.ReplayTally()
    lines = list(ledger_replay.as_recorded(tmp_path / "ledger.sqlite3", bundle, account))
    assert (account.judged, account.same, dict(account.unjudged)) == (len(recorded), len(recorded), {})
    assert [json.loads(line)["verdict"] for line in lines] == [body.verdict for body in recorded]


@pytest.mark.asyncio
async def test_what_another_bundle_would_change_is_counted(tmp_path: Path) -> None:
    bundle, _ = await history(tmp_path)
    ledger = tmp_path / "ledger.sqlite3"
    changed = POLICIES.replace("context.input.amount > 100", "context.input.amount > 1").replace(
        '== "stranger"', '== "x"'
    )
    other = compiled(replace(bundle.catalog, policies=(PolicySource("shop.cedar", changed),)))
    account = ledger_replay.ReplayTally()
    assert list(ledger_replay.as_recorded(ledger, other, account)) == []
    assert set(account.strange) == {bundle.digest}
    assert account.actions == account.strange.total() > 0
    changes = VerdictChanges()
    lines: list[dict[str, Any]] = [json.loads(line) for line in ledger_replay.against_history(ledger, other, changes)]
    assert [(one["was"], one["verdict"]) for one in lines] == [("deny", "permit"), ("permit", "escalate")]
    told = list(ledger_replay.summary(changes))
    assert told[0] == "     1  newly asked  helper  shop/pay  was permit  big-money, may-shop"
    assert "newly denied 0  newly asked 1  newly permitted 1" in told[-2]
    assert told[-1] == "asks per day: 2.0 before, 3.0 after, over 1.0 days"


@pytest.mark.asyncio
async def test_two_bundles_differ_where_they_do_and_never_where_they_are_one(tmp_path: Path) -> None:
    bundle, recorded = await history(tmp_path)
    ledger = tmp_path / "ledger.sqlite3"
    changed = POLICIES.replace("context.input.amount > 100", "context.input.amount > 1")
    running = compiled(replace(bundle.catalog, policies=(PolicySource("shop.cedar", changed),)))
    alike = list(ledger_replay.replayed_by_both(ledger, running, running))
    assert len(alike) == len(recorded)
    assert [(one.replayed, other.replayed) for one, other in alike if one.replayed != other.replayed] == []
    assert any(one.replayed != one.recorded for one, _ in alike), "what was decided then is another matter"
    both = list(ledger_replay.replayed_by_both(ledger, running, bundle))
    assert {
        (str(one.replayed["verdict"]), str(other.replayed["verdict"]))
        for one, other in both
        if one.replayed and other.replayed
    } == {
        ("permit", "permit"),
        ("deny", "deny"),
        ("escalate", "escalate"),
        ("escalate", "permit"),
    }


@pytest.mark.asyncio
async def test_what_a_breaker_or_a_halt_denied_is_no_change_of_policy(tmp_path: Path) -> None:
    loops = Breaker("loops", On.IDENTICAL, BreakerSubject.AGENT, None, 3)
    async with bench(tmp_path) as b:
        b.bundle = compiled(replace(b.bundle.catalog, breakers={"loops": loops}))
        for _ in range(3):
            await b.call("pay", amount=1, to="eve")
        await b.driver.halts.halt((Whom.AGENT, "helper"), "ann", "odd")
        await b.call("pay", b.authority("helper"), amount=2, to="eve")
        bundle = b.bundle
    ledger = tmp_path / "ledger.sqlite3"
    assert [one.recorded["verdict"] for one in ledger_replay.replayed_actions(ledger, bundle)] == [
        "permit",
        "permit",
        "deny",
        "deny",
    ]
    more = PolicySource("more.cedar", '@id("more") forbid (principal, action, resource) when { false };')
    other = compiled(replace(bundle.catalog, policies=(*bundle.catalog.policies, more)))
    changes = VerdictChanges()
    assert list(ledger_replay.against_history(ledger, other, changes)) == []
    assert (changes.actions, changes.unjudged.total()) == (2, 2)
    told = list(ledger_replay.summary(changes))
    assert "1 actions not judged: a breaker stopped it" in told
    assert "1 actions not judged: people had stopped who or what it was about" in told
    account = ledger_replay.ReplayTally()
    list(ledger_replay.as_recorded(ledger, bundle, account))
    assert (account.judged, account.same) == (2, 2)


@pytest.mark.asyncio
async def test_prompts_and_completions_are_judged_by_what_was_recorded_of_them(tmp_path: Path) -> None:
    policies = """
    @id("greet") permit (principal, action == Remit::Action::"get_prompt", resource)
      when { context.input.name == "greet" };
    @id("notes") permit (principal, action == Remit::Action::"read_resource", resource)
      when { context.input.uri like "file:///notes/*" && context.content.unseen < 1 };
    """
    async with bench(tmp_path) as b:
        b.bundle = compiled(replace(b.bundle.catalog, policies=(PolicySource("shop.cedar", policies),)))
        b.upstream.other = Result({"messages": [], "completion": {"values": []}, "contents": []}, is_error=False)
        me, client = b.authority(), Client(Era.STATELESS)
        of: Json = {"type": "ref/resource", "uri": "file:///notes/{x}"}
        for name in ("greet", "other"):
            await b.driver.get_prompt(me, client, "shop", name, {"who": "ann"}, b'{"who":"ann"}')
            ref: Json = {"type": "ref/prompt", "name": name}
            await b.driver.complete(me, client, "shop", {"ref": ref, "argument": {"name": "who", "value": "a"}})
        await b.driver.read_resource(me, client, "shop", "file:///notes/a")
        await b.driver.complete(me, client, "shop", {"ref": of, "argument": {"name": "x", "value": "zoo"}})
        bundle = b.bundle
    found = list(ledger_replay.replayed_actions(tmp_path / "ledger.sqlite3", bundle))
    assert [one.recorded["verdict"] for one in found] == ["permit", "permit", "deny", "deny", "permit", "deny"]
    assert [json.dumps(one.replayed) for one in found] == [json.dumps(one.recorded) for one in found]


def test_a_ledger_that_is_not_there_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w").mkdir()
    user = "apiVersion: remit.dev/v1alpha1\nkind: User\nmetadata: {name: ana}\n"
    (tmp_path / "w" / "people.yaml").write_text(user, "utf-8")
    here = ["--data", str(tmp_path), "--workspace", str(tmp_path / "w")]
    assert run(["replay", "--ledger", *here]) == Exit.NOT_FOUND
    assert "there is no ledger" in capfd.readouterr().err
    (tmp_path / "ledger.sqlite3").write_bytes(b"this is no ledger at all" * 100)
    assert run(["replay", "--ledger", *here]) == Exit.INVALID
    assert run(["replay", "--ledger", "--sessions", "x", *here]) == Exit.USAGE
    assert run(["replay", "--ledger", "--against", str(tmp_path / "w"), *here]) == Exit.INVALID


def test_a_ledger_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(CommandFailure, match="there is no ledger"):
        next(ledger_replay.replayed_actions(tmp_path / "none", compiled_nothing()))


def compiled_nothing() -> Bundle:
    from tests.core.deciding import bundle

    return bundle('@id("p") permit (principal, action, resource);')


NEW = """
@id("new-tool")
@gate("finance")
forbid (principal, action == Remit::Action::"shop___echo", resource)
when { context.novelty.target };

@id("unsure")
@gate("finance")
forbid (principal, action == Remit::Action::"shop___echo", resource)
when { context.session has confidence && context.session.confidence.value.lessThan(decimal("0.5")) };
"""


@pytest.mark.asyncio
async def test_what_was_granted_said_and_new_comes_out_as_it_was(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.bundle = bundle = compiled(
            replace(b.bundle.catalog, policies=(*b.bundle.catalog.policies, PolicySource("new.cedar", NEW)))
        )
        b.hold_s(0)
        bob, sid = b.bundle.catalog.users["bob"], b.authority().acting.sid
        bundle = b.bundle
        for amount in (500, 600):
            await b.call("pay", amount=amount, to="eve")
            ident = await asked(b)
            await b.driver.approvals.cast_vote(ident, bob, Choice.APPROVE, None)
            await b.call("pay", amount=amount, to="eve")
            grant = await b.driver.grants.give(ident, bob, Wish(GrantScope.SESSION), None)
            await b.call("pay", amount=amount, to="eve")
        await b.driver.grants.revoke(grant.ident, bob, None)
        await b.call("pay", amount=600, to="eve")
        await b.call("echo", text="new")
        await b.driver.approvals.cast_vote(await asked(b, 2), bob, Choice.APPROVE, None)
        await b.call("echo", text="new")
        await b.call("echo", text="known")
        for source, units in (("agent", 2_500), ("harness", 3_000)):
            await b.driver.sessions.record_confidence(sid, source, units, "x")
            await b.call("echo", text=source)
        entries = await b.records(RecordKind.INTENT)
        assert len([one for one in entries if isinstance(one.body, ActionBody) and one.body.grants]) == 2
    found = list(ledger_replay.replayed_actions(tmp_path / "ledger.sqlite3", bundle))
    assert [(one.recorded, one.replayed) for one in found if not one.same] == []
    spoken = str([one.recorded["policies"] for one in found])
    assert "new-tool" in spoken
    assert "unsure" in spoken

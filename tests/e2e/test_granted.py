"""Grants in the service: given with a yes, used, joined, voided, revoked, capped, kept over a restart."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from remit.escalate.grants import Bound, Constraint, GrantScope, Wish
from remit.escalate.machine import ApprovalState
from remit.escalate.voting import VoteRefused
from remit.facts.catalog import PolicySource
from remit.facts.impact import Extractor, ImpactMeasure
from remit.facts.record import RecordKind
from remit.pep.answer import Awaiting, Refused, Released
from remit.policy.verdict import Code
from remit.trace.bodies import ActionBody, Choice
from tests.e2e.gateway_parts import Bench
from tests.e2e.gateway_world import CLOCK, compiled, until
from tests.e2e.test_gateway_driver import driven

SESSION = Wish(GrantScope.SESSION)


async def pay(b: Bench, amount: int, to: str = "eve") -> object:
    return await b.call("pay", amount=amount, to=to)


async def approved(b: Bench, amount: int = 500, to: str = "eve") -> str:
    """The id of an approval to which bob said yes."""
    waits = await pay(b, amount, to)
    assert isinstance(waits, Awaiting)
    await b.driver.approvals.cast_vote(waits.ref, b.bundle.catalog.users["bob"], Choice.APPROVE, None)
    return waits.ref


@driven
async def test_a_grant_for_the_session_lifts_the_gate_for_what_was_seen(b: Bench) -> None:
    b.hold_s(0)
    bob = b.bundle.catalog.users["bob"]
    ident = await approved(b)
    grant = await b.driver.grants.give(ident, bob, SESSION, "for today")
    assert b.driver.grants.holds(grant)
    assert isinstance(await pay(b, 500), Released), "by the approval itself"
    assert isinstance(await pay(b, 500), Released)
    assert isinstance(await pay(b, 500, "mallory"), Awaiting)
    root, b.root = b.root, "another"
    assert isinstance(await pay(b, 500), Awaiting), "it is of one session"
    b.root = root
    bodies = [entry.body for entry in await b.ledger.entries(after=None, limit=100, sid=None)]
    used = [body.grants for body in bodies if isinstance(body, ActionBody) and body.grants]
    assert used == [(grant.ident,)]
    assert (await b.ledger.grants())[0].uses == 1
    await b.driver.grants.revoke(grant.ident, bob, "enough")
    assert isinstance(await pay(b, 500), Awaiting)
    assert (await b.driver.grants.revoke(grant.ident, bob, None)).revoked_by == "bob"


@driven
async def test_a_no_stands_over_what_was_granted_with_an_earlier_yes(b: Bench) -> None:
    b.hold_s(0)
    users = b.bundle.catalog.users
    ident = await approved(b)
    await b.driver.grants.give(ident, users["bob"], SESSION, None)
    await b.driver.approvals.cast_vote(ident, users["bob"], Choice.DENY, None, reason="suspicious")
    answer = await pay(b, 500)
    assert isinstance(answer, Refused)
    assert answer.reasons[0].code is Code.APPROVAL_REFUSED


@driven
async def test_a_grant_answers_whoever_waits_for_the_same_already(b: Bench) -> None:
    b.hold_s(0)
    ident = await approved(b)
    b.hold_s(30)
    second = asyncio.create_task(b.call("pay", amount=501, to="eve"))
    third = asyncio.create_task(b.call("pay", amount=501, to="mallory"))

    async def both() -> bool:
        return (
            len(
                [
                    one
                    for one in await b.ledger.approvals(open_only=True, limit=10)
                    if one.state is ApprovalState.PENDING
                ]
            )
            == 2
        )

    await until(both)
    wish = Wish(GrantScope.TOOL, CLOCK.now_ms() + 60_000, where=(Constraint("amount", Bound.AT_MOST, 600),))
    await b.driver.grants.give(ident, b.bundle.catalog.users["bob"], wish, None)
    assert isinstance(await second, Released)
    states = {one.state for one in await b.ledger.approvals(open_only=False, limit=10)}
    assert ApprovalState.SUPERSEDED in states
    third.cancel()
    await asyncio.gather(third, return_exceptions=True)


@driven
async def test_a_constraint_takes_the_place_of_the_amount_that_was_approved(b: Bench) -> None:
    b.hold_s(0)
    catalog = b.bundle.catalog
    tools = {
        key: replace(one, impact={"amount": Extractor("$.amount", ImpactMeasure.NUMBER)}) if key[1] == "pay" else one
        for key, one in catalog.tools.items()
    }
    b.bundle = compiled(replace(catalog, tools=tools))
    ident = await approved(b)
    assert isinstance(await pay(b, 500), Released)
    wish = Wish(GrantScope.TOOL, CLOCK.now_ms() + 60_000, where=(Constraint("amount", Bound.AT_MOST, 600),))
    grant = await b.driver.grants.give(ident, b.bundle.catalog.users["bob"], wish, None)
    assert grant.terms.measures == {}
    assert isinstance(await pay(b, 550), Released)
    assert isinstance(await pay(b, 601), Awaiting)


@driven
async def test_a_changed_policy_voids_a_grant_and_so_does_another_pin_of_its_tool(b: Bench) -> None:
    b.hold_s(0)
    grant = await b.driver.grants.give(await approved(b), b.bundle.catalog.users["bob"], SESSION, None)
    assert isinstance(await pay(b, 500), Released)
    assert isinstance(await pay(b, 500), Released)
    sources = b.bundle.catalog.policies
    changed = tuple(PolicySource(one.path, one.text.replace("> 100", "> 99")) for one in sources)
    b.bundle = compiled(replace(b.bundle.catalog, policies=changed))
    assert isinstance(await pay(b, 500), Awaiting)
    assert b.driver.grants.holds(grant), "it stands, and lifts nothing"


@driven
async def test_what_is_granted_is_checked_and_capped(b: Bench) -> None:
    b.hold_s(0)
    bob, users = b.bundle.catalog.users["bob"], b.bundle.catalog.users
    waits = await pay(b, 500)
    assert isinstance(waits, Awaiting)
    with pytest.raises(VoteRefused, match="given with a yes"):
        await b.driver.grants.give(waits.ref, bob, SESSION, None)
    await b.driver.approvals.cast_vote(waits.ref, bob, Choice.APPROVE, None)
    now_ms = CLOCK.now_ms()
    for wish, why in (
        (Wish(GrantScope.TOOL), "ends at a time"),
        (Wish(GrantScope.TOOL, now_ms - 1), "at most 168 hours"),
        (Wish(GrantScope.TOOL, now_ms + 10**10), "at most 168 hours"),
        (Wish(GrantScope.SESSION, uses=0), "200 uses"),
        (Wish(GrantScope.SESSION, uses=201), "200 uses"),
        (Wish(GrantScope.SESSION, where=(Constraint("to", Bound.EQUALS, "eve"),)), "hold a tool"),
        (Wish(GrantScope.TOOL, now_ms + 1000, where=(Constraint("tow", Bound.EQUALS, "eve"),)), "no argument tow"),
    ):
        with pytest.raises(VoteRefused, match=why):
            await b.driver.grants.give(waits.ref, bob, wish, None)
    with pytest.raises(KeyError):
        await b.driver.grants.give("r0-1.99", bob, SESSION, None)
    grant = await b.driver.grants.give(waits.ref, bob, SESSION, None)
    assert await b.driver.grants.give(waits.ref, bob, SESSION, None) is grant, "said twice is said once"
    with pytest.raises(VoteRefused, match="not one of those"):
        await b.driver.grants.revoke(grant.ident, users["ann"], None)
    with pytest.raises(KeyError):
        await b.driver.grants.revoke("r0-1.99", bob, None)
    for amount in range(600, 650):
        one = Wish(GrantScope.TOOL, CLOCK.now_ms() + 60_000, where=(Constraint("amount", Bound.EQUALS, amount),))
        if amount < 649:
            await b.driver.grants.give(waits.ref, bob, one, None)
            continue
        with pytest.raises(VoteRefused, match="50 grants already"):
            await b.driver.grants.give(waits.ref, bob, one, None)


@driven
async def test_nothing_is_granted_with_what_was_denied(b: Bench) -> None:
    b.hold_s(0)
    bob = b.bundle.catalog.users["bob"]
    waits = await pay(b, 500)
    assert isinstance(waits, Awaiting)
    await b.driver.approvals.cast_vote(waits.ref, bob, Choice.DENY, None)
    with pytest.raises(VoteRefused, match="it is denied"):
        await b.driver.grants.give(waits.ref, bob, SESSION, None)
    kinds = {entry.record.kind for entry in await b.ledger.entries(after=None, limit=100, sid=None)}
    assert RecordKind.DECISION in kinds
    assert not await b.ledger.grants()


@driven
async def test_a_grant_may_follow_the_use_of_its_approval_and_not_outlast_its_time(b: Bench) -> None:
    b.hold_s(0, expires_s=1.0)
    bob = b.bundle.catalog.users["bob"]
    ident = await approved(b)
    assert isinstance(await pay(b, 500), Released)
    await b.driver.grants.give(ident, bob, SESSION, None)
    approval = await b.ledger.approval(ident)
    assert approval is not None
    await asyncio.sleep(max(0.0, (approval.expires_ms - CLOCK.now_ms()) / 1000) + 0.01)
    with pytest.raises(VoteRefused, match="the time of this approval is over"):
        await b.driver.grants.give(ident, bob, replace(SESSION, uses=3), None)


@driven
async def test_who_grants_less_than_was_granted_is_told_so_and_joins_nothing(b: Bench) -> None:
    b.hold_s(0)
    catalog = b.bundle.catalog
    bob = catalog.users["bob"]
    bea = replace(bob, name="bea")
    routes = {name: replace(route, count=2) for name, route in catalog.routes.items()}
    b.bundle = compiled(replace(catalog, routes=routes, users={**catalog.users, "bea": bea}))
    ident = await approved(b)
    await b.driver.approvals.cast_vote(ident, bea, Choice.APPROVE, None)
    given = await b.driver.grants.give(ident, bob, replace(SESSION, uses=9), None)
    assert not b.driver.grants.holds(given), "two have to"
    for less in (replace(SESSION, uses=3), replace(SESSION, until_ms=CLOCK.now_ms() + 60_000)):
        for who in (bea, bob):
            with pytest.raises(VoteRefused, match="bob granted the same for longer or more often"):
                await b.driver.grants.give(ident, who, less, None)
        # Whoever asks first what it would come to is told before he says yes to anything.
        with pytest.raises(VoteRefused, match="bob granted the same for longer or more often"):
            await b.driver.grants.terms_for(ident, bea, less)
    assert [one.votes for one in await b.ledger.grants()] == [given.votes]
    joined = await b.driver.grants.give(ident, bea, replace(SESSION, uses=20), None)
    assert (joined.ident, joined.terms.uses_max, b.driver.grants.holds(joined)) == (given.ident, 9, True)

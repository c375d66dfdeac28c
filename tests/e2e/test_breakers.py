"""Each breaker through the gateway: it trips, what it is over rests, a trial closes it; without it all passes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from remit.adapters.sqlite.verification import verify_file
from remit.facts.breaker import Breaker, BreakerState, BreakerSubject, On
from remit.facts.catalog import PolicySource
from remit.facts.record import RecordKind
from remit.pep.answer import Refused, Released
from remit.policy.verdict import Code, Deny
from remit.ports.upstream import Failure, Result
from remit.trace.bodies import AdminBody, Event
from tests.e2e.gateway_parts import bench
from tests.e2e.gateway_world import POLICIES, compiled

if TYPE_CHECKING:
    from pathlib import Path

    from remit.pep.answer import Answer
    from tests.e2e.gateway_parts import Bench

pytestmark = pytest.mark.asyncio
DELEGATE = '@id("may-delegate") permit (principal, action == Remit::Action::"delegate", resource);'
FINE = Result({"content": [{"type": "text", "text": "done"}]}, is_error=False)
FAILS = Failure("timeout", "too slow", sent=True)


@dataclass
class Hands:
    """A clock that a test moves."""

    s: float = 1_800_000_000.0

    def now_ms(self) -> int:
        return int(self.s * 1000)

    def monotonic_s(self) -> float:
        return self.s


def given(b: Bench, *breakers: Breaker) -> None:
    catalog = b.bundle.catalog
    policies = (PolicySource("shop.cedar", POLICIES), PolicySource("more.cedar", DELEGATE))
    b.bundle = compiled(replace(catalog, policies=policies, breakers={one.name: one for one in breakers}))


def code(answer: Answer) -> Code | None:
    return answer.reasons[0].code if isinstance(answer, Refused) else None


async def events(b: Bench, event: Event) -> list[AdminBody]:
    found = [entry.body for entry in await b.records(RecordKind.ADMIN)]
    return [one for one in found if isinstance(one, AdminBody) and one.event is event]


def states(b: Bench) -> dict[str, BreakerState]:
    return {key: state for _, key, state, _, _ in b.driver.limit_admin.open_breakers}


def of(b: Bench, *agents: str, token: str = "t1"):
    return b.authority(*agents, token=token, ms=10**15)


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("over", [BreakerSubject.AGENT, BreakerSubject.SERVER, BreakerSubject.TOOL])
async def test_errors_open_it_a_trial_that_fails_opens_it_again_and_one_that_does_not_closes_it(
    tmp_path: Path, over: BreakerSubject, *, on: bool
) -> None:
    clock = Hands()
    async with bench(tmp_path, clock) as b:
        given(b, *([Breaker("failing", On.ERRORS, over, None, 50, of_least=4)] if on else []))
        clerk = of(b)
        b.upstream.reply = FAILS
        for _ in range(4):
            assert code(await b.call("pay", clerk)) is None
        sent = len(b.trace)
        answer = await b.call("pay", clerk)
        if not on:
            assert code(answer) is None
            return
        assert code(answer) is Code.BREAKER_OPEN
        assert isinstance(answer, Refused)
        assert "4 of 4 calls within 60 s failed" in answer.reasons[0].text
        assert not any("called" in line for line in b.trace[sent:])
        [tripped] = await events(b, Event.BREAKER_TRIPPED)
        assert (tripped.data["on"], len(list(tripped.data["records"]))) == ("errors", 4)  # type: ignore[arg-type]
        clock.s += 31
        assert set(states(b).values()) == {BreakerState.HALF_OPEN}
        assert code(await b.call("pay", clerk)) is None
        assert code(await b.call("pay", clerk)) is Code.BREAKER_OPEN
        clock.s += 31
        b.upstream.reply = FINE
        assert isinstance(await b.call("pay", clerk), Released)
        assert states(b) == {}
        assert isinstance(await b.call("pay", clerk), Released)
        assert len(await events(b, Event.BREAKER_TRIPPED)) == 2
        assert len(await events(b, Event.BREAKER_CLOSED)) == 1
    report = verify_file(tmp_path / "ledger.sqlite3")
    assert (report.findings, report.uncompared) == ((), None)


@pytest.mark.parametrize("on", [True, False])
async def test_a_tool_that_is_slow_rests(tmp_path: Path, *, on: bool) -> None:
    async with bench(tmp_path) as b:
        given(
            b, *([Breaker("slow", On.SLOW, BreakerSubject.TOOL, "shop/pay", 50, of_least=3, slow_ms=0.0)] if on else [])
        )
        for _ in range(3):
            assert isinstance(await b.call("pay", of(b)), Released)
        assert code(await b.call("pay", of(b))) is (Code.BREAKER_OPEN if on else None)
        assert isinstance(await b.call("echo", of(b), text="x"), Released)


@pytest.mark.parametrize("on", [True, False])
async def test_denials_in_a_row_open_it_and_its_own_denials_count_for_nothing(tmp_path: Path, *, on: bool) -> None:
    clock = Hands()
    async with bench(tmp_path, clock) as b:
        given(b, *([Breaker("stubborn", On.DENIALS, BreakerSubject.AGENT, None, 3)] if on else []))
        clerk = of(b)
        for amount in (1, 2):
            assert code(await b.call("pay", clerk, amount=amount, to="stranger")) is Code.POLICY
        assert isinstance(await b.call("pay", clerk), Released)
        for amount in (1, 2, 3):
            assert code(await b.call("pay", clerk, amount=amount, to="stranger")) is Code.POLICY
        assert code(await b.call("pay", clerk)) is (Code.BREAKER_OPEN if on else None)
        if on:
            assert isinstance(await b.call("pay", of(b, "helper", token="t2")), Released)
            clock.s += 31
            assert code(await b.call("pay", clerk, to="stranger", amount=1)) is Code.POLICY
            assert code(await b.call("pay", clerk)) is Code.BREAKER_OPEN


@pytest.mark.parametrize("on", [True, False])
async def test_the_same_call_again_and_again_is_denied(tmp_path: Path, *, on: bool) -> None:
    async with bench(tmp_path) as b:
        given(b, *([Breaker("loops", On.IDENTICAL, BreakerSubject.AGENT, None, 3)] if on else []))
        for amount in (1, 2, 1, 2):
            assert isinstance(await b.call("pay", of(b), amount=amount, to="eve"), Released)
        answer = await b.call("pay", of(b), amount=1, to="eve")
        assert code(answer) is (Code.BREAKER_OPEN if on else None)
        if on:
            assert isinstance(answer, Refused)
            assert "the same call of shop/pay 3 times within 60 s" in answer.reasons[0].text
            assert code(await b.call("pay", of(b), amount=9, to="eve")) is Code.BREAKER_OPEN


@pytest.mark.parametrize("on", [True, False])
async def test_delegation_too_deep_in_circles_or_to_too_many_is_denied(tmp_path: Path, *, on: bool) -> None:
    async with bench(tmp_path) as b:
        deep = Breaker("deep", On.DEPTH, BreakerSubject.AGENT, None, 1)
        rounds = Breaker("rounds", On.CYCLES, BreakerSubject.AGENT, None, 0)
        wide = Breaker("wide", On.FAN_OUT, BreakerSubject.AGENT, None, 2)
        for breaker, chain, to, passes in (
            (deep, ("clerk", "helper"), "guest", 0),
            (rounds, ("clerk",), "clerk", 0),
            (wide, ("clerk",), "helper", 2),
        ):
            given(b, *([breaker] if on else []))
            for _ in range(passes):
                _, decision = await b.driver.authorization.delegate(of(b, *chain), to)
                assert not isinstance(decision.verdict, Deny)
            _, decision = await b.driver.authorization.delegate(of(b, *chain), to)
            assert isinstance(decision.verdict, Deny) is on
            if on:
                assert decision.reasons[0].code is Code.BREAKER_OPEN
        assert len(await events(b, Event.BREAKER_TRIPPED)) == (3 if on else 0)


@pytest.mark.parametrize("on", [True, False])
async def test_one_servers_failure_that_trips_many_agents_rests_the_server_in_their_place(
    tmp_path: Path, *, on: bool
) -> None:
    async with bench(tmp_path) as b:
        own = Breaker("failing", On.ERRORS, BreakerSubject.AGENT, None, 50, of_least=2)
        given(b, own, *([Breaker("cascade", On.CASCADE, BreakerSubject.SERVER, None, 2)] if on else []))
        b.upstream.reply = FAILS
        for agent in ("clerk", "helper"):
            for _ in range(2):
                assert code(await b.call("pay", of(b, agent, token=agent))) is None
        if on:
            assert states(b) == {"cascade server:shop": BreakerState.OPEN}
        else:
            assert states(b) == {"failing agent:clerk": BreakerState.OPEN, "failing agent:helper": BreakerState.OPEN}
        assert code(await b.call("pay", of(b, "helper", token="helper"))) is Code.BREAKER_OPEN


async def test_one_agents_failures_take_no_tool_from_others(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        given(b, Breaker("failing", On.ERRORS, BreakerSubject.TOOL, None, 50, of_least=4))
        assert isinstance(await b.call("pay", of(b, "helper", token="t2")), Released)
        b.upstream.reply = FAILS
        for _ in range(4):
            assert code(await b.call("pay", of(b))) is None
        assert code(await b.call("pay", of(b))) is Code.BREAKER_OPEN
        assert set(states(b)) == {"failing tool:shop/pay by agent:clerk"}
        b.upstream.reply = FINE
        assert isinstance(await b.call("pay", of(b, "helper", token="t2")), Released)


async def test_an_open_breaker_outlives_a_restart_rests_anew_and_a_person_closes_it(tmp_path: Path) -> None:
    clock = Hands()
    breaker = Breaker("failing", On.ERRORS, BreakerSubject.AGENT, None, 50, of_least=2)
    async with bench(tmp_path, clock) as b:
        given(b, breaker)
        b.upstream.reply = FAILS
        for _ in range(2):
            await b.call("pay", of(b))
        assert code(await b.call("pay", of(b))) is Code.BREAKER_OPEN
    # However far the clock is set back, it rests no longer than it says.
    clock.s -= 1_000_000
    async with bench(tmp_path, clock) as b:
        given(b, breaker)
        assert code(await b.call("pay", of(b))) is Code.BREAKER_OPEN
        clock.s += 31
        assert states(b) == {"failing agent:clerk": BreakerState.HALF_OPEN}
        await b.driver.limit_admin.reset_breaker("failing agent:clerk", "admin", "the network is back")
        assert states(b) == {}
        assert isinstance(await b.call("pay", of(b)), Released)
    report = verify_file(tmp_path / "ledger.sqlite3")
    assert (report.findings, report.uncompared) == ((), None)

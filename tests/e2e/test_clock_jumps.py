"""A clock that jumps an hour, either way and back: nothing that was stopped goes on, nothing that was given lasts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from remit.adapters.sqlite import SqliteLedger, verify_file
from remit.adapters.system import SystemClock
from remit.escalate.machine import ApprovalState
from remit.facts.agent import User
from remit.facts.durations import HOUR_MS
from remit.facts.record import RecordKind
from remit.pep.answer import Awaiting, Refused, Released
from remit.policy.verdict import Code
from remit.trace.bodies import Choice
from tests.e2e.gateway_parts import bench
from tests.e2e.gateway_world import compiled

if TYPE_CHECKING:
    from pathlib import Path

    from remit.ports.ledger import Draft, Pending
    from tests.e2e.gateway_parts import Bench

HALF_AN_HOUR_MS = HOUR_MS // 2
BOB = User("bob", frozenset({"finance", "everyone"}))


@dataclass
class Jumping:
    off_ms: int = 0

    def now_ms(self) -> int:
        return SystemClock().now_ms() + self.off_ms

    def monotonic_s(self) -> float:
        return SystemClock().monotonic_s()


@dataclass
class Still:
    """A clock that stands at `at_ms`."""

    at_ms: int

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic_s(self) -> float:
        return SystemClock().monotonic_s()


def called(b: Bench) -> int:
    return sum(line.startswith("called ") for line in b.trace)


async def refusal(b: Bench, **of: object) -> Code:
    answer = await b.call("echo", of=b.authority(ms=HALF_AN_HOUR_MS, **of), text="hello")  # pyright: ignore[reportArgumentType]
    assert isinstance(answer, Refused), answer
    return answer.reasons[0].code


@pytest.mark.asyncio
async def test_a_revoked_token_stays_revoked(tmp_path: Path) -> None:
    clock = Jumping()
    async with bench(tmp_path, clock) as b:
        await b.driver.authorization.revoke("t1", clock.now_ms() + HALF_AN_HOUR_MS, "ann")
        clock.off_ms = HOUR_MS
        await b.driver.authorization.expire_due()
        clock.off_ms = 0
        assert await refusal(b) is Code.TOKEN_ENDED
        clock.off_ms = -HOUR_MS
        assert await refusal(b) is Code.TOKEN_ENDED
        assert not called(b)


@pytest.mark.asyncio
async def test_a_token_ends_by_the_clock_as_it_is(tmp_path: Path) -> None:
    clock = Jumping()
    async with bench(tmp_path, clock) as b:
        early = b.authority(ms=HALF_AN_HOUR_MS)
        clock.off_ms = HOUR_MS
        answer = await b.call("echo", of=early, text="hello")
        assert isinstance(answer, Refused)
        assert answer.reasons[0].code is Code.TOKEN_ENDED
        assert not called(b)


@pytest.mark.asyncio
async def test_a_token_that_had_ended_when_it_was_judged_runs_nothing_though_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, append = Jumping(), SqliteLedger.append

    def set_back(ledger: SqliteLedger, draft: Draft) -> Pending:
        # Its server was not asked what it offers: nobody knows whether the tool is the one that was accepted.
        clock.off_ms = 0
        return append(ledger, draft)

    async with bench(tmp_path, clock) as b:
        early = b.authority(ms=HALF_AN_HOUR_MS)
        clock.off_ms = HOUR_MS
        monkeypatch.setattr(SqliteLedger, "append", set_back)
        answer = await b.call("echo", of=early, text="hello")
        assert isinstance(answer, Refused)
        assert answer.reasons[0].code is Code.TOKEN_ENDED
        assert not called(b)


@pytest.mark.asyncio
async def test_a_session_ends_with_the_first_millisecond_beyond_what_it_may_last(tmp_path: Path) -> None:
    clock = Still(SystemClock().now_ms())
    async with bench(tmp_path, clock) as b:
        b.bundle = compiled(replace(b.bundle.catalog, session_hours_max=0.5))
        for later_ms, goes in ((0, True), (HALF_AN_HOUR_MS, True), (1, False)):
            clock.at_ms += later_ms
            answer = await b.call("echo", text="hello", of=b.authority(ms=2 * HOUR_MS))
            assert isinstance(answer, Released if goes else Refused), (later_ms, answer)
        ended = [one.body for one in await b.records(RecordKind.ADMIN) if "session.ended" in str(one.body)]
        assert len(ended) == 1


@pytest.mark.asyncio
async def test_an_ended_session_stays_ended_and_one_that_is_too_old_ends_for_good(tmp_path: Path) -> None:
    clock = Jumping()
    async with bench(tmp_path, clock) as b:
        b.bundle = compiled(replace(b.bundle.catalog, session_hours_max=0.5))
        assert isinstance(await b.call("echo", text="hello"), Released)
        clock.off_ms = HOUR_MS
        old = await b.call("echo", text="hello", of=b.authority(ms=2 * HOUR_MS))
        assert isinstance(old, Refused)
        assert old.reasons[0].code is Code.SESSION_ENDED
        clock.off_ms = 0
        assert await refusal(b) is Code.SESSION_ENDED
        await b.driver.sessions.end("by-hand", "ann")
        b.root = "by-hand"
        clock.off_ms = -HOUR_MS
        authority = b.authority()
        ended = replace(authority, links=(replace(authority.links[0], sid="by-hand"),))
        answer = await b.call("echo", text="hello", of=ended)
        assert isinstance(answer, Refused)
        assert answer.reasons[0].code is Code.SESSION_ENDED


async def approved(b: Bench) -> str:
    b.hold_s(0.0)
    waiting = await b.call("pay", amount=200, to="eve")
    assert isinstance(waiting, Awaiting)
    assert (await b.driver.approvals.cast_vote(waiting.ref, BOB, Choice.APPROVE, None)).state is ApprovalState.APPROVED
    return waiting.ref


@pytest.mark.asyncio
async def test_an_approval_is_over_once_the_clock_was_past_its_end(tmp_path: Path) -> None:
    clock = Jumping()
    async with bench(tmp_path, clock) as b:
        ident = await approved(b)
        clock.off_ms = HOUR_MS
        late = await b.call("pay", amount=200, to="eve", of=b.authority(ms=2 * HOUR_MS))
        assert isinstance(late, Awaiting), "people are asked anew"
        assert late.ref != ident
        assert await b.driver.authorization.expire_due() == 0, "it was over as soon as they were asked anew"
        clock.off_ms = 0
        (state,) = [one.state for one in await b.ledger.approvals(open_only=False, limit=9) if one.ident == ident]
        assert state is ApprovalState.SUPERSEDED
        assert isinstance(await b.call("pay", amount=200, to="eve"), Awaiting)
        assert not called(b)


@dataclass
class Passing(Jumping):
    """`passed_s` went by, for either clock."""

    passed_s: float = 0.0

    def now_ms(self) -> int:
        return super().now_ms() + int(self.passed_s * 1_000)

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.passed_s


@pytest.mark.asyncio
async def test_an_approval_lives_no_longer_though_the_clock_is_set_back(tmp_path: Path) -> None:
    clock = Passing()
    async with bench(tmp_path, clock) as b:
        ident = await approved(b)
        [given] = await b.ledger.approvals(open_only=True, limit=9)
        assert await b.driver.authorization.expire_due() == 0
        clock.off_ms = -24 * HOUR_MS
        clock.passed_s = (given.expires_ms - given.opened_ms) / 1_000 - 60
        assert await b.driver.authorization.expire_due() == 0, "its time is not over"
        clock.passed_s += 61
        assert await b.driver.authorization.expire_due() == 1
        assert await b.driver.authorization.expire_due() == 0
        (state,) = [one.state for one in await b.ledger.approvals(open_only=False, limit=9) if one.ident == ident]
        assert state is ApprovalState.EXPIRED
        assert isinstance(await b.call("pay", amount=200, to="eve"), Awaiting)
        assert not called(b)
    assert verify_file(tmp_path / "ledger.sqlite3").clean


@pytest.mark.asyncio
async def test_an_approval_of_an_earlier_run_lives_no_longer_either(tmp_path: Path) -> None:
    clock = Passing()
    async with bench(tmp_path, clock) as b:
        ident = await approved(b)
        clock.passed_s = 40
        assert isinstance(await b.call("echo", text="a record of then"), Released)
    clock.off_ms = -24 * HOUR_MS
    async with bench(tmp_path, clock) as b:
        b.hold_s(0.01, 600)
        since = await b.call("pay", amount=300, to="eve")
        assert await b.driver.authorization.expire_due() == 0, "a third of a minute is left"
        clock.passed_s += 21
        assert await b.driver.authorization.expire_due() == 1
        states = {one.ident: one.state for one in await b.ledger.approvals(open_only=False, limit=9)}
        assert isinstance(since, Awaiting)
        assert states == {ident: ApprovalState.EXPIRED, since.ref: ApprovalState.PENDING}


@pytest.mark.asyncio
async def test_an_approval_is_used_once_though_the_clock_goes_back(tmp_path: Path) -> None:
    clock = Jumping()
    async with bench(tmp_path, clock) as b:
        await approved(b)
        clock.off_ms = -HOUR_MS
        assert isinstance(await b.call("pay", amount=200, to="eve"), Released)
        assert isinstance(await b.call("pay", amount=200, to="eve"), Awaiting)
        assert called(b) == 1


@pytest.mark.asyncio
async def test_records_keep_their_order_though_their_times_do_not(tmp_path: Path) -> None:
    clock = Jumping()
    async with bench(tmp_path, clock) as b:
        for off_ms in (0, HOUR_MS, -HOUR_MS, 0):
            clock.off_ms = off_ms
            assert isinstance(await b.call("echo", text="hello", of=b.authority(ms=2 * HOUR_MS)), Released)
        at = [entry.record.at for entry in await b.records(RecordKind.INTENT)]
        assert at != sorted(at)
    assert verify_file(tmp_path / "ledger.sqlite3").findings == ()
    async with bench(tmp_path, clock) as again:
        assert len(await again.records(RecordKind.INTENT)) == 4

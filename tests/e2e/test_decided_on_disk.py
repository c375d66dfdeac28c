"""Whoever hears that something was decided hears it once that is on disk, also who did not decide it himself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest

from remit.escalate.grants import GrantScope, Wish
from remit.escalate.machine import ApprovalState
from remit.escalate.voting import VoteRefused
from remit.facts.record import RecordKind
from remit.pep.answer import Awaiting, Refused
from remit.trace.bodies import Choice
from tests.contract.test_ledger_locked import locked
from tests.e2e.gateway_parts import Bench, bench
from tests.e2e.gateway_world import until
from tests.e2e.test_handoff import BOB, CAT, OLI, PAID, approval, route
from tests.eventually import WITHIN_S

if TYPE_CHECKING:
    from pathlib import Path

Act: TypeAlias = Callable[[Bench, str], Awaitable[Any]]
_WAITED_S: Final = 0.2


async def vote(b: Bench, ident: str, choice: Choice, by: Any = BOB) -> Any:
    return await b.driver.approvals.cast_vote(ident, by, choice, None)


async def granted(b: Bench, ident: str) -> None:
    await vote(b, ident, Choice.APPROVE)
    await b.driver.grants.give(ident, BOB, Wish(GrantScope.SESSION), None)


async def broken(b: Bench, ident: str) -> None:
    await b.driver.approvals.break_glass(ident, OLI, "the shop is on fire")


async def yes(b: Bench, ident: str) -> None:
    await vote(b, ident, Choice.APPROVE)


async def nothing(_b: Bench, _ident: str) -> None:
    """Nobody said anything before."""


async def opened(b: Bench) -> str:
    """The approval that a held call waits for."""

    async def check() -> str | None:
        return next((one.ident for one in b.memory.approvals()), None)

    ident = await until(check)
    assert ident is not None
    return ident


CASES: dict[str, tuple[Act, Act, Act]] = {
    "the same yes": (nothing, yes, yes),
    "a yes to what was refused": (
        nothing,
        lambda b, i: vote(b, i, Choice.DENY),
        lambda b, i: vote(b, i, Choice.APPROVE),
    ),
    "a grant of what was refused": (
        nothing,
        lambda b, i: vote(b, i, Choice.DENY),
        lambda b, i: b.driver.grants.give(i, CAT, Wish(GrantScope.SESSION), None),
    ),
    "a yes to what is approved": (nothing, yes, lambda b, i: vote(b, i, Choice.APPROVE, CAT)),
    "the same review": (
        broken,
        lambda b, i: b.driver.approvals.review_glass(i, BOB, None),
        lambda b, i: b.driver.approvals.review_glass(i, CAT, None),
    ),
    "the same grant": (
        yes,
        lambda b, i: b.driver.grants.give(i, BOB, Wish(GrantScope.SESSION), None),
        lambda b, i: b.driver.grants.give(i, BOB, Wish(GrantScope.SESSION), None),
    ),
    "the same end of a grant": (
        granted,
        lambda b, _: b.driver.grants.revoke(b.memory.grants.every()[0].ident, BOB, None),
        lambda b, _: b.driver.grants.revoke(b.memory.grants.every()[0].ident, CAT, None),
    ),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("case", CASES)
async def test_what_is_so_already_is_told_once_it_is_on_disk(tmp_path: Path, case: str) -> None:
    before, first, again = CASES[case]
    async with bench(tmp_path) as b:
        route(b, hold_s=0, break_glass=frozenset({"oncall"}))
        waits = await b.call("pay", **PAID)
        assert isinstance(waits, Awaiting)
        await before(b, waits.ref)
        with locked(tmp_path / "ledger.sqlite3") as other:
            said = asyncio.ensure_future(first(b, waits.ref))
            await asyncio.sleep(0)
            heard = asyncio.ensure_future(again(b, waits.ref))
            done, _ = await asyncio.wait({said, heard}, timeout=_WAITED_S)
            assert not done, "a crash would undo what he was told"
            other.execute("COMMIT")
        await said
        if case.startswith(("a yes to", "a grant of")):
            with pytest.raises(VoteRefused):
                await heard
        else:
            await heard


async def revoked(b: Bench, _ident: str) -> None:
    await b.driver.grants.revoke(b.memory.grants.every()[0].ident, CAT, None)


async def denied(b: Bench, ident: str) -> None:
    await vote(b, ident, Choice.DENY, CAT)


@pytest.mark.asyncio
@pytest.mark.parametrize("case", ["a yes", "a grant"])
async def test_who_decides_is_not_told_what_another_said_after_him_until_that_is_on_disk(
    tmp_path: Path, case: str
) -> None:
    async with bench(tmp_path) as b:
        route(b, hold_s=0)
        waits = await b.call("pay", **PAID)
        assert isinstance(waits, Awaiting)
        first: Awaitable[Any]
        if case == "a grant":
            await yes(b, waits.ref)
            first = b.driver.grants.give(waits.ref, BOB, Wish(GrantScope.SESSION), None)
        else:
            first = vote(b, waits.ref, Choice.APPROVE)
        b.ledger.waits = {RecordKind.DECISION}
        before = b.trace.count("queued decision")

        async def queued() -> bool:
            return b.trace.count("queued decision") > before

        said = asyncio.ensure_future(first)
        await until(queued)
        await b.ledger.written()
        # It is on disk, and whoever said it has not heard so yet; what comes now is not.
        with locked(tmp_path / "ledger.sqlite3") as other:
            later = asyncio.ensure_future((revoked if case == "a grant" else denied)(b, waits.ref))
            await asyncio.sleep(0)
            b.ledger.open.set()
            answer: Any = await asyncio.wait_for(said, WITHIN_S)
            assert not later.done()
            if case == "a grant":
                assert (answer.revoked_by, [one.by for one in answer.votes]) == (None, ["bob"])
            else:
                assert (answer.state, [one.by for one in answer.votes]) == (ApprovalState.APPROVED, ["bob"])
                assert (await approval(b, waits.ref)).state is ApprovalState.APPROVED
            other.execute("COMMIT")
        await asyncio.wait_for(later, WITHIN_S)
        assert case == "a grant" or (await approval(b, waits.ref)).state is ApprovalState.DENIED


@pytest.mark.asyncio
@pytest.mark.parametrize("case", ["given", "ended"])
async def test_a_grant_and_its_end_are_shown_once_they_are_on_disk(tmp_path: Path, case: str) -> None:
    async with bench(tmp_path) as b:
        route(b, hold_s=0)
        waits = await b.call("pay", **PAID)
        assert isinstance(waits, Awaiting)
        await yes(b, waits.ref)
        grants = b.driver.grants
        if case == "ended":
            await grants.give(waits.ref, BOB, Wish(GrantScope.SESSION), None)
        with locked(tmp_path / "ledger.sqlite3") as other:
            said = (
                grants.give(waits.ref, BOB, Wish(GrantScope.SESSION), None)
                if case == "given"
                else grants.revoke(b.memory.grants.every()[0].ident, BOB, None)
            )
            saying = asyncio.ensure_future(said)

            async def in_memory() -> bool:
                return any(one.revoked_by is not None or case == "given" for one in b.memory.grants.every())

            await until(in_memory)
            ident = b.memory.grants.every()[0].ident
            listed, shown = asyncio.ensure_future(grants.all_grants()), asyncio.ensure_future(grants.find(ident))
            done, _ = await asyncio.wait({listed, shown}, timeout=_WAITED_S)
            assert not done, "a crash would undo what is shown"
            other.execute("COMMIT")
        after = await asyncio.wait_for(saying, WITHIN_S)
        assert await asyncio.wait_for(listed, WITHIN_S) == (after,)
        assert await asyncio.wait_for(shown, WITHIN_S) == after


@pytest.mark.asyncio
async def test_whoever_waits_hears_of_a_no_once_that_is_on_disk(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        route(b, hold_s=60)
        call = asyncio.ensure_future(b.call("pay", **PAID))
        ident = await opened(b)
        with locked(tmp_path / "ledger.sqlite3") as other:
            said = asyncio.ensure_future(vote(b, ident, Choice.DENY))
            done, _ = await asyncio.wait({call, said}, timeout=_WAITED_S)
            assert not done, "a crash would have people asked still"
            other.execute("COMMIT")
        await asyncio.wait_for(said, WITHIN_S)
        assert isinstance(await asyncio.wait_for(call, WITHIN_S), Refused)


@pytest.mark.asyncio
async def test_who_approves_other_arguments_hears_of_a_no_meanwhile_once_that_is_on_disk(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        route(b, hold_s=0)
        waits = await b.call("pay", **PAID)
        assert isinstance(waits, Awaiting)
        with locked(tmp_path / "ledger.sqlite3") as other:
            edits = b.driver.approvals.approve_edited(waits.ref, CAT, {"amount": 400, "to": "eve"}, None)
            editing = asyncio.ensure_future(edits)
            # He reads what was asked for now, and comes back to what somebody refused.
            await asyncio.sleep(0)
            said = asyncio.ensure_future(vote(b, waits.ref, Choice.DENY))
            done, _ = await asyncio.wait({editing, said}, timeout=_WAITED_S)
            assert not done
            other.execute("COMMIT")
        await asyncio.wait_for(said, WITHIN_S)
        with pytest.raises(VoteRefused, match="denied, by bob"):
            await asyncio.wait_for(editing, WITHIN_S)

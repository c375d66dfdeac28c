"""Budgets through the gateway: reserved with the intent, settled with the outcome, kept over restarts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remit.adapters.sqlite.verification import verify_file
from remit.facts.budget import Balance, Budget, Measure, Per
from remit.facts.impact import Extractor, ImpactMeasure
from remit.facts.record import RecordKind, Ref
from remit.pep.answer import Awaiting, Refused, Released
from remit.policy.verdict import Code
from remit.ports.upstream import Failure, Result
from remit.trace.bodies import ActionBody, OutcomeBody
from tests.e2e.gateway_parts import bench
from tests.e2e.gateway_world import compiled, until

if TYPE_CHECKING:
    from pathlib import Path

    from remit.pep.answer import Answer
    from tests.e2e.gateway_parts import Bench

pytestmark = pytest.mark.asyncio
YEAR_S = 366 * 86_400


def given(b: Bench, *budgets: Budget) -> None:
    """Run `budgets`; `pay` says its amount."""
    catalog = b.bundle.catalog
    amount = {"amount": Extractor("$.amount", ImpactMeasure.NUMBER)}
    tools = {key: replace(one, impact=amount) if key[1] == "pay" else one for key, one in catalog.tools.items()}
    b.bundle = compiled(replace(catalog, tools=tools, budgets={one.name: one for one in budgets}))


def calls(hard: int, **more: object) -> Budget:
    return Budget("few", Measure.CALLS, Per.FLEET, None, hard, YEAR_S, **more)  # type: ignore[arg-type]


def money(hard: int) -> Budget:
    return Budget("money", Measure.AMOUNT, Per.AGENT, "clerk", hard * 10_000, YEAR_S)


def code(answer: Answer) -> Code | None:
    return answer.reasons[0].code if isinstance(answer, Refused) else None


def sent(b: Bench) -> int:
    return sum(line.startswith("called ") for line in b.trace)


async def sends(b: Bench, count: int) -> None:
    """Wait until the server was asked so often."""

    async def check() -> bool:
        return sent(b) >= count

    await until(check)


def clean(folder: Path) -> None:
    report = verify_file(folder / "ledger.sqlite3")
    assert (report.findings, report.uncompared) == ((), None)


async def test_many_at_once_spend_no_more_than_there_is(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        given(b, calls(100), money(10))
        b.upstream.answers.clear()
        tasks = [asyncio.create_task(b.call("pay", amount=3, to="eve")) for _ in range(64)]
        await sends(b, 3)
        # Nobody was answered yet: what is under way is reserved.
        denied: list[asyncio.Task[Answer]] = []

        async def all_but_three() -> bool:
            denied[:] = [task for task in tasks if task.done()]
            return len(denied) >= 61

        await until(all_but_three)
        assert {code(task.result()) for task in denied} == {Code.BUDGET_SPENT}
        assert sent(b) == 3
        b.upstream.answers.set()
        answers = await asyncio.gather(*tasks)
        assert sum(isinstance(one, Released) for one in answers) == 3
        assert {code(one) for one in answers} == {None, Code.BUDGET_SPENT}
        assert isinstance(await b.call("pay", amount=1, to="eve"), Released)
        assert code(await b.call("pay", amount=1, to="eve")) is Code.BUDGET_SPENT
    clean(tmp_path)


async def test_without_the_budget_all_of_them_are_sent(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        given(b)
        await asyncio.gather(*(b.call("pay", amount=3, to="eve") for _ in range(8)))
        assert sent(b) == 8


async def test_what_was_not_sent_is_given_back_and_what_is_in_doubt_is_spent_also_after_a_restart(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as b:
        given(b, calls(2))
        b.upstream.reply = Failure("connect", "nobody listens", sent=False)
        for _ in range(3):
            assert code(await b.call("pay")) is None
        [*ended] = [entry.body for entry in await b.records(RecordKind.OUTCOME)]
        assert [len(one.refunds) for one in ended if isinstance(one, OutcomeBody)] == [1, 1, 1]
        b.upstream.reply = Failure("timeout", "too slow", sent=True)
        assert code(await b.call("pay")) is None
        b.upstream.answers.clear()
        before = sent(b)
        lost = asyncio.create_task(b.call("pay"))
        await sends(b, before + 1)
        assert code(await b.call("pay")) is Code.BUDGET_SPENT
        [account] = b.driver.limit_admin.accounts
        assert b.driver.limit_admin.accounts[account].units == 2
        lost.cancel()
        await asyncio.wait({lost})
    clean(tmp_path)
    async with bench(tmp_path) as b:
        given(b, calls(2))
        assert {held.units for held in b.driver.limit_admin.accounts.values()} == {2}
        assert code(await b.call("pay")) is Code.BUDGET_SPENT
        await b.driver.limit_admin.reset_account(account, "admin", "a new quarter")
        assert isinstance(await b.call("pay"), Released)
    clean(tmp_path)


async def test_what_was_under_way_when_an_account_began_anew_gives_nothing_back_to_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        given(b, calls(2))
        b.upstream.answers.clear()
        before = sent(b)
        going = [asyncio.create_task(b.call("pay")) for _ in range(2)]
        await sends(b, before + 2)
        [account] = b.driver.limit_admin.accounts
        for _ in range(2):
            await b.driver.limit_admin.reset_account(account, "admin", "a new quarter")
        later = [asyncio.create_task(b.call("pay")) for _ in range(2)]
        await sends(b, before + 4)
        for one in going:
            one.cancel()
        await asyncio.wait(going)

        async def are_over() -> bool:
            return len(await b.records(RecordKind.OUTCOME)) == len(going)

        await until(are_over)
        for entry in (await b.records(RecordKind.INTENT))[:2]:
            ref = Ref(entry.record.chain, entry.record.seq)
            end = await b.ledger.outcome_of(ref)
            assert isinstance(entry.body, ActionBody)
            assert end is not None
            assert isinstance(end.body, OutcomeBody)
            ended = Ref(end.record.chain, end.record.seq), end.body
            settle, undone = b.driver.limit_admin.settle, (entry.record.at, entry.body)
            assert await settle(str(ref), "user:ann", "not there", happened=False, undone=undone, ended=ended)
        assert b.driver.limit_admin.accounts[account].units == 2, "what is spent since"
        assert code(await b.call("pay")) is Code.BUDGET_SPENT
        for one in later:
            one.cancel()
        await asyncio.wait(later)
    clean(tmp_path)


async def test_beyond_the_soft_threshold_people_decide(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        given(b, calls(5, soft=1, route="finance"))
        assert isinstance(await b.call("pay"), Released)
        b.hold_s(0)
        waits = await b.call("pay")
        assert isinstance(waits, Awaiting)
        [gate] = waits.gates
        assert (gate.policy, gate.route) == ("budget:few", "finance")
        assert "people decide" in waits.reasons[0].text


async def test_a_result_longer_than_a_budget_of_tokens_reserved_is_withheld(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        given(b, Budget("words", Measure.TOKENS, Per.AGENT, None, 150, YEAR_S, result_tokens_max=100))
        assert isinstance(await b.call("pay"), Released)
        [held] = b.driver.limit_admin.accounts.values()
        # Of the hundred reserved for the result what it did not take is given back.
        assert 0 < held.units < 40
        b.upstream.reply = Result({"content": [{"type": "text", "text": "x" * 1_000}]}, is_error=False)
        answer = await b.call("pay")
        assert isinstance(answer, Released)
        assert b"xxx" not in answer.result
        assert b"a budget of tokens" in answer.result
        [held] = b.driver.limit_admin.accounts.values()
        assert held.units <= 150
        assert code(await b.call("pay")) is Code.BUDGET_SPENT
        [*made] = [entry.body for entry in await b.records(RecordKind.INTENT)]
        assert all(isinstance(one, ActionBody) and one.charges for one in made)
    clean(tmp_path)


async def test_a_budget_edited_while_something_is_reserved_counts_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        given(b, calls(3))
        b.upstream.answers.clear()
        tasks = [asyncio.create_task(b.call("pay")) for _ in range(3)]
        await sends(b, 3)
        given(b, calls(2))
        assert code(await b.call("pay")) is Code.BUDGET_SPENT
        b.upstream.answers.set()
        assert all(isinstance(one, Released) for one in await asyncio.gather(*tasks))
        assert code(await b.call("pay")) is Code.BUDGET_SPENT
        given(b, calls(4))
        assert isinstance(await b.call("pay"), Released)
        assert list(b.driver.limit_admin.accounts.values()) == [
            Balance(next(iter(b.driver.limit_admin.accounts.values())).since_ms, 4)
        ]
    clean(tmp_path)

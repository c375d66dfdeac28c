"""Large results: a thread judges them, and the loop serves everybody else meanwhile."""

from __future__ import annotations

import asyncio
import sys
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from remit.facts.catalog import PolicySource
from remit.facts.record import RecordKind
from remit.pep import outcomes
from remit.pep.answer import Refused, Released
from remit.policy.verdict import Code
from remit.ports.upstream import Result
from remit.trace.bodies import OutcomeBody, Status
from tests.e2e.gateway_parts import bench
from tests.e2e.gateway_world import compiled
from tests.eventually import WITHIN_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from remit.pdp.result_judgement import ResultJudgement
    from tests.e2e.gateway_parts import Bench

LARGE = "word " * (outcomes.ON_LOOP_BYTES_MAX // 5)


@dataclass
class Held:
    """What judges, held where it judges something large: `begun` is set by it, `go` lets it go on."""

    begun: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    threads: list[bool] = field(default_factory=list[bool])
    """Whether each was judged on the main thread."""


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    found, real = Held(), outcomes.judge_result

    def judge(*given: Any, **more: Any) -> ResultJudgement:
        is_main = threading.current_thread() is threading.main_thread()
        found.threads.append(is_main)
        if LARGE in str(given[5]):
            found.begun.set()
            assert is_main or found.go.wait(WITHIN_S), "nobody let it go on"
        return real(*given, **more)

    monkeypatch.setattr(outcomes, "judge_result", judge)
    return found


@pytest_asyncio.fixture
async def b(tmp_path: Path) -> AsyncGenerator[Bench]:
    async with bench(tmp_path) as made:
        yield made


def said(text: str) -> Result:
    return Result({"content": [{"type": "text", "text": text}]}, is_error=False)


async def outcome_bodies(b: Bench) -> list[OutcomeBody]:
    found = [entry.body for entry in await b.records(RecordKind.OUTCOME)]
    return [one for one in found if isinstance(one, OutcomeBody)]


async def large(b: Bench, held: Held) -> asyncio.Task[Any]:
    """A call whose large result is being judged."""
    b.upstream.reply = said(LARGE)
    task = asyncio.ensure_future(b.call("echo", text="large"))
    assert await asyncio.to_thread(held.begun.wait, WITHIN_S)
    return task


@pytest.mark.asyncio
async def test_others_are_served_while_a_large_result_is_judged(b: Bench, held: Held) -> None:
    task = await large(b, held)
    b.upstream.reply = said("small")
    small = await b.call("echo", text="small")
    assert isinstance(small, Released)
    assert not task.done()
    held.go.set()
    answer = await task
    assert isinstance(answer, Released)
    assert (LARGE in answer.result.decode(), answer.labels) == (True, frozenset({"untrusted"}))
    assert held.threads == [False, True], "what is small is judged where it is"
    ends = await outcome_bodies(b)
    assert [(one.status, one.labels) for one in ends] == [(Status.OK, ("untrusted",))] * 2
    assert ends[1].result_bytes > outcomes.ON_LOOP_BYTES_MAX


@pytest.mark.asyncio
async def test_a_client_that_leaves_meanwhile_leaves_its_call_in_doubt(b: Bench, held: Held) -> None:
    task = await large(b, held)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held.go.set()
    await b.call("echo", text="small")
    assert [one.status for one in await outcome_bodies(b)] == [Status.LOST, Status.OK]


@pytest.mark.parametrize("text", ["small", LARGE])
@pytest.mark.asyncio
async def test_what_cannot_be_judged_is_not_shown_and_its_call_is_in_doubt(
    b: Bench, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    real = outcomes.judge_result

    def judge(*given: Any, **more: Any) -> ResultJudgement:
        if text in str(given[5]):
            raise MemoryError
        return real(*given, **more)

    monkeypatch.setattr(outcomes, "judge_result", judge)
    b.upstream.reply = said(text)
    answer = await b.call("echo", text="odd")
    assert isinstance(answer, Refused)
    assert [one.code for one in answer.reasons] == [Code.INTERNAL]
    assert answer.sent
    b.upstream.reply = said("fine")
    assert isinstance(await b.call("echo", text="next"), Released)
    assert [(one.status, one.error) for one in await outcome_bodies(b)] == [
        (Status.LOST, "Remit failed in judging what its server answered"), (Status.OK, None),
    ]  # fmt: skip


@pytest.mark.asyncio
async def test_it_has_the_labels_of_the_bundle_that_runs_once_it_is_judged(b: Bench, held: Held) -> None:
    task = await large(b, held)
    catalog = b.bundle.catalog
    echo = replace(catalog.tools["shop", "echo"], source=frozenset({"untrusted", "confidential"}))
    b.bundle = compiled(replace(catalog, tools={**catalog.tools, ("shop", "echo"): echo}))
    held.go.set()
    answer = await task
    assert isinstance(answer, Released)
    assert answer.labels == {"untrusted", "confidential"}
    assert [one.labels for one in await outcome_bodies(b)] == [("confidential", "untrusted")]


@pytest.mark.asyncio
async def test_more_than_may_wait_is_withheld_and_its_outcome_is_what_it_was(
    b: Bench, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remit.pep.worker_thread.BYTES_MAX", 4 * len(LARGE) + 1_000)
    task = await large(b, held)
    answer = await b.call("echo", text="one more")
    assert isinstance(answer, Released)
    assert b"too many large results of this agent" in answer.result
    held.go.set()
    assert isinstance(await task, Released)
    assert [one.status for one in await outcome_bodies(b)] == [Status.OK, Status.OK]


@pytest.mark.asyncio
async def test_it_is_covered_where_it_is_judged(b: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks for what is to be covered takes longer than all else."""
    owes = '@id("covers") @obligation("redact:email") permit (principal, action, resource);'
    b.bundle = compiled(replace(b.bundle.catalog, policies=(PolicySource("covers.cedar", owes),)))
    real, threads = outcomes.redact_shown, list[bool]()

    def cover(*given: Any, **more: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return real(*given, **more)

    monkeypatch.setattr(outcomes, "redact_shown", cover)
    for text in ("eve@example.org", f"{LARGE} eve@example.org"):
        b.upstream.reply = said(text)
        answer = await b.call("echo", text="any")
        assert isinstance(answer, Released)
        assert (b"eve@" in answer.result, b"[redacted email]" in answer.result) == (False, True)
    assert threads == [True, False]


@pytest.mark.asyncio
async def test_an_error_of_ours_in_that_thread_shows_nothing_and_says_that_the_call_was_sent(
    b: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(outcomes, "judge_result", fails)
    b.upstream.reply = said(LARGE)
    refused = await b.call("echo", text="large")
    assert isinstance(refused, Refused)
    assert (refused.reasons[0].code, refused.sent) == (Code.INTERNAL, True)


@pytest.mark.asyncio
async def test_threads_change_more_often_until_a_large_result_is_judged(b: Bench, held: Held) -> None:
    usual_s = sys.getswitchinterval()
    task = await large(b, held)
    assert sys.getswitchinterval() < usual_s
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sys.getswitchinterval() < usual_s, "the thread goes on"
    held.go.set()
    assert isinstance(await b.call("echo", text="the next"), Released)
    assert sys.getswitchinterval() == usual_s

"""One escalated call, decided by another process: exactly one effect, and only what was approved."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proof.counting import Counting, call
from tests.eventually import eventually

BIG = {"id": "big", "amount": 50}


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("approval"), hold_s=20.0) as running:
        yield running


def text(result: Any) -> str:
    return "".join(part.text for part in result.content)


async def waiting(counting: Counting, agent: str, arguments: dict[str, Any]) -> tuple["asyncio.Task[Any]", str]:
    """A call in flight that waits for people, and the id of its approval."""
    known = {item["id"] for item in await asyncio.to_thread(opened, counting)}
    task = asyncio.create_task(call(counting.service, agent, "add", arguments))

    async def fresh() -> list[str]:
        assert not task.done(), task.result()
        return [item["id"] for item in await asyncio.to_thread(opened, counting) if item["id"] not in known]

    return task, (await eventually(fresh))[0]


def opened(counting: Counting) -> list[dict[str, Any]]:
    return list(counting.service.approvals())


@pytest.mark.asyncio
async def test_a_second_process_approves_and_exactly_one_effect_happens(counting: Counting) -> None:
    service = counting.service
    agent, sam = service.agent("clerk", "ana"), service.user("sam")
    task, ident = await waiting(counting, agent, {**BIG, "id": "one"})
    assert counting.effects.count("one") == 0
    done = await asyncio.to_thread(service.remit, "approvals", "approve", ident, token=sam)
    assert done.returncode == 0, done.stderr
    result = await task
    assert not result.is_error
    assert text(result) == "added 50"
    assert counting.effects.count("one") == 1
    shown = await asyncio.to_thread(service.told, "approvals", "show", ident)
    assert shown["state"] == "succeeded"


@pytest.mark.asyncio
async def test_an_approval_is_used_once_and_for_the_same_bytes_only(counting: Counting) -> None:
    service = counting.service
    agent, sam = service.agent("clerk", "ana"), service.user("sam")
    task, ident = await waiting(counting, agent, {"id": "exact", "amount": 50})
    await asyncio.to_thread(service.remit, "approvals", "approve", ident, token=sam)
    assert not (await task).is_error
    for arguments in ({"id": "exact", "amount": 51}, {"id": "exact", "amount": 50}):
        again, other = await waiting(counting, agent, arguments)
        assert other != ident
        denied = await asyncio.to_thread(service.remit, "approvals", "deny", other, token=sam)
        assert denied.returncode == 0, denied.stderr
        result = await again
        assert result.is_error
        assert "sam" in text(result)
    assert counting.effects.count("exact") == 1


@pytest.mark.asyncio
async def test_neither_the_requester_nor_the_admin_approves(counting: Counting) -> None:
    service = counting.service
    agent, ana, sam = service.agent("clerk", "ana"), service.user("ana"), service.user("sam")
    task, ident = await waiting(counting, agent, {"id": "own", "amount": 50})
    for token in (ana, service.admin, agent):
        refused = await asyncio.to_thread(service.remit, "approvals", "approve", ident, token=token)
        assert refused.returncode == 4, refused.stdout + refused.stderr
    assert not task.done()
    await asyncio.to_thread(service.remit, "approvals", "deny", ident, token=sam)
    assert (await task).is_error
    assert "own" not in counting.effects


def test_after_the_hold_the_answer_is_pending_and_the_next_same_call_claims(tmp_path: Path) -> None:
    with Counting(tmp_path / "hold", hold_s=0.2) as counting:
        service = counting.service
        agent, sam = service.agent("clerk", "ana"), service.user("sam")
        pending = asyncio.run(call(service, agent, "add", {"id": "later", "amount": 50}))
        assert pending.is_error
        (approval,) = opened(counting)
        assert f"remit approvals show {approval['id']}" in text(pending)
        assert counting.effects == []
        service.remit("approvals", "approve", approval["id"], token=sam)
        other = asyncio.run(call(service, service.agent("clerk", "ana"), "add", {"id": "later", "amount": 50}))
        assert other.is_error, "another session claimed the approval"
        claimed = asyncio.run(call(service, agent, "add", {"id": "later", "amount": 50}))
        assert not claimed.is_error
        assert counting.effects == ["later"]
        assert service.remit("ledger", "verify").returncode == 0

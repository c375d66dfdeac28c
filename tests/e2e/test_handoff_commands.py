"""The handoff by its commands: edited, refused with a reason, handed on, stopped, broken open."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.counting import Counting, call
from tests.e2e.test_approval import opened, text, waiting


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("handoff"), hold_s=20.0) as running:
        yield running


@pytest.mark.asyncio
async def test_an_escalated_call_is_approved_with_an_edit_and_runs_once_as_edited(counting: Counting) -> None:
    service = counting.service
    agent, sam = service.agent("clerk", "ana"), service.user("sam")
    task, ident = await waiting(counting, agent, {"id": "asked", "amount": 50})
    before = list(counting.effects)
    edit = ("approvals", "approve", ident, "--edit", "amount=40", "--edit", "id=edited", "--note", "less")
    done = await asyncio.to_thread(service.remit, *edit, token=sam)
    assert done.returncode == 0, done.stderr
    result = await task
    assert not result.is_error
    assert "with other arguments than you asked for" in text(result)
    assert '{"amount":40,"id":"edited"}' in text(result)
    assert text(result).endswith("added 40")
    assert counting.effects == [*before, "edited"]
    shown = await asyncio.to_thread(service.told, "approvals", "show", ident, token=sam)
    assert shown["state"] == "succeeded"
    assert shown["edit"]["arguments"] == {"amount": 40, "id": "edited"}
    assert shown["arguments"] == {"amount": 50, "id": "asked"}
    assert shown["approved"] == shown["edit"]["action"] != shown["action"]
    why = await asyncio.to_thread(service.told, "why", shown["claimed_by"])
    assert why["action"]["arguments"] == {"amount": 40, "id": "edited"}
    assert why["action"]["hash"] == shown["approved"]
    verified = await asyncio.to_thread(service.remit, "ledger", "verify")
    assert verified.returncode == 0, verified.stdout


@pytest.mark.asyncio
async def test_the_reason_of_a_no_reaches_the_agent_and_the_note_does_not(counting: Counting) -> None:
    service = counting.service
    agent, sam = service.agent("clerk", "ana"), service.user("sam")
    arguments = {"id": "refused", "amount": 60}
    task, ident = await waiting(counting, agent, arguments)
    no = ("approvals", "deny", ident, "--reason", "too-much", "--note", "between us")
    done = await asyncio.to_thread(service.remit, *no, token=sam)
    assert done.returncode == 0, done.stderr
    said = text(await task)
    assert "refused by sam: it is too much at once: ask for less" in said
    assert "between us" not in said
    shown = await asyncio.to_thread(service.told, "approvals", "show", ident, token=sam)
    assert (shown["note"], shown["brief"]["remarks"]) == (
        "between us", [{"by": "sam", "did": "said no", "text": "between us"}],
    )  # fmt: skip
    card = await asyncio.to_thread(service.remit, "approvals", "show", ident, token=sam)
    assert "sam said no: “between us”" in card.stdout
    why = await asyncio.to_thread(service.told, "why", ident)
    assert why["approval"]["note"] == "between us"
    again = await call(service, agent, "add", arguments)
    assert "it is too much at once" in text(again)
    assert "between us" not in text(again)
    assert await asyncio.to_thread(opened, counting) == []
    assert "refused" not in counting.effects


@pytest.mark.asyncio
async def test_an_edit_that_the_tool_does_not_take_is_refused(counting: Counting) -> None:
    service = counting.service
    agent, sam = service.agent("clerk", "ana"), service.user("sam")
    task, ident = await waiting(counting, agent, {"id": "odd", "amount": 70})
    for change in ("amuont=8", "amount=much", "=1", "amount"):
        odd = await asyncio.to_thread(service.remit, "approvals", "approve", ident, "--edit", change, token=sam)
        assert odd.returncode in {2, 3}, odd.stderr
    stale = ("approvals", "approve", ident, "--shown", "forged")
    forged = await asyncio.to_thread(service.remit, *stale, token=sam)
    assert forged.returncode != 0
    assert "not what would run now" in forged.stderr
    await asyncio.to_thread(service.remit, "approvals", "deny", ident, token=sam)
    assert (await task).is_error
    assert "odd" not in counting.effects


@pytest.mark.asyncio
async def test_glass_is_broken_loudly_and_reviewed_by_somebody_else(counting: Counting) -> None:
    service = counting.service
    agent, sam, ana = service.agent("clerk", "ana"), service.user("sam"), service.user("ana")
    task, ident = await waiting(counting, agent, {"id": "urgent", "amount": 80})
    own = await asyncio.to_thread(service.remit, "break-glass", ident, "--why", "now", token=ana)
    assert own.returncode == 4, own.stderr
    assert "the requester may not break the glass" in own.stderr
    assert "those who may" not in own.stderr, "who may say yes may not break the glass by that"
    assert "the glass is broken" not in service.log
    done = await asyncio.to_thread(service.remit, "break-glass", ident, "--why", "the site is down", token=sam)
    assert done.returncode == 0, done.stderr
    assert "THE GLASS IS BROKEN" in done.stderr
    await asyncio.to_thread(service.says, "the glass is broken")
    assert service.log.count("the glass is broken") == 1
    assert not (await task).is_error
    [left] = await asyncio.to_thread(service.told, "approvals", "ls", "--unreviewed", token=sam)
    assert (left["id"], left["glass"]["why"]) == (ident, "the site is down")
    for who, code in ((sam, 4), (ana, 0)):
        looked = await asyncio.to_thread(service.remit, "approvals", "review", ident, token=who)
        assert looked.returncode == code, looked.stderr
    assert await asyncio.to_thread(service.told, "approvals", "ls", "--unreviewed", token=sam) == []


CAP = """@id("small-steps") @obligation("cap:amount:60")
permit (principal, action == Remit::Action::"counter___add", resource);
"""


def test_where_policy_made_a_number_smaller_both_are_told(tmp_path: Path) -> None:
    with Counting(tmp_path / "cap", hold_s=0.2) as counting:
        service = counting.service
        service.write({"cap.cedar": CAP})
        service.apply()
        asyncio.run(call(service, service.agent("clerk", "ana"), "add", {"id": "much", "amount": 500}))
        (asked,) = opened(counting)
        card = service.remit("approvals", "show", asked["id"], token=service.user("sam")).stdout
        assert "capped amount" in card
        assert "asked 500, would run with 60, by policy small-steps" in " ".join(card.replace("│", "").split())
        shown = service.approval(asked["id"])
        assert shown["arguments"] == {"amount": 60, "id": "much"}
        assert service.told("why", asked["id"])["facts"]["obliged"]["numbers"] == {"amount": 500}


def test_a_deputy_decides_and_a_stopped_session_does_nothing(tmp_path: Path) -> None:
    with Counting(tmp_path / "stop", hold_s=0.2) as counting:
        service = counting.service
        agent, sam = service.agent("clerk", "ana"), service.user("sam")
        asyncio.run(call(service, agent, "add", {"id": "first", "amount": 50}))
        (first,) = opened(counting)
        over = service.remit("approvals", "delegate", first["id"], "--to", "nobody", "--for", "10m", token=sam)
        assert over.returncode == 4, over.stderr
        over = service.remit("approvals", "delegate", first["id"], "--to", "ana", "--for", "10m", token=sam)
        assert over.returncode == 4, "ana is the requester"
        stopped = service.remit("approvals", "stop", first["id"], token=sam)
        assert stopped.returncode == 0, stopped.stderr
        after = asyncio.run(call(service, agent, "add", {"id": "small", "amount": 1}))
        assert after.is_error
        assert "stopped by user:sam: it looks as if something other than the user asked for it" in text(after)
        assert counting.effects == []
        assert service.approval(first["id"])["state"] == "denied"

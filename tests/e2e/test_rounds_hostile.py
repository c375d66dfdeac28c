"""Rounds under attack: answers that carry more than they say, questions that cannot be told, one agent's flood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from remit.facts.record import RecordKind
from remit.pep import rounds
from remit.ports.upstream import InputRequired, Log, Question
from remit.trace.bodies import Choice
from tests.e2e.edge_world import ASKED, DONE, FORM, YES, Wire, edge, text
from tests.e2e.gateway_world import until

if TYPE_CHECKING:
    from pathlib import Path

    from remit.facts.canonical import Json

ECHO = {"name": "echo", "arguments": {"text": "hi"}}
PAY = {"name": "pay", "arguments": {"amount": 500, "to": "eve"}}


def wired(test: Any) -> Any:
    async def run(tmp_path: Path) -> None:
        async with edge(tmp_path) as w:
            await test(w)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return pytest.mark.asyncio(run)


async def asked(w: Wire, params: Any = ECHO) -> str:
    """The state of a call that asks."""
    w.replies(ASKED, DONE)
    _, said = await w.ask("tools/call", params)
    return str(said["result"]["requestState"])


async def ended(w: Wire) -> bool:
    """Whether every intent has its outcome."""
    intents, outcomes = await w.bench.records(RecordKind.INTENT), await w.bench.records(RecordKind.OUTCOME)
    return len(intents) == len(outcomes) > 0


@wired
async def test_nothing_rides_on_the_yes_of_an_approved_action(w: Wire) -> None:
    w.bench.hold_s(0.1)
    await w.ask("tools/call", PAY)
    [approval] = await w.bench.ledger.approvals(open_only=True, limit=10)
    bob = w.bench.bundle.catalog.users["bob"]
    await w.bench.driver.approvals.cast_vote(approval.ident, bob, Choice.APPROVE, None)
    state = await asked(w, PAY)
    given = {"who": {"action": {"all": "that I know"}, "_meta": {"and": "more"}}}
    _, said = await w.ask("tools/call", {**PAY, "requestState": state, "inputResponses": given})
    assert text(said["result"]) == "done"
    assert 'resumed held {"who":{"action":"decline"}}' in w.bench.trace


def deep(levels: int) -> Json:
    """A list in lists."""
    found: Json = 1
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize("odd", [2**60, deep(70), deep(300), deep(5_000), "x" * 2_000_000])
@pytest.mark.asyncio
async def test_a_question_that_cannot_be_told_is_declined_and_the_action_ends(odd: Json, tmp_path: Path) -> None:
    async with edge(tmp_path) as w:
        w.replies(
            InputRequired({"who": Question("elicitation/create", {**FORM, "requestedSchema": {"x": odd}})}, "held"),
            DONE,
        )
        _, said = await w.ask("tools/call", ECHO)
        assert text(said["result"]) == "done"
        assert 'resumed held {"who":null}' in w.bench.trace
        assert await ended(w)


@wired
async def test_a_question_that_cannot_be_recorded_ends_the_action_and_tells_the_server(w: Wire) -> None:
    w.replies(ASKED, DONE)
    w.bench.ledger.fails.add(RecordKind.EXCHANGE)
    _, said = await w.ask("tools/call", ECHO)
    assert said["result"]["isError"]

    async def over() -> bool:
        return "dropped held" in w.bench.trace and await ended(w)

    # The server is told, and the outcome becomes durable, beside the answer.
    await until(over)


@pytest.mark.asyncio
async def test_one_agents_open_rounds_leave_room_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "OPEN_PER_AGENT_MAX", 2)
    async with edge(tmp_path) as w:
        states = [await asked(w) for _ in range(2)]
        w.replies(ASKED, DONE)
        _, said = await w.ask("tools/call", ECHO)
        assert said["result"]["isError"], "there is no room for a third"
        mine, w.token = w.token, w.another("helper")
        await asked(w)
        w.token = mine
        _, said = await w.ask("tools/call", {**ECHO, "requestState": states[0], "inputResponses": {"who": YES}})
        assert text(said["result"]) == "done"
        await asked(w)


@wired
async def test_a_client_that_reads_nothing_and_leaves_keeps_no_outcome_off_the_ledger(w: Wire) -> None:
    w.bench.upstream.notices = [Log("error", None, "x" * 60_000) for _ in range(400)]
    w.replies(DONE)
    level = {"io.modelcontextprotocol/logLevel": "info"}
    async with w.asking("tools/call", ECHO, meta=level) as stream:
        await until(lambda: w.bench.records(RecordKind.EXCHANGE))
        [outcome] = await until(lambda: w.bench.records(RecordKind.OUTCOME))
        stream.response.close()
    kinds = [entry.record.kind for entry in await w.bench.records(*RecordKind)]
    assert kinds.index(RecordKind.EXCHANGE) < kinds.index(outcome.record.kind) == len(kinds) - 1

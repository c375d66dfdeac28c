"""Answers with tasks: for a client that takes them, to a call, of 2026-07-28; anything else is no answer."""

from typing import Any

import pytest

from remit.facts.capability import NEEDS_TASKS
from remit.ports.upstream import NO_CONTEXT, Era, Failure, Result, TaskStarted, UpstreamContext
from tests.upstreams.scripted import Say, Scripted, result, text, upstream_of

TASK: dict[str, Any] = {"resultType": "task", "taskId": "t", "status": "working", "ttlMs": 5, "_meta": {"x": 1}}
TAKES = UpstreamContext(capabilities=NEEDS_TASKS)


async def task(_server: Scripted, message: Any, say: Say) -> None:
    await say(result(message, TASK | ({"resultType": "complete"} if message["method"] == "tasks/get" else {})))


@pytest.mark.asyncio
async def test_a_task_answers_a_call_of_a_client_that_takes_it_and_keeps_its_own_time() -> None:
    server = Scripted(task, modern=True)
    async with upstream_of(server) as upstream:
        found = await upstream.call("s", Era.STATELESS, "tool", b"{}", TAKES)
        assert found == TaskStarted({"taskId": "t", "status": "working", "ttlMs": 5})
        asked = await upstream.ask("s", Era.STATELESS, "tasks/get", {"taskId": "t"}, TAKES)
        assert asked == Result({"taskId": "t", "status": "working", "ttlMs": 5}, is_error=False)
    (call,) = server.messages("tools/call")
    assert call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] == NEEDS_TASKS
    assert server.headers[-1]["mcp-name"] == "t"


@pytest.mark.asyncio
async def test_a_task_that_nobody_can_take_is_garbage() -> None:
    server = Scripted(task, modern=True)
    async with upstream_of(server) as upstream:
        for along in (NO_CONTEXT, UpstreamContext(capabilities={"elicitation": {}})):
            found = await upstream.call("s", Era.STATELESS, "tool", b"{}", along)
            assert isinstance(found, Failure)
        found = await upstream.ask("s", Era.STATELESS, "prompts/get", {"name": "p"}, TAKES)
        assert isinstance(found, Failure)
    for call in server.messages("tools/call"):
        assert "extensions" not in call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]


@pytest.mark.asyncio
async def test_a_server_of_the_handshake_era_is_not_told_of_the_extension() -> None:
    async def call(_server: Scripted, message: Any, say: Say) -> None:
        await say(text(message, "done") if message["params"]["name"] == "plain" else result(message, TASK))

    server = Scripted(call)
    async with upstream_of(server) as upstream:
        assert isinstance(await upstream.call("s", Era.STATELESS, "plain", b"{}", TAKES), Result)
        assert isinstance(await upstream.call("s", Era.STATELESS, "odd", b"{}", TAKES), Failure)
    assert all(opened["params"]["capabilities"] == {} for opened in server.messages("initialize"))

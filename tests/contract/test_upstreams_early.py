"""Roots that a server of the handshake era asks for as soon as its session is open, before any call."""

import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.upstreams import early_questions, messages
from remit.adapters.upstreams.early_questions import KEPT_MAX, EarlyQuestions
from remit.adapters.upstreams.stdio import StdioUpstream
from remit.facts.canonical import Json
from remit.facts.catalog import Server, Stdio
from remit.facts.limits import DEFAULT
from remit.ports.upstream import NO_CONTEXT, Era, InputRequired, Question, Reply, Result, UpstreamContext
from tests.upstreams.rig import ManualClock

EARLY = Path(__file__).parents[1] / "upstreams" / "early.py"
OLD = Era.INITIALIZE
ROOTS = UpstreamContext(capabilities={"roots": {}})
FOUND: Json = {"roots": [{"uri": "file:///home"}]}


@asynccontextmanager
async def early(folder: Path, *how: str) -> AsyncGenerator[StdioUpstream]:
    command = Stdio((sys.executable, str(EARLY), *how))
    upstream = StdioUpstream(Server("early", command, call_s=20.0), DEFAULT, ManualClock(), folder)
    try:
        yield upstream
    finally:
        await upstream.close()


def said(reply: Reply) -> Any:
    assert isinstance(reply, Result), reply
    content: Any = reply.value["content"]
    return json.loads(content[0]["text"])


@pytest.mark.asyncio
async def test_the_first_call_is_asked_and_made_once_its_server_knows(tmp_path: Path) -> None:
    async with early(tmp_path) as upstream:
        assert [one.name for one in await upstream.definitions("a", OLD, ROOTS)] == ["roots"]
        part: Json = {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": ""}}
        completed = await upstream.ask("a", OLD, "completion/complete", part, ROOTS)
        assert isinstance(completed, Result), "nobody goes on with one that asks"
        reply = await upstream.call("a", OLD, "roots", b"{}", ROOTS)
        assert isinstance(reply, InputRequired), reply
        assert [question.method for question in reply.questions.values()] == ["roots/list"]
        answers = dict.fromkeys(reply.questions, FOUND)
        assert said(await upstream.resume(reply.continuation, answers, ROOTS)) == FOUND
        assert said(await upstream.call("a", OLD, "roots", b"{}", ROOTS)) == FOUND, "it is asked once"


@pytest.mark.asyncio
async def test_who_is_refused_it_is_called_all_the_same(tmp_path: Path) -> None:
    async with early(tmp_path) as upstream:
        await upstream.definitions("a", OLD, ROOTS)
        reply = await upstream.call("a", OLD, "roots", b"{}", ROOTS)
        assert isinstance(reply, InputRequired), reply
        found = said(await upstream.resume(reply.continuation, dict.fromkeys(reply.questions), ROOTS))
        assert found["message"] == messages.NOT_OFFERED


@pytest.mark.asyncio
async def test_a_server_that_answers_nothing_before_is_told_no_and_lists_its_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_questions, "PATIENCE_S", 0.05)
    async with early(tmp_path, "first") as upstream:
        assert [one.name for one in await upstream.definitions("a", OLD, ROOTS)] == ["roots"]
        assert said(await upstream.call("a", OLD, "roots", b"{}", ROOTS))["message"] == messages.NOT_OFFERED


@pytest.mark.asyncio
async def test_who_gives_up_a_call_before_it_was_made_has_its_server_told_no(tmp_path: Path) -> None:
    async with early(tmp_path) as upstream:
        await upstream.definitions("a", OLD, ROOTS)
        reply = await upstream.call("a", OLD, "roots", b"{}", ROOTS)
        assert isinstance(reply, InputRequired), reply
        await upstream.drop(reply.continuation)
        assert said(await upstream.call("a", OLD, "roots", b"{}", ROOTS))["message"] == messages.NOT_OFFERED
        assert said(await upstream.call("b", OLD, "roots", b"{}", NO_CONTEXT)) is None, "it may be asked nothing"


@pytest.mark.asyncio
async def test_only_roots_are_kept_each_once_and_not_many() -> None:
    refused: list[Any] = []
    kept = EarlyQuestions(set[int](), refused.append)
    assert not kept.put("x", Question("elicitation/create", {}), ())
    roots = Question("roots/list", {})
    assert [kept.put(at, roots, ()) for at in (*range(KEPT_MAX), 0, "more")] == [True] * KEPT_MAX + [False] * 2
    assert kept.withdraw(0)
    assert not kept.withdraw(0)
    assert len(kept.take()) == KEPT_MAX - 1
    assert not kept
    assert not refused

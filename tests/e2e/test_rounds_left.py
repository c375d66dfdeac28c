"""Clients that go, and servers that go on, when the simulator found them: one outcome each, the last record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from remit.facts.record import RecordKind
from remit.pep.answer import AwaitingInput, Client, Released
from remit.ports.upstream import NO_CONTEXT, Era, InputRequired, Log, Question, UpstreamContext
from remit.trace.bodies import OutcomeBody, Status
from tests.e2e.gateway_parts import bench
from tests.e2e.gateway_world import until

if TYPE_CHECKING:
    from pathlib import Path

    from remit.ports.upstream import Notice, Reply
    from tests.e2e.gateway_parts import Bench

WHO = Question("elicitation/create", {"message": "who?", "requestedSchema": {"type": "object"}})
ABLE = Client(Era.STATELESS, {"elicitation": {}})


async def said(b: Bench, line: str) -> None:
    async def is_there() -> bool:
        return line in b.trace

    await until(is_there)


async def ended_lost(b: Bench) -> None:
    """The one intent has one outcome, and the server was told."""
    await said(b, "dropped held-1")
    (outcome,) = [entry.body for entry in await until(lambda: b.records(RecordKind.OUTCOME))]
    assert isinstance(outcome, OutcomeBody)
    assert outcome.status is Status.LOST


@pytest.mark.asyncio
async def test_a_client_that_goes_while_the_server_wants_time_ends_the_action(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.upstream.reply = InputRequired({}, "held-1")
        asked = asyncio.create_task(b.call("echo", text="hello"))
        await said(b, "answered")
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await ended_lost(b)


@pytest.mark.asyncio
async def test_a_client_that_goes_while_the_server_is_told_ends_the_action(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as b:
        b.upstream.reply = InputRequired({"who": WHO}, "held-1")
        authority = b.authority()
        found = await b.driver.call_tool(authority, ABLE, "shop", "echo", {"text": "a"}, b'{"text":"a"}')
        assert isinstance(found, AwaitingInput)
        await b.driver.authorization.revoke(authority.token, authority.expires_ms, "ann")
        real, stuck = b.upstream.drop, asyncio.Event()

        async def drop(continuation: object) -> None:
            await real(continuation)
            await stuck.wait()

        monkeypatch.setattr(b.upstream, "drop", drop)
        resumed = asyncio.create_task(b.driver.resume(authority, ABLE, found.round, {"who": {"action": "decline"}}))
        await said(b, "dropped held-1")
        resumed.cancel()
        await asyncio.wait({resumed})
        await ended_lost(b)
        stuck.set()


@pytest.mark.asyncio
async def test_what_a_server_says_after_its_answer_is_neither_told_nor_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Notice] = []
    kept: list[UpstreamContext] = []

    async def tell(notice: Notice) -> None:
        told.append(notice)

    async with bench(tmp_path) as b:
        real = b.upstream.call

        async def call(sid: str, era: Era, name: str, arguments: bytes, context: UpstreamContext = NO_CONTEXT) -> Reply:
            kept.append(context)
            return await real(sid, era, name, arguments, context)

        monkeypatch.setattr(b.upstream, "call", call)
        client = Client(Era.STATELESS, {}, tell)
        found = await b.driver.call_tool(b.authority(), client, "shop", "echo", {"text": "a"}, b'{"text":"a"}')
        assert isinstance(found, Released)
        hear = kept[0].hear
        assert hear is not None
        hear(Log("info", None, "one thing more"))
        await asyncio.sleep(0.05)
        assert not told
        assert not await b.records(RecordKind.EXCHANGE)

"""Notices of a call while somebody writes what it reads: their labels are on disk before they are told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from remit.facts.agent import Link
from remit.facts.canonical import canonical
from remit.facts.capability import NEEDS_TASKS
from remit.facts.record import RecordKind
from remit.facts.store import Store
from remit.pep.answer import Released, Underway
from remit.ports.upstream import NO_CONTEXT, Era, Progress, Reply, Result, TaskStarted, UpstreamContext
from tests.e2e.gateway_world import compiled, until
from tests.e2e.test_rounds import ABLE, bodies, call, driven
from tests.e2e.test_tasks import TASK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remit.facts.canonical import Json
    from tests.e2e.gateway_parts import Bench

OTHER = (Link("clerk", "another"),)


def keeping(b: Bench) -> None:
    """Have `slow` write under the key that `echo`, with no labels of its own, reads."""
    tools = dict(b.bundle.catalog.tools)
    tools["shop", "echo"] = replace(tools["shop", "echo"], source=frozenset(), store=Store("kept", ("text",)))
    tools["shop", "slow"] = replace(tools["shop", "slow"], store=Store("kept", ("seconds",)))
    b.bundle = compiled(replace(b.bundle.catalog, tools=tools))


async def write(b: Bench) -> None:
    """Another session, with labels by now, writes under the key 7."""
    other = replace(b.authority(), links=OTHER)
    given: Mapping[str, Json] = {"seconds": 7}
    for tool, arguments in (("broken", {}), ("slow", given)):
        found = await b.driver.call_tool(other, ABLE, "shop", tool, arguments, canonical(arguments))
        assert isinstance(found, Released), found


@driven
async def test_what_somebody_writes_in_mid_call_is_told_after_its_labels(b: Bench) -> None:
    keeping(b)
    real, heard = b.upstream.call, asyncio.Event()

    async def serve(sid: str, era: Era, name: str, arguments: bytes, context: UpstreamContext = NO_CONTEXT) -> Reply:
        if name == "echo":
            assert context.hear is not None
            context.hear(Progress(1.0, 2.0, "clean"))
            await heard.wait()
            await write(b)
            context.hear(Progress(2.0, 2.0, "what the other wrote"))
            context.hear(Progress(2.0, 2.0, "and more"))
        return await real(sid, era, name, arguments, context)

    async def tell(notice: object) -> None:
        assert isinstance(notice, Progress)
        session = await b.ledger.session(b.authority().links[0].sid)
        b.trace.append(f"told {notice.message} {sorted(session.labels) if session else []}")
        heard.set()

    b.upstream.call = serve
    assert isinstance(await call(b, client=replace(ABLE, tell=tell), text="7"), Released)
    told = [line for line in b.trace if line.startswith("told")]
    assert told == [
        "told clean []",
        "told what the other wrote ['untrusted']",
        "told and more ['untrusted']",
    ], "on disk before it was told"
    assert [body.labels for body in await bodies(b, RecordKind.EXCHANGE)] == [(), ("untrusted",)]


@driven
async def test_what_is_written_after_the_answer_adds_no_exchange_to_what_is_still_to_be_told(b: Bench) -> None:
    keeping(b)
    told: list[object] = []
    reads = asyncio.Event()

    async def tell(notice: object) -> None:
        await reads.wait()
        told.append(notice)

    b.upstream.notices = [Progress(1.0, 2.0), Progress(2.0, 2.0)]
    going = asyncio.ensure_future(call(b, client=replace(ABLE, tell=tell), text="7"))
    await until(lambda: bodies(b, RecordKind.OUTCOME))
    await write(b)
    reads.set()
    assert isinstance(await going, Released)
    assert len(told) == 2
    assert [body.labels for body in await bodies(b, RecordKind.EXCHANGE)] == [()]


@driven
async def test_the_word_of_a_task_is_told_after_the_labels_of_what_somebody_wrote_since(b: Bench) -> None:
    keeping(b)
    done, b.upstream.reply = b.upstream.reply, TaskStarted(TASK)
    given: Mapping[str, Json] = {"text": "7"}
    client = replace(ABLE, capabilities=NEEDS_TASKS)
    begun = await b.driver.call_tool(b.authority(), client, "shop", "echo", given, canonical(given))
    assert isinstance(begun, Underway), begun
    b.upstream.other, b.upstream.reply = Result({**TASK, "statusMessage": "of the other"}, is_error=False), done
    assert isinstance(await b.driver.get_task(b.authority(), client, "shop", begun.name), Underway)
    await write(b)
    b.ledger.waits = {RecordKind.EXCHANGE}
    both = [asyncio.ensure_future(b.driver.get_task(b.authority(), client, "shop", begun.name)) for _ in range(2)]
    _, waiting = await asyncio.wait(both, timeout=0.2)
    assert waiting == set(both), "its labels are not on disk yet"
    b.ledger.open.set()
    for told in await asyncio.gather(*both):
        assert isinstance(told, Underway)
        assert told.state["statusMessage"] == "of the other"
    assert [body.labels for body in await bodies(b, RecordKind.EXCHANGE)] == [(), ("untrusted",)]

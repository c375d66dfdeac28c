"""Watches: each agent its share of those of a server; what could not be followed is followed once it may be."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remit.facts.catalog import PolicySource
from remit.facts.limits import DEFAULT
from remit.facts.stop import StopKind, StopScope
from remit.pep.mcp import upstream_watches
from remit.ports.upstream import ListChanged, Offer, ResourceUpdated
from tests.e2e.edge_world import Answer, Wire, edge
from tests.e2e.gateway_world import compiled, until
from tests.e2e.test_gateway_listening import READS, allow_all, put

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

FEW = replace(DEFAULT, watches_per_agent_max=2, watches_max=3)


@contextlib.asynccontextmanager
async def few(folder: Path) -> AsyncGenerator[Wire]:
    """An edge where an agent may watch a server for two things."""
    async with edge(folder, FEW) as w:
        allow_all(w)
        yield w


def follow(w: Wire, *names: str) -> contextlib.AbstractAsyncContextManager[Answer]:
    uris = [f"note://{name}" for name in names]
    return w.asking("subscriptions/listen", {"notifications": {"resourceSubscriptions": uris}})


async def refused(answer: Answer) -> tuple[int, str]:
    said: Any = await answer.response.json()
    assert answer.response.headers["retry-after"] == str(said["error"]["data"]["retry_after_s"])
    return answer.response.status, said["error"]["message"]


@pytest.mark.asyncio
async def test_one_agent_cannot_take_all_watches_of_a_server(tmp_path: Path) -> None:
    async with few(tmp_path) as w, contextlib.AsyncExitStack() as open_:
        for name in ("a", "b"):
            stream = await open_.enter_async_context(follow(w, name))
            assert (await stream.message())["params"]["notifications"] == {"resourceSubscriptions": [f"note://{name}"]}
        async with follow(w, "b") as same:
            assert (await same.message())["method"] == "notifications/subscriptions/acknowledged"
        for token in (w.token, w.another()):  # a second run of the same agent has no share of its own
            w.token = token
            async with follow(w, "c") as third:
                assert await refused(third) == (
                    429,
                    "limit/watches-per-agent: clerk watches server shop for 2 different things (watches_per_agent_max)",
                )
        w.token = w.another("helper")
        helper = await open_.enter_async_context(follow(w, "c"))
        assert (await helper.message())["params"]["notifications"] == {"resourceSubscriptions": ["note://c"]}
        async with follow(w, "d") as full:
            assert await refused(full) == (503, "limit/watches: server shop is watched 3 times (watches_max)")


@pytest.mark.asyncio
async def test_who_ends_a_watch_may_have_another(tmp_path: Path) -> None:
    async with few(tmp_path) as w, follow(w, "a"):
        async with follow(w, "b") as stream:
            await stream.message()

        async def again() -> bool:
            async with follow(w, "c") as stream:
                return stream.response.status == 200

        await until(again)


@pytest.mark.asyncio
async def test_a_connection_changes_what_it_follows_at_its_share_and_is_told_beyond_it(tmp_path: Path) -> None:
    async with few(tmp_path) as w, follow(w, "a") as first:
        await first.message()
        sid = await w.initialize()
        for name in ("b", "c", "d"):
            async with w.on(sid, "resources/subscribe", {"uri": f"note://{name}"}) as said:
                assert (await said.message())["result"] == {}
        other = await w.initialize()
        async with w.on(other, "resources/subscribe", {"uri": "note://e"}) as said:
            error = (await said.message())["error"]
            assert (error["code"], error["data"]["reason"]) == (-32000, "limit/watches-per-agent")
        async with w.send("GET", None, w.known(other)) as stream:
            assert (await refused(stream))[0] == 429
        async with w.on(sid, "resources/unsubscribe", {"uri": "note://b"}) as said:
            assert (await said.message())["result"] == {}
        assert w.watched[-1] == (frozenset(), frozenset({"note://c", "note://d"}))
        # What was refused is not kept in mind: the connection hears of nothing but what it was told it would.
        async with w.on(other, "resources/unsubscribe", {"uri": "note://e"}) as said:
            assert (await said.message())["result"] == {}


ONLY_TOOLS = '@id("t") permit (principal, action in Remit::Action::"call_tool", resource);'
ONLY_B = """
@id("b") permit (principal, action == Remit::Action::"read_resource", resource)
when { context.input.uri == "note://b" };
"""


def rule(w: Wire, policies: str) -> None:
    w.bench.bundle = compiled(replace(w.bench.bundle.catalog, policies=(PolicySource("all.cedar", policies),)))


@contextlib.asynccontextmanager
async def looking(folder: Path) -> AsyncGenerator[Wire]:
    """An edge that looks often whether something else may be followed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upstream_watches, "LOOK_S", 0.01)
        async with edge(folder) as w:
            allow_all(w)
            yield w


async def methods(answer: Answer, count: int) -> list[str]:
    return sorted([(await answer.message())["method"].removeprefix("notifications/") for _ in range(count)])


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "what", [(StopKind.SERVER, "shop"), (StopKind.AGENT, "clerk"), (StopKind.TOOL, "shop/note://a")]
)
async def test_a_stream_that_was_opened_amid_a_stop_hears_once_people_resume(
    tmp_path: Path, what: tuple[StopKind, str]
) -> None:
    async with looking(tmp_path) as w:
        driver, sid = w.bench.driver, await w.initialize()
        async with w.on(sid, "resources/subscribe", {"uri": "note://a"}) as said:
            assert (await said.message())["result"] == {}
        async with w.send("GET", None, w.known(sid)) as stream:
            await driver.halts.halt(what, "ann", "odd", StopScope.READING)
            assert await stream.event() is ..., "it must be opened anew"
        async with w.send("GET", None, w.known(sid)) as stream:
            # That all of it may have changed is told at once: what was lost on the one before, nobody can say.
            assert await methods(stream, 2) == ["resources/updated", "tools/list_changed"]
            watched = len(w.watched)
            put(w, ResourceUpdated("note://a"))
            await asyncio.sleep(0.1)
            await driver.halts.resume(what, "ann")
            assert await methods(stream, 2) == ["resources/updated", "tools/list_changed"]
            assert w.watched[-1] == (frozenset({Offer.TOOLS}), frozenset({"note://a"}))
            assert len(w.watched) > watched
            put(w, ResourceUpdated("note://a"))
            assert await methods(stream, 1) == ["resources/updated"]
            # No stop, no other bundle: nothing is judged or watched anew.
            watched = len(w.watched)
            await asyncio.sleep(0.1)
            assert len(w.watched) == watched


@pytest.mark.asyncio
async def test_a_connection_hears_of_what_another_bundle_lets_it_hear_of(tmp_path: Path) -> None:
    async with looking(tmp_path) as w:
        sid = await w.initialize()
        async with w.on(sid, "prompts/list") as said:
            await said.message()
        async with w.on(sid, "resources/subscribe", {"uri": "note://a"}) as said:
            assert (await said.message())["result"] == {}
        rule(w, ONLY_TOOLS)
        async with w.send("GET", None, w.known(sid)) as stream:

            async def narrow() -> bool:
                return w.watched[-1] == (frozenset({Offer.TOOLS}), frozenset())

            await until(narrow)
            allow_all(w)
            assert await methods(stream, 3) == ["prompts/list_changed", "resources/updated", "tools/list_changed"]
            assert "note://a" in w.watched[-1][1]


@pytest.mark.asyncio
async def test_what_was_acknowledged_is_told_again_once_a_bundle_lets_it(tmp_path: Path) -> None:
    async with looking(tmp_path) as w, follow(w, "a", "b") as stream:
        assert len((await stream.message())["params"]["notifications"]["resourceSubscriptions"]) == 2
        rule(w, ONLY_B)
        put(w, ResourceUpdated("note://a"), ResourceUpdated("note://b"))
        assert (await stream.message())["params"]["uri"] == "note://b"
        rule(w, READS)
        put(w, ListChanged(Offer.PROMPTS))
        assert (await stream.message())["params"]["uri"] == "note://a", "what was missed meanwhile"
        put(w, ResourceUpdated("note://a"))
        assert (await stream.message())["params"]["uri"] == "note://a"
        assert len(w.watched) == 1

"""What all watch together: each agent its share of the watches of a server, told when it has no more."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remit.facts.limits import DEFAULT
from tests.e2e.edge_world import Answer, Wire, edge
from tests.e2e.gateway_world import until
from tests.e2e.test_gateway_listening import allow_all

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

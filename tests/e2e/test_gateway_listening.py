"""Changes on their way to who listens: acknowledged first, told once, never across a limit or a token's end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remit.facts.catalog import PolicySource
from remit.facts.record import RecordKind
from remit.pep.mcp import change_notifications as changing
from remit.pep.mcp import connection_subscriptions, event_stream, upstream_watches
from remit.pep.mcp.change_notifications import ChangeNotifications
from remit.pep.mcp.notices import change
from remit.ports.upstream import Era, ListChanged, Log, Offer, Progress, Ready, ResourceUpdated, UpstreamUnreachable
from tests.e2e.edge_world import LATEST, Wire, edge
from tests.e2e.gateway_world import compiled, until
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
READS = """
@id("all") permit (principal in Remit::Group::"staff", action, resource);
"""


def wired(test: Any) -> Any:
    async def run(tmp_path: Path) -> None:
        async with edge(tmp_path) as w:
            allow_all(w)
            await test(w)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return pytest.mark.asyncio(run)


def allow_all(w: Wire) -> None:
    source = replace(w.bench.bundle.catalog, policies=(PolicySource("all.cedar", READS),))
    w.bench.bundle = compiled(source)


def put(w: Wire, *notices: Any) -> None:
    for notice in notices:
        w.changes.put_nowait(notice)


@wired
async def test_a_subscription_is_acknowledged_first_and_every_frame_names_it(w: Wire) -> None:
    wanted = {"promptsListChanged": True, "resourceSubscriptions": ["note://a"], "invented": True}
    async with w.asking("subscriptions/listen", {"notifications": wanted}) as stream:
        assert stream.response.content_type == "text/event-stream"
        first = await stream.message()
        assert first["method"] == "notifications/subscriptions/acknowledged"
        assert first["params"] == {
            "_meta": {SUBSCRIPTION: 1},
            "notifications": {"promptsListChanged": True, "resourceSubscriptions": ["note://a"]},
        }
        put(
            w,
            ResourceUpdated("note://b"),
            Progress(1.0),
            Log("info", None, "x"),
            ListChanged(Offer.PROMPTS),
            ResourceUpdated("note://a"),
        )
        told = [await stream.message(), await stream.message()]
    assert told == [
        {
            "jsonrpc": "2.0",
            "method": "notifications/prompts/list_changed",
            "params": {"_meta": {SUBSCRIPTION: 1}},
        },
        {
            "jsonrpc": "2.0",
            "method": "notifications/resources/updated",
            "params": {"_meta": {SUBSCRIPTION: 1}, "uri": "note://a"},
        },
    ]


@wired
async def test_what_another_bundle_forbids_is_told_no_more(w: Wire) -> None:
    wanted = {"promptsListChanged": True, "resourceSubscriptions": ["note://a", "note://b"]}
    async with w.asking("subscriptions/listen", {"notifications": wanted}) as stream:
        await stream.message()
        put(w, ResourceUpdated("note://a"))
        assert (await stream.message())["params"]["uri"] == "note://a"
        only_b = """
        @id("b") permit (principal, action == Remit::Action::"read_resource", resource)
        when { context.input.uri == "note://b" };
        """
        w.bench.bundle = compiled(replace(w.bench.bundle.catalog, policies=(PolicySource("b.cedar", only_b),)))
        put(w, ListChanged(Offer.PROMPTS), ResourceUpdated("note://a"), ResourceUpdated("note://b"))
        assert (await stream.message())["params"]["uri"] == "note://b"


@wired
async def test_under_mcp_resources_are_followed_by_their_exposed_names(w: Wire) -> None:
    wanted = {"resourceSubscriptions": ["remit+shop:note://a"]}
    body = {"notifications": wanted}
    full: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": "s",
        "method": "subscriptions/listen",
        "params": {**body, "_meta": full},
    }
    head = {**w.known(None), "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}
    async with w.send("POST", message, head, "/mcp") as stream:
        first = await stream.message()
        assert first["params"]["notifications"] == wanted
        put(w, ResourceUpdated("note://a"))
        assert (await stream.message())["params"] == {"_meta": {SUBSCRIPTION: "s"}, "uri": "remit+shop:note://a"}
    assert w.watched == [(frozenset(), frozenset({"note://a"}))]


@wired
async def test_what_is_no_subscription_is_refused(w: Wire) -> None:
    odds: list[Any] = [None, 5, [], {"resourceSubscriptions": "x"}, {"resourceSubscriptions": [5]}]
    odds.append({"resourceSubscriptions": [f"note://{number}" for number in range(upstream_watches.URIS_MAX + 1)]})
    for odd in odds:
        status, said = await w.ask("subscriptions/listen", {"notifications": odd})
        assert (status, said["error"]["code"]) == (400, -32602), odd
    status, said = await w.ask("subscriptions/listen", {"notifications": {}}, head={"accept": "application/json"})
    assert status == 400


@wired
async def test_what_may_not_be_read_is_not_followed(w: Wire) -> None:
    tools = '@id("t") permit (principal, action in Remit::Action::"call_tool", resource);'
    w.bench.bundle = compiled(replace(w.bench.bundle.catalog, policies=(PolicySource("t.cedar", tools),)))
    wanted = {"toolsListChanged": True, "promptsListChanged": True, "resourceSubscriptions": ["note://a"]}
    async with w.asking("subscriptions/listen", {"notifications": wanted}) as stream:
        assert (await stream.message())["params"]["notifications"] == {"toolsListChanged": True}
    sid = await w.initialize()
    async with w.on(sid, "resources/subscribe", {"uri": "note://a"}) as refused:
        assert (await refused.message())["error"]["code"] == -32003


@wired
async def test_an_ended_session_loses_its_stream_in_order(w: Wire) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_stream, "KEEPALIVE_S", 0.05)
        async with w.asking("subscriptions/listen", {"notifications": {"toolsListChanged": True}}) as stream:
            await stream.message()
            [watched] = w.watched
            assert watched[0] == frozenset({Offer.TOOLS})
            for one in await sessions(w):
                await w.bench.driver.sessions.end(one, "ann")
            last = await stream.message()
            assert last["id"] == 1
            assert last["result"]["resultType"] == "complete"
            assert last["result"]["_meta"][SUBSCRIPTION] == 1
            assert await stream.event() is ...


async def sessions(w: Wire) -> list[str]:
    authority = w.authenticator.authority(w.token)
    return [link.sid for link in authority.links]


@wired
async def test_a_connection_hears_of_the_lists_it_read_and_the_resources_it_named(w: Wire) -> None:
    sid = await w.initialize()
    async with w.on(sid, "resources/subscribe", {"uri": "note://a"}) as said:
        assert (await said.message())["result"] == {}
    put(w, ResourceUpdated("note://a"))
    async with w.send("GET", None, w.known(sid)) as stream:
        told = await stream.message()
        assert told == {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "note://a"}}

        async def both() -> bool:
            return w.watched[-1] == (frozenset({Offer.TOOLS}), frozenset({"note://a"}))

        await until(both)
        put(w, ListChanged(Offer.TOOLS))
        assert (await stream.message())["method"] == "notifications/tools/list_changed"
        async with w.on(sid, "resources/unsubscribe", {"uri": "note://a"}) as said:
            assert (await said.message())["result"] == {}

        async def alone() -> bool:
            return w.watched[-1] == (frozenset({Offer.TOOLS}), frozenset())

        await until(alone)
        put(w, ResourceUpdated("note://a"), ListChanged(Offer.TOOLS))
        assert (await stream.message())["method"] == "notifications/tools/list_changed"


@wired
async def test_who_stays_away_is_told_that_all_of_it_may_have_changed(w: Wire) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection_subscriptions, "LINGER_S", 0.01)
        sid = await w.initialize(LATEST)
        async with w.on(sid, "resources/subscribe", {"uri": "note://a"}) as said:
            await said.message()
        await asyncio.sleep(0.05)
    async with w.send("GET", None, w.known(sid)) as stream:
        told = [(await stream.message())["method"] for _ in range(2)]
    assert told == ["notifications/tools/list_changed", "notifications/resources/updated"]


@wired
async def test_streams_that_want_the_same_share_one_watch(w: Wire) -> None:
    sids = [await w.initialize() for _ in range(3)]
    tasks = [asyncio.create_task(first_change(w, sid)) for sid in sids]

    async def stand() -> bool:
        return len(w.watched) > 0

    await until(stand)

    def told() -> bool:
        put(w, ListChanged(Offer.TOOLS))
        return all(task.done() for task in tasks)

    await eventually(told)
    assert len(w.watched) == 1


@wired
async def test_streams_of_two_eras_share_no_watch(w: Wire) -> None:
    """A server may tell its sessions of the handshake era nothing of what `subscriptions/listen` is told of."""
    eras: list[Era] = []
    behind: Any = w.bench.upstream
    below = behind.watch

    def watch(sid: str, era: Era, *of: Any) -> AsyncGenerator[Any]:
        eras.append(era)
        return below(sid, era, *of)

    behind.watch = watch
    sid = await w.initialize()
    async with w.send("GET", None, w.known(sid)):
        await eventually(lambda: eras)
        wanted = {"notifications": {"toolsListChanged": True}}
        async with w.asking("subscriptions/listen", wanted) as stream:
            assert (await stream.message())["params"]["notifications"] == {"toolsListChanged": True}
            assert eras == [Era.INITIALIZE, Era.STATELESS]
            other: dict[str, Any] = {"sampling": {}}
            async with w.asking("subscriptions/listen", wanted, other) as second:
                await second.message()
                assert eras == [Era.INITIALIZE, Era.STATELESS, Era.STATELESS]


@wired
async def test_what_may_have_changed_while_the_server_was_away_is_told(w: Wire) -> None:
    watches = 0

    async def watch(_sid: str, _era: Era, _offers: Any, _uris: Any, _along: Any = None) -> AsyncGenerator[Any]:
        nonlocal watches
        watches += 1
        yield Ready()
        if watches == 1:
            raise UpstreamUnreachable("it is restarted")
        await asyncio.sleep(1000)

    behind: Any = w.bench.upstream
    behind.watch = watch
    wanted = {"notifications": {"promptsListChanged": True, "resourceSubscriptions": ["note://a"]}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upstream_watches, "RETRY_S", 0.01)
        async with w.asking("subscriptions/listen", wanted) as stream:
            told = [(await stream.message())["method"] for _ in range(3)]
    assert told == [
        "notifications/subscriptions/acknowledged",
        "notifications/prompts/list_changed",
        "notifications/resources/updated",
    ]


@wired
async def test_a_server_that_ends_its_watches_has_nothing_judged_again(w: Wire) -> None:
    """One request of a client would fill the ledger for as long as its server likes."""
    watches = 0

    async def watch(_sid: str, _era: Era, _offers: Any, _uris: Any, _along: Any = None) -> AsyncGenerator[Any]:
        nonlocal watches
        watches += 1
        yield Ready()
        yield ListChanged(Offer.PROMPTS)

    behind: Any = w.bench.upstream
    behind.watch = watch
    uris = [f"note://{number}" for number in range(20)]
    wanted = {"notifications": {"promptsListChanged": True, "resourceSubscriptions": uris}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upstream_watches, "RETRY_S", 0.01)
        async with w.asking("subscriptions/listen", wanted) as stream:
            assert len((await stream.message())["params"]["notifications"]["resourceSubscriptions"]) == 20
            before = len(await w.bench.records(RecordKind.INTENT, RecordKind.PROPOSAL))

            async def again() -> bool:
                return watches > 10

            await until(again)
            assert len(await w.bench.records(RecordKind.INTENT, RecordKind.PROPOSAL)) == before == 21


@wired
async def test_another_bundle_that_shows_other_tools_is_a_change(w: Wire) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upstream_watches, "LOOK_S", 0.01)
        async with w.asking("subscriptions/listen", {"notifications": {"toolsListChanged": True}}) as stream:
            await stream.message()
            catalog = w.bench.bundle.catalog
            # Another policy, the same tools: nothing to tell.
            w.bench.bundle = compiled(
                replace(catalog, policies=(PolicySource("all.cedar", READS.replace("all", "a")),))
            )
            await asyncio.sleep(0.1)
            fewer = READS.replace("action,", 'action == Remit::Action::"shop___echo",')
            w.bench.bundle = compiled(replace(catalog, policies=(PolicySource("all.cedar", fewer),)))
            assert (await stream.message())["method"] == "notifications/tools/list_changed"
            put(w, ListChanged(Offer.TOOLS))
            assert (await stream.message())["method"] == "notifications/tools/list_changed"
            assert len(w.watched) == 1


@wired
async def test_a_resource_is_judged_once_however_many_follow_it(w: Wire) -> None:
    sid = await w.initialize()
    for number in range(8):
        async with w.on(sid, "resources/subscribe", {"uri": f"note://{number}"}) as said:
            assert (await said.message())["result"] == {}
    judged = await w.bench.records(RecordKind.INTENT)
    assert len(judged) == 8, "not the earlier ones again with each"
    allow_all(w)
    await asyncio.sleep(0)
    async with w.on(sid, "resources/subscribe", {"uri": "note://8"}) as said:
        await said.message()
    assert len(await w.bench.records(RecordKind.INTENT)) == 9
    source = replace(w.bench.bundle.catalog, policies=(PolicySource("all.cedar", READS.replace("all", "other")),))
    w.bench.bundle = compiled(source)
    async with w.on(sid, "resources/subscribe", {"uri": "note://9"}) as said:
        await said.message()
    assert len(await w.bench.records(RecordKind.INTENT)) == 19, "another bundle judges all of them anew"


async def first_change(w: Wire, sid: str) -> None:
    async with w.send("GET", None, w.known(sid)) as stream:
        assert (await stream.message())["method"] == "notifications/tools/list_changed"


def test_a_change_is_told_once_and_too_many_end_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "PENDING_MAX", 2)
    changes = ChangeNotifications(lambda notice: change(notice, 5))
    for _ in range(3):
        changes.put(ListChanged(Offer.TEMPLATES))
    assert changes.take().count(b"resources/list_changed") == 1
    assert changes.take() == b""
    for number in range(2):
        changes.put(ResourceUpdated(f"note://{number}"))
    assert not changes.done
    changes.put(ResourceUpdated("note://0"))
    assert not changes.done
    changes.put(ResourceUpdated("note://2"))
    assert changes.done

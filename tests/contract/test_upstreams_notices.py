"""What a server says beside its answers: changes while they are watched, logs by level, and what is nobody's."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from remit.adapters.upstreams.change_queue import PENDING_MAX, Watch
from remit.adapters.upstreams.exchange import STANDING_BYTES_MAX
from remit.adapters.upstreams.messages import LOG_BYTES_MAX, Ear, Hearing, Inbox
from remit.adapters.upstreams.stdio import StdioUpstream
from remit.facts.canonical import Json
from remit.facts.catalog import Server, Stdio
from remit.facts.limits import DEFAULT
from remit.ports.upstream import (
    Era,
    Failure,
    ListChanged,
    Log,
    Notice,
    Offer,
    Progress,
    Ready,
    ResourceUpdated,
    Result,
    UpstreamContext,
    UpstreamUnreachable,
)
from tests.eventually import eventually
from tests.upstreams.rig import ManualClock
from tests.upstreams.scripted import Say, Scripted, result, text, told, upstream_of

OLD, MODERN = Era.INITIALIZE, Era.STATELESS
NOTE = frozenset({"note://one"})
NOTHING: frozenset[Any] = frozenset()
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


async def answer(_: Scripted, message: Any, say: Say) -> None:
    await say(text(message, "done"))


@pytest.mark.asyncio
async def test_a_session_is_watched_by_its_standing_stream_which_is_resumed() -> None:
    async def standing(server: Scripted, last: str | None, say: Say) -> None:
        if last is None:
            await server.until("resources/subscribe")
            await say(told("notifications/resources/updated", uri="note://other"))
            await say(told("notifications/resources/updated", uri="note://one/part"), ident="g1")
        elif last == "g1":
            await say(told("notifications/tools/list_changed"), told("notifications/prompts/list_changed"), ident="g2")
        else:
            await asyncio.sleep(1000)

    server = Scripted(answer, standing)
    async with upstream_of(server) as upstream:
        watch = upstream.watch("a", OLD, frozenset({Offer.PROMPTS}), NOTE)
        found = [await anext(watch) for _ in range(3)]
        assert found == [Ready(), ResourceUpdated("note://one/part"), ListChanged(Offer.PROMPTS)]
        assert server.gets[:2] == [None, "g1"]
        await watch.aclose()
        (gone,) = await server.until("resources/unsubscribe")
        assert gone["params"]["uri"] == "note://one"


@pytest.mark.asyncio
async def test_of_a_stream_without_ids_that_broke_off_all_may_have_changed() -> None:
    broken = asyncio.Event()

    async def standing(server: Scripted, last: str | None, say: Say) -> None:
        assert last is None
        await server.until("resources/subscribe")
        if len(server.gets) == 1:
            await say(told("notifications/prompts/list_changed"))
            await broken.wait()
        else:
            await asyncio.sleep(1000)

    async def listing(_: Scripted, message: Any, say: Say) -> None:
        await say(result(message, {"tools": []}))

    server = Scripted(listing, standing)
    async with upstream_of(server) as upstream:
        assert [await upstream.definitions("a", OLD) for _ in range(2)] == [(), ()]
        watch = upstream.watch("a", OLD, frozenset({Offer.PROMPTS}), NOTE)
        assert [await anext(watch) for _ in range(2)] == [Ready(), ListChanged(Offer.PROMPTS)]
        assert len(server.messages("tools/list")) == 1
        broken.set()
        assert {await anext(watch), await anext(watch)} == {ListChanged(Offer.PROMPTS), ResourceUpdated("note://one")}
        assert server.gets == [None, None]
        assert not await upstream.definitions("a", OLD)
        assert len(server.messages("tools/list")) == 2, "the tools are looked at anew as well"
        await watch.aclose()


@pytest.mark.asyncio
@pytest.mark.parametrize("modern", [False, True])
async def test_a_standing_stream_holds_no_large_events(modern: bool) -> None:
    large = told("notifications/message", level="info", data="x" * STANDING_BYTES_MAX)

    async def standing(server: Scripted, _last: str | None, say: Say) -> None:
        if len(server.gets) == 1:
            await say(large)
        else:
            await say(told("notifications/prompts/list_changed"))
        await asyncio.sleep(1000)

    async def listening(_: Scripted, message: Any, say: Say) -> None:
        agreed = {"notifications": {"promptsListChanged": True}}
        about = {"_meta": {SUBSCRIPTION: message["id"]}}
        await say(told("notifications/subscriptions/acknowledged", **agreed, **about))
        await say(large)
        await asyncio.sleep(1000)

    async with upstream_of(Scripted(listening, standing, modern=modern)) as upstream:
        watch = upstream.watch("a", MODERN if modern else OLD, frozenset({Offer.PROMPTS}), NOTHING)
        assert await anext(watch) == Ready()
        if modern:
            with pytest.raises(UpstreamUnreachable, match="above"):
                await anext(watch)
        else:
            assert await anext(watch) == ListChanged(Offer.PROMPTS), "the stream is opened again"
        await watch.aclose()


@pytest.mark.asyncio
async def test_a_resource_that_two_watch_is_subscribed_to_once_and_until_both_are_gone() -> None:
    server = Scripted(answer)
    async with upstream_of(server) as upstream:
        first, second = (upstream.watch("a", OLD, NOTHING, NOTE) for _ in range(2))
        assert await anext(first) == await anext(second) == Ready()
        await first.aclose()
        assert len(server.messages("resources/subscribe")) == 1
        assert server.messages("resources/unsubscribe") == []
        await second.aclose()
        assert len(server.messages("resources/unsubscribe")) == 1


@pytest.mark.asyncio
async def test_what_changes_once_a_watch_is_ready_is_heard_however_late_its_stream_begins() -> None:
    begun = asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        begun.set()
        return await server.get(request)

    async def standing(_: Scripted, last: str | None, say: Say) -> None:
        del last, say
        await asyncio.sleep(1000)

    server = Scripted(answer, standing)
    async with upstream_of(server, get=slowly) as upstream:
        watch = upstream.watch("a", OLD, frozenset({Offer.PROMPTS}), NOTE)
        assert await anext(watch) == Ready()
        assert begun.is_set()
        await watch.aclose()


@pytest.mark.asyncio
async def test_who_watches_again_at_once_is_not_unsubscribed_by_who_left() -> None:
    """A server may take two requests in any order: the second waits for the answer to the first."""
    unsubscribing, go_on = asyncio.Event(), asyncio.Event()

    async def post(request: web.Request) -> web.StreamResponse:
        if (await request.json()).get("method") == "resources/unsubscribe":
            unsubscribing.set()
            await go_on.wait()
        return await server.post(request)

    server = Scripted(answer)
    async with upstream_of(server, post=post) as upstream:
        first, second = (upstream.watch("a", OLD, NOTHING, NOTE) for _ in range(2))
        assert await anext(first) == Ready()
        leaving = asyncio.create_task(anext(first))
        await asyncio.sleep(0)
        leaving.cancel()
        await unsubscribing.wait()
        watching = asyncio.create_task(anext(second))
        await asyncio.sleep(0.05)
        assert not watching.done()
        assert len(server.messages("resources/subscribe")) == 1
        go_on.set()
        assert await watching == Ready()
        said = [one["method"] for one in server.received if one["method"].startswith("resources/")]
        assert said == ["resources/subscribe", "resources/unsubscribe", "resources/subscribe"]
        await second.aclose()


@pytest.mark.asyncio
async def test_a_new_session_is_subscribed_to_though_the_lost_ones_watch_is_not_over() -> None:
    server = Scripted(answer)
    async with upstream_of(server) as upstream:
        first, second = (upstream.watch("a", OLD, NOTHING, NOTE) for _ in range(2))
        assert await anext(first) == Ready()
        server.forgotten = True
        assert isinstance(await upstream.call("a", OLD, "t", b"{}"), Failure)
        server.forgotten = False
        assert await anext(second) == Ready()
        assert len(server.messages("resources/subscribe")) == 2
        with pytest.raises(UpstreamUnreachable, match="watch it again"):
            await anext(first)
        assert server.messages("resources/unsubscribe") == []
        await second.aclose()
        assert len(server.messages("resources/unsubscribe")) == 1


@pytest.mark.asyncio
async def test_a_server_without_a_standing_stream_is_heard_on_those_of_its_calls() -> None:
    async def call(_: Scripted, message: Any, say: Say) -> None:
        await say(told("notifications/resources/list_changed"), text(message, "done"))

    server = Scripted(call)
    async with upstream_of(server) as upstream:
        watch = upstream.watch("a", OLD, frozenset({Offer.TEMPLATES}), NOTHING)
        assert await anext(watch) == Ready()
        await upstream.call("a", OLD, "t", b"{}")
        assert await anext(watch) == ListChanged(Offer.TEMPLATES)
        await eventually(lambda: server.gets)
        await asyncio.sleep(0.1)
        assert server.gets == [None]
        await watch.aclose()


@pytest.mark.asyncio
async def test_a_session_that_is_forgotten_loses_its_watch() -> None:
    server = Scripted(answer)
    async with upstream_of(server) as upstream:
        watch = upstream.watch("a", OLD, frozenset({Offer.PROMPTS}), NOTHING)
        assert await anext(watch) == Ready()
        server.forgotten = True
        assert isinstance(await upstream.call("a", OLD, "t", b"{}"), Failure)
        with pytest.raises(UpstreamUnreachable, match="watch it again"):
            await anext(watch)


@pytest.mark.asyncio
async def test_a_listening_hears_of_what_was_acknowledged_by_its_own_id_alone() -> None:
    async def call(server: Scripted, message: Any, say: Say) -> None:
        assert message["params"]["notifications"] == {
            "promptsListChanged": True,
            "toolsListChanged": True,
            "resourceSubscriptions": ["note://one"],
        }
        mine, foreign = ({"_meta": {SUBSCRIPTION: one}} for one in (message["id"], str(message["id"])))
        changed, updated = "notifications/prompts/list_changed", "notifications/resources/updated"
        await say(told(changed, **mine))  # before the acknowledgement
        honoured = {"promptsListChanged": True, "resourceSubscriptions": ["note://one", "note://two"]}
        for _ in range(2):
            await say(told("notifications/subscriptions/acknowledged", notifications=honoured, **mine))
            honoured = {"toolsListChanged": True}  # said again, it changes nothing
        await say(told(changed, **foreign), told("notifications/tools/list_changed", **mine))
        for uri in ("note://two", "note://one"):
            await say(told(updated, uri=uri, **mine))
        await say(told(changed), told(changed, **mine))
        await say({"jsonrpc": "2.0", "id": message["id"], "result": {"resultType": "complete"}})

    server = Scripted(call, modern=True)
    async with upstream_of(server) as upstream:
        watch = upstream.watch("a", MODERN, frozenset({Offer.PROMPTS, Offer.TOOLS}), NOTE)
        found = [await anext(watch) for _ in range(3)]
        assert found == [Ready(), ResourceUpdated("note://one"), ListChanged(Offer.PROMPTS)]
        with pytest.raises(UpstreamUnreachable, match="ended the subscription"):
            await anext(watch)
        assert upstream.health().strays == 5


@pytest.mark.asyncio
async def test_a_watch_that_is_closed_closes_its_listening() -> None:
    closed = asyncio.Event()

    async def call(_: Scripted, message: Any, say: Say) -> None:
        meta = {SUBSCRIPTION: message["id"]}
        await say(told("notifications/subscriptions/acknowledged", notifications={}, _meta=meta))
        try:
            await asyncio.sleep(1000)
        finally:
            closed.set()

    async with upstream_of(Scripted(call, modern=True)) as upstream:
        watch = upstream.watch("a", MODERN, frozenset({Offer.PROMPTS}), NOTHING)
        assert await anext(watch) == Ready()
        await watch.aclose()
        await closed.wait()


@pytest.mark.asyncio
async def test_changes_that_nobody_takes_are_kept_once_and_not_without_end() -> None:
    watch = Watch("s", frozenset({Offer.PROMPTS}), frozenset({"x:"}))
    for _ in range(3):
        assert watch.put(ListChanged(Offer.PROMPTS))
    assert await watch.next() == ListChanged(Offer.PROMPTS)
    for number in range(PENDING_MAX):
        assert watch.put(ResourceUpdated(f"x:/{number}"))
    assert not watch.put(ResourceUpdated("x:/more"))
    for number in range(PENDING_MAX):
        assert await watch.next() == ResourceUpdated(f"x:/{number}")
    with pytest.raises(UpstreamUnreachable, match="floods"):
        await watch.next()


@pytest.mark.asyncio
async def test_a_session_logs_as_much_as_its_most_curious_client_asks_and_each_hears_its_own() -> None:
    async def call(_: Scripted, message: Any, say: Say) -> None:
        for level in ("debug", "info", "error", "loud", 7):
            await say(told("notifications/message", level=level, logger="l", data=level))
        await say(text(message, "done"))

    server = Scripted(call, capabilities={"logging": {}})
    async with upstream_of(server) as upstream:
        for level, expected in (("error", ["error"]), ("info", ["info", "error"]), ("critical", []), (None, [])):
            heard: list[Notice] = []
            await upstream.call("a", OLD, "t", b"{}", UpstreamContext(hear=heard.append, log_level=level))
            assert heard == [Log(one, "l", one) for one in expected]
        assert [message["params"]["level"] for message in server.messages("logging/setLevel")] == ["error", "info"]


def test_what_names_no_request_belongs_to_the_one_in_flight_or_to_nobody() -> None:
    said: list[bytes] = []
    heard: list[Notice] = []
    hearing = Hearing(lambda: None, said.append)
    along = UpstreamContext(hear=heard.append, log_level="debug", capabilities={"elicitation": {}})
    ears = [Ear(along), Ear(along), Ear(aside=True)]
    for ident, ear in enumerate(ears, 1):
        ear.inbox = Inbox(along.capabilities)
        hearing.opened(ident, ear)
    log: dict[str, Json] = {"method": "notifications/message", "params": {"level": "info", "data": 1}}
    question: dict[str, Json] = {"method": "elicitation/create", "id": "q", "params": {}}
    assert not hearing.hear(log)
    assert not hearing.hear(question)
    assert json.loads(said.pop())["error"]["code"] == -32601
    hearing.closed(2)
    assert hearing.hear(log)
    assert hearing.hear(question)
    assert heard == [Log("info", None, 1)]
    inbox = ears[0].inbox
    assert inbox is not None
    assert inbox.take().keys() == {"q"}


def test_a_log_is_small_and_a_word_of_progress_short() -> None:
    heard: list[Notice] = []
    ear = Ear(UpstreamContext(hear=heard.append, log_level="info"))
    deep: Json = 1
    for _ in range(300):
        deep = [deep]
    for data in ("x" * LOG_BYTES_MAX, deep):
        assert not ear.log({"level": "error", "data": data})
    assert heard == []
    assert ear.log({"level": "error", "logger": "l" * 9_999, "data": "y"})
    assert ear.progress({"progress": 1, "message": "m" * 9_999})
    assert heard == [Log("error", "l" * 4_096, "y"), Progress(1, None, "m" * 4_096)]


def test_progress_goes_to_the_request_whose_token_it_names_on_its_own_stream() -> None:
    heard: list[Notice] = []
    hearing = Hearing(lambda: None)
    hearing.opened(5, Ear(UpstreamContext(hear=heard.append)))
    for token, stream in ((True, None), ("5", None), (5.0, None), (6, None), (5, 6)):
        assert not hearing.hear(
            {"method": "notifications/progress", "params": {"progressToken": token, "progress": 1}}, stream
        )
    for odd in (None, "1", True, float("inf")):
        assert not hearing.hear({"method": "notifications/progress", "params": {"progressToken": 5, "progress": odd}})
    assert heard == []
    assert hearing.hear({"method": "notifications/progress", "params": {"progressToken": 5, "progress": 1}}, 5)


PIPED = """
import json, sys

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

for line in sys.stdin:
    message = json.loads(line)
    method, ident = message.get("method"), message.get("id")
    if method == "server/discover":
        say(id=ident, result={"supportedVersions": ["2026-07-28"]})
    elif method == "subscriptions/listen":
        for sub, uri in ((ident, "note://one"), (ident + 1, "note://one"), (None, "note://one")):
            meta = {} if sub is None else {"_meta": {"io.modelcontextprotocol/subscriptionId": sub}}
            asked = message["params"]["notifications"]
            say(method="notifications/subscriptions/acknowledged", params={"notifications": asked, **meta})
            say(method="notifications/resources/updated", params={"uri": uri, **meta})
        say(method="notifications/cancelled", params={"requestId": ident})
    elif method == "tools/call":
        if message["params"]["name"] == "late":
            held = ident
            say(id="nobody's", result={})
        else:
            for one in (held, held, None, ident, ident):
                say(id=one, result={"content": [{"type": "text", "text": str(one == ident)}]})
"""


@pytest.mark.asyncio
async def test_a_pipe_carries_several_watches_and_answers_that_nobody_waits_for(tmp_path: Path) -> None:
    server = Server("piped", Stdio((sys.executable, "-I", "-S", "-c", PIPED)))
    upstream = StdioUpstream(server, DEFAULT, ManualClock(), tmp_path)
    watch = upstream.watch("a", MODERN, NOTHING, NOTE)
    assert [await anext(watch) for _ in range(2)] == [Ready(), ResourceUpdated("note://one")]
    with pytest.raises(UpstreamUnreachable, match="ended the subscription"):
        await anext(watch)
    assert upstream.health().strays == 4
    late = asyncio.create_task(upstream.call("a", MODERN, "late", b"{}"))
    await eventually(lambda: upstream.health().strays == 5)
    late.cancel()
    reply = await upstream.call("a", MODERN, "now", b"{}")
    assert isinstance(reply, Result)
    assert reply.value["content"] == [{"type": "text", "text": "True"}]
    # The second answer to the cancelled call, the one to no id, the second to this one.
    await eventually(lambda: upstream.health().strays >= 8)
    await upstream.close()

"""Questions that a server of the handshake era asks outside of its call, by the standing stream of the session."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from remit.adapters.upstreams import abandoned_calls, handshake, messages, open_call, standing_stream
from remit.adapters.upstreams.child import Child
from remit.adapters.upstreams.frames import METHOD_NOT_FOUND
from remit.adapters.upstreams.stdio import StdioUpstream
from remit.facts.canonical import Json
from remit.facts.catalog import Server, Stdio
from remit.facts.limits import DEFAULT
from remit.ports.upstream import Era, InputRequired, Reply, Result, Upstream, UpstreamContext
from tests.eventually import eventually
from tests.upstreams.rig import ManualClock
from tests.upstreams.scripted import Say, Scripted, asked, result, text, upstream_of

OLD = Era.INITIALIZE
ROOTS = UpstreamContext(capabilities={"roots": {}})
FOUND: Json = {"roots": []}
LATE = Path(__file__).parents[1] / "upstreams" / "late.py"


def said(reply: Reply) -> str:
    assert isinstance(reply, Result), reply
    content: Any = reply.value["content"]
    return content[0]["text"]


def elsewhere() -> Scripted:
    """A server that asks for roots on its standing stream, never on that of the call."""
    streams: list[Say] = []

    async def standing(_server: Scripted, _last: str | None, say: Say) -> None:
        streams.append(say)
        await asyncio.sleep(1000)

    async def call(server: Scripted, message: Any, say: Say) -> None:
        ident = len(server.messages("tools/call"))
        await streams[-1](asked(ident, "roots/list"))
        found = await server.answered(ident)
        await say(text(message, str(found["result"])))

    return Scripted(call, standing)


@pytest.mark.asyncio
async def test_what_is_asked_on_the_standing_stream_is_asked_within_the_call() -> None:
    server = elsewhere()
    async with upstream_of(server, call_s=5.0) as upstream:
        for _ in range(2):
            reply = await upstream.call("a", OLD, "t", b"{}", ROOTS)
            assert isinstance(reply, InputRequired), reply
            [(key, question)] = reply.questions.items()
            assert question.method == "roots/list"
            assert said(await upstream.resume(reply.continuation, {key: FOUND}, ROOTS)) == str(FOUND)
        assert server.gets == [None], "the stream stays for the next call"


def crossing(meet: int) -> Scripted:
    """A server that asks once `meet` calls are there, naming none; later it asks in each at once."""
    streams: list[Say] = []
    met, refused = asyncio.Event(), asyncio.Event()

    async def standing(_server: Scripted, _last: str | None, say: Say) -> None:
        streams.append(say)
        await asyncio.sleep(1000)

    async def call(server: Scripted, message: Any, say: Say) -> None:
        number = len(server.messages("tools/call"))
        if number == meet:
            met.set()
        await met.wait()
        if number in range(1, meet):
            await refused.wait()
            await say(text(message, "done"))
            return
        await streams[-1](asked(number, "roots/list"))
        found = await server.answered(number)
        refused.set()
        await say(text(message, str(found.get("result") or found["error"]["message"])))

    return Scripted(call, standing)


@pytest.mark.asyncio
async def test_once_a_question_may_have_been_of_several_calls_they_are_made_one_at_a_time() -> None:
    """To guess which would give it another's labels."""
    server = crossing(2)
    async with upstream_of(server, call_s=20.0) as upstream:
        replies = await asyncio.gather(*(upstream.call("a", OLD, "t", b"{}", ROOTS) for _ in range(2)))
        assert sorted(map(said, replies)) == ["done", messages.OF_SEVERAL]
        sent = 2
        for sid in ("a", "b"):
            calls = [asyncio.create_task(upstream.call(sid, OLD, "t", b"{}", ROOTS)) for _ in range(2)]
            for waiting in calls:
                reply = await waiting
                assert isinstance(reply, InputRequired), reply
                sent += 1
                assert len(server.messages("tools/call")) == sent, "the other has not left, in another session neither"
                found = await upstream.resume(reply.continuation, dict.fromkeys(reply.questions, FOUND), ROOTS)
                assert said(found) == str(FOUND)


@pytest.mark.asyncio
async def test_a_list_that_is_read_meanwhile_asks_nothing_and_waits_for_no_turn() -> None:
    server, begun, go_on = elsewhere(), asyncio.Event(), asyncio.Event()
    calling = server.call

    async def call(one: Scripted, message: Any, say: Say) -> None:
        if message["method"] == "tools/call":
            await calling(one, message, say)
            return
        begun.set()
        await go_on.wait()
        await say(result(message, {"resources": []}))

    server.call = call
    async with upstream_of(server, call_s=20.0) as upstream:
        listing = asyncio.create_task(upstream.ask("a", OLD, "resources/list", {}, ROOTS))
        await begun.wait()
        reply = await upstream.call("a", OLD, "t", b"{}", ROOTS)
        assert isinstance(reply, InputRequired), reply
        go_on.set()
        assert await listing == Result({"resources": []}, is_error=False)
        assert said(await upstream.resume(reply.continuation, dict.fromkeys(reply.questions, FOUND), ROOTS)) == str(
            FOUND
        )


@pytest.mark.asyncio
async def test_a_call_waits_so_long_for_its_turn_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it waits for may wait for it."""
    server = crossing(2)
    async with upstream_of(server, call_s=20.0) as upstream:
        await asyncio.gather(*(upstream.call("a", OLD, "t", b"{}", ROOTS) for _ in range(2)))
        first = await upstream.call("a", OLD, "t", b"{}", ROOTS)
        assert isinstance(first, InputRequired)
        monkeypatch.setattr(open_call, "TURN_S", 0.0)
        assert said(await upstream.call("a", OLD, "t", b"{}", ROOTS)) == messages.OF_SEVERAL
        gone = asyncio.create_task(upstream.call("a", OLD, "t", b"{}", ROOTS))
        monkeypatch.setattr(open_call, "TURN_S", 20.0)
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait({gone})
        assert said(await upstream.resume(first.continuation, dict.fromkeys(first.questions, FOUND), ROOTS)) == str(
            FOUND
        )
        last = await upstream.call("a", OLD, "t", b"{}", ROOTS)
        assert isinstance(last, InputRequired), "nobody keeps a turn that he gave up"
        await upstream.drop(last.continuation)


@pytest.mark.asyncio
async def test_a_server_that_begins_its_stream_with_the_first_event_holds_no_call_up() -> None:
    """Many begin it so: what the first call waits for goes by how long the server took before."""
    asking = asyncio.Event()

    async def get(request: web.Request) -> web.StreamResponse:
        await asking.wait()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await Say(response)(asked(1, "roots/list"))
        await asyncio.sleep(1000)
        return response

    async def call(server: Scripted, message: Any, say: Say) -> None:
        asking.set()
        found = await server.answered(1)
        await say(text(message, str(found["result"])))

    server = Scripted(call)
    # Longer than this it must not take, the question included.
    async with upstream_of(server, call_s=standing_stream.OPENING_S, get=get) as upstream:
        reply = await upstream.call("a", OLD, "t", b"{}", ROOTS)
        assert isinstance(reply, InputRequired), reply
        assert said(await upstream.resume(reply.continuation, dict.fromkeys(reply.questions, FOUND), ROOTS)) == str(
            FOUND
        )


@pytest.mark.asyncio
async def test_who_may_be_asked_nothing_opens_no_standing_stream() -> None:
    async def call(_: Scripted, message: Any, say: Say) -> None:
        await say(text(message, "done"))

    server = Scripted(call)
    async with upstream_of(server) as upstream:
        assert said(await upstream.call("a", OLD, "t", b"{}")) == "done"
        assert server.gets == []
        for _ in range(2):
            assert said(await upstream.call("a", OLD, "t", b"{}", ROOTS)) == "done"
        assert server.gets == [None], "a server that offers none is not asked again"


@pytest.mark.asyncio
async def test_a_stream_for_calls_alone_is_let_go_of_and_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "LINGER_S", 0.0)
    server = elsewhere()
    async with upstream_of(server, call_s=5.0) as upstream:
        for times in (1, 2):
            reply = await upstream.call("a", OLD, "t", b"{}", ROOTS)
            assert isinstance(reply, InputRequired), reply
            assert said(await upstream.resume(reply.continuation, dict.fromkeys(reply.questions, FOUND), ROOTS)) == str(
                FOUND
            )
            assert len(server.gets) == times
            await eventually(lambda: not upstream._attended)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.asyncio
async def test_so_many_sessions_of_a_server_have_one_and_who_only_lingers_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handshake, "ATTENDED_MAX", 1)
    busy, over = asyncio.Event(), asyncio.Event()

    async def standing(_server: Scripted, _last: str | None, _say: Say) -> None:
        await asyncio.sleep(1000)

    async def call(_: Scripted, message: Any, say: Say) -> None:
        if message["params"]["name"] == "long":
            busy.set()
            await over.wait()
        await say(text(message, "done"))

    server = Scripted(call, standing)
    async with upstream_of(server) as upstream:
        for sid, times in (("a", 1), ("b", 2), ("b", 2), ("a", 3)):
            assert said(await upstream.call(sid, OLD, "t", b"{}", ROOTS)) == "done"
            assert len(server.gets) == times
        long = asyncio.create_task(upstream.call("a", OLD, "long", b"{}", ROOTS))
        await busy.wait()
        assert said(await upstream.call("b", OLD, "t", b"{}", ROOTS)) == "done"
        assert len(server.gets) == 3, "there is no room"
        over.set()
        assert said(await long) == "done"


class Late:
    """A server that asks nothing in a call until it is told to, then on its standing stream; and goes by pings."""

    def __init__(self) -> None:
        self.streams: list[Say] = []
        self.reads = asyncio.Event()
        self.server = Scripted(self.call, self.standing)

    async def standing(self, _server: Scripted, _last: str | None, say: Say) -> None:
        self.streams.append(say)
        await asyncio.sleep(1000)

    async def call(self, server: Scripted, message: Any, say: Say) -> None:
        if message["method"] == "ping":
            await self.reads.wait()
            await say(result(message, {}))
            return
        number = len(server.messages("tools/call"))
        if number == 1:
            await asyncio.sleep(1000)
        await self.asks(number)
        found = await server.answered(number)
        await say(text(message, str(found.get("result") or found["error"]["message"])))

    async def asks(self, number: int) -> None:
        await self.streams[-1](asked(number, "roots/list"))


async def cancelled(server: Scripted, upstream: Upstream) -> None:
    """A call that may ask something is made and given up; the server has the word of it."""
    call = asyncio.create_task(upstream.call("a", OLD, "t", b"{}", ROOTS))
    await eventually(lambda: bool(server.messages("tools/call")))
    call.cancel()
    await asyncio.wait({call})
    await eventually(lambda: bool(server.messages("notifications/cancelled")))


@pytest.mark.asyncio
async def test_what_a_cancelled_call_asks_is_not_taken_for_the_next_ones() -> None:
    late = Late()
    server = late.server
    async with upstream_of(server, call_s=20.0) as upstream:
        await cancelled(server, upstream)
        following = asyncio.create_task(upstream.call("a", OLD, "t", b"{}", ROOTS))
        await eventually(lambda: bool(server.messages("ping")))
        await late.asks(77)
        assert (await server.answered(77))["error"]["message"] == messages.NOT_OFFERED
        assert len(server.messages("tools/call")) == 1, "the next one waits until the server knows"
        late.reads.set()
        reply = await following
        assert isinstance(reply, InputRequired), reply
        assert said(await upstream.resume(reply.continuation, dict.fromkeys(reply.questions, FOUND), ROOTS)) == str(
            FOUND
        )


@pytest.mark.asyncio
async def test_while_a_server_does_not_say_that_it_knows_what_it_asks_may_be_of_the_cancelled_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is put to nobody, so that nothing is answered, or recorded, in the name of another call."""
    monkeypatch.setattr(abandoned_calls, "WAIT_S", 0.0)
    late = Late()
    server = late.server
    async with upstream_of(server, call_s=20.0) as upstream:
        await cancelled(server, upstream)
        assert said(await upstream.call("a", OLD, "t", b"{}", ROOTS)) == messages.OF_CANCELLED
        late.reads.set()
        monkeypatch.setattr(abandoned_calls, "WAIT_S", 20.0)
        reply = await upstream.call("a", OLD, "t", b"{}", ROOTS)
        assert isinstance(reply, InputRequired), "and no call waits for a turn of its own for that"
        assert said(await upstream.resume(reply.continuation, dict.fromkeys(reply.questions, FOUND), ROOTS)) == str(
            FOUND
        )


@pytest.mark.parametrize("told", [[], ["mute"]])
@pytest.mark.asyncio
async def test_over_pipes_what_a_cancelled_call_asks_is_put_to_nobody_either(
    told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers no ping is waited for a while, and owes nothing after it."""
    if told:
        monkeypatch.setattr(abandoned_calls, "WAIT_S", 0.0)
        monkeypatch.setattr(abandoned_calls, "CONFIRM_S", 0.05)
    command = Stdio((sys.executable, str(LATE), *told))
    upstream = StdioUpstream(Server("late", command, call_s=20.0), DEFAULT, ManualClock(), tmp_path)
    try:
        call = asyncio.create_task(upstream.call("a", OLD, "t", b"{}", ROOTS))
        await eventually(lambda: any(child.hearing.open for child in children(upstream)))
        [child] = children(upstream)
        await eventually(lambda: [one for one in child.hearing.open.values() if one.inbox is not None])
        call.cancel()
        await asyncio.wait({call})
        answer = said(await upstream.call("a", OLD, "go", b"{}", ROOTS))
        # One that is not waited for may be done before it reads what its question came to.
        assert (bool(told) and answer == "null") or json.loads(answer)["code"] == METHOD_NOT_FOUND
        await eventually(lambda: not child.busy)
    finally:
        await upstream.close()


def children(upstream: StdioUpstream) -> list[Child]:
    return [seat.child for seat in upstream._seats.values() if seat.child is not None]  # pyright: ignore[reportPrivateUsage]

"""Calls that a server asks something in, over HTTP, as a hand-written server puts it on the wire."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.upstreams import http, open_call
from remit.adapters.upstreams.stdio import StdioUpstream
from remit.facts.canonical import Json
from remit.facts.catalog import Server, Stdio
from remit.facts.limits import DEFAULT
from remit.ports.upstream import Era, Failure, InputRequired, Notice, Progress, Question, Reply, Result, UpstreamContext
from tests.upstreams.rig import ManualClock
from tests.upstreams.scripted import Say, Scripted, asked, result, text, told, upstream_of

OLD, MODERN = Era.INITIALIZE, Era.STATELESS
ASKABLE = UpstreamContext(capabilities={"elicitation": {}})
ACCEPT: Json = {"action": "accept", "content": {}}


def said(reply: Reply) -> str:
    assert isinstance(reply, Result), reply
    content: Any = reply.value["content"]
    return content[0]["text"]


def held_of(reply: Reply) -> tuple[set[str], object]:
    assert isinstance(reply, InputRequired), reply
    return set(reply.questions), reply.continuation


@pytest.mark.asyncio
async def test_questions_that_come_together_are_asked_together_and_the_rest_is_refused() -> None:
    heard: list[Notice] = []

    async def call(server: Scripted, message: Any, say: Say) -> None:
        await say(asked("q1"), asked(2), asked("s", "sampling/createMessage"), asked("q1"), asked(3))
        await say(told("notifications/cancelled", requestId=3))
        assert (await server.answered("s"))["error"]["code"] == -32601
        answers = [await server.answered("q1"), await server.answered(2)]
        assert [answer["result"]["action"] for answer in answers] == ["accept", "decline"]
        for token, at in ((999, 1), (message["params"]["_meta"]["progressToken"], 2), ("x", 3)):
            await say(told("notifications/progress", progressToken=token, progress=at))
        await say(asked("q3"))
        await server.answered("q3")
        await say(text(message, "done"))

    server = Scripted(call)
    along = UpstreamContext(hear=heard.append, capabilities={"elicitation": {}})
    async with upstream_of(server) as upstream:
        keys, held = held_of(await upstream.call("a", OLD, "t", b"{}", along))
        assert {"q1", "2"} <= keys <= {"q1", "2", "3"}
        keys, held = held_of(await upstream.resume(held, {"q1": ACCEPT, "2": None}, along))
        assert keys == {"q3"}
        assert said(await upstream.resume(held, {"q3": ACCEPT}, along)) == "done"
        assert heard == [Progress(2)]
        (greeting,) = server.messages("initialize")
        assert greeting["params"]["capabilities"] == {"elicitation": {}}
        assert len(server.messages("tools/call")) == 1


@pytest.mark.asyncio
async def test_sessions_are_opened_with_exactly_the_capabilities_of_each_client() -> None:
    async def call(_: Scripted, message: Any, say: Say) -> None:
        await say(text(message, "done"))

    server = Scripted(call)
    async with upstream_of(server) as upstream:
        for along in (ASKABLE, UpstreamContext(), UpstreamContext(capabilities={"roots": {}}), ASKABLE):
            assert said(await upstream.call("a", OLD, "t", b"{}", along)) == "done"
        greetings = [message["params"]["capabilities"] for message in server.messages("initialize")]
        assert greetings == [{"elicitation": {}}, {}, {"roots": {}}]
        assert upstream.health().connections == 3
        await upstream.end_session("a")
        assert upstream.health().connections == 0


@pytest.mark.asyncio
async def test_a_held_call_expires_and_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    async def call(_: Scripted, message: Any, say: Say) -> None:
        await say(asked("q"))
        await asyncio.sleep(1000)

    monkeypatch.setattr(open_call, "HELD_S", 0.1)
    server = Scripted(call, pongs=True)
    async with upstream_of(server) as upstream:
        _, kept = held_of(await upstream.call("a", OLD, "t", b"{}", ASKABLE))
        (cancelled,) = await server.until("notifications/cancelled")
        assert cancelled["params"]["requestId"] == server.messages("tools/call")[0]["id"]
        reply = await upstream.resume(kept, {"q": ACCEPT}, ASKABLE)
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("expired", True)
        assert not any("result" in message for message in server.received)


@pytest.mark.parametrize("how", ["drop", "cancel", "close"])
@pytest.mark.asyncio
async def test_a_held_call_is_cancelled_with_whoever_holds_it(how: str) -> None:
    async def call(_: Scripted, message: Any, say: Say) -> None:
        await say(asked("q"))
        await asyncio.sleep(1000)

    server = Scripted(call, pongs=True)
    async with upstream_of(server) as upstream:
        _, kept = held_of(await upstream.call("a", OLD, "t", b"{}", ASKABLE))
        if how == "drop":
            await upstream.drop(kept)
        elif how == "close":
            await upstream.close()
        else:
            resuming = asyncio.create_task(upstream.resume(kept, {"q": ACCEPT}, ASKABLE))
            await server.answered("q")
            resuming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await resuming
        await server.until("notifications/cancelled")
        assert isinstance(await upstream.resume(kept, {"q": ACCEPT}, ASKABLE), Failure)


@pytest.mark.asyncio
async def test_a_server_that_did_not_wait_for_its_question_is_heard() -> None:
    async def call(_: Scripted, message: Any, say: Say) -> None:
        await say(asked("q"))
        await asyncio.sleep(0.05)
        await say(text(message, "done anyway"))

    async with upstream_of(Scripted(call)) as upstream:
        _, kept = held_of(await upstream.call("a", OLD, "t", b"{}", ASKABLE))
        await asyncio.sleep(0.2)
        assert said(await upstream.resume(kept, {"q": ACCEPT}, ASKABLE)) == "done anyway"


@pytest.mark.asyncio
async def test_a_stream_that_breaks_off_within_a_round_is_resumed() -> None:
    calls: list[Any] = []

    async def call(_: Scripted, message: Any, say: Say) -> None:
        calls.append(message)
        await say(asked("q"), ident="e1")

    async def standing(server: Scripted, last: str | None, say: Say) -> None:
        if last is None:  # of the session, for what may be asked outside of the call
            await asyncio.sleep(1000)
        await server.answered("q")
        await say(text(calls[0], "done"))

    server = Scripted(call, standing)
    async with upstream_of(server) as upstream:
        _, kept = held_of(await upstream.call("a", OLD, "t", b"{}", ASKABLE))
        assert said(await upstream.resume(kept, {"q": ACCEPT}, ASKABLE)) == "done"
        assert server.gets == [None, "e1"]


@pytest.mark.asyncio
async def test_a_call_that_takes_no_answer_is_given_up() -> None:
    async def call(_: Scripted, message: Any, say: Say) -> None:
        await say(asked("q"))
        await asyncio.sleep(1000)

    class Deaf(Scripted):
        async def post(self, request: Any) -> Any:
            response = await super().post(request)
            return response if "method" in self.received[-1] else type(response)(status=500)

    async with upstream_of(Deaf(call)) as upstream:
        _, kept = held_of(await upstream.call("a", OLD, "t", b"{}", ASKABLE))
        reply = await upstream.resume(kept, {"q": ACCEPT}, ASKABLE)
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("expired", True)


@pytest.mark.asyncio
async def test_a_stateless_round_sends_the_very_request_again_with_answers_and_state() -> None:
    async def call(server: Scripted, message: Any, say: Say) -> None:
        params = message["params"]
        if "requestState" not in params:
            asks = {"k": {"method": "elicitation/create", "params": {"message": "?"}}, "n": asked("x") | {"id": 1}}
            await say(result(message, {"resultType": "input_required", "inputRequests": asks, "requestState": "s1"}))
        elif params["requestState"] == "s1":
            await say(result(message, {"resultType": "input_required", "requestState": "s2"}))
        else:
            await say(text(message, "done"))

    server = Scripted(call, modern=True)
    arguments = b'{"b":1,"a":"\\u00fc"}'
    async with upstream_of(server) as upstream:
        first = await upstream.call("a", MODERN, "t", arguments, ASKABLE)
        assert isinstance(first, InputRequired)
        assert first.questions["k"] == Question("elicitation/create", {"message": "?"})
        second = await upstream.resume(first.continuation, {"k": ACCEPT, "n": None, "more": ACCEPT}, ASKABLE)
        assert isinstance(second, InputRequired)
        assert second.questions == {}
        assert said(await upstream.resume(second.continuation, {}, ASKABLE)) == "done"
        calls = server.messages("tools/call")
        assert len({message["id"] for message in calls}) == 3
        added = [
            {key: message["params"].pop(key, None) for key in ("inputResponses", "requestState")} for message in calls
        ]
        assert added[0] == {"inputResponses": None, "requestState": None}
        assert added[1] == {"inputResponses": {"k": ACCEPT, "n": {"action": "decline"}}, "requestState": "s1"}
        assert added[2] == {"inputResponses": None, "requestState": "s2"}
        assert calls[0]["params"] == calls[1]["params"] == calls[2]["params"]
        routes = [headers["mcp-name"] for headers in server.headers if "mcp-name" in headers]
        assert routes == ["t", "t", "t"]


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ({}, "garbage"),
        ({"inputRequests": {}}, "garbage"),
        ({"inputRequests": [], "requestState": "s"}, "garbage"),
        ({"inputRequests": {"k": {"method": "tools/list"}}}, "garbage"),
        ({"inputRequests": {"k": {"method": "elicitation/create", "params": 1}}}, "garbage"),
        ({"inputRequests": {"k" * 300: {"method": "elicitation/create"}}}, "garbage"),
        ({"inputRequests": {str(n): {"method": "elicitation/create"} for n in range(40)}}, "garbage"),
        ({"requestState": 7}, "garbage"),
        ({"requestState": "s" * 300_000}, "garbage"),
        ({"inputRequests": {"k": {"method": "sampling/createMessage"}}}, "undeclared"),
    ],
)
@pytest.mark.asyncio
async def test_a_round_of_the_wrong_shape_is_a_failure(value: dict[str, Any], cause: str) -> None:
    async def call(_: Scripted, message: Any, say: Say) -> None:
        await say(result(message, {"resultType": "input_required", **value}))

    async with upstream_of(Scripted(call, modern=True)) as upstream:
        reply = await upstream.call("a", MODERN, "t", b"{}", ASKABLE)
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == (cause, True)


@pytest.mark.parametrize(
    ("method", "may_ask"),
    [
        ("completion/complete", False),
        ("prompts/list", False),
        ("tools/call", True),
        ("resources/read", True),
        ("prompts/get", True),
    ],
)
@pytest.mark.asyncio
async def test_a_server_asks_in_what_a_client_can_go_on_with_and_in_nothing_else(method: str, may_ask: bool) -> None:
    """With anything else it comes back as if anew: what it answered then would be taken for another question's."""

    async def call(_: Scripted, message: Any, say: Say) -> None:
        asks: Any = {"k": {"method": "elicitation/create", "params": {}}}
        await say(result(message, {"resultType": "input_required", "inputRequests": asks, "requestState": "s"}))

    async with upstream_of(Scripted(call, modern=True)) as upstream:
        reply = await upstream.ask("a", MODERN, method, {}, ASKABLE)
        assert isinstance(reply, InputRequired) == may_ask
        assert isinstance(reply, InputRequired) or (isinstance(reply, Failure) and reply.cause == "garbage")


@pytest.mark.asyncio
async def test_a_server_of_the_earlier_era_cannot_ask_by_a_result() -> None:
    async def call(_: Scripted, message: Any, say: Say) -> None:
        await say(result(message, {"resultType": "input_required", "requestState": "s"}))

    async with upstream_of(Scripted(call)) as upstream:
        for along in (ASKABLE, UpstreamContext()):
            reply = await upstream.call("a", OLD, "t", b"{}", along)
            assert isinstance(reply, Failure)
            assert reply.cause == "garbage"


@pytest.mark.asyncio
async def test_sessions_without_end_are_let_go_of_but_not_those_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    async def call(_: Scripted, message: Any, say: Say) -> None:
        if message["params"]["name"] == "asks":
            await say(asked("q"))
            await asyncio.sleep(1000)
        await say(text(message, "done"))

    monkeypatch.setattr(http, "SESSIONS_MAX", 2)
    async with upstream_of(Scripted(call)) as upstream:
        kept = [held_of(await upstream.call("a", OLD, "asks", b"{}", ASKABLE))[1]]
        for sid in "bcd":
            assert said(await upstream.call(sid, OLD, "t", b"{}")) == "done"
        assert upstream.health().connections == 2
        kept.append(held_of(await upstream.call("e", OLD, "asks", b"{}", ASKABLE))[1])
        refused = await upstream.call("f", OLD, "t", b"{}")
        assert isinstance(refused, Failure)
        assert (refused.cause, refused.sent) == ("too_many_sessions", False)
        for one in kept:
            await upstream.drop(one)


ASKS = """
import json, sys

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

asking = None
for line in sys.stdin:
    message = json.loads(line)
    method, ident = message.get("method"), message.get("id")
    if method == "initialize":
        say(id=ident, result={"protocolVersion": "2025-11-25", "capabilities": {}})
    elif method == "server/discover":
        say(id=ident, error={"code": -32601, "message": "no"})
    elif method == "tools/call" and message["params"]["name"] == "asks":
        asking = ident
        say(id="q", method="elicitation/create", params={})
    elif method == "tools/call" or (method is None and ident == "q"):
        content = [{"type": "text", "text": message.get("result", {}).get("action", "done")}]
        say(id=asking if method is None else ident, result={"content": content})
"""


@pytest.mark.asyncio
async def test_a_shared_child_waits_for_the_client_of_its_one_call(tmp_path: Path) -> None:
    server = Server("asks", Stdio((sys.executable, "-I", "-S", "-c", ASKS)), shared=True)
    upstream = StdioUpstream(server, DEFAULT, ManualClock(), tmp_path)
    _, kept = held_of(await upstream.call("a", OLD, "asks", b"{}", ASKABLE))
    other = asyncio.create_task(upstream.call("b", OLD, "t", b"{}", ASKABLE))
    await asyncio.sleep(0.1)
    assert not other.done()
    assert said(await upstream.resume(kept, {"q": ACCEPT}, ASKABLE)) == "accept"
    assert said(await other) == "done"
    _, kept = held_of(await upstream.call("a", OLD, "asks", b"{}", ASKABLE))
    await upstream.drop(kept)
    assert said(await upstream.call("b", OLD, "t", b"{}", ASKABLE)) == "done"
    await upstream.close()

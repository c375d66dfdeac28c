"""A call that a server of 2025-11-25 refuses until its user has opened an address, for a client of 2026-07-28."""

import asyncio
from typing import Any

import pytest

from remit.adapters.upstreams import opening
from remit.adapters.upstreams.http import HttpUpstream
from remit.facts.canonical import Json
from remit.ports.upstream import Era, Failure, InputRequired, Reply, Result, UpstreamContext
from tests.eventually import eventually
from tests.upstreams.scripted import Say, Scripted, text, upstream_of

OPENS = UpstreamContext(capabilities={"elicitation": {"form": {}, "url": {}}})
FORMS = UpstreamContext(capabilities={"elicitation": {"form": {}}})
NEW = Era.STATELESS
YES: Json = {"action": "accept"}
NEEDED = -32042


class Locked:
    """Refuses each request so many `times`; `says` on its standing stream what was opened."""

    def __init__(self, times: int = 1) -> None:
        self.times = times
        self.streams: list[Say] = []
        self.server = Scripted(self.call, self.standing)

    async def standing(self, _server: Scripted, _last: str | None, say: Say) -> None:
        self.streams.append(say)
        await asyncio.sleep(1000)

    async def call(self, server: Scripted, message: Any, say: Say) -> None:
        if len(server.messages(message["method"])) > self.times:
            await say(text(message, "unlocked"))
            return
        asks = [{"mode": "url", "elicitationId": at, "url": f"https://a.example/{at}", "message": "in"} for at in "ab"]
        error = {"code": NEEDED, "message": "log in", "data": {"elicitations": asks}}
        await say({"jsonrpc": "2.0", "id": message["id"], "error": error})

    async def says(self, ident: str) -> None:
        said = {"method": "notifications/elicitation/complete", "params": {"elicitationId": ident}}
        await self.streams[-1]({"jsonrpc": "2.0", **said})

    def calls(self) -> int:
        return len(self.server.messages("tools/call"))


async def asked(upstream: HttpUpstream) -> InputRequired:
    reply = await upstream.call("a", NEW, "t", b"{}", OPENS)
    assert isinstance(reply, InputRequired), reply
    assert [question.method for question in reply.questions.values()] == ["elicitation/create"] * 2
    assert [question.params["url"] for question in reply.questions.values()] == [
        "https://a.example/a",
        "https://a.example/b",
    ]
    return reply


def refused(reply: Reply) -> bool:
    return isinstance(reply, Failure) and (reply.code, len(reply.addresses)) == (NEEDED, 2)


@pytest.mark.asyncio
async def test_the_call_is_made_once_all_of_it_is_done_with() -> None:
    locked = Locked()
    async with upstream_of(locked.server) as upstream:
        reply = await asked(upstream)
        await locked.says("a")
        going = asyncio.create_task(upstream.resume(reply.continuation, dict.fromkeys(reply.questions, YES), OPENS))
        await asyncio.sleep(0.05)
        assert locked.calls() == 1
        await locked.says("somebody-elses")
        await locked.says("b")
        found = await going
        assert isinstance(found, Result), found
        assert locked.calls() == 2
        late = await upstream.resume(reply.continuation, dict.fromkeys(reply.questions, YES), OPENS)
        assert isinstance(late, Failure), "it is answered once"
        assert locked.calls() == 2
        [kept] = upstream._sessions.values()  # pyright: ignore[reportPrivateUsage]
        assert not kept.handshake.hearing.watches


@pytest.mark.asyncio
async def test_a_server_that_says_nothing_is_asked_again_after_a_while_and_not_a_third_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("remit.adapters.upstreams.transport.OPEN_S", 0.0)
    locked = Locked(times=2)
    async with upstream_of(locked.server) as upstream:
        reply = await asked(upstream)
        assert refused(await upstream.resume(reply.continuation, dict.fromkeys(reply.questions, YES), OPENS))
        assert locked.calls() == 2
    assert opening.OPEN_S > 0


@pytest.mark.parametrize("answer", [{"action": "decline"}, {"action": "cancel"}, None])
@pytest.mark.asyncio
async def test_who_opens_only_a_part_is_told_what_the_server_said(answer: Json) -> None:
    locked = Locked()
    async with upstream_of(locked.server) as upstream:
        reply = await asked(upstream)
        first, second = reply.questions
        assert refused(await upstream.resume(reply.continuation, {first: YES, second: answer}, OPENS))
        assert locked.calls() == 1


@pytest.mark.asyncio
async def test_who_gives_it_up_leaves_nothing_behind() -> None:
    locked = Locked()
    async with upstream_of(locked.server) as upstream:
        reply = await asked(upstream)
        [kept] = upstream._sessions.values()  # pyright: ignore[reportPrivateUsage]
        await upstream.drop(reply.continuation)
        await eventually(lambda: not kept.handshake.hearing.watches)
        assert isinstance(
            await upstream.resume(reply.continuation, dict.fromkeys(reply.questions, YES), OPENS), Failure
        )
        assert locked.calls() == 1


@pytest.mark.asyncio
async def test_nobody_else_is_asked_and_in_nothing_but_what_goes_on_in_rounds() -> None:
    for era, along, method in (
        (NEW, FORMS, "prompts/get"),
        (NEW, OPENS, "completion/complete"),
        (Era.INITIALIZE, OPENS, "resources/read"),
    ):
        locked = Locked()
        async with upstream_of(locked.server) as upstream:
            assert refused(await upstream.ask("a", era, method, {}, along))

"""Sessions of the handshake era that a server forgot, or never knew, as servers say it: by 404, and by 400."""

from typing import Any

import pytest
from aiohttp import web

from remit.ports.upstream import Era, Failure, Reply, Result
from tests.upstreams.scripted import Say, Scripted, result, text, upstream_of

OLD = Era.INITIALIZE
UNKNOWN = {"jsonrpc": "2.0", "error": {"code": -32000, "message": "Bad Request: no valid session"}, "id": None}


def said(reply: Reply) -> str:
    assert isinstance(reply, Result), reply
    content: Any = reply.value["content"]
    return content[0]["text"]


class Restarted:
    """A server that answers `status` to every request within a session from before it was `forgetful`."""

    def __init__(self, status: int) -> None:
        self.server = Scripted(self._call)
        self.status = status
        self.forgetful = False
        self.picky = False

    async def _call(self, _: Scripted, message: Any, say: Say) -> None:
        match message["method"]:
            case "tools/list":
                await say(result(message, {"tools": []}))
            case "ping":
                await say(result(message, {}))
            case _:
                await say(text(message, "done"))

    async def post(self, request: web.Request) -> web.StreamResponse:
        message: Any = await request.json()
        if message["method"] == "initialize":
            self.forgetful = False
        elif self.forgetful:
            return web.json_response(UNKNOWN, status=self.status)
        elif self.picky and message["method"] == "tools/call":
            return web.json_response(UNKNOWN, status=400)
        return await self.server.post(request)


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [400, 404])
async def test_a_server_that_was_restarted_is_reached_again_in_a_new_session(status: int) -> None:
    one = Restarted(status)
    async with upstream_of(one.server, post=one.post) as upstream:
        assert said(await upstream.call("a", OLD, "t", b"{}")) == "done"
        one.forgetful = True
        lost = await upstream.call("a", OLD, "t", b"{}")
        assert isinstance(lost, Failure)
        assert (lost.cause, lost.sent) == ("session_lost", True)
        assert len(one.server.messages("tools/call")) == 1, "what may have been done is not sent again"
        assert said(await upstream.call("a", OLD, "t", b"{}")) == "done"
        one.forgetful = True
        assert await upstream.definitions("a", OLD, anew=True) == ()
        assert said(await upstream.call("a", OLD, "t", b"{}")) == "done"
        assert len(one.server.messages("initialize")) == 3


@pytest.mark.asyncio
async def test_a_session_outlives_a_request_that_its_server_finds_bad() -> None:
    one = Restarted(400)
    async with upstream_of(one.server, post=one.post) as upstream:
        assert said(await upstream.call("a", OLD, "t", b"{}")) == "done"
        one.picky = True
        refused = await upstream.call("a", OLD, "t", b"{}")
        assert isinstance(refused, Failure)
        assert refused.cause == "error"
        one.picky = False
        assert said(await upstream.call("a", OLD, "t", b"{}")) == "done"
        assert len(one.server.messages("initialize")) == 1

"""How many children one stdio server may have, and whose makes room for another's."""

import asyncio
from pathlib import Path

import pytest

from remit.ports.upstream import Failure, Result, UpstreamContext, UpstreamUnreachable
from tests.contract.test_upstreams_stdio import MODERN, OLD, ended, is_running, starts, works
from tests.upstreams.rig import rig


@pytest.mark.asyncio
async def test_no_more_children_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remit.adapters.upstreams.stdio.CHILDREN_MAX", 2)
    async with rig("stdio-both", 0, tmp_path) as one:
        for sid in "abc":
            await works(one, sid)
        pids = [start["start"] for start in await starts(one)]
        await ended(pids[0])  # the longest unused one made room
        calls = [asyncio.create_task(one.upstream.call(sid, MODERN, "hang", b"{}")) for sid in "bc"]
        await one.until_sent("tools/call", 5)
        reply = await one.upstream.call("d", MODERN, "echo", b"{}")
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("too_many_children", False)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


@pytest.mark.asyncio
async def test_children_that_start_at_once_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remit.adapters.upstreams.stdio.CHILDREN_MAX", 2)
    async with rig("stdio-both", 0, tmp_path) as one:
        replies = await asyncio.gather(*(one.upstream.call(sid, MODERN, "echo", b"{}") for sid in "abcdef"))
        refused = [reply.cause for reply in replies if isinstance(reply, Failure)]
        assert refused == ["too_many_children"] * 4
        assert len(await starts(one)) == 2


@pytest.mark.asyncio
async def test_the_session_with_most_children_makes_room_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remit.adapters.upstreams.stdio.CHILDREN_MAX", 3)
    async with rig("stdio-old", 0, tmp_path) as one:
        await works(one, "theirs", OLD)
        [first] = await starts(one)
        for name in ("elicitation", "sampling", "roots"):
            reply = await one.upstream.call("greedy", OLD, "echo", b"{}", UpstreamContext(capabilities={name: {}}))
            assert isinstance(reply, Result)
        assert is_running(first["start"])


@pytest.mark.asyncio
async def test_a_child_may_take_as_long_to_start_as_a_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits less meanwhile is told so; the child goes on starting."""
    monkeypatch.setattr("remit.adapters.upstreams.stdio.START_S", 0.1)
    async with rig("stdio-both", 0, tmp_path, notes={"start_s": 1.0}) as one:
        monkeypatch.setattr("remit.adapters.upstreams.tool_list.LIST_S", 0.1)
        with pytest.raises(UpstreamUnreachable, match="did not answer within"):
            await one.upstream.definitions("a", MODERN)
        await works(one, "a")
        assert len(await starts(one)) == 1

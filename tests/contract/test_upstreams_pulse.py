"""Whether a server answers: while a call waits, and after it was lost."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from remit.adapters.upstreams.change_queue import Watch
from remit.adapters.upstreams.messages import Ear
from remit.adapters.upstreams.pulse import AGAIN_S, AWAY_S, IDLE_S, LOOK_S, SILENT_S, Pulse
from remit.ports.upstream import Era, Failure, Result
from tests.eventually import eventually
from tests.upstreams.rig import ManualClock, Rig, http_process, rig

MODERN = Era.STATELESS


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with http_process("http_server.py", tmp_path_factory.mktemp("http")) as found:
        yield found


def pulse() -> tuple[Pulse, ManualClock]:
    clock = ManualClock()
    clock.stop()
    return Pulse(clock), clock


def test_what_any_server_answers_at_once_may_wait_for_seconds_only() -> None:
    found, clock = pulse()
    waits = found.begins(Ear(aside=True))
    clock.pass_s(SILENT_S / 2)
    assert found.silent_s is None
    clock.pass_s(SILENT_S / 2)
    assert found.silent_s == SILENT_S
    found.ends(waits)
    clock.pass_s(1.0)
    assert found.silent_s == SILENT_S + 1.0, "giving the question up makes it answer nothing"
    found.heard()
    assert found.silent_s is None


def test_whoever_says_something_else_meanwhile_is_not_silent() -> None:
    found, clock = pulse()
    waits = found.begins(None)
    clock.pass_s(1.0)
    found.heard()
    clock.pass_s(SILENT_S)
    assert found.silent_s is None
    found.ends(waits)
    assert found.silent_s is None


def test_a_call_and_a_watch_may_wait_for_good() -> None:
    found, clock = pulse()
    found.begins(Ear())
    found.begins(Ear(watch=Watch("hand", frozenset(), frozenset())))
    clock.pass_s(1000.0)
    assert found.silent_s is None


def test_it_is_asked_while_a_call_waits_and_nothing_is_heard_and_not_all_the_time() -> None:
    found, clock = pulse()
    assert not found.due(down=False)
    waits = found.begins(Ear())
    clock.pass_s(LOOK_S)
    assert found.due(down=False)
    assert not found.due(down=False)
    clock.pass_s(AGAIN_S)
    found.heard()
    assert not found.due(down=False), "it was just heard"
    clock.pass_s(LOOK_S)
    assert found.due(down=False)
    found.ends(waits)
    clock.pass_s(AGAIN_S)
    assert not found.due(down=False)
    clock.pass_s(AWAY_S)
    assert found.due(down=True)
    clock.pass_s(AGAIN_S)
    assert not found.due(down=True)


def test_one_that_nobody_calls_is_asked_now_and_then() -> None:
    found, clock = pulse()
    found.heard()
    assert not found.due(down=False, there=True)
    clock.pass_s(IDLE_S)
    assert not found.due(down=False), "it was never reached"
    assert found.due(down=False, there=True)
    assert not found.due(down=False, there=True)
    clock.pass_s(IDLE_S)
    assert found.due(down=False, there=True)


async def looked(one: Rig, method: str) -> None:
    """Have it asked by `method`, once more than before."""
    before = len(await one.messages(method))
    one.upstream.look()
    await one.until_sent(method, before + 1)


@pytest.mark.parametrize(("kind", "method"), [("http-stateless", "server/discover"), ("http-initialize", "ping")])
@pytest.mark.asyncio
async def test_a_server_that_answers_beside_a_call_that_hangs_is_up(
    kind: str, method: str, port: int, tmp_path: Path
) -> None:
    async with rig(kind, port, tmp_path) as one:
        one.clock.stop()
        assert isinstance(await one.upstream.call("a", MODERN, "echo", b"{}"), Result)
        call = asyncio.create_task(one.upstream.call("a", MODERN, "hang", b"{}"))
        await one.until_sent("tools/call", 2)
        one.clock.pass_s(LOOK_S + 1.0)
        await looked(one, method)
        one.clock.pass_s(SILENT_S)
        assert one.upstream.health().state == "up"
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)


@pytest.mark.parametrize(("kind", "method"), [("stdio-stateless", "server/discover"), ("stdio-initialize", "ping")])
@pytest.mark.asyncio
async def test_a_child_that_answers_nothing_is_silent_until_another_is_heard(
    kind: str, method: str, tmp_path: Path
) -> None:
    async with rig(kind, 0, tmp_path) as one:
        one.clock.stop()
        assert isinstance(await one.upstream.call("a", MODERN, "echo", b"{}"), Result)
        call = asyncio.create_task(one.upstream.call("a", MODERN, "hang", b"{}"))
        await one.until_sent("tools/call", 2)
        one.clock.pass_s(LOOK_S + 1.0)
        await looked(one, method)
        one.clock.pass_s(AGAIN_S)
        assert one.upstream.health().state == "up"
        (pid,) = one.upstream.health().pids
        os.kill(pid, signal.SIGSTOP)

        def waited() -> bool:
            one.upstream.look()
            one.clock.pass_s(1.0)
            return not one.upstream.health().is_well

        await eventually(waited)
        health = one.upstream.health()
        assert (health.state, health.cause, health.is_well) == ("silent", "silent", False)
        assert "has answered nothing for" in (health.last_error or "")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert isinstance(await one.upstream.call("b", MODERN, "echo", b"{}"), Result)
        assert one.upstream.health().is_well


@pytest.mark.asyncio
async def test_a_server_that_was_down_is_looked_for(port: int, tmp_path: Path) -> None:
    async with rig("http-stateless", port, tmp_path, notes={"status": 503}) as one:
        one.clock.stop()
        reply = await one.upstream.call("a", MODERN, "echo", b"{}")
        assert isinstance(reply, Failure)
        assert (one.upstream.health().state, one.upstream.health().cause) == ("down", "refused")
        await one.notes(status=None)
        one.upstream.look()
        await eventually(lambda: one.upstream.health().is_well)


@pytest.mark.asyncio
async def test_a_call_that_ran_out_of_time_at_a_server_that_answers_others_is_no_outage(
    port: int, tmp_path: Path
) -> None:
    async with rig("http-stateless", port, tmp_path, call_s=0.5) as one:
        assert isinstance(await one.upstream.call("a", MODERN, "echo", b"{}"), Result)
        call = asyncio.create_task(one.upstream.call("a", MODERN, "hang", b"{}"))
        await one.until_sent("tools/call", 2)
        assert isinstance(await one.upstream.call("a", MODERN, "echo", b"{}"), Result)
        reply = await call
        assert isinstance(reply, Failure)
        assert reply.cause == "timeout"
        health = one.upstream.health()
        assert (health.state, health.last_error) == ("up", reply.text)


@pytest.mark.asyncio
async def test_a_tool_that_failed_once_does_not_make_a_server_without_children_a_lost_one(tmp_path: Path) -> None:
    async with rig("stdio-stateless", 0, tmp_path) as one:
        assert isinstance(await one.upstream.call("a", MODERN, "error", b"{}"), Failure)
        await one.upstream.end_session("a")
        await eventually(lambda: not one.upstream.health().pids)
        assert one.upstream.health().state == "idle"


async def turns(one: Rig, until: str) -> None:
    """Look, as the service does by the second, until it is as `until` says."""

    def found() -> bool:
        one.upstream.look()
        one.clock.pass_s(1.0)
        return one.upstream.health().state == until

    await eventually(found)


@pytest.mark.asyncio
async def test_a_child_that_died_is_started_again_though_nobody_calls(tmp_path: Path) -> None:
    async with rig("stdio-stateless", 0, tmp_path) as one:
        one.clock.stop()
        assert isinstance(await one.upstream.call("a", MODERN, "echo", b"{}"), Result)
        (pid,) = one.upstream.health().pids
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: one.upstream.health().state == "down")
        await turns(one, "up")
        (again,) = one.upstream.health().pids
        assert again != pid


@pytest.mark.asyncio
async def test_a_child_that_hangs_while_nobody_calls_is_told_of_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remit.adapters.upstreams.transport.HUNG_S", 0.5)
    async with rig("stdio-stateless", 0, tmp_path) as one:
        one.clock.stop()
        assert isinstance(await one.upstream.call("a", MODERN, "echo", b"{}"), Result)
        (pid,) = one.upstream.health().pids
        os.kill(pid, signal.SIGSTOP)
        one.clock.pass_s(IDLE_S)
        one.upstream.look()
        await eventually(lambda: one.upstream.health().pids == ())
        health = one.upstream.health()
        assert (health.state, health.cause, health.is_well) == ("down", "silent", False)
        await turns(one, "up")
        assert pid not in one.upstream.health().pids
        assert isinstance(await one.upstream.call("a", MODERN, "echo", b"{}"), Result)


@pytest.mark.asyncio
async def test_an_http_server_that_goes_while_nobody_calls_is_told_of(tmp_path: Path) -> None:
    with ExitStack() as running:
        port = running.enter_context(http_process("http_server.py", tmp_path))
        async with rig("http-stateless", port, tmp_path) as one:
            one.clock.stop()
            assert isinstance(await one.upstream.call("a", MODERN, "echo", b"{}"), Result)
            running.close()
            one.clock.pass_s(IDLE_S)
            one.upstream.look()
            await eventually(lambda: not one.upstream.health().is_well)
            assert one.upstream.health().state == "down"

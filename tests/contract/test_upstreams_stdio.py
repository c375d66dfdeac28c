"""What only stdio children have: a process each, its surroundings, its end."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.upstreams import seat
from remit.adapters.upstreams.stdio import StdioUpstream
from remit.facts.catalog import Server, Stdio
from remit.facts.limits import DEFAULT
from remit.ports.upstream import Era, Failure, Result, UpstreamUnreachable
from tests.eventually import eventually
from tests.upstreams.rig import FOLDER, ManualClock, Rig, rig, stdio_transport

MODERN, OLD = Era.STATELESS, Era.INITIALIZE


def is_running(pid: int) -> bool:
    """Whether `pid` is a process that is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def ended(*pids: int) -> None:
    await eventually(lambda: not any(is_running(pid) for pid in pids))


async def starts(one: Rig) -> list[dict[str, Any]]:
    return [entry for entry in await one.log() if "start" in entry]


async def works(one: Rig, sid: str = "a", era: Era = MODERN) -> None:
    reply = await one.upstream.call(sid, era, "echo", b"{}")
    assert isinstance(reply, Result), reply


@pytest.mark.parametrize("era", list(Era))
@pytest.mark.asyncio
async def test_the_sdks_server_in_each_era(era: Era, tmp_path: Path) -> None:
    server = Server("real", Stdio((sys.executable, str(FOLDER / "real.py"), "stdio")))
    upstream = StdioUpstream(server, DEFAULT, ManualClock(), tmp_path)
    found = await upstream.definitions("a", era)
    assert [definition.name for definition in found] == ["echo", "progress", "fail"]
    reply = await upstream.call("a", era, "progress", b'{"steps":3}')
    assert isinstance(reply, Result)
    assert reply.value["structuredContent"] == {"result": "done"}
    assert upstream.health().eras == (era,)
    await upstream.close()


@pytest.mark.asyncio
async def test_a_child_gets_nothing_of_remits_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMIT_SECRET", "hunter2")
    async with rig("stdio-both", 0, tmp_path) as one:
        await works(one)
        (start,) = await starts(one)
        home = tmp_path / "state" / "hand"
        assert start["cwd"] == str(home)
        assert home.stat().st_mode & 0o077 == 0
        expected = {"PATH": seat.MINIMAL_PATH, "HOME": str(home), "LANG": "C.UTF-8"}
        assert {key: value for key, value in start["env"].items() if key != "LC_CTYPE"} == expected


@pytest.mark.asyncio
async def test_variables_and_folder_that_the_server_names(tmp_path: Path) -> None:
    plain = stdio_transport("both", tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    transport = Stdio(plain.command, {"KEY": "value", "PATH": "/usr/bin"}, str(work))
    upstream = StdioUpstream(Server("hand", transport), DEFAULT, ManualClock(), tmp_path / "state")
    assert isinstance(await upstream.call("a", MODERN, "echo", b"{}"), Result)
    await upstream.close()
    log = (tmp_path / "stdio.log").read_text()
    assert '"KEY": "value"' in log
    assert '"PATH": "/usr/bin"' in log
    assert f'"cwd": "{work}"' in log
    assert f'"HOME": "{tmp_path / "state" / "hand"}"' in log


@pytest.mark.parametrize(
    ("transport", "words"),
    [
        (Stdio(("no-such-program-anywhere",)), "give `command` its full path"),
        (Stdio(("/no/such/program",)), "no program"),
        (Stdio((sys.executable,), {}, "/no/such/folder"), "working folder"),
        (Stdio((sys.executable, "a\0b")), "cannot be started"),
    ],
)
@pytest.mark.asyncio
async def test_what_cannot_be_started_says_why_and_sent_nothing(transport: Stdio, words: str, tmp_path: Path) -> None:
    upstream = StdioUpstream(Server("hand", transport), DEFAULT, ManualClock(), tmp_path)
    reply = await upstream.call("a", MODERN, "echo", b"{}")
    assert isinstance(reply, Failure)
    assert not reply.sent
    assert words in reply.text
    with pytest.raises(UpstreamUnreachable):
        await upstream.definitions("a", MODERN)
    await upstream.close()


@pytest.mark.asyncio
async def test_one_child_per_session_ended_with_it(tmp_path: Path) -> None:
    async with rig("stdio-both", 0, tmp_path) as one:
        for sid in ("a", "b", "a"):
            await works(one, sid)
        first, second = (start["start"] for start in await starts(one))
        assert set(one.upstream.health().pids) == {first, second}
        await one.upstream.end_session("a")
        await ended(first)
        assert is_running(second)
        await works(one, "b")
    assert not is_running(second)


@pytest.mark.asyncio
async def test_a_shared_child_serves_all_sessions_one_call_at_a_time(tmp_path: Path) -> None:
    async with rig("stdio-both", 0, tmp_path, shared=True) as one:
        calls = [one.upstream.call(sid, MODERN, "slow", b"{}") for sid in "abc"]
        replies = await asyncio.gather(*calls)
        assert all(isinstance(reply, Result) for reply in replies)
        assert isinstance(await one.upstream.call("a", MODERN, "\ud800", b"{}"), Failure)  # gives its turn back
        await one.upstream.end_session("a")
        await works(one, "b")
        assert len(await starts(one)) == 1


@pytest.mark.asyncio
async def test_a_shared_child_that_goes_on_with_a_call_given_up_on_is_replaced(tmp_path: Path) -> None:
    async with rig("stdio-both", 0, tmp_path, shared=True) as one:
        calling = asyncio.create_task(one.upstream.call("a", MODERN, "hang", b"{}"))
        await one.until_sent("tools/call")
        waiting = asyncio.create_task(one.upstream.call("b", MODERN, "echo", b"{}"))
        calling.cancel()
        assert isinstance(await waiting, Result)
        first, second = (start["start"] for start in await starts(one))
        assert first != second
        await ended(first)


@pytest.mark.parametrize(("kind", "era"), [("stdio-stateless", OLD), ("stdio-initialize", MODERN)])
@pytest.mark.asyncio
async def test_falling_back_takes_a_clean_child_and_is_remembered(kind: str, era: Era, tmp_path: Path) -> None:
    async with rig(kind, 0, tmp_path) as one:
        await works(one, "a", era)
        first = [message["method"] for message in await one.messages()]
        await works(one, "b", era)
        then = [message["method"] for message in await one.messages()][len(first) :]
        assert len(await starts(one)) == 3
        assert {"server/discover", "initialize"} <= set(first)
        assert len({"server/discover", "initialize"} & set(then)) == 1


@pytest.mark.asyncio
async def test_restarts_back_off_and_say_when(tmp_path: Path) -> None:
    async with rig("stdio-stateless", 0, tmp_path) as one:
        one.clock.stop()
        for _ in range(2):  # the first restart is at once
            reply = await one.upstream.call("a", MODERN, "die", b"{}")
            assert isinstance(reply, Failure)
            assert (reply.cause, reply.sent) == ("died", True)
            assert "exit code 3" in reply.text
        reply = await one.upstream.call("a", MODERN, "echo", b"{}")
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("backing_off", False)
        assert "next start in 0.5 s" in reply.text
        assert one.upstream.health().state == "backing-off"
        await works(one, "other")
        one.clock.pass_s(0.6)
        await works(one)
        assert one.upstream.health().restarts == 2


@pytest.mark.asyncio
async def test_the_last_words_of_a_child_are_kept(tmp_path: Path) -> None:
    async with rig("stdio-stateless", 0, tmp_path, notes={"exit_at_start": True}) as one:
        with pytest.raises(UpstreamUnreachable, match="exit code 1"):
            await one.upstream.definitions("a", MODERN)
        health = one.upstream.health()
        assert "no configuration" in health.stderr
        assert health.last_error is not None
        assert "no configuration" not in health.last_error


TURNCOAT = """
import json, pathlib, sys
first = not pathlib.Path("met").exists()
pathlib.Path("met").touch()
for line in sys.stdin:
    message = json.loads(line)
    answer = {"jsonrpc": "2.0", "id": message.get("id")}
    if message["method"] == "tools/list":
        print(json.dumps(answer | {"result": {"tools": []}}), flush=True)
        sys.exit()
    greeting = {"result": {"supportedVersions": ["2026-07-28"]}}
    print(json.dumps(answer | (greeting if first else {"error": {"code": 1, "message": "INJECTED"}})), flush=True)
"""


@pytest.mark.asyncio
async def test_words_of_a_child_that_refuses_the_greeting_are_not_passed_on(tmp_path: Path) -> None:
    server = Server("hand", Stdio((sys.executable, "-I", "-S", "-c", TURNCOAT)))
    upstream = StdioUpstream(server, DEFAULT, ManualClock(), tmp_path)
    await upstream.definitions("a", MODERN)
    await eventually(lambda: not upstream.health().pids)
    reply = await upstream.call("a", MODERN, "go", b"{}")
    await upstream.close()
    assert isinstance(reply, Failure)
    assert (reply.cause, reply.sent, reply.upstream_text) == ("error", False, None)
    assert "INJECTED" not in reply.text


@pytest.mark.asyncio
async def test_strays_on_the_pipe_are_dropped_and_counted(tmp_path: Path) -> None:
    async with rig("stdio-stateless", 0, tmp_path) as one:
        for tool, strays in (("wrong_id", 5), ("garbage", 3), ("foreign", 1)):
            before = one.upstream.health().strays
            reply = await one.upstream.call("a", MODERN, tool, b"{}")
            assert isinstance(reply, Result)
            assert "not yours" not in str(reply.value)
            assert one.upstream.health().strays == before + strays


@pytest.mark.asyncio
async def test_a_child_that_floods_is_ended(tmp_path: Path) -> None:
    async with rig("stdio-stateless", 0, tmp_path) as one:
        reply = await one.upstream.call("a", MODERN, "burst", b"{}")
        assert isinstance(reply, Failure)
        assert (reply.cause, "a flood of messages" in reply.text) == ("died", True), "who ended it is told"
        await works(one)


@pytest.mark.asyncio
async def test_a_child_that_never_answers_a_listing_is_replaced(tmp_path: Path) -> None:
    async with rig("stdio-stateless", 0, tmp_path, call_s=2.0, notes={"hang_at": "tools/list"}) as one:
        for _ in range(2):
            with pytest.raises(UpstreamUnreachable, match="within 2 s"):
                await one.upstream.definitions("a", MODERN)
        assert len(await starts(one)) == 2


@pytest.mark.asyncio
async def test_a_line_feed_cannot_break_the_framing(tmp_path: Path) -> None:
    async with rig("stdio-stateless", 0, tmp_path) as one:
        reply = await one.upstream.call("a", MODERN, "echo", b"{\n}")
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("internal", False)


@pytest.mark.asyncio
async def test_a_stubborn_child_and_its_children_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remit.adapters.upstreams.child.GRACE_S", 0.2)
    async with rig("stdio-stateless", 0, tmp_path) as one:
        calling = asyncio.create_task(one.upstream.call("a", MODERN, "stubborn", b"{}"))
        grandchild: int = (await one.until("grandchild"))["grandchild"]
        (pid,) = one.upstream.health().pids
        await one.upstream.end_session("a")
        reply = await calling
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("died", True)
        await ended(pid, grandchild)


@pytest.mark.asyncio
async def test_an_unused_child_is_ended(tmp_path: Path) -> None:
    server = Server("hand", stdio_transport("both", tmp_path))
    upstream = StdioUpstream(server, DEFAULT, ManualClock(), tmp_path / "state", idle_s=0.2)
    assert isinstance(await upstream.call("a", MODERN, "echo", b"{}"), Result)
    (pid,) = upstream.health().pids
    await ended(pid)
    assert upstream.health().pids == ()
    assert isinstance(await upstream.call("a", MODERN, "echo", b"{}"), Result)
    await upstream.close()


SERVICE = """
import asyncio, sys
from pathlib import Path
from remit.adapters.upstreams.stdio import StdioUpstream
from remit.facts.limits import DEFAULT
from remit.ports.upstream import Era
from remit.facts.catalog import Server
from tests.upstreams.rig import ManualClock, stdio_transport

async def main():
    folder = Path(sys.argv[1])
    upstream = StdioUpstream(Server("hand", stdio_transport("both", folder, stay=True)), DEFAULT, ManualClock(), folder)
    await upstream.definitions("a", Era.STATELESS)
    print(*upstream.health().pids, flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent-death signal")
@pytest.mark.asyncio
async def test_children_do_not_outlive_a_service_that_is_killed(tmp_path: Path) -> None:
    root = str(FOLDER.parent.parent)
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVICE, str(tmp_path), stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}
    )
    assert run.stdout is not None
    pid = int(await run.stdout.readline())
    assert is_running(pid)
    run.kill()
    await run.wait()
    await ended(pid)  # though it stays on after the end of its stdin

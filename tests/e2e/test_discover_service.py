"""What `remit discover` finds is sent to a running service, exported from it, read back and drawn."""

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from remit.api import conditions
from tests.e2e.api_world import World, declared, world
from tests.e2e.test_api_cli import remit

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIG = {"mcpServers": {"files": {"command": "npx", "args": ["fs", "/srv/data"], "env": {"TOKEN": "hush-9a8b7c6d"}}}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("discover")) as made:
        yield made


async def test_a_client_that_comes_by_the_relay_is_governed_and_one_that_only_says_so_is_shadow(
    api: World, tmp_path: Path
) -> None:
    home = tmp_path / "bob"
    home.mkdir()
    args = ["mcp", "--token-file", "/home/bob/agent.token", "--url", api.url]
    own = str(Path(sys.executable).with_name("remit"))
    servers = {"remit": {"command": own, "args": args}, "evil": {"command": "/elsewhere/remit", "args": args}}
    (home / ".claude.json").write_text(json.dumps({"mcpServers": servers}))
    host = ("discover", "host", "--home", str(home), "--no-processes", "--send")
    code, _, err = await remit(api, *host, token=api.admin)
    assert code == 0, err
    code, out, err = await remit(api, "inventory", "ls", "--kind", "server", "-o", "json", token=api.admin)
    assert code == 0, err
    said = {
        one["name"]: {each["type"]: each["status"] for each in one["conditions"]}
        for one in json.loads(out)["items"]
        if "remit" in one["name"] or "relay" in one["name"]
    }
    machine = socket.gethostname()
    assert said == {
        f"server/host:relay/{api.url}/mcp@{machine}": {"Governed": "True", "Shadow": "False"},
        f"server/host:remit@{machine}": {"Governed": "Unknown", "Shadow": "True"},
    }


async def test_what_is_found_is_in_the_inventory_and_in_what_is_exported(api: World, tmp_path: Path) -> None:
    home = tmp_path / "alice"
    home.mkdir()
    (home / ".claude.json").write_text(json.dumps(CONFIG))
    (tmp_path / "app.py").write_text("from crewai import Agent\nwriter = Agent(role='w', llm='gpt-5')\n")
    host = ("discover", "host", "--home", str(home), "--project", str(tmp_path), "--no-processes", "--send")
    code, _, err = await remit(api, *host, token=api.admin)
    assert (code, "2 sightings sent" in err) == (0, True), err
    code, _, err = await remit(api, "discover", "repo", str(tmp_path), "--name", "shop", "--send", token=api.admin)
    assert (code, "sightings sent" in err) == (0, True), err
    for attempt in range(2):
        # The second time from what the first one wrote.
        files = [part for one in ("cyclonedx", "csv", "json") for part in ("--from", str(tmp_path / f"all.{one}"))]
        for form in ("cyclonedx", "csv", "json"):
            source = files if attempt else []
            target = str(tmp_path / f"{'again' if attempt else 'all'}.{form}")
            code, _, err = await remit(
                api, "inventory", "export", "--as", form, "--file", target, *source, token=api.admin
            )
            assert code == 0, err
        name = "again" if attempt else "all"
        text = (tmp_path / f"{name}.cyclonedx").read_text("utf-8")
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        for form in ("cyclonedx", "csv", "json"):
            told = (tmp_path / f"{name}.{form}").read_text("utf-8")
            assert "agent/host:claude-code/alice@" in told
            assert "agent/repo:shop/app.py#writer" in told
            assert "server/npm:fs" in told
            assert "hush" not in told
    code, out, err = await remit(api, "map", token=api.admin)
    assert code == 0, err
    assert "alice  ·  1 agent" in out
    code, out, err = await remit(api, "map", "--from", str(tmp_path / "all.json"), "--team", "alice", token="")
    assert (code, "claude-code/alice@" in out, "writer" in out) == (0, True, False), err


async def test_what_cannot_be_imported_or_written_is_told(api: World, tmp_path: Path) -> None:
    code, _, err = await remit(api, "discover", "import", str(tmp_path / "none.csv"), token="")
    assert (code, "there is no file" in err) == (3, True)
    broken = tmp_path / "broken.csv"
    broken.write_bytes(b"\xff\xff")
    code, _, err = await remit(api, "discover", "import", str(broken), token="")
    assert (code, "not text" in err) == (3, True)
    broken.write_text("kind,name\nagent,a\nthing,b\n")
    code, out, err = await remit(api, "discover", "import", str(broken), token="")
    assert (code, "agent/import:a" in out, "import/entry" in err) == (0, True, True)
    torn = tmp_path / "torn.json"
    torn.write_text('{"items": [')
    for form in ((), ("-o", "json")):
        code, _, err = await remit(api, "discover", "import", str(torn), *form, token="")
        assert (code, "import/syntax" in err) == (3, True), "nothing of it could be taken"
    code, _, err = await remit(api, "discover", "import", str(tmp_path), token="")
    assert (code, "no regular file" in err) == (3, True)
    code, _, err = await remit(api, "map", "--from", str(broken), "--file", str(broken), token="")
    assert (code, "cannot write" in err, "import/entry" in err) == (2, True, True)


async def test_a_source_is_looked_at_again_and_again_also_while_nobody_answers(api: World, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("from crewai import Agent\nagain = Agent(role='w', llm='gpt-5')\n")
    (tmp_path / "torn.py").write_text("def (:\n")
    # Nobody waits ten seconds for a second look.
    faster = "from remit.app.cli import discover; discover.EVERY_S_MIN = 1.0"
    program = f"import sys; from remit.app.cli import run; {faster}; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "discover", "repo", str(tmp_path), "--name", "again", "--every", "1s"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
    for url, told in ((api.url, b"look 2: "), ("http://127.0.0.1:1", b"look 1: failed 1 in a row: no answer")):
        running = await asyncio.create_subprocess_exec(
            *command, env={**env, "REMIT_URL": url, "REMIT_TOKEN": api.admin}, stderr=asyncio.subprocess.PIPE
        )
        assert running.stderr is not None
        lines = b""
        while told not in lines:
            line = await running.stderr.readline()
            assert line, lines
            lines += line
        seen = 2 if url == api.url else 1
        assert lines.count(b"torn.py:1: repo/syntax: ") == seen, "each look names what it could not take"
        running.send_signal(signal.SIGINT)
        assert await running.wait() == 130
    code, out, err = await remit(api, "inventory", "export", "--as", "csv", token=api.admin)
    assert (code, "agent/repo:again/app.py#again" in out) == (0, True), err
    code, _, err = await remit(api, "discover", "repo", str(tmp_path), "--every", "10s", token="")
    assert (code, "error" in err) == (4, True)
    for often in ("9s", "25h"):
        code, _, err = await remit(api, "discover", "repo", str(tmp_path), "--every", often, token=api.admin)
        assert (code, f"--every {often} is not between 10 s and 24 h" in err) == (2, True)


async def test_what_is_misspelt_is_said_and_one_long_name_does_not_spoil_a_table(api: World, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(f"kind,name,owner\nagent,{'x' * 150},ann\nagent,short,\n")
    listed = str(tmp_path / "l.csv")
    assert (await remit(api, "discover", "import", listed, "--send", token=api.admin))[0] == 0
    code, out, err = await remit(api, "inventory", "ls", "--kind", "agent", token=api.admin)
    assert (code, max(map(len, out.splitlines())) < 200, "cut at the end: -o name" in err) == (0, True, True), out
    code, out, err = await remit(api, "inventory", "ls", "-o", "name", token=api.admin)
    assert (code, f"agent/import:{'x' * 147}"[:140] in out, "cut" in err) == (0, True, False)
    for words in (("inventory", "ls", "--kind", "agents"), ("inventory", "coverage", "--by", "agents")):
        code, _, err = await remit(api, *words, token=api.admin)
        assert (code, "agents" in err, "token" in err) == (2, True, False), err
    drawing = tmp_path / "m.svg"
    code, _, err = await remit(api, "map", "--team", "anne", "--from", listed, "--file", str(drawing), token="")
    assert (code, "there are ann, no owner" in err, drawing.exists()) == (5, True, False), err
    code, _, err = await remit(api, "map", "--team", "ann", "--from", listed, "--file", str(drawing), token="")
    assert (code, drawing.exists()) == (0, True), err


async def test_no_admins_token_sends_nothing(api: World, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("kind,name\nmodel,gpt-5\n")
    code, _, err = await remit(api, "discover", "import", str(tmp_path / "l.csv"), "--send", token="")
    assert (code, "error" in err) == (4, True)


async def test_what_is_described_does_not_wait_for_an_inventory_that_is_busy(
    api: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = await api.told("GET", "/resources/agent/bot")
    types = [one["type"] for one in described["status"]["conditions"]]
    assert types == ["Shadow", "Governed", "Owned", "Drifted", "Dormant", "ToxicCombination"]
    monkeypatch.setattr(conditions, "WAIT_S", 0.05)
    go_on = threading.Event()
    busy = asyncio.ensure_future(api.service.discoverer.discovery.run(go_on.wait))
    try:
        without = await api.told("GET", "/resources/agent/bot")
    finally:
        go_on.set()
        await busy
    del described["status"]["conditions"]
    assert without == described


async def test_what_a_bundle_registers_is_taken_in_though_who_asked_first_did_not_wait_for_it(
    api: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "WAIT_S", 0.05)
    extra = api.workspace / "extra.yaml"
    extra.write_text(declared("Agent", "latecomer", owner="ann", purpose="comes late", groups=[]))
    go_on = threading.Event()
    busy = asyncio.ensure_future(api.service.discoverer.discovery.run(go_on.wait))
    try:
        await api.told("POST", "/apply", body={})
        await api.told("GET", "/resources/agent/latecomer")
    finally:
        go_on.set()
        await busy
        extra.unlink()
    names = [one["name"] for one in (await api.told("GET", "/inventory?kind=agent"))["items"]]
    assert "agent/latecomer" in names, "its registration was lost with the question that was given up"
    await api.told("POST", "/apply", body={})


async def test_what_a_bundle_registers_is_taken_in_once_it_can_be(api: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise OSError("no space left on the device")

    discoverer, extra = api.service.discoverer, api.workspace / "extra.yaml"
    extra.write_text(declared("Agent", "second", owner="ann", purpose="comes second", groups=[]))
    with monkeypatch.context() as patched:
        patched.setattr(discoverer.discovery, "take", full)
        await api.told("POST", "/apply", body={})
        with pytest.raises(OSError, match="no space left"):
            await discoverer.follow()
    extra.unlink()
    names = [one["name"] for one in (await api.told("GET", "/inventory?kind=agent"))["items"]]
    assert "agent/second" in names
    await api.told("POST", "/apply", body={})

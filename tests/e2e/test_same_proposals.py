"""Whoever reviews a tool and whoever asks for suggestions is told the same: of every list of tools that is at hand."""

import json
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proof.service import Service
from remit.adapters.workspace.folder import Folder
from remit.app.cli import run
from remit.app.terminal.failure import Exit
from remit.app.workspace.tool_suggestions import make_workspace, read_listing
from remit.control.lock import EMPTY
from remit.control.review import review
from remit.facts.tool import Definition
from tests.core.test_suggest_known import known

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("REMIT_SHARED") or ROOT.parent / "shared")
"""Lists beside the repository; the workspaces below `bench/` hold the same tools where there are none."""


def lists() -> Iterator[tuple[str, str, tuple[Definition, ...]]]:
    """Where a list stands, its server, and its tools."""
    for folder in sorted((ROOT / "bench" / "dataflow").iterdir()):
        if folder.is_dir():
            lock = Folder(folder).load().lock
            for server in lock.servers:
                yield f"bench/{folder.name}", server, tuple(one.definition for one in lock.of(server).values())
    for file in sorted([*(ROOT / "packs").glob("*/cases/tools.json"), *(SHARED / "bench").glob("*/tools.json")]):
        yield str(file.parent), "listed", read_listing(file)
    rows = known()
    for server in sorted({row.name for row in rows}):
        yield (
            "known",
            server,
            tuple({row.definition.name: row.definition for row in rows if row.name == server}.values()),
        )


@pytest.mark.parametrize(
    ("server", "tools"), [pytest.param(server, tools, id=f"{where}-{server}") for where, server, tools in lists()]
)
def test_review_proposes_what_suggest_does_once_it_is_accepted(
    server: str, tools: tuple[Definition, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_workspace(tmp_path, server, tools)
    (tmp_path / "tools" / f"{server}.yaml").unlink()
    assert run(["tools", "suggest", server, "-o", "json", "--workspace", str(tmp_path)]) == Exit.OK
    suggested = {one.pop("tool"): one for one in json.loads(capsys.readouterr().out) if "tool" in one}
    reviewed = review(EMPTY, server, tools).tools
    assert {
        f"{server}/{one.comparison.tool}": one.suggestion and one.suggestion.to_json() for one in reviewed
    } == suggested


NOTES = """\
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: notes}
spec: {command: COMMAND}
"""
SERVER = """\
from mcp.server.mcpserver import MCPServer

server = MCPServer("notes")


@server.tool(description="Reads a note.")
def read_note(note_id: str) -> str:
    return note_id


@server.tool(description="Writes a note, and sends it to those who follow it.")
def write_note(note_id: str, text: str, cc: list[str]) -> str:
    return note_id


server.run()
"""


def test_the_api_and_the_terminal_say_of_a_live_server_what_its_workspace_says(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    service = Service(tmp_path)
    service.write({"notes.yaml": NOTES.replace("COMMAND", json.dumps([sys.executable, str(tmp_path / "server.py")]))})
    service.start()
    try:
        answer: dict[str, Any] = service.told("tools", "review", "notes")
        terminal = service.remit("tools", "review", "notes/write_note").stdout
        pin = service.told("tools", "accept", "notes")["pin"]
        bare = service.remit("tools", "accept", "notes", "--pin", pin)
        asked = ("tools", "suggest", "--workspace", str(service.workspace))
        items = json.loads(service.remit(*asked, "-o", "json").stdout)
        page = service.remit(*asked, "notes/write_note").stdout
        assert service.remit(*asked, "notes", "--write").returncode == 0
        service.apply()
        described = service.remit("tools", "accept", "notes/read_note", "--pin", answer["items"][0]["live_pin"])
        (tmp_path / "server.py").write_text(SERVER.replace("cc: list[str]", "cc: list[str], password: str"))
        declared = (service.workspace / "notes.yaml").read_text().replace("spec: {", "spec: {call_s: 59, ")
        service.write({"notes.yaml": declared})  # another Server is reached by another child
        service.apply()
        [drifted] = service.told("tools", "review", "notes")["items"]
        judged = service.remit("tools", "review", "notes").stdout
    finally:
        service.stop()
    proposed = {one["tool"]: one["suggested"] for one in answer["items"]}
    assert proposed == {one.pop("tool"): one for one in items if "tool" in one}
    assert proposed["notes/write_note"]["spec"]["store"] == {"name": "notes-note", "key": "note_id"}
    _, entry = page.split("spec:\n")
    assert "# its argument cc names somebody" in entry
    assert textwrap.indent(textwrap.dedent(entry), "    ") in terminal
    assert (bare.returncode, described.returncode) == (0, 0)
    assert "2 without a catalog entry" in bare.stderr
    assert "next: remit tools suggest notes --write" in bare.stderr
    assert "catalog entry" not in described.stderr
    text = "arguments.password: now {role: credential} (it is a password), before nothing; the entry says nothing"
    assert (drifted["tool"], drifted["suggested"]) == ("notes/write_note", None)
    assert [change["text"] for change in drifted["suggestion_changes"]] == [text]
    assert "judge again" in judged
    assert f"\n    {text}\n" in judged

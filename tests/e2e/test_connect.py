"""The client snippets of `docs/how-to/connect-a-client.md`: of the shape their clients document, and they work.

The shapes are those of the clients' own references, as of November 2026: Claude Code "Connect Claude Code to tools via
MCP" (`.mcp.json`), Model Context Protocol "Connect to local MCP servers" (`claude_desktop_config.json`), Cursor "Model
Context Protocol" (`mcp.json`), VS Code "MCP configuration reference" (`mcp.json`), Codex "Model Context Protocol"
(`config.toml`).
"""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from mcp import Client, StdioServerParameters

from proof.counting import Counting
from proof.service import REMIT

PAGE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "connect-a-client.md"
BLOCK: Final = re.compile(r"^```(json|toml) (?P<file>\S+)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Shape:
    """What a client's configuration file may hold: the key of its servers, and the fields of a stdio server."""

    key: str
    required: frozenset[str]
    allowed: frozenset[str]
    types: frozenset[str] = frozenset()


STDIO: Final = frozenset({"command", "args", "env"})
SHAPES: Final[Mapping[str, Shape]] = {
    ".mcp.json": Shape("mcpServers", frozenset({"command"}), STDIO | {"type", "timeout"}, frozenset({"stdio"})),
    "claude_desktop_config.json": Shape("mcpServers", frozenset({"command", "args"}), STDIO),
    ".cursor/mcp.json": Shape("mcpServers", frozenset({"command"}), STDIO | {"type", "envFile"}, frozenset({"stdio"})),
    ".vscode/mcp.json": Shape(
        "servers", frozenset({"type", "command"}), STDIO | {"type", "envFile", "cwd"}, frozenset({"stdio"})
    ),
    ".codex/config.toml": Shape(
        "mcp_servers",
        frozenset({"command"}),
        STDIO | {"cwd", "env_vars", "startup_timeout_sec", "tool_timeout_sec", "enabled", "enabled_tools"},
    ),
}
SNIPPETS: Final = {block["file"]: block["text"] for block in BLOCK.finditer(PAGE.read_text("utf-8"))}


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("connect"), hold_s=0.1) as running:
        yield running


def server(file: str) -> Mapping[str, Any]:
    """The one server of a snippet, once its whole shape is as the client reads it."""
    text = SNIPPETS[file]
    value: dict[str, Any] = tomllib.loads(text) if file.endswith(".toml") else json.loads(text)
    shape = SHAPES[file]
    assert list(value) == [shape.key]
    [(name, found)] = value[shape.key].items()
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)
    assert shape.required <= found.keys() <= shape.allowed
    assert {found["type"]} <= shape.types if "type" in found else True
    assert Path(found["command"]).is_absolute()
    assert all(isinstance(word, str) for word in found["args"])
    return found


def test_every_client_has_its_snippet() -> None:
    assert SNIPPETS.keys() == SHAPES.keys()


@pytest.mark.asyncio
@pytest.mark.parametrize("file", SHAPES)
async def test_a_snippet_is_of_its_clients_shape_and_its_command_works(
    counting: Counting, tmp_path: Path, file: str
) -> None:
    found = server(file)
    token = tmp_path / "clerk.token"
    done = counting.service.remit("token", "agent", "clerk", "--user", "ana", "--save", str(token))
    assert done.returncode == 0, done.stderr
    assert (done.stdout, token.stat().st_mode & 0o777) == ("", 0o600)
    assert Path(found["command"]).name == REMIT.name
    words = [str(token) if word == "/home/you/agent.token" else word for word in found["args"]]
    assert str(token) in words
    # The page's service is at the default address; here a free port stands for it.
    parameters = StdioServerParameters(command=str(REMIT), args=words, env={"REMIT_URL": counting.service.url})
    async with Client(parameters) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["counter___add", "counter___peek"]
        assert not (await client.call_tool("counter___peek", {})).is_error


def test_an_apply_of_nothing_new_says_so(counting: Counting) -> None:
    done = counting.service.remit("apply")
    assert (done.returncode, done.stderr.splitlines()[0]) == (0, "no difference"), done.stderr


def test_a_token_is_saved_in_place_of_the_last_one_or_the_error_says_so(counting: Counting, tmp_path: Path) -> None:
    token = tmp_path / "clerk.token"
    token.write_text("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJjbGVyayJ9.c2lnbmVk\n")
    token.chmod(0o644)
    told = counting.service.told("token", "agent", "clerk", "--save", str(token))
    assert "token" not in told
    assert token.read_text().count(".") == 2
    assert token.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["clerk.token"]
    minted = counting.service.told("token", "ls")
    routes = tmp_path / "routes.yaml"
    routes.write_text("kind: Route\n")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for nowhere in (tmp_path / "no folder" / "token", tmp_path, routes, fifo):
        done = counting.service.remit("token", "agent", "clerk", "--save", str(nowhere))
        assert done.returncode == 1
        assert "cannot write the token" in done.stderr
        assert done.stdout == ""
    assert counting.service.told("token", "ls") == minted, "nobody has it, and it would be good for days"
    assert routes.read_text() == "kind: Route\n", "a name mistaken costs nobody a file"
    assert fifo.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clerk.token", "fifo", "routes.yaml"]

"""A repository as a source: what its files make is found, nothing outside is read, and what cannot be read is named."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from remit.adapters.sources import repo
from remit.adapters.sources.repo import RepoSource
from remit.discover import repositories
from remit.ports.source import SourceBatch, SourceFailed

if TYPE_CHECKING:
    from pathlib import Path

AGENT = """from pydantic_ai import Agent
agent = Agent('openai:gpt-5', name='{name}', instructions='Be brief.', tools=[{tools}])
"""
TOOLS = "from pydantic_ai import Tool\ndef look(): ...\nlook_tool = Tool(look)\n"


def look(folder: Path, name: str = "") -> SourceBatch:
    async def all_of_it() -> SourceBatch:
        found = [one async for one in RepoSource(folder, lambda: 5, name).look()]
        sightings = tuple(sighting for one in found for sighting in one.sightings)
        return SourceBatch(sightings, tuple(trouble for one in found for trouble in one.troubles))

    return asyncio.run(all_of_it())


def put(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def told(found: SourceBatch) -> dict[str, set[str]]:
    return {str(one.subject): {f"{edge.verb} {edge.to}" for edge in one.edges} for one in found.sightings}


def test_what_files_make_is_found_and_what_one_uses_of_another_is_told(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    put(root / "src/main.py", "from tools import look\n" + AGENT.format(name="main", tools="look, missing.tool"))
    put(root / "src/tools.py", TOOLS)
    put(root / "web/chat.ts", 'import { Agent } from "@mastra/core";\nnew Agent({ name: "web" });')
    put(root / "web/view.tsx", "export const x = <b>{1}</b>;")
    put(
        root / ".mcp.json",
        '// ours\n{"mcpServers": {"git": {"command": "uvx", "args": ["mcp-server-git"]},\n"own": {"command": "own"}}}',
    )
    put(root / ".codex/config.toml", '[mcp_servers.t]\ncommand = "uvx"\nargs = ["mcp-server-time"]\n')
    found = look(root)
    assert not found.troubles
    assert told(found) == {
        "agent/repo:shop/src/main.py#main": {
            "uses model/gpt-5",
            "uses tool/repo:shop/src/tools.py#look",
            "uses tool/repo:shop/src/main.py#tool",
        },
        "model/gpt-5": set(),
        "prompt/repo:shop/src/main.py#main instructions": set(),
        "tool/repo:shop/src/main.py#tool": set(),
        "tool/repo:shop/src/tools.py#look": set(),
        "agent/repo:shop/web/chat.ts#web": set(),
        "server/pypi:mcp-server-git": set(),
        "server/pypi:mcp-server-time": set(),
        "server/repo:shop/.mcp.json#own@shop": set(),
    }
    servers = {one.subject.name: one.evidence for one in found.sightings if one.subject.kind == "server"}
    assert servers == {
        "pypi:mcp-server-git": "shop/.mcp.json:2",
        "shop/.mcp.json#own@shop": "shop/.mcp.json:3",
        "pypi:mcp-server-time": "shop/.codex/config.toml:1",
    }
    agent = next(one for one in found.sightings if one.subject.name == "shop/src/main.py#main")
    assert (agent.evidence, agent.source, dict(agent.traits)) == (
        "shop/src/main.py:3",
        "repo:shop",
        {"framework": "pydantic-ai"},
    )


def test_a_framework_without_a_known_agent_is_a_guess(tmp_path: Path) -> None:
    put(tmp_path / "x.py", "import crewai\nfrom mcp import Client\n")
    found = look(tmp_path, "named")
    assert told(found) == {"agent/repo:named": set()}
    assert dict(found.sightings[0].traits) == {"framework": "crewai"}


def test_a_module_of_a_package_hides_no_framework(tmp_path: Path) -> None:
    text = "from strands import Agent\nagent = Agent(name='x')\n"
    for folder in ("package", "package/inner", "scripts"):
        put(tmp_path / folder / "strands.py", text)
    for folder in ("package", "package/inner"):
        put(tmp_path / folder / "__init__.py", "")
    assert set(told(look(tmp_path, "r"))) == {
        f"agent/repo:r/{one}/strands.py#x" for one in ("package", "package/inner")
    }
    assert set(told(look(tmp_path / "package", "r"))) == {f"agent/repo:r/{one}strands.py#x" for one in ("", "inner/")}
    put(tmp_path / "src/strands/__init__.py", "")
    assert told(look(tmp_path, "r")) == {}


def test_what_is_no_code_of_the_repository_is_not_read(tmp_path: Path) -> None:
    text = AGENT.format(name="x", tools="")
    for path in (
        "node_modules/a/a.py",
        ".hidden/a.py",
        "venv/a.py",
        "own/lib/a.py",
        "web/dist/a.py",
        "a.txt",
        "a.d.ts",
        "a.min.js",
    ):
        put(tmp_path / path, text)
    put(tmp_path / "own/pyvenv.cfg", "")
    put(tmp_path / "web/tsconfig.json", "{}")
    put(tmp_path.with_name("outside.py"), text)
    (tmp_path / "link.py").symlink_to(tmp_path.with_name("outside.py"))
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / ".mcp.json").symlink_to(tmp_path.with_name("outside.py"))
    found = look(tmp_path)
    assert found == SourceBatch()


def test_what_cannot_be_read_is_named_and_everything_else_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repo, "FILE_BYTES_MAX", 100_000)
    monkeypatch.setattr(repo, "DEPTH_MAX", 3)
    put(tmp_path / "bad.py", "x = 1\ndef (:\n")
    put(tmp_path / "bad.ts", "const = ;\n")
    put(tmp_path / "bytes.py", b"\xff\xfe\xff")
    put(tmp_path / "deep.js", "(" * 90_000)
    put(tmp_path / "deep.py", "a" + "[0]" * 30_000)
    put(tmp_path / "huge.py", " " * 100_001)
    put(tmp_path / "a/b/c/d/e.py", "")
    put(tmp_path / ".mcp.json", "{")
    put(tmp_path / ".vscode/mcp.json/x", "")
    put(tmp_path / "good.py", AGENT.format(name="good", tools=""))
    found = look(tmp_path, "r")
    codes = {(one.code, one.where.partition(":")[0]) for one in found.troubles}
    assert codes >= {
        ("repo/syntax", "r/bad.py"),
        ("repo/syntax", "r/bad.ts"),
        ("repo/syntax", "r/bytes.py"),
        ("repo/size", "r/huge.py"),
        ("repo/depth", "r/a/b/c"),
        ("config/syntax", "r/.mcp.json"),
        ("config/kind", "r/.vscode/mcp.json"),
    }
    assert "r/good.py" not in {where for _, where in codes}
    assert "agent/repo:r/good.py#good" in told(found)


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a/x.py", "")
    put(tmp_path / "b/x.py", AGENT.format(name="b", tools=""))
    scan = repo.os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(repo.os, "scandir", refuse)
    found = look(tmp_path, "r")
    assert [(one.code, one.where) for one in found.troubles] == [("repo/unreadable", "r/a")]
    assert "agent/repo:r/b/x.py#b" in told(found)


def test_files_things_and_troubles_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        put(tmp_path / f"{number}.py", AGENT.format(name=number, tools="") if number % 2 else "(")
    monkeypatch.setattr(repo, "FILES_MAX", 4)
    monkeypatch.setattr(repositories, "ITEMS_MAX", 4)
    codes = [one.code for one in look(tmp_path).troubles]
    assert codes == ["repo/syntax", "repo/syntax", "repo/items", "repo/files"]
    monkeypatch.setattr(repo, "TROUBLES_MAX", 2)
    assert [one.code for one in look(tmp_path).troubles] == ["repo/syntax", "repo/troubles"]


def test_what_is_no_folder_fails(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="is no folder"):
        look(tmp_path / "none")

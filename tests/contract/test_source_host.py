"""The host as a source: what is configured is found, what cannot be taken is named, and nothing else is opened."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from remit.adapters.sources import host
from remit.adapters.sources.host import Home, HostSource, own_home
from remit.discover.sighting import Kind
from remit.ports.source import SourceBatch

SECRET = "hush-9a8b7c6d"


def look(source: HostSource) -> SourceBatch:
    async def all_of_it() -> SourceBatch:
        found = [one async for one in source.look()]
        sightings = tuple(sighting for one in found for sighting in one.sightings)
        return SourceBatch(sightings, tuple(trouble for one in found for trouble in one.troubles))

    return asyncio.run(all_of_it())


def world(folder: Path, **options: object) -> HostSource:
    (folder / "home").mkdir(exist_ok=True)
    homes = [Home("alice", folder / "home")]
    return HostSource("box", homes, lambda: 5, root=folder / "root", proc=None, **options)  # type: ignore[arg-type]


def put(path: Path, content: str | bytes | dict[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_remits_own_relay_is_known_by_its_program(tmp_path: Path) -> None:
    own = Path(sys.executable).with_name("remit")
    linked = tmp_path / "bin" / "remit"
    linked.parent.mkdir()
    linked.symlink_to(own)
    impostor = put(tmp_path / "evil" / "remit", "#!/bin/sh\n")
    impostor.chmod(0o755)
    args = ["mcp", "--token-file", str(tmp_path / "token")]
    servers: dict[str, object] = {
        name: {"command": str(command), "args": args}
        for name, command in (("a", own), ("b", linked), ("c", impostor), ("d", tmp_path / "none" / "remit"))
    }
    put(tmp_path / "home/.claude.json", {"mcpServers": servers})
    named = [str(one.subject) for one in look(world(tmp_path)).sightings if one.subject.kind is Kind.SERVER]
    assert named == 2 * ["server/host:relay/http://127.0.0.1:7070/mcp@box"] + 2 * ["server/host:remit@box"]


def test_homes_projects_and_the_machine_are_read(tmp_path: Path) -> None:
    known, given = tmp_path / "known", tmp_path / "given"
    servers: dict[str, object] = {"a": {"command": "npx", "args": ["a"], "env": {"KEY": SECRET}}}
    put(
        tmp_path / "home/.claude.json",
        {"mcpServers": servers, "projects": {str(known): {}, "relative": {}, "/" + "x" * 5_000: {}}},
    )
    put(
        tmp_path / "home/.codex/config.toml",
        f'model = "gpt-5"\n[mcp_servers.b]\ncommand = "uvx"\nargs = ["b", "--key", "{SECRET}"]\n',
    )
    put(tmp_path / "home/.config/zed/settings.json", '{"theme": "x"}')
    put(tmp_path / "home/.cursor/mcp.json", "")
    put(known / ".mcp.json", {"mcpServers": {"c": {"url": f"https://{SECRET}@c.example/{SECRET}"}}})
    put(
        given / ".vscode/mcp.json",
        b"\xef\xbb\xbf// mine\n{'x': 1}".replace(b"'", b'"').replace(
            b'"x": 1', b'"servers": {"d": {"command": "d"},},'
        ),
    )
    put(tmp_path / "root/etc/claude-code/managed-mcp.json", {"mcpServers": {"e": {"command": "e"}}})
    found = look(world(tmp_path, projects=[given, tmp_path / "home"]))
    assert not found.troubles
    agents = {str(one.subject) for one in found.sightings if one.subject.kind == "agent"}
    assert agents == {
        "agent/host:claude-code/alice@box",
        "agent/host:claude-code/root@box",
        "agent/host:codex/alice@box",
        "agent/host:cursor/alice@box",
        "agent/host:vscode/alice@box",
    }
    servers_seen = {one.subject.name for one in found.sightings if one.subject.kind == "server"}
    assert servers_seen == {"npm:a", "pypi:b", "https://c.example/*", "d@box", "e@box"}
    assert {one.evidence for one in found.sightings if one.subject.name == "d@box"} == {f"{given}/.vscode/mcp.json:2"}
    assert SECRET not in repr(found)


def test_what_cannot_be_taken_is_named_and_everything_else_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "JSON_BYTES_MAX", 100_000)
    home = tmp_path / "home"
    put(home / ".claude.json", f'{{\n "mcpServers": {SECRET}}}')
    put(home / ".claude/settings.json", b"\xff")
    (home / ".cursor").mkdir()
    (home / ".cursor/mcp.json").symlink_to("mcp.json")
    put(home / ".codeium/windsurf/mcp_config.json", "[" * 99_999)
    (home / ".codeium/mcp_config.json").mkdir()
    put(home / ".gemini/settings.json", " " * 100_001)
    put(home / ".codex/config.toml", "a = 1\nmcp_servers = 1\n")
    os.mkfifo(put(home / ".config/Claude/x", "").with_name("claude_desktop_config.json"))
    put(home / ".cline/data/settings/cline_mcp_settings.json", {"mcpServers": {"a": {"command": "a"}, "b": SECRET}})
    found = look(world(tmp_path))
    assert {(one.code, one.where.removeprefix(str(home))) for one in found.troubles} == {
        ("config/syntax", "/.claude.json:2"),
        ("config/encoding", "/.claude/settings.json:1"),
        ("config/kind", "/.config/Claude/claude_desktop_config.json"),
        ("config/links", "/.cursor/mcp.json"),
        ("config/depth", "/.codeium/windsurf/mcp_config.json"),
        ("config/kind", "/.codeium/mcp_config.json"),
        ("config/size", "/.gemini/settings.json"),
        ("config/shape", "/.codex/config.toml: mcp_servers"),
        ("config/shape", "/.cline/data/settings/cline_mcp_settings.json: b"),
    }
    assert "server/host:a@box" in {str(one.subject) for one in found.sightings}
    assert SECRET not in repr(found)


def test_a_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever runs this may be root, whom no mode keeps out: the system's refusal is what counts.
    put(tmp_path / "home/.claude.json", {})

    def refuse(path: Path, *_: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("remit.adapters.sources.files.os.open", refuse)
    found = look(world(tmp_path))
    assert {(one.code, one.why) for one in found.troubles} == {("config/unreadable", "permission denied")}


def test_projects_that_a_file_lists_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "PROJECTS_MAX", 2)
    put(
        tmp_path / "home/.claude.json",
        {"projects": {f"{tmp_path}/p{number}": {} for number in range(4)} | {"/a\0b": {}}},
    )
    found = look(world(tmp_path))
    assert [one.code for one in found.troubles] == ["host/projects"]


def test_running_programs_are_found_with_names_of_their_environment(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    for pid, parent, command in ((7, 1, "claude"), (8, 7, "uvx\0mcp-server-git\0--key\0" + SECRET), (9, 2, "")):
        put(proc / str(pid) / "cmdline", command)
        put(proc / str(pid) / "stat", f"{pid} (odd) name)) S {parent} 0 0")
        put(proc / str(pid) / "environ", f"OPENAI_API_KEY={SECRET}\0HOME=/\0junk\0")
    (proc / "10").mkdir()
    put(proc / "11/cmdline", "claude")
    put(proc / "11/stat", "broken")
    put(proc / "self", "")
    found = look(HostSource("box", [], lambda: 5, root=tmp_path, proc=proc))
    assert not found.troubles
    told = {(str(one.subject), tuple(str(edge.to) for edge in one.edges)) for one in found.sightings}
    user = own_home().user
    assert (f"agent/host:claude-code/{user}@box", ("server/pypi:mcp-server-git",)) in told
    assert SECRET not in repr(found)
    assert "OPENAI_API_KEY" in repr(found)


def test_no_account_of_processes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = look(HostSource("box", [], lambda: 5, root=tmp_path, proc=tmp_path / "none"))
    assert [one.code for one in found.troubles] == ["host/processes"]
    monkeypatch.setattr(host, "PROCESSES_MAX", 0)
    (tmp_path / "proc/1").mkdir(parents=True)
    found = look(HostSource("box", [], lambda: 5, root=tmp_path, proc=tmp_path / "proc"))
    assert [one.code for one in found.troubles] == ["host/processes"]


def test_the_real_account_of_processes_is_read(tmp_path: Path) -> None:
    assert not look(HostSource("box", [], lambda: 5, root=tmp_path)).troubles

"""`remit discover` on a machine without a service: what is found and what is wrong is told, no secret anywhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from remit.app.cli import run
from remit.app.discovery import look
from remit.app.terminal.failure import Exit
from remit.discover.sighting_json import from_json

SECRET = "hush-9a8b7c6d"


def home(folder: Path) -> Path:
    folder.mkdir()
    servers = {"files": {"command": "npx", "args": ["fs", "/srv/data", SECRET], "env": {"TOKEN": SECRET}}}
    (folder / ".claude.json").write_text(json.dumps({"mcpServers": servers}))
    (folder / ".gemini").mkdir()
    (folder / ".gemini" / "settings.json").write_text(f'{{"mcpServers": {SECRET}')
    return folder


def test_a_host_is_told_without_a_service(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    alice = home(tmp_path / "alice")
    arguments = ["discover", "host", "--home", str(alice), "--project", str(tmp_path), "--no-processes"]
    assert run([*arguments, "-o", "json"]) == Exit.OK
    told = capfd.readouterr()
    document: dict[str, Any] = json.loads(told.out)
    sightings = [from_json(one) for one in document["sightings"]]
    assert {one.subject.name.partition("@")[0] for one in sightings} == {"npm:fs", "claude-code/alice"}
    assert [one["code"] for one in document["troubles"]] == ["config/syntax"]
    assert "config/syntax" in told.err
    assert run([*arguments, "-o", "wide"]) == Exit.OK
    table = capfd.readouterr()
    assert "reads data/host:file://" in table.out
    assert "2 sightings; --send sends them" in table.err
    assert SECRET not in told.out + told.err + table.out + table.err


def test_what_is_no_folder_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["discover", "host", "--home", str(tmp_path / "none")]) == Exit.NOT_FOUND
    assert "is no folder" in capfd.readouterr().err


def test_more_than_is_held_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "SIGHTINGS_MAX", 1)
    alice = home(tmp_path / "alice")
    assert run(["discover", "host", "--home", str(alice), "--project", str(tmp_path), "-o", "json"]) == Exit.OK
    assert "discover/sightings" in capfd.readouterr().err

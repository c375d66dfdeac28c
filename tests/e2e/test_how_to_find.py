"""`docs/how-to/find-agents.md`, run as it stands: its files are written, its commands run."""

import json
import re
import shlex
from pathlib import Path

import pytest

from remit.app.cli import run
from tests.e2e.pages import PAGES_FOLDER, shown

BLOCK = re.compile(r"^```(?P<kind>\w+)(?: (?P<file>[\w./]+))?\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_page_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ran, output = 0, ""
    for block in BLOCK.finditer((PAGES_FOLDER / "find-agents.md").read_text("utf-8")):
        if block["file"]:
            (tmp_path / block["file"]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block["file"]).write_text(block["text"])
            continue
        for line in block["text"].splitlines():
            if line.startswith("$ "):
                command, _, target = line[2:].partition(" > ")
                (tmp_path / "site").mkdir(exist_ok=True)
                assert run(shlex.split(command)[1:]) == 0, line
                told = capfd.readouterr()
                output, ran = told.out + told.err, ran + 1
                if target:
                    (tmp_path / target).write_text(told.out)
            else:
                assert shown(line, " ".join(output.split())) or shown(line, output), f"{line!r} is not in\n{output}"
    assert ran == 7
    assert "8b1c7a4e5d" not in output + (tmp_path / "host.json").read_text() + (tmp_path / "inventory.csv").read_text()
    assert "night report" in (tmp_path / "map.svg").read_text().lower()
    assert json.loads((tmp_path / "repo.json").read_text())["sightings"]

"""`docs/how-to/replay-sessions.md` and `start-from-a-pack.md`, run as they stand in the world of the notes server.

Files of a page are written beside the workspace. A comment `acts` or `waits` has clerk call a tool of the notes server
for ana, which goes through or waits for people.
"""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.e2e.notes_world import Noting
from tests.e2e.speaking import told
from tests.e2e.test_how_to import PAGES_FOLDER, shown

BLOCK = re.compile(
    r"^```(?P<kind>console|(?:cedar|json) (?P<file>[\w./]+))\n(?P<text>.*?)^```"
    r"|^<!-- (?P<does>acts|waits) (?P<tool>\w+) (?P<arguments>\{[^\n]*\}) -->$",
    re.MULTILINE | re.DOTALL,
)
RESULTS = {"remit diff": 1}
"""The exit codes of commands that say something by them."""


def run(noting: Noting, text: str) -> int:
    """Run the commands of a block; how many there were."""
    output, ran = "", 0
    for line in text.splitlines():
        if line.startswith("$ "):
            words, ran = shlex.split(line)[1:], ran + 1
            if words[:2] == ["cp", "-r"]:
                # Done here: a bare machine has Python and make alone.
                shutil.copytree(noting.root / words[2], noting.root / words[3])
                continue
            assert words[0] == "remit", line
            done = noting.service.remit(*words[1:])
            assert done.returncode == RESULTS.get(line[2:], 0), f"{line}\n{done.stdout}{done.stderr}"
            output = done.stdout + done.stderr
        else:
            assert shown(line, output), f"{line!r} is not in\n{output}"
    return ran


def follow(noting: Noting, page: str) -> int:
    """Do what `page` shows, in order; how many commands ran."""
    agent, ran = noting.service.agent("clerk", "ana"), 0
    text = (PAGES_FOLDER / f"{page}.md").read_text("utf-8")
    for block in BLOCK.finditer(text):
        if block["does"]:
            failed, said = told(noting.service, agent, "notes", block["tool"], json.loads(block["arguments"]))
            assert failed == (block["does"] == "waits"), said
        elif block["file"]:
            (noting.root / block["file"]).write_text(block["text"], "utf-8")
        else:
            ran += run(noting, block["text"])
    # No command stands where this test does not look.
    assert ran == len(re.findall(r"^\$ ", text, re.MULTILINE))
    return ran


@pytest.mark.timeout(180)
def test_replay_sessions_shows_what_it_says(tmp_path: Path) -> None:
    with Noting(tmp_path, "", "past") as noting:
        assert follow(noting, "replay-sessions") >= 6
        assert [to for to, _ in noting.sent] == ["mallory@evil.example"]


@pytest.mark.timeout(180)
def test_start_from_a_pack_shows_what_it_says(tmp_path: Path) -> None:
    with Noting(tmp_path, "", "packed") as noting:
        # The page starts with tools that were accepted and that nobody has described.
        (noting.service.workspace / "tools.yaml").unlink()
        noting.service.told("apply")
        assert follow(noting, "start-from-a-pack") >= 6
        assert noting.sent == []

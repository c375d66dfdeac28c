"""`docs/how-to/replay-sessions.md` and `start-from-a-pack.md`, run as they stand in the world of the notes server.

Files of a page are written beside the workspace.
"""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from proof.service import environment
from tests.e2e.notes_world import UPSTREAMS, Noting
from tests.e2e.pages import PAGES_FOLDER, run_block, said

BLOCK = re.compile(
    r"^```(?P<kind>console|(?:cedar|json) (?P<file>[\w./]+))\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL
)
RESULTS = {"remit diff": 1}
"""The exit codes of commands that say something by them."""


def played(noting: Noting, words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """What `act.py` of the clone prints, run where the page's files are."""
    python, script, *given = words
    assert (python, script) == (".venv/bin/python", "tests/upstreams/act.py")
    return subprocess.run(
        [sys.executable, UPSTREAMS / "act.py", *given],
        env=environment() | {"REMIT_URL": noting.service.url},
        cwd=noting.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def follow(noting: Noting, page: str) -> int:
    """Do what `page` shows, in order; how many commands ran."""

    def command(words: Sequence[str]) -> str:
        if words[:2] == ["cp", "-r"]:
            # Done here: a bare machine has Python and make alone.
            shutil.copytree(noting.root / words[2], noting.root / words[3])
            return ""
        done = noting.service.remit(*words[1:]) if words[0] == "remit" else played(noting, words)
        return said(done, {RESULTS.get(shlex.join(words), 0)})

    ran = 0
    text = (PAGES_FOLDER / f"{page}.md").read_text("utf-8")
    for block in BLOCK.finditer(text):
        if block["file"]:
            (noting.root / block["file"]).write_text(block["text"], "utf-8")
        else:
            ran += len(run_block(block["text"], command))
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
        noting.service.apply()
        assert follow(noting, "start-from-a-pack") >= 6
        assert noting.sent == []

"""`docs/how-to/tell-remit-the-users-words.md`, run as it stands in the world of the notes server.

Comments say what the agent does with the session token: `acts`, `leaves` (the call goes through), `waits` (for people).
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from proof.service import environment
from tests.e2e.notes_world import KNOWN, Noting
from tests.e2e.pages import PAGES_FOLDER, command_of, run_block, shown
from tests.e2e.speaking import api, told

PAGE = PAGES_FOLDER / "tell-remit-the-users-words.md"
BLOCK = re.compile(
    r"^```(?P<kind>console(?: why)?|(?:cedar|yaml|python) (?P<file>[\w.]+))\n(?P<text>.*?)^```"
    r"|^<!-- (?P<does>acts|leaves|waits) (?P<tool>\w+) (?P<arguments>\{[^\n]*\}) -->$",
    re.MULTILINE | re.DOTALL,
)


def expect(text: str, output: str) -> str:
    """Each line of `text` that is no command is somewhere in `output`."""
    for line in text.splitlines():
        assert shown(line, output), f"{line!r} is not in\n{output}"
    return output


def harness(noting: Noting, text: str) -> str:
    """Run the page's program; the session token that it prints."""
    env = environment() | {"REMIT_URL": noting.service.url}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        env=env,
        cwd=noting.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.timeout(180)
def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    with Noting(tmp_path, "") as noting:
        noting.service.write({"tools.yaml": KNOWN, "gate.cedar": ""})
        token, asked = "", 0
        for block in BLOCK.finditer(PAGE.read_text("utf-8")):
            if block["does"]:
                failed, _ = told(noting.service, token, "notes", block["tool"], json.loads(block["arguments"]))
                assert failed == (block["does"] == "waits"), block[0]
                asked += failed
            elif block["kind"] == "console why":
                latest = api(noting.service, "GET", "/approvals?limit=1")["items"][0]
                expect(block["text"], noting.service.remit("why", latest["id"]).stdout)
            elif block["kind"] == "console":
                run_block(block["text"], command_of(noting.service))
            elif block["file"] == "harness.py":
                token = harness(noting, block["text"])
            else:
                noting.service.write({block["file"]: block["text"]})
        assert [to for to, _ in noting.sent] == ["boss@shop.example"]
        assert asked == 1

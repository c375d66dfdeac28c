"""Every command in `docs/how-to/` is run, in order, against a real service; what it shows is what it says.

A block `console agent` runs with the token of the agent `clerk`, every other one as the admin. Where a page says that
an agent works, a comment `call AGENT TOOL ARGUMENTS` has it call a tool of the counter for ana.
"""

import asyncio
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.counting import Counting, call

PAGES_FOLDER = Path(__file__).parents[2] / "docs" / "how-to"
OWN_WORLD = frozenset(
    {
        "connect-a-server-that-needs-a-login",
        "admit-changes",
        "find-agents",
        "find-chains",
        "limit-what-follows-what",
        "replay-sessions",
        "start-from-a-pack",
        "tell-remit-the-users-words",
        "test-policies",
    }
)
"""Pages that another test runs, in a world of their own."""
PAGES = sorted(page for page in PAGES_FOLDER.glob("*.md") if page.stem not in OWN_WORLD)
BLOCK = re.compile(
    r"^```(console(?P<agent> agent)?|(cedar|yaml) (?P<file>[\w.]+))\n(?P<text>.*?)^```"
    r"|^<!-- call (?P<caller>\w+) (?P<tool>\w+) (?P<arguments>\{[^\n]*\}) -->$",
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("how-to"), hold_s=0.1) as running:
        agent = running.service.agent("clerk", "ana")
        asyncio.run(call(running.service, agent, "add", {"id": "waits", "amount": 50}))
        yield running


def shown(expected: str, output: str) -> bool:
    """Whether a line of `output` is `expected`, in which `…` stands for anything."""
    pattern = ".*".join(re.escape(part.strip()) for part in expected.split("…"))
    return re.search(pattern, output) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_shows_what_the_page_says(counting: Counting, page: Path) -> None:
    service, ran = counting.service, 0
    agent = service.agent("clerk", "ana")
    asyncio.run(call(service, agent, "add", {"id": page.stem}))
    for block in BLOCK.finditer(page.read_text("utf-8")):
        if block["file"]:
            service.write({block["file"]: block["text"]})
            continue
        if block["caller"]:
            caller = service.agent(block["caller"], "ana")
            asyncio.run(call(service, caller, block["tool"], json.loads(block["arguments"])))
            continue
        output = ""
        for line in block["text"].splitlines():
            if line.startswith("$ remit "):
                words = shlex.split(line)[2:]
                done = service.remit(*words, token=agent if block["agent"] else None)
                assert done.returncode in ({0, 4} if block["agent"] else {0, 1}), f"{line}\n{done.stderr}"
                output, ran = done.stdout + done.stderr, ran + 1
            else:
                assert shown(line, output), f"{page.name}: {line!r} is not in\n{output}"
    assert ran > 0


def test_there_are_pages() -> None:
    assert len(PAGES) >= 4

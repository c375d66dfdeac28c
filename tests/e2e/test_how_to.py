"""Every command in `docs/how-to/` is run, in order, where the tutorial ends; what it shows is what it says.

A block `console agent` runs with the token of the agent `assistant`, every other one as the admin. Where a page says
that an agent works, a comment `call AGENT TOOL ARGUMENTS` has it call a tool of `notes` for you.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.pages import PAGES_FOLDER, YES_OR_NO, command_of, run_block
from tests.e2e.shop_world import Shop, call, publish, tutored

OWN_WORLD = frozenset(
    {
        "connect-a-server-that-needs-a-login",
        "admit-changes",
        "find-agents",
        "find-chains",
        "let-an-agent-pay-small-amounts",
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
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with tutored(tmp_path_factory.mktemp("how-to")) as running:
        call(running, running.agent("assistant", "you"), "publish", {"text": "waits"})
        yield running


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_shows_what_the_page_says(shop: Shop, page: Path) -> None:
    agent, ran = shop.agent("assistant", "you"), 0
    publish(shop, agent, page.stem)
    for block in BLOCK.finditer(page.read_text("utf-8")):
        if block["file"]:
            shop.write({block["file"]: block["text"]})
            continue
        if block["caller"]:
            call(shop, shop.agent(block["caller"], "you"), block["tool"], json.loads(block["arguments"]))
            continue
        command = command_of(shop, {0, 4}, agent) if block["agent"] else command_of(shop, YES_OR_NO)
        ran += len(run_block(block["text"], command))
    assert ran > 0


def test_there_are_pages() -> None:
    assert len(PAGES) >= 4

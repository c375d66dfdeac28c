"""`docs/how-to/connect-a-server-that-needs-a-login.md`, run against a server that needs one.

A comment `browse` opens the address that the last command printed, as the person of the page does.
"""

import re
from pathlib import Path

from tests.e2e.oauth_world import PERSON, Guarded
from tests.e2e.pages import PAGES_FOLDER, command_of, run_block

BLOCK = re.compile(
    r"^```(?P<kind>console|yaml (?P<file>[\w.]+))\n(?P<text>.*?)^```|^<!-- (?P<browse>browse) -->$",
    re.MULTILINE | re.DOTALL,
)
PAGE = "connect-a-server-that-needs-a-login"


def test_every_command_of_the_page_shows_what_the_page_says(tmp_path: Path) -> None:
    ran, outputs = 0, list[str]()
    with Guarded(tmp_path, oauth=PERSON) as world:
        declared = (world.service.workspace / "resources.yaml").read_text()
        # The page declares the server itself; what else the world declares stays.
        agent, _, tool = (part for part in declared.split("---\n"))
        world.service.write({"resources.yaml": f"{agent}---\n{tool}"})
        for block in BLOCK.finditer((PAGES_FOLDER / f"{PAGE}.md").read_text("utf-8")):
            if block["file"]:
                text = block["text"].replace("https://files.example/mcp", f"{world.server}/mcp")
                world.service.write({block["file"]: text})
            elif block["browse"]:
                status, page = world.browse(outputs[-1].splitlines()[0])
                assert status == 200, page
                assert "may close" in page
            else:
                outputs = run_block(block["text"], command_of(world.service))
                ran += len(outputs)
    assert ran >= 6

"""`docs/how-to/connect-a-server-that-needs-a-login.md`, run against a server that needs one.

A comment `browse` opens the address that the last command printed, as the person of the page does.
"""

import re
import shlex
from pathlib import Path

from tests.e2e.oauth_world import PERSON, Guarded
from tests.e2e.test_how_to import PAGES_FOLDER, shown

BLOCK = re.compile(
    r"^```(?P<kind>console|yaml (?P<file>[\w.]+))\n(?P<text>.*?)^```|^<!-- (?P<browse>browse) -->$",
    re.MULTILINE | re.DOTALL,
)
PAGE = "connect-a-server-that-needs-a-login"


def test_every_command_of_the_page_shows_what_the_page_says(tmp_path: Path) -> None:
    ran, output = 0, ""
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
                status, page = world.browse(output.splitlines()[0])
                assert status == 200, page
                assert "may close" in page
            else:
                for line in block["text"].splitlines():
                    if line.startswith("$ remit "):
                        done = world.service.remit(*shlex.split(line)[2:])
                        assert done.returncode in {0, 1}, f"{line}\n{done.stderr}"
                        output, ran = done.stdout + done.stderr, ran + 1
                    else:
                        assert shown(line, output), f"{line!r} is not in\n{output}"
    assert ran >= 6

"""`docs/tutorial/`: the second part of the first run, and what goes on from it in a server of one's own.

Files are written where the page says, the server and the client run, commands show what the page says. `PIN` and
`ID` stand for what the command before printed; `/home/you` for the test's folder, its interpreter for ours.
"""

import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

from proof.child import end
from proof.service import environment
from tests.e2e.pages import shown
from tests.e2e.shop_world import BLOCK, PAGES, Shop
from tests.eventually import WITHIN_S, awaited

OURS = "$ .venv/bin/remit "


def test_what_the_first_run_has_you_type_makes_the_service_that_the_next_page_goes_on_from(tmp_path: Path) -> None:
    service, ran = Shop(tmp_path), list[str]()
    _, part = (PAGES / "first-run.md").read_text("utf-8").split("## 2. Your own")
    try:
        for line in part.splitlines():
            if not line.startswith(OURS):
                continue
            command, *words = shlex.split(line.removeprefix(OURS))
            ran.append(command)
            if command == "up":
                assert words == ["--workspace", service.workspace.name, "--data", service.data.name, "--port", "7171"]
                service.start()
            else:
                done = service.remit(command, *words)
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    finally:
        service.stop()
    assert ran == ["init", "up", "doctor", "get", "ledger"]
    assert (service.workspace / "servers.yaml").is_file()


def test_what_the_pages_have_you_make_in_the_clone_is_ignored() -> None:
    root = PAGES.parents[1]
    ignored = [line.strip("/") for line in (root / ".gitignore").read_text("utf-8").splitlines() if line]
    pages = [*PAGES.glob("*.md"), root / "docs" / "how-to" / "operate-the-service.md"]
    asked = re.compile(r"remit (?:init|ledger backup) ([\w.-]+)|--(?:save|data) ([\w.-]*-data|[\w.-]+\.token)")
    made = {one[1] or one[2] for page in pages for one in asked.finditer(page.read_text("utf-8"))}
    assert {"shop", "shop-data", "agent.token", "ledger-backup.sqlite3"} <= made
    assert [name for name in made if not any(fnmatch(name, pattern) for pattern in ignored)] == []


def test_every_file_and_command_of_the_page_does_what_the_page_says(tmp_path: Path) -> None:
    service, ran, output = Shop(tmp_path), 0, ""
    assert service.remit("init", "shop").returncode == 0
    client: subprocess.Popen[str] | None = None
    service.start()
    try:
        for block in BLOCK.finditer((PAGES / "your-own-server.md").read_text("utf-8")):
            if block["file"]:
                service.put(block["file"], block["text"])
            elif block["act"] == "start":
                command = [sys.executable, block["what"]]
                client = subprocess.Popen(
                    command, cwd=tmp_path, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
                )
                awaited(lambda running=client: running.poll() is not None or service.told("approvals", "ls"))
                assert client.poll() is None, client.communicate(timeout=WITHIN_S)
            elif block["act"] == "prints":
                assert client is not None
                printed, errors = client.communicate(timeout=WITHIN_S)
                assert printed.strip() == block["what"], errors
            else:
                for line in block["text"].splitlines():
                    if line.startswith("$ remit "):
                        output, ran = service.type(line, output), ran + 1
                    else:
                        assert shown(line, output), f"{line!r} is not in\n{output}"
        assert ran >= 9
    finally:
        if client is not None:
            end(client)
        service.stop()

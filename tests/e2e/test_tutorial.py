"""`docs/tutorial/`: the second part of the first run, and what goes on from it in a server of one's own.

Files are written where the page says, the server and the client run, commands show what the page says. `PIN` and
`ID` stand for what the command before printed; `/home/you` for the test's folder, its interpreter for ours.
"""

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from proof.service import Service, environment
from tests.e2e.test_how_to import shown

PAGES = Path(__file__).parents[2] / "docs" / "tutorial"
OURS = "$ .venv/bin/remit "
BLOCK = re.compile(
    r"^```(?P<kind>console|python|yaml) ?(?P<file>[\w./]+)?\n(?P<text>.*?)^```"
    r"|^<!-- (?P<act>start|prints) (?P<what>[^\n]+) -->$",
    re.MULTILINE | re.DOTALL,
)


class Shop(Service):
    """The service of the first run."""

    @property
    def workspace(self) -> Path:
        return self.root / "shop"

    @property
    def data(self) -> Path:
        return self.root / "shop-data"


def run(service: Service, line: str, before: str) -> str:
    """What the command of `line` prints; it may name what `before`, the output so far, holds."""
    for word, pattern in (("PIN", r"sha256:[0-9a-f]{64}"), ("ID", r"\br[0-9a-z]+-\d+\.\d+\b")):
        if word in line.split():
            line = line.replace(f" {word}", f" {re.findall(pattern, before)[0]}")
    done = service.remit(*shlex.split(line)[2:])
    assert done.returncode in {0, 1}, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


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


def test_every_file_and_command_of_the_page_does_what_the_page_says(tmp_path: Path) -> None:
    service, ran, output = Shop(tmp_path), 0, ""
    assert service.remit("init", "shop").returncode == 0
    client: subprocess.Popen[str] | None = None
    service.start()
    try:
        for block in BLOCK.finditer((PAGES / "your-own-server.md").read_text("utf-8")):
            if block["file"]:
                text = block["text"].replace("http://127.0.0.1:7171", service.url)
                text = text.replace("/home/you/tools/bin/python", sys.executable).replace("/home/you", str(tmp_path))
                (tmp_path / block["file"]).write_text(text, "utf-8")
            elif block["act"] == "start":
                command = [sys.executable, block["what"]]
                client = subprocess.Popen(
                    command, cwd=tmp_path, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
                )
                deadline = time.monotonic() + 30
                while not service.told("approvals", "ls"):
                    assert client.poll() is None, client.communicate()
                    assert time.monotonic() < deadline, "the client asks for nothing"
            elif block["act"] == "prints":
                assert client is not None
                printed, errors = client.communicate(timeout=30)
                assert printed.strip() == block["what"], errors
            else:
                for line in block["text"].splitlines():
                    if line.startswith("$ remit "):
                        output, ran = run(service, line, output), ran + 1
                    else:
                        assert shown(line, output), f"{line!r} is not in\n{output}"
        assert ran >= 9
    finally:
        if client is not None and client.poll() is None:
            client.kill()
            client.wait(10)
        service.stop()

"""`docs/tutorial/your-own-server.md`: its files are written, its server and client run, its commands show what it says.

`PIN` and `ID` stand for what the command before printed; `/home/you` for the test's folder, its interpreter for ours.
"""

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from proof.service import Service, environment
from tests.e2e.test_how_to import shown

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "your-own-server.md"
BLOCK = re.compile(
    r"^```(?P<kind>console|python|yaml) ?(?P<file>[\w.]+)?\n(?P<text>.*?)^```"
    r"|^<!-- (?P<act>start|prints) (?P<what>[^\n]+) -->$",
    re.MULTILINE | re.DOTALL,
)


def run(service: Service, line: str, before: str) -> str:
    """What the command of `line` prints; it may name what `before`, the output so far, holds."""
    for word, pattern in (("PIN", r"sha256:[0-9a-f]{64}"), ("ID", r"\br[0-9a-z]+-\d+\.\d+\b")):
        if word in line.split():
            line = line.replace(f" {word}", f" {re.findall(pattern, before)[0]}")
    done = service.remit(*shlex.split(line)[2:])
    assert done.returncode in {0, 1}, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_every_file_and_command_of_the_page_does_what_the_page_says(tmp_path: Path) -> None:
    service, ran, output = Service(tmp_path), 0, ""
    assert service.remit("init", "workspace").returncode == 0
    client: subprocess.Popen[str] | None = None
    service.start()
    try:
        for block in BLOCK.finditer(PAGE.read_text("utf-8")):
            if block["file"]:
                text = block["text"].replace("http://127.0.0.1:7171", service.url)
                text = text.replace("/home/you/tools/bin/python", sys.executable).replace("/home/you", str(tmp_path))
                (tmp_path / ("workspace" if block["kind"] == "yaml" else ".") / block["file"]).write_text(text, "utf-8")
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

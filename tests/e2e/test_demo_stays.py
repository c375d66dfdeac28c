"""`make run` is the demo without `--exit`: once the story is told, the service stays up and can be asked."""

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from remit.app.demo import install

ROOT = Path(__file__).resolve().parents[2]


def test_make_run_is_the_demo_that_stays() -> None:
    recipe = re.search(r"^run:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert recipe is not None
    assert recipe[1].rstrip().endswith("remit demo $(if $(REMIT_DEMO_EXIT),--exit)")


def tour() -> list[list[str]]:
    """The commands of the README's two minutes."""
    readme = (ROOT / "README.md").read_text("utf-8")
    block = readme.partition("## Two minutes")[2].partition("```\n")[2].partition("```")[0]
    found = [shlex.split(line)[1:] for line in block.splitlines() if line.startswith("remit ")]
    assert len(found) >= 6
    return found


@pytest.mark.timeout(600)
def test_after_the_story_the_service_stays_up_until_it_is_interrupted(tmp_path: Path) -> None:
    install.install(install.wanted(), print)
    remit = Path(sys.executable).with_name("remit")
    env = os.environ | {"TMPDIR": str(tmp_path), "NO_COLOR": "1"}
    with subprocess.Popen(
        [remit, "demo", "--port", "0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env,
    ) as demo:  # fmt: skip
        try:
            assert demo.stderr is not None
            told = ""
            for line in demo.stderr:
                told += line
                if line.startswith("tokens: "):
                    break
            found = re.search(r"Remit stays up at (\S+) until Ctrl-C", told)
            tokens = re.search(r"^tokens: (\S+)", told, re.MULTILINE)
            assert found is not None, told
            assert tokens is not None, told
            with urllib.request.urlopen(f"{found[1]}/readyz", timeout=10) as answer:
                assert answer.status == 200
            (token,) = Path(tokens[1]).glob("admin*")
            asked = subprocess.run(
                [remit, "get", "agents", "-o", "name", "--token-file", token],
                env=env | {"REMIT_URL": found[1]}, capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert "clerk" in asked.stdout.split()
            verdicts: list[str] = []
            for words in tour():
                done = subprocess.run(
                    [remit, *words, "--token-file", token],
                    env=env | {"REMIT_URL": found[1]}, capture_output=True, text=True, check=False,
                )  # fmt: skip
                assert done.returncode == (1 if words[0] == "can" and verdicts else 0), f"{words}\n{done.stderr}"
                verdicts += done.stdout.split()[:1] if words[0] == "can" else []
            assert verdicts == ["permit", "deny", "escalate"]
            demo.send_signal(signal.SIGINT)
            assert "ended. The record is kept: remit ledger verify --data" in demo.stderr.read()
            assert demo.wait(60) == 0
        finally:
            if demo.poll() is None:
                demo.kill()

"""`make run` is the demo without `--exit`: once the story is told, the service stays up and can be asked."""

import re
import shlex
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.demo_world import REMIT, demo
from tests.eventually import WITHIN_S

ROOT = Path(__file__).resolve().parents[2]


def test_make_run_is_the_demo_that_stays() -> None:
    recipe = re.search(r"^run:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert recipe is not None
    assert recipe[1].rstrip().endswith("remit demo $(if $(REMIT_DEMO_EXIT),--exit) $(ARGS)")


def tour() -> list[list[str]]:
    """The commands of the README's two minutes."""
    readme = (ROOT / "README.md").read_text("utf-8")
    block = readme.partition("## Two minutes")[2].partition("```\n")[2].partition("```")[0]
    found = [shlex.split(line)[1:] for line in block.splitlines() if line.startswith("remit ")]
    assert len(found) >= 6
    return found


@pytest.mark.timeout(600)
def test_after_the_story_the_service_stays_up_until_it_is_interrupted(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        with urllib.request.urlopen(f"{running.url}/readyz", timeout=WITHIN_S) as answer:
            assert answer.status == 200
        env, token = running.env | {"REMIT_URL": running.url}, running.token_file
        listed = [REMIT, "get", "agents", "-o", "name", "--token-file", token]
        asked = subprocess.run(listed, env=env, capture_output=True, text=True, check=True)
        assert "clerk" in asked.stdout.split()
        verdicts: list[str] = []
        for words in tour():
            command = [REMIT, *words, "--token-file", token]
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == (1 if words[0] == "can" and verdicts else 0), f"{words}\n{done.stderr}"
            verdicts += done.stdout.split()[:1] if words[0] == "can" else []
        assert verdicts == ["permit", "deny", "escalate"]
        assert "ended. The record is kept: remit ledger verify --data" in running.interrupt()

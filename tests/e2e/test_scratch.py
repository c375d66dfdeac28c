"""Temporary folders: gone at the end, and after a kill at the next start; what others hold or own stays."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.child import child
from proof.service import WITHIN_S, environment
from remit.app.data.scratch import scratch

PREFIX = "remit-attack-"
HOLDING = f"""
from remit.app.data.scratch import scratch
with scratch({PREFIX!r}) as folder:
    (folder / "something").write_text("x")
    print(folder, flush=True)
    input()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def holding(temporary: Path) -> Iterator["subprocess.Popen[str]"]:
    told = environment() | {"TMPDIR": str(temporary)}
    command = [sys.executable, "-c", HOLDING]
    process = subprocess.Popen(command, env=told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with child(process):
        yield process


def test_what_a_killed_process_left_goes_at_the_next_start_and_what_is_held_stays(
    temporary: Path, holding: "subprocess.Popen[str]"
) -> None:
    assert holding.stdout is not None
    folder = Path(holding.stdout.readline().strip())
    with scratch(PREFIX) as mine:
        assert mine.parent.stat().st_mode & 0o077 == 0
        assert (folder / "something").exists(), "it is in use"
        with scratch("remit-look-"):
            assert mine.exists()
    assert not mine.parent.exists()
    holding.kill()
    holding.wait(WITHIN_S)
    assert (folder / "something").exists(), "nobody was left to remove it"
    with scratch("remit-look-"):
        assert folder.exists(), "it is of another kind"
    with scratch(PREFIX):
        assert not folder.parent.exists()
    assert list(temporary.iterdir()) == []


def test_what_is_not_known_to_be_left_behind_stays(temporary: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "held").touch()
    (temporary / f"{PREFIX}link").symlink_to(precious)
    (temporary / f"{PREFIX}file").touch()
    begun = temporary / f"{PREFIX}begun"
    begun.mkdir()
    linked = temporary / f"{PREFIX}linked"
    linked.mkdir()
    (linked / "held").symlink_to(precious / "held")
    before = sorted(temporary.iterdir())
    with scratch(PREFIX):
        pass
    assert sorted(temporary.iterdir()) == before

"""The make targets and the test runner as a newcomer meets them: real processes, a bare machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
OURS: Final = dict(os.environ, PYTHONPATH=str(ROOT))
"""An environment in which a copy of `conftest.py` finds what it imports."""
LEFT_OUT: Final = """
import pytest

def test_runs(): ...

def test_lacks(): pytest.skip("no such tool here")

@pytest.mark.xfail(reason="not yet")
def test_fails(): assert False
"""
HUNG: Final = """
import threading

def test_waits():
    never = threading.Event()
    try:
        never.wait()
    finally:
        never.wait()

def test_runs(): ...
"""
HUNG_IN_A_LOOP: Final = """
import asyncio
import threading

import pytest
import pytest_asyncio

async def waits(name):
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        print(f"{name} cleans up")
        await asyncio.Event().wait()

@pytest.mark.asyncio
async def test_waits(): await waits("a test")

@pytest.mark.asyncio
async def test_goes_on():
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        print("a test goes on")

def test_begins_a_loop(): asyncio.run(waits("a loop"))

@pytest.mark.asyncio
async def test_blocks(): threading.Event().wait()

@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def left():
    yield
    await waits("a fixture")

@pytest.mark.asyncio(loop_scope="module")
async def test_runs(left): ...

@pytest.mark.asyncio
async def test_runs_too(): await asyncio.sleep(0)
"""
HUNG_BROWSER: Final = """
from tests.e2e.browsing import browser

def test_waits():
    with browser() as found:
        found.new_page().evaluate("() => new Promise(() => undefined)")

def test_runs(): ...
"""


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment of Python and make: an empty HOME, a PATH of two links, no Python of the system's."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make on PATH")
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "make").symlink_to(make)
    (tmp_path / "path" / "python3").symlink_to(Path(sys.executable).resolve())
    return {"HOME": str(tmp_path), "PATH": str(tmp_path / "path"), "SYSTEM_PYTHON": ""}


def run(command: list[str], folder: Path, env: dict[str, str]) -> tuple[int, str]:
    """Run a command; return its exit code and all that it printed."""
    done = subprocess.run(
        command, cwd=folder, env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def repository(folder: Path) -> Path:
    """Copy what set-up reads into `folder`, without a `.venv`."""
    for name in ("Makefile", "pyproject.toml", "tools", "requirements"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    return folder


def test_make_helps_on_a_bare_machine(tmp_path: Path, bare: dict[str, str]) -> None:
    (tmp_path / "tree").mkdir()
    code, said = run(["make"], repository(tmp_path / "tree"), bare)
    assert code == 0, said
    assert "make test" in said


def test_a_machine_without_python_is_told_what_to_do(tmp_path: Path, bare: dict[str, str]) -> None:
    Path(bare["PATH"], "python3").unlink()
    (tmp_path / "tree").mkdir()
    code, said = run(["make", "test"], repository(tmp_path / "tree"), bare)
    assert code != 0
    assert "needs Python 3.11 or newer" in said
    assert "next: " in said


@pytest.mark.parametrize("makes_environments", [True, False])
def test_the_systems_python_comes_first_where_it_can_make_an_environment(
    tmp_path: Path, bare: dict[str, str], *, makes_environments: bool
) -> None:
    (tmp_path / "tree").mkdir()
    system = tmp_path / "system"
    missing = "" if makes_environments else "case $3 in *ensurepip*) exit 1 ;; esac\n"
    system.write_text(f'#!/bin/sh\n{missing}[ "$1" = -IS ] || echo by the system\n')
    system.chmod(0o755)
    code, said = run(["make", "help"], repository(tmp_path / "tree"), bare | {"SYSTEM_PYTHON": str(system)})
    assert code == 0, said
    assert ("by the system" in said, "make test" in said) == (makes_environments, not makes_environments)


def test_a_failed_set_up_says_what_why_and_what_next(tmp_path: Path, bare: dict[str, str]) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    repository(tree)
    uv = Path(bare["PATH"], "uv")
    uv.write_text('#!/bin/sh\n[ "$1" = --version ] || { echo "no way to the index" >&2; exit 1; }\n')
    uv.chmod(0o755)
    code, said = run(["make", "test"], tree, bare)
    assert code != 0
    assert "setup failed: cannot install requirements/dev.txt\n  why: no way to the index\n  next: " in said
    assert not (tree / ".venv" / "remit-setup.json").exists()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_is_not_run_is_listed_and_fails_where_all_must_run(tmp_path: Path, workers: str) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "conftest.py")
    (tmp_path / "test_left_out.py").write_text(LEFT_OUT)
    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider"]
    command += ["--rootdir", str(tmp_path)]
    code, said = run(command, tmp_path, dict(OURS, REMIT_ALL=""))
    assert code == 0, said
    assert "test_left_out.py::test_lacks: skipped: no such tool here" in said
    assert "test_left_out.py::test_fails: expected to fail: not yet" in said
    code, said = run(command, tmp_path, dict(OURS, REMIT_ALL="1"))
    assert code == 1, said
    assert "2 not run is a failure" in said
    code, said = run([*command, "-k", "runs"], tmp_path, dict(OURS, REMIT_ALL="1"))
    assert code == 1, said
    assert "2 tests: deselected on the command line" in said


def test_a_test_that_outlives_its_time_limit_is_named_and_the_rest_is_run(tmp_path: Path) -> None:
    (tmp_path / "test_hung.py").write_text(HUNG)
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:randomly", "-o", f"cache_dir={tmp_path}/cache"]
    command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    command += ["-o", "timeout=1", "-o", "faulthandler_timeout=3", str(tmp_path)]
    code, said = run(command, tmp_path, dict(os.environ))
    assert code == 1, said
    assert "in test_waits" in said
    assert "crashed while running 'test_hung.py::test_waits'" in said
    assert "1 failed, 1 passed" in said


def limited(folder: Path, tests: str, seconds: int) -> tuple[int, str]:
    """What a run of `tests` comes to and says, with our conftest, where each has so many seconds."""
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "conftest.py")
    (folder / "test_hung.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"]
    return run([*command, "--timeout", str(seconds), "--rootdir", str(folder), str(folder)], folder, OURS)


def test_a_clean_up_that_waits_is_interrupted_as_the_test_was(tmp_path: Path) -> None:
    code, said = limited(tmp_path, HUNG, 1)
    assert code == 1, said
    assert "1 failed, 1 passed" in said


def test_what_waits_in_a_loop_is_cancelled_and_so_are_its_clean_ups(tmp_path: Path) -> None:
    code, said = limited(tmp_path, HUNG_IN_A_LOOP, 3)
    assert code == 1, said
    assert "4 failed, 2 passed, 1 error" in said
    for name in ("a test cleans up", "a test goes on", "a loop cleans up", "a fixture cleans up"):
        assert f"\n{name}\n" in said
    assert "cancelled, it ended with CancelledError" in said
    assert "cancelled, it went on to its end" in said
    assert "_ test_blocks _" in said
    assert "was destroyed but it is pending" not in said, "a task was left where it waited"


def test_a_browser_that_does_not_answer_is_killed(tmp_path: Path) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("needs chromium: apt-get install chromium")
    code, said = limited(tmp_path, HUNG_BROWSER, 10)
    assert code == 1, said
    assert "TargetClosedError" in said
    assert "1 failed, 1 passed" in said

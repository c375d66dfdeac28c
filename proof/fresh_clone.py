"""What a newcomer does: clone, `make test`, `make run`, on a machine with Python and make and nothing else.

HEAD is cloned to a temporary folder. HOME is empty, PATH is one folder that holds `python3` and `make`, and nothing
else of this environment is passed on. What the targets print goes to stderr; the figure is how long each took.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from proof.machine import ROOT
from proof.verdict import say

TARGETS: Final[tuple[tuple[str, dict[str, str]], ...]] = (("test", {}), ("run", {"REMIT_DEMO_EXIT": "1"}))
GOAL: Final = "make test and make run exit 0"


def bare_path(folder: Path) -> Path:
    """Fill `folder` with `python3` and `make`, the only programs of the machine; raises RuntimeError without make."""
    make = shutil.which("make")
    if make is None:
        raise RuntimeError("no make on PATH")
    folder.mkdir()
    base: str = getattr(sys, "_base_executable", sys.executable)
    (folder / "python3").symlink_to(Path(base).resolve())
    (folder / "make").symlink_to(Path(make).resolve())
    return folder


def clone(into: Path) -> None:
    """Clone HEAD, without what is not committed; raises CalledProcessError, OSError."""
    subprocess.run(["git", "clone", "--quiet", "--no-local", str(ROOT), str(into)], check=True, stdout=sys.stderr)


def make(target: str, folder: Path, env: dict[str, str]) -> float:
    """Run one make target, its output on stderr; return its seconds, or raise RuntimeError."""
    started = time.monotonic()
    done = subprocess.run([env["PATH"] + "/make", target], cwd=folder, env=env, check=False, stdout=sys.stderr)
    seconds = time.monotonic() - started
    if done.returncode != 0:
        raise RuntimeError(f"make {target} exited {done.returncode} after {seconds:.0f} s")
    return seconds


def main() -> int:
    """Clone, make, and print the verdict."""
    done: list[str] = []
    with tempfile.TemporaryDirectory(prefix="remit-clone-", ignore_cleanup_errors=True) as temporary:
        root = Path(temporary)
        home = root / "home"
        home.mkdir()
        try:
            clone(root / "remit")
            env = {"HOME": str(home), "PATH": os.fspath(bare_path(root / "path"))}
            for target, more in TARGETS:
                seconds = make(target, root / "remit", env | more)
                done.append(f"make {target} {seconds:.0f} s")
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            return say(", ".join((*done, str(error))), GOAL, passed=False)
    return say(", ".join(done), GOAL, passed=True)


if __name__ == "__main__":
    sys.exit(main())

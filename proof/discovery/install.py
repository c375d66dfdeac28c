"""Clients and repositories from pinned packages, under `build/discovery`; nothing of theirs is committed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proof.conformance.install import NODE, NPM
from proof.machine import ROOT
from tools.setup_env import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PINS: Final = Path(__file__).parent / "pins"
MADE: Final = ROOT / "build" / "discovery"
NODE_PACKAGES: Final = MADE / "npm" / "node_modules"
PYTHON_PACKAGES: Final = MADE / "pypi"
INSTALL_S: Final = 600


class InstallError(Exception):
    """What could not be installed, and why; the way to a registry is the usual reason."""


def installed() -> None:
    """Make what is missing, or was made from other pins; raises InstallError."""
    MADE.mkdir(parents=True, exist_ok=True)
    _once("npm", (PINS / "package-lock.json").read_bytes(), _from_npm)
    _once("pypi", (PINS / "pypi.txt").read_bytes(), _from_pypi)


def _once(name: str, pins: bytes, make: Callable[[Path], None]) -> None:
    stamp, digest = MADE / f"{name}.made", hashlib.sha256(pins).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(MADE / name, ignore_errors=True)
    (MADE / name).mkdir()
    print(f"discovery: installing the pinned packages from {name}", file=sys.stderr, flush=True)
    make(MADE / name)
    stamp.write_text(digest)


def _from_npm(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINS / name, folder / name)
    # No package may run a script of its own here.
    options = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress")
    _run([str(NODE), str(NPM), *options], folder, "the packages from npm")


def _from_pypi(folder: Path) -> None:
    options = ("--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(folder))
    _run([sys.executable, "-m", "uv", "pip", "install", *options, "-r", str(PINS / "pypi.txt")], folder, "the wheels")


def _run(command: Sequence[str], folder: Path, what: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment(), check=False, capture_output=True, text=True, timeout=INSTALL_S
    )
    if done.returncode != 0:
        raise InstallError(f"cannot install {what}: {done.stderr.strip() or done.stdout.strip()}")

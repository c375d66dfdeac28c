"""Interpreters in environments of their own, for what must not meet the project's packages."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def interpreter(home: Path, lock: Path, what: str) -> str:
    """The interpreter of the environment at `home`, installed from its hashed `lock` when not there yet.

    Raises CalledProcessError where `what` cannot be installed.
    """
    stamp, digest = home / "installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    python = home / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"installing {what} once into {home}", flush=True)
        venv.create(home, clear=True, with_pip=False)
        options = ("--quiet", "--compile-bytecode", "--require-hashes", "--python", str(python), "-r", str(lock))
        subprocess.run([sys.executable, "-m", "uv", "pip", "install", *options], check=True)
        stamp.write_text(digest)
    return str(python)

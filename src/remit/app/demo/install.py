"""Install the demo's public tool servers once, each into an environment of its own.

Every environment has a hashed lock in `servers/` and a folder in the cache named after what is
in it: lock, interpreter and platform. A stamp is written last, so an installation that was
interrupted is made anew and a finished one is never touched again. The install runs with the
full environment of the caller (mirrors, proxies, certificates); what runs the servers later
must scrub it.
"""

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import ssl
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from remit.app.terminal.failure import CommandFailure, Exit

INSTALL_S_MAX: Final = 600
STAMP: Final = "installed.sha256"
AGENT: Final = "agent"
SERVERS: Final = ("filesystem", "web", "time")
GIT: Final = "git"
ADVICE_NETWORK: Final = "check the way to a Python package index (proxy, certificates), then: remit demo"
ADVICE_VENV: Final = f"{sys.executable} -m pip install uv (or install your system's python3-venv), then: remit demo"


@dataclass(frozen=True, slots=True)
class VirtualEnvironment:
    """One installed environment: its short name (`web`) and its folder."""

    name: str
    folder: Path

    @property
    def bin(self) -> Path:
        """The folder of its console scripts. It holds no `node`, so it makes a safe PATH."""
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.bin / "python"


def default_cache() -> Path:
    """Where environments are kept unless the caller says otherwise."""
    return Path(platformdirs.user_cache_dir("remit")) / "demo"


def runnable_servers() -> tuple[str, ...]:
    """The servers this machine can run: git's needs a `git` that answers (macOS has one that does not)."""
    git = shutil.which("git")
    answers = git and subprocess.run([git, "--version"], capture_output=True, check=False).returncode == 0
    return (*SERVERS, GIT) if answers else SERVERS


def install(
    names: Iterable[str], say: Callable[[str], None], cache: Path | None = None
) -> Mapping[str, VirtualEnvironment]:
    """Make every environment of `names` that is not there yet; `say` gets one line for each step.

    Raises:
        Failure: no tool to install with, no package index, or a hash that does not match.
    """
    root = (cache or default_cache()).absolute()
    environments: dict[str, VirtualEnvironment] = {}
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _alone(root):
            for name in names:
                environments[name] = _ensure(name, root, say)
    except OSError as error:
        raise CommandFailure(
            f"cannot write the demo's tool servers to {root}",
            why=error.strerror or str(error),
            next="XDG_CACHE_HOME=DIR remit demo, with a folder that can be written to",
            exit=Exit.USAGE,
        ) from error
    return environments


def agent_python(say: Callable[[str], None]) -> Path:
    """An interpreter that has the MCP client (`mcp` 2.x): the running one, or one made for it."""
    try:
        if importlib.metadata.version("mcp").startswith("2."):
            return Path(sys.executable)
    except importlib.metadata.PackageNotFoundError:
        pass
    return install((AGENT,), say)[AGENT].python


def lock_text(name: str) -> str:
    """The hashed requirements of the environment `name`."""
    return _lock(name).read_text("utf-8")


def release(name: str) -> str:
    """What is installed as `name`, for people: `mcp-server-fetch 2026.10.24`."""
    return _lock(name).with_suffix(".in").read_text("utf-8").strip().replace("==", " ")


def _lock(name: str) -> Path:
    return Path(__file__).with_name("servers") / f"{name}.txt"


def _digest(name: str) -> str:
    interpreter = f"{sys.version_info[:3]} {sysconfig.get_platform()} {sys.base_prefix}"
    return hashlib.sha256(f"{interpreter}\n{lock_text(name)}".encode()).hexdigest()


def _ensure(name: str, root: Path, say: Callable[[str], None]) -> VirtualEnvironment:
    digest = _digest(name)
    environment = VirtualEnvironment(name, root / f"{name}-{digest[:12]}")
    stamp = environment.folder / STAMP
    if stamp.is_file() and stamp.read_text("utf-8") == digest and environment.python.exists():
        return environment
    say(f"installing {release(name)}")
    started = time.monotonic()
    shutil.rmtree(environment.folder, ignore_errors=True)
    _populate(environment)
    stamp.write_text(digest, "utf-8")
    say(f"installed {release(name)} in {time.monotonic() - started:.1f} s")
    return environment


def _populate(environment: VirtualEnvironment) -> None:
    """Both ways check every hash, build nothing from source, and compile the byte-code."""
    lock = str(_lock(environment.name))
    uv = Path(sys.executable).with_name("uv")
    folder, python = str(environment.folder), str(environment.python)
    if uv.exists():
        checked = ["--require-hashes", "--no-build", "--compile-bytecode", "-r", lock]
        _run(environment, [str(uv), "venv", "--quiet", "--python", sys.executable, folder])
        _run(environment, [str(uv), "pip", "install", "--quiet", "--python", python, *checked])
    else:
        checked = ["--require-hashes", "--only-binary=:all:", "--compile", "-r", lock]
        _run(environment, [sys.executable, "-m", "venv", folder])
        _run(environment, [python, "-m", "pip", "--quiet", "install", *checked])


def _run(environment: VirtualEnvironment, command: list[str]) -> None:
    what = f"cannot install {release(environment.name)}"
    try:
        completed = subprocess.run(
            command,
            cwd=environment.folder.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_environment(),
            timeout=INSTALL_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        why = f"not done after {INSTALL_S_MAX} s"
        raise CommandFailure(what, why=why, next=ADVICE_NETWORK, exit=Exit.TIMEOUT) from error
    if completed.returncode == 0:
        return
    lines = [line.strip() for line in completed.stdout.splitlines() if line.strip()]
    why = "\n        ".join(lines[-4:]) or f"{Path(command[0]).name} ended with {completed.returncode}"
    following = ADVICE_VENV if "ensurepip" in completed.stdout else ADVICE_NETWORK
    raise CommandFailure(what, why=why, next=following, exit=Exit.UNREACHABLE)


def _environment() -> dict[str, str]:
    """Ours, with uv told to trust what the machine trusts.

    uv has certificates of its own, which fail where a company's proxy signs anew.
    """
    env = dict(os.environ)
    folder = ssl.get_default_verify_paths().capath
    has_certificates = ssl.create_default_context().cert_store_stats()["x509_ca"] > 0
    if has_certificates or (folder and any(Path(folder).iterdir())):
        env.setdefault("UV_SYSTEM_CERTS", "1")
    return env


@contextmanager
def _alone(root: Path) -> Generator[None]:
    """Two demos at once install one after the other; the second finds the first one's work."""
    with (root / "install.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield

"""The real service as a process beside this one: `remit up` on a folder laid out for it, its tokens in files."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from remit.app.settings import DEFAULT_HOST
from remit.app.terminal.client import ServiceClient, read_token
from remit.app.terminal.failure import CommandFailure, Exit

REMIT: Final = (sys.executable, "-m", "remit.app.main")
START_S_MAX: Final = 120.0
"""The end of what never comes: one that dies is told at once, and a busy machine takes tens of seconds."""
STOP_S_MAX: Final = 15.0
TOKEN_S: Final = 8 * 3600
LOG_LINES_SHOWN: Final = 6
ADMIN: Final = re.compile(r"remit_admin_[\w-]+")
ADDRESS: Final = re.compile(r"governs at (?P<url>http://[^/\s]+)/mcp")


@dataclass(frozen=True, slots=True)
class ServiceFolder:
    """Where it runs: a folder that holds its workspace, its data, its log, and a file for each token."""

    root: Path

    @property
    def workspace(self) -> Path:
        """Resources, policies and lock."""
        return self.root / "workspace"

    @property
    def data(self) -> Path:
        """The service's data folder."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """What the service says on standard error, without its admin token."""
        return self.root / "service.log"

    def token(self, name: str) -> Path:
        """The file of one token, as `agent-clerk`."""
        return self.root / "tokens" / f"{name}.token"

    def make(self) -> None:
        """Make the folders that are filled from outside, readable by this user alone where tokens lie."""
        self.token("agent").parent.mkdir(mode=0o700)
        self.workspace.mkdir()


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A running service: where it answers, its process, and the place that holds its tokens."""

    url: str
    process: "subprocess.Popen[str]"
    place: ServiceFolder

    @property
    def mcp(self) -> str:
        """The address that agents are given."""
        return f"{self.url}/mcp"

    def client(self, token: str) -> ServiceClient:
        """The control API, as whoever holds the token in the file `token` names."""
        return ServiceClient(read_token(self.place.token(token)), self.url)

    def mint(self, kind: str, name: str, user: str | None = None) -> None:
        """Have a token minted and keep it in the file `KIND-NAME`."""
        body = {"kind": kind, "name": name, "ttl_s": TOKEN_S}
        answer = self.client("admin").post("/tokens", body | ({"user": user} if user else {}))
        _keep(self.place.token(f"{kind}-{name}"), str(answer["token"]))


@contextmanager
def running(place: ServiceFolder, port: int, program: Sequence[str] = REMIT) -> Generator[ServiceProcess]:
    """`remit up` at `place` until the block ends; `port` 0 takes a free one. Raises `CommandFailure`.

    It ends with this process, too, also where that is killed.
    """
    command = [*program, "up", "--while-stdin"]
    command += ["--workspace", str(place.workspace), "--data", str(place.data), "--port", str(port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        output = _ServiceOutput(place)
        listener = threading.Thread(target=output.listen, args=(process,), daemon=True)
        listener.start()
        try:
            if not output.settled.wait(START_S_MAX) or output.url is None:
                raise CommandFailure(
                    "the service did not start",
                    why="\n        ".join(output.lines[-LOG_LINES_SHOWN:]) or f"no word for {START_S_MAX:.0f} s",
                    next=f"remit up --workspace {place.workspace} --data {place.data}",
                    exit=Exit.UNREACHABLE,
                )
            yield ServiceProcess(output.url, process, place)
        finally:
            _stop(process)
            listener.join(STOP_S_MAX)


def is_free(port: int) -> bool:
    """Whether the service could listen on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((DEFAULT_HOST, port))
        except OSError:
            return False
    return True


@dataclass(slots=True)
class _ServiceOutput:
    """What the service says while it starts. The admin token goes to its file, not to the log."""

    place: ServiceFolder
    url: str | None = None
    lines: list[str] = field(default_factory=list[str])
    settled: threading.Event = field(default_factory=threading.Event)

    def listen(self, process: "subprocess.Popen[str]") -> None:
        with self.place.log.open("w", encoding="utf-8") as log:
            for line in process.stderr or ():
                if token := ADMIN.search(line):
                    _keep(self.place.token("admin"), token[0])
                line = ADMIN.sub("(kept in a file)", line)  # noqa: PLW2901 (nothing after this sees the token)
                self.lines.append(line.rstrip())
                log.write(line)
                log.flush()
                if match := ADDRESS.search(line):
                    self.url = match["url"]
                    self.settled.set()
        self.settled.set()


def _keep(path: Path, token: str) -> None:
    path.touch(mode=0o600)
    path.write_text(token + "\n", "utf-8")


def _stop(process: "subprocess.Popen[str]") -> None:
    """Ask the service to drain; what does not end is killed."""
    for end in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.send_signal(end)
            process.wait(STOP_S_MAX)
            return

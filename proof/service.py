"""A real service in a process of its own, for tests, proofs and measurements.

`Service` writes a workspace, runs `remit up` on a free port, mints credentials through its API, which spares a
process for each, and ends by its process id.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

REMIT: Final = Path(sys.executable).with_name("remit")
WITHIN_S: Final = 60.0
"""How long what is waited for may take: no measure, the end of what never comes."""


def free_port() -> int:
    """A TCP port on loopback that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Service:
    """`remit up` over `root/workspace` and `root/data`, with a `name` `root/NAME` and `root/NAME-data`.

    `admin` is known after the first start.
    """

    root: Path
    port: int = field(default_factory=free_port)
    flags: tuple[str, ...] = ()
    admin: str = ""
    name: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def workspace(self) -> Path:
        """The workspace folder."""
        return self.root / (self.name or "workspace")

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.root / (f"{self.name}-data" if self.name else "data")

    @property
    def url(self) -> str:
        """The service's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the service has said on stderr so far."""
        path = self.root / "service.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def says(self, text: str, within_s: float = WITHIN_S) -> None:
        """Wait until its log has `text`, which a thread of its own writes; `AssertionError` with the log if not."""
        self._comes(text, lambda: self.log, within_s)

    def logs(self, text: str, within_s: float = WITHIN_S) -> None:
        """Wait until a line of `DATA/logs` has `text`, as `says` does."""
        path = self.data / "logs" / "remit.jsonl"
        self._comes(text, lambda: path.read_text("utf-8") if path.exists() else "", within_s)

    def _comes(self, text: str, read: Callable[[], str], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while text not in read():
            assert time.monotonic() < deadline, f"{text!r} is not in its log: {read()}"
            time.sleep(0.05)

    def write(self, files: dict[str, str]) -> None:
        """Write workspace files by relative name."""
        for name, text in files.items():
            path = self.workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Start the service and wait until it is ready; `AssertionError` with its log if not."""
        with (self.root / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    REMIT,
                    "up",
                    "--workspace",
                    self.workspace,
                    "--data",
                    self.data,
                    "--port",
                    str(self.port),
                    *self.flags,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
            )
        deadline = time.monotonic() + WITHIN_S
        while not self.ready():
            assert self.process.poll() is None, f"the service ended: {self.log}"
            assert time.monotonic() < deadline, f"the service is not ready: {self.log}"
            time.sleep(0.02)
        for line in self.log.splitlines():
            if line.startswith("admin token") and not self.admin:
                self.admin = line.rsplit(" ", 1)[1]

    def __enter__(self) -> Self:
        """Start it."""
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it, where it did not end before."""
        self.stop()

    def ready(self) -> bool:
        """Whether `/readyz` says so now."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (http.client.HTTPException, OSError):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """End the service as an operator would, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(WITHIN_S)
        self.process = None

    def remit(self, *arguments: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `remit ARGUMENTS` against this service, as the admin unless `token` is given."""
        env = environment() | {"REMIT_URL": self.url, "REMIT_TOKEN": token or self.admin, "REMIT_DATA": str(self.data)}
        return subprocess.run(
            [REMIT, *arguments], env=env, capture_output=True, text=True, timeout=180, check=False, cwd=self.root
        )

    def told(self, *arguments: str, token: str | None = None) -> Any:
        """The JSON answer of `remit ARGUMENTS -o json`; `AssertionError` when it fails."""
        done = self.remit(*arguments, "-o", "json", token=token)
        assert done.returncode in {0, 1}, f"remit {' '.join(arguments)}: {done.returncode}\n{done.stderr}"
        return json.loads(done.stdout)

    def api(self, verb: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """The JSON answer of `/api/v1` and `path`, as the admin unless `token` is given; or `AssertionError`."""
        headers = {"authorization": f"Bearer {token or self.admin}", "content-type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)
        try:
            connection.request(verb, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        assert answer.status < 300, f"{verb} {path}: {answer.status} {text}"
        return json.loads(text) if text else None

    def apply(self, *, dry_run: bool = False) -> Any:
        """What `remit apply -o json` says, without a process for it."""
        return self.api("POST", "/apply", {"dry_run": dry_run})

    def approvals(self, *, ended: bool = False) -> list[dict[str, Any]]:
        """Approvals, newest first: those that are open, with `ended` all of them."""
        items = self.api("GET", "/approvals?limit=1000")["items"]
        return [one for one in items if ended or one["state"] in {"pending", "approved"}]

    def approval(self, ident: str) -> dict[str, Any]:
        """What `remit approvals show IDENT -o json` says, without a process for it."""
        return dict(self.api("GET", f"/approvals/{ident}"))

    def accept(self, *servers: str) -> None:
        """Accept every live tool of `servers`, as a person would after reading the review."""
        for server in servers:
            shown = self.api("POST", "/tools/accept", {"server": server})
            self.api("POST", "/tools/accept", {"server": server, "pin": shown["pin"]})

    def mint(self, kind: str, name: str, user: str | None = None) -> Any:
        """What `remit token KIND NAME -o json` says, without a process for it."""
        return self.api("POST", "/tokens", {"kind": kind, "name": name, "user": user})

    def agent(self, name: str, user: str | None = None) -> str:
        """A fresh token for an agent."""
        return str(self.mint("agent", name, user)["token"])

    def user(self, name: str) -> str:
        """A fresh token for a person."""
        return str(self.mint("user", name)["token"])


def environment() -> dict[str, str]:
    """The environment of a command: ours without Remit's own variables."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("REMIT_", "COV_"))}
    return kept | {"NO_COLOR": "1", "COLUMNS": "200"}

"""The players: the conformant server, Remit before it as a user would set it up, and the shim before Remit."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proof.conformance.install import MADE, SERVER
from proof.conformance.shim import shim
from proof.counting import listens
from proof.machine import DATA
from proof.service import Service, environment, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

UPSTREAM: Final = "everything"
START_S: Final = 30
RESOURCES: Final = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: suite}
spec: {owner: ana, purpose: tries every feature of the protocol, groups: [suites]}
---
apiVersion: remit.dev/v1alpha1
kind: Group
metadata: {name: suites}
spec: {description: conformance suites}
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: ana}
spec: {}
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: everything}
spec: {url: "http://127.0.0.1:PORT/mcp"}
"""
POLICIES: Final = """\
@id("suites-try-everything")
@reason("a conformance suite may do whatever the protocol has")
permit (principal in Remit::Group::"suites", action, resource);
"""


@contextlib.contextmanager
def server() -> Generator[int]:
    """The conformant server, a process of its own; its port. Raises RuntimeError with its log if it does not start."""
    port = free_port()
    log = MADE / "server.log"
    env = environment() | {"PYTHONPATH": str(SERVER)}
    with log.open("wb") as file:
        running = subprocess.Popen(
            [sys.executable, "-m", "mcp_everything_server", "--port", str(port), "--log-level", "WARNING"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=env,
        )
    try:
        deadline = time.monotonic() + START_S
        while not listens(port):
            if running.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the conformant server does not start: {log.read_text('utf-8', 'replace')}")
            time.sleep(0.05)
        yield port
    finally:
        running.kill()
        running.wait(10)


@contextlib.asynccontextmanager
async def governed(upstream: int) -> AsyncGenerator[str]:
    """Remit before port `upstream`, and the shim before Remit; the address that a suite speaks to."""
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA, prefix="conformance-") as folder:
        port = free_port()
        # The suites' Host is that of the shim, which passes it on as it is.
        service = Service(Path(folder), flags=("--allow-host", f"127.0.0.1:{port}"))
        service.write({"resources.yaml": RESOURCES.replace("PORT", str(upstream)), "policies.cedar": POLICIES})
        try:
            service.start()
            service.accept(UPSTREAM)
            bearer = f"authorization: Bearer {service.agent('suite', 'ana')}"
            async with shim(port, service.port, bearer):
                yield f"http://127.0.0.1:{port}/mcp/{UPSTREAM}"
        finally:
            service.stop()
            (MADE / "remit.log").write_text(service.log, encoding="utf-8")

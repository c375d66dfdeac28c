"""The players: the conformant server, Remit before it as a user would set it up, and the shim before Remit."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proof.conformance.install import MADE, SERVER
from proof.conformance.shim import shim
from proof.counting import listens
from proof.machine import DATA, ROOT
from proof.service import Service, environment, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

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
"""
SERVER_RESOURCE: Final = """\
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: NAME}
spec: {url: "http://127.0.0.1:PORT/mcp"}
"""
POLICIES: Final = """\
@id("suites-try-everything")
@reason("a conformance suite may do whatever the protocol has")
permit (principal in Remit::Group::"suites", action, resource);
"""


@contextlib.contextmanager
def server(era: str | None = None) -> Generator[int]:
    """The conformant server, of both eras or of one, or that of the tasks, a process of its own; its port.

    Raises RuntimeError with its log if it does not start.
    """
    port = free_port()
    log = MADE / f"server-{era or 'both'}.log"
    env = environment() | {"PYTHONPATH": os.pathsep.join((str(SERVER), str(ROOT)))}
    match era:
        case None:
            program = ("-m", "mcp_everything_server", "--port", str(port), "--log-level", "WARNING")
        case "tasks":
            program = (str(ROOT / "tests" / "upstreams" / "tasking.py"), str(port))
        case _:
            program = ("-m", "proof.conformance.one_era", era, str(port))
    with log.open("wb") as file:
        running = subprocess.Popen(
            [sys.executable, *program],
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


def name_of(era: str | None) -> str:
    """The name of a server of `era` in the workspace."""
    return f"everything-{era or 'both'}"


@contextlib.asynccontextmanager
async def governed(upstreams: Mapping[str | None, int]) -> AsyncGenerator[dict[str | None, str]]:
    """Remit before these ports, by era, and the shim before Remit; the addresses that a suite speaks to."""
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA, prefix="conformance-") as folder:
        port = free_port()
        # The suites' Host is that of the shim, which passes it on as it is.
        service = Service(Path(folder), flags=("--allow-host", f"127.0.0.1:{port}"))
        servers = [
            SERVER_RESOURCE.replace("NAME", name_of(era)).replace("PORT", str(far)) for era, far in upstreams.items()
        ]
        service.write({"resources.yaml": RESOURCES + "".join(servers), "policies.cedar": POLICIES})
        try:
            service.start()
            service.accept(*map(name_of, upstreams))
            bearer = f"authorization: Bearer {service.agent('suite', 'ana')}"
            async with shim(port, service.port, bearer):
                yield {era: f"http://127.0.0.1:{port}/mcp/{name_of(era)}" for era in upstreams}
        finally:
            service.stop()
            (MADE / "remit.log").write_text(service.log, encoding="utf-8")

"""A workspace around the counter: what the approval, drift and crash proofs stand on."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from proof.service import WITHIN_S, Service, environment, free_port

COUNTER: Final = Path(__file__).parents[1] / "tests" / "upstreams" / "counter.py"

RESOURCES: Final = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: clerk}
spec: {owner: platform, purpose: counts things, groups: [clerks]}
---
apiVersion: remit.dev/v1alpha1
kind: Group
metadata: {name: clerks}
spec: {description: agents that count}
---
apiVersion: remit.dev/v1alpha1
kind: Group
metadata: {name: owners}
spec: {description: people who may let a big amount pass}
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: ana}
spec: {groups: [owners]}
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: sam}
spec: {groups: [owners]}
---
apiVersion: remit.dev/v1alpha1
kind: Route
metadata: {name: owner}
spec: {groups: [owners], hold_s: HOLD_S, edits: true, break_glass: [owners]}
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: counter}
spec: {url: "http://127.0.0.1:PORT/mcp"}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: counter/add}
spec: {effect: irreversible, sink: internal, source: []}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: counter/peek}
spec: {effect: read, sink: none, source: []}
"""

POLICIES: Final = """\
@id("clerks-count")
@reason("clerks may count")
permit (principal in Remit::Group::"clerks", action in Remit::Action::"server:counter", resource);
"""

GATE: Final = """\
@id("big-amounts")
@gate("owner")
@reason("an amount above 10 needs an owner")
forbid (principal, action == Remit::Action::"counter___add", resource)
when { context.input has amount && context.input.amount > 10 };
"""


@dataclass
class Counting:
    """The counter, a service that governs it, and what happened at the counter."""

    root: Path
    delay_s: float = 0.0
    hold_s: float = 5.0
    port: int = field(default_factory=free_port)
    counter: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        """Lay out folders and workspace."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.service = Service(self.root)
        resources = RESOURCES.replace("PORT", str(self.port)).replace("HOLD_S", str(self.hold_s))
        self.service.write({"resources.yaml": resources, "policies.cedar": POLICIES})

    @property
    def effects(self) -> list[str]:
        """The ids whose effect happened, in order."""
        path = self.root / "effects"
        return [line.split()[0] for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def start(self) -> None:
        """Start the counter, then the service, and accept the counter's tools."""
        self.start_counter()
        self.service.start()
        self.service.accept("counter")
        # A policy may name a tool once it is accepted: before that its action does not exist.
        self.service.write({"gate.cedar": GATE})
        self.service.apply()

    def start_counter(self) -> None:
        """Start the counter and wait until it listens."""
        self.counter = subprocess.Popen(
            [sys.executable, COUNTER, str(self.port), self.root, str(self.delay_s)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        until_listens(self.counter, self.port, "the counter")

    def stop_counter(self) -> None:
        """End the counter."""
        if self.counter is not None:
            self.counter.kill()
            self.counter.wait(10)
            self.counter = None

    def describe(self, text: str) -> None:
        """Change the description of `add` at the upstream, while it runs, and wait until it has; empty: without it."""
        (self.root / "description").write_text(text, encoding="utf-8")
        described, deadline = self.root / "described", time.monotonic() + WITHIN_S
        while not described.exists() or described.read_text("utf-8") != text:
            assert time.monotonic() < deadline, "the counter does not take the description"
            time.sleep(0.02)

    def stop(self) -> None:
        """End both."""
        self.service.stop()
        self.stop_counter()

    def __enter__(self) -> Self:
        """Start both."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        self.stop()


def listens(port: int) -> bool:
    """Whether something accepts connections on `port` of loopback."""
    import socket

    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until_listens(process: subprocess.Popen[Any], port: int, who: str) -> None:
    """Wait until `process`, which is `who`, listens on `port`; `AssertionError` where it ended or never does."""
    deadline = time.monotonic() + WITHIN_S
    while not listens(port):
        assert process.poll() is None, f"{who} ended"
        assert time.monotonic() < deadline, f"{who} does not listen"
        time.sleep(0.02)


async def call(service: Service, token: str, tool: str, arguments: dict[str, Any], *, mode: str = "auto") -> Any:
    """One `tools/call` at `/mcp/counter` with the real MCP client; its result."""
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(60)) as http:
        transport = streamable_http_client(f"{service.url}/mcp/counter", http_client=http)
        async with Client(transport, mode=mode) as client:
            return await client.call_tool(tool, arguments)

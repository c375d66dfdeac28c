"""A service that governs a clinic's tools: an agent for each obligation, and two servers, one watched by detectors."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from proof.counting import listens
from proof.service import Service, environment, free_port

CLINIC: Final = Path(__file__).parents[2] / "tests" / "upstreams" / "clinic.py"
HEAD: Final = "apiVersion: remit.dev/v1alpha1\n"
SERVERS: Final = ("plain", "watched")
FREE: Final = "free"


def _resource(kind: str, name: str, **spec: object) -> str:
    return f"{HEAD}kind: {kind}\nmetadata:\n  name: {json.dumps(name)}\nspec: {json.dumps(spec)}\n"


@dataclass
class Clinic:
    """The service, and the server behind it.

    `owed` are obligations by the agent that has them; after `labels` the agents of that name may send nothing.
    """

    root: Path
    owed: dict[str, str]
    labels: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    used: int = 0

    def __post_init__(self) -> None:
        """Lay out folders and workspace."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.service = Service(self.root)
        url = f"http://127.0.0.1:{self.port}/mcp"
        every = ["hidden", "secret", "pii", "email"]
        found = [_resource("Agent", name, owner="ana", purpose="proof") for name in (FREE, *self.owed, *self.labels)]
        found.append(_resource("Server", "plain", url=url, source=[]))
        found.append(_resource("Server", "watched", url=url, source=[], detect=every))
        found.append(_resource("User", "ana"))
        for server in SERVERS:
            found += [
                _resource("Tool", f"{server}/{tool}", effect="read", sink="none", source=[])
                for tool in ("say", "person", "rows", "read", "picture")
            ]
            found.append(_resource("Tool", f"{server}/send", effect="irreversible", sink="external", source=[]))
        self.service.write({"resources.yaml": "---\n".join(found)})

    def token(self, agent: str) -> str:
        """A fresh one for `agent`."""
        return str(self.asked("/tokens", {"kind": "agent", "name": agent})["token"])

    def asked(self, path: str, body: dict[str, Any]) -> Any:
        """The answer of a POST to the control API, as the admin."""
        headers = {"authorization": f"Bearer {self.service.admin}", "content-type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=60)
        try:
            connection.request("POST", f"/api/v1{path}", json.dumps(body), headers)
            return json.load(connection.getresponse())
        finally:
            connection.close()

    def policies(self) -> str:
        """One permit for each obligation; one forbid for each label, which both servers know."""
        said = [f'@id("free") permit (principal == Remit::Agent::"{FREE}", action, resource);']
        said += [
            f"@id({json.dumps(name)}) @obligation({json.dumps(owed)})\n"
            f'permit (principal == Remit::Agent::"{name}", action in [Remit::Action::"server:plain"], resource);'
            for name, owed in self.owed.items()
        ]
        for name, label in self.labels.items():
            whose, sends = f'principal == Remit::Agent::"{name}"', 'Remit::Action::"effect:irreversible"'
            holds = f'context.session.labels.contains(Remit::Label::"{label}")'
            said.append(f'@id("{name}") permit ({whose}, action in Remit::Action::"call_tool", resource);')
            said.append(f'@id("no-{name}") @reason("nothing is sent after {label}")')
            said.append(f"forbid ({whose}, action in {sends}, resource) when {{ {holds} }};")
        return "\n".join(said)

    @property
    def effects(self) -> list[tuple[str, dict[str, Any]]]:
        """What reached the server since it was asked last: names and arguments."""
        path = self.root / "effects"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        fresh, self.used = lines[self.used :], len(lines)
        return [(name, arguments) for name, arguments in map(json.loads, fresh)]

    def __enter__(self) -> Self:
        """Start both, accept the tools, apply the policies."""
        try:
            self.process = subprocess.Popen(
                [sys.executable, CLINIC, str(self.port), self.root], stdin=subprocess.DEVNULL, env=environment()
            )
            deadline = time.monotonic() + 30
            while not listens(self.port):
                assert self.process.poll() is None, "the clinic ended"
                assert time.monotonic() < deadline, "the clinic does not listen"
                time.sleep(0.05)
            self.service.start()
            self.service.accept(*SERVERS)
            self.service.write({"policies.cedar": self.policies()})
            done = self.service.remit("apply")
            assert done.returncode == 0, done.stdout + done.stderr
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        self.service.stop()
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None


async def calls(clinic: Clinic, token: str, server: str, *asked: tuple[str, dict[str, Any]]) -> list[Any]:
    """The results of calls in one session at `server`, by the real MCP client, which checks structured content."""
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(60), trust_env=False) as http:
        transport = streamable_http_client(f"{clinic.service.url}/mcp/{server}", http_client=http)
        async with Client(transport) as client:
            await client.list_tools()
            return [await client.call_tool(tool, arguments) for tool, arguments in asked]

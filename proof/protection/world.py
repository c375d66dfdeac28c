"""A service that governs a clinic's tools: an agent for each obligation and breaker, a server watched by detectors."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlencode

from proof.counting import until_listens
from proof.service import Service, environment, free_port
from remit.api.exchange import ACCESS_TOKEN, GRANT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcp import Client

CLINIC: Final = Path(__file__).parents[2] / "tests" / "upstreams" / "clinic.py"
HEAD: Final = "apiVersion: remit.dev/v1alpha1\n"
SERVERS: Final = ("plain", "watched", "frail", "sturdy")
FREE: Final = "free"
DEPUTIES: Final = ("deputy", "helper")
"""Whom agents hand work to."""
FORBIDDEN: Final = "forbidden"
"""A text that nobody may say at the plain server."""


def _resource(kind: str, name: str, **spec: object) -> str:
    return f"{HEAD}kind: {kind}\nmetadata:\n  name: {json.dumps(name)}\nspec: {json.dumps(spec)}\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back, and what reached the server; why it was `refused` to hand work on."""

    results: list[Any]
    effects: list[tuple[str, dict[str, Any]]]
    refused: str = ""

    @property
    def said(self) -> str:
        """All that came back."""
        return "\n".join(one.model_dump_json() for one in self.results)

    @property
    def last(self) -> Any:
        """The last result."""
        return self.results[-1]


@dataclass
class Clinic:
    """The service, and the server behind it.

    `owed` are obligations by the agent that has them; after `labels` the agents of that name may send nothing;
    `breakers` are specs by name, and `tripping` the agents that they are over.
    """

    root: Path
    owed: dict[str, str]
    labels: dict[str, str]
    breakers: dict[str, dict[str, object]]
    tripping: tuple[str, ...]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    used: int = 0

    def __post_init__(self) -> None:
        """Lay out folders and workspace."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.service = Service(self.root)
        url = f"http://127.0.0.1:{self.port}/mcp"
        every = ["hidden", "secret", "pii", "email"]
        agents = (FREE, *DEPUTIES, *self.owed, *self.labels, *self.tripping)
        found = [_resource("Agent", name, owner="ana", purpose="proof") for name in agents]
        found += [_resource("Server", name, url=url, source=[], sink="none") for name in ("plain", "frail", "sturdy")]
        found.append(_resource("Server", "watched", url=url, source=[], detect=every))
        found += [_resource("Breaker", name, **spec) for name, spec in self.breakers.items()]
        found.append(_resource("User", "ana"))
        for server in SERVERS:
            found += [
                _resource("Tool", f"{server}/{tool}", effect="read", sink="none", source=[])
                for tool in ("say", "person", "rows", "read", "picture", "fail")
            ]
            found.append(_resource("Tool", f"{server}/send", effect="irreversible", sink="external", source=[]))
        self.service.write({"resources.yaml": "---\n".join(found)})

    def delegated(self, token: str, actor: str) -> tuple[str, str]:
        """The token by which `actor` acts for the bearer of `token`; or nothing, and why."""
        form = {"grant_type": GRANT, "subject_token": token, "subject_token_type": ACCESS_TOKEN, "actor": actor}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=60)
        try:
            connection.request("POST", "/api/v1/token", urlencode(form), headers)
            said = json.load(connection.getresponse())
        finally:
            connection.close()
        return str(said.get("access_token", "")), "" if "access_token" in said else json.dumps(said)

    def policies(self) -> str:
        """One permit for each obligation; one forbid for each label, which all servers know."""
        said = [
            f'@id("{name}") permit (principal == Remit::Agent::"{name}", action, resource);'
            for name in (FREE, *DEPUTIES, *self.tripping)
        ]
        said.append('@id("unsaid") forbid (principal, action == Remit::Action::"plain___say", resource)')
        said.append(f'when {{ context.input.text == "{FORBIDDEN}" }};')
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
            until_listens(self.process, self.port, "the clinic")
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
    async with speaking(clinic, token, server) as client:
        await client.list_tools()
        return [await client.call_tool(tool, arguments) for tool, arguments in asked]


@contextlib.asynccontextmanager
async def speaking(clinic: Clinic, token: str, server: str) -> AsyncGenerator[Client]:
    """The real MCP client at `server`."""
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(60), trust_env=False) as http:
        transport = streamable_http_client(f"{clinic.service.url}/mcp/{server}", http_client=http)
        async with Client(transport) as client:
            yield client

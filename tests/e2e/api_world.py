"""A whole service in this process, for tests of the control API: real workspace, ledger, tool server and HTTP."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import httpx2
import uvicorn

from remit.api.exchange import ACCESS_TOKEN, GRANT
from remit.api.services import Services
from remit.app.build import Service, build
from remit.app.settings import Settings
from remit.facts.agent import Authority
from remit.facts.canonical import Json, canonical
from remit.facts.limits import DEFAULT, Limits
from remit.pep.answer import Answer, Awaiting, Client
from remit.pep.driver import Driver
from remit.ports.upstream import Era
from tests.e2e.gateway_world import free_port, until
from tests.eventually import WITHIN_S

TOOLS: Final = Path(__file__).parents[1] / "upstreams" / "stdio_server.py"
HEAD: Final = "apiVersion: remit.dev/v1alpha1\n"
POLICIES: Final = """
@id("may-use")
@reason("bots may use the hand")
permit (principal, action in Remit::Action::"server:hand", resource);

@id("never-fails")
@reason("what fails is not tried")
forbid (principal, action == Remit::Action::"hand___fails", resource);

@id("ask-sec")
@gate("sec")
@reason("status waits for security")
forbid (principal, action == Remit::Action::"hand___status", resource);

@id("ask-both")
@gate("sec")
@reason("html waits for security")
forbid (principal, action == Remit::Action::"hand___html", resource);

@id("ask-both-too")
@gate("fin")
@reason("and for finance")
forbid (principal, action == Remit::Action::"hand___html", resource);

@id("may-delegate")
permit (principal, action == Remit::Action::"delegate", resource);

@id("nobody-to-eve")
@reason("nothing is handed to eve")
forbid (principal, action == Remit::Action::"delegate", resource == Remit::Agent::"eve");

@id("ask-for-guest")
@gate("sec")
@reason("handing on to guests waits for security")
forbid (principal, action == Remit::Action::"delegate", resource == Remit::Agent::"guest");
"""


def declared(kind: str, name: str, **spec: Json) -> str:
    return f"{HEAD}kind: {kind}\nmetadata:\n  name: {json.dumps(name)}\nspec: {json.dumps(spec)}\n"


def write_workspace(folder: Path, tools: Path) -> None:
    command = [sys.executable, str(TOOLS), "stateless", str(tools)]
    agents = [
        declared("Agent", name, owner="ann", purpose="tests", harness="trusted" if name == "coach" else "untrusted")
        for name in ("bot", "sub", "eve", "guest", "coach", "other")
    ]
    people = [
        declared("User", "ann", groups=["sec"]),
        declared("User", "ben", groups=["sec", "fin"]),
        declared("User", "cat", groups=["fin"]),
        declared("User", "dan"),
        declared("User", "req", groups=["sec", "fin"]),
        declared("Group", "sec", description="security"),
        declared("Group", "fin", description="finance"),
    ]
    routes = [
        declared("Route", "sec", groups=["sec"], hold_s=0.1, expires_s=600),
        declared("Route", "fin", groups=["fin"], hold_s=0.1, expires_s=600),
    ]
    servers = [declared("Server", "hand", command=command, shared=True)]
    described = [
        declared("Tool", f"hand/{name}", effect="read", sink="none", source=[]) for name in ("echo", "status", "html")
    ]
    folder.mkdir()
    for name, documents in (
        ("agents", agents), ("people", people), ("routes", routes), ("servers", servers), ("tools", described),
    ):  # fmt: skip
        (folder / f"{name}.yaml").write_text("---\n".join(documents))


@dataclass
class World:
    """A running service and how to speak to it."""

    url: str
    service: Service
    admin: str
    workspace: Path
    http: httpx2.AsyncClient

    async def ask(
        self, method: str, path: str, token: str | None = None, body: object = None, **more: Any
    ) -> httpx2.Response:
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if body is not None:
            headers["content-type"] = "application/json"
            more["content"] = json.dumps(body).encode()
        return await self.http.request(method, f"{self.url}/api/v1{path}", headers=headers, **more)

    async def head(self, method: str, path: str, token: str, body: object) -> httpx2.Response:
        """`ask`, but of an event stream only the beginning."""
        if path != "/events":
            return await self.ask(method, path, token, body)
        headers = {"authorization": f"Bearer {token}"}
        async with self.http.stream(method, f"{self.url}/api/v1{path}", headers=headers) as answer:
            if not answer.is_success:
                await answer.aread()
            return answer

    async def told(self, method: str, path: str, token: str | None = None, body: object = None) -> Any:
        answer = await self.ask(method, path, token or self.admin, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def mint(self, kind: str, name: str, **more: Json) -> dict[str, Any]:
        return await self.told("POST", "/tokens", body={"kind": kind, "name": name, **more})

    async def token(self, kind: str, name: str, **more: Json) -> str:
        return (await self.mint(kind, name, **more))["token"]

    async def delegate(self, token: str, actor: str, **more: str) -> httpx2.Response:
        form = {
            "grant_type": GRANT,
            "subject_token": token,
            "subject_token_type": ACCESS_TOKEN,
            "actor": actor,
            **more,
        }
        return await self.http.post(f"{self.url}/api/v1/token", data=form)

    @cached_property
    def services(self) -> Services:
        return self.service.services()

    @property
    def driver(self) -> Driver:
        return self.service.driver

    def authority(self, token: str) -> Authority:
        return self.services.authenticator.authority(token)

    async def call(self, token: str, tool: str, arguments: Mapping[str, Json]) -> Answer:
        return await self.act(self.authority(token), tool, arguments)

    async def act(self, authority: Authority, tool: str, arguments: Mapping[str, Json]) -> Answer:
        data = canonical(arguments)
        return await self.driver.call_tool(authority, Client(Era.STATELESS), "hand", tool, arguments, data)

    async def escalated(self, token: str, tool: str = "status", **arguments: Json) -> str:
        """Have `tool` called and wait for people; the approval's id."""
        answer = await self.call(token, tool, arguments)
        assert isinstance(answer, Awaiting), answer
        return answer.ref


@contextlib.asynccontextmanager
async def world(folder: Path, limits: Limits = DEFAULT) -> AsyncGenerator[World]:
    """A service on a free port, its tools accepted through the API."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "notes.json").write_text("{}")
    write_workspace(folder / "workspace", tools)
    (folder / "data").mkdir(mode=0o700)
    port = free_port()
    service = await build(Settings(data=folder / "data", workspace=folder / "workspace", limits=limits), port)
    await service.load_api()
    await service.discoverer.start()
    server = uvicorn.Server(uvicorn.Config(service.front, port=port, log_level="error", lifespan="off"))
    server.install_signal_handlers = lambda: None  # pyright: ignore[reportAttributeAccessIssue]
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        assert not serving.done(), "uvicorn ended"
        return server.started

    try:
        await until(started)
        async with httpx2.AsyncClient(timeout=WITHIN_S) as http:
            assert service.admin is not None
            made = World(f"http://127.0.0.1:{port}", service, service.admin, folder / "workspace", http)
            offer = await made.told("POST", "/tools/accept", body={"server": "hand"})
            await made.told("POST", "/tools/accept", body={"server": "hand", "pin": offer["pin"]})
            # Policies name tools, which exist once they are accepted.
            (made.workspace / "policies.cedar").write_text(POLICIES)
            await made.told("POST", "/apply", body={})
            yield made
    finally:
        service.closing.set()
        server.should_exit = True
        await serving
        await service.close()

"""The edge over a socket, before a driver whose server does as told: what a client sees, byte by byte and in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from remit.adapters.signer import Ed25519Signer
from remit.api.authenticator import Authenticator
from remit.control.authority import TokenUse, mint
from remit.facts.limits import DEFAULT, Limits
from remit.pep.mcp.app import McpApp, McpEndpoint
from remit.ports.upstream import NO_CONTEXT, Era, InputRequired, Notice, Offer, Question, Ready, Result, UpstreamContext
from tests.e2e.gateway_parts import bench
from tests.e2e.gateway_world import CLOCK, ENTROPY, META, free_port, headers, serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from pathlib import Path

    from tests.e2e.gateway_parts import Bench

DONE = Result({"content": [{"type": "text", "text": "done"}]}, is_error=False)
FORM: Mapping[str, Any] = {"message": "who?", "requestedSchema": {"type": "object", "properties": {}}}
WHO = Question("elicitation/create", FORM)
ASKED = InputRequired({"who": WHO}, "held")
ABLE: Mapping[str, Any] = {"elicitation": {}}
YES: Mapping[str, Any] = {"action": "accept"}
LATEST = "2025-11-25"


@dataclass
class Answer:
    """A response being read: its events as they come."""

    response: aiohttp.ClientResponse
    last: str | None = None

    async def event(self) -> Any:
        """The next message; an event without data is `None`, the end of the stream `...`."""
        data: list[str] | None = None
        while line := await self.response.content.readline():
            text = line.decode().rstrip("\n")
            if text == "" and data is not None:
                return json.loads("".join(data)) if "".join(data) else None
            name, _, value = text.partition(":")
            if name == "id":
                self.last = value.strip()
            elif name == "data":
                data = [*(data or []), value.strip()]
        return ...

    async def message(self) -> Any:
        """The next event that has data."""
        while (found := await self.event()) is None:
            pass
        return found


@dataclass
class Wire:
    """A client of bare HTTP. `bench` is what stands behind the edge."""

    url: str
    bench: Bench
    session: aiohttp.ClientSession
    signer: Ed25519Signer
    token: str
    authenticator: Authenticator
    changes: asyncio.Queue[Notice] = field(default_factory=asyncio.Queue[Notice])
    watched: list[tuple[frozenset[Offer], frozenset[str]]] = field(
        default_factory=list[tuple[frozenset[Offer], frozenset[str]]]
    )

    def another(self, agent: str = "clerk") -> str:
        """A token of an agent, by default the same one, for another run."""
        return minted(self.signer, agent)

    @contextlib.asynccontextmanager
    async def send(
        self, verb: str, body: Any, head: Mapping[str, str], path: str = "/mcp/shop"
    ) -> AsyncGenerator[Answer]:
        """One request, its answer as it comes."""
        data = None if body is None else json.dumps(body).encode()
        async with self.session.request(verb, self.url + path, data=data, headers=head) as response:
            yield Answer(response)

    # 2026-07-28

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        capabilities: Mapping[str, Any] = ABLE,
        head: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """A request of the stateless era; HTTP status and the JSON-RPC message that answers it."""
        async with self.asking(method, params, capabilities, head=head) as answer:
            response = answer.response
            if response.content_type == "application/json":
                return response.status, await response.json()
            while "method" in (found := await answer.message()):
                pass
            return response.status, found

    @contextlib.asynccontextmanager
    async def asking(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        capabilities: Mapping[str, Any] = ABLE,
        *,
        meta: Mapping[str, Any] | None = None,
        head: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Answer]:
        """As `ask`, the answer as it comes."""
        full = {**META, "io.modelcontextprotocol/clientCapabilities": capabilities, **(meta or {})}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": full, **(params or {})}}
        named = (params or {}).get("uri" if method == "resources/read" else "name")
        async with self.send("POST", body, {**headers(self.token, method, named), **(head or {})}) as answer:
            yield answer

    # 2025

    def known(self, sid: str | None, **more: str) -> dict[str, str]:
        """The headers of a request on a connection."""
        found = {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        return found if sid is None else {**found, "mcp-session-id": sid}

    async def initialize(self, version: str = LATEST, capabilities: Mapping[str, Any] = ABLE) -> str:
        """The id of a new connection."""
        params = {"protocolVersion": version, "capabilities": capabilities, "clientInfo": {"name": "t", "version": "1"}}
        body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        async with self.send("POST", body, self.known(None)) as answer:
            await answer.message()
            return answer.response.headers["mcp-session-id"]

    @contextlib.asynccontextmanager
    async def on(
        self, sid: str, method: str, params: Mapping[str, Any] | None = None, ident: int = 1
    ) -> AsyncGenerator[Answer]:
        """A request on the connection `sid`, its answer as it comes."""
        body = {"jsonrpc": "2.0", "id": ident, "method": method, "params": params or {}}
        async with self.send("POST", body, self.known(sid)) as answer:
            yield answer

    async def post(self, sid: str, body: Any) -> int:
        """The HTTP status of a message that wants no answer."""
        async with self.send("POST", body, self.known(sid)) as answer:
            return answer.response.status

    def replies(self, *replies: Any) -> None:
        """What the server says to a call and, where it asks, to what follows."""
        self.bench.upstream.reply, self.bench.upstream.then = replies[0], list(replies[1:])


def minted(signer: Ed25519Signer, agent: str = "clerk") -> str:
    claims = mint(
        TokenUse.AGENT,
        agent,
        token=os.urandom(16),
        now_ms=CLOCK.now_ms(),
        ttl_s=600,
        user="ann",
        root=os.urandom(16),
    )
    return signer.sign(claims.to_json())


@contextlib.asynccontextmanager
async def edge(folder: Path, limits: Limits = DEFAULT) -> AsyncGenerator[Wire]:
    """An edge on a free port, with `limits`."""
    port = free_port()
    resource = f"http://127.0.0.1:{port}"
    signer = Ed25519Signer(folder / "keys", CLOCK, issuer=resource, audience=resource)
    authenticator = Authenticator(signer, CLOCK, revoked={}, credentials={})
    async with bench(folder) as behind, aiohttp.ClientSession() as session:
        wire = Wire(resource, behind, session, signer, minted(signer), authenticator)

        async def watch(
            sid: str, era: Era, offers: frozenset[Offer], uris: frozenset[str], context: UpstreamContext = NO_CONTEXT
        ) -> AsyncGenerator[Notice | Ready]:
            wire.watched.append((offers, uris))
            yield Ready()
            while True:
                yield await wire.changes.get()

        behind.upstream.watch = watch  # pyright: ignore[reportAttributeAccessIssue]
        where = McpEndpoint(resource, frozenset({f"127.0.0.1:{port}"}), limits=limits)
        app = McpApp(behind.driver, authenticator.authority, where, CLOCK, ENTROPY)
        async with serving(app, port):
            yield wire


def text(result: Mapping[str, Any]) -> str:
    """The text of a tool result."""
    blocks: Sequence[Any] = result["content"]
    return "".join(block["text"] for block in blocks)

"""A whole gateway for tests: a real upstream process, a compiled bundle, the SQLite ledger, uvicorn on a free port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import aiohttp
import uvicorn

from proof.child import child
from proof.counting import until_listens
from remit.adapters.signer import Ed25519Signer
from remit.adapters.sqlite.ledger import SqliteLedger, open_ledger
from remit.adapters.system import SystemClock, SystemEntropy
from remit.adapters.upstreams.http import HttpUpstream
from remit.api.authenticator import Authenticator
from remit.control.authority import TokenUse, attenuate, mint, read_claims
from remit.facts.agent import Agent, Authority, User
from remit.facts.catalog import Catalog, Http, PolicySource, Route, Server
from remit.facts.limits import DEFAULT
from remit.facts.record import RecordKind
from remit.facts.tool import Definition, Effect, Sink, Tool
from remit.pep.driver import Driver
from remit.pep.mcp.app import McpApp, McpEndpoint
from remit.policy.compile import Bundle, compile_bundle
from remit.ports.ledger import Entry
from remit.ports.upstream import Era, Upstream
from tests.eventually import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
T = TypeVar("T")
CLOCK = SystemClock()
ENTROPY = SystemEntropy()
POLICIES = """
@id("may-shop")
permit (principal in Remit::Group::"staff", action in Remit::Action::"server:shop", resource);

@id("no-strangers")
@reason("nothing is paid to strangers")
forbid (principal, action == Remit::Action::"shop___pay", resource)
when { context.input.to == "stranger" };

@id("big-money")
@gate("finance")
@reason("more than 100 needs finance")
forbid (principal, action == Remit::Action::"shop___pay", resource)
when { context.input.amount > 100 };

@id("tainted")
@reason("no payment after untrusted data came in")
forbid (principal, action == Remit::Action::"shop___pay", resource)
when { context.session.labels.contains(Remit::Label::"untrusted") };
"""
ROUTES = {"finance": Route("finance", frozenset({"finance"}), hold_s=0.4, expires_s=60)}


def catalog(url: str, definitions: tuple[Definition, ...], policies: str = POLICIES) -> Catalog:
    facts = {
        "echo": (Effect.READ, Sink.NONE, frozenset({"untrusted"})),
        "pay": (Effect.IRREVERSIBLE, Sink.EXTERNAL, frozenset[str]()),
        "slow": (Effect.WRITE, Sink.NONE, frozenset[str]()),
        "broken": (Effect.WRITE, Sink.NONE, frozenset({"untrusted"})),
    }
    tools = {("shop", one.name): Tool("shop", one, one.pin(), *facts[one.name], catalogued=True) for one in definitions}
    staff = frozenset({"staff", "everyone"})
    return Catalog(
        agents={
            name: Agent(name, "ann", "tests", staff if name != "guest" else frozenset({"everyone"}))
            for name in ("clerk", "helper", "guest")
        },
        users={
            "ann": User("ann", frozenset({"finance", "everyone"})),
            "bob": User("bob", frozenset({"finance", "everyone"})),
        },
        groups=frozenset({"staff", "finance", "everyone"}),
        servers={"shop": Server("shop", Http(url), verify_s=0.0, call_s=10.0)},
        tools=tools,
        routes=ROUTES,
        policies=(PolicySource("shop.cedar", policies),),
    )


def compiled(found: Catalog) -> Bundle:
    result = compile_bundle(found).result
    assert isinstance(result, Bundle), result
    return result


@dataclass
class World:
    """What a test reaches: `url` of the gateway, the driver and the ledger behind it."""

    url: str
    driver: Driver
    ledger: SqliteLedger
    shop: Shop
    signer: Ed25519Signer
    authenticator: Authenticator
    upstreams: dict[str, Upstream]
    bundle: Bundle
    effects_before: int

    def token(self, agent: str = "clerk", user: str | None = "ann", *, ttl_s: int = 600) -> str:
        claims = mint(
            TokenUse.AGENT,
            agent,
            token=os.urandom(16),
            now_ms=CLOCK.now_ms(),
            ttl_s=ttl_s,
            user=user,
            root=os.urandom(16),
        )
        return self.signer.sign(claims.to_json())

    def delegated(self, token: str, sub_agent: str) -> str:
        now_ms = CLOCK.now_ms()
        parent = read_claims(self.signer.verify(token, now_ms))
        child = attenuate(parent, sub_agent, token=os.urandom(16), now_ms=now_ms, ttl_s=60)
        return self.signer.sign(child.to_json())

    def authority(self, token: str) -> Authority:
        return self.authenticator.authority(token)

    async def effects_are(self, *lines: str) -> None:
        """Wait until the effects since the start are `lines`."""

        async def check() -> bool:
            return self.effects() == list(lines)

        await until(check)

    def effects(self) -> list[str]:
        return _effects(self.shop)[self.effects_before :]

    async def records(self, *kinds: RecordKind) -> list[Entry]:
        found = await self.ledger.entries(after=None, limit=10_000, sid=None)
        return [entry for entry in found if entry.record.kind in kinds]

    def repolicy(self, policies: str) -> None:
        source = replace(self.bundle.catalog, policies=(PolicySource("shop.cedar", policies),))
        self.bundle = compiled(source)


@dataclass(frozen=True, slots=True)
class Shop:
    """The upstream process: its address and the folder where its effects are."""

    url: str
    folder: Path


@contextlib.contextmanager
def shop_process(folder: Path) -> Generator[Shop]:
    """The upstream, once it answers."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.e2e.gateway_upstream", str(port), str(folder)]
    with child(subprocess.Popen(command, cwd=ROOT)) as process:
        until_listens(process, port, "the upstream")
        yield Shop(f"http://127.0.0.1:{port}/mcp", folder)


async def until(check: Callable[[], Awaitable[T]]) -> T:
    """`eventually`, by the name that it has in these tests."""
    return await eventually(check)


def _effects(shop: Shop) -> list[str]:
    file = shop.folder / "effects"
    return file.read_text().splitlines() if file.exists() else []


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.asynccontextmanager
async def gateway(folder: Path, shop: Shop) -> AsyncGenerator[World]:
    """A gateway on a free port over a fresh ledger in `folder`."""
    port = free_port()
    resource = f"http://127.0.0.1:{port}"
    signer = Ed25519Signer(folder / "keys", CLOCK, issuer=resource, audience=resource)
    authenticator = Authenticator(signer, CLOCK, revoked={}, credentials={})
    ledger = open_ledger(folder / "data" / "ledger.sqlite3", CLOCK, ENTROPY)
    session = aiohttp.ClientSession()
    server = Server("shop", Http(shop.url), verify_s=0.0, call_s=10.0)
    upstream = HttpUpstream(server, session, DEFAULT, CLOCK)
    upstreams: dict[str, Upstream] = {"shop": upstream}
    effects_before = len(_effects(shop))
    try:
        definitions = tuple(await upstream.definitions("probe", Era.STATELESS))
        bundle = compiled(catalog(shop.url, definitions))
        running: list[World] = []
        driver = Driver(ledger, CLOCK, lambda: running[0].bundle, upstreams)
        world = World(resource, driver, ledger, shop, signer, authenticator, upstreams, bundle, effects_before)
        running.append(world)
        await driver.authorization.load()
        edge = McpEndpoint(resource, frozenset({f"127.0.0.1:{port}"}))
        app = McpApp(driver, authenticator.authority, edge, CLOCK, ENTROPY)
        async with serving(app, port):
            yield world
    finally:
        await upstream.close()
        await session.close()
        await ledger.close()


@contextlib.asynccontextmanager
async def serving(app: McpApp, port: int) -> AsyncGenerator[None]:
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # pyright: ignore[reportAttributeAccessIssue]
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        assert not task.done(), "uvicorn ended"
        return server.started

    try:
        await until(started)
        yield
    finally:
        server.should_exit = True
        server.force_exit = True
        await task


def headers(token: str | None, method: str, name: str | None = None) -> Mapping[str, str]:
    """The headers of a 2026-07-28 POST."""
    found = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": Era.STATELESS.value,
        "mcp-method": method,
    }
    if token is not None:
        found["authorization"] = f"Bearer {token}"
    if name is not None:
        found["mcp-name"] = name
    return found


META: Mapping[str, object] = {
    "io.modelcontextprotocol/protocolVersion": Era.STATELESS.value,
    "io.modelcontextprotocol/clientCapabilities": {},
}

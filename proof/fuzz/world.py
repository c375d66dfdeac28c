"""The gateway, its ledger and two hostile servers in one process, and a client that sends and reads."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from proof.fuzz.hostile import TOOLS, Hostile
from proof.fuzz.laws import MARK, NEVER, Laws
from proof.fuzz.messages import ABLE, PATHS, SIGNED_BY, Connection, make
from proof.fuzz.messages import Message as Sent
from proof.fuzz.stream_laws import StreamLaws
from proof.fuzz.streams import Standing, standing
from remit.adapters.sqlite import open_ledger
from remit.adapters.system import SystemClock, SystemEntropy
from remit.adapters.upstreams.exchange import open_http_session
from remit.adapters.upstreams.http import HttpUpstream
from remit.facts.agent import Agent, Authority, Link, User
from remit.facts.catalog import Catalog, Http, PolicySource, Server
from remit.facts.limits import DEFAULT
from remit.facts.tool import Definition, Effect, Sink, Tool
from remit.pep.driver import Driver
from remit.pep.mcp.app import McpApp, McpEndpoint
from remit.policy.compile import Bundle, compile_bundle
from remit.ports.ledger import Ledger, Pending
from remit.ports.signer import TokenInvalid, TokenRefusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Mapping
    from pathlib import Path

    from remit.facts.record import Receipt
    from remit.pep.mcp.asgi import Message
    from remit.ports.ledger import Draft

STUCK_S: Final = 30.0
CALL_S: Final = 2.0
POLICIES: Final = """
@id("staff") permit (principal == Remit::Agent::"clerk", action, resource);
@id("small") forbid (principal, action in Remit::Action::"call_tool", resource)
  when { context.input has count && context.input.count > 1000 };
@id("no-roots") forbid (principal, action == Remit::Action::"list_roots", resource);
"""
_EVENT: Final = re.compile(rb"^id: ?(\S+)", re.MULTILINE)
CLOCK: Final = SystemClock()
ENTROPY: Final = SystemEntropy()


class Watched:
    """The real ledger, which tells the laws what is durable before it tells anybody else."""

    def __init__(self, real: Ledger, laws: Laws) -> None:
        self._real = real
        self._laws = laws

    def append(self, draft: Draft) -> Pending:
        """As `Ledger.append`."""
        pending = self._real.append(draft)
        return Pending(pending.ref, asyncio.ensure_future(self._durable(draft, pending.durable, str(pending.ref))))

    async def _durable(self, draft: Draft, durable: Awaitable[Receipt], ref: str) -> Receipt:
        receipt = await durable
        self._laws.durable(ref, draft)
        return receipt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@dataclass(slots=True)
class World:
    """What a run needs; `statuses` counts answers, 0 for those that a client did not wait for."""

    app: McpApp
    laws: Laws
    streams: StreamLaws
    seed: int
    statuses: Counter[int] = field(default_factory=Counter[int])
    connections: list[Connection] = field(default_factory=list[Connection])
    _states: list[Any] = field(default_factory=list[Any])

    async def send(self, number: int) -> None:
        """Send message `number` and read its answer."""
        random = Random(self.seed * 1_000_003 + number)
        connection = random.choice(self.connections) if random.random() < 0.5 else None
        message = make(random, number, connection)
        parts = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in message.chunks]
        parts.append({"type": "http.request", "body": b"", "more_body": False})
        said: list[Any] = []
        self.laws.sent(message.token, message.bearer)
        of = message.connection
        if of is not None:
            of.tokens.append(message.token)
            of.asked.update(_subscribed(message.body))
        work = self._request("POST", message.path, message.headers, parts, message.vanish_s, said=said, of=message)
        answering = asyncio.create_task(self._answer(said, message, random))
        try:
            status = await work
        finally:
            answering.cancel()
        self.laws.answered(status, message.token)
        for one in said:
            await self._heard(one, message, random)

    async def _heard(self, said: Any, message: Sent, random: Random) -> None:
        """Look at what a server said to a client, and answer what it asks of one of 2026-07-28."""
        match said:
            case {"error": {"code": -32042, "data": {"elicitations": [*addresses]}}}:
                for params in addresses:
                    self.laws.questioned({"method": "elicitation/create", "params": params}, message.declared)
            case {"result": {"resultType": "input_required", "requestState": state, **rest}}:
                questions = cast("dict[str, Any]", rest).get("inputRequests", {})
                for question in questions.values():
                    self.laws.questioned(question, message.declared)
                responses = {key: _response(one, random) for key, one in questions.items() if random.random() < 0.9}
                self._states.append(state)
                if random.random() < 0.1:
                    state = random.choice(self._states[-50:])
                again = message.again(state, {key: one for key, one in responses.items() if one is not None})
                if len(again.body) < 4_000_000 and random.random() < 0.9:
                    await self._again(again, random)
            case _:
                pass

    async def _again(self, message: Sent, random: Random) -> None:
        said: list[Any] = []
        parts = [{"type": "http.request", "body": message.body}]
        await self._request("POST", message.path, message.headers, parts, None, said=said, of=message)
        for one in said:
            await self._heard(one, message, random)

    async def stand(self, number: int) -> None:
        """Have stream `number` stand until its client goes away, or it is ended."""
        random = Random(self.seed * 7_919 + number)
        of = standing(random, number, self.connections)
        parts = [{"type": "http.request", "body": of.body}]
        said: list[Any] = []
        # Who comes back for a call's stream is asked there what is asked in the call.
        answering = asyncio.create_task(self._answer(said, of, random))
        try:
            await self._request(of.method, of.path, of.headers, parts, of.vanish_s, said=said, of=of)
        finally:
            answering.cancel()

    async def _answer(self, said: list[Any], message: Sent | Standing, random: Random) -> None:
        """Answer what the servers ask of an `initialize` client: well, badly, twice, and then as it should be."""
        seen = 0
        while True:
            await asyncio.sleep(0.02)
            while seen < len(said):
                question = said[seen]
                seen += 1
                if "method" not in question or "id" not in question:
                    continue
                ident = question["id"]
                self.laws.questioned(question, message.declared)
                found: Any = {"jsonrpc": "2.0", "id": ident, "result": _response(question, random)}
                if random.random() < 0.2:
                    found = {"jsonrpc": "2.0", "id": ident, "error": {"code": -1, "message": "no"}}
                last: Any = {"jsonrpc": "2.0", "id": ident, "result": {"action": "decline"}}
                for one in (*[found] * random.choice((1, 1, 2)), last):
                    parts = [{"type": "http.request", "body": orjson.dumps(one)}]
                    await self._request("POST", message.path, message.headers, parts, None)

    async def open(self, bearer: str, path: str, able: Mapping[str, Any]) -> None:
        """A connection of the `initialize` era, of a client that declares `able`."""
        params: Any = {"protocolVersion": "2025-11-25", "capabilities": able, "clientInfo": {"name": "f"}}
        body = orjson.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        head = [
            (b"host", b"remit.test"),
            (b"content-type", b"application/json"),
            (b"accept", b"application/json, text/event-stream"),
            (b"authorization", f"Bearer {bearer}".encode()),
        ]
        kept: list[Any] = []
        await self._request("POST", path, head, [{"type": "http.request", "body": body}], None, kept)
        found = dict(kept)
        self.connections.append(Connection(found[b"mcp-session-id"].decode(), bearer, path, able))

    async def settle(self) -> None:
        """Let what still runs come to its end."""
        await asyncio.sleep(CALL_S + 0.5)

    async def _request(
        self,
        method: str,
        path: str,
        headers: list[tuple[bytes, bytes]],
        parts: list[dict[str, Any]],
        vanish_s: float | None,
        kept: list[Any] | None = None,
        said: list[Any] | None = None,
        of: Sent | Standing | None = None,
    ) -> int:
        scope = {"type": "http", "method": method, "path": path, "headers": headers, "client": ("127.0.0.1", 1)}
        status = 0
        events: list[str] = []
        waiting = iter(parts)
        sent = b"".join(part["body"] for part in parts)
        gone = asyncio.Event()
        if vanish_s is not None:
            asyncio.get_running_loop().call_later(vanish_s, gone.set)

        async def receive() -> Message:
            for part in waiting:
                return part
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self.laws.shown(b"\n".join(name + b": " + value for name, value in message["headers"]))
                if kept is not None:
                    kept.extend(message["headers"])
            else:
                data = message.get("body", b"")
                self._shown(data, sent, of, status)
                events.extend(one.decode() for one in _EVENT.findall(data))
                if said is not None:
                    said.extend(_messages(data))

        try:
            async with asyncio.timeout(STUCK_S):
                await self.app(scope, receive, send)
        except TimeoutError:
            self.laws.broken.append(f"no answer within {STUCK_S:.0f} s: {sent!r}"[:300])
        self.statuses[status] += 1
        if isinstance(of, Sent) and of.connection is not None:
            # From now on somebody may come back for it: whose stream is taken while he reads it waits for nothing.
            of.connection.events.extend(events)
        return status

    def _shown(self, data: bytes, sent: bytes, of: Sent | Standing | None, status: int) -> None:
        """Look at bytes that leave in answer to `of`."""
        if of is None:
            self.laws.shown(data, sent)
            return
        connection = of.connection
        if isinstance(of, Standing) and connection is not None:
            # What it tells of, or is the rest of, was sent on this connection, or on none.
            sent = b" ".join(connection.tokens)
        self.laws.shown(data, sent, of.bearer)
        if isinstance(of, Standing) and not of.resumes and status == HTTPStatus.OK:
            for event in _messages(data):
                self.streams.event(event, of)


def _subscribed(body: bytes) -> set[str]:
    """The resource that `body` asks to be told of, as far as anybody could read it."""
    try:
        found = orjson.loads(body)
        uri = found["params"]["uri"] if found["method"] == "resources/subscribe" else None
    except (ValueError, KeyError, TypeError):
        return set()
    return {uri} if isinstance(uri, str) else set()


def _messages(data: bytes) -> list[Any]:
    """The messages in a body, or in a piece of an event stream."""
    if data.startswith(b"{"):
        return [orjson.loads(data)]
    return [orjson.loads(line[6:]) for line in data.split(b"\n") if line.startswith(b"data: {")]


def _response(question: Any, random: Random) -> Any:
    """What a client answers: well, which says what it is the answer to, or badly."""
    mark = MARK.search(orjson.dumps(question))
    text = f"answer-to-{mark.group().decode()}" if mark else "answer"
    accepted = {"action": "accept", "content": {"name": text}, "_meta": {"x": NEVER.decode()}}
    sampled = {"role": "assistant", "model": "m", "content": {"type": "text", "text": text}}
    good: Any = {"elicitation/create": accepted, "sampling/createMessage": sampled}.get(question["method"])
    return random.choice((good, good, good, {"action": "decline"}, {}, [1]))


def catalog(new: int, old: int) -> Catalog:
    """Two servers whose tools are known; two agents, one of which may nothing."""
    servers = {
        name: Server(name, Http(f"http://127.0.0.1:{port}/mcp"), verify_s=5.0, call_s=CALL_S)
        for name, port in (("new", new), ("old", old))
    }
    definitions = [Definition(one["name"], one["description"], one["inputSchema"], None, {}) for one in TOOLS]
    tools = {
        (server, one.name): Tool(
            server, one, one.pin(), Effect.WRITE, Sink.INTERNAL, frozenset({"untrusted"}), catalogued=True
        )
        for server in servers
        for one in definitions
    }
    agents = {name: Agent(name, "ann", "fuzzes") for name in ("clerk", "guest")}
    source = PolicySource("fuzz.cedar", POLICIES)
    return Catalog(agents, {"ann": User("ann")}, frozenset(), servers, tools, {}, (source,))


def authority(bearer: str | None) -> Authority:
    """Whom a bearer token stands for."""
    if bearer is None or bearer not in SIGNED_BY:
        raise TokenInvalid(TokenRefusal.MALFORMED, "it is not one of ours")
    agent = "guest" if bearer == "guest" else "clerk"
    return Authority((Link(agent, f"s-{bearer}"),), "ann", f"t-{bearer}", CLOCK.now_ms() + 86_400_000)


@contextlib.asynccontextmanager
async def world(folder: Path, seed: int) -> AsyncGenerator[World]:
    """Everything, over a fresh ledger in `folder`."""
    laws = Laws()
    new = Hostile(laws, Random(seed), stateless=True)
    old = Hostile(laws, Random(seed + 1), stateless=False)
    await new.start()
    await old.start()
    ledger = open_ledger(folder / "ledger.sqlite3", CLOCK, ENTROPY)
    session = open_http_session()
    found = catalog(new.port, old.port)
    upstreams = {name: HttpUpstream(server, session, DEFAULT, CLOCK) for name, server in found.servers.items()}
    bundle = compile_bundle(found).result
    assert isinstance(bundle, Bundle), bundle
    driver = Driver(cast("Ledger", Watched(ledger, laws)), CLOCK, lambda: bundle, upstreams)
    await driver.authorization.load()
    edge = McpEndpoint("http://remit.test", frozenset({"remit.test"}))
    made = World(McpApp(driver, authority, edge, CLOCK, ENTROPY), laws, StreamLaws(laws), seed)
    try:
        for bearer in sorted(set(SIGNED_BY)):
            for path in PATHS:
                for able in ABLE:
                    await made.open(bearer, path, able)
        yield made
    finally:
        for upstream in upstreams.values():
            await upstream.close()
        await session.close()
        await new.stop()
        await old.stop()
        await ledger.close()

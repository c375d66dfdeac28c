"""How a credential rides on requests to a server, with the upstream adapter and a server that looks at it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from aiohttp import web

from remit.adapters.system import SystemEntropy
from remit.adapters.upstreams.exchange import open_http_session
from remit.adapters.upstreams.http import HttpUpstream
from remit.adapters.upstreams.presentation import SecretMask
from remit.adapters.upstreams.stdio import StdioUpstream
from remit.facts.catalog import Http, Server
from remit.facts.credential import FromEnv, Secret
from remit.facts.limits import DEFAULT
from remit.pep.mcp.app import METADATA, McpApp, McpEndpoint
from remit.ports.credentials import CredentialRefused
from remit.ports.upstream import Era, Failure, Result, UpstreamUnreachable
from tests.eventually import eventually
from tests.upstreams.rig import ManualClock, stdio_transport

MODERN = "2026-07-28"


@dataclass
class Keys:
    """A credential by hand: `now` is shown; after a 401, `later` is, if there is one."""

    now: str | None
    later: str | None = None
    renewals: int = 0
    let_in: list[str] = field(default_factory=list[str])

    async def headers(self) -> Mapping[str, str]:
        if self.now is None:
            raise CredentialRefused("there is none: remit servers login shop")
        return {"X-Key": self.now}

    async def renew(self, headers: Mapping[str, str]) -> bool:
        self.renewals += 1
        self.now, self.later, before = self.later or self.now, None, self.now
        return self.now != before

    def note_accepted(self, headers: Mapping[str, str]) -> None:
        self.let_in.append(headers["X-Key"])

    def note_rejected(self, *, scope_missing: bool) -> str:
        return f"rejected, scope missing: {scope_missing}"


@dataclass
class Shop:
    """A server of 2026-07-28 that lets in who shows `good`; `seen` are the keys it was shown, by method."""

    url: str = ""
    good: str = "good"
    tells: Callable[[Any, str], web.Response] | None = None
    seen: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])

    async def post(self, request: web.Request) -> web.Response:
        message = json.loads(await request.read())
        key = request.headers.get("X-Key")
        self.seen.append((message["method"], key))
        if key != self.good:
            lacking = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'} if key == "small" else {}
            return web.Response(status=403 if key == "small" else 401, headers=lacking)
        if self.tells is not None and message["method"] == "tools/call":
            return self.tells(message["id"], f"your headers were {dict(request.headers)}".replace("'", ""))
        results: dict[str, Any] = {
            "server/discover": {"supportedVersions": [MODERN], "capabilities": {"tools": {}}},
            "tools/call": {"content": [{"type": "text", "text": "done"}]},
        }
        result = {**results[message["method"]], "resultType": "complete"}
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})

    def calls(self) -> list[str | None]:
        return [key for method, key in self.seen if method == "tools/call"]


@asynccontextmanager
async def shop(keys: Keys | None) -> AsyncGenerator[tuple[Shop, HttpUpstream]]:
    one = Shop()
    app = web.Application()
    app.router.add_post("/mcp", one.post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    async with open_http_session() as session:
        upstream = HttpUpstream(Server("shop", Http(one.url)), session, DEFAULT, ManualClock(), keys)
        try:
            yield one, upstream
        finally:
            await upstream.close()
            await runner.cleanup()


async def call(upstream: HttpUpstream) -> Result | Failure:
    found = await upstream.call("s", Era.STATELESS, "buy", b"{}")
    assert isinstance(found, Result | Failure)
    return found


@pytest.mark.asyncio
async def test_headers_by_reference_ride_on_every_request() -> None:
    async with shop(Keys("good")) as (one, upstream):
        assert isinstance(await call(upstream), Result)
        assert {key for _, key in one.seen} == {"good"}
        assert len(one.seen) == 2


def rpc(ident: Any, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": ident, **more}


def told(ident: Any, said: str) -> dict[str, Any]:
    return rpc(ident, result={"content": [{"type": "text", "text": said}], "resultType": "complete"})


def page(_: Any, said: str) -> web.Response:
    return web.Response(status=500, text=said)


def error(ident: Any, said: str) -> web.Response:
    return web.json_response(rpc(ident, error={"code": -32603, "message": said}), status=400)


def result(ident: Any, said: str) -> web.Response:
    return web.json_response(told(ident, said))


def stream(ident: Any, said: str) -> web.Response:
    return web.Response(text=f"data: {json.dumps(told(ident, said))}\n\n", content_type="text/event-stream")


def redirect(_: Any, said: str) -> web.Response:
    return web.Response(status=302, headers={"Location": f"http://127.0.0.1/?{said}"})


@pytest.mark.parametrize("tells", [page, error, result, stream, redirect])
@pytest.mark.asyncio
async def test_a_server_that_tells_what_it_was_shown_is_not_heard(tells: Callable[[Any, str], web.Response]) -> None:
    async with shop(Keys("canary-of-a-key")) as (one, upstream):
        one.good, one.tells = "canary-of-a-key", tells
        reply = await call(upstream)
        assert one.calls() == ["canary-of-a-key"]
        assert "your headers were" in str(reply)
        assert "canary-of-a-key" not in str(reply)


@pytest.mark.parametrize(
    ("one", "written"),
    [("$", "$"), ("/", "\\/"), ("+", "\\u002B"), ("=", "\\u003d")],
    ids=["plainly", "PHP", ".NET", "Gson"],
)
def test_a_secret_is_found_as_json_is_written_in_other_languages(one: str, written: str) -> None:
    hiding = SecretMask()
    for secret in ("Ab+c/9xYz01==", 'quo"ted\\secret'):
        hiding.learn({"Authorization": f"Basic {secret}"})
        text = json.dumps(f"you sent Basic {secret}").replace(one, written)
        said = json.loads(hiding.hide(text.encode()))
        assert said == "you sent Basic [hidden by Remit: its credential]"


@pytest.mark.asyncio
async def test_a_401_is_answered_by_one_more_request_with_another_credential_only() -> None:
    async with shop(Keys("good")) as (one, upstream):
        await call(upstream)
        one.good = "better"
        one.seen.clear()
        refused = await call(upstream)
        assert refused == Failure("unauthorized", "rejected, scope missing: False", sent=True)
        assert one.calls() == ["good"], "the same credential is not tried again"
    async with shop(Keys("good", "better")) as (one, upstream):
        await call(upstream)
        one.good = "better"
        one.seen.clear()
        assert isinstance(await call(upstream), Result)
        assert one.calls() == ["good", "better"]
    keys = Keys("good", "worse")
    async with shop(keys) as (one, upstream):
        await call(upstream)
        one.good = "better"
        one.seen.clear()
        refused = await call(upstream)
        assert isinstance(refused, Failure)
        assert (one.calls(), keys.renewals) == (["good", "worse"], 1)
        assert set(keys.let_in) == {"good"}, "what was refused was not let in"
        one.good = "worse"
        assert isinstance(await call(upstream), Result)
        assert keys.let_in[-1] == "worse"


@pytest.mark.asyncio
async def test_without_a_credential_nothing_is_sent() -> None:
    async with shop(Keys(None)) as (one, upstream):
        refused = await call(upstream)
        assert refused == Failure("unauthorized", "there is none: remit servers login shop", sent=False)
        with pytest.raises(UpstreamUnreachable, match="remit servers login shop"):
            await upstream.definitions("s", Era.STATELESS)
        assert one.seen == []


@pytest.mark.asyncio
async def test_a_server_that_wants_a_credential_and_has_none_declared_is_told_so() -> None:
    async with shop(None) as (one, upstream):
        refused = await call(upstream)
        assert isinstance(refused, Failure)
        assert "answered with HTTP 401; say in its Server resource what to show it (headers, oauth)" in refused.text
        assert {key for _, key in one.seen} == {None}


@pytest.mark.asyncio
async def test_a_lacking_scope_is_told_and_not_renewed() -> None:
    keys = Keys("small", "good")
    async with shop(keys) as (_, upstream):
        refused = await call(upstream)
        assert isinstance(refused, Failure)
        assert refused.text == "rejected, scope missing: True"
        assert keys.renewals == 0


@pytest.mark.asyncio
async def test_a_variable_by_reference_that_gives_nothing_starts_no_child(tmp_path: Path) -> None:
    class Nothing:
        def of(self, server: Server) -> None:
            return None

        async def environment(self, server: str, env: Mapping[str, str | Secret]) -> Mapping[str, str]:
            raise CredentialRefused(f"server {server!r} is not started, its variable KEY: it is not set")

    plain = stdio_transport("both", tmp_path)
    transport = type(plain)(plain.command, {"KEY": Secret(FromEnv("KEY"))})
    upstream = StdioUpstream(Server("hand", transport), DEFAULT, ManualClock(), tmp_path, Nothing())
    try:
        refused = await upstream.call("s", Era.STATELESS, "echo", b"{}")
        assert isinstance(refused, Failure)
        assert "its variable KEY: it is not set" in refused.text
        assert not refused.sent
        assert not (tmp_path / "stdio.log").exists()
    finally:
        await upstream.close()


@pytest.mark.parametrize("secret", ["canary-of-a-key", '-----BEGIN KEY-----\ncanary/of"a+key\n-----END KEY-----'])
@pytest.mark.asyncio
async def test_a_child_that_tells_a_variable_by_reference_is_not_heard(tmp_path: Path, secret: str) -> None:
    class One:
        def of(self, server: Server) -> None:
            return None

        async def environment(self, server: str, env: Mapping[str, str | Secret]) -> Mapping[str, str]:
            assert server == "hand"
            return {name: value if isinstance(value, str) else f"Key {secret}" for name, value in env.items()}

    plain = stdio_transport("both", tmp_path)
    transport = type(plain)(plain.command, {"KEY": Secret(FromEnv("KEY"), "Key "), "PLAIN": "thank you"})
    upstream = StdioUpstream(Server("hand", transport), DEFAULT, ManualClock(), tmp_path, One())
    try:
        reply = await upstream.call("s", Era.STATELESS, "blab", b"{}")
        assert isinstance(reply, Result)
        told = "it is Key [hidden by Remit: its credential], thank you"
        assert reply.value["content"] == [{"type": "text", "text": told}]
        await eventually(lambda: told in upstream.health().stderr)
    finally:
        await upstream.close()
    assert "canary" not in upstream.health().stderr


@pytest.mark.parametrize("named", [(), ("https://login.example",)])
def test_remits_own_metadata_names_what_is_configured(named: tuple[str, ...]) -> None:
    """RFC 9728: without a configured authorization server there is no such member."""
    edge = McpEndpoint("https://remit.example", frozenset({"remit.example"}), authorization_servers=named)
    anything: Any = MagicMock()
    app = McpApp(anything, anything, edge, ManualClock(), SystemEntropy())
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": f"{METADATA}/mcp/shop",
        "headers": [(b"host", b"remit.example")],
    }
    asyncio.run(app(scope, receive, send))
    told = json.loads(sent[1]["body"])
    assert told["resource"] == "https://remit.example/mcp/shop"
    assert told["bearer_methods_supported"] == ["header"]
    assert tuple(told.get("authorization_servers", ())) == named
    assert ("authorization_servers" in told) == bool(named)

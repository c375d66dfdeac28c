"""The gateway byte by byte: who is turned away and how, in both eras, before uvicorn and a real ledger."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from remit.facts.record import RecordKind
from remit.pep.mcp import pending_response
from remit.pep.mcp.app import METADATA
from tests.e2e.gateway_world import META, Shop, World, gateway, headers, shop_process, until

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    with shop_process(tmp_path_factory.mktemp("shop")) as made:
        yield made


def message(method: str, params: Mapping[str, Any] | None = None, ident: Any = 1) -> bytes:
    body = {"jsonrpc": "2.0", "id": ident, "method": method, "params": {"_meta": META, **(params or {})}}
    return json.dumps(body).encode()


class Wire:
    """Raw requests to one world; each answer as `(status, headers, body)`."""

    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self.world = world
        self._session = session
        self.token = world.token()

    async def send(
        self, data: Any, head: Mapping[str, str], path: str = "/mcp/shop", verb: str = "POST"
    ) -> tuple[int, Mapping[str, str], bytes]:
        url = self.world.url + path
        if isinstance(data, bytes):
            data = io.BytesIO(data)
        async with self._session.request(verb, url, data=data, headers=head) as answer:
            return answer.status, dict(answer.headers), await answer.read()

    async def ask(
        self, method: str, params: Mapping[str, Any] | None = None, head: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        name = None if params is None else params.get("name")
        given = {**headers(self.token, method, name), **(head or {})}
        status, _, body = await self.send(message(method, params), given)
        return status, json.loads(body)

    def handshake(self, **more: str) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **more,
        }

    async def initialize(self, version: str = VERSIONS[-1]) -> tuple[str, Any]:
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        status, head, body = await self.send(message("initialize", params), self.handshake())
        assert status == 200
        return head["mcp-session-id"], event(body)


def event(body: bytes) -> Any:
    """The one message of an event stream."""
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ") and line != "data: "]
    assert len(lines) == 1, body
    return json.loads(lines[0])


def wire(test: Any) -> Any:
    """Run `test(wire)` in a fresh world."""

    async def run(tmp_path: Path, shop: Shop) -> None:
        async with gateway(tmp_path, shop) as world, aiohttp.ClientSession() as session:
            await test(Wire(world, session))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return pytest.mark.asyncio(run)


@wire
async def test_a_token_is_asked_for_before_anything_else(w: Wire) -> None:
    now = w.world
    expired = now.token(ttl_s=1)
    await until(lambda: is_expired(now, expired))
    revoked = now.token()
    now.authenticator.revoke(now.authority(revoked).token)
    for token, why in ((None, None), ("nonsense", "malformed"), (expired, "expired"), (revoked, "revoked")):
        status, head, body = await w.send(b"\xff not read", headers(token, "tools/call", "pay"))
        challenge = head["WWW-Authenticate"]
        assert status == 401
        assert f'resource_metadata="{now.url}/.well-known/oauth-protected-resource/mcp/shop"' in challenge
        assert ('error="invalid_token"' in challenge) == (why is not None)
        error = json.loads(body)["error"]
        assert error["data"]["next"].startswith("ask for a token")
        assert error["message"].startswith("not authenticated: ")
    status, _, body = await w.send(b"", {}, "/.well-known/oauth-protected-resource/mcp/shop", "GET")
    assert status == 200
    assert json.loads(body)["resource"] == f"{now.url}/mcp/shop"
    assert (await w.send(b"", {}, "/.well-known/oauth-protected-resource/other", "GET"))[0] == 404
    assert await now.records(RecordKind.PROPOSAL, RecordKind.INTENT) == []


async def is_expired(world: World, token: str) -> bool:
    try:
        world.authority(token)
    except Exception as error:  # noqa: BLE001
        return "expired" in str(error)
    return False


@wire
async def test_a_path_that_no_header_can_hold_is_not_found(w: Wire) -> None:
    for path in ("/mcp/%E2%82%AC", "/mcp/%0d%0aX-Injected:%20yes", "/mcp/%C3%A9", "/mcp/%7f", f"{METADATA}/mcp/%0a"):
        for method in ("GET", "POST"):
            status, head, body = await w.send(b"", {}, path, method)
            assert (status, json.loads(body)["error"]["data"]["reason"]) == (404, "path/unknown"), path
            assert "X-Injected" not in head
    # Nothing in a path ends the quoted parameter early.
    _, head, _ = await w.send(b"", {}, "/mcp/%22,evil=%22%5C", "GET")
    assert head["WWW-Authenticate"].count('"') == 2


@wire
async def test_strange_hosts_and_pages_are_turned_away(w: Wire) -> None:
    call = message("tools/list")
    good = headers(w.token, "tools/list")
    assert (await w.send(call, good))[0] == 200
    assert (await w.send(call, {**good, "host": "evil.example"}))[0] == 421
    assert (await w.send(call, {**good, "origin": "http://evil.example"}))[0] == 403
    assert (await w.send(call, good, "/mcp/nowhere"))[0] == 404
    assert (await w.send(b"", good, verb="GET"))[0] == 405
    assert (await w.send(b"", good, verb="PUT"))[0] == 405
    assert (await w.send(call, {**good, "accept": "text/html"}))[0] == 406
    assert (await w.send(call, {**good, "content-type": "text/plain"}))[0] == 415
    from multidict import CIMultiDict

    twice = CIMultiDict(good)
    twice.add("mcp-method", "tools/list")
    assert (await w.send(call, twice))[0] == 400


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":1e999}}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":9007199254740993}}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"\\ud800"}}', -32700),
        (b"[" * 1000 + b"]" * 1000, -32700),
        (b"\xef\xbb\xbf{}", -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b'{"jsonrpc":"2.0","id":1,"result":{}}', -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602),
    ],
)
async def test_what_is_not_one_message_is_refused(tmp_path: Path, shop: Shop, body: bytes, code: int) -> None:
    async with gateway(tmp_path, shop) as world, aiohttp.ClientSession() as session:
        w = Wire(world, session)
        status, _, answer = await w.send(body, headers(w.token, "tools/call", "pay"))
        assert (status, json.loads(answer)["error"]["code"]) == (400, code)
        assert await world.records(RecordKind.PROPOSAL, RecordKind.INTENT) == []


@wire
async def test_a_body_too_large_is_cut_off(w: Wire) -> None:
    large = message("tools/call", {"name": "echo", "arguments": {"text": "x" * (5 * 1024 * 1024)}})
    given = headers(w.token, "tools/call", "echo")
    status, _, body = await w.send(large, given)
    assert (status, json.loads(body)["error"]["data"]["reason"]) == (413, "body/too-large")

    async def chunks() -> Any:
        for start in range(0, len(large), 1 << 16):
            yield large[start : start + (1 << 16)]

    status, _, body = await w.send(chunks(), given)
    assert status == 413
    long = {"name": "echo", "arguments": {"text": "x" * 1_000_000, "more": "y" * 100_000}}
    status, answer = await w.ask("tools/call", long)
    assert "[arg/too-large]" in answer["result"]["content"][0]["text"]


@wire
async def test_stateless_headers_and_body_must_agree(w: Wire) -> None:
    call = {"name": "pay", "arguments": {"amount": 1, "to": "eve"}}
    for head in ({"mcp-method": "tools/list"}, {"mcp-name": "echo"}, {"mcp-name": "=?base64?###?="}):
        status, answer = await w.ask("tools/call", call, head)
        assert (status, answer["error"]["code"], answer["id"]) == (400, -32020, 1)
    status, answer = await w.ask("tools/call", call, {"mcp-protocol-version": "2027-01-01"})
    assert (status, answer["error"]["code"]) == (400, -32020)
    other = {**META, "io.modelcontextprotocol/protocolVersion": "2027-01-01"}
    status, answer = await w.ask("tools/list", {"_meta": other}, {"mcp-protocol-version": "2027-01-01"})
    assert (status, answer["error"]["code"]) == (400, -32022)
    assert answer["error"]["data"] == {"supported": ["2026-07-28"], "requested": "2027-01-01"}
    metas: tuple[Any, ...] = ({}, {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}, None, [])
    for meta in metas:
        status, answer = await w.ask("tools/list", {"_meta": meta})
        assert (status, answer["error"]["code"]) == (400, -32602)
    odds: tuple[dict[str, Any], ...] = ({"name": 5}, {"arguments": []}, {"name": "a\u200bb"}, {"name": ""})
    for odd in odds:
        given: dict[str, Any] = {**call, **odd}
        name = given["name"] if isinstance(given["name"], str) else "5"
        plain = "=?base64?" + base64.b64encode(name.encode()).decode() + "?="
        status, answer = await w.ask("tools/call", given, {"mcp-name": plain})
        assert (status, answer["error"]["code"]) == (400, -32020 if odd == {"name": 5} else -32602)
    status, answer = await w.ask("tools/call", call, {"mcp-name": "  =?base64?cGF5?=  "})
    assert (status, answer["result"]["structuredContent"]) == (200, {"paid": 1})
    assert w.world.effects() == ["pay 1 eve"]


@wire
async def test_stateless_methods(w: Wire) -> None:
    status, answer = await w.ask("server/discover")
    found = answer["result"]
    assert (status, found["supportedVersions"], found["resultType"]) == (200, ["2026-07-28"], "complete")
    assert found["capabilities"]["tools"] == {"listChanged": True}
    assert (found["cacheScope"], found["ttlMs"] > 0) == ("private", True)
    status, answer = await w.ask("tools/list")
    found = answer["result"]
    assert (found["cacheScope"], found["ttlMs"] > 0, found["resultType"]) == ("private", True, "complete")
    assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "remit"
    assert all(tool.keys() <= {"name", "description", "inputSchema", "outputSchema"} for tool in found["tools"])
    for method in ("ping", "logging/setLevel", "resources/subscribe", "tasks/list", "initialize", "tools/watch"):
        status, answer = await w.ask(method)
        assert (status, answer["error"]["code"]) == (404, -32601)
        assert "method/unknown" in answer["error"]["message"]
    given = headers(w.token, "notifications/cancelled")
    body = json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}).encode()
    assert (await w.send(body, given))[0] == 202


@wire
async def test_a_result_of_this_era_carries_our_meta_alone(w: Wire) -> None:
    _, answer = await w.ask("tools/call", {"name": "echo", "arguments": {"text": "hi"}}, {})
    result = answer["result"]
    assert result["_meta"] == {"io.modelcontextprotocol/serverInfo": result["_meta"][next(iter(result["_meta"]))]}
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "remit"
    assert result["resultType"] == "complete"
    assert result["content"] == [{"type": "text", "text": "hi"}]


@wire
async def test_the_handshake_era(w: Wire) -> None:
    for version in VERSIONS:
        _, answer = await w.initialize(version)
        assert answer["result"]["protocolVersion"] == version
        assert "_meta" not in answer["result"]
    _, answer = await w.initialize("1999-01-01")
    assert answer["result"]["protocolVersion"] == VERSIONS[-1]
    sid, _ = await w.initialize()
    known = w.handshake(**{"mcp-session-id": sid, "mcp-protocol-version": VERSIONS[-1]})
    ready = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode()
    assert (await w.send(ready, known))[0] == 202
    assert event((await w.send(message("ping"), known))[2])["result"] == {}
    call = {"name": "pay", "arguments": {"amount": 1, "to": "eve"}}
    status, head, body = await w.send(message("tools/call", call, "abc"), known)
    assert (status, head["Content-Type"]) == (200, "text/event-stream")
    assert event(body)["id"] == "abc"
    assert event(body)["result"].keys() == {"content", "structuredContent"}
    status, head, body = await w.send(message("tools/list"), {**known, "accept": "application/json"})
    assert head["Content-Type"] == "application/json"
    assert json.loads(body)["result"].keys() == {"tools"}
    unknown = event((await w.send(message("server/discover"), known))[2])
    assert unknown["error"]["code"] == -32601
    odd = event((await w.send(message("tools/call", {"name": 5}), known))[2])
    assert odd["error"]["code"] == -32602


@wire
async def test_a_connection_belongs_to_who_opened_it(w: Wire) -> None:
    sid, _ = await w.initialize()
    known = w.handshake(**{"mcp-session-id": sid})
    assert (await w.send(message("ping"), w.handshake()))[0] == 400
    assert (await w.send(message("ping"), w.handshake(**{"mcp-session-id": "0" * 36})))[0] == 404
    assert (await w.send(message("ping"), known, "/mcp"))[0] == 404
    stranger = {**known, "authorization": f"Bearer {w.world.token()}"}
    assert (await w.send(message("ping"), stranger))[0] == 404
    assert (await w.send(b"", stranger, verb="DELETE"))[0] == 404
    assert (await w.send(message("ping"), {**known, "mcp-protocol-version": "2024-10-07"}))[0] == 400
    assert (await w.send(message("ping"), known))[0] == 200
    assert (await w.send(b"", known, verb="DELETE"))[0] == 204
    assert (await w.send(message("ping"), known))[0] == 404


@wire
async def test_the_standing_stream_ends_with_its_connection(w: Wire) -> None:
    sid, _ = await w.initialize()
    known = w.handshake(**{"mcp-session-id": sid})
    assert (await w.send(b"", {**known, "accept": "application/json"}, verb="GET"))[0] == 406
    stream = asyncio.create_task(w.send(b"", known, verb="GET"))

    async def second_is_refused() -> bool:
        # A task of its own, so that the first one begins before it.
        second = asyncio.create_task(w.send(b"", known, verb="GET"))
        return (await asyncio.wait_for(second, 60))[0] == 409

    assert await second_is_refused() or not stream.done()
    assert (await w.send(b"", known, verb="DELETE"))[0] == 204
    status, head, body = await asyncio.wait_for(stream, 60)
    assert (status, head["Content-Type"]) == (200, "text/event-stream")
    assert set(body.decode().splitlines()) <= {": waiting", ""}


@wire
async def test_a_notification_cancels_a_call_of_the_handshake_era(w: Wire) -> None:
    sid, _ = await w.initialize()
    known = w.handshake(**{"mcp-session-id": sid})
    call = {"name": "slow", "arguments": {"seconds": 30}}
    running = asyncio.create_task(w.send(message("tools/call", call, 7), known))
    await w.world.effects_are("slow began")
    twin = event((await w.send(message("tools/call", call, 7), known))[2])
    assert twin["error"]["code"] == -32600
    body = json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}).encode()
    assert (await w.send(body, known))[0] == 202
    status, _, answer = await running
    assert (status, event(answer)["error"]["code"]) == (200, -32800)
    [outcome] = await until(lambda: w.world.records(RecordKind.OUTCOME))
    assert outcome.body is not None


@pytest.mark.asyncio
@pytest.mark.parametrize("era", ["2026-07-28", "handshake"])
async def test_a_long_call_is_kept_alive(tmp_path: Path, shop: Shop, era: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_response, "KEEPALIVE_S", 0.05)
    async with gateway(tmp_path, shop) as world, aiohttp.ClientSession() as session:
        w = Wire(world, session)
        given: Mapping[str, str] = headers(w.token, "tools/call", "slow")
        if era == "handshake":
            sid, _ = await w.initialize()
            given = w.handshake(**{"mcp-session-id": sid})
        call = {"name": "slow", "arguments": {"seconds": 0.3}}
        status, head, body = await w.send(message("tools/call", call), given)
        assert (status, head["Content-Type"]) == (200, "text/event-stream")
        assert pending_response.COMMENT in body
        assert body.startswith(b"id: ") == (era == "handshake")
        assert event(body)["result"]["content"][0]["text"] == "done"


@wire
async def test_exposed_names_that_nobody_has(w: Wire) -> None:
    for name, code in (
        ("shop___steal", "tool/unknown"),
        ("bank___pay", "server/unknown"),
        ("pay", "server/unknown"),
        ("___", "server/unknown"),
    ):
        given = headers(w.token, "tools/call", name)
        status, _, body = await w.send(message("tools/call", {"name": name}), given, "/mcp")
        result = json.loads(body)["result"]
        assert (status, result["isError"]) == (200, True)
        assert f"[{code}]" in result["content"][0]["text"]
        assert ("'pay' names no server" in result["content"][0]["text"]) == (name == "pay")

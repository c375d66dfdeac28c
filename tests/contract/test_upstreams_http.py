"""What only streamable HTTP has: sessions, headers, redirects, bodies of every kind."""

import asyncio
import base64
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.upstreams import listings
from remit.adapters.upstreams.exchange import HttpExchange, open_http_session
from remit.adapters.upstreams.http import HttpUpstream
from remit.facts.catalog import Http, Server, Stdio
from remit.facts.limits import DEFAULT, Limits
from remit.ports.upstream import Era, Failure, Result, UpstreamContext, UpstreamUnreachable
from tests.upstreams.rig import ManualClock, Rig, http_process, rig
from tests.upstreams.scripted import Say, Scripted, result, upstream_of

MODERN, OLD = Era.STATELESS, Era.INITIALIZE
LISTS_WITHOUT_MEASURE: list[tuple[dict[str, object], str]] = [
    ({"cursor": True}, "pages of tools that do not end"),
    ({"tools": [{"name": f"t{n}", "inputSchema": {}} for n in range(60)]}, "more than 50 tools"),
    ({"tools": [{"name": "t", "inputSchema": {}, "title": "x" * 10_000} for _ in range(20)]}, "bytes of tools"),
]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Generator[int]:
    with http_process("http_server.py", tmp_path_factory.mktemp("http")) as found:
        yield found


@pytest.fixture(scope="module")
def real_port(tmp_path_factory: pytest.TempPathFactory) -> Generator[int]:
    with http_process("real.py", tmp_path_factory.mktemp("real")) as found:
        yield found


async def failed(one: Rig, tool: str) -> Failure:
    reply = await one.upstream.call("a", MODERN, tool, b"{}")
    assert isinstance(reply, Failure), reply
    assert reply.sent
    return reply


@pytest.mark.parametrize("era", list(Era))
@pytest.mark.asyncio
async def test_the_sdks_server_in_each_era(era: Era, real_port: int) -> None:
    server = Server("real", Http(f"http://127.0.0.1:{real_port}/mcp"), call_s=20.0)
    async with open_http_session() as session:
        upstream = HttpUpstream(server, session, DEFAULT, ManualClock())
        found = await upstream.definitions("a", era)
        assert [definition.name for definition in found] == ["echo", "progress", "fail"]
        for tool, sent, text in (("echo", b'{"text":"hi"}', "hi"), ("progress", b'{"steps":3}', "done")):
            reply = await upstream.call("a", era, tool, sent)
            assert reply == Result(
                {
                    "content": [{"type": "text", "text": text}],
                    "isError": False,
                    "structuredContent": {"result": text},
                },
                is_error=False,
            )
        reply = await upstream.call("a", era, "fail", b"{}")
        assert isinstance(reply, Result)
        assert reply.is_error
        assert upstream.health().eras == (era,)
        await upstream.close()


@pytest.mark.asyncio
async def test_nothing_was_sent_where_nothing_listens(tmp_path: Path, unused_tcp_port: int) -> None:
    async with open_http_session() as session:
        server = Server("gone", Http(f"http://127.0.0.1:{unused_tcp_port}/mcp"))
        upstream = HttpUpstream(server, session, DEFAULT, ManualClock())
        reply = await upstream.call("a", MODERN, "echo", b"{}")
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("unreachable", False)
        assert "start what answers there, or correct `url`" in reply.text
        with pytest.raises(UpstreamUnreachable, match="cannot be reached"):
            await upstream.definitions("a", OLD)
        assert upstream.health().state == "down"
        await upstream.close()


@pytest.mark.asyncio
async def test_a_server_that_went_away_after_it_was_known_got_nothing(tmp_path: Path) -> None:
    async with open_http_session() as session:
        with http_process("http_server.py", tmp_path) as port:
            server = Server("gone", Http(f"http://127.0.0.1:{port}/stateless"))
            upstream = HttpUpstream(server, session, DEFAULT, ManualClock())
            assert isinstance(await upstream.call("a", MODERN, "echo", b"{}"), Result)
        await asyncio.sleep(0.1)  # the loop sees the pooled connection end
        reply = await upstream.call("a", MODERN, "echo", b"{}")
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("unreachable", False)
        await upstream.close()


@pytest.mark.parametrize("kind", ["http-stateless", "http-initialize"])
@pytest.mark.parametrize(
    ("tool", "cause", "theirs"),
    [
        ("redirect", "redirected", "/both"),
        ("html", "garbage", None),
        ("gzip", "garbage", None),
        ("garbage", "garbage", None),
        ("foreign", "garbage", None),
        ("wrong_id", "garbage", None),
        ("status", "refused", "try later"),
    ],
)
@pytest.mark.asyncio
async def test_an_answer_of_the_wrong_kind(
    kind: str, tool: str, cause: str, theirs: str | None, port: int, tmp_path: Path
) -> None:
    async with rig(kind, port, tmp_path) as one:
        failure = await failed(one, tool)
        assert (failure.cause, failure.upstream_text) == (cause, theirs)
        # A redirect that was followed would be a second request.
        assert len(await one.messages("tools/call")) == 1
        assert isinstance(await one.upstream.call("a", MODERN, "echo", b"{}"), Result)


@pytest.mark.asyncio
async def test_a_body_is_refused_where_it_passes_the_limit_not_after(port: int, tmp_path: Path) -> None:
    async with rig("http-stateless", port, tmp_path, limits=Limits(result_bytes_max=1024 * 1024)) as one:
        assert (await failed(one, "huge")).cause == "too_large"
        sent_mib = [entry["huge_mib"] for entry in await one.log() if "huge_mib" in entry]
        assert len(sent_mib) < 40


@pytest.mark.asyncio
async def test_routing_headers_of_the_stateless_era(port: int, tmp_path: Path) -> None:
    async with rig("http-stateless", port, tmp_path) as one:
        await one.upstream.definitions("a", MODERN)
        await one.upstream.call("a", MODERN, "größe", b"{}")
        asked = [entry["headers"] for entry in await one.log()]
        assert [headers["mcp-method"] for headers in asked][:2] == ["server/discover", "tools/list"]
        assert {headers["mcp-protocol-version"] for headers in asked} == {"2026-07-28"}
        encoded = base64.b64encode("größe".encode()).decode()
        assert asked[-1]["mcp-name"] == f"=?base64?{encoded}?="
        assert "mcp-name" not in asked[0]
        assert not any("cookie" in headers or "authorization" in headers for headers in asked)
        (call,) = await one.messages("tools/call")
        assert call["params"]["_meta"]["io.modelcontextprotocol/clientInfo"]["name"] == "remit"
        assert call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] == {}


@pytest.mark.asyncio
async def test_each_session_has_its_own_upstream_session_and_ends_it(port: int, tmp_path: Path) -> None:
    async with rig("http-initialize", port, tmp_path) as one:
        for sid in ("a", "b", "a"):
            assert isinstance(await one.upstream.call(sid, OLD, "echo", b"{}"), Result)
        assert len(await one.messages("initialize")) == len(await one.messages("notifications/initialized")) == 2
        calls = [entry["headers"] for entry in await one.log() if "tools/call" in entry.get("raw", "")]
        first, second, third = (headers["mcp-session-id"] for headers in calls)
        assert first == third != second
        assert {headers["mcp-protocol-version"] for headers in calls} == {"2025-11-25"}
        assert one.upstream.health().connections == 2
        await one.upstream.end_session("a")
        assert (await one.until("deleted"))["deleted"] == first
        assert one.upstream.health().connections == 1


@pytest.mark.asyncio
async def test_a_call_in_a_forgotten_session_is_never_sent_twice(port: int, tmp_path: Path) -> None:
    async with rig("http-initialize", port, tmp_path) as one:
        assert isinstance(await one.upstream.call("a", OLD, "forget", b"{}"), Result)
        failure = await failed(one, "echo")
        assert failure.cause == "session_lost"
        assert "in doubt" in failure.text
        assert len(await one.messages("tools/call")) == 2
        assert len(await one.messages("initialize")) == 1
        assert isinstance(await one.upstream.call("a", OLD, "echo", b"{}"), Result)
        assert len(await one.messages("initialize")) == 2


@pytest.mark.asyncio
async def test_a_listing_in_a_forgotten_session_is_asked_again_in_a_new_one(port: int, tmp_path: Path) -> None:
    async with rig("http-initialize", port, tmp_path, verify_s=0.0) as one:
        assert isinstance(await one.upstream.call("a", OLD, "forget", b"{}"), Result)
        assert await one.upstream.definitions("a", OLD)
        assert len(await one.messages("initialize")) == 2


@pytest.mark.asyncio
async def test_words_of_a_server_that_refuses_a_session_are_not_passed_on(port: int, tmp_path: Path) -> None:
    async with rig("http-initialize", port, tmp_path) as one:
        assert isinstance(await one.upstream.call("a", OLD, "forget", b"{}"), Result)
        await one.notes(status=404)
        failure = await failed(one, "echo")
        assert (failure.cause, failure.upstream_text) == ("session_lost", "busy")
        unsent = await one.upstream.call("a", OLD, "echo", b"{}")
        assert isinstance(unsent, Failure)
        assert (unsent.sent, unsent.upstream_text) == (False, None)
        assert len(await one.messages("tools/call")) == 2


@pytest.mark.asyncio
async def test_a_call_whose_stream_cannot_be_resumed_was_sent_all_the_same() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split()[0])
        message = json.loads(await reader.readexactly(size))
        kind, body = b"application/json", b""
        if message["method"] == "initialize":
            result = {"protocolVersion": OLD.value}
            body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        elif message["method"] == "tools/call":
            server.close()
            kind, body = b"text/event-stream", b"retry: 10\nid: 1\ndata:\n\n"
        status = b"200 OK" if "id" in message and message["method"] != "server/discover" else b"202 Accepted"
        writer.write(b"HTTP/1.1 %s\r\nContent-Type: %s\r\nConnection: close\r\n" % (status, kind))
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    async with open_http_session() as session:
        upstream = HttpUpstream(Server("gone", Http(f"http://127.0.0.1:{port}/")), session, DEFAULT, ManualClock())
        reply = await upstream.call("a", OLD, "echo", b"{}")
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("disconnected", True)
        await upstream.close()


@pytest.mark.asyncio
async def test_an_event_stream_that_ends_early_is_resumed(port: int, tmp_path: Path) -> None:
    async with rig("http-initialize", port, tmp_path) as one:
        reply = await one.upstream.call("a", OLD, "polling", b"{}")
        assert reply == Result({"content": [{"type": "text", "text": "resumed"}]}, is_error=False)
        resumed = [entry["resumed"].partition("-")[0] for entry in await one.log() if "resumed" in entry]
        assert resumed == ["call", "again"]
    async with rig("http-stateless", port, tmp_path) as one:
        assert (await failed(one, "polling")).cause == "disconnected"


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
@pytest.mark.asyncio
async def test_an_outage_says_nothing_about_eras(status: int, port: int, tmp_path: Path) -> None:
    async with rig("http-stateless", port, tmp_path, notes={"status": status}) as one:
        with pytest.raises(UpstreamUnreachable, match=str(status)):
            await one.upstream.definitions("a", MODERN)
        assert len(await one.messages()) == 1
        await one.notes()
        await one.upstream.definitions("a", MODERN)
        assert one.upstream.health().eras == (MODERN,)


@pytest.mark.asyncio
async def test_what_speaks_neither_era_is_no_tool_server(port: int, tmp_path: Path) -> None:
    async with rig("http-stateless", port, tmp_path, notes={"status": 404}) as one:
        with pytest.raises(UpstreamUnreachable, match="speaks neither era"):
            await one.upstream.definitions("a", MODERN)
        assert {message["method"] for message in await one.messages()} == {"server/discover", "initialize"}


@pytest.mark.asyncio
async def test_a_server_of_the_older_transport_is_told_as_one(port: int, tmp_path: Path) -> None:
    async with rig("http-sse", port, tmp_path, notes={"status": 404}) as one:
        with pytest.raises(UpstreamUnreachable, match=r"looks like one of the HTTP\+SSE transport of 2024-11-05"):
            await one.upstream.definitions("a", MODERN)


@pytest.mark.asyncio
async def test_a_server_replaced_by_one_of_the_other_era_is_learnt_anew(port: int, tmp_path: Path) -> None:
    async with rig("http-stateless", port, tmp_path, verify_s=0.0) as one:
        await one.upstream.definitions("a", MODERN)
        await one.notes(eras="initialize")
        with pytest.raises(UpstreamUnreachable):
            await one.upstream.definitions("a", MODERN)
        await one.upstream.definitions("a", MODERN)
        assert one.upstream.health().eras == (OLD,)


@pytest.mark.parametrize(
    ("notes", "words"),
    LISTS_WITHOUT_MEASURE,
)
@pytest.mark.asyncio
async def test_a_list_without_measure_is_refused_whole(
    notes: dict[str, object], words: str, port: int, tmp_path: Path
) -> None:
    limits = Limits(tools_per_server_max=50, result_bytes_max=150_000)
    async with rig("http-stateless", port, tmp_path, notes=notes, limits=limits) as one:
        with pytest.raises(UpstreamUnreachable, match=words):
            await one.upstream.definitions("a", MODERN)


@pytest.mark.asyncio
async def test_a_changed_definition_is_seen(port: int, tmp_path: Path) -> None:
    def extra(description: str) -> list[object]:
        return [{"name": "more", "description": description, "inputSchema": {"type": "object"}}]

    async with rig("http-stateless", port, tmp_path, notes={"tools": extra("one")}, verify_s=0.0) as one:
        before = await one.upstream.definitions("a", MODERN)
        await one.notes(tools=extra("two"))
        after = await one.upstream.definitions("a", MODERN)
        assert (before[-1].description, after[-1].description) == ("one", "two")
        assert before[-1].pin() != after[-1].pin()
        assert before[0].pin() == after[0].pin()


@pytest.mark.asyncio
async def test_the_connection_pool_is_shared_and_kept_open(port: int, tmp_path: Path) -> None:
    async with rig("http-stateless", port, tmp_path) as one:
        for _ in range(5):
            await one.upstream.call("a", MODERN, "echo", b"{}")
        peers = {entry["peer"] for entry in await one.log()}
        assert len(peers) == 1
        await one.upstream.close()
        assert not one.session.closed


@pytest.mark.asyncio
async def test_a_listing_on_a_connection_that_was_being_dropped_is_asked_again(port: int, tmp_path: Path) -> None:
    async with rig("http-stateless", port, tmp_path, notes={"drop_once": True}) as one:
        await one.upstream.definitions("a", MODERN)
        first, again, *_ = await one.messages("tools/list")
        assert "cursor" not in first["params"]
        assert "cursor" not in again["params"]


@pytest.mark.asyncio
async def test_credentials_in_an_address_are_not_shown(unused_tcp_port: int) -> None:
    async with open_http_session() as session:
        server = Server("gone", Http(f"http://user:hunter2@127.0.0.1:{unused_tcp_port}/mcp?key=hunter2"))
        upstream = HttpUpstream(server, session, DEFAULT, ManualClock())
        reply = await upstream.call("a", MODERN, "echo", b"{}")
        assert isinstance(reply, Failure)
        assert f"http://127.0.0.1:{unused_tcp_port}/mcp" in reply.text
        assert "hunter2" not in reply.text
        await upstream.close()


@pytest.mark.asyncio
async def test_a_flood_beside_the_answer_is_refused(port: int, tmp_path: Path) -> None:
    async with rig("http-initialize", port, tmp_path) as one:
        assert (await failed(one, "burst")).cause == "garbage"


def test_a_stdio_server_is_not_reached_over_http() -> None:
    with pytest.raises(TypeError):
        HttpUpstream(Server("s", Stdio(("x",))), None, DEFAULT, ManualClock())  # pyright: ignore[reportArgumentType]


@pytest.mark.asyncio
async def test_a_server_of_2026_is_told_for_whom_its_tools_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of client has a list of its own, and no more of them are kept than some."""

    async def call(_: Scripted, message: Any, say: Say) -> None:
        able = message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
        names = ["plain", *(["asking"] if "elicitation" in able else [])]
        await say(result(message, {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]}))

    asks, bare = UpstreamContext(capabilities={"elicitation": {}}), UpstreamContext()
    async with upstream_of(server := Scripted(call, modern=True)) as upstream:
        for _ in range(2):
            for sid in "ab":
                for along, names in ((bare, ["plain"]), (asks, ["plain", "asking"])):
                    found = await upstream.definitions(sid, Era.STATELESS, along)
                    assert [one.name for one in found] == names
        assert len(server.messages("tools/list")) == 2, "sessions share them"
        for number in range(2, listings.KINDS_MAX):
            await upstream.definitions("a", Era.STATELESS, UpstreamContext(capabilities={f"x{number}": {}}))
        assert len(server.messages("tools/list")) == listings.KINDS_MAX
        late = UpstreamContext(capabilities={"elicitation": {}, "sampling": {}})
        for _ in range(3):
            found = await upstream.definitions("a", Era.STATELESS, late)
            assert [one.name for one in found] == ["plain"], "too many kinds: as a client without any sees it"
        assert len(server.messages("tools/list")) == listings.KINDS_MAX, "and nobody has them read again and again"
        monkeypatch.setattr(listings, "IDLE_S", 0.0)
        found = await upstream.definitions("a", Era.STATELESS, late)
        assert [one.name for one in found] == ["plain", "asking"]
        assert len(server.messages("tools/list")) == listings.KINDS_MAX + 1


@pytest.mark.asyncio
async def test_an_end_does_not_wait_for_a_server_that_hears_nothing(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tell(*_: object) -> int:
        await asyncio.Event().wait()
        return 0

    async with rig("http-initialize", port, tmp_path) as one:
        for sid in ("a", "b"):
            assert isinstance(await one.upstream.call(sid, OLD, "echo", b"{}"), Result)
        monkeypatch.setattr(HttpExchange, "tell", tell)
        monkeypatch.setattr("remit.adapters.upstreams.http.TELL_S", 3600.0)
        monkeypatch.setattr("remit.adapters.upstreams.http.LEAVE_S", 0.05)
        await one.upstream.close()
        assert one.upstream.health().state == "closed"

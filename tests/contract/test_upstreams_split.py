"""Bytes as a hostile or slow server sends them: split anywhere, answered twice, to no id, by another's name."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.upstreams.exchange import open_http_session
from remit.adapters.upstreams.http import HttpUpstream
from remit.adapters.upstreams.sse import Decoder
from remit.facts.catalog import Http, Server
from remit.facts.limits import DEFAULT
from remit.pep.release import clean
from remit.ports.upstream import NO_CONTEXT, Era, Notice, Progress, Result, UpstreamContext
from tests.upstreams.rig import ManualClock

Write = Callable[[bytes], None]
Call = Callable[[Any, asyncio.StreamWriter], Any]


@asynccontextmanager
async def served(call: Call, heads: list[bytes] | None = None) -> AsyncGenerator[HttpUpstream]:
    """An upstream to a bare socket server: `call` writes the whole HTTP answer to a tool call."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            size = int(head.lower().partition(b"content-length:")[2].split()[0])
            message = json.loads(await reader.readexactly(size))
            if message["method"] == "server/discover":
                result = {"supportedVersions": ["2026-07-28"], "resultType": "complete"}
                body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            else:
                if heads is not None:
                    heads.append(head)
                await call(message, writer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    async with open_http_session() as session:
        upstream = HttpUpstream(Server("bare", Http(f"http://127.0.0.1:{port}/")), session, DEFAULT, ManualClock())
        try:
            yield upstream
        finally:
            await upstream.close()
            server.close()


def event(message: Any, end: bytes = b"\n") -> bytes:
    return b"event: message" + end + b"data: " + json.dumps(message).encode() + end + end


def tool_result(ident: Any, text: str, **more: Any) -> Any:
    result = {"content": [{"type": "text", "text": text}], "resultType": "complete", **more}
    return {"jsonrpc": "2.0", "id": ident, "result": result}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.asyncio
async def test_events_split_at_every_byte_are_the_same_events(end: bytes) -> None:
    async def call(message: Any, writer: asyncio.StreamWriter) -> None:
        params = {"progressToken": message["id"], "progress": 1, "message": "ü"}
        told = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
        stream = b": note" + end + end + event(told, end) + event(tool_result(message["id"], "größe"), end)
        for place in range(len(STREAM)):
            writer.write(STREAM[place : place + 1])
            await writer.drain()
        for place in range(len(stream)):
            writer.write(chunk(stream[place : place + 1]))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")

    heard: list[Notice] = []
    async with served(call) as upstream:
        reply = await upstream.call("a", Era.STATELESS, "t", b"{}", UpstreamContext(hear=heard.append))
        assert isinstance(reply, Result), reply
        assert reply.value["content"] == [{"type": "text", "text": "größe"}]
        assert heard == [Progress(1, None, "ü")]


PARTS = st.lists(st.sampled_from([b"data: a", b"data:b", b"id: 1", b"\r", b"\n", b"\r\n", b":"]), max_size=12)


@given(PARTS)
def test_line_ends_of_every_mixture_split_at_every_byte_are_the_same_events(parts: list[bytes]) -> None:
    stream, bytewise = b"".join(parts), Decoder(1_000)
    split = [event for place in range(len(stream)) for event in bytewise.feed(stream[place : place + 1])]
    assert split == Decoder(1_000).feed(stream)


@pytest.mark.asyncio
async def test_the_first_answer_to_an_id_counts_and_answers_to_none_count_for_nothing() -> None:
    async def call(message: Any, writer: asyncio.StreamWriter) -> None:
        ident = message["id"]
        for other in (None, str(ident), ident + 1, ident - 1, float(ident), True):
            writer.write(STREAM if other is None else b"")
            writer.write(chunk(event(tool_result(other, "not yours"))))
        writer.write(chunk(event(tool_result(ident, "first")) + event(tool_result(ident, "second"))))
        writer.write(b"0\r\n\r\n")

    async with served(call) as upstream:
        for _ in range(3):
            reply = await upstream.call("a", Era.STATELESS, "t", b"{}")
            assert isinstance(reply, Result), reply
            assert reply.value["content"] == [{"type": "text", "text": "first"}]
        assert upstream.health().strays == 18


@pytest.mark.asyncio
async def test_a_result_in_another_tools_name_shows_nothing_of_that_name() -> None:
    async def call(message: Any, writer: asyncio.StreamWriter) -> None:
        meta = {"tool": "other"}
        answer = tool_result(message["id"], "x", name="other", tool="other", params={"name": "other"}, _meta=meta)
        body = json.dumps(answer).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async with served(call) as upstream:
        reply = await upstream.call("a", Era.STATELESS, "t", b"{}")
        assert "other" not in json.dumps(clean(reply).value)


@pytest.mark.asyncio
async def test_parameters_travel_as_headers_and_nothing_else_does() -> None:
    async def call(message: Any, writer: asyncio.StreamWriter) -> None:
        body = json.dumps(tool_result(message["id"], "x")).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    heads: list[bytes] = []
    given = {"Mcp-Param-Region": "eu", "Mcp-Param-Note": "a\r\nX-Evil: 1", "mcp-method": "x", "X-Evil": "1"}
    async with served(call, heads) as upstream:
        for along in (UpstreamContext(headers=given), NO_CONTEXT):
            assert isinstance(await upstream.call("a", Era.STATELESS, "t", b"{}", along), Result)
    with_params, without = ([line.lower() for line in head.split(b"\r\n")] for head in heads)
    assert b"mcp-param-region: eu" in with_params
    (note,) = [line for line in with_params if line.startswith(b"mcp-param-note:")]
    assert note.startswith(b"mcp-param-note: =?base64?")
    assert not any(line.startswith(b"x-evil") for line in with_params)
    assert with_params.count(b"mcp-method: tools/call") == 1
    assert not any(line.startswith(b"mcp-param-") for line in without)


@pytest.mark.asyncio
async def test_what_goes_along_is_from_an_allow_list() -> None:
    bodies: list[Any] = []

    async def call(message: Any, writer: asyncio.StreamWriter) -> None:
        bodies.append(message)
        body = json.dumps(tool_result(message["id"], "x")).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    trace = f"00-{'1' * 32}-{'2' * 16}-01"
    along = UpstreamContext(lambda _: None, {"elicitation": {}}, "info", trace)
    prefix = "io.modelcontextprotocol/"
    async with served(call) as upstream:
        await upstream.call("a", Era.STATELESS, "t", b"{}", along)
        await upstream.call("a", Era.STATELESS, "t", b"{}", UpstreamContext(log_level="loud"))
        first, second = (body["params"]["_meta"] for body in bodies)
        assert first.keys() == {
            f"{prefix}protocolVersion", f"{prefix}clientInfo", f"{prefix}clientCapabilities", f"{prefix}logLevel",
            "progressToken", "traceparent",
        }  # fmt: skip
        assert (first["progressToken"], first["traceparent"]) == (bodies[0]["id"], trace)
        assert first[f"{prefix}clientCapabilities"] == {"elicitation": {}}
        assert second.keys() == {f"{prefix}protocolVersion", f"{prefix}clientInfo", f"{prefix}clientCapabilities"}

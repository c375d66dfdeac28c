"""The shim of `make conformance` adds one header line to each request and touches no other byte, either way."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from proof.conformance.shim import shim
from proof.service import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

LINE: Final = "authorization: Bearer t"
GET: Final = b"GET /mcp HTTP/1.1\r\nHost: evil.example:1\r\nOrigin: http://evil.example\r\n\r\n"
POST: Final = b"POST /mcp HTTP/1.1\r\nhost: a\r\nContent-Length: 12\r\n\r\n{\r\n\r\n[1,2]}"
CHUNKED: Final = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\n\n\r\n0\r\n\r\n"


def added(request: bytes) -> bytes:
    """The request as it has to arrive."""
    first, _, rest = request.partition(b"\r\n")
    return first + b"\r\n" + LINE.encode() + b"\r\n" + rest


@asynccontextmanager
async def behind(answer: Callable[[bytes], bytes | None]) -> AsyncGenerator[tuple[int, bytearray, asyncio.Event]]:
    """A server behind a shim that answers what came so far; the shim's port, all that came, and the end of it."""
    came, ended, port, far = bytearray(), asyncio.Event(), free_port(), free_port()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while block := await reader.read(4096):
            came.extend(block)
            said = answer(bytes(came))
            if said is None:
                writer.transport.abort()
                return
            writer.write(said)
        ended.set()
        writer.close()

    async with await asyncio.start_server(one, "127.0.0.1", far), shim(port, far, LINE):
        yield port, came, ended


@pytest.mark.asyncio
async def test_requests_of_one_connection_each_get_the_line_and_nothing_else() -> None:
    wanted = added(GET) + added(POST) + added(CHUNKED)
    async with behind(lambda came: b"all\r\n" if came == wanted else b"") as (port, came, ended):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for byte in GET + POST + CHUNKED:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert await reader.readline() == b"all\r\n"
        assert bytes(came) == wanted
        # The suite hangs up: so does the shim.
        writer.close()
        await ended.wait()


@pytest.mark.asyncio
async def test_an_answer_is_copied_as_it_comes_and_its_end_is_an_end() -> None:
    event = b"HTTP/1.1 200 OK\r\n\r\ndata: 1\r\r\n\n\x00\xff"
    async with behind(lambda came: event if came == added(GET) else None) as (port, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        assert await reader.readexactly(len(event)) == event
        writer.write(GET)
        assert await reader.read() == b""
        writer.close()


@pytest.mark.asyncio
async def test_nobody_behind_it_is_the_end_of_the_connection() -> None:
    port = free_port()
    async with shim(port, free_port(), LINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()

"""A loopback relay that adds one header line to every HTTP/1.1 request and touches no other byte.

The suites send no credentials. Host, Origin and every other header arrive as the suite wrote them; answers are copied
as they come; when one side goes, so does the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

BLOCK_BYTES: Final = 64 * 1024
END_OF_HEAD: Final = b"\r\n\r\n"


@contextlib.asynccontextmanager
async def shim(port: int, upstream: int, line: str) -> AsyncGenerator[None]:
    """Relay from `port` to port `upstream`, `line` (`authorization: Bearer …`) added to each request."""
    added = line.encode("ascii") + b"\r\n"
    open_now: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await relay(reader, writer, upstream, added)
        open_now.discard(task)

    server = await asyncio.start_server(one, "127.0.0.1", port, limit=BLOCK_BYTES)
    try:
        yield
    finally:
        server.close()
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: int, added: bytes) -> None:
    """One connection, until either side ends it."""
    try:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", upstream)
    except OSError:
        writer.close()
        return
    asking = asyncio.create_task(requests(reader, far_writer, added))
    answering = asyncio.create_task(copy(far_reader, writer))
    try:
        await asyncio.wait((asking, answering), return_when=asyncio.FIRST_COMPLETED)
        if not (reader.at_eof() or reader.exception()):
            # The far side may refuse before it has read all: what it said still has to arrive.
            await answering
    finally:
        asking.cancel()
        answering.cancel()
        await asyncio.gather(asking, answering, return_exceptions=True)
        writer.close()
        far_writer.close()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes as they come until they end."""
    while block := await reader.read(BLOCK_BYTES):
        writer.write(block)
        await writer.drain()


async def requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, added: bytes) -> None:
    """Copy requests, `added` after each request line; raises IncompleteReadError, LimitOverrunError, ValueError."""
    while True:
        head = await reader.readuntil(END_OF_HEAD)
        request_line, _, fields = head.partition(b"\r\n")
        writer.write(request_line + b"\r\n" + added + fields)
        named = {
            name.strip().lower(): value.strip().lower()
            for name, _, value in (field.partition(b":") for field in fields.split(b"\r\n"))
        }
        if named.get(b"transfer-encoding") == b"chunked":
            await chunks(reader, writer)
        else:
            writer.write(await reader.readexactly(int(named.get(b"content-length", b"0"))))
        await writer.drain()


async def chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one chunked body, without trailers."""
    size = 1
    while size:
        head = await reader.readuntil(b"\r\n")
        size = int(head.partition(b";")[0], 16)
        writer.write(head + await reader.readexactly(size + 2))

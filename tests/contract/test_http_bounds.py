"""An unfinished request head is bounded in bytes and in time; a body and the next request are not."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from proof.service import free_port
from remit.app import http
from remit.app.http import BoundedProtocol

OK = b"HTTP/1.1 200"


async def app(scope: Any, receive: Any, send: Any) -> None:
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": b"%08d" % size})


@asynccontextmanager
async def serving() -> AsyncGenerator[int]:
    port = free_port()
    config = uvicorn.Config(app, port=port, http=BoundedProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        await task


async def answer(port: int, *chunks: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0.01)
        return await asyncio.wait_for(reader.read(200), 5)
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


@pytest.mark.asyncio
async def test_a_head_that_never_ends_is_cut_off_early() -> None:
    async with serving() as port:
        line = b"X-A: " + b"a" * 300_000
        said = await answer(port, b"GET / HTTP/1.1\r\nHost: x\r\n", line, line, line)
        assert said.startswith(b"HTTP/1.1 431") or said == b"reset"
        many = b"".join(b"X-%d: y\r\n" % number for number in range(40_000))
        assert not (await answer(port, b"GET / HTTP/1.1\r\nHost: x\r\n", many, many, many, b"\r\n")).startswith(OK)


@pytest.mark.asyncio
async def test_a_head_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_S", 0.2)
    async with serving() as port:
        assert (await answer(port, b"GET / HTTP/1.1\r\nHo")).startswith(b"HTTP/1.1 408")
        assert (await answer(port)).startswith(b"HTTP/1.1 408")


@pytest.mark.asyncio
async def test_bodies_and_further_requests_are_not_bounded_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_S", 0.5)
    async with serving() as port:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(head)
            for _ in range(30):
                writer.write(b"b" * 100_000)
                await asyncio.sleep(0.025)
            said = await asyncio.wait_for(reader.readuntil(b"03000000"), 5)
            assert said.startswith(OK)
        writer.close()

"""A tiny application behind `BoundedProtocol` in this process, and raw sockets to speak to it."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import uvicorn

from proof.service import free_port
from remit.app.http.connection import Bounds
from remit.facts.limits import DEFAULT, Limits
from tests.eventually import WITHIN_S, eventually

QUIET_S: Final = 0.3


@dataclass
class World:
    """A server on `port`; `seen` are its requests as the application saw them, `refused` the reasons."""

    port: int
    bounds: Bounds
    refused: Counter[str]
    seen: list[tuple[list[tuple[bytes, bytes]], bytes]] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        if scope["path"] != "/early":
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
        self.seen.append((list(scope["headers"]), body))
        size = 8
        if scope["path"] == "/held":
            await self.release.wait()
        if scope["path"] == "/big":
            size = 64 * 1024 * 1024
        head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]}
        await send(head)
        await send({"type": "http.response.body", "body": b"%08d" % len(body) if size == 8 else bytes(size)})

    async def answer(self, *chunks: bytes, pause_s: float = 0.01, quiet_s: float = QUIET_S) -> bytes:
        """What comes back on one connection until it is closed, or nothing more comes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for chunk in chunks:
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(pause_s)
            return await read(reader, quiet_s)
        except ConnectionError:
            return b"reset"
        finally:
            writer.close()


async def read(reader: asyncio.StreamReader, quiet_s: float = QUIET_S) -> bytes:
    """What `reader` gives until it ends, `(closed)` added then, or is quiet."""
    found = b""
    while True:
        try:
            part = await asyncio.wait_for(reader.read(65536), WITHIN_S if not found else quiet_s)
        except TimeoutError:
            return found
        if not part:
            return found + b"(closed)"
        found += part


@asynccontextmanager
async def serving(limits: Limits = DEFAULT) -> AsyncGenerator[World]:
    """The server, until the end of the block."""
    port = free_port()
    refused: Counter[str] = Counter()
    bounds = Bounds(limits, lambda code: refused.update([code]))
    world = World(port, bounds, refused)
    http: Any = bounds.protocol
    config = uvicorn.Config(
        world,
        port=port,
        http=http,
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=int(limits.idle_s_max),
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield world
    finally:
        world.release.set()
        server.should_exit = server.force_exit = True
        await task

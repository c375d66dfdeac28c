"""What `bench.halt` measures with: a server that notes what reaches it and by which way, and callers of each way."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import uvicorn

from bench.peers import upstream
from bench.peers.load import BODY, TEXT, Caller, Target
from proof.service import REMIT, Service, environment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
    from pathlib import Path

LATE_S: Final = 0.5
LATE_SHARE: Final = 0.02
REFUSED_S: Final = 0.01
BRIDGED: Final = "y" * len(TEXT)
"""What is said over a bridge: by it the server tells the ways apart."""
MCP: Final = "/mcp"
BRIDGE: Final = "bridge"


class Reached:
    """The server: when the last call reached it by each way, how many did, and how many requests of any kind."""

    def __init__(self) -> None:
        self.last: dict[str, float] = {MCP: 0.0, BRIDGE: 0.0}
        self.count: Counter[str] = Counter()
        self.requests = 0
        self._random = Random(1)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Note the request, and answer it."""
        self.requests += 1
        if dict(scope["headers"]).get(b"mcp-method") != b"tools/call":
            await upstream.app(scope, receive, send)
            return
        at = time.perf_counter()
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        way = BRIDGE if BRIDGED[:8].encode() in b"".join(one.get("body", b"") for one in messages) else MCP
        self.last[way] = at
        self.count[way] += 1
        if self._random.random() < LATE_SHARE:
            await asyncio.sleep(LATE_S)

        async def again() -> MutableMapping[str, Any]:
            return messages.pop(0)

        await upstream.app(scope, again, send)


@contextlib.asynccontextmanager
async def serving(app: Reached, port: int) -> AsyncGenerator[None]:
    """`app` on `port` of this process."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    server.install_signal_handlers = lambda: None  # pyright: ignore[reportAttributeAccessIssue]
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await running


class Asking(Protocol):
    """A caller that is told whether it was refused."""

    async def refused(self) -> bool:
        """Make one call; whether it was refused."""
        ...


class Refusable(Caller):
    """One over `/mcp`."""

    async def refused(self) -> bool:
        """Make one call; whether it was refused."""
        self._ident += 1
        body = (BODY % self._ident).encode()
        self._writer.write(self._head + b"%d\r\n\r\n" % len(body) + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        said = await self._body(head.lower())
        return b" 200 " not in head[:20] or b'"isError":true' in said


@dataclass
class Bridged:
    """One over a bridge of its own, spoken to line by line."""

    process: asyncio.subprocess.Process
    ident: int = 0

    @classmethod
    async def to(cls, service: Service, token: Path) -> Self:
        """Start one; `token` is the file that its token is in."""
        flags = ("--url", service.url, "--token-file", str(token))
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                REMIT, "mcp", "--server", "echo", *flags, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL,
                env=environment(),
            )
        )  # fmt: skip

    async def refused(self) -> bool:
        """Make one call; whether it was refused."""
        reader, writer = self.process.stdout, self.process.stdin
        assert reader is not None
        assert writer is not None
        self.ident += 1
        writer.write((BODY % self.ident).replace(TEXT, BRIDGED).encode() + b"\n")
        said = await reader.readline()
        if not said:
            raise RuntimeError("a bridge ended")
        return BRIDGED.encode() not in said

    async def end(self) -> None:
        """End it, and wait."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


async def calling(caller: Asking) -> None:
    """Call until cancelled, with a breath after each refusal as a client would take it."""
    while True:
        if await caller.refused():
            await asyncio.sleep(REFUSED_S)


@contextlib.asynccontextmanager
async def load(service: Service, target: Target, callers: int, bridges: int, token: Path) -> AsyncGenerator[None]:
    """So many callers over `/mcp` and over bridges, without pause."""
    bridged = [await Bridged.to(service, token) for _ in range(bridges)]
    made: list[Asking] = [*bridged]
    for _ in range(callers):
        one = await Refusable.to(target)
        assert isinstance(one, Refusable)
        made.append(one)
    running = [asyncio.create_task(calling(one)) for one in made]
    try:
        yield
    finally:
        for one in running:
            one.cancel()
        for result in await asyncio.gather(*running, return_exceptions=True):
            if not isinstance(result, asyncio.CancelledError):
                print(f"a caller ended before it was told to: {result!r}", file=sys.stderr)
        for one in bridged:
            await one.end()

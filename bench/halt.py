"""`python -m bench.halt [--long]`: from the command to the last effect, under load.

A real service, and a server of this process that notes when each call reaches it. Sixteen callers of one agent call
without pause. Again and again the agent is halted over the control API, and resumed: a halt took from the moment before
its request was written to the last call that reached the server afterwards; zero where none did. The server answers
some calls late, so that there is something to cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import httpx2
import uvicorn

from bench.gateway import POLICIES, WORKSPACE, at
from bench.peers import upstream
from bench.peers.load import BODY, Caller, Target
from proof.machine import DATA
from proof.service import Service, free_port
from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping, Sequence

CALLERS: Final = 16
SHORT: Final = 200
LONG: Final = 2_000
LATE_S: Final = 0.5
LATE_SHARE: Final = 0.02
QUIET_S: Final = 0.15
"""After a halt, before it is resumed: what comes later is still seen, as a late effect."""
BUSY_S: Final = 0.1
REFUSED_S: Final = 0.01
P99_MAX_MS: Final = 50.0


class Reached:
    """The server: when the last call reached it, and how many did."""

    def __init__(self) -> None:
        self.last = 0.0
        self.count = 0
        self._random = Random(1)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Note the call, and answer it."""
        if dict(scope["headers"]).get(b"mcp-method") != b"tools/call":
            await upstream.app(scope, receive, send)
            return
        self.last = time.perf_counter()
        self.count += 1
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
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


class Refusable(Caller):
    """A caller that is told whether it was refused."""

    async def refused(self) -> bool:
        """Make one call; whether it was refused."""
        self._ident += 1
        body = (BODY % self._ident).encode()
        self._writer.write(self._head + b"%d\r\n\r\n" % len(body) + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        said = await self._body(head.lower())
        return b" 200 " not in head[:20] or b'"isError":true' in said


async def calling(target: Target) -> None:
    """Call until cancelled, with a breath after each refusal as a client would take it."""
    caller = await Refusable.to(target)
    assert isinstance(caller, Refusable)
    while True:
        if await caller.refused():
            await asyncio.sleep(REFUSED_S)


async def halts(service: Service, target: Target, reached: Reached, user: str, count: int) -> tuple[list[float], int]:
    """How long each of `count` halts took, in ms, and how many calls they cut off."""
    took: list[float] = []
    cut = 0
    headers = {"authorization": f"Bearer {user}"}
    what = {"kind": "agent", "name": "bench"}
    callers = [asyncio.create_task(calling(target)) for _ in range(CALLERS)]
    async with httpx2.AsyncClient(base_url=f"{service.url}/api/v1", headers=headers, timeout=30) as http:
        for number in range(count):
            before = reached.count
            await asyncio.sleep(BUSY_S)
            if reached.count == before:
                raise RuntimeError(f"nothing reached the server before halt {number}")
            started = time.perf_counter()
            answer = await http.post("/halts", json={**what, "why": "measured"})
            answer.raise_for_status()
            cut += len(answer.json()["cut"])
            await asyncio.sleep(QUIET_S)
            took.append(max(0.0, reached.last - started) * 1000)
            (await http.post("/halts/resume", json=what)).raise_for_status()
    for caller in callers:
        caller.cancel()
    for result in await asyncio.gather(*callers, return_exceptions=True):
        if not isinstance(result, asyncio.CancelledError):
            print(f"a caller ended before it was told to: {result!r}", file=sys.stderr)
    return took, cut


async def measure(folder: Path, count: int) -> tuple[list[float], int, int]:
    """How long halts took, how many calls were cut off, and how many reached the server."""
    reached, port = Reached(), free_port()
    service = Service(folder)
    service.write({"workspace.yaml": WORKSPACE % port, "policies/bench.cedar": POLICIES})
    async with serving(reached, port):
        await asyncio.to_thread(service.start)
        try:
            await asyncio.to_thread(service.accept, "echo")
            token = await asyncio.to_thread(service.agent, "bench", "ann")
            user = await asyncio.to_thread(service.user, "ann")
            assert service.process is not None
            target = Target("remit", service.port, "/mcp/echo", service.process.pid, token)
            took, cut = await halts(service, target, reached, user, count)
        finally:
            await asyncio.to_thread(service.stop)
    return took, cut, reached.count


def main(argv: Sequence[str]) -> int:
    """Measure, print, say."""
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA, prefix="halt-") as folder:
        took, cut, count = asyncio.run(measure(Path(folder), LONG if "--long" in argv else SHORT))
    p99 = at(took, 0.99)
    print(f"{len(took)} halts among {count:,} calls that reached the server; {cut} calls were cut off")
    print(f"from command to last effect: p50 {median(took):.1f} ms, p99 {p99:.1f} ms, worst {max(took):.1f} ms")
    return say(
        f"{len(took)} halts: p99 {p99:.1f} ms to the last effect, worst {max(took):.1f}; {cut} cut off",
        f"p99 <= {P99_MAX_MS:g} ms",
        passed=p99 <= P99_MAX_MS and cut > 0,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

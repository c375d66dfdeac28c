"""Idle streams: so many stand open, silent, while calls go on as before; then the service drains in time.

Each stream is a connection of its own with a session of its own. Their agents are bounded, so it
takes many agents to open them; one that asks for more than its share is refused.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proof.counting import Counting
from proof.verdict import say
from remit.facts.limits import DEFAULT
from tests.e2e.raw import call_bytes, initialize_bytes, request, session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_ONCE: Final = 64
_CALLS: Final = 100
_KIB_EACH_MAX: Final = 64.0
_SLOWER_MAX: Final = 2.0
_DRAIN_S: Final = 15.0
_AGENT: Final = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: idler-%d}
spec: {owner: platform, purpose: listens, groups: [clerks]}
---
"""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def opened(port: int, token: str, turn: asyncio.Semaphore) -> Stream | None:
    """A standing stream that has begun; None where it was refused."""
    async with turn:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(initialize_bytes(port, token))
        ident = session_of(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(request(port, token, "GET", headers={"mcp-session-id": ident}))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            writer.close()
            return None
        return reader, writer


async def latency_ms(port: int, token: str, mark: str) -> float:
    """The median of calls on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found: list[float] = []
    for number in range(_CALLS):
        start = time.perf_counter()
        writer.write(call_bytes(port, token, f"{mark}-{number}"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(size.split(b":")[1]))
        found.append((time.perf_counter() - start) * 1000)
    writer.close()
    return statistics.median(found)


def resident_kib(pid: int) -> int:
    """The memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no such process")


async def measured(counting: Counting, tokens: Sequence[str], streams: int, quiet_s: float) -> tuple[str, bool]:
    """Open, listen, call, drain; the figure, and whether it will do."""
    service = counting.service
    assert service.process is not None
    pid, port, clerk = service.process.pid, service.port, tokens[-1]
    alone_ms = await latency_ms(port, clerk, "alone")
    before_kib = resident_kib(pid)
    turn = asyncio.Semaphore(_AT_ONCE)
    share = DEFAULT.streams_per_agent_max
    asked = [tokens[number // share] for number in range(streams)]
    found = await asyncio.gather(*(opened(port, token, turn) for token in asked))
    streaming = [stream for stream in found if stream is not None]
    one_more = await opened(port, asked[0], turn) if streams >= share else None
    each_kib = (resident_kib(pid) - before_kib) / max(1, len(streaming))
    await asyncio.sleep(quiet_s)
    beside_ms = await latency_ms(port, clerk, "beside")
    open_still = sum(not reader.at_eof() for reader, _ in streaming)
    start = time.perf_counter()
    service.process.send_signal(signal.SIGTERM)
    ended = asyncio.gather(*(reader.read() for reader, _ in streaming))
    await asyncio.wait_for(ended, _DRAIN_S * 4)
    code = await asyncio.to_thread(service.process.wait, 60)
    drain_s = time.perf_counter() - start
    for _, writer in streaming:
        writer.close()
    figure = (
        f"{open_still} of {streams} streams open, {each_kib:.0f} KiB each; a call {beside_ms:.1f} ms "
        f"(alone {alone_ms:.1f}); drained in {drain_s:.1f} s, exit {code}"
    )
    passed = (
        open_still == streams
        and one_more is None
        and each_kib <= _KIB_EACH_MAX
        and beside_ms <= alone_ms * _SLOWER_MAX + 5
        and drain_s <= _DRAIN_S
        and code == 0
    )
    return figure, passed


def main(argv: Sequence[str] = ()) -> int:
    """`--streams N`, `--quiet S`: how long they stand before calls are measured again."""
    parser = argparse.ArgumentParser(prog="proof.idle")
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--quiet", type=float, default=20.0)
    asked = parser.parse_args(argv)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    agents = -(-asked.streams // DEFAULT.streams_per_agent_max)
    with tempfile.TemporaryDirectory(prefix="remit-idle-") as folder:
        counting = Counting(Path(folder))
        counting.service.write({"idlers.yaml": "".join(_AGENT % number for number in range(agents))})
        with counting:
            tokens = [counting.service.agent(f"idler-{number}") for number in range(agents)]
            tokens.append(counting.service.agent("clerk"))
            figure, passed = asyncio.run(measured(counting, tokens, asked.streams, asked.quiet))
    goal = (
        f"all open, ≤ {_KIB_EACH_MAX:g} KiB each, a call ≤ {_SLOWER_MAX:g} × alone + 5 ms, "
        f"one agent no more than its share, drained ≤ {_DRAIN_S:g} s"
    )
    return say(figure, goal, passed=passed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m bench.halt [--long]`: from the command to the last effect, under load, over `/mcp` and over bridges.

A real service, and a server of this process that notes when each call reaches it, and by which way. Callers of one
agent call without pause, twelve over `/mcp` and three over a `remit mcp` of their own. Again and again it is halted
over the control API, and resumed: a halt took from the moment before its request was written to the last call that
reached the server afterwards; zero where none did. The server answers some calls late, so that there is something to
cut off.

Then it is halted by the command, which can reach the service in neither case, and is taken from the moment before the
command was started: while the writer of the ledger stands still, and while the whole process does.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import httpx2

from bench.gateway import POLICIES, WORKSPACE, at
from bench.halting import BRIDGE, MCP, Reached, load, serving
from bench.peers.load import Target
from proof.machine import DATA
from proof.service import Service, free_port
from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import Sequence

CALLERS: Final = 12
BRIDGES: Final = 3
SHORT: Final = 200
LONG: Final = 2_000
QUIET_S: Final = 0.15
"""After a halt, before it is resumed: what comes later is still seen, as a late effect."""
BUSY_S: Final = 0.1
BUSY_S_MAX: Final = 10.0
P99_MAX_MS: Final = 50.0
STALLED_S: Final = 1.5
STALLED_MAX_MS: Final = 1_000.0
STOPPED_S: Final = 5.0
ON_THE_WAY_S: Final = 0.3
"""What left before the process stood still has arrived by then."""
AFTER_S: Final = 2.0
"""How long it is watched after what stood still goes on."""
WHAT: Final = {"kind": "agent", "name": "bench"}


@dataclass(frozen=True, slots=True)
class Measured:
    """How long halts took by each way, in ms; how many calls they cut off; what came of those that nobody took.

    `stalled` is how long after the command the last effect was, in ms, `late` how many requests reached the server
    after the process had stood still.
    """

    took: dict[str, list[float]]
    cut: int
    stalled: float
    late: int


async def busy(reached: Reached) -> None:
    """Return once calls reached the server by each way, some time after this began."""
    before, until = dict(reached.count), time.perf_counter() + BUSY_S_MAX
    await asyncio.sleep(BUSY_S)
    while any(reached.count[way] == before.get(way, 0) for way in (MCP, BRIDGE)):
        if time.perf_counter() > until:
            raise RuntimeError(f"nothing reached the server by some way: {dict(reached.count)}")
        await asyncio.sleep(BUSY_S / 10)


async def halts(service: Service, reached: Reached, user: str, count: int) -> tuple[dict[str, list[float]], int]:
    """How long each of `count` halts took by each way, in ms, and how many calls they cut off."""
    took: dict[str, list[float]] = {MCP: [], BRIDGE: []}
    cut = 0
    headers = {"authorization": f"Bearer {user}"}
    async with httpx2.AsyncClient(base_url=f"{service.url}/api/v1", headers=headers, timeout=30) as http:
        for _ in range(count):
            await busy(reached)
            started = time.perf_counter()
            answer = await http.post("/halts", json={**WHAT, "why": "measured"})
            answer.raise_for_status()
            cut += len(answer.json()["cut"])
            await asyncio.sleep(QUIET_S)
            for way, all_of_it in took.items():
                all_of_it.append(max(0.0, reached.last[way] - started) * 1000)
            (await http.post("/halts/resume", json=WHAT)).raise_for_status()
    return took, cut


async def command(service: Service, *words: str) -> None:
    """Run `remit WORDS`; raises where it failed."""
    done = await asyncio.to_thread(service.remit, *words)
    if done.returncode:
        raise RuntimeError(f"remit {' '.join(words)}: {done.returncode}\n{done.stderr}")


async def stalled(service: Service, reached: Reached) -> float:
    """How long after the command the last effect was, in ms, while nothing could be written to the ledger."""
    await busy(reached)
    with closing(sqlite3.connect(service.data / "ledger.sqlite3", isolation_level=None)) as conn:
        conn.execute("BEGIN IMMEDIATE")
        started = time.perf_counter()
        halted = asyncio.create_task(command(service, "halt", "agent", "bench", "--why", "the disk hangs"))
        await asyncio.sleep(STALLED_S)
        conn.execute("ROLLBACK")
    await halted
    await asyncio.sleep(AFTER_S)
    last = max(reached.last.values())
    await command(service, "resume", "agent", "bench")
    return max(0.0, last - started) * 1000


async def stopped(service: Service, reached: Reached) -> int:
    """How many requests reached the server after the service had stood still, and was left a halt meanwhile."""
    await busy(reached)
    assert service.process is not None
    service.process.send_signal(signal.SIGSTOP)
    try:
        began = time.perf_counter()
        await asyncio.sleep(ON_THE_WAY_S)
        before = reached.requests
        await command(service, "halt", "agent", "bench", "--why", "it hangs")
        await asyncio.sleep(STOPPED_S - (time.perf_counter() - began))
    finally:
        service.process.send_signal(signal.SIGCONT)
    await asyncio.sleep(AFTER_S)
    late = reached.requests - before
    await command(service, "resume", "agent", "bench")
    return late


async def measure(folder: Path, count: int) -> tuple[Measured, int]:
    """What was measured, and how many calls reached the server."""
    reached, port = Reached(), free_port()
    service = Service(folder)
    service.write({"workspace.yaml": WORKSPACE % port, "policies/bench.cedar": POLICIES})
    async with serving(reached, port):
        await asyncio.to_thread(service.start)
        try:
            await asyncio.to_thread(service.accept, "echo")
            token = await asyncio.to_thread(service.agent, "bench", "ann")
            user = await asyncio.to_thread(service.user, "ann")
            kept = folder / "token"
            kept.touch(mode=0o600)
            kept.write_text(token)
            assert service.process is not None
            target = Target("remit", service.port, "/mcp/echo", service.process.pid, token)
            async with load(service, target, CALLERS, BRIDGES, kept):
                took, cut = await halts(service, reached, user, count)
                late = await stopped(service, reached)
                found = Measured(took, cut, await stalled(service, reached), late)
        finally:
            await asyncio.to_thread(service.stop)
    return found, reached.count.total()


def main(argv: Sequence[str]) -> int:
    """Measure, print, say."""
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA, prefix="halt-") as folder:
        found, count = asyncio.run(measure(Path(folder), LONG if "--long" in argv else SHORT))
    print(f"{len(found.took[MCP])} halts among {count:,} calls that reached the server; {found.cut} calls were cut off")
    p99 = {way: at(took, 0.99) for way, took in found.took.items()}
    for way, took in found.took.items():
        print(
            f"{way}: from command to last effect p50 {median(took):.1f} ms, p99 {p99[way]:.1f}, worst {max(took):.1f}"
        )
    return say(
        f"{len(found.took[MCP])} halts: p99 {p99[MCP]:.1f} ms to the last effect over /mcp, {p99[BRIDGE]:.1f} over "
        f"bridges; {found.cut} cut off; writer stalled: {found.stalled:.0f} ms; stopped {STOPPED_S:g} s: "
        f"{found.late} late",
        f"p99 <= {P99_MAX_MS:g} ms by each way; <= {STALLED_MAX_MS:g} ms; none late",
        passed=max(p99.values()) <= P99_MAX_MS
        and found.cut > 0
        and found.stalled <= STALLED_MAX_MS
        and found.late == 0,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

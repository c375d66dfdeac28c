"""`python -m bench.neighbours [--long]`: what calls take while large results of another session are judged.

A real service whose policies look at origins. One session makes small calls, one every few milliseconds: alone, and
while another one fetches results of a megabyte of distinct words, one after the other. Who waits for all of a large
result would wait for about as long as that takes, which is told beside it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.gateway import POLICIES, WORKSPACE, at, process
from bench.peers.load import BODY, TEXT, Caller, Target, listening
from proof.machine import DATA
from proof.service import Service, free_port
from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import Sequence

ORIGINS: Final = """\
@id("looks-at-origins")
@reason("that many values that nobody saw are absurd")
forbid (principal, action in Remit::Action::"call_tool", resource) when { context.content.unseen > 1000000 };
"""
WORDS: Final = 140_000
LARGE: Final = BODY.replace(TEXT, "word").replace('"times":1', f'"times":{WORDS}')
PAUSE_S: Final = 0.002
SHORT_S: Final = 10.0
LONG_S: Final = 120.0
SHARE_MAX: Final = 0.25


async def small(target: Target, seconds: float) -> list[float]:
    """The durations of small calls, in ms."""
    caller, took, until = await Caller.to(target), list[float](), time.perf_counter() + seconds
    while time.perf_counter() < until:
        took.append(await caller.call())
        await asyncio.sleep(PAUSE_S)
    await caller.close()
    return took


async def large(target: Target, took: list[float]) -> None:
    """Fetch large results until cancelled, their durations in ms."""
    caller = await Caller.to(target)
    while True:
        took.append(await caller.asked(LARGE, f"word{WORDS - 1}"))


async def measure(one: Target, other: Target, seconds: float) -> tuple[list[float], list[float], list[float]]:
    """Durations in ms: small calls alone, small calls beside large ones, large ones."""
    await small(one, 1.0)
    alone, fetched = await small(one, seconds / 2), list[float]()
    fetching = asyncio.create_task(large(other, fetched))
    beside = await small(one, seconds)
    if fetching.done():
        fetching.result()
    fetching.cancel()
    return alone, beside, fetched


def main(argv: Sequence[str]) -> int:
    """Measure, print, say."""
    DATA.mkdir(parents=True, exist_ok=True)
    upstream = free_port()
    with (
        tempfile.TemporaryDirectory(dir=DATA, prefix="neighbours-") as folder,
        process(sys.executable, "-m", "bench.peers.upstream", str(upstream)) as pid,
    ):
        listening({upstream: pid}, 30)
        service = Service(Path(folder))
        service.write({"workspace.yaml": WORKSPACE % upstream, "policies/bench.cedar": POLICIES + ORIGINS})
        service.start()
        try:
            service.accept("echo")
            assert service.process is not None
            one, other = (
                Target("remit", service.port, "/mcp/echo", service.process.pid, service.agent("bench", "ann"))
                for _ in range(2)
            )
            found = asyncio.run(measure(one, other, LONG_S if "--long" in argv else SHORT_S))
        finally:
            service.stop()
    alone, beside, fetched = found
    print(f"small, alone:         p50 {at(alone, 0.5):7.2f} ms  p99 {at(alone, 0.99):7.2f} ms  ({len(alone)} calls)")
    print(f"small, beside large:  p50 {at(beside, 0.5):7.2f} ms  p99 {at(beside, 0.99):7.2f} ms  ({len(beside)} calls)")
    print(f"large:                p50 {at(fetched, 0.5):7.2f} ms  ({len(fetched)} results of 1 MB)")
    return say(
        f"small calls p50 {at(beside, 0.5):.1f}, p99 {at(beside, 0.99):.1f} ms (alone {at(alone, 0.5):.1f} and "
        f"{at(alone, 0.99):.1f}) beside results of 1 MB that take {at(fetched, 0.5):.0f} ms each",
        f"p99 ≤ {SHARE_MAX:.0%} of what a large one takes",
        passed=at(beside, 0.99) <= SHARE_MAX * at(fetched, 0.5),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

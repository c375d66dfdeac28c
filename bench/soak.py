"""`python -m bench.soak [--long]`: a service at 70 % of what it can, before a server that fails at random.

Real processes. First what 32 callers get together, which is all it can; then calls at 70 % of that rate, each due at
its own moment, and its duration counted from that moment. Memory is the resident set of the service, once a second;
its slope is the least-squares line over the second half, said in bytes per call. The p99 is that of windows of five
seconds; its drift is the median of the last half of the windows over that of the first.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median
from typing import TYPE_CHECKING, Final

from bench.gateway import at, process, remit
from bench.peers.load import BODY, Caller, Target, listening
from proof.machine import DATA
from proof.service import free_port
from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import Sequence

CALLERS: Final = 32
SHARE: Final = 0.7
PROBE_S: Final = 6.0
WARM_S: Final = 15.0
WINDOW_S: Final = 5.0
SHORT_S: Final = 120.0
LONG_S: Final = 7_200.0
BYTES_MAX: Final = 100.0
DRIFT_MAX: Final = 0.10
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Tolerant(Caller):
    """A caller that takes every answer, and connects anew where there is none."""

    async def call(self) -> float:
        """Make one call; how long it took in milliseconds."""
        self._ident += 1
        body = (BODY % self._ident).encode()
        started = time.perf_counter_ns()
        self._writer.write(self._head + b"%d\r\n\r\n" % len(body) + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        await self._body(head.lower())
        if b" 200 " not in head[:20]:
            raise RuntimeError(f"the service answered {head[:60]!r}")
        return (time.perf_counter_ns() - started) / 1e6


@dataclass(slots=True)
class Course:
    """What was seen: `took` are (moment in s, duration in ms), `resident` (moment in s, bytes)."""

    took: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    resident: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])


def resident_bytes(pid: int) -> int:
    """The resident set of a process (proc(5))."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


async def most(target: Target, seconds: float) -> float:
    """Calls/s of `CALLERS` together."""
    made = [await Tolerant.to(target) for _ in range(CALLERS)]
    count = 0

    async def work(caller: Caller, until: float) -> None:
        nonlocal count
        while time.perf_counter() < until:
            await caller.call()
            count += 1

    started = time.perf_counter()
    await asyncio.gather(*(work(caller, started + seconds) for caller in made))
    elapsed = time.perf_counter() - started
    for caller in made:
        await caller.close()
    return count / elapsed


async def paced(target: Target, rate: float, seconds: float) -> Course:
    """Calls at `rate` for `seconds`."""
    course = Course()
    started = time.perf_counter()
    each = CALLERS * 2 / rate

    async def work(place: int) -> None:
        caller = await Tolerant.to(target)
        due = started + each * place / (CALLERS * 2)
        while due < started + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await caller.call()
            now = time.perf_counter()
            course.took.append((due - started, (now - due) * 1000))
            due += each
        await caller.close()

    async def watch() -> None:
        while True:
            course.resident.append((time.perf_counter() - started, float(resident_bytes(target.pid))))
            if len(course.resident) % 30 == 0:
                print(f"{course.resident[-1][0]:.0f} s, {course.resident[-1][1] / 2**20:.1f} MiB", file=sys.stderr)
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(work(place) for place in range(CALLERS * 2)))
    watching.cancel()
    return course


def windows(took: Sequence[tuple[float, float]], seconds: float) -> list[float]:
    """The p99 of each whole window after the warm-up, in milliseconds."""
    found: list[list[float]] = [[] for _ in range(int((seconds - WARM_S) // WINDOW_S))]
    for moment, duration in took:
        place = int((moment - WARM_S) // WINDOW_S)
        if 0 <= place < len(found):
            found[place].append(duration)
    return [at(one, 0.99) for one in found if one]


def main(argv: Sequence[str]) -> int:
    """Measure, print, say."""
    seconds = LONG_S if "--long" in argv else SHORT_S
    DATA.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=DATA, prefix="soak-")))
        upstream = free_port()
        pid = stack.enter_context(process(sys.executable, "-m", "bench.peers.faulty", str(upstream), "1"))
        listening({upstream: pid}, 30)
        target = stack.enter_context(remit(folder, upstream))
        rate = asyncio.run(most(target, PROBE_S))
        course = asyncio.run(paced(target, rate * SHARE, seconds))
    late = [one for one in course.resident if one[0] > seconds / 2]
    slope, _ = linear_regression([moment for moment, _ in late], [held for _, held in late])
    bytes_each = slope / (rate * SHARE)
    p99s = windows(course.took, seconds)
    half = len(p99s) // 2
    first, last = median(p99s[:half]), median(p99s[-half:])
    print(f"{rate:.0f} calls/s at most, {rate * SHARE:.0f} for {seconds:.0f} s, {len(course.took):,} calls")
    print(f"resident {late[0][1] / 2**20:.1f} to {late[-1][1] / 2**20:.1f} MiB over the second half")
    print(f"p99 of windows: {first:.1f} ms in the first half, {last:.1f} ms in the last")
    return say(
        f"{len(course.took):,} calls; memory {bytes_each:+.0f} bytes a call; p99 {first:.1f} to {last:.1f} ms",
        f"at most {BYTES_MAX:.0f} bytes a call; p99 drift < {DRIFT_MAX:.0%}",
        passed=bytes_each <= BYTES_MAX and last < first * (1 + DRIFT_MAX),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

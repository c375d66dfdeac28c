"""`python -m bench.soak [--long]`: a service at 70 % of what it can, before a server that fails at random.

Real processes. Everything is measured once the ledger has outgrown the cache that SQLite fills with it; until then each
call costs something else than later. What the service can is the highest rate of calls, each sent when it is due, with
which it keeps up: found from above, beginning with what 32 callers get together, who wait for their answers and so are
served in larger batches. Then calls at 70 % of that rate, on a connection of its own where all others wait: a call that
the server delays by a second delays no other one here. Its duration is counted from the moment it was due.

Memory is the resident set of the service, once a second; its slope is the least-squares line
over the second half, said in bytes per call. The p99 is that of windows of five seconds; its drift is the median of the
last half of the windows against that of the first, up or down: what falls by as much was not steady either. CPU time
per call is said of both halves too, as is what other processes took of the machine: a p99 that drifts while the service
does the same for each call says something about the machine, and the run is to be made again on a quiet one.
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
from bench.peers.load import BODY, Caller, Target, cpu_s, listening
from proof.machine import DATA
from proof.service import free_port
from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import Sequence

CALLERS: Final = 32
CONNECTIONS_MAX: Final = 512
"""Calls beyond them wait for one, from when they are due."""
IDLE_S: Final = 3.0
"""Below the 5 s after which uvicorn drops a connection."""
SHARE: Final = 0.7
PROBE_S: Final = 6.0
LATE_MS: Final = 50.0
"""A service that keeps up answers half of its calls within this; one that does not is later with every second."""
SHARES: Final = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
FILL_MAX_S: Final = 240.0
SETTLE_S: Final = 10.0
"""After the rate was found: its last tries may have left calls that waited."""
WINDOW_S: Final = 5.0
SHORT_S: Final = 120.0
LONG_S: Final = 7_200.0
BYTES_MAX: Final = 100.0
DRIFT_MAX: Final = 0.10
GOAL: Final = f"at most {BYTES_MAX:.0f} bytes a call; p99 drift < {DRIFT_MAX:.0%}, up or down"
CACHED_BYTES: Final = 64 * 2**20
"""More than the ledger's log and the writer's page cache (`adapters.sqlite.schema`), which fills with each record."""
SAMPLES_MIN: Final = 20
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
    """What was seen, each with its moment in s: `took` in ms, `resident` in bytes, CPU time `used` in s.

    `until_s` is when the last call was due.
    """

    took: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    resident: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    used: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    until_s: float = 0.0
    connections: int = 0

    @property
    def middle_s(self) -> float:
        """Between the two halves of what is measured."""
        return (SETTLE_S + self.until_s) / 2

    def slope(self) -> tuple[float, float, float] | None:
        """Bytes per second in the second half, and the first and last size; None where too little was seen."""
        late = [one for one in self.resident if one[0] > self.middle_s]
        if len(late) < SAMPLES_MIN:
            return None
        slope, _ = linear_regression([moment for moment, _ in late], [held for _, held in late])
        return slope, late[0][1], late[-1][1]

    def cpu_ms(self, since: float, until: float) -> float:
        """CPU milliseconds of the service per call in between."""
        inside = [used for moment, used in self.used if since <= moment <= until]
        calls = sum(since <= moment <= until for moment, _ in self.took)
        return (inside[-1] - inside[0]) * 1000 / calls


def resident_bytes(pid: int) -> int:
    """The resident set of a process (proc(5))."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def ledger_bytes(folder: Path) -> int:
    """The size of the ledger's files."""
    return sum(one.stat().st_size for one in folder.glob("ledger*"))


def machine_s() -> float:
    """CPU seconds that all processes of the machine have used so far (proc(5))."""
    user, nice, system, _idle, _wait, *interrupts = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    return sum(map(int, (user, nice, system, *interrupts))) / os.sysconf("SC_CLK_TCK")


def all_of(*pids: int) -> float:
    """CPU seconds of these processes and of our own."""
    return sum(cpu_s(pid) for pid in (*pids, os.getpid()))


async def most(target: Target, ledger: Path) -> float:
    """Calls/s of `CALLERS` together, from when `ledger` (the folder with its files) has outgrown its cache."""
    made = [await Tolerant.to(target) for _ in range(CALLERS)]

    async def together(seconds: float) -> float:
        count, until = 0, time.perf_counter() + seconds

        async def work(caller: Caller) -> None:
            nonlocal count
            while time.perf_counter() < until:
                await caller.call()
                count += 1

        await asyncio.gather(*(work(caller) for caller in made))
        return count / seconds

    until = time.perf_counter() + FILL_MAX_S
    try:
        while ledger_bytes(ledger) <= CACHED_BYTES:
            await together(1.0)
            if time.perf_counter() > until:
                raise RuntimeError(f"the ledger did not outgrow its cache within {FILL_MAX_S:.0f} s")
        return await together(PROBE_S)
    finally:
        for caller in made:
            await caller.close()


async def sustained(target: Target, ledger: Path) -> float:
    """The highest of some rates of calls, in calls/s, with which the service keeps up."""
    most_ = await most(target, ledger)
    for share in SHARES:
        course = await paced(target, most_ * share, PROBE_S)
        if median([took for moment, took in course.took if moment > PROBE_S - 1]) <= LATE_MS:
            return most_ * share
    raise RuntimeError(f"the service does not keep up with {most_ * SHARES[-1]:.0f} calls/s; it answers {most_:.0f}")


async def paced(target: Target, rate: float, seconds: float) -> Course:
    """Calls at `rate` for `seconds`, each sent when it is due."""
    course = Course()
    started = time.perf_counter()
    free: list[tuple[Caller, float]] = []
    room = asyncio.Semaphore(CONNECTIONS_MAX)

    async def kept() -> Caller | None:
        """The connection that was used last, unless the service may have dropped it: as clients do."""
        if free and time.perf_counter() - free[-1][1] < IDLE_S:
            return free.pop()[0]
        idle = [caller for caller, _ in free]
        free.clear()
        for caller in idle:
            await caller.close()
        return None

    async def fresh() -> Caller:
        course.connections += 1
        return await Tolerant.to(target)

    async def one(due: float) -> None:
        async with room:
            caller = await kept() or await fresh()
            await caller.call()
            free.append((caller, time.perf_counter()))
        course.took.append((due - started, (time.perf_counter() - due) * 1000))

    async def watch() -> None:
        while True:
            moment = time.perf_counter() - started
            course.resident.append((moment, float(resident_bytes(target.pid))))
            course.used.append((moment, cpu_s(target.pid)))
            if len(course.resident) % 30 == 0:
                print(f"{moment:.0f} s, {course.resident[-1][1] / 2**20:.1f} MiB", file=sys.stderr)
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    async with asyncio.TaskGroup() as calls:
        number = 0
        while number / rate < seconds:
            due = started + number / rate
            number += 1
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            calls.create_task(one(due))
    course.until_s = number / rate
    watching.cancel()
    for caller, _ in free:
        await caller.close()
    return course


def windows(took: Sequence[tuple[float, float]], since: float, until: float) -> list[float]:
    """The p99 of each whole window between two moments, in milliseconds."""
    found: list[list[float]] = [[] for _ in range(int((until - since) // WINDOW_S))]
    for moment, duration in took:
        place = int((moment - since) // WINDOW_S)
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
        rate = asyncio.run(sustained(target, folder / "data"))
        began, busy_s, ours_s = time.perf_counter(), machine_s(), all_of(target.pid, pid)
        course = asyncio.run(paced(target, rate * SHARE, SETTLE_S + seconds))
        took_s = time.perf_counter() - began
        others = (machine_s() - busy_s - all_of(target.pid, pid) + ours_s) / (took_s * (os.cpu_count() or 1))
    return report(course, rate, others)


def report(course: Course, rate: float, others: float) -> int:
    """Print what was seen at `SHARE` of `rate` and the verdict; the exit code."""
    print(
        f"{rate:.0f} calls/s at most, {rate * SHARE:.0f} for {course.until_s:.0f} s, {len(course.took):,} calls "
        f"on {course.connections} connections; other processes took {others:.0%} of the machine"
    )
    held = course.slope()
    if held is None:
        return say("too little was seen", GOAL, passed=False)
    middle = course.middle_s
    cpu = (course.cpu_ms(SETTLE_S, middle), course.cpu_ms(middle, course.until_s))
    p99s = windows(course.took, SETTLE_S, course.until_s)
    half = len(p99s) // 2
    first, last = median(p99s[:half]), median(p99s[-half:])
    bytes_each = held[0] / (rate * SHARE)
    print(f"CPU of the service: {cpu[0]:.2f} ms a call in the first half, {cpu[1]:.2f} ms in the last")
    print(f"resident {held[1] / 2**20:.1f} to {held[2] / 2**20:.1f} MiB over the second half")
    print(f"p99 of windows: {first:.1f} ms in the first half, {last:.1f} ms in the last: {spread(p99s)}")
    return say(
        f"{len(course.took):,} calls; memory {bytes_each:+.0f} bytes a call; p99 {first:.1f} to {last:.1f} ms, "
        f"CPU a call {cpu[0]:.2f} to {cpu[1]:.2f} ms; others took {others:.0%}",
        GOAL,
        passed=bytes_each <= BYTES_MAX and abs(last - first) < first * DRIFT_MAX,
    )


def spread(p99s: Sequence[float]) -> str:
    """All of them, in order."""
    return " ".join(f"{one:.0f}" for one in p99s)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

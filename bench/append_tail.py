"""`python -m bench.append_tail [--long]`: the slow ones among durable intents, and how long the log gets.

Together: 128 callers, each appending its next intent once it has the receipt for the last, for half a minute (ten with
`--long`); every append is timed, and the write-ahead log is looked at twenty times a second. Open loop: intents at
6,000 a second, each counted from the moment it was due. Raw appends and syncs of 4 KiB are timed before and between.
The worst pause is the longest time in which nobody got a receipt.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import uvloop

from bench.append import RATE_MIN, Raw, draft
from proof.machine import DATA
from proof.verdict import say
from remit.adapters.sqlite import open_ledger
from remit.adapters.system import SystemClock, SystemEntropy, settle_collector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remit.adapters.sqlite import SqliteLedger
    from remit.facts.record import Receipt

CALLERS: Final = 128
OPEN_RATE: Final = 6_000
P99_MAX_MS: Final = 4.0
LOG_MAX_MIB: Final = 64
WARM_S: Final = 2.0
LOOKS_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Size:
    """Seconds of each measurement."""

    together_s: float
    open_s: float


SHORT: Final = Size(together_s=30, open_s=15)
LONG: Final = Size(together_s=600, open_s=60)


@dataclass(slots=True)
class Course:
    """What was seen: how long appends took and the longest pause between receipts, in s; the log's size in bytes."""

    took_s: array[float] = field(default_factory=lambda: array("d"))
    seconds: float = 0.0
    pause_s: float = 0.0
    log_bytes: int = 0
    last: float = 0.0

    def receipt(self, since: float) -> None:
        """One more receipt, for what was begun `since`."""
        now = time.perf_counter()
        self.pause_s = max(self.pause_s, now - self.last)
        self.last = now
        self.took_s.append(now - since)

    def at_ms(self, share: float) -> float:
        """The duration below which `share` of the appends lie, in ms."""
        return sorted(self.took_s)[min(len(self.took_s) - 1, int(len(self.took_s) * share))] * 1e3

    def __str__(self) -> str:
        rate = len(self.took_s) / self.seconds
        worst = f"worst {max(self.took_s) * 1e3:.1f}, pause {self.pause_s * 1e3:.1f} ms"
        return f"{rate:>10,.0f}/s{self.at_ms(0.5):>10.3f}{self.at_ms(0.99):>10.3f} ms   {worst}"


async def watched(log: Path, course: Course) -> None:
    """Look at the log until cancelled."""
    while True:
        course.log_bytes = max(course.log_bytes, os.stat(log).st_size)  # noqa: PTH116 - asked twenty times a second
        await asyncio.sleep(LOOKS_S)


async def together(ledger: SqliteLedger, course: Course, seconds: float) -> None:
    """`CALLERS` callers for `seconds`, after a warm-up that is not counted."""
    counted = time.perf_counter() + WARM_S
    until = counted + seconds

    async def work(caller: int) -> None:
        mine = draft(caller, caller)
        while (began := time.perf_counter()) < until:
            await ledger.append(mine).durable
            if began >= counted:
                course.receipt(began)
            else:
                course.last = time.perf_counter()

    await asyncio.gather(*(work(caller) for caller in range(CALLERS)))
    course.seconds = seconds


async def due(ledger: SqliteLedger, course: Course, seconds: float) -> None:
    """Intents at `OPEN_RATE` for `seconds`."""
    total = int(OPEN_RATE * (WARM_S + seconds))
    warm = int(OPEN_RATE * WARM_S)
    begun = time.perf_counter()
    number = 0
    waiting: set[asyncio.Future[Receipt]] = set()
    while number < total:
        while number < total and (moment := begun + number / OPEN_RATE) <= time.perf_counter():
            future = asyncio.ensure_future(ledger.append(draft(number % CALLERS, number)).durable)
            if number >= warm:
                future.add_done_callback(lambda _, moment=moment: course.receipt(moment))
            waiting.add(future)
            future.add_done_callback(waiting.discard)
            number += 1
        if number <= warm:
            course.last = time.perf_counter()
        await asyncio.sleep(0.0005)
    await asyncio.gather(*waiting)
    course.seconds = seconds


async def measure(folder: Path, size: Size) -> tuple[float, Course, Course]:
    """The raw median in ms, and what was seen of many callers and of the open loop."""
    raw = Raw(folder)
    ledger = open_ledger(folder / "ledger.sqlite3", SystemClock(), SystemEntropy())
    settle_collector()
    many, steady = Course(), Course()
    try:
        for course, work, seconds in ((many, together, size.together_s), (steady, due, size.open_s)):
            raw.append(200)
            watching = asyncio.create_task(watched(folder / "ledger.sqlite3-wal", course))
            await work(ledger, course, seconds)
            watching.cancel()
        raw.append(200)
    finally:
        await ledger.close()
        raw.close()
    return median(raw.times_s) * 1e3, many, steady


def main(argv: Sequence[str]) -> int:
    """Measure, print the table and the verdict."""
    DATA.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="append-tail-", dir=DATA))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            raw_ms, many, steady = runner.run(measure(folder, LONG if "--long" in argv else SHORT))
    finally:
        shutil.rmtree(folder)
    print(f"raw append + fdatasync of 4 KiB: p50 {raw_ms:.3f} ms\n")
    print(f"{'':<20}{'records':>12}{'p50':>10}{'p99':>10}")
    print(f"{f'{CALLERS} callers':<20}{many}")
    print(f"{f'open, {OPEN_RATE:,}/s':<20}{steady}")
    rate = len(many.took_s) / many.seconds
    log_mib = max(many.log_bytes, steady.log_bytes) / 2**20
    p99s = many.at_ms(0.99), steady.at_ms(0.99)
    return say(
        f"128 callers {rate:,.0f} records/s, p99 {p99s[0]:.2f} ms; open loop p99 {p99s[1]:.2f} ms; "
        f"log {log_mib:.1f} MiB at most",
        f">= {RATE_MIN:,} records/s, p99 <= {P99_MAX_MS:g} ms; p99 <= {P99_MAX_MS:g} ms; <= {LOG_MAX_MIB} MiB",
        passed=rate >= RATE_MIN and max(p99s) <= P99_MAX_MS and log_mib <= LOG_MAX_MIB,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

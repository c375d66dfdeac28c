"""`python -m bench.append [--short|--long]`: durable intents, beside what the disk itself can do.

Raw is one append of 4 KiB to a growing file and its fdatasync, in the same run and folder, taken in turn with ours.
Ours is `SqliteLedger.append` of an intent and the wait for its receipt, on one event loop with uvloop: encoding,
hashing, group commit, and in the same transaction the state that each intent folds to (its session's counters, its
open intent). Bodies are made before the clock starts; their size is printed. The collector is set as by the service.
Each caller appends its next intent once it has the receipt for the last, in a session of its own; it has one intent,
for those of a service are in the processor's cache, being just made, and thousands of prepared ones would not be.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import uvloop

from proof.machine import DATA
from proof.verdict import say
from remit.adapters.sqlite import open_ledger
from remit.adapters.system import SystemClock, SystemEntropy, settle_collector
from remit.facts.canonical import Json
from remit.facts.record import RecordKind
from remit.policy.verdict import Code, Reason
from remit.ports.ledger import Draft
from remit.trace.bodies import ActionBody
from remit.trace.encoding import encode_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remit.adapters.sqlite import SqliteLedger

RAW_BYTES: Final = 4096
FACTOR: Final = 1.3
ADDED_MS: Final = 0.15
RATE_MIN: Final = 50_000
CALLERS: Final = (16, 128)
BODY_BYTES_MIN: Final = 400
TIMED_EACH: Final = 10


@dataclass(frozen=True, slots=True)
class Size:
    """How much to measure: alternations of one caller, appends in each; rounds of many callers, records in each."""

    turns: int
    appends: int
    rounds: int
    records: int


SHORT: Final = Size(turns=20, appends=50, rounds=5, records=64_000)
LONG: Final = Size(turns=100, appends=100, rounds=15, records=128_000)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; times in milliseconds."""

    name: str
    p50: float
    p99: float
    per_second: float

    def __str__(self) -> str:
        return f"{self.name:<24}{self.p50:>10.3f}{self.p99:>10.3f}{self.per_second:>12,.0f}"


class Raw:
    """The disk: appends to one growing file."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "raw", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._block = os.urandom(RAW_BYTES)
        self.times_s: list[float] = []

    def append(self, count: int) -> None:
        """Append and sync `count` times."""
        for _ in range(count):
            start = time.perf_counter()
            os.write(self._file, self._block)
            os.fdatasync(self._file)
            self.times_s.append(time.perf_counter() - start)

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)


PIN: Final = f"sha256:{7:064x}"
BUNDLE: Final = f"sha256:{9:064x}"
REASONS: Final = (Reason(Code.POLICY, "notes may be read", "notes-readable", "files.cedar:12", "writer"),)
CONTEXT: Final[dict[str, Json]] = {"inputSize": 21, "session": {"labels": [], "calls": 3, "irreversibleCalls": 0}}


def draft(caller: int, number: int) -> Draft:
    """An intent like those of the demo: a permitted read, in the caller's own session."""
    sid = f"s{caller:026d}"
    body = ActionBody(
        action=f"sha256:{number:064x}",
        kind="call_tool",
        server="files",
        name="read_file",
        pin=PIN,
        user="ana",
        links=(("writer", sid),),
        token=f"t{caller:021d}",
        verdict="permit",
        observed=None,
        reasons=REASONS,
        gates=(),
        obligations=(),
        approval=None,
        expires_ms=None,
        irreversible=False,
        labels=(),
        source=("untrusted",),
        context=CONTEXT,
        arguments=b'{"path":"notes/%d.md"}' % number,
    )
    return Draft(RecordKind.INTENT, 1_760_000_000_000 + number, BUNDLE, sid, body)


async def call(ledger: SqliteLedger, drafts: Sequence[Draft], times_s: list[float]) -> None:
    """One caller: append each intent once the one before it is durable; time the first of them alone."""
    start = time.perf_counter()
    await ledger.append(drafts[0]).durable
    times_s.append(time.perf_counter() - start)
    for item in drafts[1:]:
        await ledger.append(item).durable


async def alone(ledger: SqliteLedger, raw: Raw, size: Size) -> Figure:
    """One caller, in turn with the raw disk."""
    drafts = [[draft(0, number)] for number in range(size.appends)]
    times_s: list[float] = []
    for turn in range(size.turns + 1):
        if turn == 1:
            raw.times_s.clear()
            times_s.clear()
        raw.append(size.appends)
        for one in drafts:
            await call(ledger, one, times_s)
    return figure("1 caller", times_s, len(times_s) / sum(times_s))


async def together(ledger: SqliteLedger, raw: Raw, size: Size, callers: int) -> Figure:
    """Many callers; the rate is the median of the rounds, the first of which only warms up."""
    each = size.records // callers // TIMED_EACH * TIMED_EACH
    work = [[draft(caller, caller)] for caller in range(callers)]
    rates: list[float] = []
    times_s: list[float] = []
    for turn in range(size.rounds + 1):
        raw.append(size.appends)
        if turn == 1:
            times_s.clear()
            rates.clear()
        start = time.perf_counter()
        await asyncio.gather(*(repeat(ledger, mine, each, times_s) for mine in work))
        rates.append(each * callers / (time.perf_counter() - start))
    return figure(f"{callers} callers", times_s, median(rates))


async def repeat(ledger: SqliteLedger, drafts: list[Draft], count: int, times_s: list[float]) -> None:
    """Append `drafts` again and again, `count` in all, of which every tenth is timed."""
    for _ in range(count // TIMED_EACH):
        await call(ledger, drafts * TIMED_EACH, times_s)


def figure(name: str, times_s: list[float], per_second: float) -> Figure:
    """Percentiles of `times_s`."""
    ordered = sorted(times_s)
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return Figure(name, ordered[len(ordered) // 2] * 1e3, p99 * 1e3, per_second)


async def measure(folder: Path, size: Size) -> tuple[Figure, list[Figure]]:
    """The raw figure, and ours at 1, 16 and 128 callers."""
    raw = Raw(folder)
    ledger = open_ledger(folder / "ledger.sqlite3", SystemClock(), SystemEntropy())
    settle_collector()
    try:
        ours = [await alone(ledger, raw, size)]
        beside = figure("raw append + fdatasync", raw.times_s, len(raw.times_s) / sum(raw.times_s))
        ours += [await together(ledger, raw, size, callers) for callers in CALLERS]
    finally:
        await ledger.close()
        raw.close()
    return beside, ours


def main(argv: Sequence[str]) -> int:
    """Measure, print the table and the verdict."""
    size = LONG if "--long" in argv else SHORT
    stored = len(encode_body(draft(0, 1).body))
    assert stored >= BODY_BYTES_MIN
    DATA.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="append-", dir=DATA))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            raw, ours = runner.run(measure(folder, size))
    finally:
        shutil.rmtree(folder)
    print(f"{'':<24}{'p50 ms':>10}{'p99 ms':>10}{'records/s':>12}")
    for line in (raw, *ours):
        print(line)
    print(f"bodies of {stored} bytes; state folded in the same transaction")
    limit = FACTOR * raw.p50 + ADDED_MS
    one, most = ours[0], ours[-1]
    return say(
        f"1 caller p50 {one.p50:.3f} ms (raw {raw.p50:.3f}); 128 callers {most.per_second:,.0f} records/s",
        f"p50 <= {limit:.3f} ms; >= {RATE_MIN:,} records/s",
        passed=one.p50 <= limit and most.per_second >= RATE_MIN,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

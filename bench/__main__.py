"""`python -m bench [--list] [NAME...] [-- OPTION...]`: run measurements, each in a process of its own.

A measurement is a module `bench/NAME.py` with `def main(argv: Sequence[str]) -> int`, listed in TABLE. It prints its
table to stdout and ends with a verdict (see `proof.verdict`); a process of its own keeps the heap, the caches and the
threads of one out of the figures of the next. Exit code 0 when all passed, 1 when one did not, 2 for an unknown name.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proof.machine import processor, raw_fdatasync_p50_us

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
CALL: Final = "import importlib, sys; sys.exit(importlib.import_module(sys.argv[1]).main(sys.argv[2:]))"


@dataclass(frozen=True, slots=True)
class Bench:
    """One measurement: its module in `bench`, what it measures, and whether `make bench` runs it unasked."""

    name: str
    text: str
    default: bool = True


TABLE: Final[tuple[Bench, ...]] = (
    Bench("decide", "one decision in process, by generated code beside cedarpy"),
    Bench("protection", "what budgets, breakers and the rest of protection add to one decision"),
    Bench("cedar", "generated code and cedarpy over a folder of Cedar's own test cases", default=False),
    Bench("append", "durable intents at 1, 16 and 128 callers, beside the raw fdatasync"),
    Bench("verify", "chain, commitments and RFC 6962 root of a ledger, per core"),
    Bench("gateway", "tools/call direct, through a bare proxy, through Remit, through FastMCP's proxy"),
    Bench("counting", "what metrics, traces and log lines cost one action"),
    Bench("origins", "what indexing and judging origins cost, how both grow, what is kept of a token"),
    Bench("start", "exec to the first governed answer with 1,000,000 records", default=False),
    Bench("crash", "kill -9 with calls in flight, then an account of every effect", default=False),
)


def run(bench: Bench, options: Sequence[str]) -> bool:
    """Run one measurement, its output as it comes; whether it passed."""
    print(f"\n== {bench.name}: {bench.text}", flush=True)
    command = [sys.executable, "-c", CALL, f"bench.{bench.name}", *options]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def main(arguments: Sequence[str]) -> int:
    """Run the measurements named, or those that are default; the machine comes first."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    names, options = arguments[:at], arguments[at + 1 :]
    if "--list" in names:
        for bench in TABLE:
            print(f"  {bench.name:<10} {bench.text}")
        return 0
    known = {bench.name: bench for bench in TABLE}
    if unknown := [name for name in names if name not in known]:
        print(f"no measurement {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    asked = [known[name] for name in names] or [bench for bench in TABLE if bench.default]
    print(f"{processor()}, Python {sys.version.split()[0]}, raw fdatasync p50 {raw_fdatasync_p50_us()} µs")
    failed = [bench.name for bench in asked if not run(bench, options)]
    print(f"\nbench: missed: {', '.join(failed)}" if failed else "\nbench: all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

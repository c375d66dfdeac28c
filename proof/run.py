"""Run proof lines one after another, and tell and keep what they showed.

Each line runs in a process of its own, in the root folder, with `REMIT_SEED` set to the seed of the run: a miss can
be run again with the same seed. A command that crashes, prints no verdict or outlives its time is a miss.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from proof.lines import LONG_FACTOR, Line
from proof.machine import ROOT, commit, processor, raw_fdatasync_p50_us
from proof.verdict import Verdict, read

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORTS: Final = ROOT / "build" / "proof"
HEADINGS: Final = ("line", "command", "figure", "goal", "")
CELL_CHARS_MAX: Final = 90


@dataclass(frozen=True, slots=True)
class Result:
    """What one line showed, how long it took, and the raw fdatasync (p50, microseconds) just before it."""

    line: Line
    command: str
    verdict: Verdict
    took_s: float
    raw_fdatasync_p50_us: float

    @property
    def outcome(self) -> str:
        """`pass` or `miss`."""
        return "pass" if self.verdict.passed else "miss"


def run_line(line: Line, *, long: bool, seed: int) -> Result:
    """Run one line in its short or long form; never raises for what the command does."""
    argv = line.argv(long=long)
    command = " ".join(("python", *argv))
    raw_us = raw_fdatasync_p50_us()
    tell(f"{line.id}: {command}")
    started = time.monotonic()
    timeout_s = line.timeout_s * (LONG_FACTOR if long else 1)
    try:
        verdict = run_command((sys.executable, *argv), timeout_s=timeout_s, seed=seed)
    except (OSError, ValueError) as error:
        verdict = Verdict(str(error), line.goal, passed=False)
    except subprocess.TimeoutExpired:
        verdict = Verdict(f"not done after {timeout_s} s", line.goal, passed=False)
    verdict = replace(verdict, goal=verdict.goal or line.goal)
    result = Result(line, command, verdict, round(time.monotonic() - started, 1), raw_us)
    tell(f"{line.id}: {result.outcome} in {result.took_s} s: {verdict.figure}")
    return result


def run_command(argv: Sequence[str], *, timeout_s: float, seed: int) -> Verdict:
    """Run a command to its verdict, its stderr shown as it comes; raises ValueError, OSError, TimeoutExpired.

    It runs in a process group of its own, which ends with it: a gateway left behind would falsify the next figure.
    """
    env = os.environ | {"REMIT_SEED": str(seed), "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace") as stdout:
        child = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=stdout, start_new_session=True)
        try:
            exit_code = child.wait(timeout_s)
        finally:
            end_group(child)
        return read(text_of(stdout), exit_code)


def text_of(file: IO[str]) -> str:
    """Return all that was written to `file`."""
    file.seek(0)
    return file.read()


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the command's process group."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    child.wait()


def tell(text: str) -> None:
    """Show progress on stderr, at once."""
    print(f"proof: {text}", file=sys.stderr, flush=True)


def table(results: Sequence[Result]) -> str:
    """Return the results as a table of text, columns aligned."""
    cells = ((r.line.id, r.command, r.verdict.figure, r.verdict.goal, r.outcome) for r in results)
    rows = [HEADINGS, *(tuple(shortened(cell) for cell in row) for row in cells)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        " · ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def shortened(cell: str) -> str:
    """Return `cell` on one line of at most CELL_CHARS_MAX characters; the report keeps all of it."""
    line = " ".join(cell.split())
    return line if len(line) <= CELL_CHARS_MAX else line[: CELL_CHARS_MAX - 1] + "…"


def keep(results: Sequence[Result], *, part: int, form: str, seed: int) -> Path:
    """Write the results of one part as JSON (`build/proof/part-n.json`, `part-n-quick`, `part-n-long`)."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    path = REPORTS / (f"part-{part}.json" if form == "short" else f"part-{part}-{form}.json")
    report = {
        "part": part,
        "form": form,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "seed": seed,
        "processor": processor(),
        "python": sys.version.split()[0],
        "pass": all(result.verdict.passed for result in results),
        "lines": [
            {
                "line": result.line.id,
                "text": result.line.text,
                "command": result.command,
                "figure": result.verdict.figure,
                "goal": result.verdict.goal,
                "pass": result.verdict.passed,
                "took_s": result.took_s,
                "raw_fdatasync_p50_us": result.raw_fdatasync_p50_us,
            }
            for result in results
        ],
    }
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path

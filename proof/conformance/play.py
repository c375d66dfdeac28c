"""Runs a suite against an address, and comes to an end whatever the other side does.

A suite runs as one process. When it says nothing for STALL_S, or ends early, it is ended; the scenario that it was in
counts as failed, and those that are left run alone, each with a time of its own, until the run's time is over.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import time
from typing import TYPE_CHECKING, Final

from proof.conformance.checks import Outcome, read
from proof.conformance.install import MADE, NODE, PACKAGES
from proof.conformance.runs import ALPHA, Demand, Run, demand_of_list, demand_of_set

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCENARIO_S: Final = 10
STALL_S: Final = 20
RUN_S: Final = 240
"""A run as a whole; what has not run by then counts as failed."""
RUNNING: Final = re.compile(r"=== Running scenario: (\S+) ===")


async def demand(run: Run) -> Demand:
    """What `run` consists of; raises OSError, KeyError, RuntimeError when the package is not as it should be."""
    if run.package == ALPHA:
        return demand_of_set(run, PACKAGES / run.package)
    asking = await asyncio.create_subprocess_exec(
        NODE, entry(run), "list", "--server", stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
    )
    said, _ = await asking.communicate()
    if asking.returncode != 0:
        raise RuntimeError(f"the suite {run.name} does not list its scenarios")
    return demand_of_list(run, said.decode())


def entry(run: Run) -> Path:
    """The program of the suite."""
    return PACKAGES / run.package / "dist" / "index.js"


async def play(run: Run, url: str, way: str, scenarios: Sequence[str], *, whole: bool) -> dict[str, Outcome]:
    """Run `scenarios` of `run` against `url`; an outcome for each of them. `way` names the folder of the results.

    `whole`: one process runs all that the run's options choose; otherwise each of them runs alone.
    """
    results = MADE / "results" / way / run.name
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    until = time.monotonic() + RUN_S
    stuck: dict[str, Outcome] = {}
    if whole:
        last = await _process(run, url, results, run.options, STALL_S, way)
        if last is not None:
            stuck[last] = Outcome(trouble=f"no end within {STALL_S} s")
    for scenario in scenarios:
        if scenario in read(results) or scenario in stuck:
            continue
        if time.monotonic() > until:
            stuck[scenario] = Outcome(trouble=f"not run: {RUN_S} s were over")
        elif await _process(run, url, results, run.alone(scenario), STALL_S, way, scenario) is not None:
            stuck[scenario] = Outcome(trouble=f"no end within {STALL_S} s")
    found = read(results)
    return {name: stuck.get(name) or found.get(name) or Outcome(trouble="it was not run") for name in scenarios}


async def _process(
    run: Run, url: str, results: Path, options: Sequence[str], stall_s: float, way: str, alone: str = ""
) -> str | None:
    """One process of the suite; the scenario in which it came to no end, or None."""
    bound = ("--timeout", str(SCENARIO_S * 1000)) if run.package == ALPHA else ()
    command = (entry(run), "server", "--url", url, "-o", results, *options, *bound)
    running = await asyncio.create_subprocess_exec(
        NODE,
        *map(str, command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=16 * 1024 * 1024,
    )
    assert running.stdout is not None
    scenario, number = alone, 0
    try:
        while line := await asyncio.wait_for(running.stdout.readline(), stall_s):
            if said := RUNNING.search(line.decode("utf-8", "replace")):
                scenario, number = said[1], number + 1
                tell(f"{run.name} {way} {number:>3} {scenario}")
    except TimeoutError:
        return scenario
    finally:
        # At the end of its output it is about to exit; a kill then would take its exit code from asyncio.
        if not running.stdout.at_eof():
            running.kill()
        await running.wait()
        tell("")
    return None


def tell(text: str) -> None:
    """Progress on stderr: one line that changes where a person looks on, nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

"""`python -m proof.conformance [-o table|json] [--run NAME]... [--only WORD] [--direct]`: `make conformance`.

Exit code 0 when every scenario that passes directly passes through Remit, and the conformant server passes all that it
has to directly; 1 when not; 2 when nothing of that name exists. The last line of stdout is a verdict (`proof.verdict`),
but with `-o json`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, Final

from proof.conformance.checks import Results, Row
from proof.conformance.install import InstallError, installed
from proof.conformance.play import demand, play
from proof.conformance.runs import CROSSED, RUNS, TASKS, Run, of_tasks
from proof.conformance.show import as_json, figure, table
from proof.conformance.stage import governed, server
from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proof.conformance.checks import Outcome
    from proof.conformance.runs import Demand

GOAL: Final = "each that passes directly passes through Remit; all scored pass directly"


async def compare(runs: Sequence[Run], only: str, *, through: bool) -> Results:
    """Run everything directly, then through Remit."""
    results = Results()
    demands = {run.name: chosen(await demand(run), only) for run in runs}
    plain = [run for run in RUNS if any(run.name == other.direct for other in runs)]
    eras: set[str | None] = {None, TASKS, *(run.upstream for run in runs if through)}
    with contextlib.ExitStack() as servers:
        ports = {era: servers.enter_context(server(era)) for era in eras}
        wanted = {run.name: chosen(await demand(run), only) for run in plain}
        direct = await all_runs(
            plain, wanted, {era: f"http://127.0.0.1:{ports[era]}/mcp" for era in (None, TASKS)}, "direct", only
        )
        passed_on: dict[str, dict[str, Outcome]] = {}
        if through:
            async with governed(ports) as urls:
                passed_on = await all_runs(runs, demands, urls, "remit", only)
    for run in runs:
        asked, ways = demands[run.name], passed_on.get(run.name, {})
        results.rows[run.name] = [
            Row(name, name in asked.scored, run.judged(name), direct[run.direct][name], ways.get(name)).without(
                run.excused
            )
            for name in asked.scenarios
        ]
        if not only and len(asked.scenarios) != run.count:
            results.lacks[run.name] = f"{len(asked.scenarios)} scenarios, where {run.count} were pinned"
    return results


def chosen(wanted: Demand, only: str) -> Demand:
    """The scenarios with `only` in their name."""
    return type(wanted)(tuple(name for name in wanted.scenarios if only in name), wanted.scored)


async def all_runs(
    runs: Sequence[Run], demands: dict[str, Demand], urls: dict[str | None, str], way: str, only: str
) -> dict[str, dict[str, Outcome]]:
    """Every run against the address of its era, one after another; progress on stderr."""
    found: dict[str, dict[str, Outcome]] = {}
    for run in runs:
        started = time.monotonic()
        wanted = demands[run.name].scenarios
        rest, tasks = [n for n in wanted if not of_tasks(n)], [n for n in wanted if of_tasks(n)]
        outcomes = await play(run, urls[run.upstream], way, rest, whole=not only)
        outcomes |= await play(run, urls[TASKS], f"{way}-tasks", tasks, whole=False)
        passed = sum(outcome.passed for outcome in outcomes.values())
        took = time.monotonic() - started
        print(
            f"conformance: {run.name} {way}: {passed} of {len(outcomes)} in {took:.0f} s", file=sys.stderr, flush=True
        )
        found[run.name] = outcomes
    return found


def main(arguments: Sequence[str]) -> int:
    """Install, run, show; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m proof.conformance", description=__doc__)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument(
        "--run", action="append", choices=[run.name for run in (*RUNS, *CROSSED)], help="only this run; repeatable"
    )
    parser.add_argument("--only", default="", metavar="WORD", help="only scenarios with WORD in their name")
    parser.add_argument("--direct", action="store_true", help="leave Remit out")
    asked = parser.parse_args(arguments)
    everything = RUNS if asked.direct else (*RUNS, *CROSSED)
    runs = [run for run in everything if not asked.run or run.name in asked.run]
    try:
        installed()
    except InstallError as error:
        print(f"conformance: {error}\n  next: check the way to PyPI and npm, then run it again", file=sys.stderr)
        return 1
    results = asyncio.run(compare(runs, asked.only, through=not asked.direct))
    if not any(results.rows.values()):
        print(f"conformance: no scenario with {asked.only!r} in its name", file=sys.stderr)
        return 2
    if asked.output == "json":
        print(json.dumps(as_json(results), indent=1, ensure_ascii=False))
        return 0 if results.passed else 1
    table(results)
    return say(figure(results), GOAL, passed=results.passed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m proof [--part N] [--quick | --long] [--seed N] [LINE...]`.

Without a part: the quick lines of each finished part. Exit code 0 when every line passed, 1 on a miss, 2 when nothing
was asked for that exists.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from typing import TYPE_CHECKING

from proof.lines import FINISHED_PARTS, LINES, Line
from proof.run import keep, run_line, table, tell

if TYPE_CHECKING:
    from collections.abc import Sequence


def chosen(part: int | None, names: Sequence[str], *, quick: bool) -> list[Line]:
    """Return the lines asked for, in the order of the table; `names` narrows them."""
    parts = FINISHED_PARTS if part is None else (part,)
    return [
        line for line in LINES if line.part in parts and (line.quick or not quick) and (not names or line.id in names)
    ]


def main(arguments: Sequence[str]) -> int:
    """Run the lines asked for; print the table and keep the figures, part by part."""
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    parser.add_argument("lines", nargs="*", metavar="LINE", help="only these lines")
    parser.add_argument("--part", type=int)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--quick", action="store_true", help="only quick lines")
    form.add_argument("--long", action="store_true", help="the long form: soak")
    asked = parser.parse_args(arguments)
    quick: bool = asked.quick or (asked.part is None and not asked.long and not asked.lines)
    lines = chosen(asked.part, asked.lines, quick=quick)
    if asked.part is None and not asked.lines and not FINISHED_PARTS:
        tell("no part is finished yet, so there is nothing to hold; see: make proof PART=1")
        return 0
    if not lines:
        known = ", ".join(f"{line.part}/{line.id}" for line in LINES)
        tell(f"no such line; there are {known}")
        return 2
    form_name = "long" if asked.long else "quick" if quick else "short"
    started = time.monotonic()
    missed = 0
    for part in sorted({line.part for line in lines}):
        results = [run_line(line, long=asked.long, seed=asked.seed) for line in lines if line.part == part]
        print(f"part {part}\n{table(results)}")
        missed += sum(not result.verdict.passed for result in results)
        if not asked.lines:
            tell(f"kept in {keep(results, part=part, form=form_name, seed=asked.seed)}")
    print(f"{len(lines)} lines, {missed} missed, {time.monotonic() - started:.0f} s, seed {asked.seed}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m tests.sim SEED`: the story of one seed, up to the law that it breaks; exit 1 where it breaks one."""

from __future__ import annotations

import argparse
import logging
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from tests.sim.mutants import MUTANTS
from tests.sim.world import play

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    asked.add_argument("seed", type=int)
    asked.add_argument("--mutant", help="some words of a mutant's name (tests/sim/mutants.py), planted first")
    given = asked.parse_args(argv)
    logging.disable()
    planted = nullcontext()
    if given.mutant is not None:
        found = [one for one in MUTANTS if given.mutant in one.name]
        if len(found) != 1:
            names = "\n  ".join(one.name for one in found or MUTANTS)
            asked.error(f"{len(found)} mutants are called so; next: choose one of\n  {names}")
        planted = found[0].planted()
    with planted:
        story = play(given.seed)
    print(*story.lines, sep="\n")
    counted = ", ".join(f"{count} {name}" for name, count in sorted(story.counts.items()))
    if story.broken is None:
        print(f"seed {story.seed}: no law broken; {counted}")
        return 0
    print(f"seed {story.seed}: {story.broken[0]} is broken: {story.broken[1]}; {counted}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

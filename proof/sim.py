"""`python -m proof.sim --seeds N`: that many seeds of the simulator break no law; each law switched off is noticed.

Seeds count from that of the run (`REMIT_SEED`). The second half plants one mutant after another
(`tests/sim/mutants`), of the laws that came with `--part` or of all, and plays seeds until one breaks the law that the
mutant stands for, within `--within` of them; its table is printed. Seeds that hold nothing it could change count, and
are not played.
`make sim SEED=n` tells the story of a seed.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proof.verdict import say
from tests.sim.mutants import BY_PART, MUTANTS
from tests.sim.profile import profile_of
from tests.sim.world import play

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.pool import Pool

    from tests.sim.world import Story

SHOWN_EVERY_S: Final = 5.0
SEEDS_OF_A_RUN: Final = 1_000_000
BROKEN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Caught:
    """Whether the mutant of that number was caught, after how many seeds; `others` broke another law first."""

    number: int
    after: int | None
    others: int
    text: str


def seeds(first: int, count: int, pool: Pool) -> tuple[Counter[str], list[Story]]:
    """Play `count` seeds from `first`: what happened in them, and those that broke a law."""
    totals: Counter[str] = Counter()
    broken: list[Story] = []
    shown = time.monotonic()
    for done, story in enumerate(pool.imap_unordered(play, range(first, first + count), chunksize=4), start=1):
        totals.update(story.counts)
        if story.broken is not None:
            broken.append(story)
            print(f"seed {story.seed}: {story.broken[0]}: {story.broken[1]} (next: make sim SEED={story.seed})")
        if time.monotonic() - shown > SHOWN_EVERY_S:
            shown = time.monotonic()
            print(f"{done:,} of {count:,} seeds, {len(broken)} broken", file=sys.stderr)
        if len(broken) >= BROKEN_MAX:
            break
    return totals, broken


def caught(asked: tuple[int, int, int]) -> Caught:
    """Plant mutant `number` and play seeds from `first`, `within` at most, until its law is broken."""
    number, first, within = asked
    mutant = MUTANTS[number]
    others = 0
    with mutant.planted():
        for after in range(1, within + 1):
            seed = first + after - 1
            if not mutant.concerns(profile_of(seed)):
                continue
            broken = play(seed).broken
            if broken is not None and broken[0] == mutant.invariant:
                return Caught(number, after, others, broken[1])
            others += broken is not None
    return Caught(number, None, others, "")


def mutants(numbers: Sequence[int], first: int, within: int, pool: Pool) -> list[Caught]:
    """What became of the mutants of these `numbers`, in their order."""
    found: list[Caught] = []
    for one in pool.imap_unordered(caught, [(number, first, within) for number in numbers]):
        found.append(one)
        print(f"{len(found)} of {len(numbers)} mutants: {MUTANTS[one.number].name}", file=sys.stderr)
    return sorted(found, key=lambda one: one.number)


def table(found: Sequence[Caught], first: int) -> Iterator[str]:
    """The rows: invariant, mutant, the seed that caught it."""
    yield f"{'invariant':28}  {'mutant':62}  caught at seed"
    for one in found:
        mutant = MUTANTS[one.number]
        at = "not caught" if one.after is None else f"{first + one.after - 1}"
        more = f" ({one.others} broke another law first)" if one.others else ""
        yield f"{mutant.invariant:28}  {mutant.name:62}  {at}{more}"


def main(argv: Sequence[str]) -> int:
    """Play, print, say."""
    asked = argparse.ArgumentParser(prog="python -m proof.sim", description=__doc__)
    asked.add_argument("--seeds", type=int, default=200)
    asked.add_argument("--within", type=int, default=1_000)
    asked.add_argument("--part", type=int, choices=[*BY_PART], help="plant the mutants of this part's laws alone")
    given = asked.parse_args(argv)
    first = int(os.environ.get("REMIT_SEED", "0")) * SEEDS_OF_A_RUN + 1
    chosen = MUTANTS if given.part is None else BY_PART[given.part]
    numbers = [number for number, mutant in enumerate(MUTANTS) if mutant in chosen]
    logging.disable()
    with multiprocessing.Pool(initializer=logging.disable) as pool:
        totals, broken = seeds(first, given.seeds, pool)
        found = mutants(numbers, first, given.within, pool)
    print(*table(found, first), sep="\n")
    print("; ".join(f"{count:,} {name}" for name, count in sorted(totals.items())))
    missed = [one for one in found if one.after is None]
    latest = max((one.after or 0 for one in found), default=0)
    figure = (
        f"{given.seeds:,} seeds from {first}, {totals['effects']:,} effects, {len(broken)} broke a law; "
        f"{len(found) - len(missed)} of {len(found)} mutants caught, the last after {latest} seeds"
    )
    tried = totals["effects"] > given.seeds and totals["approved"] > given.seeds // 50
    goal = f"0 broken; each mutant caught within {given.within:,} seeds"
    return say(figure, goal, passed=not broken and not missed and tried)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

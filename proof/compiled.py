"""`python -m proof.compiled --pairs N`: Hypothesis makes policy sets and requests; generated code and cedarpy agree.

Half of the sets are typed, half have parts of any type anywhere, as no schema would let pass. Ten requests a set. The
seed is that of the run (`REMIT_SEED`); the first difference is shrunk and printed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from proof.cedar_random import WILD, policies, request
from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import Sequence

REQUESTS: Final = 10
SETS: Final = 500


def compare(rng: random.Random, counts: Counter[str]) -> None:
    """One policy set over its requests."""
    made = policies(rng, wild=rng.choice((0, WILD)))
    try:
        assert made.forms
    except ValueError:
        counts["unreadable"] += 1
        return
    for _ in range(REQUESTS):
        asked = request(rng)
        ours, reference = made.by_code(asked), made.by_cedar(asked)
        assert ours == reference, f"code {ours}, cedarpy {reference}: {made.text} {asked}"
        counts["pairs"] += 1
        counts["satisfied"] += bool(reference.reason)
        counts["erring"] += bool(reference.errors)


def some(counts: Counter[str], start: int) -> None:
    """As many sets as Hypothesis makes at once, from a seed of their own."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

    @seed(start)
    @settings(max_examples=SETS, deadline=None, database=None, suppress_health_check=checks)
    @given(st.integers(0, 2**64))
    def agree(number: int) -> None:
        compare(random.Random(number), counts)

    agree()


def main(argv: Sequence[str]) -> int:
    """Compare until there were enough pairs; print the verdict."""
    parser = argparse.ArgumentParser(prog="proof.compiled")
    parser.add_argument("--pairs", type=int, default=20_000)
    options = parser.parse_args(argv)
    counts: Counter[str] = Counter()
    difference = ""
    try:
        while counts["pairs"] < options.pairs:
            some(counts, int(os.environ.get("REMIT_SEED", "0")) + counts["pairs"])
    except AssertionError as error:
        difference = str(error)
        print(difference)
    figure = f"{counts['pairs']:,} pairs, {counts['satisfied']:,} satisfied, {counts['erring']:,} erring"
    return say(f"{figure}{', one differs' if difference else ', none differs'}", "no difference", passed=not difference)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

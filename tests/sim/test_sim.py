"""The simulator itself: some seeds, each the same every time, and each law noticed where it is switched off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.laws import INVARIANTS
from tests.sim.loop import Loop, Stuck
from tests.sim.mutants import MUTANTS, Mutant
from tests.sim.profile import profile_of
from tests.sim.realm import variants
from tests.sim.world import Random, play

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 12
WITHIN = 1_000
SOON = 300


def story(*arguments: str, hashes: str = "0") -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.sim", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": hashes}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert not ended.stderr, ended.stderr
    return ended.returncode, ended.stdout


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_a_seed_breaks_no_law(seed: int) -> None:
    found = play(seed)
    assert found.broken is None, f"make sim SEED={seed}"
    assert found.counts["effects"]


def test_a_seed_is_the_same_run_in_another_process_with_other_hashes() -> None:
    play(6)
    one, other = story("7", hashes="1"), story("7", hashes="2")
    assert one == other
    assert one[1].splitlines()[:-1] == play(7).lines
    assert one[1] != story("8")[1]


def test_how_often_generated_code_was_compared_does_not_show_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[str]] = []
    for every in (0, 1):
        for variant in variants():
            monkeypatch.setattr(variant.bundle.shadow, "every", every)
        told.append(play(231).lines)
    assert told[0] == told[1]
    assert any("policy/error" in line for line in told[0]), "where something cannot be evaluated, the words differ"


def test_the_story_of_a_seed_is_told_up_to_the_law_that_it_breaks() -> None:
    code, text = story("1", "--mutant", "one intent is sent twice")
    assert code == 1
    *_, last = text.splitlines()
    assert last.startswith("seed 1: intent-before-effect is broken: ")
    assert "BROKEN intent-before-effect" in text
    assert "on disk" in text


def test_every_law_has_a_mutant() -> None:
    assert {one.invariant for one in MUTANTS} == set(INVARIANTS)
    assert len({one.name for one in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_each_law_switched_off_is_noticed(mutant: Mutant) -> None:
    with mutant.planted():
        some = (seed for seed in range(1, WITHIN + 1) if mutant.concerns(profile_of(seed)))
        broken = (play(seed).broken for seed in some)
        assert any(found is not None and found[0] == mutant.invariant for found in broken)


def test_nothing_of_a_mutant_is_left_once_it_is_taken_out() -> None:
    [mutant] = (one for one in MUTANTS if one.name == "powers are counted to the last of a chain alone")
    with mutant.planted():
        assert play(12).broken is not None, "what it works out wrongly is remembered"
    assert play(12).broken is None


@pytest.mark.parametrize("first", [1, 11_000_001, 12_000_001])
def test_agents_soon_ask_under_a_grant_for_what_nobody_saw(first: int) -> None:
    [mutant] = (one for one in MUTANTS if one.name == "a grant covers what nobody saw")
    with mutant.planted():
        some = (seed for seed in range(first, first + SOON) if mutant.concerns(profile_of(seed)))
        broken = (play(seed).broken for seed in some)
        assert any(found is not None and found[0] == mutant.invariant for found in broken)


def test_a_loop_where_nothing_will_happen_says_so() -> None:
    loop = Loop(Random(1))
    try:
        with pytest.raises(Stuck):
            loop.run_until_complete(loop.create_future())
    finally:
        loop.close()

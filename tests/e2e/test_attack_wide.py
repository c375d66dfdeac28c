"""`remit attack` with everything to try it with: all of it is held; each missing check lets an attack through."""

import sys
from pathlib import Path

import pytest

from proof.attacked.mutant import MUTANTS
from remit.app.attacking.run import Attacked, Profile, attack
from remit.assure.attack.came import Control
from remit.assure.attack.plan import Kind
from tests.attacked import wide

LEAN = Profile(chores=4, patience_s=0.0)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wide(tmp_path_factory.mktemp("wide") / "workspace")


@pytest.fixture(scope="module")
def found(workspace: Path) -> Attacked:
    return attack(workspace, profile=LEAN)


@pytest.mark.timeout(400)
def test_everything_is_tried_and_held(found: Attacked) -> None:
    assert [one.attempt.title for one in found.open] == []
    assert found.left == 0
    assert {one.attempt.kind for one in found.came} == set(Kind), "each kind was about something here"


def test_what_stopped_each_kind_is_told(found: Attacked) -> None:
    by = {kind: {one.control for one in found.came if one.attempt.kind is kind} for kind in Kind}
    assert by[Kind.TOKEN] <= {Control.IDENTITY, Control.STOPS}
    assert by[Kind.DRIFT] == {Control.PINS}
    assert by[Kind.MALFORMED] == {Control.SCHEMAS}
    assert by[Kind.LEDGER] == {Control.LEDGER}
    assert by[Kind.LEAK] == {Control.POLICY}
    assert by[Kind.LOOP] == by[Kind.DRIP] == {Control.BUDGETS}
    for kind in (Kind.RESULT, Kind.ERROR, Kind.PROGRESS, Kind.YES_AGAIN, Kind.YES_ELSEWHERE, Kind.RACE, Kind.DELEGATED):
        assert by[kind] == {Control.PEOPLE}, kind


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("name", "only", "kind"),
    [
        ("progress", "before it has ended", Kind.PROGRESS),
        ("errors", "fails with words", Kind.ERROR),
        ("handed-on", "asi07", Kind.DELEGATED),
        ("bound", "another target", Kind.YES_ELSEWHERE),
        ("claimed", "times at once", Kind.RACE),
        ("verified", "cut off, beside a checkpoint", Kind.LEDGER),
        ("kept", "what the service keeps", Kind.BUNDLE),
    ],
)
def test_a_missing_check_lets_its_attack_through(workspace: Path, name: str, only: str, kind: Kind) -> None:
    assert name in MUTANTS
    program = (sys.executable, "-m", "proof.attacked.mutant", name)
    beaten = attack(workspace, only, program=program, profile=LEAN)
    assert {one.attempt.kind for one in beaten.open} == {kind}

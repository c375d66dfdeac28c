"""`remit attack` with everything to try it with: all of it is held; each missing check lets an attack through."""

import subprocess
import sys
from pathlib import Path

import pytest

from proof.attacked.mutant import MUTANTS
from remit.app.attack.run import AttackProfile, AttackResult, attack
from remit.assure.attack.plan import AttackKind
from remit.assure.attack.results import SecurityControl
from tests.attacked import wide

pytestmark = pytest.mark.timeout(400)
"""Whichever test comes first waits for the attack."""

ROOT = Path(__file__).resolve().parents[2]
LEAN = AttackProfile(chores=4, patience_s=0.0)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wide(tmp_path_factory.mktemp("wide") / "workspace")


@pytest.fixture(scope="module")
def found(workspace: Path) -> AttackResult:
    return attack(workspace, profile=LEAN)


def test_everything_is_tried_and_held(found: AttackResult) -> None:
    assert [one.attempt.title for one in found.open] == []
    assert found.unreached == 0
    assert {one.attempt.kind for one in found.results} == set(AttackKind), "each kind was about something here"


def test_what_stopped_each_kind_is_told(found: AttackResult) -> None:
    by = {kind: {one.control for one in found.results if one.attempt.kind is kind} for kind in AttackKind}
    assert by[AttackKind.TOKEN] <= {SecurityControl.IDENTITY, SecurityControl.STOPS}
    assert by[AttackKind.DRIFT] == {SecurityControl.PINS}
    assert by[AttackKind.MALFORMED] == {SecurityControl.SCHEMAS}
    assert by[AttackKind.LEDGER] == {SecurityControl.LEDGER}
    assert by[AttackKind.LEAK] == {SecurityControl.POLICY}
    assert by[AttackKind.LOOP] == by[AttackKind.DRIP] == {SecurityControl.BUDGETS}
    for kind in (
        AttackKind.RESULT,
        AttackKind.ERROR,
        AttackKind.PROGRESS,
        AttackKind.YES_AGAIN,
        AttackKind.YES_ELSEWHERE,
        AttackKind.RACE,
        AttackKind.DELEGATED,
    ):
        assert by[kind] == {SecurityControl.PEOPLE}, kind


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("name", "only", "kind"),
    [
        ("progress", "before it has ended", AttackKind.PROGRESS),
        ("errors", "fails with words", AttackKind.ERROR),
        ("handed-on", "asi07", AttackKind.DELEGATED),
        ("bound", "another target", AttackKind.YES_ELSEWHERE),
        ("claimed", "times at once", AttackKind.RACE),
        ("verified", "cut off, beside a checkpoint", AttackKind.LEDGER),
        ("kept", "what the service keeps", AttackKind.BUNDLE),
    ],
)
def test_a_missing_check_lets_its_attack_through(workspace: Path, name: str, only: str, kind: AttackKind) -> None:
    assert name in MUTANTS
    program = (sys.executable, "-m", "proof.attacked.mutant", name)
    beaten = attack(workspace, only, program=program, profile=LEAN)
    assert {one.attempt.kind for one in beaten.open} == {kind}


def test_what_each_mutant_takes_out_is_there() -> None:
    planting = "from proof.attacked.mutant import MUTANTS; [mutant.plant() for mutant in MUTANTS.values()]"
    done = subprocess.run([sys.executable, "-c", planting], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

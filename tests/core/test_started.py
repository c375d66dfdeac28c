"""What a service was started with, held against what the Admission before it saw."""

import pytest

from remit.app.bundles.history import admitted_as, counts_of
from remit.app.bundles.running_bundle import RunningBundle
from remit.control.resources import WorkspaceSource
from remit.facts.canonical import Json
from remit.trace.bodies import AdminBody, Event
from tests.core.test_chains import ALL, made

RUNS = made(ALL)
FILE = "eve.cases.yaml"


def running(*texts: str) -> RunningBundle:
    return RunningBundle(WorkspaceSource(cases=tuple((FILE, text) for text in texts)), RUNS, ())


GUARDED: dict[str, Json] = {"admission": "all", "cases": [*running("eve").guards]}


@pytest.mark.parametrize(
    ("said", "now", "seen"),
    [
        ({}, (), True),
        ({"admission": "all"}, (), True),
        (GUARDED, ("eve",), True),
        (GUARDED, ("eve", "more"), True),
        (GUARDED, (), False),
        (GUARDED, ("worded otherwise",), False),
        ({"cases": GUARDED["cases"]}, (), True),
        ({"admission": "all", "admitted": False}, (), False),
        ({"admitted": False}, (), False),
        ({"admission": "all", "admitted": "0a1b2c3d"}, (), True),
    ],
)
def test_a_start_is_what_was_admitted_or_says_so(said: dict[str, Json], now: tuple[str, ...], *, seen: bool) -> None:
    started = running(*now)
    same, other = (AdminBody(Event.BUNDLE, "it", digest, said) for digest in (RUNS.digest, "sha256:other"))
    assert admitted_as(same, started) is seen
    assert admitted_as(other, started) is (seen and "admission" not in said)
    assert admitted_as(None, started)


def test_cases_are_named_on_record_only_while_an_admission_holds() -> None:
    assert "cases" not in counts_of(running("eve"))
    assert running("eve").guards == running("eve").guards != running("other").guards

"""What counts as passing a conformance scenario, and pins without addresses; nothing of the suites runs here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proof.conformance.checks import Check, Outcome, Results, Row, check_of, read
from proof.conformance.install import PINS, pin
from proof.conformance.runs import RUNS, demand_of_list, demand_of_set
from proof.conformance.show import figure
from tools.lock import addresses

STABLE, OLD, MODERN = RUNS


def outcome(*checks: str) -> Outcome:
    """One with a check of each status, named after its place."""
    return Outcome(tuple(Check(f"c{number}", status, "why") for number, status in enumerate(checks)))


def row(direct: Outcome, through: Outcome | None, *, scored: bool = True, judged: bool = True) -> Row:
    return Row("ping", scored, judged, direct, through)


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        (outcome("SUCCESS"), True),
        (outcome("SUCCESS", "INFO"), True),
        (outcome("SUCCESS", "FAILURE"), False),
        (outcome("SUCCESS", "WARNING"), False),
        (outcome("SUCCESS", "SKIPPED"), False),
        (outcome("INFO"), False),
        (outcome(), False),
        (Outcome((Check("c", "SUCCESS"),), trouble="no end"), False),
    ],
)
def test_passing_means_checked_and_nothing_amiss(found: Outcome, passed: bool) -> None:
    assert found.passed is passed
    assert bool(list(found.faults())) is not passed


def test_what_passes_directly_has_to_pass_through_remit() -> None:
    good, bad = outcome("SUCCESS"), outcome("FAILURE")
    assert row(good, good).faults() == ()
    assert row(good, bad).faults() == ("c0 failure: why",)
    assert row(bad, bad, scored=False).faults() == ()
    assert row(bad, good).faults() == ("directly: c0 failure: why",)
    assert row(bad, bad, judged=False).faults() == ()
    assert row(good, None).faults() == ()


def test_a_check_that_is_not_made_through_remit_is_a_fault() -> None:
    assert row(outcome("SUCCESS", "SUCCESS"), outcome("SUCCESS")).faults() == ("c1 was not checked",)
    assert row(outcome("SUCCESS", "INFO"), outcome("SUCCESS")).faults() == ()


def test_an_excused_check_counts_neither_way() -> None:
    excused = frozenset({"c1"})
    found = row(outcome("SUCCESS", "SUCCESS"), outcome("SUCCESS", "WARNING")).without(excused)
    assert found.faults() == ()
    assert row(outcome("SUCCESS", "SUCCESS"), outcome("SUCCESS")).without(excused).faults() == ()
    assert row(outcome("SUCCESS", "SUCCESS"), outcome("FAILURE", "SUCCESS")).without(excused).faults()


def test_results_pass_only_when_all_does() -> None:
    good, bad = outcome("SUCCESS"), outcome("FAILURE")
    assert not Results().passed
    assert Results({"r": [row(good, good)]}).passed
    assert not Results({"r": [row(good, good), row(good, bad)]}).passed
    assert not Results({"r": [row(good, good)]}, {"r": "31 scenarios, where 32 were pinned"}).passed
    assert figure(Results({"r": [row(good, good), row(good, bad)]})) == "r: 2 of 2 directly, 1 of 2 through Remit"


def test_what_a_suite_leaves_is_read(tmp_path: Path) -> None:
    for name, text in (("ping", '[{"id": "ping", "status": "SUCCESS"}]'), ("tools-list", "[{}]"), ("a-2", "{")):
        folder = tmp_path / f"server-{name}-2026-11-22T13-55-32-185Z"
        folder.mkdir()
        (folder / "checks.json").write_text(text)
    (tmp_path / "server-odd").mkdir()
    found = read(tmp_path)
    assert found.keys() == {"ping", "tools-list", "a-2"}
    assert found["ping"].passed
    assert "no readable checks" in found["tools-list"].trouble
    assert "no readable checks" in found["a-2"].trouble


def test_a_failed_check_says_what_the_suite_says() -> None:
    written = {"id": "wire", "status": "FAILURE", "errorMessage": "bad\nwire", "details": {"violations": ["x"]}}
    assert check_of(written) == Check("wire", "FAILURE", 'bad wire ["x"]')
    assert check_of({"id": "a", "status": "SKIPPED", "description": "not here"}).text == "not here"
    assert check_of({"id": "a", "status": "SUCCESS", "description": "fine"}).text == ""


def test_what_a_run_consists_of(tmp_path: Path) -> None:
    listed = "Server scenarios (test against a server):\n  - ping [2025-06-18]\n  - server-sse-polling [2025-11-25]\n"
    demand = demand_of_list(STABLE, listed)
    assert demand.scenarios == ("ping", "server-sse-polling")
    assert demand.scored == {"ping"}
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / f"{MODERN.era}.yaml").write_text(
        "server: [caching]\nnot_scored:\n"
        "- {scenario: tasks, leg: server, reason: extension}\n- {scenario: auth, leg: client, reason: extension}\n"
    )
    demand = demand_of_set(MODERN, tmp_path)
    assert demand.scenarios == ("caching", "tasks")
    assert demand.scored == {"caching"}
    assert OLD.judged("server-sse-polling")


def test_the_pins_are_hashed_and_name_no_address() -> None:
    fetch = (PINS / "fetch.txt").read_text()
    assert not addresses(fetch)
    lock = (PINS / "package-lock.json").read_text()
    assert "://" not in lock
    packages = json.loads(lock)["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
    assert packages["node_modules/stable"]["version"] == "0.1.16"
    assert packages["node_modules/alpha"]["version"] == "0.2.0-alpha.12"


def test_the_server_is_pinned_as_the_library_is() -> None:
    pinned = "mcp==2 \\\n    --hash=sha256:11 \\\n    --hash=sha256:22\n"
    assert pin("mcp", f"a==1 \\\n    --hash=sha256:00\n{pinned}    # via remit\nb==3\n") == pinned

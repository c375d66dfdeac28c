"""Admission: the how-to page, what is refused and let through, and what an interruption leaves behind."""

from __future__ import annotations

import asyncio
import io
import json
import pickle
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proof.admission import BASE, CASES, CLEAN, EVE, WITHOUT_ATTACK
from proof.child import child
from proof.service import REMIT, environment
from remit.app.admission import work
from remit.app.admission.request import AdmissionRequest
from remit.app.admission.results import CheckResult
from remit.app.settings import LEDGER
from remit.app.terminal.client import ServiceClient
from remit.facts.admission import AdmissionTerms
from tests.e2e.bank_world import Banking
from tests.e2e.pages import PAGES_FOLDER, command_of, run_block
from tests.eventually import awaited

PAGE = PAGES_FOLDER / "admit-changes.md"
BLOCK = re.compile(
    r"^```(console(?P<owner> owner)?|(cedar|yaml) (?P<file>[\w.]+))\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL
)
WRONG = """\
- name: eve is paid
  agent: clerk
  user: ana
  events:
    - {call: bank/pay, args: {to: eve}, expect: permit}
"""
LOOK = re.compile(r"remit admission override (\S+) ")


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Banking]:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    with Banking(tmp_path) as running:
        running.service.write(dict(BASE))
        assert running.service.remit("apply").returncode == 0
        yield running


def pay(bank: Banking, *people: str) -> None:
    clerk = bank.service.agent("clerk", "ana")
    for one in people:
        asyncio.run(bank.call(clerk, "pay", to=one))


def in_force(bank: Banking, text: str = WITHOUT_ATTACK) -> str:
    """The digest of what runs, an Admission in force."""
    bank.service.write({"admission.yaml": text})
    assert bank.service.remit("apply").returncode == 0
    return running(bank)


def running(bank: Banking) -> str:
    return str(bank.service.told("bundle", "ls")[0]["bundle"])


def looked(bank: Banking, *more: str) -> tuple[int, dict[str, Any]]:
    done = bank.service.remit("apply", "--admit", "-o", "json", *more)
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found.get("admission", found)


def states(look: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["state"] for one in look["checks"]}


def test_the_page_does_what_it_says(bank: Banking) -> None:
    pay(bank, "eve", "ann")
    service, look, ran = bank.service, "", 0
    owner = service.user("ana")
    for block in BLOCK.finditer(PAGE.read_text("utf-8")):
        if block["file"]:
            service.write({block["file"]: block["text"]})
            continue
        command = command_of(service, token=owner if block["owner"] else None)
        outputs = run_block(block["text"].replace(" LOOK", f" {look}"), command)
        looks = LOOK.findall("\n".join(outputs))
        look, ran = looks[-1] if looks else look, ran + len(outputs)
    assert ran == 7


def test_what_admission_demands_holds_for_whatever_changes_what_runs(bank: Banking) -> None:
    service, before = bank.service, in_force(bank)
    deleted = service.remit("delete", "breaker", "loops")
    assert deleted.returncode == 0
    assert "does not run yet" in deleted.stderr
    assert running(bank) == before
    registered = service.remit("agents", "register", "third", "--owner", "bank", "--purpose", "comes later")
    assert "does not run yet" in registered.stderr
    assert service.remit("token", "agent", "third").returncode != 0
    assert service.remit("apply").returncode == 1
    code, look = looked(bank)
    assert (code, look["stage"]) == (0, "admitted"), look
    assert running(bank) == look["bundle"]
    assert service.remit("token", "agent", "third").returncode == 0
    # Holding an agent to policy only tightens.
    assert "running bundle" in service.remit("agents", "enforce", "third").stderr


def test_terms_are_those_that_run_and_not_those_of_the_change(bank: Banking) -> None:
    pay(bank, "eve")
    in_force(bank)
    loose = WITHOUT_ATTACK.replace("attack: none", "attack: none, newly_permitted_max: 5")
    bank.service.write({"admission.yaml": loose})
    (bank.service.workspace / "eve.cedar").unlink()
    code, look = looked(bank)
    assert (code, look["refused"]) == (1, ["replay"])
    bank.service.write({"eve.cedar": BASE["eve.cedar"]})
    assert looked(bank)[0] == 0
    (bank.service.workspace / "eve.cedar").unlink()
    assert looked(bank)[0] == 0


def test_a_change_is_held_against_what_runs_and_what_nobody_admitted_against_what_was(bank: Banking) -> None:
    service = bank.service
    pay(bank, "eve", "ann")
    service.write({"eve.cedar": EVE.replace('"eve"', '"ann"')})
    in_force(bank)
    service.write({"clean.cedar": CLEAN})
    code, look = looked(bank)
    assert (code, look["stage"]) == (0, "admitted"), look
    figures = next(one["figures"] for one in look["checks"] if one["check"] == "replay")
    assert (figures["newly_permitted"], figures["newly_denied"], figures["changed_before"]) == (0, 0, 2)
    # Whoever starts the service with another folder has not had it admitted by that.
    service.stop()
    (service.workspace / "eve.cedar").unlink()
    service.start()
    code, look = looked(bank)
    assert (code, look["refused"]) == (1, ["replay"])


def test_a_look_is_of_one_folder_over_one_bundle(bank: Banking) -> None:
    service, before = bank.service, in_force(bank)
    service.write({"clean.cedar": CLEAN})
    code, look = looked(bank, "--dry-run")
    assert (code, look["stage"]) == (0, "admitted")
    assert running(bank) == before
    service.write({"clean.cedar": CLEAN.replace("secret", "other")})
    changed = service.remit("apply", "--admission", look["id"])
    assert changed.returncode == 1
    assert "changed since it was looked at" in changed.stderr
    service.write({"clean.cedar": CLEAN})
    assert service.remit("apply", "--admission", look["id"]).returncode == 0
    assert running(bank) == look["bundle"]
    again = service.remit("apply", "--admission", "0a0b0c0d")
    assert again.returncode == 5
    assert "no look at a change is called" in again.stderr
    assert "since it started" in again.stderr
    assert "next: remit apply --admit" in again.stderr


REACHES = """\
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: elsewhere}
spec: {command: [python, -m, http.server, "0"], env: {DEST: "https://%s.example"}, source: []}
"""


def test_values_of_variables_run_too_and_so_are_looked_at(bank: Banking) -> None:
    bank.service.write({"elsewhere.yaml": REACHES % "good"})
    service, before = bank.service, in_force(bank)
    code, look = looked(bank, "--dry-run")
    assert (code, look["stage"]) == (0, "admitted")
    service.write({"elsewhere.yaml": REACHES % "evil"})
    plain, other = service.remit("apply"), service.remit("apply", "--admission", look["id"])
    assert (plain.returncode, other.returncode) == (1, 1)
    assert "looks at every change before it runs" in plain.stderr
    assert "changed since it was looked at" in other.stderr
    assert looked(bank)[0] == 0
    assert running(bank) == before, "the digest tells nobody of values"
    logs = service.remit("logs", "-o", "json").stdout.splitlines()
    told = [line for line in logs if '"change Server elsewhere"' in line]
    assert told, "that it runs is on record all the same"
    assert not any("evil" in line for line in told)


def test_a_change_does_not_take_away_the_case_that_guards_against_it(bank: Banking) -> None:
    service = bank.service
    service.write({"eve.cases.yaml": CASES})
    in_force(bank)
    (service.workspace / "eve.cases.yaml").unlink()
    assert "looks at every change before it runs" in service.remit("apply").stderr
    code, look = looked(bank, "--dry-run")
    (cases,) = [one for one in look["checks"] if one["check"] == "cases"]
    assert (code, cases["state"], cases["figures"]["gone"]) == (0, "passed", 1), "it holds, gone or not"
    service.write({"eve.cedar": EVE.replace('"eve"', '"mallory"')})
    code, look = looked(bank)
    (cases,) = [one for one in look["checks"] if one["check"] == "cases"]
    assert (code, cases["state"]) == (1, "failed")
    assert cases["findings"][0].startswith("eve.cases.yaml:1, which is gone: eve is paid by nobody")


def test_known_chains_do_not_refuse_where_the_terms_say_so(bank: Banking) -> None:
    service = bank.service
    (service.workspace / "sealed.cedar").unlink()
    in_force(bank)
    service.write({"clean.cedar": CLEAN})
    code, look = looked(bank)
    assert (code, look["refused"]) == (1, ["chains"])
    shown = service.remit("admission", "show", look["id"]).stdout.splitlines()
    at = shown.index("  confidential data reaches a sink outside by bank/export")
    assert [line[:7] for line in shown[at + 1 : at + 3]] == ["    1. ", "    2. "]
    service.write({"admission.yaml": WITHOUT_ATTACK.replace("attack: none", "attack: none, chains: new")})
    ident = looked(bank)[1]["id"]
    owner = service.user("ana")
    assert service.remit("admission", "override", ident, "chains", "--why", "known", token=owner).returncode == 0
    assert service.remit("apply", "--admission", ident).returncode == 0
    service.write({"clean.cedar": CLEAN.replace("secret", "other")})
    assert looked(bank)[0] == 0


def test_a_guarantee_that_a_flow_breaks_is_signed_off_by_its_owner(bank: Banking) -> None:
    from proof.admission import KEEP

    service = bank.service
    in_force(bank)
    service.write({"keep.yaml": KEEP})
    code, look = looked(bank)
    assert (code, look["refused"]) == (1, ["guarantees"])
    found = re.search(r"ana may sign off: (sha256:[0-9a-f]{64})", str(look["checks"]))
    assert found is not None
    signed = service.remit("guarantees", "sign-off", "inside", found[1], "--why", "for now", token=service.user("ana"))
    assert signed.returncode == 0
    assert looked(bank)[0] == 0


def test_a_workspace_that_does_not_validate_is_told_as_ever(bank: Banking) -> None:
    in_force(bank)
    bank.service.write({"clean.cedar": "permit (principal, action, resource);"})
    done = bank.service.remit("apply", "--admit")
    assert done.returncode == 3
    assert "clean.cedar:1" in done.stderr


def test_an_interruption_leaves_nothing_changed_and_nothing_behind(bank: Banking, tmp_path: Path) -> None:
    service, before = bank.service, in_force(bank, WITHOUT_ATTACK.replace("none", "quick"))
    service.write({"clean.cedar": CLEAN})
    env = environment() | {"REMIT_URL": service.url, "REMIT_TOKEN": service.admin, "REMIT_DATA": str(service.data)}
    with child(subprocess.Popen([REMIT, "apply", "--admit"], env=env, stderr=subprocess.PIPE, text=True)) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "a quick attack" in line:
                break
        api = ServiceClient(service.admin, service.url)
        other = service.remit("apply", "--admit")
        assert other.returncode == 1
        assert "has a look at the workspace under way" in other.stderr
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 130
    assert "interrupted: nothing was changed" in said
    assert running(bank) == before
    found = re.search(r"remit admission cancel (\S+)", other.stderr)
    assert found is not None
    assert api.get(f"/admissions/{found[1]}")["stage"] == "cancelled"
    awaited(lambda: not list((tmp_path / "tmp").glob("remit-attack-*")))


def test_a_service_that_is_started_with_another_folder_says_so(bank: Banking) -> None:
    service = bank.service
    in_force(bank)
    assert "looks at every change before it runs" in service.remit("doctor").stdout
    service.stop()
    service.write({"clean.cedar": CLEAN})
    service.start()
    told = service.remit("doctor")
    assert "started with another workspace than was admitted" in told.stdout
    assert service.remit("apply").returncode == 0
    assert "started with another workspace than was admitted" in service.remit("doctor").stdout
    assert looked(bank)[0] == 0
    assert "started with another workspace" not in service.remit("doctor").stdout
    service.stop()
    service.start()
    assert "started with another workspace" not in service.remit("doctor").stdout, "the look is on record"


def test_a_service_that_is_started_without_a_case_says_so(bank: Banking) -> None:
    service = bank.service
    service.write({"eve.cases.yaml": WRONG.replace("permit", "deny")})
    in_force(bank)
    (service.workspace / "eve.cases.yaml").unlink()
    service.stop()
    service.start()
    assert "or without a case of it" in service.remit("doctor").stdout


def test_without_an_admission_a_look_has_the_usual_terms_and_nobody_overrides(bank: Banking) -> None:
    service = bank.service
    (service.workspace / "sealed.cedar").unlink()
    ident = ServiceClient(service.admin, service.url).post("/admissions")["id"]
    awaited(lambda: service.told("admission", "show", ident)["stage"] != "looking", within_s=120)
    assert "chains" in service.told("admission", "show", ident)["refused"]
    mine = service.remit("admission", "override", ident, "chains", "--why", "x", token=service.user("ana"))
    assert mine.returncode == 4
    assert "nobody answers" in mine.stderr
    assert service.remit("apply").returncode == 0


def test_every_check_looks_at_what_was_read_first(
    bank: Banking, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.service.write({"wrong.cases.yaml": WRONG})
    asked = AdmissionRequest(bank.service.workspace, bank.service.data / LEDGER, None, AdmissionTerms("ana"), {}, 0)

    def swapped(looking: work.AdmissionRun) -> Iterator[CheckResult]:
        (bank.service.workspace / "wrong.cases.yaml").unlink()
        return (one for one in (looking.tried(),))

    monkeypatch.setattr(work.AdmissionRun, "results", swapped)

    def left_out(*_: object) -> None:
        """What is meant for a process of its own."""

    monkeypatch.setattr("os.nice", left_out)
    monkeypatch.setattr("signal.signal", left_out)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(pickle.dumps(asked))))
    work.main()
    came = [json.loads(line)["came"] for line in capsys.readouterr().out.splitlines() if '"came"' in line]
    assert [(one["check"], one["state"]) for one in came] == [("cases", "failed")]

"""`remit attack --report` and its other files: in a browser, as other programs read them, and from run to run.

`REMIT_PICTURES=1` renews the picture of the docs.
"""

import json
import os
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Dialog, FloatRect

from proof.service import REMIT, environment
from remit.app.assurance.chains import search_workspace
from remit.app.attack import forms
from remit.app.attack.files import AttackFiles
from remit.app.attack.files import write as written
from remit.app.attack.report import AttackReport, page
from remit.app.attack.run import QUICK, AttackResult, attack
from remit.app.attack.trend import Point, keep_point
from remit.app.terminal.reports import sarif
from remit.assure.attack.remedy import MendResult
from remit.assure.chains.search import STEPS_MAX
from tests.attacked import GATE, PERMIT, UNHURRIED, write
from tests.e2e.browsing import DESK, PHONE, browser
from tests.e2e.hostile_strings import STRINGS

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SECRETS_STAY = '@id("secrets-stay")'


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserContext]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose secrets may leave, attacked twice, and all that is told of it."""
    folder = tmp_path_factory.mktemp("told")
    workspace = write(folder / "mailroom", PERMIT + GATE.partition(SECRETS_STAY)[0])
    (folder / "data").mkdir()
    for turn in ("first", "found"):
        done = subprocess.run(
            [
                *UNHURRIED, "attack", "--workspace", workspace, "--quick", "--report", folder / "report.html",
                "--junit", folder / "junit.xml", "--sarif", folder / "found.sarif",
                "--cases", folder / f"{turn}.cases.yaml", "--fix", folder / f"{turn}.cedar",
            ],
            env=environment() | {"REMIT_DATA": str(folder / "data")},
            capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        (folder / "said").write_text(done.stdout + done.stderr, "utf-8")
    return folder


def test_it_reads_in_a_browser_without_anything_from_elsewhere(files: Path, chromium: BrowserContext) -> None:
    asked: list[str] = []
    shown = chromium.new_page()
    shown.on("request", lambda request: asked.append(request.url))
    wrong: list[str] = []
    shown.on("console", lambda said: wrong.append(said.text))
    shown.set_viewport_size(DESK)
    address = (files / "report.html").as_uri()
    shown.goto(address)
    assert asked == [address]
    assert wrong == []
    assert shown.locator("script, link, img, iframe").count() == 0
    assert shown.get_by_role("heading", level=1).inner_text() == "Attack on mailroom"
    finding = shown.locator("section.finding").first
    assert "clerk reads mail/vault and puts it into mail/send" in finding.inner_text()
    for part in ("✗ not stopped", "ASI02", "AML.T0086", "remit attack --only asi02-", 'Remit::Label::"confidential"'):
        assert part in finding.inner_text()
    for risk in range(1, 11):
        assert shown.get_by_role("rowheader", name=f"ASI{risk:02}").count() == 1
    assert shown.locator(".picture svg").count() >= 1
    assert shown.locator(".trend svg").count() == 1
    assert shown.locator(".scores li").count() == 4
    if os.environ.get("REMIT_PICTURES"):
        box = finding.bounding_box()
        assert box is not None
        clip = FloatRect(x=0, y=0, width=DESK["width"], height=box["y"] + box["height"] + 24)
        shown.screenshot(path=PICTURES / "attack-report.png", full_page=True, clip=clip)
    for size in (PHONE, DESK):
        shown.set_viewport_size(size)
        assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
            "tables scroll by themselves"
        )
    assert len(shown.pdf(landscape=True)) > 10_000, "it prints"
    shown.close()


def test_signs_and_words_say_what_colours_say(files: Path, chromium: BrowserContext) -> None:
    shown = chromium.new_page()
    shown.goto((files / "report.html").as_uri())
    for class_, sign in (("td.ok", "✓"), ("td.bad", "✗")):
        texts = shown.locator(class_).all_inner_texts()
        assert texts
        assert all(text.startswith(sign) for text in texts)
    assert shown.locator(".verdict").inner_text().startswith("✗")
    shown.close()


def test_what_was_not_tried_and_not_searched_is_no_tick(tmp_path: Path) -> None:
    workspace = write(tmp_path / "workspace", PERMIT + GATE)
    for steps, told in ((STEPS_MAX, "nothing was tried."), (1, "nothing was tried; the search stopped after 1 step")):
        chains = search_workspace(workspace, steps=steps)
        attacked = AttackResult(chains.bundle, None, (), (), 0, 0, 1.0)
        html = page(AttackReport("w", "now", attacked, MendResult((), chains.bundle, ()), chains))
        assert f"✗ {told}" in html
        assert "✓ Every attempt" not in html


@pytest.mark.timeout(600)
def test_hostile_names_are_text(files: Path, tmp_path: Path, chromium: BrowserContext) -> None:
    chains = search_workspace(write(tmp_path / "workspace", PERMIT + GATE), seconds=5.0)
    attacked = AttackResult(chains.bundle, None, (), (), 0, 0, 1.0)
    shown = chromium.new_page()
    dialogs: list[str] = []

    def dismissed(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    shown.on("dialog", dismissed)
    for number, hostile in enumerate(STRINGS):
        point = Point(hostile, hostile, 1, 1, 1, 1, 1, 1)
        told = AttackReport(
            hostile, hostile, attacked, MendResult((), chains.bundle, ()), chains, (hostile,), (point, point)
        )
        file = tmp_path / f"{number}.html"
        file.write_text(page(told), "utf-8", "surrogatepass")
        shown.goto(file.as_uri())
        elements = set(shown.evaluate("[...new Set([...document.querySelectorAll('*')].map(one => one.localName))]"))
        assert not elements & {"script", "img", "iframe", "a", "b2", "object", "form", "input"}, hostile
    assert dialogs == []
    shown.close()


def test_other_programs_get_the_same(files: Path) -> None:
    suites = ET.parse(files / "junit.xml").getroot()
    failed = [case.get("name", "") for case in suites.iter("testcase") if case.find("failure") is not None]
    found = json.loads((files / "found.sarif").read_text("utf-8"))["runs"][0]
    assert {rule["id"] for rule in found["tool"]["driver"]["rules"]} >= {"ASI02"}
    leaks = [one for one in found["results"] if one["ruleId"] == "ASI02"]
    assert len(leaks) == sum("mail/vault" in name for name in failed) >= 1
    place = leaks[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "policies.cedar"
    assert place["region"]["startLine"] >= 1
    assert found["invocations"] == [{"executionSuccessful": True}]


def test_an_attack_that_was_ended_is_no_run_that_succeeded(tmp_path: Path) -> None:
    bundle = search_workspace(write(tmp_path / "workspace", PERMIT), seconds=5.0).bundle
    left = forms.unseen(AttackResult(bundle, None, (), (), 0, 3, 1.0))
    (run,) = json.loads(sarif(forms.RULES, (), left))["runs"]
    (told,) = run["invocations"]
    assert not told["executionSuccessful"]
    (notified,) = told["toolExecutionNotifications"]
    assert notified == {"level": "error", "message": {"text": "ended early: 3 attempts were not made"}}
    assert not forms.unseen(AttackResult(bundle, None, (), (), 0, 0, 1.0))


def test_what_mends_it_mends_it(files: Path, tmp_path: Path) -> None:
    workspace = write(tmp_path / "workspace", PERMIT + GATE.partition(SECRETS_STAY)[0])
    tried = [REMIT, "policy", "test", "--workspace", workspace, "--cases", files / "found.cases.yaml"]
    for fixed, code in ((False, 1), (True, 0)):
        if fixed:
            (workspace / "fix.cedar").write_bytes((files / "found.cedar").read_bytes())
        done = subprocess.run(tried, env=environment(), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stdout + done.stderr
    again = [REMIT, "attack", "--workspace", workspace, "--fix", workspace / "fix.cedar"]
    done = subprocess.run(again, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "cannot write" in done.stderr, done.stdout) == (2, True, ""), done.stderr


def test_runs_stand_beside_each_other(files: Path) -> None:
    lines = [json.loads(line) for line in (files / "data" / "attacks.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == 2
    assert lines[0]["bundle"] == lines[1]["bundle"]
    assert lines[0]["stopped"] < lines[0]["attempts"]
    assert "before, " in (files / "said").read_text("utf-8")


def test_a_file_that_holds_something_else_is_left_alone(files: Path, tmp_path: Path) -> None:
    other = tmp_path / "runs.jsonl"
    other.write_text('{"at": 3}\n', "utf-8")
    command = [*UNHURRIED, "attack", "--workspace", files / "mailroom", "--only", "asi04", "--quick", "--trend", other]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 3
    assert "something else than runs of an attack" in done.stderr
    assert other.read_text("utf-8") == '{"at": 3}\n'


def test_runs_are_kept_in_the_data_folder_and_held_against_their_like(files: Path, tmp_path: Path) -> None:
    kept_lines = (files / "data" / "attacks.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["quick"] for line in kept_lines] == [True, True]
    assert json.loads(kept_lines[0])["workspace"] == str(files / "mailroom")
    assert "before, " in (files / "said").read_text("utf-8")
    quick, full, other, older = (
        Point("now", "b", 1, 1, 1, 1, 1, 1, where, fast)
        for where, fast in (("/a", True), ("/a", False), ("/b", True), ("", True))
    )
    runs = tmp_path / "runs.jsonl"
    for one in (older, quick, full, other):
        keep_point(runs, one)
    assert keep_point(runs, quick) == [older, quick, quick]
    found = attack(write(tmp_path / "mail", PERMIT), profile=replace(QUICK, seconds=0.0))
    none = tmp_path / "none"
    told = written(tmp_path / "mail", found, AttackFiles(archive=none))
    assert (told.points, none.exists()) == ((), False)
    assert "no data folder" in str(told.trouble)
    (none / "attacks.jsonl").mkdir(parents=True)
    assert "cannot be kept" in str(written(tmp_path / "mail", found, AttackFiles(archive=none)).trouble)
    assert written(tmp_path / "mail", found, AttackFiles()).trouble is None


def test_what_it_would_have_cost_is_replayed(tmp_path: Path) -> None:
    workspace = write(tmp_path / "workspace", PERMIT)
    recording = tmp_path / "sessions.jsonl"
    mail = [
        {"type": "tool_call", "turn": 1, "call_id": "c1", "tool": "inbox", "args": {"query": "new"}},
        {"type": "tool_result", "turn": 1, "call_id": "c1", "tool": "inbox", "result": "hello", "error": None},
        {"type": "tool_call", "turn": 2, "call_id": "c2", "tool": "send", "args": {"to": "bob", "text": "hello"}},
    ]
    sent = [{"type": "tool_call", "turn": 1, "call_id": "c1", "tool": "send", "args": {"to": "bob", "text": "late"}}]
    lines = [
        {"session": name, "suite": "mail", "agent": "clerk", "events": events}
        for name, events in (("s1", mail), ("s2", sent))
    ]
    recording.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    command = [*UNHURRIED, "attack", "--workspace", workspace, "--quick", "--only", "asi01", "--sessions", recording]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 1, done.stderr
    assert "over recorded sessions:" in done.stderr
    assert "3 actions: newly denied 0  newly asked 1  newly permitted 0" in done.stderr
    assert "asks per day: 0.0 before, 1.0 after" in done.stderr

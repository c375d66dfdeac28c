"""`remit attack` against real services over small workspaces: what holds is told as stopped, what does not is found."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from proof.child import child
from proof.service import REMIT, environment
from remit.adapters.workspace.documents import documents
from remit.app.attack.ground import lay_out
from remit.app.attack.run import QUICK, attack
from remit.app.terminal.failure import CommandFailure
from remit.assure.attack.compromised_agent import DRIPS, LOOP
from remit.assure.attack.plan import AttackKind
from remit.assure.attack.questions import FLOOD, RACERS, WAITING_MAX
from remit.assure.attack.results import SecurityControl
from remit.assure.attack.risks import TITLES, UNTRIED
from tests.attacked import GATE, PERMIT, UNHURRIED, write
from tests.eventually import awaited

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "attack-your-limits.md"

pytestmark = pytest.mark.timeout(600)
BREAKERS = """\
apiVersion: remit.dev/v1alpha1
kind: Breaker
metadata: {name: loops}
spec: {on: identical, over: agent, limit: 3, within_s: 600, open_s: 300}
---
apiVersion: remit.dev/v1alpha1
kind: Breaker
metadata: {name: stubborn}
spec: {on: denials, over: agent, limit: 2, open_s: 300}
---
apiVersion: remit.dev/v1alpha1
kind: Budget
metadata: {name: few}
spec: {measure: calls, per: agent, window_s: 3600, hard: 49}
"""


def attacked(workspace: Path, *more: str) -> tuple[int, dict[str, Any]]:
    temporary = workspace.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    done = subprocess.run(
        [*UNHURRIED, "attack", "--workspace", workspace, "-o", "json", *more],
        env=environment() | {"TMPDIR": str(temporary), "REMIT_DATA": str(temporary / "none")},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    assert list(temporary.iterdir()) == [], "what was laid out is gone"
    return done.returncode, json.loads(done.stdout)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def open_ones(found: dict[str, Any]) -> set[str]:
    return {one["risk"] for one in found["attempts"] if not one["stopped"]}


def test_a_workspace_with_its_gates_stops_hijacks_leaks_and_strangers_and_stays_as_it_was(tmp_path: Path) -> None:
    workspace = write(tmp_path / "workspace", PERMIT + GATE)
    before = files_of(workspace)

    code, found = attacked(workspace, "--quick")

    assert files_of(workspace) == before
    tried = {one["risk"] for one in found["attempts"]}
    assert {"ASI01", "ASI02", "ASI03", "ASI04", "ASI06", "ASI08", "ASI09", "ASI10"} <= tried
    assert open_ones(found) <= {"ASI08", "ASI09"}, [one for one in found["attempts"] if not one["stopped"]]
    assert code == (1 if open_ones(found) else 0)
    hijack = next(one for one in found["attempts"] if one["risk"] == "ASI01")
    assert "Approval is pending" in hijack["said"]
    assert len(hijack["evidence"]) == 2, "the read and the proposal are on the ledger"
    assert found["left"] == 0


def test_a_workspace_without_gates_is_beaten_and_the_way_is_told(tmp_path: Path) -> None:
    workspace = write(tmp_path / "workspace", PERMIT)
    code, found = attacked(workspace, "--quick", "--only", "mail/send")
    hijacks = [one["title"] for one in found["attempts"] if one["kind"] == "words in a result"]
    assert hijacks == ["clerk reads mail/inbox, which tells it to call mail/send"]
    assert code == 1
    assert {"ASI01", "ASI02"} <= open_ones(found)
    leak = next(one for one in found["attempts"] if one["kind"] == "a secret sent out")
    assert [step["tool"] for step in leak["steps"]] == ["vault", "send"]
    assert leak["techniques"] == ["AML.T0086"]
    told = subprocess.run(
        [*UNHURRIED, "attack", "--workspace", workspace, "--quick", "--only", "puts it into mail/send"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert told.returncode == 1
    assert f"NOT STOPPED  {leak['id']}" in told.stdout
    assert "clerk reads mail/vault and puts it into mail/send" in told.stdout
    assert re.search(r"answered: .*; (not noticed|noticed after [\d.]+ s \()", told.stdout), told.stdout
    assert f"do it again: remit attack --only {leak['id']}" in told.stdout
    assert f"What ends {leak['id']}" in told.stdout
    runs = {one["id"] for one in found["attempts"] if one["risk"] == "ASI08" and not one["stopped"]}
    assert runs <= {ident for fix in found["fixes"] for ident in fix["ends"]}, "a policy ends those too"
    assert not runs & set(found["not_mended"])
    assert runs


def test_a_quick_attack_tries_some_of_every_kind_and_ends_in_its_time(tmp_path: Path) -> None:
    workspace = write(tmp_path / "workspace", PERMIT)
    code, found = attacked(workspace, "--quick")
    kinds = [one["kind"] for one in found["attempts"]]
    assert max(map(kinds.count, kinds)) == QUICK.attempts_per_kind
    assert "a flood of questions" not in kinds, "where nobody is asked, nobody was flooded"
    assert code == 1
    assert {"ASI01", "ASI02"} <= open_ones(found)
    ended = attack(workspace, profile=replace(QUICK, seconds=0.0))
    assert (ended.results, ended.moot) == ((), 0)
    assert ended.unreached == len(kinds) + found["moot"] + found["left"]


def test_what_trips_a_breaker_or_spends_a_budget_stops_no_other_attempt(tmp_path: Path) -> None:
    plain = attack(write(tmp_path / "plain", PERMIT), profile=replace(QUICK, seconds=math.inf))
    guarded = write(tmp_path / "guarded", PERMIT)
    (guarded / "breakers.yaml").write_text(BREAKERS, "utf-8")
    found = attack(guarded, profile=replace(QUICK, seconds=math.inf))
    by = {kind: {one.control for one in found.results if one.attempt.kind is kind} for kind in AttackKind}
    assert by[AttackKind.LOOP] == {SecurityControl.BREAKERS}, "what itself trips one is stopped by it"
    assert by[AttackKind.DRIP] == {SecurityControl.BUDGETS}
    own = {AttackKind.LOOP, AttackKind.DRIP}
    beaten = {one.attempt.title for one in plain.open if one.attempt.kind not in own}
    assert beaten == {one.attempt.title for one in found.open}
    assert [one.alone for one in found.chores] == [one.alone for one in plain.chores]


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (["--only", "nothing-is-called-so"], 5, "there is nothing to attack with"),
        (["--user", "nobody"], 5, "no user named nobody"),
    ],
)
def test_what_cannot_be_attacked_is_said(tmp_path: Path, options: list[str], code: int, why: str) -> None:
    workspace = write(tmp_path / "workspace", PERMIT)
    done = subprocess.run(
        [sys.executable, "-m", "remit.app.main", "attack", "--workspace", workspace, *options],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, why in done.stderr) == (code, True), done.stderr


def test_the_page_tells_what_is_there() -> None:
    page = PAGE.read_text("utf-8")
    assert {risk.value for risk in TITLES if risk not in UNTRIED} == set(
        re.findall(r"^\| (ASI\d\d) \|", page, re.MULTILINE)
    )
    for number in (LOOP, DRIPS, FLOOD, RACERS, WAITING_MAX):
        assert f" {number} " in page


WATCHED = """\
@id("no-secrets-out")
forbid (principal, action in Remit::Action::"sink:external", resource)
when { context.session.labels.contains(Remit::Label::"confidential:secret") };
"""
POWERS = """\
apiVersion: remit.dev/v1alpha1
kind: Guarantee
metadata: {name: powers}
spec: {owner: ann, powers: {all_of: [{tools: [mail/vault]}, {tools: [mail/send]}]}}
"""


def test_what_detectors_find_and_what_owners_let_run_is_attacked_as_it_runs(tmp_path: Path) -> None:
    workspace = write(tmp_path / "workspace", PERMIT + WATCHED)
    resources = (workspace / "resources.yaml").read_text("utf-8")
    watched = resources.replace("env: {}}", "env: {}, detect: [secret], detect_sent: [pii], sink: internal}")
    (workspace / "resources.yaml").write_text(watched, "utf-8")
    (workspace / "powers.yaml").write_text(POWERS, "utf-8")
    found = attack(workspace, "puts it into mail/send", profile=replace(QUICK, chores=0))
    leak = found.results[0]
    assert (leak.attempt.kind, leak.stopped) == (AttackKind.LEAK, True)
    assert leak.control is SecurityControl.GUARANTEES, "it was let run, and is held all the same"
    assert set(found.carried[leak.attempt.ident]) == {"guarantee/powers"}


def test_a_service_that_does_not_start_is_told_of_the_workspace_itself(tmp_path: Path) -> None:
    workspace = write(tmp_path / "workspace", PERMIT)
    script = "import sys; sys.exit('no: ' + sys.argv[sys.argv.index('--workspace') + 1])"
    with pytest.raises(CommandFailure, match="the service did not start") as raised:
        attack(workspace, profile=QUICK, program=(sys.executable, "-c", script))
    assert raised.value.why == f"no: {workspace}"
    assert f"remit up --workspace {workspace}" in (raised.value.next or "")


def test_a_copy_is_laid_out_as_the_service_reads_the_workspace(tmp_path: Path) -> None:
    tripped = (
        "apiVersion: remit.dev/v1alpha1\nkind: Breaker\nmetadata: {name: loops}\n"
        "spec: {on: identical, over: agent, limit: 20}\n"
    )
    (tmp_path / "workspace").mkdir()
    (tmp_path / "copy").mkdir()
    (tmp_path / "workspace" / "loops.yaml").write_text(tripped, "utf-8")
    ground = lay_out(tmp_path / "workspace", tmp_path / "copy", "http://127.0.0.1:1")
    (read,) = documents((ground.workspace / "loops.yaml").read_text("utf-8"))
    assert read.value == documents(tripped)[0].value


REACHING = """\
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: child}
spec: {command: [/bin/pay], env: {KEY: {file: /etc/key}}, cwd: /srv, sink: internal, call_s: 5}
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: far}
spec: {url: "https://pay.example/mcp", headers: {authorization: {env: KEY}}, private: true}
---
apiVersion: remit.dev/v1alpha1
kind: Channel
metadata: {name: desk}
spec: {url: "https://desk.example/hook", secret: {file: /etc/hook}}
---
apiVersion: remit.dev/v1alpha1
kind: Source
metadata: {name: host}
spec: {host: {}}
"""


def test_no_server_of_the_workspace_is_reached_whatever_it_is(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "copy").mkdir()
    (tmp_path / "workspace" / "all.yaml").write_text(REACHING, "utf-8")
    ground = lay_out(tmp_path / "workspace", tmp_path / "copy", "http://127.0.0.1:1")
    text = (ground.workspace / "all.yaml").read_text("utf-8")
    for word in ("/bin/pay", "/etc/key", "/srv", "pay.example", "authorization", "desk.example", "/etc/hook"):
        assert word not in text
    told = [yaml.safe_load(part) for part in text.split("\n---\n")]
    assert [(one["kind"], one["spec"]) for one in told] == [
        ("Server", {"sink": "internal", "call_s": 5, "url": "http://127.0.0.1:1/child/mcp"}),
        ("Server", {"url": "http://127.0.0.1:1/far/mcp"}),
    ]


def _children(of: int) -> list[int]:
    return [int(pid) for file in Path(f"/proc/{of}/task").glob("*/children") for pid in file.read_text().split()]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_attack_that_is_killed_takes_its_service_along(tmp_path: Path) -> None:
    workspace = write(tmp_path / "workspace", PERMIT + GATE)
    asked = [str(REMIT), "attack", "--workspace", str(workspace)]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    nowhere, env = subprocess.DEVNULL, environment() | {"TMPDIR": str(scratch)}
    with child(subprocess.Popen(asked, stdout=nowhere, stderr=nowhere, env=env)) as attacking:
        awaited(lambda: any("governs at" in log.read_text() for log in scratch.glob("*/*/*/service.log")))
        (service,) = _children(attacking.pid)
        assert _runs(service)
    awaited(lambda: not _runs(service))

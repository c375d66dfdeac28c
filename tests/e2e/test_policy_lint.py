"""`remit policy lint`: what an apply would say, without a service, with file and line, for people and programs."""

import json
from pathlib import Path
from typing import Any

import pytest

from proof.counting import GATE, POLICIES, RESOURCES
from remit.adapters.workspace.template import init_workspace
from remit.app.cli import run
from remit.app.terminal.failure import Exit

# Without an accepted tool: no action of a tool has a name yet.
WORKSPACE = RESOURCES.replace("PORT", "1").replace("HOLD_S", "1")
ODD = '@id("always")\n@gate("owner")\nforbid (principal, action, resource)\nwhen { 1 == 1 };\n'
MISSPELT = """\
@id("labels")
forbid (principal, action, resource) when { context.session.labels.contains(Remit::Label::"untrustd") };
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "resources.yaml").write_text(WORKSPACE)
    (tmp_path / "policies.cedar").write_text(POLICIES)
    return tmp_path


def lint(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["policy", "lint", "--workspace", str(folder), *options])
    told = capsys.readouterr()
    return code, told.out, told.err


def places(told: str) -> list[tuple[str, str]]:
    """Where each finding stands, and how severe it is."""
    found: dict[str, Any] = json.loads(told)
    return [(one["where"], one["severity"]) for one in found["findings"]]


def test_what_validates_and_is_not_odd_is_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init_workspace(tmp_path / "new")
    code, out, err = lint(capsys, tmp_path / "new")
    assert (code, out, err.splitlines()) == (Exit.OK, "", ["policies checked: 4"])


def test_what_is_odd_is_a_finding_and_what_does_not_validate_refuses(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "odd.cedar").write_text(ODD)
    code, out, _ = lint(capsys, folder)
    assert (code, "odd.cedar:4: warning: [always] a condition looks at nothing" in out) == (Exit.NEGATIVE, True), out
    (folder / "labels.cedar").write_text(MISSPELT)
    (folder / "gate.cedar").write_text(GATE)
    code, out, err = lint(capsys, folder)
    assert code == Exit.INVALID
    assert 'labels.cedar:2: error: [labels] there is no label "untrustd"' in out
    assert "did you mean untrusted?" in out
    assert 'there is no action "counter___add"' in out, "what nobody accepted has no action"
    assert "an apply would change nothing" in err


def test_programs_read_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "odd.cedar").write_text(ODD + MISSPELT)
    report = folder.parent / "lint.sarif"
    code, out, _ = lint(capsys, folder, "-o", "json", "--sarif", str(report))
    found = json.loads(out)
    assert (code, found["refused"]) == (Exit.INVALID, True)
    (results,) = [one["results"] for one in json.loads(report.read_text())["runs"]]
    said = [
        (f"{place['artifactLocation']['uri']}:{place['region']['startLine']}", one["level"])
        for one in results
        for place in (one["locations"][0]["physicalLocation"],)
        if "region" in place
    ]
    assert said == places(out)
    assert {one["level"]: one["ruleId"] for one in results} == {"error": "invalid", "warning": "odd"}


def test_a_resource_that_is_none_is_told_before_any_policy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "more.yaml").write_text("kind: Agent\nmetadata: {name: x}\n")
    code, out, _ = lint(capsys, folder)
    assert (code, "more.yaml:1: error: apiVersion is missing" in out) == (Exit.INVALID, True), out


def test_where_there_is_no_workspace_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = lint(capsys, tmp_path)
    assert (code, out) == (Exit.INVALID, "")
    assert "there is no workspace" in err
    assert "remit init" in err

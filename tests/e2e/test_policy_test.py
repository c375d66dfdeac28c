"""`remit policy test` and `coverage`: the how-to page, reports that others read, and what is wrong with cases."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from remit.app.assurance.replay import bundle_of
from remit.app.cli import run
from remit.app.terminal.failure import Exit
from remit.app.workspace import packs
from tests.e2e.test_packs import workspace
from tests.eventually import WITHIN_S, awaited

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "test-policies.md"


def ready(tmp_path: Path) -> Path:
    """The workspace of the page, with its cases."""
    folder = workspace("starter", tmp_path / "office")
    text = PAGE.read_text("utf-8")
    (block,) = re.findall(r"```yaml policies\.cases\.yaml\n(.*?)```", text, re.DOTALL)
    (folder / "policies.cases.yaml").write_text(block)
    return folder


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["policy", *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_page_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ready(tmp_path)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        command, _, shown = block.partition("\n")
        code, out, err = answer(capsys, *command.removeprefix("$ remit policy ").split())
        said = " ".join(f"{out}{err}".split())
        for line in shown.splitlines():
            assert " ".join(line.split()) in said, (command, line, said)
        negative = any(word in command for word in ("--mutate", "coverage", "lint"))
        assert code == (Exit.NEGATIVE if negative else Exit.OK)


def test_the_page_says_how_its_workspace_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(packs.folder(), tmp_path / "packs")
    for line in block.splitlines():
        match line.split():
            case ["remit", *words]:
                assert run(words) == Exit.OK, capsys.readouterr().err
            case ["mkdir", name]:
                Path(name).mkdir()
            case ["cp", *files, folder]:
                for file in files:
                    shutil.copy(file, folder)
            case other:
                pytest.fail(f"nobody does {other}")
    assert bundle_of(tmp_path / "office").digest == bundle_of(workspace("starter", tmp_path / "w")).digest


def test_reports_are_read_by_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ready(tmp_path)
    (folder / "wrong.cases.yaml").write_text(
        "- name: <odd> & wrong\n  agent: helper\n  user: uma\n  events:\n"
        "    - {call: office/read_inbox, expect: deny}\n"
    )
    junit, sarif = tmp_path / "out.xml", tmp_path / "out.sarif"
    code, out, _ = answer(
        capsys, "test", "--workspace", str(folder), "--junit", str(junit), "--sarif", str(sarif), "-o", "json"
    )
    assert code == Exit.NEGATIVE
    told: dict[str, Any] = json.loads(out)
    assert told["failed"] == 1
    root = ET.fromstring(junit.read_text("utf-8"))
    assert root.get("failures") == "1"
    (failed,) = [one for one in root.iter("testcase") if one.find("failure") is not None]
    assert failed.get("name") == "<odd> & wrong"
    results = json.loads(sarif.read_text("utf-8"))["runs"][0]["results"]
    (case,) = [one for one in results if one["ruleId"] == "case"]
    place = case["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("wrong.cases.yaml", 1)
    assert "is permit, not deny" in case["message"]["text"]
    assert {one["ruleId"] for one in results} == {"case", "untouched"}


def test_mutants_that_no_case_notices_are_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ready(tmp_path)
    sarif = tmp_path / "out.sarif"
    code, out, _ = answer(capsys, "test", "--workspace", str(folder), "--mutate", "--sarif", str(sarif), "-o", "json")
    assert code == Exit.NEGATIVE
    fates = {(one["policy"], one["change"]): one["noticed_by"] for one in json.loads(out)["mutants"]}
    assert fates["starter-final", "left out"] is not None
    assert fates["starter-runaway", "left out"] is None
    assert '"mutant"' in sarif.read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- name: n\n  events: 1\n", "events is not a list"),
        ("- {name: n, agent: helper, user: nobody, events: []}\n", "no such user"),
        ("- name: [\n", "broken.cases.yaml"),
    ],
)
def test_what_is_no_case_is_said_with_its_line(
    text: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ready(tmp_path)
    (folder / "broken.cases.yaml").write_text(text)
    code, _, err = answer(capsys, "test", "--workspace", str(folder))
    assert code == Exit.INVALID
    assert why in err
    (folder / "broken.cases.yaml").unlink()
    code, _, _ = answer(capsys, "test", "--workspace", str(folder), "--cases", str(tmp_path / "none.cases.yaml"))
    assert code == Exit.NOT_FOUND


def test_resources_in_a_file_of_cases_are_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What such a file holds besides cases counts as anywhere else: nothing is left out by its name."""
    folder = ready(tmp_path)
    more = "apiVersion: remit.dev/v1alpha1\nkind: Agent\nmetadata: {name: helper}\nspec: {}\n"
    (folder / "more.cases.yaml").write_text(more)
    code, _, err = answer(capsys, "test", "--workspace", str(folder))
    assert code == Exit.INVALID
    assert "more.cases.yaml:4: spec.owner is missing" in err


def test_no_case_at_all_is_not_green(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ready(tmp_path)
    (tmp_path / "none").mkdir()
    for where in (["--cases", str(tmp_path / "none")], []):
        code, _, err = answer(capsys, "test", "--workspace", str(folder), *where)
        assert (code, "there is no case" in err) == (Exit.NOT_FOUND, True)
        (folder / "policies.cases.yaml").unlink(missing_ok=True)


def test_watch_tries_again_after_a_change(tmp_path: Path) -> None:
    folder = ready(tmp_path)
    command = [str(Path(sys.executable).parent / "remit"), "policy", "test", "--watch", "--workspace", str(folder)]
    log = tmp_path / "log"
    with log.open("w") as stream:
        child = subprocess.Popen(command, stderr=stream, stdout=stream, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        _until(log, "0 fail")
        cases = folder / "policies.cases.yaml"
        cases.write_text(cases.read_text().replace("expect: permit", "expect: deny"))
        _until(log, "is permit, not deny")
    finally:
        child.terminate()
        child.wait(WITHIN_S)


def _until(log: Path, text: str) -> None:
    awaited(lambda: text in log.read_text())

"""`remit chains`: the how-to page, what programs and browsers get, and bounds."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from remit.app.cli import run
from remit.app.terminal.failure import Exit
from tests.e2e.test_packs import workspace

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "find-chains.md"


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(arguments)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_page_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace("starter", tmp_path / "office")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    commands = [part for block in blocks for part in block.split("$ remit ")[1:]]
    codes: list[int] = []
    for one in commands:
        command, _, shown = one.partition("\n")
        code, out, err = answer(capsys, *command.split())
        codes.append(code)
        for line in shown.splitlines():
            assert line in f"{out}{err}", (command, line, out, err)
    assert codes == [Exit.NEGATIVE, Exit.NEGATIVE, Exit.OK, Exit.OK]


def test_programs_and_browsers_get_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(workspace("starter", tmp_path / "w"))
    code, out, _ = answer(capsys, "chains", "--workspace", folder, "-o", "json")
    assert code == Exit.NEGATIVE
    told: dict[str, Any] = json.loads(out)
    assert [one["goal"] for one in told["chains"]] == ["confidential-outside"] * 3
    assert told["chains"][0]["steps"][0]["policies"] == ["starter-tools"]
    assert told["fix"]["cuts_all"] is True
    assert told["searched"]["stopped"] is None
    assert told["searched"]["states"] > 0
    code, out, _ = answer(capsys, "chains", "--workspace", folder, "-o", "svg")
    root = ET.fromstring(out)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "office/fetch_page" in [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]


def test_what_cut_the_chains_is_not_overwritten_by_a_second_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workspace("starter", tmp_path / "w")
    cut, cases = folder / "chains.cedar", folder / "chains.cases.yaml"
    search = ("chains", "--workspace", str(folder), "--fix", str(cut), "--cases", str(cases))
    code, _, err = answer(capsys, *search)
    assert code == Exit.NEGATIVE
    assert f"written to {cut}" in err
    assert f"written to {cases}" in err
    held = cut.read_bytes(), cases.read_bytes()
    code, out, err = answer(capsys, *search)
    assert (code, out) == (Exit.USAGE, "")
    assert f"cannot write {cases}" in err
    assert "next: name another file" in err
    assert (cut.read_bytes(), cases.read_bytes()) == held
    assert answer(capsys, "chains", "--workspace", str(folder))[0] == Exit.OK


def test_a_search_that_stops_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ran(*options: str) -> dict[str, Any]:
        told = tmp_path / "chains.sarif"
        answer(capsys, "chains", "--workspace", *options, "--sarif", str(told))
        ((invocation,),) = [one["invocations"] for one in json.loads(told.read_text("utf-8"))["runs"]]
        return dict(invocation)

    folder = str(workspace("starter", tmp_path / "w"))
    _, _, err = answer(capsys, "chains", "--workspace", folder, "--states", "2")
    assert "stopped after" in err
    assert "not looked at" in err
    junit = tmp_path / "chains.xml"
    code, _, err = answer(capsys, "chains", "--workspace", folder, "--steps", "1", "--junit", str(junit))
    assert code == Exit.TIMEOUT, "no chain of one step is no proof"
    assert "0 chains" in err
    failed = [one.get("name") for one in ET.parse(junit).iter("testcase") if one.find("failure") is not None]
    assert failed == ["it looked at everything"]
    assert ran(folder, "--steps", "1") == {
        "executionSuccessful": False,
        "toolExecutionNotifications": [
            {
                "level": "error",
                "message": {"text": "the search stopped after 1 steps; longer chains were not looked for"},
            }
        ],
    }
    assert ran(folder) == {"executionSuccessful": True}
    code, _, err = answer(capsys, "chains", "--workspace", folder, "--user", "nobody")
    assert code == Exit.NOT_FOUND
    assert "no user named nobody" in err

"""Cedar's own test cases, every request of them, by generated code and by cedarpy."""

from pathlib import Path

import pytest

from bench import cedar


def test_every_case_is_judged_alike_and_as_it_says() -> None:
    if not cedar.case_files(cedar.default()):
        pytest.skip(f"no cases in {cedar.default()}: REMIT_SHARED names the folder that holds cedar-corpus")
    tally = cedar.compare(cedar.default())
    assert tally.wrong == []
    assert tally.requests > 8_000
    assert tally.generated >= cedar.GENERATED_MIN * tally.validates


def case(folder: Path, name: str, decision: str) -> None:
    text = {
        "cedar": 'permit (principal, action, resource) when { principal.age < 8 && principal in T::"g" };',
        "cedarschema": "entity T in T { age: Long }; action a appliesTo { principal: T, resource: T, context: {} };",
        "entities.json": '[{"uid": {"type": "T", "id": "x"}, "attrs": {"age": 7}, '
        '"parents": [{"type": "T", "id": "g"}]}]',
        "json": '{"policies": "f/NAME.cedar", "entities": "f/NAME.entities.json", "schema": "f/NAME.cedarschema", '
        '"shouldValidate": true, "requests": [{"description": "one", "principal": {"type": "T", "id": "x"}, '
        '"action": {"type": "Action", "id": "a"}, "resource": {"type": "T", "id": "x"}, "context": {}, '
        '"decision": "DECISION", "reason": ["policy0"], "errors": []}]}',
    }
    for ending, said in text.items():
        (folder / f"{name}.{ending}").write_text(said.replace("NAME", name).replace("DECISION", decision), "utf-8")


def test_any_folder_of_that_form_is_compared(tmp_path: Path) -> None:
    case(tmp_path, "one", "allow")
    tally = cedar.compare(tmp_path)
    assert (tally.cases, tally.requests, tally.generated, tally.wrong) == (1, 1, 1, [])
    case(tmp_path, "two", "deny")
    assert cedar.compare(tmp_path).wrong[0].startswith("two one: ")
    assert cedar.compare(tmp_path, most=1).wrong == []


def test_a_folder_without_cases_and_a_wrong_opcode_miss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cedar.main(["--corpus", str(tmp_path)]) == 1
    assert "CORPUS=DIR" in capsys.readouterr().out
    case(tmp_path, "one", "allow")
    # No `<=` in it: the planted fault cannot be found, so nothing was shown.
    assert cedar.main(["--corpus", str(tmp_path)]) == 1

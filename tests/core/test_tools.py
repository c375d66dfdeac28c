"""The programs that check this repository, on small examples of what they must find."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from proof.lines import LINES
from proof.verdict import read, say
from tools.check_style import (
    GENERATED,
    INVARIANTS,
    RULES,
    Source,
    endless_waits,
    shared_names,
    stale_references,
    uncited,
    unused,
)
from tools.lock import addresses

LISTED = min(INVARIANTS)


def findings(text: str, ring: str) -> list[str]:
    """Return what the house rules say of a file with this text in that ring."""
    source = Source(Path("example.py"), ring, text, ast.parse(text))
    return [finding.text for rule in RULES for finding in rule(source)]


@pytest.mark.parametrize(
    ("text", "ring", "said"),
    [
        ("x = 1\n" * 351, "app", "351 lines"),
        ("def f():\n" + "    x = 1\n" * 70, "app", "f: 71 lines"),
        ("x = 1  # INVARIANT(stop-looses)\n", "app", "no invariant stop-looses"),
        ("x = 1  # INVARIANT: stop-wins\n", "app", "no invariant without a name"),
        ('"""A page.\n\nINVARIANT(stop-looses)\n"""\n', "app", "no invariant stop-looses"),
        ("import yaml\n", "facts", "facts may not import yaml"),
        ("from orjson import dumps\n", "facts", "facts may not import orjson"),
        ("open('x')\n", "policy", "open() in the core"),
        ("exec('x')\n", "policy", "exec() in the core"),
    ],
)
def test_a_broken_house_rule_is_found(text: str, ring: str, said: str) -> None:
    (found,) = findings(text, ring)
    assert said in found


def test_what_keeps_the_house_rules_passes() -> None:
    assert not findings("import re\nimport rfc8785\nfrom remit.facts import x\n# INVARIANT(" + LISTED + ")\n", "facts")
    assert not findings("import yaml\nopen('x')\n", "adapters")
    assert not findings("def f():\n" + "    x = 1\n" * 69, "app")


def test_one_file_alone_may_run_generated_code_and_only_that() -> None:
    for called, found in (("exec", []), ("eval", ["eval() in the core"]), ("open", ["open() in the core"])):
        text = f"{called}('x')\n"
        source = Source(Path(GENERATED), "policy", text, ast.parse(text))
        assert [finding.text for rule in RULES for finding in rule(source)] == found


def test_an_invariant_that_is_cited_on_one_side_alone_is_found() -> None:
    assert len(INVARIANTS) == 10
    cited = [f"INVARIANT({name})" for name in sorted(INVARIANTS)]
    assert not list(uncited(cited, cited))
    found = [[finding.text for finding in uncited(*sides)] for sides in ((cited[1:], cited), (cited, cited[1:]))]
    said = f"the invariant {LISTED} is cited nowhere in "
    assert found == [[f"{said}src"], [f"{said}tests or proof"]]


def test_a_name_that_tests_alone_use_is_found() -> None:
    one = "from remit.two import taken\nLONE: int = 1\ndef self_used(): ...\nself_used()\n"
    two = (
        "def taken(): ...\ndef lone(): ...\nclass Lone: ...\nlone_too = LONE = 1\n_ALONE = 1\nclass ByAttribute: ...\n"
        "@router.get('/x')\ndef route(): ...\n@inventory.app.command()\ndef command(): ...\n@cache\ndef cached(): ...\n"
    )
    sources = [
        Source(Path(f"src/remit/{name}.py"), "", text, ast.parse(text)) for name, text in (("one", one), ("two", two))
    ]
    benches = ["from remit import two\nx = two.ByAttribute\nLone = cached = 1\n"]
    assert [str(finding).partition(" is used")[0] for finding in unused(sources, benches)] == [
        "src/remit/one.py:2: LONE",
        "src/remit/two.py:2: lone",
        "src/remit/two.py:3: Lone",
        "src/remit/two.py:4: lone_too",
        "src/remit/two.py:4: LONE",
        "src/remit/two.py:5: _ALONE",
        "src/remit/two.py:12: cached",
    ]
    assert not list(
        unused(sources[1:], ["from remit.two import Lone, lone, taken, lone_too, LONE, _ALONE, cached", *benches])
    )


def test_a_method_that_tests_alone_call_is_found_but_not_one_that_a_base_may_call() -> None:
    text = "class One:\n    def __str__(self): ...\n    def lone(self): ...\nclass Two(One):\n    def lone(self): ...\n"
    source = Source(Path("src/remit/one.py"), "", text, ast.parse(text))
    uses = ["from remit.one import One, Two\n"]
    assert [str(found) for found in unused([source], uses)] == [
        "src/remit/one.py:3: lone is called by nothing but tests"
    ]
    assert not list(unused([source], [*uses, "one.lone()"]))


def test_a_class_name_of_two_modules_is_found() -> None:
    texts = {
        "one": "class Kept: ...\nclass _Own: ...\nclass Alone: ...\n",
        "two": "\nclass Kept: ...\nclass _Own: ...\n",
        "three": "class Other:\n    class Kept: ...\n    class Alone: ...\n",
    }
    sources = [Source(Path(f"src/remit/{name}.py"), "", text, ast.parse(text)) for name, text in texts.items()]
    assert [str(found) for found in shared_names(sources)] == ["src/remit/one.py:1: Kept is also src/remit/two.py:2"]


def test_what_a_text_names_and_is_not_there_is_found() -> None:
    texts = {
        "pdp/__init__": '"""`decide` is not by its ring, `pdp.decide` is, `pdp.decided` is none."""\n',
        "pdp/decide": "# `remit.pdp.decide.judge`, `pdp.decide.judge.x`, `pdp.decide.LIMIT` and `context.past` pass.\n"
        "LIMIT = 1\ndef judge(): ...\n# `pdp.decide.judged` is gone, `remit.pdp` is there\n",
    }
    sources = [Source(Path(f"src/remit/{name}.py"), "pdp", text, ast.parse(text)) for name, text in texts.items()]
    assert [str(found) for found in stale_references(sources)] == [
        "src/remit/pdp/__init__.py:1: `pdp.decided` is no module, nor a name in one",
        "src/remit/pdp/decide.py:4: `pdp.decide.judged` is no module, nor a name in one",
    ]


def test_a_process_that_may_be_waited_for_without_end_is_found() -> None:
    text = (
        "with subprocess.Popen(['a']) as one: ...\nwith open('x') as file, Popen(['b']): ...\n"
        "with child(subprocess.Popen(['c'])): ...\nthree = subprocess.Popen(['d'])\n"
    )
    assert [finding.line for finding in endless_waits(Path("test_x.py"), text)] == [1, 2]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "--find-links ./wheels",
        "-i https://example.org/simple",
        "remit @ file:///somewhere",
        "-e .",
    ],
)
def test_an_address_in_a_lock_is_found(line: str) -> None:
    assert addresses(f"aiohttp==3.14.5 \\\n    --hash=sha256:00\n{line}\n") == [line]


def test_a_hashed_requirement_is_no_address() -> None:
    assert not addresses("    # via aiohttp\ncffi==2.1.1 ; python_version < '4' \\\n    --hash=sha256:00\n")


def test_a_verdict_is_read_as_it_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    code = say("20 rounds, 0 lost", "0 lost", passed=True)
    verdict = read("a table before\n" + capsys.readouterr().out, code)
    assert (verdict.figure, verdict.goal, verdict.passed) == ("20 rounds, 0 lost", "0 lost", True)


@pytest.mark.parametrize(
    ("stdout", "code"),
    [
        ("", 0),
        ("not json", 0),
        ('{"figure": "1", "goal": "1"}', 0),
        ('{"figure": "1", "goal": "1", "pass": true}', 1),
        ('{"figure": "1", "goal": "1", "pass": false}', 0),
        ('{"figure": "1", "goal": "1", "pass": "true"}', 0),
    ],
)
def test_what_is_no_verdict_is_refused(stdout: str, code: int) -> None:
    with pytest.raises(ValueError, match=r"printed nothing|no verdict|exit code"):
        read(stdout, code)


def test_proof_lines_have_names_of_their_own() -> None:
    names = [(line.part, line.id) for line in LINES]
    assert sorted(names) == sorted(set(names))
    assert not [line.id for line in LINES if line.id == "fresh-clone" and line.quick]

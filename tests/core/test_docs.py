"""Each promise on the reference pages names a test that exists and runs.

`docs/reference/coverage.md` and `docs/reference/fail-closed.md` hold tables whose last column names tests, as
`tests/…/test_file.py::test_name`, several of them parted by `<br>`. The tests are found in the syntax trees, so that
this holds without running, or importing, any of them.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = ("docs/reference/coverage.md", "docs/reference/fail-closed.md")
ROW: Final = re.compile(r"^\|(?P<cells>.+)\|\s*$")
RULE: Final = re.compile(r"^[\s|:-]+$")
NOT_RUN: Final = frozenset({"skip", "xfail"})
TODO: Final = "TODO"


@dataclass(frozen=True, slots=True)
class Promise:
    """One row of a table: its page and line, its first cell, and the node ids (or TODO) of its last cell."""

    where: str
    name: str
    tests: tuple[str, ...]


def promises(page: str) -> Iterator[Promise]:
    """Yield the rows of every table on `page`, headings aside."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        row = ROW.match(line)
        is_heading = number < len(lines) and RULE.match(lines[number]) is not None
        if row is None or RULE.match(line) or is_heading:
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row["cells"])]
        tests = tuple(test.strip().strip("`") for test in cells[-1].split("<br>") if test.strip())
        yield Promise(f"{page}:{number}", cells[0], tests)


def marks(nodes: Iterable[ast.expr]) -> set[str]:
    """Return the names of the pytest marks among decorators, or in a `pytestmark`."""
    found: set[str] = set()
    for node in nodes:
        call = node.func if isinstance(node, ast.Call) else node
        if isinstance(call, ast.List | ast.Tuple):
            found |= marks(call.elts)
        elif isinstance(call, ast.Attribute) and ast.unparse(call.value) == "pytest.mark":
            found.add(call.attr)
    return found


def module_marks(tree: ast.Module) -> set[str]:
    """Return the marks that a module gives to all of its tests."""
    return {
        mark
        for node in tree.body
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == "pytestmark" for target in node.targets)
        for mark in marks([node.value])
    }


def collect(body: Iterable[ast.stmt], prefix: str, inherited: set[str]) -> Iterator[tuple[str, bool]]:
    """Yield (node id, whether it runs) for every test in `body`, classes included."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield f"{prefix}::{node.name}", not NOT_RUN & (inherited | marks(node.decorator_list))
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from collect(node.body, f"{prefix}::{node.name}", inherited | marks(node.decorator_list))


@cache
def runnable(path: str) -> dict[str, bool]:
    """Return the node ids of one test file, and whether each runs; empty for a file that does not exist."""
    file = ROOT / path
    if not file.is_file():
        return {}
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return dict(collect(tree.body, path, module_marks(tree)))


def fault(test: str) -> str | None:
    """Say what is wrong with one named test; None when it exists and runs."""
    node, _, _ = test.partition("[")
    path, _, name = node.partition("::")
    if not name:
        return f"{test}: not of the form path::test"
    match runnable(path).get(node):
        case None:
            return f"{test}: no such test"
        case False:
            return f"{test}: never runs (skip or xfail)"
        case True:
            return None


@pytest.mark.parametrize("page", PAGES)
def test_named_tests_exist(page: str) -> None:
    rows = list(promises(page))
    faults = [
        f"{row.where}: {row.name}: {problem}"
        for row in rows
        for test in row.tests
        if test != TODO and (problem := fault(test)) is not None
    ]
    assert rows, f"{page} holds no row"
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


@pytest.mark.parametrize("page", PAGES)
def test_every_row_names_a_test(page: str) -> None:
    open_rows = [f"{row.where}: {row.name}" for row in promises(page) if not row.tests or TODO in row.tests]
    if open_rows:
        pytest.fail("rows without a test:\n" + "\n".join(open_rows), pytrace=False)


@pytest.mark.parametrize("page", PAGES)
def test_rows_have_names_of_their_own(page: str) -> None:
    names = [row.name for row in promises(page)]
    assert sorted(names) == sorted(set(names))


def test_tests_are_told_from_the_syntax_tree() -> None:
    source = (
        "pytestmark = [pytest.mark.e2e]\n"
        "def test_one(): ...\n"
        "@pytest.mark.skip(reason='x')\ndef test_two(): ...\n"
        "@pytest.mark.xfail\nclass TestThree:\n    async def test_four(self): ...\n"
        "def helper(): ...\n"
    )
    tree = ast.parse(source)
    assert module_marks(tree) == {"e2e"}
    assert dict(collect(tree.body, "f.py", module_marks(tree))) == {
        "f.py::test_one": True,
        "f.py::test_two": False,
        "f.py::TestThree::test_four": False,
    }


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("tests/core/test_docs.py", "not of the form"),
        ("tests/core/test_docs.py::test_nothing_of_the_kind", "no such test"),
        ("tests/core/test_no_file.py::test_x", "no such test"),
    ],
)
def test_a_wrong_name_is_told(named: str, said: str) -> None:
    assert said in (fault(named) or "")
    assert fault("tests/core/test_docs.py::test_a_wrong_name_is_told[x]") is None

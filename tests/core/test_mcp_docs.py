"""docs/reference/mcp.md has a row for every method of both schemas: its rule, and a test that exists or `none yet`."""

from __future__ import annotations

import re
from typing import Final

import pytest

from proof.conformance.runs import CROSSED
from proof.lines import FINISHED_PARTS
from proof.rows import NONE_YET
from remit.pep.mcp.methods import METHODS, Sender
from remit.ports.upstream import Era
from tests.core.mcp_schema import SENT, TASKS_EXTENSION
from tests.core.test_docs import ROOT, Promise, fault, promises

PAGE: Final = "docs/reference/mcp.md"
PART: Final = 2
SENDERS: Final = {Sender.CLIENT: "client", Sender.SERVER: "upstream"}
CODE: Final = re.compile(r"`([^`]+)`")


def sections() -> dict[str, list[Promise]]:
    """The rows of the page by the heading that they stand under."""
    text = (ROOT / PAGE).read_text("utf-8").splitlines()
    found: dict[str, list[Promise]] = {}
    for row in promises(PAGE):
        number = int(row.where.rpartition(":")[2])
        heading = next(line for line in reversed(text[:number]) if line.startswith("#"))
        found.setdefault(heading.lstrip("# "), []).append(row)
    return found


SECTIONS: Final = sections()
STATELESS: Final = "Methods of 2026-07-28"
HANDSHAKE: Final = "Methods of the handshake era alone"
TASKS: Final = "The tasks extension (`io.modelcontextprotocol/tasks`)"
ACROSS: Final = "Across eras"
PROMISES: Final = [row for heading, rows in SECTIONS.items() if heading != ACROSS for row in rows]


def cells(row: Promise) -> list[str]:
    line = (ROOT / PAGE).read_text("utf-8").splitlines()[int(row.where.rpartition(":")[2]) - 1]
    return [cell.strip() for cell in line.split("|")]


def methods(section: str) -> list[str]:
    return [row.name.strip("`") for row in SECTIONS[section]]


def test_every_method_of_the_schemas_has_its_row() -> None:
    extension = {method for method, _, _ in TASKS_EXTENSION}
    stateless = {method for method, _, era in SENT if era is Era.STATELESS} - extension
    assert set(methods(STATELESS)) == stateless
    assert set(methods(TASKS)) == extension
    assert set(methods(HANDSHAKE)) == {method for method, _, _ in SENT} - stateless - extension


def test_no_row_stands_twice() -> None:
    for rows in SECTIONS.values():
        names = [row.name for row in rows]
        assert len(names) == len(set(names)) or rows is SECTIONS[ACROSS]


def test_every_named_test_exists() -> None:
    faults = [
        f"{row.where}: {row.name}: {problem}"
        for row in PROMISES
        for test in row.tests
        if test != NONE_YET and (problem := fault(test)) is not None
    ]
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def test_every_row_names_a_test_once_the_part_is_finished() -> None:
    assert all(row.tests for row in PROMISES)
    untested = [f"{row.where}: {row.name}" for row in PROMISES if NONE_YET in row.tests]
    if PART in FINISHED_PARTS and untested:
        pytest.fail("rows without a test:\n" + "\n".join(untested), pytrace=False)


def test_each_method_is_treated_as_the_table_of_the_gateway_says() -> None:
    for section in (STATELESS, TASKS, HANDSHAKE):
        for row in SECTIONS[section]:
            _, name, sender, rule, *_ = cells(row)
            treated = METHODS[name.strip("`")].by
            assert sender == " · ".join(SENDERS[who] for who in Sender if who in treated), row
            said = dict.fromkeys(type(treated[who]).__name__.lower() for who in Sender if who in treated)
            assert rule == " · ".join(said), row


def test_the_scenarios_left_out_across_eras_are_those_that_are_not_run() -> None:
    told = {"handshake": set[str](), "stateless": set[str]()}
    for row in SECTIONS[ACROSS]:
        told[cells(row)[1]].update(CODE.findall(cells(row)[3]))
    to_modern, to_old = CROSSED
    assert told == {"handshake": to_modern.leaves_out, "stateless": to_old.leaves_out}
    assert not to_modern.excused
    assert all(f"`{check}`" in (ROOT / PAGE).read_text("utf-8") for check in to_old.excused)

"""`docs/reference/words.md`: each word once, in order, and where it is met is there."""

import re
from pathlib import Path
from typing import Final

import typer.main

from remit.app.cli import commands_of
from remit.control.drift import DriftStatus
from remit.escalate.machine import ApprovalState
from remit.facts.origin import Origin
from remit.facts.record import RecordKind
from remit.pdp.snapshot import Pin
from remit.policy.role import PolicyRole
from tests.core.test_cli_docs import commands

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "reference" / "words.md"
ROWS: Final = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text("utf-8").splitlines()
    if line.startswith("| ")
][1:]


def test_each_word_stands_once_and_in_order() -> None:
    words = [word for word, _, _ in ROWS]
    plain = [word.partition(" (")[0] for word in words]
    assert plain == sorted(plain)
    assert len(words) == len(set(words)) >= 60


def test_where_a_word_is_met_is_there() -> None:
    known = {name.removeprefix("remit ") for name, _ in commands(typer.main.get_command(commands_of(())))}
    groups = {name.rpartition(" ")[0] for name in known}
    for word, _, met in ROWS:
        for said in re.findall(r"`remit ([^`]+)`", met):
            name = " ".join(part for part in said.split() if part.islower() and not part.startswith("-"))
            assert name in known | groups or name.split()[0] in known, f"{word}: remit {said}"
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE.read_text("utf-8")):
        assert (PAGE.parent / link).is_file(), link


def test_what_commands_print_of_records_approvals_pins_and_origins_is_explained() -> None:
    text = PAGE.read_text("utf-8")
    printed = [*RecordKind, *ApprovalState, *DriftStatus, *Pin, *PolicyRole]
    said = [one.value for one in printed] + [one.name.lower() for one in Origin]
    assert [word for word in said if not re.search(rf"\b{word}\b", text)] == []

"""`docs/reference/fail-closed.md` has a row for every code that a refusal can carry: INVARIANT(deny-on-error)."""

import re
from pathlib import Path
from typing import Final

from remit.policy.verdict import Code

ROOT: Final = Path(__file__).resolve().parents[2]
WIRE: Final = re.compile(r'"((?:header|host|origin|path|body)/[a-z-]+)"')


def verdicts() -> str:
    """Return the verdict column of every table of the page."""
    page = (ROOT / "docs" / "reference" / "fail-closed.md").read_text("utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return "\n".join(row[1] for row in rows)


def test_every_code_of_a_verdict_has_a_row() -> None:
    told = verdicts()
    assert [code.value for code in Code if f"`{code.value}`" not in told] == []


def test_every_code_of_the_edge_has_a_row() -> None:
    edge = ROOT / "src" / "remit" / "pep" / "mcp"
    codes = {code for file in edge.glob("*.py") for code in WIRE.findall(file.read_text("utf-8"))}
    told = verdicts()
    assert codes
    assert [code for code in sorted(codes) if f"`{code}`" not in told] == []


def test_no_row_names_a_code_that_is_not_there() -> None:
    named = set(re.findall(r"`([a-z]+/[a-z-]+)`", verdicts()))
    source = "".join(file.read_text("utf-8") for file in (ROOT / "src" / "remit").rglob("*.py"))
    assert [code for code in sorted(named) if f'"{code}"' not in source] == []

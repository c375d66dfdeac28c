"""The result as people read it, one row a scenario and two columns a run, and as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from proof.conformance.runs import CROSSED

if TYPE_CHECKING:
    from proof.conformance.checks import Outcome, Results, Row

WIDTH: Final = 132
CROSSED_NAMES: Final = frozenset(run.name for run in CROSSED)
"""Their direct result stands in another column already."""
LEGEND: Final = (
    "✓ n: passed with n checks   ✗ n/m: n of m succeeded   ✗! no end   · not in this run   (grey: not demanded)"
)


def table(results: Results) -> None:
    """Print the picture, then what is wrong, scenario by scenario."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    picture = Table(box=None, pad_edge=False, header_style="bold")
    picture.add_column("scenario", no_wrap=True, overflow="ignore")
    for name in results.rows:
        for way in ("direct", "Remit")[name in CROSSED_NAMES :]:
            picture.add_column(
                f"{name}\n{way}" if way == "direct" or name in CROSSED_NAMES else f"\n{way}", no_wrap=True
            )
    by_run = {name: {row.scenario: row for row in rows} for name, rows in results.rows.items()}
    for scenario in dict.fromkeys(row.scenario for rows in results.rows.values() for row in rows):
        cells = [
            cell for name, rows in by_run.items() for cell in cells_of(rows.get(scenario))[name in CROSSED_NAMES :]
        ]
        picture.add_row(Text(scenario), *cells)
    console.print(picture)
    console.print(Text(LEGEND, style="dim"))
    for name, rows in results.rows.items():
        for row in rows:
            for number, fault in enumerate(row.faults()):
                if number == 0:
                    console.print(Text(f"\n{name} {row.scenario}", style="bold red"))
                console.print(Text(f"  {fault}"), soft_wrap=True)
    for name, lack in results.lacks.items():
        console.print(Text(f"\n{name}: {lack}", style="bold red"))


def cells_of(row: Row | None) -> tuple[Text, Text]:
    """The two cells of one scenario in one run."""
    if row is None:
        return Text("·", style="dim"), Text("·", style="dim")
    direct = mark(row.direct, dim=not row.judged or not (row.scored or row.direct.passed))
    through = Text("") if row.through is None else mark(row.through, dim=not row.demanded, lost=len(row.missing))
    return direct, through


def mark(outcome: Outcome, *, dim: bool, lost: int = 0) -> Text:
    """One cell: a tick with the number of checks, or a cross with how many of them succeeded."""
    made = outcome.succeeded + len(outcome.bad) + lost
    if outcome.passed and not lost:
        return Text(f"✓ {outcome.succeeded}", style="dim" if dim else "green")
    said = "✗!" if outcome.trouble else f"✗ {outcome.succeeded}/{made}"
    return Text(said, style="dim" if dim else "bold red")


def figure(results: Results) -> str:
    """The result in one line: for each run, how many pass through Remit of those that have to."""
    parts: list[str] = []
    for name, rows in results.rows.items():
        demanded = [row for row in rows if row.demanded]
        direct = f"{len(demanded)} of {len(rows)} directly"
        if any(row.through is not None for row in rows):
            direct += f", {sum(not row.faults() for row in demanded)} of {len(demanded)} through Remit"
        parts.append(f"{name}: {direct}")
    return "; ".join(parts)


def as_json(results: Results) -> dict[str, Any]:
    """All that was found, for programs."""
    return {
        "pass": results.passed,
        "figure": figure(results),
        "lacks": results.lacks,
        "runs": {name: [row_json(row) for row in rows] for name, rows in results.rows.items()},
    }


def row_json(row: Row) -> dict[str, Any]:
    """One scenario: both outcomes with every check, and what is wrong."""
    return {
        "scenario": row.scenario,
        "scored": row.scored,
        "demanded": row.demanded,
        "direct": outcome_json(row.direct),
        "through": outcome_json(row.through) if row.through else None,
        "faults": row.faults(),
    }


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """One outcome."""
    return {
        "pass": outcome.passed,
        "trouble": outcome.trouble,
        "checks": [{"id": check.id, "status": check.status, "text": check.text} for check in outcome.checks],
    }

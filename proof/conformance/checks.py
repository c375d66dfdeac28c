"""What a suite found, scenario by scenario, and whether Remit is to blame.

A scenario passes when something was checked, and all of it succeeded: no failure, no warning, nothing skipped. Through
Remit it has to do so too, and every check that succeeds directly has to have been made.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SUCCESS: Final = "SUCCESS"
INFO: Final = "INFO"
BAD: Final = frozenset({"FAILURE", "WARNING", "SKIPPED"})
FOLDER: Final = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the suite: its id, its status in the suite's words, and what it says of a failure."""

    id: str
    status: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one scenario found; `trouble` when the suite itself came to no end."""

    checks: tuple[Check, ...] = ()
    trouble: str = ""

    def without(self, excused: frozenset[str]) -> Outcome:
        """The same without some checks."""
        return replace(self, checks=tuple(check for check in self.checks if check.id not in excused))

    @property
    def succeeded(self) -> int:
        """How many checks succeeded."""
        return sum(check.status == SUCCESS for check in self.checks)

    @property
    def bad(self) -> tuple[Check, ...]:
        """The checks that failed, warned or were skipped."""
        return tuple(check for check in self.checks if check.status in BAD)

    @property
    def passed(self) -> bool:
        """Whether something was checked, and all of it succeeded."""
        return not self.trouble and self.succeeded > 0 and not self.bad

    def faults(self) -> Iterator[str]:
        """Why it did not pass, a line each."""
        if self.trouble:
            yield self.trouble
        for check in self.bad:
            yield f"{check.id} {check.status.lower()}: {check.text}"
        if not self.trouble and not self.bad and not self.succeeded:
            yield "nothing was checked"


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario of one run, directly and through Remit.

    `scored`: a conformant server has to pass it directly. `judged`: this run checks anything there.
    """

    scenario: str
    scored: bool
    judged: bool
    direct: Outcome
    through: Outcome | None = None
    """None when only the direct way was taken."""

    def without(self, excused: frozenset[str]) -> Row:
        """The same without the checks that this run excuses."""
        through = self.through.without(excused) if self.through else None
        return replace(self, direct=self.direct.without(excused), through=through)

    @property
    def missing(self) -> tuple[str, ...]:
        """Checks that succeed directly and were not made through Remit."""
        made = {check.id for check in self.through.checks} if self.through else set[str]()
        wanted = (check.id for check in self.direct.checks if check.status == SUCCESS)
        return tuple(dict.fromkeys(id_ for id_ in wanted if id_ not in made))

    @property
    def demanded(self) -> bool:
        """Whether it has to pass through Remit: it does directly."""
        return self.judged and self.direct.passed

    def faults(self) -> tuple[str, ...]:
        """What is wrong with it, a line each; empty when the demand is met."""
        if self.judged and self.scored and not self.direct.passed:
            return tuple(f"directly: {fault}" for fault in self.direct.faults())
        if not self.demanded or self.through is None:
            return ()
        found = tuple(self.through.faults())
        return found or tuple(f"{id_} was not checked" for id_ in self.missing)


@dataclass(slots=True)
class Results:
    """The rows of each run, and what a run as a whole lacks."""

    rows: dict[str, list[Row]] = field(default_factory=dict[str, "list[Row]"])
    lacks: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def passed(self) -> bool:
        """Whether every demand is met and nothing is lacking."""
        return (
            bool(self.rows) and not self.lacks and not any(row.faults() for rows in self.rows.values() for row in rows)
        )


def read(folder: Path) -> dict[str, Outcome]:
    """Read what a suite left in `folder`, by scenario; what cannot be read is a trouble of its scenario."""
    found: dict[str, Outcome] = {}
    for path in sorted(folder.glob("server-*")):
        name = FOLDER.fullmatch(path.name)
        if name is None:
            continue
        try:
            checks: list[Mapping[str, Any]] = json.loads((path / "checks.json").read_text("utf-8"))
            found[name["scenario"]] = Outcome(tuple(map(check_of, checks)))
        except (OSError, ValueError, KeyError) as error:
            found[name["scenario"]] = Outcome(trouble=f"the suite left no readable checks: {error}")
    return found


def check_of(written: Mapping[str, Any]) -> Check:
    """One entry of `checks.json`; raises KeyError."""
    status = str(written["status"])
    said = written.get("errorMessage") or (written.get("description", "") if status in BAD else "")
    details = cast("dict[str, Any]", written.get("details") or {})
    violations = details.get("violations")
    text = f"{said} {json.dumps(violations)}" if status in BAD and violations else str(said)
    return Check(str(written["id"]), status, " ".join(text.split()))

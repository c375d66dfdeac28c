"""What is run: two pinned suites, three runs, and what each demands.

The suites are npm packages, pinned with their hashes in `suite/package-lock.json`; a requirement set is part of the
package, frozen by the suite's own project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from pathlib import Path

STABLE: Final = "stable"
ALPHA: Final = "alpha"
OLD: Final = "2025-11-25"
MODERN: Final = "2026-07-28"
CHECKS_NOTHING: Final = frozenset({"server-sse-polling"})
"""Scenarios that 0.1.16 runs without a check; the alpha judges them."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its column in the table, its package, the options that choose scenarios, its era on the wire."""

    name: str
    package: str
    options: tuple[str, ...]
    era: str
    count: int
    """How many scenarios the suite has to run, so that none gets lost."""

    def alone(self, scenario: str) -> tuple[str, ...]:
        """The options that run one of its scenarios by itself."""
        return ("--scenario", scenario, *(("--spec-version", self.era) if self.package == ALPHA else ()))

    def judged(self, scenario: str) -> bool:
        """Whether this run judges the scenario at all."""
        return self.package == ALPHA or scenario not in CHECKS_NOTHING


RUNS: Final = (
    Run("0.1.16", STABLE, ("--suite", "all"), OLD, 32),
    Run(OLD, ALPHA, ("--requirements", OLD), OLD, 33),
    Run(MODERN, ALPHA, ("--requirements", MODERN), MODERN, 50),
)


@dataclass(frozen=True, slots=True)
class Demand:
    """The scenarios of a run, in its order, and those of them that a conformant server has to pass directly."""

    scenarios: tuple[str, ...]
    scored: frozenset[str]


def demand_of_set(run: Run, package: Path) -> Demand:
    """Read a requirement set of the alpha; raises OSError, KeyError when the package holds none of that name."""
    wanted: dict[str, Any] = yaml.safe_load((package / "requirements" / f"{run.era}.yaml").read_text("utf-8"))
    beside = [entry["scenario"] for entry in wanted["not_scored"] if entry["leg"] == "server"]
    return Demand((*wanted["server"], *beside), frozenset(wanted["server"]))


def demand_of_list(run: Run, listed: str) -> Demand:
    """Read what `conformance list --server` printed: every scenario counts that checks anything."""
    names = tuple(line[4:].split()[0] for line in listed.splitlines() if line.startswith("  - "))
    return Demand(names, frozenset(name for name in names if run.judged(name)))

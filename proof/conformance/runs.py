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
TASKS: Final = "tasks"
"""The place of scenarios of the tasks extension, which the SDK's example server does not have: a server by hand."""
EXTENSION: Final = "extension"
"""Why a requirement set does not score a scenario: extensions belong to one era, so they are never crossed."""
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
    upstream: str | None = None
    """The one era that the server behind Remit speaks; None for one of both eras, which also answers directly."""
    leaves_out: frozenset[str] = frozenset()
    excused: frozenset[str] = frozenset()
    """Checks of other scenarios that cannot succeed in this run."""

    def alone(self, scenario: str) -> tuple[str, ...]:
        """The options that run one of its scenarios by itself."""
        # Forced, since the suite leaves out extensions where a version is named.
        return ("--scenario", scenario, *(("--spec-version", self.era, "--force") if self.package == ALPHA else ()))

    def judged(self, scenario: str) -> bool:
        """Whether this run judges the scenario at all."""
        return self.package == ALPHA or scenario not in CHECKS_NOTHING

    @property
    def direct(self) -> str:
        """The name of the run whose direct result this one is compared with."""
        return self.name if self.upstream is None else self.era


ASKS_OLD: Final = frozenset(
    {
        "tools-call-sampling",
        "tools-call-elicitation",
        "elicitation-sep1034-defaults",
        "elicitation-sep1330-enums",
        "server-sse-polling",
    }
)
"""Scenarios of the handshake era in which the server asks, or hangs up, in mid-call: it cannot in the other era."""
ASKS_MODERN: Final = frozenset(
    {
        "input-required-result-basic-elicitation",
        "input-required-result-basic-sampling",
        "input-required-result-basic-list-roots",
        "input-required-result-request-state",
        "input-required-result-multiple-input-requests",
        "input-required-result-multi-round",
        "input-required-result-missing-input-response",
        "input-required-result-non-tool-request",
        "input-required-result-result-type",
        "input-required-result-tampered-state",
        "input-required-result-capability-check",
        "input-required-result-validate-input",
    }
)
"""Scenarios of the stateless era whose tool answers `input_required` by itself: it cannot in the other era."""
TELLS_MODERN: Final = frozenset(
    {
        "sep-2575-server-sends-prompts-list-changed-on-subscription",
        "sep-2575-server-sends-tools-list-changed-on-subscription",
    }
)
"""Checks of `server-stateless` whose tool tells of its change to `subscriptions/listen` alone."""

RUNS: Final = (
    Run("0.1.16", STABLE, ("--suite", "all"), OLD, 32),
    Run(OLD, ALPHA, ("--requirements", OLD), OLD, 33),
    Run(MODERN, ALPHA, ("--requirements", MODERN), MODERN, 50),
)
CROSSED: Final = (
    Run("2025-to-2026", ALPHA, ("--requirements", OLD), OLD, 28, MODERN, ASKS_OLD),
    Run("2026-to-2025", ALPHA, ("--requirements", MODERN), MODERN, 28, OLD, ASKS_MODERN, TELLS_MODERN),
)
"""Client and upstream of different eras: the scenarios that do not depend on how a server asks."""


def of_tasks(scenario: str) -> bool:
    """Whether it is played before the server that has tasks."""
    return scenario.startswith("tasks-")


@dataclass(frozen=True, slots=True)
class Demand:
    """The scenarios of a run, in its order, and those of them that a conformant server has to pass directly."""

    scenarios: tuple[str, ...]
    scored: frozenset[str]


def demand_of_set(run: Run, package: Path) -> Demand:
    """Read a requirement set of the alpha; raises OSError, KeyError when the package holds none of that name."""
    wanted: dict[str, Any] = yaml.safe_load((package / "requirements" / f"{run.era}.yaml").read_text("utf-8"))
    beside = [
        entry["scenario"]
        for entry in wanted["not_scored"]
        if entry["leg"] == "server" and (run.upstream is None or entry["reason"] != EXTENSION)
    ]
    names = tuple(name for name in (*wanted["server"], *beside) if name not in run.leaves_out)
    return Demand(names, frozenset(wanted["server"]))


def demand_of_list(run: Run, listed: str) -> Demand:
    """Read what `conformance list --server` printed: every scenario counts that checks anything."""
    names = tuple(line[4:].split()[0] for line in listed.splitlines() if line.startswith("  - "))
    return Demand(names, frozenset(name for name in names if run.judged(name)))

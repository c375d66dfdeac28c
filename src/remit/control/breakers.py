"""Breaker resources to what the catalog holds, with what is wrong about them."""

from collections.abc import Iterator
from typing import Final

from remit.control.budgets import BudgetReferences
from remit.control.names import refer
from remit.control.problems import WorkspaceProblem
from remit.control.resources import BreakerSpec, Resource, ResourceKind
from remit.facts.breaker import OF_AGENTS, SAMPLES_MAX, Breaker, BreakerSubject, On
from remit.facts.budget import Per

SECONDS_MAX: Final = 86_400.0
TRIALS_MAX: Final = 100
_SHARES: Final = frozenset({On.ERRORS, On.SLOW})


def breaker_of(
    resource: Resource, spec: BreakerSpec, references: BudgetReferences
) -> tuple[Breaker, list[WorkspaceProblem]]:
    """The breaker that `spec` declares, and what is wrong about it."""
    problems = [
        WorkspaceProblem("breaker/shape", resource.at(f"spec.{field}"), why) for field, why in _shape_problems(spec)
    ]
    if spec.of is not None:
        kind, known = {
            BreakerSubject.AGENT: references.whose[Per.AGENT],
            BreakerSubject.SERVER: (ResourceKind.SERVER, references.servers),
            BreakerSubject.TOOL: references.whose[Per.TOOL],
        }[spec.over]
        problems += refer(resource, "spec.of", (spec.of,), known, kind)
    breaker = Breaker(
        resource.name,
        spec.on,
        spec.over,
        spec.of,
        spec.limit,
        spec.within_s,
        spec.open_s,
        spec.trials,
        spec.of_least,
        spec.slow_ms,
    )
    return breaker, problems


def _shape_problems(spec: BreakerSpec) -> Iterator[tuple[str, str]]:
    if spec.on in OF_AGENTS and spec.over is not BreakerSubject.AGENT:
        yield "over", f"{spec.on.value} is an agent's own doing: it is over an agent"
    if spec.on is On.CASCADE and spec.over is not BreakerSubject.SERVER:
        yield "over", "a cascade has a server as its cause: it is over a server"
    most = 100 if spec.on in _SHARES else SAMPLES_MAX
    least = 0 if spec.on in {On.DEPTH, On.CYCLES} else 2 if spec.on in {On.IDENTICAL, On.CASCADE} else 1
    if not least <= spec.limit <= most:
        yield "limit", f"the limit of {spec.on.value} is {least} to {most}" + (" per cent" if most == 100 else "")
    for field, seconds in (("within_s", spec.within_s), ("open_s", spec.open_s)):
        if not 0.1 <= seconds <= SECONDS_MAX:
            yield field, f"{field} is 0.1 to {SECONDS_MAX:,.0f} seconds"
    if not 1 <= spec.trials <= TRIALS_MAX:
        yield "trials", f"1 to {TRIALS_MAX} trials are let pass"
    if not 1 <= spec.of_least <= SAMPLES_MAX:
        yield "of_least", f"a share is of 1 to {SAMPLES_MAX} calls at least"
    if not 0 <= spec.slow_ms <= SECONDS_MAX * 1000:
        yield "slow_ms", "how long a call may take before it is slow is 0 ms to a day"

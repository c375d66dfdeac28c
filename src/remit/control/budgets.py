"""Budget resources to what the catalog holds, with what is wrong about them."""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Final

from remit.control.names import refer
from remit.control.problems import WorkspaceProblem
from remit.control.resources import BudgetSpec, Resource, ResourceKind
from remit.facts.agent import Agent, User
from remit.facts.budget import RESULT_TOKENS, Budget, Measure, Per
from remit.facts.catalog import Server
from remit.facts.impact import PLACES
from remit.facts.tool import Effect, Tool

HARD_MAX: Final = 10**12
"""More than this is no limit of anything."""
WINDOW_S_MIN: Final = 1
WINDOW_S_MAX: Final = 366 * 86_400
EACH_MAX: Final = 10_000_000


class BudgetReferences:
    """What budgets may name."""

    def __init__(
        self,
        agents: Mapping[str, Agent],
        users: Mapping[str, User],
        groups: Collection[str],
        servers: Mapping[str, Server],
        tools: Mapping[tuple[str, str], Tool],
        routes: Collection[str],
    ) -> None:
        self.tools = {f"{server}/{name}": tool for (server, name), tool in tools.items()}
        self.servers = servers
        self.routes = routes
        self.whose: Mapping[Per, tuple[ResourceKind, Collection[str]]] = {
            Per.AGENT: (ResourceKind.AGENT, agents),
            Per.USER: (ResourceKind.USER, users),
            Per.GROUP: (ResourceKind.GROUP, groups),
            Per.TOOL: (ResourceKind.TOOL, self.tools),
        }


def budget_of(
    resource: Resource, spec: BudgetSpec, references: BudgetReferences
) -> tuple[Budget, list[WorkspaceProblem]]:
    """The budget that `spec` declares, and what is wrong about it."""
    problems = [
        *(WorkspaceProblem("budget/shape", resource.at(f"spec.{field}"), why) for field, why in _shape_problems(spec)),
        *_reference_problems(resource, spec, references),
    ]
    budget = Budget(
        resource.name,
        spec.measure,
        spec.per,
        spec.of,
        _units(spec.hard, spec.measure),
        spec.window_s,
        None if spec.soft is None else _units(spec.soft, spec.measure),
        spec.route,
        frozenset(spec.tools),
        RESULT_TOKENS if spec.each is None else spec.each,
    )
    return budget, problems


def _units(number: float, measure: Measure) -> int:
    """`number` in units; nothing below a whole one counts, in favour of the limit. 0 for what is no number of any."""
    if not 0 <= number <= HARD_MAX:
        return 0
    return int(Decimal(repr(number)) * (PLACES if measure is Measure.AMOUNT else 1))


def _shape_problems(spec: BudgetSpec) -> Iterator[tuple[str, str]]:
    for field, number in (("hard", spec.hard), ("soft", spec.soft)):
        if number is None:
            continue
        if not 0 <= number <= HARD_MAX:
            yield field, f"a budget is from 0 to {HARD_MAX:,}"
        elif Decimal(repr(number)) * (PLACES if spec.measure is Measure.AMOUNT else 1) % 1:
            places = "four decimal places at most" if spec.measure is Measure.AMOUNT else "a whole number"
            yield field, f"a budget of {spec.measure.value} is {places}"
    if spec.soft is not None and spec.soft >= spec.hard:
        yield "soft", "the soft threshold has to be below the hard one, or nobody would ever be asked"
    if (spec.soft is None) != (spec.route is None):
        yield "route", "a soft threshold has a route, whose people decide beyond it, and a route has a soft threshold"
    if not WINDOW_S_MIN <= spec.window_s <= WINDOW_S_MAX:
        yield "window_s", f"a window is {WINDOW_S_MIN} to {WINDOW_S_MAX:,} seconds long"
    if spec.per is Per.GROUP and spec.of is None:
        yield "of", "a budget of a group names it"
    if spec.per is Per.FLEET and spec.of is not None:
        yield "of", "the fleet is everybody: it has no name"
    if spec.each is not None and spec.measure is not Measure.TOKENS:
        yield "each", "how many tokens one result may take is for a budget of tokens to say"
    elif spec.each is not None and not 1 <= spec.each <= EACH_MAX:
        yield "each", f"one result may take 1 to {EACH_MAX:,} tokens"


def _reference_problems(
    resource: Resource, spec: BudgetSpec, references: BudgetReferences
) -> Iterator[WorkspaceProblem]:
    if spec.of is not None and spec.per in references.whose:
        kind, known = references.whose[spec.per]
        yield from refer(resource, "spec.of", (spec.of,), known, kind)
    if spec.route is not None:
        yield from refer(resource, "spec.route", (spec.route,), references.routes, ResourceKind.ROUTE)
    tools = [one for one in spec.tools if "/" in one]
    yield from refer(resource, "spec.tools", tools, references.tools, ResourceKind.TOOL)
    yield from refer(
        resource, "spec.tools", [one for one in spec.tools if "/" not in one], references.servers, ResourceKind.SERVER
    )
    if spec.measure not in {Measure.AMOUNT, Measure.RECORDS}:
        return
    for name, tool in sorted(references.tools.items()):
        # Of a server named as a whole, what only reads moves nothing.
        counted = name in tools or (tool.server in spec.tools and tool.effect is not Effect.READ)
        if counted and spec.measure.value not in tool.impact:
            what = f"the catalog does not say where the {spec.measure.value} of {name} stands"
            hint = f"give the Tool an impact: {{{spec.measure.value}: {{path: $.…}}}}"
            hint += "" if name in tools else ", or name the tools that count one by one"
            yield WorkspaceProblem(
                "budget/uncounted", resource.at("spec.tools"), what, "nothing of it would count", hint
            )

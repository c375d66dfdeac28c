"""Resources and the lock in, the catalog or precise problems out. Total: it never raises.

Passes: names and duplicates; groups (parents, cycles, flattening); each kind against the names
it refers to; tools from the lock alone, with the catalog's word on them. Any error refuses the
whole: a workspace in parts could lose a limit silently.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from remit.control.admission import admission_of
from remit.control.breakers import breaker_of
from remit.control.budgets import BudgetReferences, budget_of
from remit.control.channels import channel_of
from remit.control.groups import Groups, resolve
from remit.control.names import EVERYONE, check_names, refer
from remit.control.past import MonitorReferences, guarantee_of, memory_problem, monitor_of
from remit.control.problems import ProblemSeverity, SourceLocation, WorkspaceProblem, errors
from remit.control.resources import (
    AdmissionSpec,
    AgentSpec,
    BreakerSpec,
    BudgetSpec,
    ChannelSpec,
    GuaranteeSpec,
    MonitorSpec,
    PolicySpec,
    Resource,
    ResourceKind,
    RouteSpec,
    ServerSpec,
    SourceSpec,
    Spec,
    ToolSpec,
    UserSpec,
    WorkspaceSource,
)
from remit.control.servers import next_problems, route_of, server_of
from remit.control.sources import watched_of
from remit.control.tools import tools_of
from remit.facts.agent import Agent, User
from remit.facts.breaker import Breaker
from remit.facts.budget import Budget
from remit.facts.catalog import Catalog, Channel, PolicySource, Route, Server
from remit.facts.guarantee import Guarantee
from remit.facts.monitor import Monitor
from remit.facts.source import Watched

_S = TypeVar("_S", bound=Spec)

# What may follow only from a resource or lock that could not be read: not said beside the cause.
_CONSEQUENT: Final = frozenset(
    {
        "reference/unknown",
        "budget/uncounted",
        "route/requester",
        "route/too-few",
        "tool/unaccepted",
        "lock/server",
    }
)


@dataclass(frozen=True, slots=True)
class Assembled:
    """A catalog fit to compile, and what is odd about the workspace all the same."""

    catalog: Catalog
    warnings: tuple[WorkspaceProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class AssemblyRefused:
    """At least one error; `problems` holds the warnings too, in order of file and line."""

    problems: tuple[WorkspaceProblem, ...]

    @property
    def errors(self) -> tuple[WorkspaceProblem, ...]:
        """The problems that refuse it."""
        return errors(self.problems)


Assembly: TypeAlias = Assembled | AssemblyRefused


def assemble(source: WorkspaceSource) -> Assembly:
    """The catalog that `source` declares, or why there is none."""
    problems = [*source.problems, *check_names(source.resources)]
    groups, found = resolve(source.resources)
    problems += found
    agents, users = _members(source, groups, problems)
    servers = _servers(source, problems)
    declared = frozenset(resource.name for resource, _ in _of(source, ServerSpec))
    entries = {resource.name: (resource, spec) for resource, spec in _of(source, ToolSpec)}
    tools, found = tools_of(entries, source.lock, servers, declared)
    problems += found
    channels = _channels(source, problems)
    routes = _routes(source, groups, users, problems)
    references = BudgetReferences(agents, users, groups.names, servers, tools, routes)
    catalog = Catalog(
        agents=MappingProxyType(agents),
        users=MappingProxyType(users),
        groups=groups.names,
        servers=MappingProxyType(servers),
        tools=MappingProxyType(tools),
        routes=MappingProxyType(routes),
        policies=_policies(source),
        channels=MappingProxyType(channels),
        sources=MappingProxyType(_sources(source, problems)),
        budgets=MappingProxyType(_budgets(source, references, problems)),
        breakers=MappingProxyType(_breakers(source, references, problems)),
    )
    catalog = _with_monitors(source, catalog, problems)
    admission, found = admission_of(_of(source, AdmissionSpec), users)
    problems += found
    catalog = replace(catalog, admission=admission)
    if errors(source.problems):
        problems = [problem for problem in problems if problem.code not in _CONSEQUENT]
    else:
        problems += _emptiness(catalog)
    problems.sort(key=lambda problem: problem.where)
    if errors(problems):
        return AssemblyRefused(tuple(problems))
    return Assembled(catalog, tuple(problems))


def _members(
    source: WorkspaceSource, groups: Groups, problems: list[WorkspaceProblem]
) -> tuple[dict[str, Agent], dict[str, User]]:
    agents: dict[str, Agent] = {}
    users: dict[str, User] = {}
    for resource, spec in _of(source, AgentSpec):
        problems += refer(resource, "spec.groups", spec.groups, groups.names, ResourceKind.GROUP)
        for name, text in (("owner", spec.owner), ("purpose", spec.purpose)):
            if not text.strip():
                what = f"agent {resource.name[:64]!r} has no {name}"
                why = "somebody answers for every agent, and it is there for something"
                problems.append(WorkspaceProblem("agent/empty", resource.at(f"spec.{name}"), what, why))
        agents[resource.name] = Agent(
            resource.name,
            spec.owner,
            spec.purpose,
            groups.closure(spec.groups),
            spec.harness,
            spec.mode,
        )
    for resource, user in _of(source, UserSpec):
        problems += refer(resource, "spec.groups", user.groups, groups.names, ResourceKind.GROUP)
        users[resource.name] = User(resource.name, groups.closure(user.groups), user.person)
    for resource, user in _of(source, UserSpec):
        if user.person is not None:
            problems += refer(resource, "spec.person", (user.person,), users, ResourceKind.USER)
    return agents, users


def _servers(source: WorkspaceSource, problems: list[WorkspaceProblem]) -> dict[str, Server]:
    servers: dict[str, Server] = {}
    for resource, spec in _of(source, ServerSpec):
        server, found = server_of(resource, spec)
        problems += found
        if server is not None:
            servers[resource.name] = server
    return servers


def _channels(source: WorkspaceSource, problems: list[WorkspaceProblem]) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    for resource, spec in _of(source, ChannelSpec):
        channel, found = channel_of(resource, spec)
        problems += found
        channels[resource.name] = channel
    for resource, route in _of(source, RouteSpec):
        problems += refer(resource, "spec.channels", route.channels, channels, ResourceKind.CHANNEL)
    return channels


def _budgets(
    source: WorkspaceSource, references: BudgetReferences, problems: list[WorkspaceProblem]
) -> dict[str, Budget]:
    budgets: dict[str, Budget] = {}
    for resource, spec in _of(source, BudgetSpec):
        budget, found = budget_of(resource, spec, references)
        problems += found
        budgets[resource.name] = budget
    return budgets


def _breakers(
    source: WorkspaceSource, references: BudgetReferences, problems: list[WorkspaceProblem]
) -> dict[str, Breaker]:
    breakers: dict[str, Breaker] = {}
    for resource, spec in _of(source, BreakerSpec):
        breaker, found = breaker_of(resource, spec, references)
        problems += found
        breakers[resource.name] = breaker
    return breakers


def _sources(source: WorkspaceSource, problems: list[WorkspaceProblem]) -> dict[str, Watched]:
    sources: dict[str, Watched] = {}
    for resource, spec in _of(source, SourceSpec):
        watched, found = watched_of(resource, spec)
        problems += found
        sources[resource.name] = watched
    return sources


def _with_monitors(source: WorkspaceSource, catalog: Catalog, problems: list[WorkspaceProblem]) -> Catalog:
    """`catalog` with what it watches of the past, and guarantees."""
    declared = [*_of(source, MonitorSpec), *_of(source, GuaranteeSpec)]
    if not declared:
        return catalog
    references = MonitorReferences(
        catalog.tools, catalog.servers, catalog.agents, catalog.users, catalog.groups | {EVERYONE}, catalog.labels
    )
    monitors: dict[str, Monitor] = {}
    guarantees: dict[str, Guarantee] = {}
    for resource, spec in _of(source, MonitorSpec):
        monitors[resource.name], found = monitor_of(resource, spec, references)
        problems += found
    for resource, guarantee_spec in _of(source, GuaranteeSpec):
        guarantee, found = guarantee_of(resource, guarantee_spec, references)
        problems += found
        if guarantee is not None:
            guarantees[resource.name] = guarantee
    memory = memory_problem(monitors, guarantees)
    if memory is not None:
        problems.append(
            WorkspaceProblem("limit/memory", declared[0][0].where, memory, "what is kept has to have an end")
        )
    return replace(catalog, monitors=MappingProxyType(monitors), guarantees=MappingProxyType(guarantees))


def _routes(
    source: WorkspaceSource, groups: Groups, users: Mapping[str, User], problems: list[WorkspaceProblem]
) -> dict[str, Route]:
    routes: dict[str, Route] = {}
    specs = {resource.name: spec for resource, spec in _of(source, RouteSpec)}
    for resource, spec in _of(source, RouteSpec):
        problems += refer(resource, "spec.groups", spec.groups, groups.names, ResourceKind.GROUP)
        problems += refer(resource, "spec.break_glass", spec.break_glass, groups.names, ResourceKind.GROUP)
        problems += next_problems(resource, spec, specs)
        problems += refer(resource, "spec.users", spec.users, users, ResourceKind.USER)
        voting_groups = frozenset(spec.groups)
        voters = (u.who for u in users.values() if u.name in spec.users or u.groups & voting_groups)
        route, found = route_of(resource, spec, voters)
        problems += found
        routes[resource.name] = route
    return routes


def _policies(source: WorkspaceSource) -> tuple[PolicySource, ...]:
    """`.cedar` files, and for each YAML file one text whose lines are those of that file."""
    texts: dict[str, str] = {}
    embedded = sorted(((resource.where.file, spec.line, spec.cedar) for resource, spec in _of(source, PolicySpec)))
    for file, line, cedar in embedded:
        text = texts.get(file, "")
        gap = max(line - 1 - text.count("\n"), 1 if text else 0)
        texts[file] = text + "\n" * gap + cedar
    sources = (*source.policies, *(PolicySource(file, text) for file, text in texts.items()))
    return tuple(sorted(sources, key=lambda policy: policy.path))


def _emptiness(catalog: Catalog) -> Iterable[WorkspaceProblem]:
    for members, nouns in ((catalog.agents, "agents"), (catalog.policies, "policies")):
        if not members:
            yield WorkspaceProblem(
                f"workspace/no-{nouns}",
                SourceLocation("."),
                f"the workspace declares no {nouns}",
                "nothing is permitted",
                next="see a small complete workspace: remit init DIR",
                severity=ProblemSeverity.WARNING,
            )


def _of(source: WorkspaceSource, spec: type[_S]) -> list[tuple[Resource, _S]]:
    return [(resource, resource.spec) for resource in source.resources if isinstance(resource.spec, spec)]

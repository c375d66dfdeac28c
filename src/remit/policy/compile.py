"""A workspace's policies and catalog to a `Bundle`, or to everything that is wrong with them.

Runs off the hot path: policies are checked one by one (`checks`), and what that shows is remembered, so that a
start with nothing changed validates nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias, assert_never

from remit.facts.agent import Agent, User
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import Catalog, Http, Route, Stdio
from remit.facts.credential import shown
from remit.facts.label import closed
from remit.facts.tool import Sink, Tool
from remit.policy import cedar
from remit.policy.arguments import compile_validator, with_defaults_left_out
from remit.policy.bundle import Bundle
from remit.policy.checks import NOTHING, CheckCache, CheckProgress, check, schema_digest, unwatched
from remit.policy.compiled.literals import entities_of
from remit.policy.compiled.shadow import EVERY, Shadow
from remit.policy.destination import ToolForm
from remit.policy.entities import catalog_entities, self_test, strangers
from remit.policy.input_types import RecordType, Untypable, type_input
from remit.policy.lint import LintContext, duplicates, policy_id
from remit.policy.problem import PolicyProblem
from remit.policy.schema import NAMESPACE, OTHER_ACTIONS, action_groups, cedar_schema
from remit.policy.slice import looks_at_flow, policy_of

__all__ = ["Bundle", "CheckCache", "Compiled", "Outcome", "compile_bundle"]

LOCK = "remit.lock"
EMPTY = RecordType(MappingProxyType({}))

Outcome: TypeAlias = Bundle | tuple[PolicyProblem, ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """What came of compiling: a bundle or the problems, with warnings either way.

    `memory` is what to hand to the next `compile_bundle`.
    """

    result: Outcome
    warnings: tuple[PolicyProblem, ...]
    memory: CheckCache


def compile_bundle(
    catalog: Catalog,
    *,
    memory: CheckCache = NOTHING,
    shadow_every: int = EVERY,
    progress: CheckProgress = unwatched,
) -> Compiled:
    """Compile `catalog`. Nothing invalid gives a bundle; one absurd tool costs only itself.

    `memory` is what the last compilation left. One evaluation in `shadow_every` is compared with cedarpy, none where it
    is 0.
    """
    tools, warnings = _tools(catalog)
    ground, schema = _ground(catalog, tools)
    checked = check(catalog.policies, ground, schema, memory, progress)
    problems = [*checked.errors, *duplicates(checked.parsed)]
    warnings.extend(checked.warnings)
    problems.extend(strangers(catalog))
    entities = None if problems else catalog_entities(catalog, schema)
    if entities is not None:
        form, agent = _subject(catalog, tools)
        detects_sent = form is not None and bool(catalog.looked_for_at(form.tool.server))
        problems.extend(self_test(form, agent, schema, entities, catalog.monitors.values(), detects_sent=detects_sent))
    if entities is None or problems:
        return _refused(problems, warnings, checked.memory)
    by_id = {ident: said for said in checked.parsed if (ident := policy_id(said[1])) is not None}
    policies = {ident: policy_of(ident, *by_id[ident]) for ident in sorted(by_id)}
    bundle = Bundle(
        digest=_digest(catalog, schema_digest(ground.schema)),
        catalog=catalog,
        tools=MappingProxyType({(t.tool.server, t.tool.name): t for t in tools}),
        policies=MappingProxyType(policies),
        schema=schema,
        entities=entities,
        members=entities_of(str(entities)),
        labels=closed(catalog.labels),
        stores=MappingProxyType(_stores(catalog)),
        flow=looks_at_flow(policies.values()),
        shadow=Shadow(shadow_every),
    )
    return Compiled(bundle, tuple(warnings), checked.memory)


def _subject(catalog: Catalog, tools: list[ToolForm]) -> tuple[ToolForm | None, Agent | None]:
    form = next((form for form in tools if form.tool.server in catalog.servers), None)
    return form, next(iter(catalog.agents.values()), None)


def _refused(problems: list[PolicyProblem], warnings: list[PolicyProblem], memory: CheckCache) -> Compiled:
    unique = tuple(sorted(set(problems), key=lambda problem: (problem.file, problem.line)))
    return Compiled(unique, tuple(warnings), memory)


def _tools(catalog: Catalog) -> tuple[list[ToolForm], list[PolicyProblem]]:
    exposed: dict[str, int] = {}
    for tool in catalog.tools.values():
        exposed[tool.exposed] = exposed.get(tool.exposed, 0) + 1
    forms: list[ToolForm] = []
    warnings: list[PolicyProblem] = []
    for tool in catalog.tools.values():
        texts, form = _tool(tool, unique=exposed[tool.exposed] == 1)
        forms.append(form)
        name = f"{tool.server}/{tool.name}"
        warnings.extend(PolicyProblem(LOCK, 0, 0, None, f"{name}: {text}") for text in texts)
    return forms, warnings


def _tool(tool: Tool, *, unique: bool) -> tuple[tuple[str, ...], ToolForm]:
    try:
        if not unique:
            raise Untypable(f"another tool of this server is exposed as {tool.exposed} too")
        schema = tool.definition.input_schema
        typed = type_input(schema)
        validator = compile_validator(with_defaults_left_out(schema))
        form = ToolForm(tool, typed.record, validator, typed.arguments, members=typed.members)
    except Untypable as error:
        why = str(error)
        return (f"tool/untypable: quarantined, since {why}",), ToolForm(tool, EMPTY, None, (), why)
    return typed.warnings, form


def _ground(catalog: Catalog, tools: list[ToolForm]) -> tuple[LintContext, cedar.Schema]:
    forms = {form.tool.exposed: form for form in tools}
    typed = {name: (form.tool, None if form.quarantined else form.record) for name, form in forms.items()}
    arguments = frozenset[str]().union(*(form.arguments for form in tools))
    schema = cedar_schema(catalog, typed, arguments)
    actions = {name: frozenset[str]() for name in OTHER_ACTIONS}
    actions |= {name: frozenset(action_groups(form.tool)) for name, form in forms.items()}
    untyped = {name: form.quarantined for name, form in forms.items() if form.quarantined}
    servers = {name: form.tool.server for name, form in forms.items()}
    named_arguments = {name: frozenset(form.arguments) for name, form in forms.items()}
    schemas = {name: form.tool.definition.output_schema for name, form in forms.items()}
    outputs = {name: output for name, output in schemas.items() if output is not None}
    ground = LintContext(catalog, schema, actions, servers, untyped, named_arguments, outputs)
    return ground, cedar.schema_of(schema)


def _user(user: User) -> Json:
    groups: list[Json] = [*sorted(user.groups)]
    return groups if user.person is None else {"groups": groups, "person": user.person}


def _decision_terms(route: Route) -> list[Json]:
    """What a route says of how it is decided beyond whom and when; nothing where all that is left out."""
    terms, plain = _terms(route), _terms(Route(route.name))
    return [] if terms == plain else terms


def _terms(route: Route) -> list[Json]:
    members: list[Json] = [route.distinct_groups, route.next, route.next_after_s, list(route.channels)]
    return [*members, route.edits, route.strong, [*sorted(route.break_glass)]]


def _digest(catalog: Catalog, schema: str) -> str:
    """`sha256:…` over everything a verdict may hang on, and what else runs of it but the values of variables."""
    described: Json = {
        "schema": schema,
        "policies": [[source.path, source.text] for source in catalog.policies],
        "agents": {
            agent.name: [sorted(agent.groups), agent.mode.value, agent.harness.value, agent.owner, agent.purpose]
            for agent in catalog.agents.values()
        },
        "users": {user.name: _user(user) for user in catalog.users.values()},
        "routes": {
            route.name: [
                sorted(route.groups),
                sorted(route.users),
                route.count,
                route.hold_s,
                route.expires_s,
                route.requester_may_approve,
                route.shared,
                *_decision_terms(route),
            ]
            for route in catalog.routes.values()
        },
        **_optional_parts(catalog),
        "servers": {
            server.name: [
                _transport(server.transport),
                sorted(server.source),
                server.shared,
                server.verify_s,
                server.call_s,
                *([sorted(server.detects)] if server.detects else ()),
                *([server.sink.value] if server.sink is not Sink.EXTERNAL else ()),
                *([{"sent": sorted(server.detects_sent)}] if server.detects_sent else ()),
            ]
            for server in catalog.servers.values()
        },
        "tools": {f"{tool.server}/{tool.name}": _tool_entry(tool) for tool in catalog.tools.values()},
        "session_hours_max": catalog.session_hours_max,
    }
    return "sha256:" + hashlib.sha256(canonical({NAMESPACE: described})).hexdigest()


def _transport(transport: Stdio | Http) -> Json:
    match transport:
        case Stdio(command, env, cwd):
            # The digest is told to everybody: a plain value could be guessed by it.
            values: Json = {name: shown(value, None) for name, value in env.items()}
            return [list(command), values, cwd]
        case Http(url, headers, oauth, private):
            values = {name: value.to_json() for name, value in headers.items()}
            return [url, values, oauth and oauth.to_json(), private]
        case _:
            assert_never(transport)


def _optional_parts(catalog: Catalog) -> Mapping[str, Json]:
    """Where people are told what waits, what is looked at, what may be spent; nothing where none is declared."""
    channels: Json = {
        one.name: [one.url, one.secret.to_json(), *sorted(one.about)] for one in catalog.channels.values()
    }
    parts: dict[str, Json] = {"channels": channels} if channels else {}
    if catalog.breakers:
        parts["breakers"] = {name: breaker.to_json() for name, breaker in catalog.breakers.items()}
    if catalog.budgets:
        parts["budgets"] = {name: budget.to_json() for name, budget in catalog.budgets.items()}
    if catalog.monitors:
        parts["monitors"] = {name: one.to_json() for name, one in catalog.monitors.items()}
    if catalog.guarantees:
        parts["guarantees"] = {name: one.to_json() for name, one in catalog.guarantees.items()}
    if catalog.admission is not None:
        parts["admission"] = [catalog.admission.name, catalog.admission.terms.to_json()]
    if catalog.sources:
        parts["sources"] = {
            one.name: [one.watches.value, one.path, list(one.homes), list(one.projects), one.processes, one.every_s]
            for one in catalog.sources.values()
        }
    return parts


def _tool_entry(tool: Tool) -> Json:
    members = _members(tool)
    # An entry that says the worst of all it can still says that the tool reaches no store.
    bare = tool.catalogued and members == _members(Tool(tool.server, tool.definition, tool.pin))
    return [*members, "catalogued"] if bare else members


def _members(tool: Tool) -> list[Json]:
    members: list[Json] = [tool.pin, tool.effect.value, tool.sink.value, sorted(tool.source), sorted(tool.tags)]
    members.append(
        {
            "secrets": sorted(tool.secrets),
            "roles": {name: one.role.value for name, one in tool.arguments.items() if one.role is not None},
            "asks": sorted(tool.asks),
            "results": [part.to_json() for part in tool.results],
            "format": tool.format.value,
        }
    )
    if tool.impact:
        members.append({"impact": {name: one.to_json() for name, one in tool.impact.items()}})
    shown = {name: one.shows.value for name, one in tool.arguments.items() if one.shows is not None}
    if tool.brief or shown:
        # What people are shown of a call belongs to what they decided by.
        members.append({"brief": tool.brief, "shows": shown})
    if tool.idempotent is not None:
        members.append({"idempotent": tool.idempotent.to_json()})
    if tool.preview is not None:
        members.append({"preview": tool.preview.to_json()})
    if tool.store is not None:
        members.append([tool.store.name, list(tool.store.keys), tool.store.reads, tool.store.writes])
    return members


def _stores(catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """The names of the stores of each server that has some."""
    stores: dict[str, dict[str, None]] = {}
    for tool in catalog.tools.values():
        if tool.store is not None:
            stores.setdefault(tool.server, {})[tool.store.name] = None
    return {server: tuple(names) for server, names in stores.items()}

"""Resources as people see them: `apiVersion, kind, metadata, spec, status`, plain JSON.

Plain values of environment variables are not shown anywhere: some are secrets. References are.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from remit.control.past_text import past_json
from remit.control.problems import SourceLocation
from remit.control.resources import (
    API_VERSION,
    AdmissionSpec,
    AgentSpec,
    BreakerSpec,
    BudgetSpec,
    ChannelSpec,
    GroupSpec,
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
from remit.control.stores import store_json, store_spec_json
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog, Http, Route, Server, Stdio, Topic
from remit.facts.credential import shown as shown_value
from remit.facts.results import ResultFormat
from remit.facts.source import Watched, Watches
from remit.facts.tool import Argument, Tool

HIDDEN: Final = "(hidden)"


@dataclass(frozen=True, slots=True)
class BundlePolicyText:
    """One policy of a bundle: its text and where that begins."""

    text: str
    where: SourceLocation


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One resource to list or describe; `where` is None for what no file declares."""

    kind: ResourceKind
    name: str
    where: SourceLocation | None
    manifest: Mapping[str, Json]


def manifest_entries(
    kind: ResourceKind, source: WorkspaceSource, catalog: Catalog, policies: Mapping[str, BundlePolicyText]
) -> tuple[ManifestEntry, ...]:
    """The resources of `kind` that run, by name.

    Tools are the accepted ones, with a catalog entry or without; policies go by their `@id`.
    """
    declared = {r.name: r for r in source.resources if r.kind is kind}
    match kind:
        case ResourceKind.TOOL:
            tools = {f"{tool.server}/{tool.name}": tool for tool in catalog.tools.values()}
            entries = [_tool_entry(name, tools[name], declared.get(name)) for name in tools]
        case ResourceKind.POLICY:
            entries = [
                ManifestEntry(kind, name, policy.where, _manifest(kind, name, {"cedar": policy.text}))
                for name, policy in policies.items()
            ]
        case _:
            every = declared.values()
            entries = [ManifestEntry(kind, r.name, r.where, manifest(r, catalog)) for r in every]
    return tuple(sorted(entries, key=lambda one: one.name))


def manifest(resource: Resource, catalog: Catalog | None = None) -> Mapping[str, Json]:
    """`resource` as declared; with the `catalog` it runs in, its `status` says what came of it."""
    status: dict[str, Json] = {}
    people = catalog and {ResourceKind.AGENT: catalog.agents, ResourceKind.USER: catalog.users}.get(resource.kind)
    if people and resource.name in people:
        status["groups"] = sorted(people[resource.name].groups)
    return _manifest(resource.kind, resource.name, spec_json(resource.spec), status, resource)


def spec_json(spec: Spec) -> dict[str, Json]:
    """The fields of `spec` as YAML spells them, those left out (None) left out."""
    members: dict[str, Json]
    match spec:
        case AgentSpec():
            members = {"owner": spec.owner, "purpose": spec.purpose, "groups": list(spec.groups)}
            members |= {"harness": spec.harness.value, "mode": spec.mode.value}
        case UserSpec():
            members = {"groups": list(spec.groups), "person": spec.person}
        case GroupSpec():
            members = {"description": spec.description, "groups": list(spec.groups)}
        case ServerSpec():
            members = {"url": spec.url, "private": spec.private or None, "cwd": spec.cwd, "shared": spec.shared}
            members |= {"verify_s": spec.verify_s, "call_s": spec.call_s}
            members |= {"source": None if spec.source is None else list(spec.source)}
            members |= {
                "sink": spec.sink and spec.sink.value,
                "detect": sorted(one.value for one in spec.detects) or None,
                "detect_sent": sorted(one.value for one in spec.detects_sent) or None,
            }
            if spec.command is not None:
                env: Json = {name: shown_value(value, HIDDEN) for name, value in spec.env.items()}
                members |= {"command": list(spec.command), "env": env}
            if spec.headers:
                members["headers"] = {name: value.to_json() for name, value in spec.headers.items()}
            members["oauth"] = None if spec.oauth is None else spec.oauth.to_json()
        case ToolSpec():
            members = {"effect": spec.effect and spec.effect.value, "tags": list(spec.tags)}
            members |= {"sink": spec.sink and spec.sink.value, "description": spec.description}
            members |= {"source": None if spec.source is None else list(spec.source)}
            members |= flow_json(spec)
            members["store"] = None if spec.store is None else store_spec_json(spec.store)
        case PolicySpec():
            members = {"cedar": spec.cedar}
        case RouteSpec():
            members = {"groups": list(spec.groups), "users": list(spec.users), "count": spec.count}
            members |= {"hold_s": spec.hold_s, "expires_s": spec.expires_s}
            members |= {"requester_may_approve": spec.requester_may_approve, "shared": spec.shared}
            members |= {"distinct_groups": spec.distinct_groups, "next": spec.next, "next_after_s": spec.next_after_s}
            members |= {"channels": list(spec.channels), "edits": spec.edits, "strong": spec.strong}
            members |= {"break_glass": list(spec.break_glass)}
        case SourceSpec():
            members = _source_json(spec)
        case BudgetSpec() | BreakerSpec():
            members = _bound_json(spec)
        case MonitorSpec() | GuaranteeSpec() | AdmissionSpec():
            members = spec.terms.to_json() if isinstance(spec, AdmissionSpec) else past_json(spec)
        case ChannelSpec():
            members = {"url": spec.url, "secret": spec.secret.to_json(), **_about(spec.about)}
        case _:
            assert_never(spec)
    return {name: value for name, value in members.items() if value is not None}


def _bound_json(spec: BudgetSpec | BreakerSpec) -> dict[str, Json]:
    members: dict[str, Json]
    if isinstance(spec, BudgetSpec):
        members = {"measure": spec.measure.value, "per": spec.per.value, "of": spec.of, "hard": spec.hard}
        members |= {"soft": spec.soft, "route": spec.route, "window_s": spec.window_s, "each": spec.each}
        return members | {"tools": list(spec.tools)}
    members = {"on": spec.on.value, "over": spec.over.value, "of": spec.of, "limit": spec.limit}
    members |= {"within_s": spec.within_s, "open_s": spec.open_s, "trials": spec.trials}
    return members | {"of_least": spec.of_least, "slow_ms": spec.slow_ms}


def flow_json(tool: Tool | ToolSpec) -> dict[str, Json]:
    """What is said of arguments and results, as YAML spells it; nothing where nothing is."""
    members: dict[str, Json] = {}
    if tool.arguments:
        members["arguments"] = {name: _argument_json(one) for name, one in tool.arguments.items()}
    if tool.asks:
        members["asks"] = sorted(tool.asks)
    if tool.results:
        members["results"] = [part.to_json() for part in tool.results]
    if tool.impact:
        members["impact"] = {name: one.to_json() for name, one in tool.impact.items()}
    if tool.format is not ResultFormat.JSON:
        members["format"] = tool.format.value
    if tool.brief:
        members["brief"] = tool.brief
    if tool.idempotent is not None:
        members["idempotent"] = tool.idempotent.to_json()
    if tool.preview is not None:
        members["preview"] = tool.preview.to_json()
    return members


def _argument_json(argument: Argument) -> Json:
    members: dict[str, Json] = {"secret": argument.secret}
    if argument.role is not None:
        members["role"] = argument.role.value
    if argument.shows is not None:
        members["shows"] = argument.shows.value
    return members


def catalog_json(catalog: Catalog) -> Mapping[tuple[ResourceKind, str], Mapping[str, Json]]:
    """What a catalog says of each resource, groups flattened, policies aside.

    Holds the values of environment variables: to compare, not to show.
    """
    resources: dict[tuple[ResourceKind, str], Mapping[str, Json]] = {}
    for name, agent in catalog.agents.items():
        resources[ResourceKind.AGENT, name] = {
            "owner": agent.owner,
            "purpose": agent.purpose,
            "groups": dict.fromkeys(agent.groups, True),
            "harness": agent.harness.value,
            "mode": agent.mode.value,
        }
    for name, user in catalog.users.items():
        resources[ResourceKind.USER, name] = {"groups": dict.fromkeys(user.groups, True), "person": user.person}
    for name in catalog.groups:
        resources[ResourceKind.GROUP, name] = {}
    for name, server in catalog.servers.items():
        resources[ResourceKind.SERVER, name] = _server_json(server)
    for tool in catalog.tools.values():
        resources[ResourceKind.TOOL, f"{tool.server}/{tool.name}"] = {
            "effect": tool.effect.value,
            "sink": tool.sink.value,
            "source": dict.fromkeys(tool.source, True),
            "tags": dict.fromkeys(tool.tags, True),
            **flow_json(tool),
            "store": tool.store and store_json(tool.store),
            "catalogued": tool.catalogued,
            "definition": tool.definition.to_json(),
        }
    for name, route in catalog.routes.items():
        resources[ResourceKind.ROUTE, name] = _route_json(route)
    for name, watched in catalog.sources.items():
        resources[ResourceKind.SOURCE, name] = _source_json(watched)
    for name, budget in catalog.budgets.items():
        resources[ResourceKind.BUDGET, name] = {**budget.to_json(), "tools": dict.fromkeys(budget.tools, True)}
    for name, breaker in catalog.breakers.items():
        resources[ResourceKind.BREAKER, name] = breaker.to_json()
    for name, channel in catalog.channels.items():
        resources[ResourceKind.CHANNEL, name] = {
            "url": channel.url,
            "secret": channel.secret.to_json(),
            **_about(channel.about),
        }
    for name, monitor in catalog.monitors.items():
        resources[ResourceKind.MONITOR, name] = monitor.to_json()
    for name, guarantee in catalog.guarantees.items():
        resources[ResourceKind.GUARANTEE, name] = guarantee.to_json()
    if catalog.admission is not None:
        resources[ResourceKind.ADMISSION, catalog.admission.name] = catalog.admission.terms.to_json()
    return resources


def _about(topics: Collection[Topic]) -> dict[str, Json]:
    return {"about": sorted(topics)} if topics else {}


def _server_json(server: Server) -> Mapping[str, Json]:
    members: dict[str, Json] = {
        "shared": server.shared,
        "verify_s": server.verify_s,
        "call_s": server.call_s,
        "source": dict.fromkeys(server.source, True),
        "sink": server.sink.value,
        "detect": dict.fromkeys(sorted(one.value for one in server.detects), True),
        "detect_sent": dict.fromkeys(sorted(one.value for one in server.detects_sent), True),
    }
    match server.transport:
        case Stdio(command, env, cwd):
            variables: Json = {
                name: shown_value(value, value if isinstance(value, str) else None) for name, value in env.items()
            }
            return {**members, "command": list(command), "env": variables, "cwd": cwd}
        case Http(url, headers, oauth, private):
            header_values: Json = {name: value.to_json() for name, value in headers.items()}
            return {
                **members,
                "url": url,
                "private": private,
                "headers": header_values,
                "oauth": oauth and oauth.to_json(),
            }
        case _:
            assert_never(server.transport)


def _source_json(source: SourceSpec | Watched) -> dict[str, Json]:
    members: dict[str, Json] = {"watches": source.watches.value, "every_s": source.every_s}
    if source.path is not None:
        members["path"] = source.path
    if source.watches is Watches.HOST:
        members |= {"homes": list(source.homes), "projects": list(source.projects), "processes": source.processes}
    return members


def _route_json(route: Route) -> Mapping[str, Json]:
    return {
        "groups": dict.fromkeys(route.groups, True),
        "users": dict.fromkeys(route.users, True),
        "count": route.count,
        "hold_s": route.hold_s,
        "expires_s": route.expires_s,
        "requester_may_approve": route.requester_may_approve,
        "shared": route.shared,
        "distinct_groups": route.distinct_groups,
        "next": route.next,
        "next_after_s": route.next_after_s,
        "channels": list(route.channels),
        "edits": route.edits,
        "strong": route.strong,
        "break_glass": dict.fromkeys(route.break_glass, True),
    }


def _tool_entry(name: str, tool: Tool, declared: Resource | None) -> ManifestEntry:
    spec: dict[str, Json] = {
        "effect": tool.effect.value,
        "sink": tool.sink.value,
        "source": sorted(tool.source),
        "tags": sorted(tool.tags),
    }
    spec |= flow_json(tool)
    if tool.store is not None:
        spec["store"] = store_json(tool.store)
    status: dict[str, Json] = {
        "exposed": tool.exposed,
        "pin": tool.pin,
        "catalogued": tool.catalogued,
        "definition": tool.definition.to_json(),
    }
    where = declared.where if declared else None
    return ManifestEntry(ResourceKind.TOOL, name, where, _manifest(ResourceKind.TOOL, name, spec, status, declared))


def _manifest(
    kind: ResourceKind,
    name: str,
    spec: Mapping[str, Json],
    status: Mapping[str, Json] | None = None,
    declared: Resource | None = None,
) -> Mapping[str, Json]:
    metadata: dict[str, Json] = {"name": name}
    if declared and declared.labels:
        metadata["labels"] = dict(declared.labels)
    if declared and declared.annotations:
        metadata["annotations"] = dict(declared.annotations)
    return {
        "apiVersion": API_VERSION,
        "kind": kind.value,
        "metadata": metadata,
        "spec": spec,
        "status": status or {},
    }

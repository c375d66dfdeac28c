"""The Cedar schema of a catalog, in Cedar's JSON form (docs/reference/policies.md).

Groups, servers, models, labels and argument names are *enumerated* entity types, so that a
misspelt one is an error instead of a policy that silently never applies.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias, assert_never, cast

from remit.facts.budget import Measure
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.facts.feed import readable
from remit.facts.label import closed
from remit.facts.monitor import EventAggregate, Monitor
from remit.facts.origin import Origin
from remit.facts.tool import Effect, Sink, Tool
from remit.policy.input_types import Atom, CedarType, Field, RecordType, SetOf

NAMESPACE: Final = "Remit"
EVERYONE: Final = "everyone"
ANY_ARG: Final = "*"
NOBODY: Final = "(none)"
"""Stands in an enumeration that would be empty, which Cedar refuses; no name looks like it."""

DELEGATE: Final = "delegate"
OTHER_ACTIONS: Final = MappingProxyType(
    {
        "call_model": "Model",
        "read_resource": "Data",
        "get_prompt": "Server",
        "list_roots": "Server",
        DELEGATE: "Agent",
    }
)
"""Actions that are no tool calls, and the type of their resource."""

INPUTS: Final = MappingProxyType(
    {
        "read_resource": RecordType(MappingProxyType({"uri": Field(Atom.STRING, required=True)})),
        "get_prompt": RecordType(MappingProxyType({"name": Field(Atom.STRING, required=True)})),
    }
)
"""Their typed input, where they have one."""

CLIENT_MODEL: Final = "client"
"""The model of whoever the agent runs in, which servers reach by sampling."""

FLOW: Final = frozenset({"targets", "content", "credentials", "carried", "args", "asked"})
"""Attributes of the context that say where an action's values came from."""

SOURCES: Final = ("agent", "harness")
"""Who says how sure an agent is: itself, or the trusted harness around it."""

"""Attributes of the vocabulary that this version does not compute yet."""

Tools: TypeAlias = Mapping[str, tuple[Tool, RecordType | None]]
"""Tools by action id, with their typed input; None for one without."""


def action_groups(tool: Tool) -> tuple[str, ...]:
    """The action groups of a tool's action, labels closed upward."""
    return (
        "call_tool",
        f"effect:{tool.effect.value}",
        f"sink:{tool.sink.value}",
        *(f"source:{label}" for label in sorted(closed(tool.brings))),
        f"server:{tool.server}",
        *(f"tag:{tag}" for tag in sorted(tool.tags)),
    )


def cedar_schema(catalog: Catalog, tools: Tools, arguments: Iterable[str]) -> dict[str, Json]:
    """The whole schema. `arguments` are the names that `Arg` enumerates besides `*`."""
    return {
        NAMESPACE: {
            "commonTypes": {**_common_types(), **_common_past(catalog)},
            "entityTypes": {
                "Group": _enum({*catalog.groups, EVERYONE}),
                "Server": _enum(catalog.servers),
                "Model": _enum({CLIENT_MODEL}),
                "Label": _enum(closed(catalog.labels)),
                "Arg": _enum({*arguments, ANY_ARG}),
                "Source": _enum(SOURCES),
                "Agent": {"memberOfTypes": ["Group"]},
                "User": {"memberOfTypes": ["Group"]},
                "Data": {"memberOfTypes": ["Server"]},
            },
            "actions": _actions(catalog, tools),
        }
    }


def _actions(catalog: Catalog, tools: Tools) -> dict[str, Json]:
    groups = {
        "call_tool",
        *(f"effect:{effect.value}" for effect in Effect),
        *(f"sink:{sink.value}" for sink in Sink),
        *(f"source:{label}" for label in closed(catalog.labels)),
        *(f"server:{server}" for server in catalog.servers),
    }
    for tool, _ in tools.values():
        groups.update(action_groups(tool))
    actions: dict[str, Json] = {group: {} for group in sorted(groups)}
    others, others_past = _budgets(catalog, None), _past_of(catalog, None)
    looked = any(server.detects_sent for server in catalog.servers.values())
    for name, resource in OTHER_ACTIONS.items():
        record = INPUTS.get(name)
        sends = _optional(_LABELS) if looked and record is not None else None
        actions[name] = {"appliesTo": _applies(resource, _context(record, others, others_past, sends))}
    for name, (tool, record) in tools.items():
        actions[name] = {
            "memberOf": [{"id": group} for group in action_groups(tool)],
            "appliesTo": _applies(
                "Server",
                _context(
                    record,
                    _budgets(catalog, tool),
                    _past_of(catalog, tool),
                    _LABELS if catalog.looked_for_at(tool.server) else None,
                ),
            ),
        }
    return actions


def _applies(resource: str, context: Json) -> Json:
    return {"principalTypes": ["Agent"], "resourceTypes": [resource], "context": context}


def _budgets(catalog: Catalog, tool: Tool | None) -> Json:
    """The budgets that may count what calls `tool`, or, without one, what else is done."""
    attributes: dict[str, Json] = {}
    for budget in catalog.budgets.values():
        if tool is None and budget.tools:
            continue
        if tool is None or not budget.tools or not budget.tools.isdisjoint({tool.server, f"{tool.server}/{tool.name}"}):
            kind = "Money" if budget.measure is Measure.AMOUNT else "Budget"
            attributes[budget.name] = {"type": kind, "required": False}
    return {"type": "Record", "attributes": attributes}


_LABELS: Final[Json] = {"type": "Set", "element": {"type": "Entity", "name": "Label"}}


def _context(record: RecordType | None, budget: Json, past: Json, sends: Json) -> Json:
    attributes: dict[str, Json] = {} if record is None else {"input": cedar_type(record)}
    attributes["onBehalfOf"] = {"type": "Entity", "name": "User", "required": False}
    attributes["inputSize"] = {"type": "Long"}
    attributes["session"] = {"type": "Session"}
    attributes["delegation"] = {"type": "Delegation"}
    attributes["system"] = {"type": "System"}
    attributes["targets"] = {"type": "Targets"}
    for name in ("content", "credentials", "carried"):
        attributes[name] = {"type": "Origins"}
    attributes["args"] = {"type": "Args"}
    attributes["asked"] = {"type": "Boolean"}
    attributes["impact"] = {"type": "Impact"}
    attributes["novelty"] = {"type": "Novelty"}
    attributes["budget"] = budget
    if past is not None:
        attributes["past"] = past
    if sends is not None:
        attributes["sends"] = sends
    return {"type": "Record", "attributes": attributes}


def _common_types() -> dict[str, Json]:
    def record(**attributes: Json) -> Json:
        return {"type": "Record", "attributes": attributes}

    def entities(name: str) -> Json:
        return {"type": "Set", "element": {"type": "Entity", "name": name}}

    long: Json = {"type": "Long"}
    boolean: Json = {"type": "Boolean"}
    decimal: Json = {"type": "Extension", "name": "decimal"}
    source: Json = {"type": "Entity", "name": "Source"}
    origins: dict[str, Json] = {"count": long, **{origin.word: long for origin in Origin}}
    return {
        "Targets": record(**origins, established=long, strangers=long),
        "Origins": record(**origins),
        "Args": record(**{origin.word: entities("Arg") for origin in Origin}),
        "Session": record(
            labels=entities("Label"),
            calls=long,
            irreversibleCalls=long,
            ageSeconds=long,
            confidence={"type": "Confidence", "required": False},
        ),
        "Confidence": record(value=decimal, source=source),
        "Impact": record(
            amount=_optional(decimal),
            records=_optional(long),
            recipients=_optional(long),
            reversible=boolean,
            external=boolean,
        ),
        "Novelty": record(tool=boolean, target=boolean),
        "Budget": record(left=long, percent=long, soft=boolean),
        "Money": record(left=decimal, percent=long, soft=boolean),
        "Delegation": record(depth=long, chain=entities("Agent")),
        "System": record(now={"type": "Extension", "name": "datetime"}),
    }


def _common_past(catalog: Catalog) -> dict[str, Json]:
    past = readable(catalog.monitors.values(), None)
    return {"Past": _past(past), "Previous": _PREVIOUS} if catalog.monitors else {}


def _past_of(catalog: Catalog, tool: Tool | None) -> Json:
    """What policies on calls of `tool`, or on what else is done, may ask of the past; None where nothing is kept."""
    past = readable(catalog.monitors.values(), tool)
    if not past:
        return None
    return {"type": "Past"} if all(one.by is None for one in past) else _past(past)


def _past(monitors: Iterable[Monitor]) -> dict[str, Json]:
    return {"type": "Record", "attributes": {one.name: _monitor_type(one) for one in monitors}}


def _monitor_type(monitor: Monitor) -> Json:
    """The type of what policies are told of `monitor`."""
    match monitor.op:
        case EventAggregate.ONCE | EventAggregate.SINCE:
            return {"type": "Boolean"}
        case EventAggregate.COUNT:
            return {"type": "Long"}
        case EventAggregate.SUM:
            return {"type": "Extension", "name": "decimal"} if monitor.measure == "amount" else {"type": "Long"}
        case EventAggregate.PREVIOUS:
            return {"type": "Previous", "required": False}
        case _:
            assert_never(monitor.op)


_PREVIOUS: Final[Json] = {
    "type": "Record",
    "attributes": {
        "agent": {"type": "Entity", "name": "Agent"},
        "user": {"type": "Entity", "name": "User", "required": False},
    },
}
"""Who did it last."""


def _optional(kind: Json) -> dict[str, Json]:
    return {**cast("Mapping[str, Json]", kind), "required": False}


def cedar_type(kind: CedarType) -> dict[str, Json]:
    """`kind` in Cedar's JSON schema form."""
    match kind:
        case Atom.DECIMAL:
            return {"type": "Extension", "name": "decimal"}
        case Atom():
            return {"type": kind.value}
        case SetOf():
            return {"type": "Set", "element": cedar_type(kind.element)}
        case RecordType():
            attributes: dict[str, Json] = {}
            for name, part in kind.fields.items():
                attributes[name] = {**cedar_type(part.type), "required": part.required}
            return {"type": "Record", "attributes": attributes}
        case _:
            assert_never(kind)


def _enum(names: Iterable[str]) -> Json:
    return {"enum": sorted(names) or [NOBODY]}


def attributes(schema: Mapping[str, Json], action: str, path: tuple[str, ...]) -> Mapping[str, Json]:
    """The attributes of `context.<path>` for `action`, in a schema made by `cedar_schema`.

    Empty where there is no such record.
    """
    node = _at(schema, NAMESPACE, "actions", action, "appliesTo", "context")
    for name in path:
        node = _at(node, "attributes", name)
        common = _at(schema, NAMESPACE, "commonTypes", _at(node, "type"))
        node = node if common is None else common
    members = _at(node, "attributes")
    return members if isinstance(members, Mapping) else {}


def resolves(schema: Mapping[str, Json], action: str, path: tuple[str, ...]) -> bool:
    """Whether `context.<path>` exists for `action`; `path` is not empty."""
    return path[-1] in attributes(schema, action, path[:-1])


def kind_at(schema: Mapping[str, Json], action: str, path: tuple[str, ...]) -> str | None:
    """The Cedar type of `context.<path>` for `action`; None where it does not exist."""
    node = attributes(schema, action, path[:-1]).get(path[-1]) if path else None
    kind = _at(node, "name") or _at(node, "type")
    return kind if isinstance(kind, str) else None


def names_of(schema: Mapping[str, Json], section: str, kind: str | None = None) -> tuple[str, ...]:
    """Names in a section of the schema: actions, or the ids that entity type `kind` lists."""
    node = _at(schema, NAMESPACE, section)
    if kind is not None:
        node = _at(node, kind, "enum")
    return tuple(str(name) for name in node) if isinstance(node, Mapping | list) else ()


def _at(value: Json, *steps: Json) -> Json:
    for step in steps:
        if not isinstance(value, Mapping) or not isinstance(step, str):
            return None
        value = value.get(step)
    return value

"""What runs and what differs, in the words of the control API."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import TypeVar

from remit.api.services import Change, Resource, ServerPin, ToolPin
from remit.app.running import Running
from remit.control import lock as locking
from remit.control.difference import changes, render
from remit.control.drift import Comparison, Standing, compare
from remit.control.resources import API_VERSION, Kind, PolicySpec
from remit.control.resources import Resource as Declared
from remit.facts.canonical import Json
from remit.facts.catalog import Definition, Tool
from remit.policy.bundle import Bundle, Policy

_V = TypeVar("_V")


def resources(running: Running, kind: Kind) -> Sequence[Resource]:
    """The running resources of `kind`, in order of names.

    Tools are those of the lock, catalogued or not; policies those that compiled, wherever they
    stand.
    """
    declared = {r.name: r for r in running.source.resources if r.kind is kind}
    match kind:
        case Kind.TOOL:
            tools = running.bundle.catalog.tools.values()
            found = [_tool(tool, declared, running.bundle) for tool in tools]
        case Kind.POLICY:
            found = [_policy(policy) for policy in running.bundle.policies.values()]
        case _:
            found = [_declared(resource) for resource in declared.values()]
    return sorted(found, key=lambda resource: resource.name)


def changes_between(old: Running, new: Running) -> tuple[Change, ...]:
    """What `new` adds, changes and removes, by kind and name."""
    found: list[Change] = []
    for kind in Kind:
        before = {r.name: r.manifest for r in resources(old, kind)}
        after = {r.name: r.manifest for r in resources(new, kind)}
        for name in sorted(before.keys() | after.keys()):
            if name not in before:
                found.append(Change("add", kind.value, name))
            elif name not in after:
                found.append(Change("remove", kind.value, name))
            elif lines := tuple(map(render, changes(before[name], after[name]))):
                found.append(Change("change", kind.value, name, lines))
    return tuple(found)


def server_pin(
    running: Running, server: str, live: Sequence[Definition] | None, *, unreachable: str = ""
) -> ServerPin:
    """The tools of `server` against the lock; `live` None where it is not reached."""
    bundle = running.bundle
    if live is None:
        pinned = [tool for tool in bundle.catalog.tools.values() if tool.server == server]
        rows = tuple(_pin(tool, "unverified", None, (), bundle) for tool in pinned)
        return ServerPin(server, None, rows, unreachable)
    found = compare(running.source.lock, server, live)
    try:
        whole = locking.list_pin(live)
    except (ValueError, RecursionError):
        whole = None
    return ServerPin(server, whole, tuple(_compared(item, bundle) for item in found))


def _compared(item: Comparison, bundle: Bundle) -> ToolPin:
    known = bundle.catalog.tools.get((item.server, item.tool))
    stand_in = item.live or item.pinned
    if known is None and stand_in is not None:
        known = Tool(item.server, stand_in, "")
    if known is None:
        raise AssertionError("a compared tool is live or locked")
    lines = tuple(map(render, item.changes))
    if item.note:
        lines = (*lines, f"note: {item.note}")
    if item.standing is Standing.UNREVIEWED and item.live is not None:
        lines = (*_shown(item.live), *lines)
    return _pin(known, item.standing.value, item.pin, lines, bundle)


def _shown(definition: Definition) -> Iterator[str]:
    """A definition nobody has reviewed yet, for the person who must."""
    for change in changes({}, definition.to_json()):
        yield render(change)


def _pin(
    tool: Tool, state: str, live: str | None, lines: tuple[str, ...], bundle: Bundle
) -> ToolPin:
    return ToolPin(
        server=tool.server,
        name=tool.name,
        exposed=tool.exposed,
        state=state,
        accepted=tool.pin or None,
        live=live,
        effect=tool.effect.value,
        sink=tool.sink.value,
        source=tuple(sorted(tool.source)),
        catalogued=tool.catalogued,
        untypable=bundle.quarantined.get((tool.server, tool.name)),
        lines=lines,
    )


def _declared(resource: Declared) -> Resource:
    spec = {
        field.name: plain(getattr(resource.spec, field.name)) for field in fields(resource.spec)
    }
    if isinstance(resource.spec, PolicySpec):
        spec.pop("line", None)
    return _resource(resource.kind, resource.name, spec, str(resource.where))


def _tool(tool: Tool, declared: Mapping[str, Declared], bundle: Bundle) -> Resource:
    name = f"{tool.server}/{tool.name}"
    spec: dict[str, Json] = {
        "effect": tool.effect.value,
        "sink": tool.sink.value,
        "source": sorted(tool.source),
        "tags": sorted(tool.tags),
    }
    status: dict[str, Json] = {
        "exposed": tool.exposed,
        "pin": tool.pin,
        "catalogued": tool.catalogued,
        "quarantined": bundle.quarantined.get((tool.server, tool.name)),
        "definition": tool.definition.to_json(),
    }
    where = str(declared[name].where) if name in declared else locking.FILE
    return _resource(Kind.TOOL, name, spec, where, status)


def _policy(policy: Policy) -> Resource:
    spec: dict[str, Json] = {
        "effect": policy.form.effect.value,
        "reason": policy.reason,
        "gate": policy.gate,
        "obligation": policy.obligation,
        "cedar": policy.statement.text,
    }
    return _resource(Kind.POLICY, policy.ident, spec, policy.where)


def _resource(
    kind: Kind, name: str, spec: Mapping[str, Json], where: str, status: Json = None
) -> Resource:
    manifest: dict[str, Json] = {
        "apiVersion": API_VERSION,
        "kind": kind.value,
        "metadata": {"name": name},
        "spec": spec,
        "status": status if status is not None else {},
    }
    return Resource(kind.value, name, manifest, where)


def plain(value: object) -> Json:
    """A field of a spec as JSON: enums by value, sets sorted."""
    match value:
        case Enum():
            return plain(value.value)
        case None | bool() | int() | float() | str():
            return value
        case frozenset():
            return sorted(str(item) for item in value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case Sequence():
            return [plain(item) for item in value]
        case _:
            raise TypeError(f"a spec field holds a {type(value).__name__}")

"""What runs and what differs, from `control`'s words to those of the control API."""

from collections.abc import Mapping, Sequence

from remit.api.services import Change, Resource, ServerPin, ToolPin
from remit.app.running import Running
from remit.control.diff import Side, diff
from remit.control.difference import render
from remit.control.drift import Comparison, Standing, compare
from remit.control.lock import FILE, list_pin
from remit.control.manifests import PolicyText, shown
from remit.control.problems import Where
from remit.control.resources import Kind
from remit.control.review import Reviewed, review
from remit.facts.canonical import Json
from remit.facts.catalog import Definition, Tool
from remit.pdp.snapshot import Pin
from remit.policy.bundle import Bundle


def resources(running: Running, kind: Kind) -> Sequence[Resource]:
    """The running resources of `kind`, in order of names; secrets are not among what is shown."""
    bundle = running.bundle
    policies = {
        ident: PolicyText(policy.statement.text, Where(policy.statement.file, policy.statement.line))
        for ident, policy in bundle.policies.items()
    }
    found: list[Resource] = []
    for one in shown(kind, running.source, bundle.catalog, policies):
        manifest = one.manifest if kind is not Kind.TOOL else _with_quarantine(one.name, one.manifest, bundle)
        where = FILE if one.where is None and kind is Kind.TOOL else one.where
        found.append(Resource(kind.value, one.name, manifest, None if where is None else str(where)))
    return found


def changes_between(old: Running, new: Running) -> tuple[Change, ...]:
    """What `new` adds, changes and removes, by kind and name."""
    return tuple(
        Change(change.op.value, change.kind.value, change.name, change.lines) for change in diff(_side(old), _side(new))
    )


def server_pin(
    running: Running, server: str, live: Sequence[Definition] | None, *, unreachable: str | None = None
) -> ServerPin:
    """The tools of `server` against the lock; `live` None where it is not reached."""
    bundle = running.bundle
    if live is None:
        pinned = [tool for tool in bundle.catalog.tools.values() if tool.server == server]
        rows = tuple(_pin(tool, Pin.UNVERIFIED.value, None, (), bundle) for tool in pinned)
        return ServerPin(server, None, rows, unreachable)
    entered = [resource.name for resource in running.source.resources if resource.kind is Kind.TOOL]
    waiting = review(running.source.lock, server, live, entered)
    reviewed = {item.comparison.tool: item for item in waiting.tools}
    compared = compare(running.source.lock, server, live)
    rows = tuple(_compared(one, reviewed.get(one.tool), bundle) for one in compared)
    whole = waiting.pin or (list_pin(live) if compared and not waiting.tools else None)
    return ServerPin(server, whole, rows)


def _compared(one: Comparison, reviewed: Reviewed | None, bundle: Bundle) -> ToolPin:
    known = bundle.catalog.tools.get((one.server, one.tool))
    stand_in = one.live or one.pinned
    if known is None and stand_in is not None:
        known = Tool(one.server, stand_in, "")
    if known is None:
        raise AssertionError("a compared tool is live or locked")
    lines: list[str] = []
    if reviewed is not None:
        lines += reviewed.lines if one.standing is Standing.UNREVIEWED else map(render, one.changes)
        lines += [f"note: {one.note}"] if one.note else []
        lines += [f"# {line}" for line in reviewed.suggestion.lines] if reviewed.suggestion else []
    return _pin(known, one.standing.value, one.pin, tuple(lines), bundle)


def _pin(tool: Tool, state: str, live: str | None, lines: tuple[str, ...], bundle: Bundle) -> ToolPin:
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


def _with_quarantine(name: str, manifest: Mapping[str, Json], bundle: Bundle) -> Mapping[str, Json]:
    server, _, tool = name.partition("/")
    quarantined: dict[str, Json] = {"quarantined": bundle.quarantined.get((server, tool))}
    match manifest["status"]:
        case {**status}:
            return {**manifest, "status": {**status, **quarantined}}
        case _:
            return {**manifest, "status": quarantined}


def _side(running: Running) -> Side:
    policies = {ident: policy.statement.text for ident, policy in running.bundle.policies.items()}
    return Side(running.bundle.catalog, policies)

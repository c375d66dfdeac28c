"""What runs and what differs, from `control`'s words to those of the control API."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from remit.api.moments import instant
from remit.api.services import Change, Missing, RunningResource, ServerPin, ToolPin
from remit.app.bundles.running_bundle import RunningBundle
from remit.control.diff import Side, diff
from remit.control.drift import DriftComparison, compare
from remit.control.lock import FILE, list_pin
from remit.control.manifests import BundlePolicyText, manifest_entries
from remit.control.problems import SourceLocation
from remit.control.resources import ResourceKind, ToolSpec
from remit.control.review import ToolReview, review
from remit.control.tables import kind_named
from remit.discover.health import SourceState
from remit.facts.canonical import Json
from remit.facts.catalog import Http, Server, Stdio
from remit.facts.tool import Definition, Tool
from remit.pdp.snapshot import Pin
from remit.policy.bundle import Bundle
from remit.ports.credentials import CredentialState
from remit.ports.upstream import ServerHealth
from remit.protect.detect.poison import Poison, poison

STDERR_LINES_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class States:
    """What only the running service knows, by name: of servers their health and credentials, of Sources how they do."""

    health: Mapping[str, ServerHealth]
    credentials: Mapping[str, CredentialState]
    sources: Mapping[str, SourceState]


def kind_of(word: str) -> ResourceKind:
    """The kind written `agent`, `Agents`, `policies` …; raises `Missing` when there is none."""
    kind = kind_named(word)
    if kind is None:
        raise Missing(f"no kind of resource is called {word[:64]!r}")
    return kind


def resources(running: RunningBundle, kind: ResourceKind, states: States) -> Sequence[RunningResource]:
    """The running resources of `kind`, in order of names, with `states` as their status; no secret is shown."""
    bundle = running.bundle
    policies = {
        ident: BundlePolicyText(policy.statement.text, SourceLocation(policy.statement.file, policy.statement.line))
        for ident, policy in bundle.policies.items()
    }
    running_resources: list[RunningResource] = []
    for entry in manifest_entries(kind, running.source, bundle.catalog, policies):
        manifest = _with_status(entry.manifest, _status(kind, entry.name, bundle, states))
        where = FILE if entry.where is None and kind is ResourceKind.TOOL else entry.where
        running_resources.append(
            RunningResource(kind.value, entry.name, manifest, None if where is None else str(where))
        )
    return running_resources


def changes_between(old: RunningBundle, new: RunningBundle) -> tuple[Change, ...]:
    """What `new` adds, changes and removes, by kind and name."""
    return tuple(
        Change(change.op.value, change.kind.value, change.name, change.lines) for change in diff(_side(old), _side(new))
    )


def server_pin(
    running: RunningBundle, server: str, live: Sequence[Definition] | None, *, unreachable: str | None = None
) -> ServerPin:
    """The tools of `server` against the lock; `live` None where it is not reached."""
    bundle = running.bundle
    if live is None:
        pinned = [tool for tool in bundle.catalog.tools.values() if tool.server == server]
        rows = tuple(_pin(tool, Pin.UNVERIFIED.value, None, (), bundle) for tool in pinned)
        return ServerPin(server, None, rows, unreachable)
    entries = {one.name: one.spec for one in running.source.resources if isinstance(one.spec, ToolSpec)}
    waiting = review(running.source.lock, server, live, entries)
    reviewed = {item.comparison.tool: item for item in waiting.tools}
    compared = compare(running.source.lock, server, live)
    rows = tuple(_tool_pin(comparison, reviewed.get(comparison.tool), bundle) for comparison in compared)
    whole = waiting.pin or (list_pin(live) if compared and not waiting.tools else None)
    return ServerPin(server, whole, rows)


def _tool_pin(comparison: DriftComparison, reviewed: ToolReview | None, bundle: Bundle) -> ToolPin:
    tool = bundle.catalog.tools.get((comparison.server, comparison.tool))
    stand_in = comparison.live or comparison.pinned
    if tool is None and stand_in is not None:
        tool = Tool(comparison.server, stand_in, "")
    if tool is None:
        raise AssertionError("a compared tool is live or locked")
    lines: list[str] = []
    if reviewed is not None:
        lines += reviewed.lines
        lines += [f"read twice: {finding}" for finding in _poison(comparison, bundle)]
    row = _pin(tool, comparison.status.value, comparison.pin, tuple(lines), bundle)
    definition = comparison.live.to_json() if comparison.live else None
    if reviewed is None:
        return replace(row, definition=definition)
    suggestion, changed = reviewed.suggestion, reviewed.suggestion_changes
    return replace(row, definition=definition, suggestion=suggestion, suggestion_changes=changed)


def _poison(comparison: DriftComparison, bundle: Bundle) -> tuple[Poison, ...]:
    """What in the live definition speaks to the model, or of other tools than itself."""
    others = {
        tool.name
        for tool in bundle.catalog.tools.values()
        if (tool.server, tool.name) != (comparison.server, comparison.tool)
    }
    return () if comparison.live is None else poison(comparison.live, others)


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


def _status(kind: ResourceKind, name: str, bundle: Bundle, states: States) -> Mapping[str, Json]:
    """What only the running service knows of a resource."""
    if kind is ResourceKind.SOURCE and (source := states.sources.get(name)) is not None:
        return _source_status(source)
    if kind is ResourceKind.POLICY and (policy := bundle.policies.get(name)) is not None:
        route = None if policy.gate is None else policy.gate.route
        policy_status = {"does": policy.role, "route": route, "reason": policy.text, "obligation": policy.obligation}
        return cast("Mapping[str, Json]", policy_status)
    credential = states.credentials.get(name)
    if kind is ResourceKind.TOOL:
        server, _, tool = name.partition("/")
        return {"quarantined": bundle.quarantined.get((server, tool))}
    if kind is ResourceKind.SERVER and (health := states.health.get(name)) is not None:
        return {
            "state": health.state,
            "eras": [era.value for era in health.eras],
            "last_error": health.last_error,
            "pids": list(health.pids),
            "restarts": health.restarts,
            "stray_messages": health.strays,
            "dropped_tools": dict(health.dropped),
            "stderr": health.stderr.splitlines()[-STDERR_LINES_MAX:],
            **({} if credential is None else {"credential": credential_view(credential)}),
            **remedy(bundle.catalog.servers.get(name), health),
        }
    return {}


def remedy(server: Server | None, health: ServerHealth) -> Mapping[str, Json]:
    """What to do outside Remit about a server that is not reached; nothing where `last_error` says all of it."""
    if server is None or health.last_error is None or health.state == "up":
        return {}
    match server.transport:
        case Stdio(command=command, cwd=cwd):
            by_hand = f"cd {shlex.quote(cwd)} && {shlex.join(command)}" if cwd else shlex.join(command)
            return {"next": f"read its stderr here, and run its command by hand: {by_hand}"}
        case Http():
            return {}


def _source_status(state: SourceState) -> Mapping[str, Json]:
    condition = {"type": "Healthy", "status": state.status.value, "reason": state.reason, "message": state.message}
    last = None if state.at_ms is None else instant(state.at_ms)
    return {"healthy": state.status.value, "last": last, "conditions": [condition]}


def credential_view(state: CredentialState) -> Mapping[str, Json]:
    """How a credential stands: never what it is."""
    until = None if state.until_ms is None else instant(state.until_ms)
    return {
        "state": state.status.value,
        "until": until,
        "issuer": state.issuer,
        "scopes": list(state.scopes),
        "why": state.why,
    }


def _with_status(manifest: Mapping[str, Json], more: Mapping[str, Json]) -> Mapping[str, Json]:
    match manifest["status"]:
        case {**status}:
            return {**manifest, "status": {**status, **more}}
        case _:
            return {**manifest, "status": more}


def _side(running: RunningBundle) -> Side:
    policies = {ident: policy.statement.text for ident, policy in running.bundle.policies.items()}
    return Side(running.bundle.catalog, policies)

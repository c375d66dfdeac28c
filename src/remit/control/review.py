"""What a person sees before accepting a tool: what it is now, what changed, what to write.

The catalog entry is what `control.suggest` proposes for all tools that could be accepted now, as `remit tools suggest`
does for those that are. It is text for a person to judge and is never read by anything: what is accepted without an
entry stays irreversible, external, untrusted, whatever the server claims. Of a tool that has an entry and drifted, it
is what the drift changes of that proposal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from remit.control.description import description_lines
from remit.control.difference import render
from remit.control.drift import DriftComparison, DriftStatus, compare
from remit.control.lock import Lock, list_pin
from remit.control.manifests import spec_json
from remit.control.resources import ToolSpec
from remit.control.suggest import SuggestedSpec, propose
from remit.control.suggest_change import SuggestionChange, suggestion_changes
from remit.facts.tool import Definition, exposed_name


@dataclass(frozen=True, slots=True)
class ToolReview:
    """One tool to review. `lines` are for people, below its name and standing, and safe to print.

    `pin` is what accepting takes and `accept` the command for it; None and empty where it cannot
    be accepted. `suggestion` is there where it has no entry, `suggestion_changes` where it has one and drifted.
    """

    comparison: DriftComparison
    exposed: str
    lines: tuple[str, ...]
    pin: str | None
    accept: str
    suggestion: SuggestedSpec | None
    suggestion_changes: tuple[SuggestionChange, ...] | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """A server's tools that do not match the lock. `pin` accepts its whole live list at once."""

    server: str
    tools: tuple[ToolReview, ...]
    pin: str | None


def review(
    lock: Lock, server: str, live: Iterable[Definition], entries: Mapping[str, ToolSpec] = MappingProxyType({})
) -> Review:
    """What waits for a person at `server`; `entries` are those of the catalog, by their names SERVER/TOOL."""
    definitions = tuple(live)
    comparisons = compare(lock, server, definitions)
    # As `tools suggest` does of what is accepted: each tool is judged beside all others of its server.
    proposed = {
        one.name: one for one in propose(server, [one.live for one in comparisons if one.live and not one.note])
    }
    changes = _changes(comparisons, proposed, entries)
    tools = tuple(
        _tool_review(one, proposed, changes, catalogued=_name(one) in entries)
        for one in comparisons
        if one.status is not DriftStatus.MATCHES
    )
    acceptable = definitions and not any(one.note for one in comparisons)
    return Review(server, tools, list_pin(definitions) if acceptable else None)


def _changes(
    comparisons: Iterable[DriftComparison], proposed: Mapping[str, SuggestedSpec], entries: Mapping[str, ToolSpec]
) -> Mapping[str, tuple[SuggestionChange, ...]]:
    """What is proposed otherwise than by what is accepted, of each tool that drifted and has an entry."""
    pinned = {_name(one): one.pinned for one in comparisons if one.pinned is not None}
    drifted = [
        _name(one)
        for one in comparisons
        if one.status is DriftStatus.DRIFTED and _name(one) in entries and _name(one) in proposed
    ]
    if not drifted:
        return {}
    before = {one.name: one for one in propose(drifted[0].partition("/")[0], pinned.values())}
    return {name: suggestion_changes(before[name], proposed[name], spec_json(entries[name])) for name in drifted}


def _tool_review(
    comparison: DriftComparison,
    proposed: Mapping[str, SuggestedSpec],
    changes: Mapping[str, tuple[SuggestionChange, ...]],
    *,
    catalogued: bool,
) -> ToolReview:
    name = _name(comparison)
    lines = [f"cannot be accepted: {comparison.note}"] if comparison.note else []
    if comparison.live is None:
        lines.append("the server does not list it any more; calls of it are denied")
    else:
        lines += [render(change) for change in comparison.changes] or description_lines(comparison.live)
    if not catalogued and comparison.live:
        lines.append("no catalog entry: counts as irreversible, external, untrusted")
    pin = comparison.pin if comparison.live and not comparison.note else None
    exposed = exposed_name(comparison.server, comparison.tool) if not comparison.note else ""
    accept = f"remit tools accept {name} --pin {pin}" if pin else ""
    suggestion = None if catalogued else proposed.get(name)
    return ToolReview(comparison, exposed, tuple(lines), pin, accept, suggestion, changes.get(name))


def _name(comparison: DriftComparison) -> str:
    return f"{comparison.server}/{comparison.tool}"

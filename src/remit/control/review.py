"""What a person sees before accepting a tool: what it is now, what changed, what to write.

The catalog entry is what `control.suggest` proposes for all tools that could be accepted now, as `remit tools suggest`
does for those that are. It is text for a person to judge and is never read by anything: what is accepted without an
entry stays irreversible, external, untrusted, whatever the server claims.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from remit.control.description import description_lines
from remit.control.difference import render
from remit.control.drift import DriftComparison, DriftStatus, compare
from remit.control.lock import Lock, list_pin
from remit.control.suggest import SuggestedSpec, propose
from remit.facts.tool import Definition, exposed_name


@dataclass(frozen=True, slots=True)
class ToolReview:
    """One tool to review. `lines` are for people, below its name and standing, and safe to print.

    `pin` is what accepting takes and `accept` the command for it; None and empty where it cannot
    be accepted.
    """

    comparison: DriftComparison
    exposed: str
    lines: tuple[str, ...]
    pin: str | None
    accept: str
    suggestion: SuggestedSpec | None


@dataclass(frozen=True, slots=True)
class Review:
    """A server's tools that do not match the lock. `pin` accepts its whole live list at once."""

    server: str
    tools: tuple[ToolReview, ...]
    pin: str | None


def review(lock: Lock, server: str, live: Iterable[Definition], catalogued: Iterable[str] = ()) -> Review:
    """What waits for a person at `server`; `catalogued` are names SERVER/TOOL with an entry."""
    definitions = tuple(live)
    catalogued_names = frozenset(catalogued)
    comparisons = compare(lock, server, definitions)
    # As `tools suggest` does of what is accepted: each tool is judged beside all others of its server.
    proposals = propose(server, [one.live for one in comparisons if one.live and not one.note])
    proposed = {one.name: one for one in proposals if one.name not in catalogued_names}
    tools = tuple(
        _tool_review(one, proposed.get(f"{server}/{one.tool}"), catalogued=f"{server}/{one.tool}" in catalogued_names)
        for one in comparisons
        if one.standing is not DriftStatus.MATCHES
    )
    acceptable = definitions and not any(one.note for one in comparisons)
    return Review(server, tools, list_pin(definitions) if acceptable else None)


def _tool_review(comparison: DriftComparison, suggestion: SuggestedSpec | None, *, catalogued: bool) -> ToolReview:
    name = f"{comparison.server}/{comparison.tool}"
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
    return ToolReview(comparison, exposed, tuple(lines), pin, accept, suggestion)

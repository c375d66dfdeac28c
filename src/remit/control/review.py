"""What a person sees before accepting a tool: what it is now, what changed, what to write.

The suggested catalog entry is text for a person to judge. It is never read by anything: what is
accepted without an entry stays irreversible, external, untrusted, whatever the server claims.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from remit.control.description import description_lines
from remit.control.difference import render
from remit.control.drift import DriftComparison, DriftStatus, compare
from remit.control.lock import Lock, list_pin
from remit.control.resources import API_VERSION
from remit.facts.canonical import Json
from remit.facts.catalog import Definition, Effect, Sink, exposed_name

_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_READS: Final = frozenset({
    "browse", "check", "count", "describe", "diff", "fetch", "find", "get", "head", "list", "log",
    "lookup", "query", "read", "search", "show", "stat", "status", "tree", "view",
})  # fmt: skip
_ENDS: Final = frozenset({
    "delete", "destroy", "drop", "email", "exec", "execute", "kill", "mail", "merge", "pay", "post",
    "publish", "purge", "push", "refund", "remove", "reset", "run", "send", "shell", "transfer",
    "truncate", "wipe",
})  # fmt: skip
_WRITES: Final = frozenset({
    "add", "append", "commit", "copy", "create", "edit", "insert", "make", "mkdir", "move", "put",
    "rename", "save", "set", "touch", "update", "upload", "write",
})  # fmt: skip
_OUTSIDE: Final = frozenset({
    "browse", "download", "email", "fetch", "http", "mail", "post", "publish", "request", "send",
    "upload", "url", "web", "webhook",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A catalog entry that a person might write; `because` says what each line rests on."""

    effect: Effect
    sink: Sink
    source: tuple[str, ...]
    because: tuple[str, ...]
    lines: tuple[str, ...]


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
    suggestion: Suggestion | None

    def to_json(self) -> Mapping[str, Json]:
        """The review as JSON, the live definition in full."""
        live = self.comparison.live
        return {
            **self.comparison.to_json(),
            "exposed": self.exposed,
            "live": live.to_json() if live else None,
            "accept": self.accept,
            "suggested": list(self.suggestion.lines) if self.suggestion else [],
        }


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
    mismatches = (one for one in comparisons if one.standing is not DriftStatus.MATCHES)
    tools = tuple(_tool_review(one, catalogued=f"{server}/{one.tool}" in catalogued_names) for one in mismatches)
    acceptable = definitions and not any(one.note for one in comparisons)
    return Review(server, tools, list_pin(definitions) if acceptable else None)


def suggest(server: str, definition: Definition) -> Suggestion:
    """A catalog entry from what the server claims and from the words of the tool's name.

    Read it, correct it, or leave it: only a person's entry lowers a default.
    """
    words = frozenset(word.lower() for word in _WORD.findall(definition.name))
    hints = definition.annotations
    effect, why = _effect(words, hints)
    because = [f"effect: {why}"]
    outside = hints.get("openWorldHint")
    if outside is False and not words & _OUTSIDE:
        sink, source = Sink.INTERNAL, ("untrusted",)
        because.append("sink: the server claims openWorldHint: false")
    elif effect is Effect.READ and outside is not True and not words & _OUTSIDE:
        sink, source = Sink.INTERNAL, ("untrusted",)
        because.append("sink: it seems to read, and nothing says it reaches outside")
    else:
        sink = Sink.EXTERNAL
        source = ("untrusted:web",) if words & {"fetch", "http", "url", "web"} else ("untrusted",)
        because.append("sink: its arguments may leave")
    because.append("source: write [] only if you trust whoever writes what it returns")
    return Suggestion(effect, sink, source, tuple(because), _entry(server, definition, effect, sink, source))


def _effect(words: frozenset[str], hints: Mapping[str, Json]) -> tuple[Effect, str]:
    claimed = "the server claims "
    if ends := sorted(words & _ENDS):
        return Effect.IRREVERSIBLE, f"its name says {ends[0]!r}"
    if hints.get("readOnlyHint") is True:
        return Effect.READ, f"{claimed}readOnlyHint: true"
    if hints.get("destructiveHint") is True:
        return Effect.IRREVERSIBLE, f"{claimed}destructiveHint: true"
    if writes := sorted(words & _WRITES):
        return Effect.WRITE, f"its name says {writes[0]!r}"
    if hints.get("destructiveHint") is False:
        return Effect.WRITE, f"{claimed}destructiveHint: false"
    if reads := sorted(words & _READS):
        return Effect.READ, f"its name says {reads[0]!r}"
    return Effect.IRREVERSIBLE, "nothing says otherwise"


def _entry(server: str, definition: Definition, effect: Effect, sink: Sink, source: tuple[str, ...]) -> tuple[str, ...]:
    name = json.dumps(f"{server}/{definition.name}", ensure_ascii=False)
    return (
        "---",
        f"apiVersion: {API_VERSION}",
        "kind: Tool",
        "metadata:",
        f"  name: {name}",
        "spec:",
        f"  effect: {effect}",
        f"  sink: {sink}",
        f"  source: [{', '.join(json.dumps(label) for label in source)}]",
    )


def _tool_review(comparison: DriftComparison, *, catalogued: bool) -> ToolReview:
    name = f"{comparison.server}/{comparison.tool}"
    lines = [f"cannot be accepted: {comparison.note}"] if comparison.note else []
    if comparison.live is None:
        lines.append("the server does not list it any more; calls of it are denied")
    else:
        lines += [render(change) for change in comparison.changes] or description_lines(comparison.live)
    if not catalogued and comparison.live:
        lines.append("no catalog entry: counts as irreversible, external, untrusted")
    pin = comparison.pin if comparison.live and not comparison.note else None
    suggestion = (
        suggest(comparison.server, comparison.live) if comparison.live and not (catalogued or comparison.note) else None
    )
    exposed = exposed_name(comparison.server, comparison.tool) if not comparison.note else ""
    accept = f"remit tools accept {name} --pin {pin}" if pin else ""
    return ToolReview(comparison, exposed, tuple(lines), pin, accept, suggestion)

"""What a person sees before accepting a tool: what it is now, what changed, what to write.

The suggested catalog entry is text for a person to judge. It is never read by anything: what is
accepted without an entry stays irreversible, external, untrusted, whatever the server claims.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from remit.control.description import described
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
class Reviewed:
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
    tools: tuple[Reviewed, ...]
    pin: str | None


def review(lock: Lock, server: str, live: Iterable[Definition], catalogued: Iterable[str] = ()) -> Review:
    """What waits for a person at `server`; `catalogued` are names SERVER/TOOL with an entry."""
    definitions = tuple(live)
    known = frozenset(catalogued)
    compared = compare(lock, server, definitions)
    waiting = (one for one in compared if one.standing is not DriftStatus.MATCHES)
    tools = tuple(_reviewed(one, entered=f"{server}/{one.tool}" in known) for one in waiting)
    acceptable = definitions and not any(one.note for one in compared)
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


def _reviewed(one: DriftComparison, *, entered: bool) -> Reviewed:
    name = f"{one.server}/{one.tool}"
    lines = [f"cannot be accepted: {one.note}"] if one.note else []
    if one.live is None:
        lines.append("the server does not list it any more; calls of it are denied")
    else:
        lines += [render(change) for change in one.changes] or described(one.live)
    if not entered and one.live:
        lines.append("no catalog entry: counts as irreversible, external, untrusted")
    pin = one.pin if one.live and not one.note else None
    suggestion = suggest(one.server, one.live) if one.live and not (entered or one.note) else None
    exposed = exposed_name(one.server, one.tool) if not one.note else ""
    accept = f"remit tools accept {name} --pin {pin}" if pin else ""
    return Reviewed(one, exposed, tuple(lines), pin, accept, suggestion)

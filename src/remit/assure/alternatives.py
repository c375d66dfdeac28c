"""Beside an action that waits: how people decided its like before, and other calls that might need nobody.

What is put together here is only a guess at what would do; whether policy permits a call unasked is for `decide` to
say, and only what it permits is shown.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from remit.escalate.brief import Precedent
from remit.escalate.machine import OPEN, Approval, ApprovalState
from remit.facts.canonical import Json
from remit.facts.lineage import Lineage
from remit.facts.results import steps
from remit.facts.tool import Effect, Sink, Tool

CANDIDATES_MAX: Final = 6
"""How many calls are judged for one brief."""
_EFFECTS: Final = (Effect.READ, Effect.WRITE, Effect.IRREVERSIBLE)
_SINKS: Final = (Sink.NONE, Sink.INTERNAL, Sink.EXTERNAL)


def precedent(earlier: Iterable[Approval], asked: Approval) -> Precedent:
    """How approvals of the shape of `asked` ended that are `earlier` than it: same agent, same tool, same gates.

    Only what people said yes to is approved. What was withdrawn before, such as by an agent that hangs up, nobody
    decided, and broken glass is one person's emergency.
    """
    counts: Counter[str] = Counter()
    for one in earlier:
        if one.ident == asked.ident or one.opened_ms > asked.opened_ms:
            continue
        if one.state not in OPEN and shape(one) == shape(asked):
            counts[_ended(one)] += 1
    return Precedent(**counts)


def _ended(one: Approval) -> str:
    """The field of `Precedent` that counts `one`."""
    if one.glass is not None:
        return "glass"
    match one.state:
        case ApprovalState.DENIED:
            return "denied"
        case ApprovalState.EXPIRED:
            return "expired"
        case ApprovalState.CANCELLED | ApprovalState.SUPERSEDED:
            return "withdrawn"
        case _:
            return "approved"


def shape(one: Approval) -> tuple[str, str, str, frozenset[str]]:
    """What makes two approvals alike: agent, server, tool, and the policies that stopped them."""
    return one.agent, one.server, one.name, frozenset(gate.policy for gate in one.gates)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A call that might need nobody, and how it differs."""

    change: str
    server: str
    name: str
    arguments: Mapping[str, Json]


def candidates(
    tool: Tool, others: Iterable[Tool], given: Mapping[str, Json], values: Sequence[Lineage]
) -> Sequence[Candidate]:
    """Calls like `tool` with `given`: without what is suspect, then by `others` of its server that do less."""
    found = [*_without(tool, given, [one for one in values if one.suspect]), *_milder(tool, others, given)]
    return found[:CANDIDATES_MAX]


def _without(tool: Tool, given: Mapping[str, Json], suspect: Sequence[Lineage]) -> Iterator[Candidate]:
    """The call without its suspect values: elements of lists that keep others, arguments that may be left out."""
    required = tool.definition.input_schema.get("required")
    needed = frozenset(required) if isinstance(required, list | tuple) else frozenset[object]()
    places = [path for one in suspect if (path := steps(one.path))]
    left: dict[str, Json] = dict(given)
    for name in {path[0] for path in places}:
        held = given.get(str(name))
        gone = {path[1] for path in places if path[0] == name and len(path) > 1}
        kept = [item for at, item in enumerate(held) if at not in gone] if isinstance(held, list | tuple) else []
        if kept:
            left[str(name)] = kept
        elif name not in needed:
            left.pop(str(name), None)
    changed = sorted(name for name in given if name not in left or left[name] != given[name])
    if changed:
        yield Candidate(f"the same without what is suspect in {', '.join(changed)}", tool.server, tool.name, left)


def _milder(tool: Tool, others: Iterable[Tool], given: Mapping[str, Json]) -> Iterator[Candidate]:
    """Tools of the same server that do less and take the same arguments, those with the most of them first."""
    found: list[tuple[int, str, Candidate]] = []
    for other in others:
        if other.server != tool.server or other.name == tool.name or not _does_less(other, tool):
            continue
        properties = other.definition.input_schema.get("properties")
        kept = {name: value for name, value in given.items() if isinstance(properties, Mapping) and name in properties}
        if kept:
            candidate = Candidate(f"{other.name} instead of {tool.name}", other.server, other.name, kept)
            found.append((-len(kept), other.name, candidate))
    yield from (candidate for _, _, candidate in sorted(found, key=lambda one: one[:2]))


def _does_less(one: Tool, other: Tool) -> bool:
    mine = _EFFECTS.index(one.effect), _SINKS.index(one.sink)
    theirs = _EFFECTS.index(other.effect), _SINKS.index(other.sink)
    return mine != theirs and mine[0] <= theirs[0] and mine[1] <= theirs[1]

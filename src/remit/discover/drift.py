"""Drift: an agent, or what it uses, is not what it was; told with before and after.

Laws
* What an agent does, or may do, before it is settled is learnt, not drift (`conditions.baseline`); a changed
  description or schema is drift at any time.
* Drift is told once, however many sources and names tell of it. What changes back, and then again, is told each time.
* It only tightens: what follows is `Follow`, and a word that is none of them means the strictest.
* Nobody has another agent stopped by telling of it: what the token of another one tells leads to a notice at most, and
  is told again, with all that follows, once somebody else sees it.
"""

from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from remit.discover.conditions import baseline
from remit.discover.inventory import InventoryChange, InventoryChangeKind
from remit.discover.sighting import Kind, Subject, Verb, clipped, of_another, parsed
from remit.discover.view import View

REPORTED_MAX: Final = 10_000
ON_DRIFT: Final = "remit.dev/on-drift"
"""The annotation of an `Agent` by which people say what follows."""
_TRAIT_DRIFTS: Final = {
    "description": "description-changed",
    "schema": "schema-changed",
    "pin": "definition-changed",
    "text": "prompt-changed",
    "server": "server-changed",
    "permission": "permission-changed",
}
"""By the trait's key, or its first word where it goes on: `server files in /home/uma/.claude.json`."""
_EDGE_DRIFTS: Final = {
    Kind.TOOL: "new-tool",
    Kind.MODEL: "new-model",
    Kind.PROMPT: "new-prompt",
    Kind.SERVER: "new-server",
    Kind.DATA: "new-data-flow",
    Kind.AGENT: "new-delegation",
}
_CLAIMS: Final = frozenset({Verb.SAME.value, Verb.APART.value})


class Follow(StrEnum):
    """What follows drift, from the least to the strictest. Each is recorded, all but the first are told people."""

    RECORD = "record"
    NOTICE = "notice"
    QUARANTINE = "quarantine"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Drift:
    """`subject` drifted at `at` (ms since the epoch), as `source` saw."""

    kind: str
    subject: Subject
    before: str
    after: str
    source: str
    at: int

    @property
    def is_of_another(self) -> bool:
        """Whether another agent tells of it."""
        return of_another(self.source, self.subject)


class DriftMemory:
    """Remembers what was told: `reported` is what an earlier one came to, the oldest first."""

    def __init__(self, reported: Mapping[str, str] | None = None) -> None:
        self._reported: OrderedDict[str, str] = OrderedDict(reported or {})

    @property
    def reported(self) -> Mapping[str, str]:
        """What of each kind, subject and trait or thing was told last."""
        return self._reported

    def drifts(self, changes: Iterable[InventoryChange], view: View) -> Iterator[Drift]:
        """Those of `changes` that are drift, as `view` has it after them."""
        for change in changes:
            edge = change.kind is InventoryChangeKind.EDGE
            drift = _edge_drift(change, view) if edge else _trait_drift(change, view)
            of = change.key if drift is None or not edge else drift.after
            if drift is not None and self._first(drift, f"{of} by another" if drift.is_of_another else of):
                yield drift

    def _first(self, drift: Drift, of: str) -> bool:
        key = f"{drift.kind} {drift.subject} {of}"
        if self._reported.get(key) == drift.after:
            return False
        self._reported[key] = drift.after
        self._reported.move_to_end(key)
        if len(self._reported) > REPORTED_MAX:
            self._reported.popitem(last=False)
        return True


def candidate(change: InventoryChange, known: Container[str]) -> bool:
    """Whether `change` could be drift, so that a look is worth its while: a name that nobody knew drifts from nothing.

    It may be another name of an agent that is `known`, which are registered.
    """
    match change.kind:
        case InventoryChangeKind.EDGE:
            is_known = change.known_since is not None or change.subject.name in known
            return is_known and change.subject.kind is Kind.AGENT and change.key not in _CLAIMS
        case InventoryChangeKind.TRAIT:
            return change.before is not None and _trait_name(change.key) in _TRAIT_DRIFTS
        case InventoryChangeKind.FOUND | InventoryChangeKind.OWNER:
            return False
        case _:
            assert_never(change.kind)


def widened_scopes(
    before: Mapping[str, frozenset[str]], after: Mapping[str, frozenset[str]], at: int
) -> Iterator[Drift]:
    """Agents that policy's scopes let call more tools than `before`. A new agent has nothing that was widened."""
    for agent, tools in sorted(after.items()):
        added = tools - before.get(agent, tools)
        if added:
            was, now = _listed(before[agent]), _listed(added)
            yield Drift("permission-widened", Subject(Kind.AGENT, agent), was, f"and {now}", "workspace", at)


def of_settled_agents(drifts: Iterable[Drift], view: View) -> Iterator[Drift]:
    """Those of agents that were settled by then: until they are, people are still at work on what they may do."""
    for drift in drifts:
        entry = view.find(drift.subject)
        if entry is not None and baseline(entry) <= drift.at:
            yield drift


def follow(annotations: Mapping[str, str], *, of_another: bool = False) -> Follow:
    """What follows for an agent with these annotations, where it is told `of_another` too."""
    value = annotations.get(ON_DRIFT, Follow.RECORD.value)
    consequence = Follow(value) if value in set(Follow) else Follow.STOP
    return Follow.NOTICE if of_another and consequence is not Follow.RECORD else consequence


def _edge_drift(change: InventoryChange, view: View) -> Drift | None:
    if change.subject.kind is not Kind.AGENT or change.key in _CLAIMS or change.after is None:
        return None
    entry = view.find(change.subject)
    to = view.identities.of(parsed(change.after))
    if entry is None:
        return None
    since = baseline(entry)
    link = next((link for link in entry.links if link.to == to and link.verb.value == change.key), None)
    # An edge of another name of it that was there before is nothing new.
    if link is None or link.first_ms <= since:
        return None
    before = _listed(
        str(known.to)
        for known in entry.links
        if known.to.kind is to.kind and known.verb is link.verb and known.first_ms <= since
    )
    return Drift(_EDGE_DRIFTS[to.kind], entry.subject, before, str(to), change.source, change.at)


def _trait_drift(change: InventoryChange, view: View) -> Drift | None:
    word = _trait_name(change.key)
    if word not in _TRAIT_DRIFTS or change.before is None or change.after is None:
        return None
    subject = view.identities.of(change.subject)
    return Drift(_TRAIT_DRIFTS[word], subject, change.before, change.after, change.source, change.at)


def _trait_name(key: str) -> str:
    return key.partition(" ")[0]


def _listed(names: Iterable[str]) -> str:
    return clipped(", ".join(sorted(names)) or "nothing")

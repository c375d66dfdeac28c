"""What was seen passively, reconciled with the ledger: which actions passed an enforcement point, and which did not.

Laws
* An action of the ledger (a *passage*) accounts for one action that telemetry tells of (a `Call`), once: of the same
  trace and name, else of the same name, agent and moment.
* One call told by several instrumentations, or sent twice, is one: in a trace, as many calls of a name as the
  instrumentation that tells of most of them does. The others see the same ones.
* A call that no passage accounts for within `GRACE_MS` was observed only; a passage that comes later still takes it
  back. The ledger alone makes an action governed, never what a program says of itself.
* Bounded: what is counted of calls that passed nothing is `OBSERVED_MAX` of (agent, object, day), twice that for agents
  that are registered, whom names that others made up do not push out; what more there is counts as `OTHERS`.
* Bounded: the last `KEPT_MAX` calls and passages can still be paired. A call older than the passages that are kept is
  not judged at all (`late`), since what would account for it may be forgotten.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from remit.discover.sighting import Kind, Subject
from remit.discover.telemetry import Call

GRACE_MS: Final = 2_000
KEPT_MAX: Final = 10_000
SPANS_MAX: Final = 1_000
"""Spans of one name in one trace: what more there are of is not told apart."""
OBSERVED_MAX: Final = 50_000
OTHERS: Final = "(others)"
"""Who called, and what was called, where there are too many to tell apart."""
NEAR_MS: Final = 1_500
"""How far clocks may be apart where only the moment tells that two are one."""
_SERVED: Final = frozenset({Kind.TOOL, Kind.PROMPT})
DAY_MS: Final = 24 * 3_600_000


class Activity(NamedTuple):
    """What is counted: an agent, what it called, and the day (since the epoch, UTC)."""

    agent: Subject
    object: Subject
    day: int


class Counts(NamedTuple):
    """How many actions passed an enforcement point, and how many were observed only."""

    passed: int = 0
    observed: int = 0


@dataclass(frozen=True, slots=True)
class Passage:
    """An action on the ledger: `agent` (registered) called `object`, which clients know by `names`."""

    ref: str
    trace: str
    agent: str
    object: Subject
    names: frozenset[str]
    at: int


class Paired(NamedTuple):
    """A call and the passage of the same trace: so their agents are one, and what they called is."""

    call: Call
    passage: Passage


@dataclass(slots=True)
class _Told:
    """The calls of one name in one trace, as telemetry tells of them."""

    call: Call
    spans: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Scope and span of each, once. Few: a list is an eighth of what sets by scope take."""
    passed: int = 0
    observed: int = 0
    due_ms: int = 0
    activity: Activity | None = None
    """As what its calls are counted, once some of them passed nothing."""

    @property
    def calls(self) -> int:
        return len(self.spans) if len(self.spans) < 2 else max(Counter(scope for scope, _ in self.spans).values())


@dataclass(slots=True, eq=False)
class _Free:
    """A passage, and whether it accounts for a call."""

    passage: Passage
    taken: bool = False


_Key = TypeVar("_Key", str, tuple[str, str])


class Reconciler:
    """Pairs calls with passages and counts both. `known_as` says which registered agent a subject is."""

    def __init__(self, counts: Mapping[Activity, Counts] | None = None) -> None:
        self.counts: dict[Activity, Counts] = dict(counts or {})
        self.changed: set[Activity] = set()
        self.known_as: Mapping[Subject, str] = {}
        self.late = 0
        self._observed = sum(1 for one in self.counts.values() if not one.passed)
        self._told: OrderedDict[tuple[str, str], _Told] = OrderedDict()
        self._free: dict[tuple[str, str], deque[_Free]] = {}
        self._by_name: dict[str, deque[_Free]] = {}
        self._order: deque[_Free] = deque()
        self._from_ms = 0

    def seen(self, call: Call, now_ms: int) -> Paired | None:
        """Take in what telemetry tells of; the passage that accounts for it, where its trace says so."""
        if call.end_ms < self._from_ms:
            self.late += 1
            return None
        key = (call.trace, bare(call.object))
        told = self._told.get(key)
        if told is None:
            told = self._told[key] = _Told(call)
            while len(self._told) > KEPT_MAX:
                _, oldest = self._told.popitem(last=False)
                self._settle(oldest)
        one = (call.scope, call.span)
        if one in told.spans or len(told.spans) >= SPANS_MAX:
            return None
        told.spans.append(one)
        told.due_ms = now_ms + GRACE_MS
        free = next((free for free in self._free.get(key, ()) if not free.taken), None)
        return None if free is None or told.passed >= told.calls else self._pair(told, free)

    def passed(self, passage: Passage, *, counted: bool = True) -> Paired | None:
        """Take in an action of the ledger; the call that it accounts for, where its trace says so.

        One that was counted before (`counted=False`, after a restart) can still be paired.
        """
        if counted:
            agent = Subject(Kind.AGENT, passage.agent)
            self._count(Activity(agent, passage.object, passage.at // DAY_MS), 1, 0)
        free = _Free(passage)
        for name in passage.names:
            told = self._told.get((passage.trace, name))
            if told is not None and told.passed < told.calls:
                return self._pair(told, free)
        for name in passage.names:
            self._free.setdefault((passage.trace, name), deque()).append(free)
            self._by_name.setdefault(name, deque()).append(free)
        self._order.append(free)
        if len(self._order) > KEPT_MAX:
            self._forget(self._order.popleft())
        return None

    def due(self, now_ms: int) -> None:
        """Count as observed what nothing accounted for in time."""
        for told in self._told.values():
            if told.due_ms and told.due_ms <= now_ms:
                told.due_ms = 0
                self._settle(told)

    def _settle(self, told: _Told) -> None:
        while told.passed < told.calls and (free := self._near(told.call)) is not None:
            self._pair(told, free)
        self._observe(told, max(0, told.calls - told.passed))

    def _near(self, call: Call) -> _Free | None:
        """A passage of the same name, agent and moment, though of another trace."""
        agent = self.known_as.get(call.agent, call.agent.name)
        for free in self._by_name.get(bare(call.object), ()):
            passage = free.passage
            near = call.start_ms - NEAR_MS <= passage.at <= call.end_ms + NEAR_MS
            if near and not free.taken and passage.agent == agent:
                return free
        return None

    def _pair(self, told: _Told, free: _Free) -> Paired:
        free.taken = True
        told.passed += 1
        if told.observed:
            self._observe(told, max(0, told.calls - told.passed))
        return Paired(told.call, free.passage)

    def _observe(self, told: _Told, observed: int) -> None:
        if observed != told.observed:
            if told.activity is None:
                told.activity = self._room(told.call)
            self._count(told.activity, 0, observed - told.observed)
            told.observed = observed

    def _room(self, call: Call) -> Activity:
        """As what `call` is counted."""
        activity = Activity(call.agent, call.object, call.start_ms // DAY_MS)
        registered = not call.agent.space or call.agent in self.known_as
        if activity in self.counts or self._observed < OBSERVED_MAX * (2 if registered else 1):
            return activity
        space = call.agent.space
        return Activity(Subject(Kind.AGENT, OTHERS, space), Subject(call.object.kind, OTHERS, space), activity.day)

    def _count(self, activity: Activity, passed: int, observed: int) -> None:
        known = self.counts.get(activity)
        if known is None:
            known = Counts()
            self._observed += 0 if passed else 1
        self.counts[activity] = Counts(known.passed + passed, known.observed + observed)
        self.changed.add(activity)

    def _forget(self, free: _Free) -> None:
        passage = free.passage
        self._from_ms = max(self._from_ms, passage.at)
        for name in passage.names:
            _drop(self._free, (passage.trace, name), free)
            _drop(self._by_name, name, free)


def bare(subject: Subject) -> str:
    """What a tool or prompt is called by those who call it: without the server that telemetry put before it."""
    return subject.name.rpartition("/")[2] if subject.kind in _SERVED else subject.name


def total(counts: Iterable[Counts]) -> Counts:
    """All of them."""
    passed = observed = 0
    for one in counts:
        passed += one.passed
        observed += one.observed
    return Counts(passed, observed)


def _drop(index: dict[_Key, deque[_Free]], key: _Key, free: _Free) -> None:
    held = index[key]
    held.remove(free)
    if not held:
        del index[key]

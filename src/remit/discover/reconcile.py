"""What was seen passively, reconciled with the ledger: which actions passed an enforcement point, and which did not.

Laws
* An action of the ledger (a *passage*) accounts for one action that telemetry tells of (an `ObservedCall`), once: of
  the same trace and name, else of the same name, agent and moment.
* One call told by several instrumentations, or sent twice, is one: in a trace, as many calls of a name as the
  instrumentation that tells of most of them does. The others see the same ones.
* A call that no passage accounts for within `GRACE_MS` was observed only; a passage that comes later still takes it
  back. The ledger alone makes an action governed, never what a program says of itself.
* Bounded: what is counted of calls that passed nothing is `OBSERVED_MAX` of (agent, object, day), twice that for agents
  that are registered, whom names that others made up do not push out; what more there is counts as `OTHERS`.
* Bounded: the last `KEPT_MAX` calls, of `SPANS_KEPT_MAX` spans in all, and passages can still be paired; what a call
  costs hangs on no number of passages, since whoever sends telemetry chooses names and moments. A call older than the
  passages that are kept is not judged at all (`late`), since what would account for it may be forgotten.
* What was judged is known again after a restart: the last `JUDGED_MAX` spans, by a digest of their ids, kept with what
  they were counted as.
* Bounded in time: what is counted is told apart by object for `DETAIL_DAYS`, by agent and day for `RETAINED_DAYS`, and
  then forgotten. That something exists is the inventory's, and stays there.
"""

import hashlib
from bisect import bisect_left, insort_right
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from remit.discover.sighting import Kind, Subject
from remit.discover.telemetry import ObservedCall
from remit.facts.durations import DAY_MS

GRACE_MS: Final = 2_000
KEPT_MAX: Final = 10_000
SPANS_MAX: Final = 1_000
"""Spans of one name in one trace: what more there are of is not told apart."""
SPANS_KEPT_MAX: Final = 200_000
"""Spans of all calls that can still be paired."""
OBSERVED_MAX: Final = 50_000
JUDGED_MAX: Final = 20_000
DETAIL_DAYS: Final = 30
RETAINED_DAYS: Final = 400
EARLIER: Final = "(earlier)"
"""What was called, of days of which that is no longer told."""
OTHERS: Final = "(others)"
"""Who called, and what was called, where there are too many to tell apart."""
NEAR_MS: Final = 1_500
"""How far clocks may be apart where only the moment tells that two are one."""
_SERVED: Final = frozenset({Kind.TOOL, Kind.PROMPT})


class Activity(NamedTuple):
    """What is counted: an agent, what it called, and the day (since the epoch, UTC)."""

    agent: Subject
    object: Subject
    day: int


class PassageCounts(NamedTuple):
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


class Pair(NamedTuple):
    """A call and the passage of the same trace: so their agents are one, and what they called is."""

    call: ObservedCall
    passage: Passage


@dataclass(slots=True)
class _CallGroup:
    """The calls of one name in one trace, as telemetry tells of them."""

    call: ObservedCall
    spans: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Scope and span of each, once. Few: a list is an eighth of what sets by scope take."""
    passed: int = 0
    observed: int = 0
    due_ms: int = 0
    judged: int = 0
    """How many of `spans` were."""
    activity: Activity | None = None
    """As what its calls are counted, once some of them passed nothing."""

    @property
    def calls(self) -> int:
        return len(self.spans) if len(self.spans) < 2 else max(Counter(scope for scope, _ in self.spans).values())


@dataclass(slots=True, eq=False)
class _FreePassage:
    """A passage that accounts for no call yet, where it is found: those are `free` alone."""

    passage: Passage


class Reconciler:
    """Pairs calls with passages and counts both. `known_as` says which registered agent a subject is.

    `counts` and `judged_before` are what an earlier process came to. `changed` are counts, and `judged` spans by
    digest, that are to be kept, until whoever keeps them clears both.
    """

    def __init__(
        self, counts: Mapping[Activity, PassageCounts] | None = None, judged_before: Iterable[int] = ()
    ) -> None:
        self.counts: dict[Activity, PassageCounts] = dict(counts or {})
        self.changed: set[Activity] = set()
        self.judged: deque[int] = deque(maxlen=JUDGED_MAX)
        self._judged_before = frozenset(judged_before)
        self._pruned = 0
        self._spans = 0
        self.known_as: Mapping[Subject, str] = {}
        self.late = 0
        self._observed = sum(1 for counted in self.counts.values() if not counted.passed)
        self._told: OrderedDict[tuple[str, str], _CallGroup] = OrderedDict()
        self._free: dict[tuple[str, str], dict[_FreePassage, None]] = {}
        """By trace and name, the first first."""
        self._by_name: dict[tuple[str, str], list[_FreePassage]] = {}
        """By agent and name, by their moments."""
        self._order: deque[_FreePassage] = deque()
        self._from_ms = 0

    def take_call(self, call: ObservedCall, now_ms: int) -> Pair | None:
        """Take in what telemetry tells of; the passage that accounts for it, where its trace says so."""
        if call.end_ms < self._from_ms:
            self.late += 1
            return None
        key, span = (call.trace, bare_name(call.object)), (call.scope, call.span)
        if self._judged_before and _digest(key, span) in self._judged_before:
            return None
        group = self._told.get(key)
        if group is None:
            group = self._told[key] = _CallGroup(call)
            while len(self._told) > KEPT_MAX or self._spans > SPANS_KEPT_MAX:
                _, oldest = self._told.popitem(last=False)
                self._spans -= len(oldest.spans)
                self._settle(oldest)
        if span in group.spans or len(group.spans) >= SPANS_MAX:
            return None
        group.spans.append(span)
        self._spans += 1
        group.due_ms = now_ms + GRACE_MS
        free = next(iter(self._free.get(key, ())), None)
        return None if free is None or group.passed >= group.calls else self._pair(group, free)

    def take_passage(self, passage: Passage, *, counted: bool = True) -> Pair | None:
        """Take in an action of the ledger; the call that it accounts for, where its trace says so.

        One that was counted before (`counted=False`, after a restart) can still be paired.
        """
        if counted:
            agent = Subject(Kind.AGENT, passage.agent)
            self._count(Activity(agent, passage.object, passage.at // DAY_MS), 1, 0)
        free = _FreePassage(passage)
        for name in passage.names:
            group = self._told.get((passage.trace, name))
            if group is not None and group.passed < group.calls:
                return self._pair(group, free)
        for name in passage.names:
            self._free.setdefault((passage.trace, name), {})[free] = None
            insort_right(self._by_name.setdefault((passage.agent, name), []), free, key=_moment)
        self._order.append(free)
        if len(self._order) > KEPT_MAX:
            self._forget(self._order.popleft())
        return None

    def due(self, now_ms: int) -> None:
        """Count as observed what nothing accounted for in time, and forget what is too old."""
        if self._pruned != (today := now_ms // DAY_MS):
            self._prune(today)
            self._pruned = today
        for group in self._told.values():
            if group.due_ms and group.due_ms <= now_ms:
                group.due_ms = 0
                self._settle(group)

    def _settle(self, group: _CallGroup) -> None:
        while group.passed < group.calls and (free := self._near(group.call)) is not None:
            self._pair(group, free)
        self._observe(group, max(0, group.calls - group.passed))
        key = (group.call.trace, bare_name(group.call.object))
        self.judged.extend(_digest(key, span) for span in group.spans[group.judged :])
        group.judged = len(group.spans)

    def _prune(self, today: int) -> None:
        for key in [key for key, group in self._told.items() if group.call.end_ms // DAY_MS <= today - DETAIL_DAYS]:
            # What accounts for it later would find nothing to take back.
            self._spans -= len(self._told.pop(key).spans)
        for activity in [counted for counted in self.counts if counted.day <= today - DETAIL_DAYS]:
            agent, called, day = activity
            if day > today - RETAINED_DAYS and called.name == EARLIER:
                continue
            passed, observed = self.counts.pop(activity)
            self._observed -= 0 if passed else 1
            self.changed.add(activity)
            if day > today - RETAINED_DAYS:
                # Calls of models are counted beside the others.
                kind = Kind.MODEL if called.kind is Kind.MODEL else Kind.TOOL
                self._count(Activity(agent, Subject(kind, EARLIER), day), passed, observed)

    def _near(self, call: ObservedCall) -> _FreePassage | None:
        """A passage of the same name, agent and moment, though of another trace."""
        agent = self.known_as.get(call.agent, call.agent.name)
        passages = self._by_name.get((agent, bare_name(call.object)), [])
        first = bisect_left(passages, call.start_ms - NEAR_MS, key=_moment)
        return passages[first] if first < len(passages) and _moment(passages[first]) <= call.end_ms + NEAR_MS else None

    def _pair(self, group: _CallGroup, free: _FreePassage) -> Pair:
        self._take(free)
        group.passed += 1
        if group.observed:
            self._observe(group, max(0, group.calls - group.passed))
        return Pair(group.call, free.passage)

    def _observe(self, group: _CallGroup, observed: int) -> None:
        if observed != group.observed:
            if group.activity is None:
                group.activity = self._room(group.call)
            self._count(group.activity, 0, observed - group.observed)
            group.observed = observed

    def _room(self, call: ObservedCall) -> Activity:
        """As what `call` is counted."""
        activity = Activity(call.agent, call.object, call.start_ms // DAY_MS)
        registered = not call.agent.space or call.agent in self.known_as
        if activity in self.counts or self._observed < OBSERVED_MAX * (2 if registered else 1):
            return activity
        space = call.agent.space
        return Activity(Subject(Kind.AGENT, OTHERS, space), Subject(call.object.kind, OTHERS, space), activity.day)

    def _count(self, activity: Activity, passed: int, observed: int) -> None:
        earlier = self.counts.get(activity)
        if earlier is None:
            earlier = PassageCounts()
            self._observed += 1
        updated = self.counts[activity] = PassageCounts(earlier.passed + passed, earlier.observed + observed)
        self._observed += bool(earlier.passed) - bool(updated.passed)
        self.changed.add(activity)

    def _forget(self, free: _FreePassage) -> None:
        self._from_ms = max(self._from_ms, free.passage.at)
        self._take(free)

    def _take(self, free: _FreePassage) -> None:
        """Have `free` found no more, where it is."""
        passage = free.passage
        for name in passage.names:
            of_trace, of_agent = (passage.trace, name), (passage.agent, name)
            if free not in self._free.get(of_trace, ()):
                continue
            by_trace, by_moment = self._free[of_trace], self._by_name[of_agent]
            del by_trace[free]
            by_moment.pop(by_moment.index(free, bisect_left(by_moment, passage.at, key=_moment)))
            if not by_trace:
                del self._free[of_trace]
            if not by_moment:
                del self._by_name[of_agent]


def bare_name(subject: Subject) -> str:
    """What a tool or prompt is called by those who call it: without the server that telemetry put before it."""
    return subject.name.rpartition("/")[2] if subject.kind in _SERVED else subject.name


def total(counts: Iterable[PassageCounts]) -> PassageCounts:
    """All of them."""
    passed = observed = 0
    for each in counts:
        passed += each.passed
        observed += each.observed
    return PassageCounts(passed, observed)


def _digest(key: tuple[str, str], span: tuple[str, str]) -> int:
    """A span as it is known again: by trace, what it called, scope and id."""
    text = "\0".join((*key, *span)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), signed=True)


def _moment(free: _FreePassage) -> int:
    return free.passage.at

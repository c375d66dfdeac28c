"""Breakers at work: what is counted, when one trips, what passes while one is open or half-open.

What is counted is in memory and begins anew with the service; that one tripped is a record, with its evidence.

Laws
* Nobody trips it for others: what fails for one agent, with all that is delegated from it, rests a server or tool for
  that agent alone; for all it rests by what failed for several, whichever of them is left out of the count.
* Nobody holds it for others: each has trials of its own, and one without an end makes room when it rested as long.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from remit.facts.action import Action, ActionKind
from remit.facts.breaker import (
    MOVES,
    Breaker,
    BreakerMove,
    BreakerState,
    BreakerSubject,
    Broken,
    On,
    Trip,
    alone,
    name_of,
    shared,
    whose,
)
from remit.facts.canonical import Json
from remit.protect.breaker_index import BreakerIndex
from remit.protect.breaker_window import RECORDS_NAMED_MAX, BreakerSamples, Sample

_KEYS_MAX: Final = 20_000
_GOOD, _BAD = 0, 1
_BY_ENDS: Final = frozenset({On.ERRORS, On.SLOW, On.CASCADE})
"""How a trial ended tells whether these trip again."""

BreakerChange: TypeAlias = tuple[str, Mapping[str, Json] | None]
"""A breaker's key, and the evidence by which it trips; None: it closes."""


@dataclass(slots=True)
class BreakerStates:
    """All breakers of a service. `tripped` is a fold of the ledger, the rest what is counted since it began."""

    tripped: dict[str, Trip] = field(default_factory=dict[str, Trip])
    _opened_s: dict[str, float] = field(default_factory=dict[str, float])
    _samples: dict[str, BreakerSamples] = field(default_factory=dict[str, BreakerSamples])
    _denials: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    _trials: dict[str, dict[str, tuple[str, float]]] = field(default_factory=dict[str, "dict[str, tuple[str, float]]"])
    """By their records: whose they are, and since when."""
    _passed: dict[str, int] = field(default_factory=dict[str, int])
    _failed: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Whose trials failed since it was half-open."""
    _causes: dict[str, tuple[float, str]] = field(default_factory=dict[str, "tuple[float, str]"])
    _now_s: float = 0.0

    def trip(self, key: str, trip: Trip) -> None:
        """It tripped, as a record says."""
        self.tripped[key] = trip
        self._reset(key)
        self._opened_s[key] = self._now_s

    def close(self, key: str) -> None:
        """It is closed, as a record says."""
        self.tripped.pop(key, None)
        self._reset(key)
        common, agent = shared(key)
        if agent and common in self._samples:
            self._samples[common].forget(agent)

    def state(self, breaker: Breaker, key: str, now_s: float) -> BreakerState:
        """Where it stands."""
        if key not in self.tripped:
            return BreakerState.CLOSED
        # One that tripped before the service began rests anew from when it is first looked at.
        opened_s = self._opened_s.setdefault(key, now_s)
        return MOVES[BreakerState.OPEN, BreakerMove.REST] if now_s - opened_s >= breaker.open_s else BreakerState.OPEN

    def remaining_s(self, breaker: Breaker, key: str, now_s: float) -> float:
        """For how many seconds more it lets nothing pass."""
        return max(0.0, self._opened_s.setdefault(key, now_s) + breaker.open_s - now_s)

    def blocking(self, index: BreakerIndex, action: Action, now_s: float) -> tuple[Broken, ...]:
        """What does not let `action` pass; nothing is counted by looking."""
        blocks: list[Broken] = []
        if self.tripped:
            for breaker, key in index.over(action):
                broken = self._broken(breaker, key, _agent_concerned(breaker, action), now_s)
                if broken is not None:
                    blocks.append(broken)
        for breaker, key in index.at_once(action):
            evidence = self._tripped_at_once(index, breaker, key, action, now_s)
            if evidence is not None:
                state = self.state(breaker, key, now_s)
                rests_s = self.remaining_s(breaker, key, now_s) if state is BreakerState.OPEN else breaker.open_s
                text = f"{breaker.name} trips: {evidence['text']}"
                blocks.append(Broken(breaker, key, state, text, evidence, rests_s))
        return tuple(blocks)

    def count_judged(
        self,
        index: BreakerIndex,
        action: Action,
        record: str,
        blocks: tuple[Broken, ...],
        now_s: float,
        *,
        denied: bool,
        ran: bool,
    ) -> list[BreakerChange]:
        """Count an action that was judged: `denied` by policy, or about to run; what moves by it."""
        self._now_s = now_s
        if blocks:
            return [
                (block.key, {**block.evidence, "record": record})
                for block in blocks
                if block.evidence is not None and block.state is not BreakerState.OPEN
            ]
        changes: list[BreakerChange] = []
        agent = action.authority.acting.agent
        for breaker, key in index.judged(action):
            match breaker.on:
                case On.IDENTICAL if action.kind is not ActionKind.DELEGATE and not action.lists:
                    self._samples_of(breaker, key).add(Sample(now_s, _identity(action), agent, record))
                case On.FAN_OUT if action.kind is ActionKind.DELEGATE and ran:
                    self._samples_of(breaker, key).add(Sample(now_s, _BAD, agent, record))
                case On.DENIALS if not action.lists:
                    # A client asks for every list of every server as it connects: what it is not shown is no denial.
                    state = self.state(breaker, key, now_s)
                    tool_text = index.tool_text(action) if denied else ""
                    changes += self._denial(breaker, key, state, record, tool_text, denied=denied, ran=ran)
                case _:
                    pass
        if ran and self.tripped:
            changes += self._begin_trials(index, action, record, now_s)
        return changes

    def count_ended(
        self, index: BreakerIndex, action: Action, record: str, now_s: float, *, failed: bool, took_ms: float
    ) -> list[BreakerChange]:
        """Count the end of an action that ran; what moves by it."""
        self._now_s = now_s
        trips: dict[str, BreakerChange] = {}
        failed_keys: set[str] = set()
        counting = index.counting(action)
        for breaker, key in index.over(action):
            if breaker.on not in _BY_ENDS:
                continue
            agent = _agent_concerned(breaker, action)
            bad = took_ms > breaker.slow_ms if breaker.on is On.SLOW else failed
            if record in self._trials.get(key, ()):
                if bad:
                    failed_keys.add(key)
                    rests = self._key_of_failure(key, agent)
                    text = f"its trial {record} {'failed' if failed else f'took {took_ms:,.0f} ms'}"
                    trips[rests] = self._trip(breaker, rests, text, [record], action.server, now_s)
            elif breaker.on is not On.CASCADE and (breaker, key) in counting:
                samples = self._samples_of(breaker, key)
                samples.add(Sample(now_s, _BAD if bad else _GOOD, agent, record))
                if bad and key not in self.tripped and (due := _trip_due(breaker, key, samples, agent, now_s)):
                    rests, text, records = due
                    if rests not in self.tripped:
                        trips[rests] = self._trip(breaker, rests, text, records, action.server, now_s)
        changes = [*trips.values(), *self._trial_ended(index, record, failed_keys)]
        return [*changes, *self._cascades(index, changes, now_s)]

    def drop_trial(self, record: str) -> None:
        """An action ended of which nothing is known: as a trial it says nothing."""
        for trials in self._trials.values():
            trials.pop(record, None)

    def _reset(self, key: str) -> None:
        for counts in (self._opened_s, self._samples, self._denials, self._trials, self._passed, self._failed):
            counts.pop(key, None)

    def _broken(self, breaker: Breaker, key: str, agent: str, now_s: float) -> Broken | None:
        state = self.state(breaker, key, now_s)
        if state is BreakerState.CLOSED:
            return None
        why = self.tripped[key].text
        if state is BreakerState.OPEN:
            left_s = self.remaining_s(breaker, key, now_s)
            text = f"{breaker.name} of {whose(key)} is open for {left_s:.0f} s more: {why}"
            return Broken(breaker, key, state, text, rests_s=left_s)
        since_s = now_s - breaker.open_s
        under_way = [by for by, at_s in self._trials.get(key, {}).values() if by == agent and at_s > since_s]
        if len(under_way) < breaker.trials:
            return None
        return Broken(
            breaker, key, state, f"{breaker.name} of {whose(key)} is half-open, its trial is under way: {why}"
        )

    def _tripped_at_once(
        self, index: BreakerIndex, breaker: Breaker, key: str, action: Action, now_s: float
    ) -> dict[str, Json] | None:
        """The evidence where `action` is what trips it."""
        agents, delegates = action.authority.agents, action.kind is ActionKind.DELEGATE
        samples, event, text = self._samples.get(key), _BAD, None
        match breaker.on:
            case On.DEPTH:
                depth = len(agents) - 1 + delegates
                text = f"{depth} delegations deep, more than {breaker.limit}" if depth > breaker.limit else None
            case On.CYCLES:
                chain = (*agents, action.name) if delegates else agents
                text = f"a circle of delegations: {' > '.join(chain)}" if len(set(chain)) < len(chain) else None
            case On.FAN_OUT if delegates and samples is not None:
                count = samples.count(event, now_s) + 1
                reason = f"{count} delegations within {breaker.within_s:g} s, more than {breaker.limit}"
                text = reason if count > breaker.limit else None
            case On.IDENTICAL if not delegates and not action.lists and samples is not None:
                event = _identity(action)
                count = samples.count(event, now_s) + 1
                text = _repeated(index.tool_text(action), count, breaker.within_s) if count >= breaker.limit else None
            case _:
                pass
        if text is None:
            return None
        return _evidence(breaker, text, [] if samples is None else samples.records(event))

    def _denial(
        self, breaker: Breaker, key: str, state: BreakerState, record: str, tool_text: str, *, denied: bool, ran: bool
    ) -> Iterator[BreakerChange]:
        if ran:
            self._denials.pop(key, None)
        if not denied:
            return
        denials = self._denials.setdefault(key, [])
        denials.append(record)
        if state is BreakerState.HALF_OPEN or len(denials) >= breaker.limit:
            is_trial = state is BreakerState.HALF_OPEN
            text = (
                f"its trial {record} was denied"
                if is_trial
                else f"{len(denials)} denials in a row, the last of {tool_text}"
            )
            yield key, _evidence(breaker, text, denials[-RECORDS_NAMED_MAX:])

    def _begin_trials(self, index: BreakerIndex, action: Action, record: str, now_s: float) -> Iterator[BreakerChange]:
        """`action` passes where a breaker is half-open: it is a trial of it."""
        for breaker, key in index.over(action):
            if self.state(breaker, key, now_s) is BreakerState.HALF_OPEN:
                self._trials.setdefault(key, {})[record] = _agent_concerned(breaker, action), now_s
                if action.kind is ActionKind.DELEGATE:
                    yield from self._trial_ended(index, record, set())

    def _key_of_failure(self, key: str, agent: str) -> str:
        """Which rests again by a trial of `key` that failed: everybody's once those of two agents did."""
        if not agent or shared(key)[1]:
            return key
        failed = self._failed.setdefault(key, set())
        failed.add(agent)
        return key if len(failed) > 1 else alone(key, agent)

    def _trial_ended(self, index: BreakerIndex, record: str, failed_keys: set[str]) -> Iterator[BreakerChange]:
        """The trial `record` has ended: breakers close that have had all of theirs, but those of `failed_keys`."""
        for key in [key for key, trials in self._trials.items() if record in trials]:
            del self._trials[key][record]
            breaker = index.breakers.get(name_of(key))
            if key in failed_keys or breaker is None:
                continue
            self._passed[key] = self._passed.get(key, 0) + 1
            if self._passed[key] >= breaker.trials:
                yield key, None

    def _trip(
        self, breaker: Breaker, key: str, text: str, records: list[str], server: str, now_s: float
    ) -> BreakerChange:
        if breaker.subject is BreakerSubject.AGENT:
            self._causes[key] = now_s, server
        return key, _evidence(breaker, text, records)

    def _cascades(self, index: BreakerIndex, changes: list[BreakerChange], now_s: float) -> Iterator[BreakerChange]:
        """Where many agents tripped on one server, the server rests in their place."""
        servers = {self._causes[key][1] for key, trip in changes if trip is not None and key in self._causes}
        for breaker in index.breakers.values():
            for server in sorted(servers) if breaker.on is On.CASCADE else ():
                if breaker.of not in {None, server} or breaker.key(server) in self.tripped:
                    continue
                since_s = now_s - breaker.within_s
                keys = [key for key, (at_s, by) in self._causes.items() if by == server and at_s > since_s]
                agents = sorted({whose(key) for key in keys})
                if len(agents) >= breaker.limit:
                    text = f"failures of {server} tripped {len(agents)} agents within {breaker.within_s:g} s"
                    evidence: dict[str, Json] = {"agents": list(agents[:RECORDS_NAMED_MAX])}
                    yield breaker.key(server), {**_evidence(breaker, text, []), **evidence}
                    for key in keys:
                        del self._causes[key]
                        yield key, None

    def _samples_of(self, breaker: Breaker, key: str) -> BreakerSamples:
        samples = self._samples.get(key)
        if samples is None or samples.within_s != breaker.within_s:
            if len(self._samples) >= _KEYS_MAX:
                self._samples.clear()
            samples = self._samples[key] = BreakerSamples(breaker.within_s)
        return samples


def _repeated(tool_text: str, count: int, within_s: float) -> str:
    return f"the same call of {tool_text} {count} times within {within_s:g} s"


def _identity(action: Action) -> int:
    return hash((action.server, action.name, action.arguments))


def _agent_concerned(breaker: Breaker, action: Action) -> str:
    """For which agent `action` is done, where `breaker` is over what agents have in common."""
    return "" if breaker.subject is BreakerSubject.AGENT else action.authority.agents[0]


def _trip_due(
    breaker: Breaker, key: str, samples: BreakerSamples, agent: str, now_s: float
) -> tuple[str, str, list[str]] | None:
    """Which rests, why, and the records by which: that of `agent` alone, unless others fare no better."""
    samples.prune(now_s)
    by_agent = samples.by_agent(_BAD)
    bad, count = samples.count(_BAD, now_s), len(samples.samples)
    failure = "failed" if breaker.on is On.ERRORS else f"took longer than {breaker.slow_ms:g} ms"
    within = f"within {breaker.within_s:g} s {failure}"
    # Without whoever failed most it is still too much: nobody takes it from others.
    most, of_calls = max(by_agent.values())
    together = breaker.subject is BreakerSubject.AGENT or _exceeds(breaker, bad - most, count - of_calls)
    if together and count >= breaker.of_least and _exceeds(breaker, bad, count):
        return key, f"{bad} of {count} calls {within}", samples.records(_BAD)
    bad, count = by_agent[agent]
    if agent and count >= breaker.of_least and _exceeds(breaker, bad, count):
        return alone(key, agent), f"{bad} of {count} calls {within}", samples.records(_BAD, agent)
    return None


def _exceeds(breaker: Breaker, bad: int, count: int) -> bool:
    return bad > 0 and bad * 100 >= breaker.limit * count


def _evidence(breaker: Breaker, text: str, records: list[str]) -> dict[str, Json]:
    return {"text": text, "on": breaker.on.value, "limit": breaker.limit, "records": list(records)}

"""Breakers at work: what is counted, when one trips, what passes while one is open or half-open.

What is counted is in memory and begins anew with the service; that one tripped is a record, with its evidence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, assert_never

from remit.facts.action import Action, ActionKind
from remit.facts.breaker import AT_ONCE, MOVES, Breaker, Broken, Move, On, Over, State, Trip, name_of, whose
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.protect.counting import TOLD_MAX, Sample, Samples

_FOUND_MAX: Final = 20_000
_KEYS_MAX: Final = 20_000
_GOOD, _BAD = 0, 1
_BY_JUDGEMENT: Final = frozenset({On.IDENTICAL, On.FAN_OUT, On.DENIALS})
_BY_ENDS: Final = frozenset({On.ERRORS, On.SLOW, On.CASCADE})
"""How a trial ended tells whether these trip again."""

Found: TypeAlias = tuple[tuple[Breaker, str], ...]
Moved: TypeAlias = tuple[str, Mapping[str, Json] | None]
"""A breaker's key, and the evidence by which it trips; None: it closes."""


class Panel:
    """The breakers of one catalog, found by what an action is."""

    def __init__(self, catalog: Catalog) -> None:
        self.breakers: Mapping[str, Breaker] = catalog.breakers
        self._found: dict[tuple[object, ...], tuple[Found, Found, Found, Found]] = {}

    def over(self, action: Action) -> Found:
        """Those that are over `action`: over an agent of its chain, its server or its tool."""
        return self._both(action)[0]

    def counting(self, action: Action) -> Found:
        """Those that count `action`: of agents, the one that acts alone."""
        return self._both(action)[1]

    def at_once(self, action: Action) -> Found:
        """Those of them that `action` may trip before it runs."""
        return self._both(action)[2]

    def judged(self, action: Action) -> Found:
        """Those of them that count what is judged."""
        return self._both(action)[3]

    def _both(self, action: Action) -> tuple[Found, Found, Found, Found]:
        agents = action.authority.agents
        key = (action.server, action.name if action.kind is ActionKind.CALL_TOOL else None, agents)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= _FOUND_MAX:
                self._found.clear()
            over = tuple(self._of(action, tuple(dict.fromkeys(agents))))
            own = {Over.AGENT: agents[-1]}
            counting = tuple(one for one in over if one[1] == one[0].key(own.get(one[0].over, _named(one[1]))))
            at_once = tuple(one for one in counting if one[0].on in AT_ONCE)
            judged = tuple(one for one in counting if one[0].on in _BY_JUDGEMENT)
            found = self._found[key] = over, counting, at_once, judged
        return found

    def _of(self, action: Action, agents: tuple[str, ...]) -> Iterator[tuple[Breaker, str]]:
        called = f"{action.server}/{action.name}"
        for breaker in self.breakers.values():
            match breaker.over:
                case Over.AGENT:
                    names: tuple[str, ...] = agents
                case Over.SERVER:
                    names = (action.server,) if action.server else ()
                case Over.TOOL:
                    names = (called,) if action.kind is ActionKind.CALL_TOOL else ()
                case _:
                    assert_never(breaker.over)
            for name in names:
                if breaker.of in {None, name}:
                    yield breaker, breaker.key(name)


def _named(key: str) -> str:
    return key.partition(":")[2]


@dataclass(slots=True)
class Fuses:
    """All breakers of a service. `tripped` is a fold of the ledger, the rest what is counted since it began."""

    tripped: dict[str, Trip] = field(default_factory=dict[str, Trip])
    _opened_s: dict[str, float] = field(default_factory=dict[str, float])
    _samples: dict[str, Samples] = field(default_factory=dict[str, Samples])
    _row: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    _trials: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    _passed: dict[str, int] = field(default_factory=dict[str, int])
    _causes: dict[str, tuple[float, str]] = field(default_factory=dict[str, "tuple[float, str]"])
    _now_s: float = 0.0

    def trip(self, key: str, trip: Trip) -> None:
        """It tripped, as a record says."""
        self.tripped[key] = trip
        self._begin(key)
        self._opened_s[key] = self._now_s

    def close(self, key: str) -> None:
        """It is closed, as a record says."""
        self.tripped.pop(key, None)
        self._begin(key)

    def state(self, breaker: Breaker, key: str, now_s: float) -> State:
        """Where it stands."""
        if key not in self.tripped:
            return State.CLOSED
        # One that tripped before the service began rests anew from when it is first looked at.
        opened_s = self._opened_s.setdefault(key, now_s)
        return MOVES[State.OPEN, Move.REST] if now_s - opened_s >= breaker.open_s else State.OPEN

    def left_s(self, breaker: Breaker, key: str, now_s: float) -> float:
        """For how many seconds more it lets nothing pass."""
        return max(0.0, self._opened_s.setdefault(key, now_s) + breaker.open_s - now_s)

    def look(self, panel: Panel, action: Action, now_s: float) -> tuple[Broken, ...]:
        """What does not let `action` pass; nothing is counted by looking."""
        found: list[Broken] = []
        if self.tripped:
            for breaker, key in panel.over(action):
                broken = self._broken(breaker, key, now_s)
                if broken is not None:
                    found.append(broken)
        for breaker, key in panel.at_once(action):
            evidence = self._at_once(breaker, key, action, now_s)
            if evidence is not None:
                state = self.state(breaker, key, now_s)
                found.append(Broken(breaker, key, state, f"{breaker.name} trips: {evidence['text']}", evidence))
        return tuple(found)

    def judged(
        self,
        panel: Panel,
        action: Action,
        record: str,
        stopped: tuple[Broken, ...],
        now_s: float,
        *,
        denied: bool,
        ran: bool,
    ) -> list[Moved]:
        """Count an action that was judged: `denied` by policy, or about to run; what moves by it."""
        self._now_s = now_s
        if stopped:
            return [
                (one.key, {**one.evidence, "record": record})
                for one in stopped
                if one.evidence is not None and one.state is not State.OPEN
            ]
        moved: list[Moved] = []
        agent = action.authority.acting.agent
        for breaker, key in panel.judged(action):
            match breaker.on:
                case On.IDENTICAL if action.kind is not ActionKind.DELEGATE and not action.lists:
                    self._of(breaker, key).add(Sample(now_s, _identity(action), agent, record))
                case On.FAN_OUT if action.kind is ActionKind.DELEGATE and ran:
                    self._of(breaker, key).add(Sample(now_s, _BAD, agent, record))
                case On.DENIALS:
                    state = self.state(breaker, key, now_s)
                    moved += self._denial(breaker, key, state, record, denied=denied, ran=ran)
                case _:
                    pass
        if ran and self.tripped:
            moved += self._try(panel, action, record, now_s)
        return moved

    def ended(
        self, panel: Panel, action: Action, record: str, now_s: float, *, failed: bool, took_ms: float
    ) -> list[Moved]:
        """Count the end of an action that ran; what moves by it."""
        self._now_s = now_s
        moved: list[Moved] = []
        counting = panel.counting(action)
        for breaker, key in panel.over(action):
            if breaker.on not in _BY_ENDS:
                continue
            bad = took_ms > breaker.slow_ms if breaker.on is On.SLOW else failed
            if record in self._trials.get(key, ()):
                if bad:
                    text = f"its trial {record} {'failed' if failed else f'took {took_ms:,.0f} ms'}"
                    moved.append(self._trip(breaker, key, text, [record], action.server, now_s))
            elif breaker.on is not On.CASCADE and (breaker, key) in counting:
                samples = self._of(breaker, key)
                samples.add(Sample(now_s, _BAD if bad else _GOOD, action.authority.acting.agent, record))
                if bad and key not in self.tripped and (why := _too_many(breaker, samples, now_s)):
                    moved.append(self._trip(breaker, key, why, samples.records(_BAD), action.server, now_s))
        moved += self._tried(panel, record, {key for key, _ in moved})
        return [*moved, *self._cascades(panel, moved, now_s)]

    def freed(self, record: str) -> None:
        """An action ended of which nothing is known: as a trial it says nothing."""
        for trials in self._trials.values():
            trials.discard(record)

    def _begin(self, key: str) -> None:
        for kept in (self._opened_s, self._samples, self._row, self._trials, self._passed):
            kept.pop(key, None)

    def _broken(self, breaker: Breaker, key: str, now_s: float) -> Broken | None:
        state = self.state(breaker, key, now_s)
        if state is State.CLOSED:
            return None
        why = self.tripped[key].text
        if state is State.OPEN:
            left_s = self.left_s(breaker, key, now_s)
            return Broken(breaker, key, state, f"{breaker.name} of {whose(key)} is open for {left_s:.0f} s more: {why}")
        if len(self._trials.get(key, ())) < breaker.trials:
            return None
        return Broken(
            breaker, key, state, f"{breaker.name} of {whose(key)} is half-open, its trial is under way: {why}"
        )

    def _at_once(self, breaker: Breaker, key: str, action: Action, now_s: float) -> dict[str, Json] | None:
        """The evidence where `action` is what trips it."""
        agents, delegates = action.authority.agents, action.kind is ActionKind.DELEGATE
        samples, what, text = self._samples.get(key), _BAD, None
        match breaker.on:
            case On.DEPTH:
                depth = len(agents) - 1 + delegates
                text = f"{depth} delegations deep, more than {breaker.limit}" if depth > breaker.limit else None
            case On.CYCLES:
                chain = (*agents, action.name) if delegates else agents
                text = f"a circle of delegations: {' > '.join(chain)}" if len(set(chain)) < len(chain) else None
            case On.FAN_OUT if delegates and samples is not None:
                count = samples.count(what, now_s) + 1
                said = f"{count} delegations within {breaker.within_s:g} s, more than {breaker.limit}"
                text = said if count > breaker.limit else None
            case On.IDENTICAL if not delegates and not action.lists and samples is not None:
                what = _identity(action)
                count = samples.count(what, now_s) + 1
                text = f"the same call {count} times within {breaker.within_s:g} s" if count >= breaker.limit else None
            case _:
                pass
        if text is None:
            return None
        return _evidence(breaker, text, [] if samples is None else samples.records(what))

    def _denial(
        self, breaker: Breaker, key: str, state: State, record: str, *, denied: bool, ran: bool
    ) -> Iterator[Moved]:
        if ran:
            self._row.pop(key, None)
        if not denied:
            return
        row = self._row.setdefault(key, [])
        row.append(record)
        if state is State.HALF_OPEN or len(row) >= breaker.limit:
            text = f"its trial {record} was denied" if state is State.HALF_OPEN else f"{len(row)} denials in a row"
            yield key, _evidence(breaker, text, row[-TOLD_MAX:])

    def _try(self, panel: Panel, action: Action, record: str, now_s: float) -> Iterator[Moved]:
        """`action` passes where a breaker is half-open: it is a trial of it."""
        for breaker, key in panel.over(action):
            if self.state(breaker, key, now_s) is State.HALF_OPEN:
                self._trials.setdefault(key, set()).add(record)
                if action.kind is ActionKind.DELEGATE:
                    yield from self._tried(panel, record, set())

    def _tried(self, panel: Panel, record: str, tripped: set[str]) -> Iterator[Moved]:
        """The trial `record` has ended: those breakers close that have had all of theirs."""
        for key in [key for key, trials in self._trials.items() if record in trials]:
            self._trials[key].discard(record)
            breaker = panel.breakers.get(name_of(key))
            if key in tripped or breaker is None:
                continue
            self._passed[key] = self._passed.get(key, 0) + 1
            if self._passed[key] >= breaker.trials:
                yield key, None

    def _trip(self, breaker: Breaker, key: str, text: str, records: list[str], server: str, now_s: float) -> Moved:
        if breaker.over is Over.AGENT:
            self._causes[key] = now_s, server
        return key, _evidence(breaker, text, records)

    def _cascades(self, panel: Panel, moved: list[Moved], now_s: float) -> Iterator[Moved]:
        """Where many agents tripped on one server, the server rests in their place."""
        servers = {self._causes[key][1] for key, trip in moved if trip is not None and key in self._causes}
        for breaker in panel.breakers.values():
            for server in sorted(servers) if breaker.on is On.CASCADE else ():
                if breaker.of not in {None, server} or breaker.key(server) in self.tripped:
                    continue
                since_s = now_s - breaker.within_s
                keys = [key for key, (at_s, by) in self._causes.items() if by == server and at_s > since_s]
                agents = sorted({whose(key) for key in keys})
                if len(agents) >= breaker.limit:
                    text = f"failures of {server} tripped {len(agents)} agents within {breaker.within_s:g} s"
                    named: dict[str, Json] = {"agents": list(agents[:TOLD_MAX])}
                    yield breaker.key(server), {**_evidence(breaker, text, []), **named}
                    for key in keys:
                        del self._causes[key]
                        yield key, None

    def _of(self, breaker: Breaker, key: str) -> Samples:
        samples = self._samples.get(key)
        if samples is None or samples.within_s != breaker.within_s:
            if len(self._samples) >= _KEYS_MAX:
                self._samples.clear()
            samples = self._samples[key] = Samples(breaker.within_s)
        return samples


def _identity(action: Action) -> int:
    return hash((action.server, action.name, action.arguments))


def _too_many(breaker: Breaker, samples: Samples, now_s: float) -> str | None:
    """Why it trips; not on the failures of one agent alone while others fare well: he would take it from them."""
    bad = samples.count(_BAD, now_s)
    count = len(samples.kept)
    if count < breaker.of_least or bad * 100 < breaker.limit * count:
        return None
    if breaker.over is not Over.AGENT and len(samples.agents()) > 1 and len(samples.agents(_BAD)) < 2:
        return None
    what = "failed" if breaker.on is On.ERRORS else f"took longer than {breaker.slow_ms:g} ms"
    return f"{bad} of {count} calls within {breaker.within_s:g} s {what}"


def _evidence(breaker: Breaker, text: str, records: list[str]) -> dict[str, Json]:
    return {"text": text, "on": breaker.on.value, "limit": breaker.limit, "records": list(records)}

"""The edges that leave a node: every call that policy permits there, handing on and back, taking up a store."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final, TypeAlias

from remit.assure.chains.asker import Asker, VerdictStates
from remit.assure.chains.goals import Forbidden, Goal, after, forbidden, lasting
from remit.assure.chains.moves import HIDDEN, ChainCall
from remit.assure.chains.question import Moment
from remit.assure.chains.space import Space, each
from remit.assure.chains.state import Counting, How, SearchNode, Transition
from remit.assure.chains.vocabulary import FAMILIES
from remit.assure.world import ProposedAction
from remit.facts.action import ActionKind

DEPTH_MAX: Final = 3
"""How long a chain of delegation may get."""
SESSIONS_MAX: Final = 3
"""How many sessions one line of work goes through, each taking up what the one before left in a store."""


Way: TypeAlias = tuple[ChainCall, How, VerdictStates, tuple[Forbidden, ...]]
"""A call, how it is made, in which states policy permits it, and the goals that it reaches."""


class TimeOver(Exception):
    """The search has to end before all ways were looked at."""


@dataclass(slots=True)
class Ways:
    """What leaves each node. `approver` says yes to whatever people are asked.

    `kinds` are all agents, by one that stands for those that policy cannot tell apart from it; `deep` is whether some
    policy looks at delegation, or counts.
    """

    asker: Asker
    calls: Sequence[ChainCall]
    kinds: Mapping[str, tuple[str, ...]]
    user: str | None
    counting: Counting
    ages: Sequence[int]
    nows: Sequence[int]
    deep: bool
    approver: bool
    stop: Callable[[], bool]
    sessions_max: int = SESSIONS_MAX
    _ways: dict[tuple[object, ...], list[Way]] = field(default_factory=dict[tuple[object, ...], "list[Way]"])
    _handing: dict[str, ProposedAction] = field(default_factory=dict[str, ProposedAction])
    _known: dict[SearchNode, tuple[Transition, ...]] = field(default_factory=dict[SearchNode, tuple[Transition, ...]])

    @property
    def agents(self) -> Sequence[str]:
        """One agent of each kind."""
        return tuple(self.kinds)

    def of(self, node: SearchNode) -> tuple[Transition, ...]:
        """The edges that leave `node`."""
        transitions = self._known.get(node)
        if transitions is None:
            transitions = self._known[node] = tuple(self._working(node) if node.store is None else self._taking(node))
        return transitions

    def starts(self) -> Iterator[SearchNode]:
        """A session of each agent, in which nothing happened yet."""
        yield from (SearchNode((agent,), 0, 0, 0, frozenset()) for agent in self.agents)

    def forward(self, edge: Transition, states: int) -> int:
        """Where `states` get to by `edge`, whose guard they are in."""
        space = self.asker.space
        return lost(space, states, edge.add) if edge.unsaid else space.adding(states, edge.add)

    def _working(self, node: SearchNode) -> Iterator[Transition]:
        for call, how, states, hits in self._useful(node):
            yield from self._called(node, call, how, states, hits)
        if self.deep:
            yield from self._delegating(node)

    def _useful(self, node: SearchNode) -> Sequence[Way]:
        """The calls of `node` that get somewhere: another way to call the same tool only where it gets further."""
        key = node.chain, node.calls, node.irreversible, node.done
        if (earlier := self._ways.get(key)) is not None:
            return earlier
        covered: dict[tuple[str, Goal | None], int] = {}
        ways: list[Way] = []
        for call in self.calls:
            if self.stop():
                raise TimeOver
            for how, verdict_states in self._hows(node, call):
                hits = self._hits(node, call, verdict_states)
                reach: list[tuple[Goal | None, int]] = [(None, self._guard(verdict_states))]
                reach += [(hit.goal, hit.states) for hit in hits]
                if any(states & ~covered.get((call.tool, goal), 0) for goal, states in reach):
                    for goal, states in reach:
                        covered[call.tool, goal] = covered.get((call.tool, goal), 0) | states
                    ways.append((call, how, verdict_states, hits))
        self._ways[key] = ways
        return ways

    def _hows(self, node: SearchNode, call: ChainCall) -> Iterator[tuple[How, VerdictStates]]:
        pasts, habits = self.asker.pasts(self.user, call.doing), self.asker.habits(call.doing)
        for past, used, age_s, now_ms in product(pasts, habits, self.ages, self.nows):
            moment = Moment(node.calls, node.irreversible, age_s, now_ms, past, used)
            how = How(call, age_s=age_s, now_ms=now_ms, past=past, precedent=used)
            yield how, self._asked(node.chain, call.doing, moment)

    def _hits(self, node: SearchNode, call: ChainCall, verdict_states: VerdictStates) -> tuple[Forbidden, ...]:
        guard, hits = self._guard(verdict_states), list[Forbidden]()
        for goal_states in forbidden(self.asker.space, call, node.chain, node.done):
            states = (
                goal_states.states
                & (verdict_states.permit if goal_states.goal.unasked else guard)
                & ~self._named(verdict_states, goal_states.goal.family)
            )
            if states:
                hits.append(replace(goal_states, states=states))
        return tuple(hits)

    def _called(
        self, node: SearchNode, call: ChainCall, how: How, verdict_states: VerdictStates, hits: tuple[Forbidden, ...]
    ) -> Iterator[Transition]:
        space, guard = self.asker.space, self._guard(verdict_states)
        calls, irreversible = self.counting.after(node, irreversible=call.irreversible)
        done = after(call, node.chain, node.done)
        next_node = node._replace(calls=calls, irreversible=irreversible, done=done)
        yield Transition(guard, call.brings, next_node, how, verdict_states.escalate, hits=hits)
        if node.hop + 1 < self.sessions_max:
            for store in call.writes:
                store_node = next_node._replace(chain=(), calls=0, irreversible=0, done=lasting(done), store=store)
                yield Transition(guard, call.brings, store_node, how, verdict_states.escalate)
        times = self.counting.next(node, irreversible=call.irreversible)
        idle = guard & _states_holding(space, call.brings)
        if times > 1 and idle:
            later = self.counting.later(next_node, times, irreversible=call.irreversible)
            yield Transition(idle, call.brings, later, how._replace(times=times), verdict_states.escalate)

    def _named(self, verdict_states: VerdictStates, family: str | None) -> int:
        return 0 if family is None else verdict_states.by_family.get(family, 0)

    def _delegating(self, node: SearchNode) -> Iterator[Transition]:
        if len(node.chain) < DEPTH_MAX:
            for kind in self.kinds.values():
                # No agent stands in a chain twice; another one of its kind may.
                agent = next((name for name in kind if name not in node.chain), None)
                if agent is None:
                    continue
                doing = self._handing.setdefault(agent, ProposedAction(ActionKind.DELEGATE, "", agent, {}))
                calls, _ = self.counting.after(node, irreversible=False)
                next_node = node._replace(chain=(*node.chain, agent), calls=calls)
                for past, used in product(self.asker.pasts(self.user, doing), self.asker.habits(doing)):
                    moment = Moment(node.calls, node.irreversible, past=past, precedent=used)
                    verdict_states = self._asked(node.chain, doing, moment)
                    how = How(None, doing, past=past, precedent=used)
                    yield Transition(self._guard(verdict_states), 0, next_node, how, verdict_states.escalate)
        if len(node.chain) > 1:
            yield Transition(self.asker.space.all, 0, node._replace(chain=node.chain[:-1]), How(None))

    def _taking(self, node: SearchNode) -> Iterator[Transition]:
        """A session that begins by reading what was left in a store."""
        space, store = self.asker.space, node.store
        for agent in self.agents:
            first_node = SearchNode((agent,), 0, 0, node.hop + 1, node.done)
            for call in self.calls:
                if store not in call.reads and store not in call.unsaid:
                    continue
                for how, verdict_states in self._hows(first_node, call):
                    if self._guard(verdict_states) & 1:
                        calls, irreversible = self.counting.after(first_node, irreversible=call.irreversible)
                        done = after(call, first_node.chain, first_node.done)
                        next_node = first_node._replace(calls=calls, irreversible=irreversible, done=done)
                        asks = space.all if verdict_states.escalate & 1 else 0
                        unsaid = store in call.unsaid
                        yield Transition(
                            space.all, call.brings, next_node, how, asks, unsaid, self._at_once(call, first_node)
                        )
                        break

    def _at_once(self, call: ChainCall, node: SearchNode) -> tuple[Forbidden, ...]:
        """Goals that taking up reaches itself: what reads may be a sink, but what it sends was known before it read."""
        goals_reached = forbidden(self.asker.space, call, node.chain, node.done)
        return tuple(goal_states for goal_states in goals_reached if not goal_states.goal.labels)

    def _guard(self, verdict_states: VerdictStates) -> int:
        return verdict_states.permit | verdict_states.escalate if self.approver else verdict_states.permit

    def _asked(self, chain: tuple[str, ...], doing: ProposedAction, moment: Moment) -> VerdictStates:
        return self.asker.said(chain, self.user, doing, moment)


def lost(space: Space, states: int, add: int) -> int:
    """Where `states` get to when their labels are lost, and what they said is only in the data itself."""
    reached = 0
    for kinds in _kinds(space, states):
        hidden = space.mask(frozenset(HIDDEN[family] for family in kinds))
        reached |= space.adding(1, add | hidden)
    return reached


def _kinds(space: Space, states: int) -> Iterator[frozenset[str]]:
    """The families of data that some of `states` hold together, by label or without."""
    holds: Mapping[str, int] = {family: _states_with_any(space, (family, HIDDEN[family])) for family in FAMILIES}
    for pick in range(1 << len(FAMILIES)):
        part, kinds = states, set[str]()
        for at, family in enumerate(FAMILIES):
            part &= holds[family] if pick >> at & 1 else space.all & ~holds[family]
            kinds |= {family} if pick >> at & 1 else set[str]()
        if part:
            yield frozenset(kinds)


def _states_with_any(space: Space, labels: Sequence[str]) -> int:
    states = 0
    for label in labels:
        if label in space.number:
            states |= space.held[space.number[label]]
    return states


def _states_holding(space: Space, mask: int) -> int:
    states = space.all
    for bit in each(mask):
        states &= space.held[bit]
    return states

"""The search: all states step by step from the beginning, so that the first chain to a goal is the shortest.

Laws
* A step from all states of a node at once is one operation on numbers (`space`); nothing is sampled.
* What is bounded says so: a search that stopped names where, and its answer is what it found until then.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from remit.assure.chains.edges import TimeOver, Ways, lost
from remit.assure.chains.goals import Goal, doers
from remit.assure.chains.space import each
from remit.assure.chains.state import How, ReachedStates, SearchNode, Transition
from remit.facts.guarantee import Powers, Separation

STATES_MAX: Final = 20_000_000
STEPS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """How many states and steps a search may take; `stop` is asked after each node whether it has to end."""

    states_max: int = STATES_MAX
    steps_max: int = STEPS_MAX
    stop: Callable[[], bool] = lambda: False


BOUNDS: Final = SearchLimits()


class Hit(NamedTuple):
    """A goal reached by `edge` from `node`, first in step number `step`, from one of `states`."""

    goal: Goal
    step: int
    node: SearchNode
    edge: Transition
    states: int


class Taken(NamedTuple):
    """One edge of a way, and the state that it was taken from."""

    node: SearchNode
    edge: Transition
    state: int


@dataclass(slots=True)
class Exploration:
    """What a search went through, the first hit of each goal by tool and last agent, and where it stopped.

    `parts` are the first hits of what only together reaches a goal: by goal, agent and bit.
    """

    progress: ReachedStates
    hits: dict[tuple[Goal, str, str], Hit]
    parts: dict[tuple[Goal, str, int], Hit] = field(default_factory=dict[tuple[Goal, str, int], Hit])
    stopped: str | None = None

    def way(self, hit: Hit) -> tuple[Taken, ...]:
        """The edges from the beginning to `hit`, that of the hit the last."""
        state = (hit.states & -hit.states).bit_length() - 1
        edges = [Taken(hit.node, hit.edge, state)]
        node = hit.node
        for step in range(hit.step - 1, -1, -1):
            source, edge, before = self._before(step, node, state)
            edges.append(Taken(source, edge, before))
            node, state = source, before
        return tuple(reversed(edges))

    def _before(self, step: int, node: SearchNode, state: int) -> tuple[SearchNode, Transition, int]:
        space, layer = self.progress.space, self.progress.layers[step]
        for source, edge in self.progress.taken[step]:
            if edge.target != node:
                continue
            states = layer[source] & edge.guard
            if not edge.unsaid:
                states &= space.before(1 << state, edge.add)
                if states:
                    return source, edge, (states & -states).bit_length() - 1
                continue
            for state_before in each(states):
                if self._forward(edge, state_before) == state:
                    return source, edge, state_before
        raise AssertionError("what was reached was reached from somewhere")

    def _forward(self, edge: Transition, state: int) -> int:
        return lost(self.progress.space, 1 << state, edge.add).bit_length() - 1


def explore(ways: Ways, bounds: SearchLimits) -> Exploration:
    """Every state that the edges of `ways` reach."""
    progress = ReachedStates(ways.asker.space, {}, [], [])
    exploration = Exploration(progress, {})
    layer: dict[SearchNode, int] = {}
    for node in ways.starts():
        progress.add(node, 1, layer)
    step = 0
    while layer and exploration.stopped is None:
        if step >= bounds.steps_max:
            exploration.stopped = f"after {step} steps; longer chains were not looked for"
            break
        progress.layers.append(layer)
        progress.taken.append([])
        layer = _step(ways, exploration, step, bounds)
        step += 1
    return exploration


def _step(ways: Ways, exploration: Exploration, step: int, bounds: SearchLimits) -> dict[SearchNode, int]:
    progress, next_layer = exploration.progress, dict[SearchNode, int]()
    for node, states in progress.layers[step].items():
        for edge in _edges(ways, node, exploration):
            leaving = states & edge.guard
            if not leaving:
                continue
            progress.transitions += leaving.bit_count()
            if edge.hits:
                _note(exploration, step, node, edge, leaving)
            if progress.add(edge.target, ways.forward(edge, leaving), next_layer):
                progress.taken[step].append((node, edge))
        if progress.states > bounds.states_max:
            exploration.stopped = f"after {progress.states} states; what lies beyond them was not looked at"
        elif exploration.stopped is not None or bounds.stop():
            exploration.stopped = f"in step {step + 1}, when its time was over; what lies beyond was not looked at"
        if exploration.stopped is not None:
            break
    return next_layer


def _edges(ways: Ways, node: SearchNode, exploration: Exploration) -> tuple[Transition, ...]:
    try:
        return ways.of(node)
    except TimeOver:
        exploration.stopped = "when its time was over"
        return ()


def _note(exploration: Exploration, step: int, node: SearchNode, edge: Transition, leaving: int) -> None:
    tool, chain = _tool(edge.how), node.chain or edge.target.chain
    for goal_states in edge.hits:
        states = leaving & goal_states.states
        if not states:
            continue
        hit = Hit(goal_states.goal, step, node, edge, states)
        if not goal_states.parts:
            exploration.hits.setdefault((goal_states.goal, tool, chain[-1]), hit)
            continue
        constraint = None if goal_states.goal.guarantee is None else goal_states.goal.guarantee.rule
        for agent in doers(constraint, chain) if isinstance(constraint, Separation | Powers) else ("",):
            for bit in each(goal_states.parts):
                exploration.parts.setdefault((goal_states.goal, agent, bit), hit)


def _tool(how: How) -> str:
    return "" if how.call is None else how.call.tool


def shortest_hits(explored: Exploration) -> Iterator[Hit]:
    """The shortest hit of each goal by the tool that ends it, the shortest ones first."""
    best: dict[tuple[Goal, str], Hit] = {}
    for (goal, tool, _), hit in explored.hits.items():
        if (goal, tool) not in best or hit.step < best[goal, tool].step:
            best[goal, tool] = hit
    yield from sorted(best.values(), key=lambda hit: hit.step)


def hits_by_parts(explored: Exploration) -> Iterator[tuple[Goal, str, tuple[Hit, ...]]]:
    """What agents reach by parts: the goal, who does it (nobody, where it is everybody), and the shortest hits."""
    hits_by_agent: dict[tuple[Goal, str], dict[int, Hit]] = {}
    for (goal, agent, bit), hit in explored.parts.items():
        hits_by_agent.setdefault((goal, agent), {})[bit] = hit
    for (goal, agent), bits in hits_by_agent.items():
        constraint = None if goal.guarantee is None else goal.guarantee.rule
        least = (
            2 if isinstance(constraint, Separation) else len(constraint.powers) if isinstance(constraint, Powers) else 1
        )
        if len(bits) >= least:
            shortest = sorted(bits.values(), key=lambda hit: hit.step)[:least]
            yield goal, agent, tuple({id(hit): hit for hit in shortest}.values())

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
class Explored:
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
        found = [Taken(hit.node, hit.edge, state)]
        node = hit.node
        for step in range(hit.step - 1, -1, -1):
            source, edge, before = self._before(step, node, state)
            found.append(Taken(source, edge, before))
            node, state = source, before
        return tuple(reversed(found))

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
            for one in each(states):
                if self._forward(edge, one) == state:
                    return source, edge, one
        raise AssertionError("what was reached was reached from somewhere")

    def _forward(self, edge: Transition, state: int) -> int:
        return lost(self.progress.space, 1 << state, edge.add).bit_length() - 1


def explore(ways: Ways, bounds: SearchLimits) -> Explored:
    """Every state that the edges of `ways` reach."""
    progress = ReachedStates(ways.asker.space, {}, [], [])
    found = Explored(progress, {})
    fresh: dict[SearchNode, int] = {}
    for node in ways.starts():
        progress.add(node, 1, fresh)
    step = 0
    while fresh and found.stopped is None:
        if step >= bounds.steps_max:
            found.stopped = f"after {step} steps; longer chains were not looked for"
            break
        progress.layers.append(fresh)
        progress.taken.append([])
        fresh = _step(ways, found, step, bounds)
        step += 1
    return found


def _step(ways: Ways, found: Explored, step: int, bounds: SearchLimits) -> dict[SearchNode, int]:
    progress, following = found.progress, dict[SearchNode, int]()
    for node, states in progress.layers[step].items():
        for edge in _edges(ways, node, found):
            going = states & edge.guard
            if not going:
                continue
            progress.transitions += going.bit_count()
            if edge.hits:
                _note(found, step, node, edge, going)
            if progress.add(edge.target, ways.forward(edge, going), following):
                progress.taken[step].append((node, edge))
        if progress.states > bounds.states_max:
            found.stopped = f"after {progress.states} states; what lies beyond them was not looked at"
        elif found.stopped is not None or bounds.stop():
            found.stopped = f"in step {step + 1}, when its time was over; what lies beyond was not looked at"
        if found.stopped is not None:
            break
    return following


def _edges(ways: Ways, node: SearchNode, found: Explored) -> tuple[Transition, ...]:
    try:
        return ways.of(node)
    except TimeOver:
        found.stopped = "when its time was over"
        return ()


def _note(found: Explored, step: int, node: SearchNode, edge: Transition, going: int) -> None:
    tool, chain = _tool(edge.how), node.chain or edge.target.chain
    for one in edge.hits:
        states = going & one.states
        if not states:
            continue
        hit = Hit(one.goal, step, node, edge, states)
        if not one.parts:
            found.hits.setdefault((one.goal, tool, chain[-1]), hit)
            continue
        held = None if one.goal.guarantee is None else one.goal.guarantee.holds
        for agent in doers(held, chain) if isinstance(held, Separation | Powers) else ("",):
            for bit in each(one.parts):
                found.parts.setdefault((one.goal, agent, bit), hit)


def _tool(how: How) -> str:
    return "" if how.call is None else how.call.tool


def ordered(explored: Explored) -> Iterator[Hit]:
    """The shortest hit of each goal by the tool that ends it, the shortest ones first."""
    best: dict[tuple[Goal, str], Hit] = {}
    for (goal, tool, _), hit in explored.hits.items():
        if (goal, tool) not in best or hit.step < best[goal, tool].step:
            best[goal, tool] = hit
    yield from sorted(best.values(), key=lambda hit: hit.step)


def gathered(explored: Explored) -> Iterator[tuple[Goal, str, tuple[Hit, ...]]]:
    """What agents reach by parts: the goal, who does it (nobody, where it is everybody), and the shortest hits."""
    found: dict[tuple[Goal, str], dict[int, Hit]] = {}
    for (goal, agent, bit), hit in explored.parts.items():
        found.setdefault((goal, agent), {})[bit] = hit
    for (goal, agent), bits in found.items():
        held = None if goal.guarantee is None else goal.guarantee.holds
        least = 2 if isinstance(held, Separation) else len(held.powers) if isinstance(held, Powers) else 1
        if len(bits) >= least:
            shortest = sorted(bits.values(), key=lambda hit: hit.step)[:least]
            yield goal, agent, tuple({id(hit): hit for hit in shortest}.values())

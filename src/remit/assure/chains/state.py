"""Where a search is, and how it gets on: nodes, each with a set of states, and edges between them.

A *node* is all of a session but its labels: the chain of agents, its counters, the duties done, how many sessions the
line of work has gone through; or a store that holds what a session left there. Its *states* are sets of labels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from remit.assure.chains.goals import Forbidden
from remit.assure.chains.literals import Literals
from remit.assure.chains.moves import ChainCall
from remit.assure.chains.space import Space
from remit.assure.supposition import Supposition
from remit.assure.world import START_MS, ProposedAction

EXACT_MAX: Final = 8
"""Up to here calls are counted one by one; beyond, from one number that policies compare with to the next."""
_COUNTERS: Final = ("calls", "irreversibleCalls")


class SearchNode(NamedTuple):
    """See above. `store` is None where somebody is at work; `irreversible` counts calls that cannot be undone."""

    chain: tuple[str, ...]
    calls: int
    irreversible: int
    hop: int
    done: frozenset[tuple[str, str]]
    store: str | None = None


class How(NamedTuple):
    """What an edge does: a `call`, so many `times`, at an age and a time; or, without one, a handing on, or back.

    `past` is what monitors are supposed to say then, `precedent` whether the agent is supposed to have done the like
    before.
    """

    call: ChainCall | None
    delegate: ProposedAction | None = None
    times: int = 1
    age_s: int = 0
    now_ms: int = START_MS
    past: Supposition = ()
    precedent: bool = False


class Transition(NamedTuple):
    """From the states of `guard`, with the labels of `add`, to `target`; people are asked in those of `asks`.

    `unsaid` says that what is taken up loses its labels. `hits` are the goals that it reaches, and in which states.
    """

    guard: int
    add: int
    target: SearchNode
    how: How
    asks: int = 0
    unsaid: bool = False
    hits: tuple[Forbidden, ...] = ()


@dataclass(frozen=True, slots=True)
class Counting:
    """The numbers of calls, and of irreversible ones, that policies tell apart; `(0,)` where none looks."""

    calls: tuple[int, ...] = (0,)
    irreversible: tuple[int, ...] = (0,)

    def after(self, node: SearchNode, *, irreversible: bool) -> tuple[int, int]:
        """The counters of `node` after one call more."""
        calls = node.calls + 1 if node.calls + 1 in self.calls else node.calls
        more = node.irreversible + 1
        return calls, more if irreversible and more in self.irreversible else node.irreversible

    def next(self, node: SearchNode, *, irreversible: bool) -> int:
        """How many calls it takes until some policy may say something else; 0 where none ever will."""
        listed, at = (self.irreversible, node.irreversible) if irreversible else (self.calls, node.calls)
        return next((one - at for one in listed if one > at), 0)

    def later(self, node: SearchNode, times: int, *, irreversible: bool) -> SearchNode:
        """`node` after `times` calls."""
        calls = max(one for one in self.calls if one <= node.calls + times)
        more = max(one for one in self.irreversible if one <= node.irreversible + (times if irreversible else 0))
        return node._replace(calls=calls, irreversible=more)


def counting(read: Mapping[str, Literals]) -> Counting:
    """What policies count."""
    calls, irreversible = (
        _told({number for one in read.values() for number in one.numbers.get(("session", name), ())})
        for name in _COUNTERS
    )
    return Counting(calls, irreversible)


def _told(numbers: Iterable[int]) -> tuple[int, ...]:
    found = {0}
    for number in numbers:
        found.update(one for one in (number, number + 1) if one > 0)
        if 0 <= number <= EXACT_MAX:
            found.update(range(number + 2))
    return tuple(sorted(found))


def ages(read: Mapping[str, Literals]) -> tuple[int, ...]:
    """The ages of a session, in seconds, that policies tell apart."""
    numbers = {number for one in read.values() for number in one.numbers.get(("session", "ageSeconds"), ())}
    return tuple(sorted({0, *(one for number in numbers for one in (number, number + 1) if one > 0)}))


@dataclass(slots=True)
class ReachedStates:
    """Every state that was reached, by node; the new ones of each step, and the edges by which they were."""

    space: Space
    reached: dict[SearchNode, int]
    layers: list[dict[SearchNode, int]]
    taken: list[list[tuple[SearchNode, Transition]]]
    states: int = 0
    transitions: int = 0

    def add(self, node: SearchNode, states: int, fresh: dict[SearchNode, int]) -> bool:
        """Take in `states` of `node`; whether some of them are new."""
        new = states & ~self.reached.get(node, 0)
        if not new:
            return False
        self.reached[node] = self.reached.get(node, 0) | new
        fresh[node] = fresh.get(node, 0) | new
        self.states += new.bit_count()
        return True

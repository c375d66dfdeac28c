"""The attempts that a workspace's own catalog allows: every agent, with every tool it is shown.

What makes a chain of calls an attack is said by labels, effects and sinks alone, never by a policy: what an agent read
untrusted then steers what cannot be undone or leaves the house; what it read confidential leaves the house.
"""

from collections.abc import Iterator, Sequence

from remit.assure.attack.compromised_agent import by_agent
from remit.assure.attack.environment import by_environment
from remit.assure.attack.operator import by_operator
from remit.assure.attack.plan import AttackAttempt, AttackKind
from remit.assure.attack.seats import seats_of
from remit.policy.bundle import Bundle


def attempts(bundle: Bundle) -> list[AttackAttempt]:
    """Every attempt, in a stable order; the same for the same bundle."""
    seats = seats_of(bundle)
    made: list[AttackAttempt] = []
    for seat in seats:
        made += by_environment(seat, seats)
        made += by_agent(seat, seats)
    return [*made, *by_operator(seats)]


def sampled(found: Sequence[AttackAttempt], each: int) -> list[AttackAttempt]:
    """At most `each` of every kind, spread over all there are, kind by kind; the same every time."""
    return [one for kind in AttackKind for one in _spread([made for made in found if made.kind is kind], each)]


def _spread(found: Sequence[AttackAttempt], most: int) -> Iterator[AttackAttempt]:
    count = min(most, len(found))
    yield from (found[number * len(found) // count] for number in range(count))

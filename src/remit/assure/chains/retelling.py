"""A way through the search told as a chain: every step done again in a world over `decide`, which has the last word.

A way that `decide` does not permit is no finding: it is left out, and said so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from remit.assure.chains.actions import Todo, moves, towards_one_value
from remit.assure.chains.goals import Goal
from remit.assure.chains.question import reached_of
from remit.assure.chains.results import ChainStep, FoundChain
from remit.assure.chains.search import Hit, Taken
from remit.assure.chains.vocabulary import names
from remit.assure.supposition import value_json
from remit.assure.world import START_MS, World
from remit.facts.guarantee import Rate
from remit.facts.label import Labels
from remit.facts.monitor import MonitorScope
from remit.pdp.decision import Decision
from remit.pdp.guarantees import unguarded
from remit.policy.bundle import Bundle
from remit.policy.slice import Policy
from remit.policy.verdict import Code, Deny, Escalate, word

SUSPECTS_MAX: Final = 3
BEYOND_MAX: Final = 10_000
"""How many calls are made to see whether policies keep a rate."""
_STEP_MS: Final = 1_000


@dataclass(slots=True)
class _Playback:
    """What came of some actions: the steps, the labels held before the last one, and what denied one of them."""

    steps: list[ChainStep] = field(default_factory=list[ChainStep])
    held: Labels = frozenset()
    denied: Decision | None = None


@dataclass(slots=True)
class Teller:
    """Tells ways through `bundle` for sessions of `user`. `unconfirmed` are those that `decide` does not permit.

    What a guarantee forbids is told of policies alone; any other chain is none where a guarantee denies a step of it.
    """

    bundle: Bundle
    user: str | None
    open: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict[tuple[str, str], tuple[str, ...]])
    """By tool, the arguments that `bundle` takes any value of."""
    unconfirmed: list[str] = field(default_factory=list[str])

    def told(
        self, hit: Hit, ways: Sequence[Sequence[Taken]], agents: tuple[str, ...], *, alone: bool
    ) -> FoundChain | None:
        """The chain of `ways` one after the other, the last of which ends in `hit`; None where it comes out otherwise.

        `alone`: an agent can do it.
        """
        bundle = self.bundle if hit.goal.guarantee is None else unguarded(self.bundle)
        todos = [todo for way in moves(ways) for todo in way]
        for variant in towards_one_value(self.bundle, hit.goal.guarantee, todos):
            playback = _play(World(bundle, self.user, budgets=False), variant)
            if playback.denied is None:
                return self._chained(hit.goal, playback, agents, sum(map(len, ways)), alone=alone)
            if any(reason.code is Code.GUARANTEE for reason in playback.denied.reasons):
                # That goal is told by itself.
                return None
        tool = "" if hit.edge.how.call is None else hit.edge.how.call.tool
        self.unconfirmed.append(f"{hit.goal.name} by {tool}: a way was found that comes out otherwise")
        return None

    def beyond(self, hit: Hit, way: Sequence[Taken], agents: tuple[str, ...], rate: Rate) -> FoundChain | None:
        """The chain that makes the last call of `way` more often than `rate` allows; None where nothing lets it.

        Budgets are spent, and what policies count is counted: where those end it before, it is no chain.
        """
        calls_left = rate.at_most + 1
        if calls_left > BEYOND_MAX:
            self.unconfirmed.append(f"{hit.goal.name}: more calls than the {BEYOND_MAX} that are tried")
            return None
        world, whole, ways = World(unguarded(self.bundle), self.user), _Playback(), 0
        # Where one session may do no more, the next begins.
        for todos in moves([way] * (calls_left if rate.scope is MonitorScope.FLEET else 1)):
            playback = _play(world, [*todos[:-1], replace(todos[-1], times=calls_left)])
            if len(playback.steps) < len(todos):
                return None
            whole.steps += playback.steps
            ways, calls_left = ways + 1, calls_left - playback.steps[-1].times
            if calls_left <= 0:
                return self._chained(hit.goal, whole, agents, ways * len(way), alone=True)
        return None

    def _chained(
        self, goal: Goal, playback: _Playback, agents: tuple[str, ...], moves: int, *, alone: bool
    ) -> FoundChain:
        steps = tuple(replace(step, open=self._open(step)) for step in playback.steps)
        roots = {step.chain[0].partition("#")[0] for step in steps}
        hidden = bool(goal.labels) and goal.labels.isdisjoint(playback.held)
        suspects = tuple(self._suspects(goal, steps[-1]))
        together = len(roots) > 1 and not alone
        return FoundChain(goal, self.user, steps, agents, together, hidden, suspects, moves)

    def _open(self, step: ChainStep) -> tuple[str, ...]:
        names = self.open.get((step.doing.server, step.doing.name), ())
        return tuple(name for name in names if name in step.doing.args)

    def _suspects(self, goal: Goal, last: ChainStep) -> Iterator[str]:
        """Policies that forbid something for what the goal is about, and let this pass: those of the action first."""
        if not goal.labels:
            return
        slice_policies = reached_of(self.bundle, last.doing).slice.policies
        forbids = [policy for policy in self.bundle.policies.values() if policy.forbids]
        guards = [policy for policy in forbids if any(names(policy, family) for family in goal.families)]
        spoken = set(last.policies)
        in_slice = [policy for policy in guards if policy.ident in slice_policies and policy.ident not in spoken]
        yield from (policy.ident for policy in [*in_slice, *_outside(guards, slice_policies)][:SUSPECTS_MAX])


def _outside(guards: Sequence[Policy], slice_policies: Mapping[str, Policy]) -> list[Policy]:
    return [policy for policy in guards if policy.ident not in slice_policies]


def _play(world: World, todos: Sequence[Todo]) -> _Playback:
    """What comes of `todos`, up to the first that is denied; one let through some of its times counts those."""
    playback = _Playback()
    for todo in todos:
        playback.held = world.effective(todo.chain)
        permitted, times, playback.denied = _repeat(world, todo)
        if permitted is not None:
            playback.steps.append(_step(world, replace(todo, times=times), permitted))
        if playback.denied is not None:
            break
    return playback


def _repeat(world: World, todo: Todo) -> tuple[Decision | None, int, Decision | None]:
    """The last decision that let `todo` through, how many did, and the one that did not."""
    world.now_ms = max(world.now_ms + _STEP_MS, todo.now_ms)
    session = world.session(todo.chain)
    if todo.age_s:
        old = min(session.started_ms, world.now_ms - todo.age_s * 1_000)
        world.change(todo.chain, replace(session, started_ms=old))
    world.suppose(todo.past)
    world.practise(used=todo.precedent)
    action = world.action(todo.chain, todo.doing)
    permitted: Decision | None = None
    for times in range(todo.times):
        decision = world.judge(todo.chain, action)
        verdict = decision.verdict if decision.observed is None else decision.observed
        if isinstance(verdict, Deny):
            return permitted, times, decision
        if isinstance(verdict, Escalate):
            # The one who always says yes says yes.
            world.take(todo.chain, action, decision)
        world.anything(todo.chain, action)
        permitted = decision
    return permitted, todo.times, None


def _step(world: World, todo: Todo, decision: Decision) -> ChainStep:
    verdict = decision.verdict if decision.observed is None else decision.observed
    gates = tuple((gate.policy, gate.route) for gate in verdict.gates) if isinstance(verdict, Escalate) else ()
    barring = {policy for policy, _ in gates}
    policies = [
        reason.policy for reason in decision.reasons if reason.policy is not None and reason.code is Code.POLICY
    ]
    return ChainStep(
        todo.chain,
        todo.doing,
        word(verdict),
        tuple(dict.fromkeys(policy for policy in policies if policy not in barring)),
        gates,
        tuple(sorted(world.session(todo.chain).labels)),
        todo.times,
        todo.age_s,
        0 if todo.now_ms == START_MS else todo.now_ms,
        todo.picks,
        todo.leaves,
        todo.unsaid,
        {name: value_json(world.bundle.catalog.monitors[name], value) for name, value in todo.past},
        precedent=todo.precedent,
    )

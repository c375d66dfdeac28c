"""A way through the search told as a chain: every step done again in a world over `decide`, which has the last word.

A way that `decide` does not permit is no finding: it is left out, and said so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from remit.assure.chains.found import Chained, Step
from remit.assure.chains.goals import FAMILY, Goal
from remit.assure.chains.mentioning import names
from remit.assure.chains.search import Hit, Taken
from remit.assure.world import START_MS, Chain, Doing, World
from remit.pdp.decision import Decision
from remit.policy.bundle import Bundle
from remit.policy.slice import Policy
from remit.policy.verdict import Code, Deny, Escalate, word

_STEP_MS = 1_000
SUSPECTS_MAX = 3


@dataclass(slots=True)
class Teller:
    """Tells ways through `bundle` for sessions of `user`. `unconfirmed` are those that `decide` does not permit."""

    bundle: Bundle
    user: str | None
    unconfirmed: list[str] = field(default_factory=list[str])

    def told(self, hit: Hit, way: Sequence[Taken], agents: tuple[str, ...], *, alone: bool) -> Chained | None:
        """The chain of `way`, which ends in `hit`; None where it does not come out so. `alone`: an agent can do it."""
        world = World(self.bundle, self.user, budgets=False)
        steps: list[Step] = []
        held: frozenset[str] = frozenset()
        for move in _moves(way):
            held = world.effective(move.chain)
            step = _done(world, move)
            if step.verdict == "deny":
                tool = "" if hit.edge.how.call is None else hit.edge.how.call.tool
                self.unconfirmed.append(f"{hit.goal.value} by {tool}: a way was found that comes out otherwise")
                return None
            steps.append(step)
        roots = {step.chain[0].partition("#")[0] for step in steps}
        return Chained(
            hit.goal,
            self.user,
            tuple(steps),
            agents,
            len(roots) > 1 and not alone,
            FAMILY.get(hit.goal, "") not in {"", *held},
            tuple(self._suspects(hit.goal, steps[-1])),
            len(way),
        )

    def _suspects(self, goal: Goal, last: Step) -> Iterator[str]:
        """Policies that forbid something for what the goal is about, and let this pass: those of the action first."""
        family = FAMILY.get(goal)
        if family is None:
            return
        form = self.bundle.tools[last.doing.server, last.doing.name]
        mine = self.bundle.slice_of(form.tool).policies
        guards = [one for one in self.bundle.policies.values() if one.forbids and names(one, family)]
        spoken = set(last.policies)
        inside = [one for one in guards if one.ident in mine and one.ident not in spoken]
        yield from (one.ident for one in [*inside, *_outside(guards, mine)][:SUSPECTS_MAX])


def _outside(guards: Sequence[Policy], mine: Mapping[str, Policy]) -> list[Policy]:
    return [one for one in guards if one.ident not in mine]


@dataclass(frozen=True, slots=True)
class _Todo:
    chain: Chain
    doing: Doing
    times: int
    age_s: int
    now_ms: int
    picks: str | None
    leaves: str | None
    unsaid: bool


def _moves(way: Sequence[Taken]) -> Iterator[_Todo]:
    """The actions of `way`, with a name for each session; handing back is none."""
    sessions: dict[str, int] = {}
    session = ""
    for taken in way:
        node, edge = taken.node, taken.edge
        how, target = edge.how, edge.target
        if node.store is not None:
            session = _session(sessions, target.chain[0])
        elif not session:
            session = _session(sessions, node.chain[0])
        chain = (session, *(target.chain[1:] if node.store is not None else node.chain[1:]))
        doing = how.delegate if how.call is None else how.call.doing
        if doing is not None:
            yield _Todo(chain, doing, how.times, how.age_s, how.now_ms, node.store, target.store, edge.unsaid)


def _session(sessions: dict[str, int], agent: str) -> str:
    sessions[agent] = sessions.get(agent, 0) + 1
    return agent if sessions[agent] == 1 else f"{agent}#{sessions[agent]}"


def _done(world: World, todo: _Todo) -> Step:
    world.now_ms = max(world.now_ms + _STEP_MS, todo.now_ms)
    held = world.session(todo.chain)
    if todo.age_s:
        old = min(held.started_ms, world.now_ms - todo.age_s * 1_000)
        world.change(todo.chain, replace(held, started_ms=old))
    action = world.action(todo.chain, todo.doing)
    decision: Decision | None = None
    for _ in range(todo.times):
        decision = world.judge(todo.chain, action)
        verdict = decision.verdict if decision.observed is None else decision.observed
        if isinstance(verdict, Deny):
            break
        if isinstance(verdict, Escalate):
            # The one who always says yes says yes.
            world.take(todo.chain, action, decision)
        world.anything(todo.chain, action)
    assert decision is not None, "everything is done at least once"  # noqa: S101
    return _step(world, todo, decision)


def _step(world: World, todo: _Todo, decision: Decision) -> Step:
    verdict = decision.verdict if decision.observed is None else decision.observed
    gates = tuple((gate.policy, gate.route) for gate in verdict.gates) if isinstance(verdict, Escalate) else ()
    barring = {policy for policy, _ in gates}
    said = [one.policy for one in decision.reasons if one.policy is not None and one.code is Code.POLICY]
    return Step(
        todo.chain,
        todo.doing,
        word(verdict),
        tuple(dict.fromkeys(one for one in said if one not in barring)),
        gates,
        tuple(sorted(world.session(todo.chain).labels)),
        todo.times,
        todo.age_s,
        0 if todo.now_ms == START_MS else todo.now_ms,
        todo.picks,
        todo.leaves,
        todo.unsaid,
    )

"""What would have stopped an attempt that succeeded: the narrowest policy, and what it takes from harmless work.

Laws
* Only what policy can mend is mended: a call that policy permitted though of what its session had read, or of how many
  that had made. How a token is read, or a tool pinned, is no policy's to say.
* A policy is proposed after it was tried: with it, the attempt played over by the evaluator alone is denied, or people
  are asked, where a denial would end harmless work, too.
* Its cost is counted on all harmless work that there is, not on what an attack had time for: it forbids one tool, so
  that only work with that tool may come out otherwise.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from remit.assure.attack.chores import Chore
from remit.assure.attack.plan import Arrives, AttackAttempt, AttackKind, Bearer, Calls, Gathers, Reads, Step
from remit.assure.attack.results import AttemptResult
from remit.assure.chains.cut import Forbid, alike, forbidding, with_remedies
from remit.assure.chains.goals import FINAL, OUTSIDE, Goal
from remit.assure.world import Chain, ProposedAction, World, other_action
from remit.facts.action import ActionKind
from remit.facts.canonical import Json
from remit.policy.bundle import Bundle
from remit.policy.verdict import word

_SECRETS: Final = frozenset({AttackKind.LEAK, AttackKind.WRITING, AttackKind.PIECES})
_STEERED: Final = frozenset(
    {
        AttackKind.RESULT,
        AttackKind.ERROR,
        AttackKind.PROGRESS,
        AttackKind.RESOURCE,
        AttackKind.LOOKALIKE,
        AttackKind.INVENTED,
        AttackKind.DELEGATED,
        AttackKind.LAUNDERED,
    }
)
_RUNS: Final = frozenset({AttackKind.LOOP, AttackKind.DRIP})
RUN_CALLS: Final = 20
"""Calls of one session after which people look, where somebody let a run of 50 go on: a number to begin with."""
_RUN: Final = Goal("long-run", f"the session has made {RUN_CALLS} calls already", "ASI08")


@dataclass(frozen=True, slots=True)
class Cost:
    """What of harmless work a policy newly denies and newly has people asked about, of how many chores."""

    denied: int
    escalated: int
    of: int


@dataclass(frozen=True, slots=True)
class Fix:
    """A policy that ends the attempts `ends`, and what it costs."""

    policy: Forbid
    ends: tuple[str, ...]
    cost: Cost


@dataclass(frozen=True, slots=True)
class MendResult:
    """The policies for all that policy can mend, the bundle with them, and the attempts that are left."""

    fixes: tuple[Fix, ...]
    bundle: Bundle
    remaining: tuple[str, ...]

    def of(self, ident: str) -> Fix | None:
        """What ends the attempt `ident`."""
        return next((one for one in self.fixes if ident in one.ends), None)


def mend(bundle: Bundle, results: Iterable[AttemptResult], work: Sequence[Chore], user: str | None) -> MendResult:
    """Policies for those of `results` that succeeded, each tried: the narrowest that costs `work` least.

    One that has people asked is proposed only where every denial would cost more.
    """
    policies: list[Forbid] = []
    ends: list[list[str]] = []
    alone: list[Bundle] = []
    costs: list[Cost] = []
    left: list[str] = []
    for result in results:
        attempt = result.attempt
        if result.stopped:
            continue
        index = next((number for number, candidate in enumerate(alone) if _is_stopped(candidate, attempt, user)), None)
        if index is not None:
            ends[index].append(attempt.ident)
            continue
        candidates = [
            (option, candidate)
            for option in _options(bundle, attempt)
            if (candidate := with_remedies(bundle, [option])[0]) is not None and _is_stopped(candidate, attempt, user)
        ]
        if not candidates:
            left.append(attempt.ident)
            continue
        option_costs = [cost(bundle, candidate, work, _ending(attempt), user) for _, candidate in candidates]
        best = min(range(len(candidates)), key=lambda at: (option_costs[at].denied, option_costs[at].escalated))
        option, candidate = candidates[best]
        costs.append(option_costs[best])
        policies.append(_renamed(option, policies))
        ends.append([attempt.ident])
        alone.append(candidate)
    whole = with_remedies(bundle, policies)[0] or bundle
    fixes = [Fix(policy, tuple(idents), paid) for policy, idents, paid in zip(policies, ends, costs, strict=True)]
    return MendResult(tuple(fixes), whole, tuple(left))


def cost(before: Bundle, after: Bundle, work: Sequence[Chore], tool: tuple[str, str], user: str | None) -> Cost:
    """What of `work` is newly denied and asked about by `after`, which forbids more of `tool` and of nothing else."""
    denied = asked = 0
    for chore in work:
        if all((call.server, call.tool) != tool for call in chore.calls):
            continue
        was, now = (rehearse(bundle, chore.calls, user, chore.words) for bundle in (before, after))
        denied += "deny" in now and "deny" not in was
        asked += "escalate" in now and "escalate" not in was
    return Cost(denied, asked, len(work))


def case(attempt: AttackAttempt, expect: str = "deny") -> Mapping[str, Json] | None:
    """The attempt as a case for `remit policy test`, which holds once its last call is judged as is expected.

    Of what goes out in pieces, each is: what denies the last of them alone would let go the others.
    """
    own_steps = _own_steps(attempt)
    if own_steps is None:
        return None
    events: list[Json] = []
    before, ending = own_steps
    if attempt.kind in _RUNS:
        # What went before is told by its number: which of them is the first too many is the policy's to say.
        calls_before = sum(step.times for step in (*before, ending) if isinstance(step, Calls)) - 1
        events.append({"as": "/".join(_chain(ending)), "given": {"calls": calls_before}})
        before = ()
    for step in (*before, ending):
        event: dict[str, Json] = {"as": "/".join(_chain(step))}
        if isinstance(step, Reads):
            events.append(event | {"read": step.uri, "server": step.server, "expect": "permit", "back": "anything"})
            continue
        piece = attempt.kind is AttackKind.PIECES and (step.server, step.tool) == (ending.server, ending.tool)
        last = piece or step is ending
        event |= {"call": f"{step.server}/{step.tool}", "args": dict(step.arguments)}
        event["expect"] = expect if last else "permit"
        events.append(event if last else event | {"back": "anything"})
    return {"name": f"attack {attempt.ident}: {attempt.title}", "events": events}


def rehearse(bundle: Bundle, steps: Iterable[Step], user: str | None, words: str = "") -> tuple[str, ...]:
    """The verdict on each call of `steps`, played over by the evaluator alone."""
    world, verdicts = World(bundle, user), list[str]()
    chains_with_words: set[str] = set()
    for step in steps:
        if not isinstance(step, Calls | Reads):
            continue
        world.now_ms += 1_000
        chain = _chain(step)
        if words and chain[0] not in chains_with_words:
            chains_with_words.add(chain[0])
            world.hear(chain[:1], words)
        action = world.action(chain, _proposed_action(step))
        for _ in range(step.times if isinstance(step, Calls) else 1):
            verdict = word(world.judge(chain, action).verdict)
            verdicts.append(verdict)
            if verdict == "permit":
                world.anything(chain, action)
    return tuple(verdicts)


def _proposed_action(step: Calls | Reads) -> ProposedAction:
    if isinstance(step, Reads):
        return other_action(ActionKind.READ_RESOURCE, step.server, step.uri)
    return ProposedAction(ActionKind.CALL_TOOL, step.server, step.tool, step.arguments)


def _is_stopped(bundle: Bundle, attempt: AttackAttempt, user: str | None) -> bool:
    """Whether its last call is denied, or people are asked about it."""
    return _own_steps(attempt) is not None and rehearse(bundle, attempt.steps, user)[-1] != "permit"


def _options(bundle: Bundle, attempt: AttackAttempt) -> Iterator[Forbid]:
    """What forbids the last call: where its session holds such data, else wherever it is; then what asks about it.

    Of a run, what asks first: long work may be meant.
    """
    own_steps = _own_steps(attempt)
    if own_steps is None:
        return
    goal = OUTSIDE if attempt.kind in _SECRETS else FINAL
    last = own_steps[1]
    doing, agents = (
        ProposedAction(ActionKind.CALL_TOOL, last.server, last.tool, last.arguments),
        alike(bundle, last.agent),
    )
    if attempt.kind in _RUNS:
        for route in (*_route(bundle), None):
            yield forbidding(bundle, _RUN, doing, agents, labelled=False, route=route, calls=RUN_CALLS)
        return
    for route in (None, *_route(bundle)):
        for labelled in (True, False):
            yield forbidding(bundle, goal, doing, agents, labelled=labelled, route=route)


def _ending(attempt: AttackAttempt) -> tuple[str, str]:
    """The tool of the call that a policy has to stop."""
    own_steps = _own_steps(attempt)
    return ("", "") if own_steps is None else (own_steps[1].server, own_steps[1].tool)


def _route(bundle: Bundle) -> Sequence[str]:
    """The people that policies ask most, else the first by name; none where nobody can be asked."""
    asks_by_route = Counter(policy.gate.route for policy in bundle.policies.values() if policy.gate is not None)
    return sorted(bundle.catalog.routes, key=lambda name: (-asks_by_route[name], name))[:1]


def _own_steps(attempt: AttackAttempt) -> tuple[tuple[Calls | Reads, ...], Calls] | None:
    """The steps of an attempt before the call that policy could have denied, and that call."""
    steps = [step for step in attempt.steps if isinstance(step, Calls | Reads)]
    mendable = attempt.kind in _SECRETS | _STEERED | _RUNS and isinstance(attempt.goal, Arrives | Gathers)
    if not mendable or not steps or any(isinstance(one, Calls) and one.bearer is not Bearer.OWN for one in steps):
        return None
    last = steps[-1]
    return (tuple(steps[:-1]), last) if isinstance(last, Calls) else None


def _renamed(policy: Forbid, others: Sequence[Forbid]) -> Forbid:
    """`policy` under an id of its own."""
    same = sum(one.ident.startswith(policy.ident) for one in others)
    if not same:
        return policy
    ident = f"{policy.ident}-{same + 1}"
    return replace(policy, ident=ident, text=policy.text.replace(f'"{policy.ident}"', f'"{ident}"', 1))


def _chain(step: Calls | Reads) -> Chain:
    own = step.agent if step.session == "first" else f"{step.agent}#2"
    return (own,) if isinstance(step, Reads) or step.via is None else (step.via, own)

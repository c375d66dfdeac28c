"""`decide`: may this action run? Total, pure, in the order in which it is read.

known? -> reviewed and as pinned? -> session live? -> breakers? -> arguments valid? -> facts -> every link
of the chain judged, observing links overridden, the strictest verdict taken -> gates lifted by
people -> guarantees held -> obligations met -> effects. The first step that says no ends it, and says why; but what is
beyond a budget is denied for that, whatever policy says, unless obligations make another action of it first.
"""

from dataclasses import replace
from typing import Final

from remit.escalate.refusals import refused_text
from remit.facts.action import Action
from remit.facts.budget import Draw
from remit.facts.impact import Impact
from remit.facts.label import closed
from remit.facts.novelty import Novelty
from remit.facts.origin import Flow
from remit.facts.session import confidence, join
from remit.pdp.chain import judge_chain
from remit.pdp.decision import Decision
from remit.pdp.effects import Ruling, decision_of, has_unveiled_secrets
from remit.pdp.flow import flow_of
from remit.pdp.grant_scope import covering, reach_in
from remit.pdp.guarantees import flows, with_guarantees
from remit.pdp.listing import judge_list
from remit.pdp.measure import detections_in, impact, novelty
from remit.pdp.obligations import with_obligations
from remit.pdp.open_breakers import breaker_problem
from remit.pdp.past import measure_problem, past_facts, room_problem
from remit.pdp.preconditions import argument_problem, destination_of, session_problem
from remit.pdp.snapshot import AskQuota, Snapshot
from remit.pdp.spending import budget_problem, with_budget_gates
from remit.policy.compiled.values import Value
from remit.policy.context import Facts
from remit.policy.destination import Destination
from remit.policy.evaluate import question_of
from remit.policy.verdict import Code, Deny, Escalate, Permit, Reason

_TOO_MUCH: Final = {
    AskQuota.SESSION_FULL: Reason(
        Code.APPROVAL_TOO_MANY,
        "people are asked about too many actions of this session already: wait until they decided some",
    ),
    AskQuota.AGENT_OFTEN: Reason(
        Code.APPROVAL_TOO_OFTEN,
        "this agent has asked people as often within an hour as it may (asks_per_hour_max): go on without",
    ),
}


def decide(snapshot: Snapshot, action: Action, now_ms: int) -> Decision:
    """Judge `action`; `now_ms` is milliseconds since the epoch. Never raises.

    The effects start with a record that must be durable before anything else happens: an
    intent where the action goes ahead, a proposal otherwise.
    """
    try:
        return decision_of(snapshot, action, _judge(snapshot, action, now_ms), now_ms)
    except Exception as error:  # noqa: BLE001
        return decision_of(snapshot, action, _failed(error), now_ms)


def judge(snapshot: Snapshot, action: Action, now_ms: int) -> Ruling:
    """What `decide` decides, for what is replayed: neither a record nor what happens next is made of it."""
    try:
        return _judge(snapshot, action, now_ms)
    except Exception as error:  # noqa: BLE001
        return _failed(error)


def _failed(error: Exception) -> Ruling:
    # INVARIANT(deny-on-error): an error of our own is a denial that names it.
    text = f"deciding failed ({type(error).__name__}); nothing was done"
    return Ruling(Deny(), (Reason(Code.INTERNAL, text),))


def _judge(snapshot: Snapshot, action: Action, now_ms: int) -> Ruling:
    if has_unveiled_secrets(snapshot, action):
        raise ValueError("secrets that nothing veils")
    destination = destination_of(snapshot, action)
    if isinstance(destination, Ruling):
        return destination
    if snapshot.stores.labels:
        source = destination.source | snapshot.stores.labels
        destination = replace(destination, source=source, brings=tuple(sorted(closed(source))))
    problem = (
        session_problem(snapshot, action, now_ms)
        or breaker_problem(snapshot, now_ms)
        or argument_problem(snapshot, action, destination)
    )
    # A round of an action under way spends nothing: what it needs was there when it was let through.
    spends = bool(snapshot.draws) and action.within is None
    if problem is not None:
        return Ruling(Deny(), (problem,), destination=destination)
    ruling = _rule(snapshot, action, destination, now_ms, spends=spends)
    overdraft = budget_problem(snapshot, action, destination) if spends else None
    if overdraft is None or ruling.first is not None:
        # What obligations make of it is judged again, budgets and all.
        return ruling
    return Ruling(Deny(), (overdraft,), destination=destination)


def _rule(snapshot: Snapshot, action: Action, destination: Destination, now_ms: int, *, spends: bool) -> Ruling:
    """What policy, people and guarantees say, with obligations met or to be met first."""
    part = destination.slice
    flow = flow_of(snapshot, action, destination) if part.flow else None
    facts, unknown = _look_up_facts(snapshot, action, destination, now_ms, flow)
    if unknown is not None:
        return Ruling(Deny(), (unknown,), facts, destination)
    if action.lists:
        shown, why, hidden = judge_list(snapshot, action, destination)
        return with_obligations(action, Ruling(shown, why, facts, destination, hidden))
    question = question_of(destination, facts, action.input, snapshot.bundle.labels)
    verdict, reasons, observed = judge_chain(snapshot, action, question)
    ruling = Ruling(verdict, reasons, facts, destination, observed)
    if spends:
        ruling = with_budget_gates(snapshot, action, ruling)
    ruling = _lift_by_approval(snapshot, action, ruling, now_ms)
    if _grantable(snapshot, action, ruling) and not flows(destination, facts):
        ruling = _lift_by_grant(snapshot, action, ruling, now_ms)
    if destination.feeds.guards:
        ruling = with_guarantees(snapshot, action, ruling, now_ms)
    return with_obligations(action, _limit_asking(snapshot, action, ruling))


def _look_up_facts(
    snapshot: Snapshot, action: Action, destination: Destination, now_ms: int, flow: Flow | None
) -> tuple[Facts, Reason | None]:
    """The facts that policies of the slice look at; and why something that has to be known is not."""
    part = destination.slice
    past = past_facts(snapshot, action, destination, now_ms) if destination.queries else None
    facts = facts_of(
        snapshot,
        action,
        now_ms,
        flow,
        impact(destination, action.input) if part.impact else None,
        novelty(snapshot, action, destination, flow) if part.novelty and flow is not None else None,
        snapshot.draws if snapshot.draws and "budget" in part.looks else (),
        None if isinstance(past, Reason) else past,
    )
    if destination.finds:
        facts = facts._replace(sends=detections_in(action, destination))
    unknown = past if isinstance(past, Reason) else measure_problem(action, destination)
    return facts, unknown or room_problem(snapshot, action, destination, now_ms)


def facts_of(
    snapshot: Snapshot,
    action: Action,
    now_ms: int,
    flow: Flow | None = None,
    moved: Impact | None = None,
    new: Novelty | None = None,
    draws: tuple[Draw, ...] = (),
    past: dict[str, Value] | None = None,
) -> Facts:
    """What a policy may look at, but for the input. What no policy reads is left out."""
    authority = action.authority
    labels, calls, irreversible, started_ms = join(snapshot.sessions)
    if action.within is not None:
        calls -= action.within.own.calls
        irreversible -= action.within.own.irreversible
    # By position, in half the time: this is made for every action.
    return Facts(
        authority.user,
        authority.agents,
        closed(labels),
        calls,
        irreversible,
        now_ms - started_ms,
        action.size,
        now_ms,
        flow,
        confidence(snapshot.sessions),
        moved,
        new,
        draws,
        past,
    )


def _lift_by_approval(snapshot: Snapshot, action: Action, ruling: Ruling, now_ms: int) -> Ruling:
    """An escalation that people have approved for exactly this action is a permit."""
    verdict = ruling.verdict
    if not isinstance(verdict, Escalate) or not snapshot.lifts:
        return ruling
    action_hash = action.hash(ruling.pin)
    # INVARIANT(approval-binds-exact-action): by hash, by gate and policy text, and in time.
    fitting = (
        lift
        for lift in snapshot.lifts
        if lift.action_hash == action_hash and now_ms < lift.expires_ms and lift.gates.issuperset(verdict.gates)
    )
    lift = next(fitting, None)
    if lift is None:
        return ruling
    approved = Reason(Code.GATE, f"approved by people as {lift.approval}")
    return Ruling(
        Permit(verdict.obligations),
        (*ruling.reasons, approved),
        ruling.facts,
        ruling.destination,
        ruling.observed,
        lift.approval,
    )


def _grantable(snapshot: Snapshot, action: Action, ruling: Ruling) -> bool:
    """Whether a grant may lift what is left. A no to this very action stands over all that was granted for others.

    Nobody who granted saw what a client would answer in a round.
    """
    brings_nothing = action.within is None or action.within.bare
    return bool(snapshot.grants) and brings_nothing and not snapshot.refusals and isinstance(ruling.verdict, Escalate)


def _lift_by_grant(snapshot: Snapshot, action: Action, ruling: Ruling, now_ms: int) -> Ruling:
    """An escalation all of whose gates people lifted for more than one action is a permit."""
    verdict, destination, facts = ruling.verdict, ruling.destination, ruling.facts
    assert isinstance(verdict, Escalate), "asked for escalations alone"  # noqa: S101
    assert destination is not None, "what escalates reaches something"  # noqa: S101
    assert facts is not None, "policy judged by facts"  # noqa: S101
    live = [grant for grant in snapshot.grants if grant.spent(now_ms) is None]
    flow = flow_of(snapshot, action, destination) if facts.flow is None else facts.flow
    reach = reach_in(action, destination, flow.traces)
    # By gate and policy text, like an approval, and within what people saw.
    lifting = covering(live, verdict.gates, action, destination.tool, reach)
    if lifting is None:
        return ruling
    reasons = [
        Reason(Code.GATE, f"lifted by the grant {grant.ident} of {', '.join(vote.by for vote in grant.votes)}")
        for grant in lifting
    ]
    return ruling._replace(
        verdict=Permit(verdict.obligations),
        reasons=(*ruling.reasons, *reasons),
        grants=tuple(grant.ident for grant in lifting),
    )


def _limit_asking(snapshot: Snapshot, action: Action, ruling: Ruling) -> Ruling:
    """Nobody is asked again about what was refused, nor about more than a person can look through."""
    if not isinstance(ruling.verdict, Escalate):
        return ruling
    if snapshot.refusals:
        action_hash = action.hash(ruling.pin)
        for refusal in snapshot.refusals:
            if refusal.action_hash == action_hash:
                why = Reason(Code.APPROVAL_REFUSED, refused_text(refusal.by, refusal.reason))
                return ruling._replace(verdict=Deny(), reasons=(why, *ruling.reasons), approval=refusal.approval)
    if snapshot.ask_quota is AskQuota.MAY:
        return ruling
    reason = _TOO_MUCH[snapshot.ask_quota]
    return Ruling(Deny(), (*ruling.reasons, reason), ruling.facts, ruling.destination, ruling.observed)

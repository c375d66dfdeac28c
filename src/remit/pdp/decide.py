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
from remit.pdp.effects import Ruling, bare, decision_of
from remit.pdp.flow import flow_of
from remit.pdp.grant_scope import covering, reach_in
from remit.pdp.guarantees import flows, guaranteed
from remit.pdp.listing import judge_list
from remit.pdp.measure import impact, novelty, sent
from remit.pdp.obligations import obliged
from remit.pdp.open_breakers import broken
from remit.pdp.past import crowded, past_facts, unmeasured
from remit.pdp.preconditions import argument_problem, known, session_problem
from remit.pdp.snapshot import AskQuota, Snapshot
from remit.pdp.spending import overspent, thrifty
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
        judged = _judge(snapshot, action, now_ms)
        return decision_of(snapshot, action, judged, now_ms)
    except Exception as error:  # noqa: BLE001
        # INVARIANT(deny-on-error): an error of our own is a denial that names it.
        text = f"deciding failed ({type(error).__name__}); nothing was done"
        denied = Ruling(Deny(), (Reason(Code.INTERNAL, text),))
        return decision_of(snapshot, action, denied, now_ms)


def _judge(snapshot: Snapshot, action: Action, now_ms: int) -> Ruling:
    if bare(snapshot, action):
        raise ValueError("secrets that nothing veils")
    checked = known(snapshot, action)
    if isinstance(checked, Ruling):
        return checked
    if snapshot.stores.labels:
        source = checked.source | snapshot.stores.labels
        checked = replace(checked, source=source, brings=tuple(sorted(closed(source))))
    stopped = (
        session_problem(snapshot, action, now_ms)
        or broken(snapshot, now_ms)
        or argument_problem(snapshot, action, checked)
    )
    # A round of an action under way spends nothing: what it needs was there when it was let through.
    spends = bool(snapshot.draws) and action.within is None
    if stopped is not None:
        return Ruling(Deny(), (stopped,), reached=checked)
    ruling = _ruled(snapshot, action, checked, now_ms, spends=spends)
    over = overspent(snapshot, action, checked) if spends else None
    if over is None or ruling.first is not None:
        # What obligations make of it is judged again, budgets and all.
        return ruling
    return Ruling(Deny(), (over,), reached=checked)


def _ruled(snapshot: Snapshot, action: Action, checked: Destination, now_ms: int, *, spends: bool) -> Ruling:
    """What policy, people and guarantees say, with obligations met or to be met first."""
    asks = checked.slice
    flow = flow_of(snapshot, action, checked) if asks.flow else None
    facts, unknown = _looked_at(snapshot, action, checked, now_ms, flow)
    if unknown is not None:
        return Ruling(Deny(), (unknown,), facts, checked)
    if action.lists:
        shown, why, hidden = judge_list(snapshot, action, checked)
        return obliged(action, Ruling(shown, why, facts, checked, hidden))
    question = question_of(checked, facts, action.input, snapshot.bundle.labels)
    verdict, reasons, observed = judge_chain(snapshot, action, question)
    judged = Ruling(verdict, reasons, facts, checked, observed)
    if spends:
        judged = thrifty(snapshot, action, judged)
    lifted = _lifted(snapshot, action, judged, now_ms)
    if _grantable(snapshot, action, lifted) and not flows(checked, facts):
        lifted = _granted(snapshot, action, lifted, now_ms)
    if checked.feeds.guards:
        lifted = guaranteed(snapshot, action, lifted, now_ms)
    return obliged(action, _askable(snapshot, action, lifted))


def _looked_at(
    snapshot: Snapshot, action: Action, reached: Destination, now_ms: int, flow: Flow | None
) -> tuple[Facts, Reason | None]:
    """The facts that policies of the slice look at; and why something that has to be known is not."""
    asks = reached.slice
    past = past_facts(snapshot, action, reached, now_ms) if reached.asked else None
    facts = facts_of(
        snapshot,
        action,
        now_ms,
        flow,
        impact(reached, action.input) if asks.impact else None,
        novelty(snapshot, action, reached, flow) if asks.novelty and flow is not None else None,
        snapshot.draws if snapshot.draws and "budget" in asks.looks else (),
        None if isinstance(past, Reason) else past,
    )
    if reached.finds:
        facts = facts._replace(sends=sent(action, reached))
    unknown = past if isinstance(past, Reason) else unmeasured(action, reached)
    return facts, unknown or crowded(snapshot, action, reached, now_ms)


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


def _lifted(snapshot: Snapshot, action: Action, judged: Ruling, now_ms: int) -> Ruling:
    """An escalation that people have approved for exactly this action is a permit."""
    verdict = judged.verdict
    if not isinstance(verdict, Escalate) or not snapshot.lifts:
        return judged
    bound = action.hash(judged.pin)
    # INVARIANT(approval-binds-exact-action): by hash, by gate and policy text, and in time.
    fitting = (
        lift
        for lift in snapshot.lifts
        if lift.action_hash == bound and now_ms < lift.expires_ms and lift.gates.issuperset(verdict.gates)
    )
    lift = next(fitting, None)
    if lift is None:
        return judged
    approved = Reason(Code.GATE, f"approved by people as {lift.approval}")
    return Ruling(
        Permit(verdict.obligations),
        (*judged.reasons, approved),
        judged.facts,
        judged.reached,
        judged.observed,
        lift.approval,
    )


def _grantable(snapshot: Snapshot, action: Action, lifted: Ruling) -> bool:
    """Whether a grant may lift what is left. A no to this very action stands over all that was granted for others.

    Nobody who granted saw what a client would answer in a round.
    """
    shown = action.within is None or action.within.bare
    return bool(snapshot.grants) and shown and not snapshot.noes and isinstance(lifted.verdict, Escalate)


def _granted(snapshot: Snapshot, action: Action, judged: Ruling, now_ms: int) -> Ruling:
    """An escalation all of whose gates people lifted for more than one action is a permit."""
    verdict, reached, facts = judged.verdict, judged.reached, judged.facts
    assert isinstance(verdict, Escalate), "asked for escalations alone"  # noqa: S101
    assert reached is not None, "what escalates reaches something"  # noqa: S101
    assert facts is not None, "policy judged by facts"  # noqa: S101
    live = [grant for grant in snapshot.grants if grant.spent(now_ms) is None]
    flow = flow_of(snapshot, action, reached) if facts.flow is None else facts.flow
    reach = reach_in(action, reached, flow.traced)
    # By gate and policy text, like an approval, and within what people saw.
    found = covering(live, verdict.gates, action, reached.tool, reach)
    if found is None:
        return judged
    reasons = [
        Reason(Code.GATE, f"lifted by the grant {grant.ident} of {', '.join(vote.by for vote in grant.votes)}")
        for grant in found
    ]
    return judged._replace(
        verdict=Permit(verdict.obligations),
        reasons=(*judged.reasons, *reasons),
        grants=tuple(grant.ident for grant in found),
    )


def _askable(snapshot: Snapshot, action: Action, judged: Ruling) -> Ruling:
    """Nobody is asked again about what was refused, nor about more than a person can look through."""
    if not isinstance(judged.verdict, Escalate):
        return judged
    if snapshot.noes:
        bound = action.hash(judged.pin)
        for no in snapshot.noes:
            if no.action_hash == bound:
                said = Reason(Code.APPROVAL_REFUSED, refused_text(no.by, no.reason))
                return judged._replace(verdict=Deny(), reasons=(said, *judged.reasons), approval=no.approval)
    if snapshot.asking is AskQuota.MAY:
        return judged
    reason = _TOO_MUCH[snapshot.asking]
    return Ruling(Deny(), (*judged.reasons, reason), judged.facts, judged.reached, judged.observed)

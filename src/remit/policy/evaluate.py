"""One link of a delegation chain judged on one action: what is weighed becomes a verdict with its reasons.

Cedar skips an erroring policy; here any error, and any request Cedar cannot judge, denies.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from remit.facts.text import escaped
from remit.policy import gates
from remit.policy.bundle import Bundle
from remit.policy.convert import overlaps
from remit.policy.form import Uid
from remit.policy.slice import Policy
from remit.policy.verdict import Code, Deny, Escalate, Permit, Reason, Verdict
from remit.policy.weigh import ChainQuestion, Weighed, question_of, weigh

__all__ = ["ChainQuestion", "Judgement", "judge", "question_of"]

_FREELY: Final = Permit()
Judgement: TypeAlias = tuple[Verdict, tuple[Reason, ...]]


def judge(bundle: Bundle, question: ChainQuestion, agent: str, principal: Uid) -> Judgement:
    """What policy says of `agent` doing this: a verdict and why."""
    destination, inexact = question.destination, question.inexact
    path_read = overlaps(destination.slice.reads, inexact) if inexact else None
    if path_read is not None:
        path = escaped(".".join(path_read), chars_max=120)
        text = (
            f"a policy reads the argument {path}, whose value has no exact Cedar form (of numbers, four places at most)"
        )
        return Deny(), (Reason(Code.ARG_INEXACT, text, agent=agent),)
    impact = question.facts.impact
    if impact is not None and not impact.inexact.isdisjoint(destination.slice.measures):
        name = min(impact.inexact & destination.slice.measures)
        text = (
            f"a policy reads how many {name} this moves" if name != "amount" else "a policy reads the amount this moves"
        )
        reason = Reason(Code.ARG_INEXACT, f"{text}, which the arguments do not say exactly", agent=agent)
        return Deny(), (reason,)
    weighed = weigh(bundle, question, principal)
    if weighed.errors:
        errors = "; ".join(f"{ident}: {why}" if ident else why for ident, why in weighed.errors)
        text = f"policy could not be evaluated: {escaped(errors, chars_max=300)}"
        return Deny(), (Reason(Code.POLICY_ERROR, text, agent=agent),)
    if weighed.forbids:
        return _forbidden(question, agent, weighed)
    if weighed.permits:
        return _permit(weighed.permits), _reasons(weighed.permits, agent)
    text = f"no policy permits {agent} to {destination.doing}"
    return Deny(), (Reason(Code.NO_POLICY, text, agent=agent),)


def _forbidden(question: ChainQuestion, agent: str, weighed: Weighed) -> Judgement:
    """What is left where policies forbid: a denial, or gates that people may lift.

    A gate does not permit what was never permitted.
    """
    lifted = gates.liftable(weighed.forbids)
    if lifted is None:
        hard_first = sorted(weighed.forbids, key=lambda policy: policy.gate is not None)
        return Deny(), _reasons(hard_first, agent)
    if not weighed.permits:
        text = f"no policy permits {agent} to {question.destination.doing}, even with the gates lifted"
        none = Reason(Code.NO_POLICY, text, agent=agent)
        return Deny(), (none, *_reasons(weighed.forbids, agent))
    barring = [policy.barring(agent) for policy in weighed.forbids]
    return Escalate(lifted, _permit(weighed.permits).obligations), (*barring, *_reasons(weighed.permits, agent))


def _permit(permits: Iterable[Policy]) -> Permit:
    # INVARIANT(no-permit-without-policy): Cedar allows only where some permit is satisfied.
    obligations = {policy.obligation for policy in permits if policy.obligation}
    return Permit(tuple(sorted(obligations))) if obligations else _FREELY


def _reasons(policies: Iterable[Policy], agent: str) -> tuple[Reason, ...]:
    return tuple([policy.reason(agent) for policy in policies])

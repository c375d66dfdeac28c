"""One link of a delegation chain judged on one action: what is weighed becomes a verdict with its reasons.

Cedar skips an erroring policy; here any error, and any request Cedar cannot judge, denies.
"""

from collections.abc import Iterable
from typing import TypeAlias

from remit.facts.text import escaped
from remit.policy import gates
from remit.policy.bundle import Bundle, Policy
from remit.policy.convert import overlaps
from remit.policy.form import Uid
from remit.policy.verdict import Code, Deny, Escalate, Permit, Reason, Verdict
from remit.policy.weigh import Question, Weighed, weigh

__all__ = ["Judged", "Question", "judge", "reason"]

Judged: TypeAlias = tuple[Verdict, tuple[Reason, ...]]


def judge(bundle: Bundle, question: Question, agent: str, principal: Uid) -> Judged:
    """What policy says of `agent` doing this: a verdict and why."""
    lost = overlaps(question.slice.reads, question.inexact) if question.inexact else None
    if lost is not None:
        path = escaped(".".join(lost), chars_max=120)
        text = f"a policy reads the argument {path}, whose value has no exact Cedar form"
        return Deny(), (Reason(Code.ARG_INEXACT, text, agent=agent),)
    found = weigh(bundle, question, principal)
    if found.errors:
        said = "; ".join(f"{ident}: {why}" if ident else why for ident, why in found.errors)
        text = f"policy could not be evaluated: {escaped(said, chars_max=300)}"
        return Deny(), (Reason(Code.POLICY_ERROR, text, agent=agent),)
    if found.forbids:
        return _forbidden(question, agent, found)
    if found.permits:
        return _permit(found.permits), tuple([reason(policy, agent) for policy in found.permits])
    text = f"no policy permits {agent} to {question.shown}"
    return Deny(), (Reason(Code.NO_POLICY, text, agent=agent),)


def _forbidden(question: Question, agent: str, found: Weighed) -> Judged:
    """What is left where policies forbid: a denial, or gates that people may lift.

    A gate does not permit what was never permitted.
    """
    lifted = gates.liftable(found.forbids)
    if lifted is None:
        hard_first = sorted(found.forbids, key=lambda policy: policy.gate is not None)
        return Deny(), tuple(reason(policy, agent) for policy in hard_first)
    if not found.permits:
        text = f"no policy permits {agent} to {question.shown}, even with the gates lifted"
        none = Reason(Code.NO_POLICY, text, agent=agent)
        return Deny(), (none, *(reason(policy, agent) for policy in found.forbids))
    barring = (reason(policy, agent, Code.GATE) for policy in found.forbids)
    behind = (reason(policy, agent) for policy in found.permits)
    return Escalate(lifted, _permit(found.permits).obligations), (*barring, *behind)


def _permit(permits: Iterable[Policy]) -> Permit:
    # INVARIANT(no-permit-without-policy): Cedar allows only where some permit is satisfied.
    obligations = {policy.obligation for policy in permits if policy.obligation}
    return Permit(tuple(sorted(obligations)))


def reason(policy: Policy, agent: str | None = None, code: Code = Code.POLICY) -> Reason:
    """`policy` as the reason of a verdict."""
    return Reason(code, policy.reason, policy.ident, policy.where, agent)

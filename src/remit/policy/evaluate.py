"""One link of a delegation chain judged on one action, by cedarpy.

The schema and the entities always go along: without them groups vanish silently. Cedar skips
an erroring policy; here any error, and any request Cedar cannot judge, denies.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from remit.facts.text import escaped
from remit.policy import cedar, gates
from remit.policy.bundle import Bundle, Policy, Slice
from remit.policy.convert import Path, overlaps
from remit.policy.form import Uid
from remit.policy.verdict import Code, Deny, Escalate, Permit, Reason, Verdict

Judged: TypeAlias = tuple[Verdict, tuple[Reason, ...]]


@dataclass(frozen=True, slots=True)
class Question:
    """An action as every link of its chain is asked about it.

    `shown` is how people name the action; `context` is Cedar's JSON text; `inexact` are the
    argument paths that no policy of the slice may read.
    """

    shown: str
    action: Uid
    resource: Uid
    context: str
    inexact: tuple[Path, ...]
    slice: Slice


def judge(bundle: Bundle, question: Question, agent: str, principal: Uid) -> Judged:
    """What policy says of `agent` doing this: a verdict and why."""
    lost = overlaps(question.slice.reads, question.inexact) if question.inexact else None
    if lost is not None:
        path = escaped(".".join(lost), chars_max=120)
        text = f"a policy reads the argument {path}, whose value has no exact Cedar form"
        return Deny(), (Reason(Code.ARG_INEXACT, text, agent=agent),)
    answer = _ask(bundle, question, principal, question.slice.everything)
    if answer.errors or answer.outcome is cedar.Outcome.NO_DECISION:
        text = f"policy could not be evaluated: {escaped('; '.join(answer.errors), chars_max=300)}"
        return Deny(), (Reason(Code.POLICY_ERROR, text, agent=agent),)
    determining = _policies(question.slice, answer)
    if answer.outcome is cedar.Outcome.ALLOW:
        return _permit(determining), tuple(reason(policy, agent) for policy in determining)
    if not determining:
        text = f"no policy permits {agent} to {question.shown}"
        return Deny(), (Reason(Code.NO_POLICY, text, agent=agent),)
    return _forbidden(bundle, question, agent, principal, determining)


def _forbidden(
    bundle: Bundle,
    question: Question,
    agent: str,
    principal: Uid,
    forbids: tuple[Policy, ...],
) -> Judged:
    """What is left where policies forbid: a denial, or gates that people may lift.

    A gate does not permit what was never permitted, so the permits are asked alone: Cedar names
    every satisfied forbid, and with those lifted only permits are left to speak.
    """
    lifted = gates.liftable(forbids)
    if lifted is None:
        hard_first = sorted(forbids, key=lambda policy: policy.gate is not None)
        return Deny(), tuple(reason(policy, agent) for policy in hard_first)
    answer = _ask(bundle, question, principal, question.slice.permits)
    if answer.outcome is not cedar.Outcome.ALLOW or answer.errors:
        text = f"no policy permits {agent} to {question.shown}, even with the gates lifted"
        none = Reason(Code.NO_POLICY, text, agent=agent)
        return Deny(), (none, *(reason(policy, agent) for policy in forbids))
    permits = _policies(question.slice, answer)
    barring = (reason(policy, agent, Code.GATE) for policy in forbids)
    behind = (reason(policy, agent) for policy in permits)
    return Escalate(lifted, _permit(permits).obligations), (*barring, *behind)


def _ask(bundle: Bundle, question: Question, principal: Uid, policies: cedar.PolicySet) -> cedar.Answer:
    return cedar.ask(
        {
            "principal": {"type": principal[0], "id": principal[1]},
            "action": {"type": question.action[0], "id": question.action[1]},
            "resource": {"type": question.resource[0], "id": question.resource[1]},
            "context": question.context,
        },
        policies,
        bundle.entities,
        bundle.schema,
    )


def _policies(part: Slice, answer: cedar.Answer) -> tuple[Policy, ...]:
    """The determining policies in a stable order."""
    return tuple(part.policies[ident] for ident in answer.ids)


def _permit(permits: Iterable[Policy]) -> Permit:
    # INVARIANT(no-permit-without-policy): Cedar allows only where some permit is satisfied.
    obligations = {policy.obligation for policy in permits if policy.obligation}
    return Permit(tuple(sorted(obligations)))


def reason(policy: Policy, agent: str | None = None, code: Code = Code.POLICY) -> Reason:
    """`policy` as the reason of a verdict."""
    return Reason(code, policy.reason, policy.ident, policy.where, agent)

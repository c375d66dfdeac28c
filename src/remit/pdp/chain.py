"""A delegation chain judged: each link by itself, then the strictest of them."""

from typing import Final, assert_never

from remit.facts.action import Action
from remit.facts.agent import Mode
from remit.pdp.snapshot import Snapshot
from remit.policy.evaluate import ChainQuestion, Judgement, judge
from remit.policy.uids import agent_uid
from remit.policy.verdict import Code, Deny, Escalate, Gate, Permit, Reason, Verdict, rank

_ENFORCE: Final = Mode.ENFORCE
_POLICY_CODES: Final = frozenset({Code.POLICY, Code.NO_POLICY, Code.GATE})


def judge_chain(
    snapshot: Snapshot, action: Action, question: ChainQuestion
) -> tuple[Verdict, tuple[Reason, ...], Verdict | None]:
    """Every agent of the chain judged as principal in the same context.

    INVARIANT(authority-only-shrinks): an observing link overrides its own verdict before the
    strictest is taken, so it frees nobody else.
    """
    bundle = snapshot.bundle
    agents = bundle.catalog.agents
    names = action.authority.agents
    judgements: dict[str, Judgement] = {}
    observing = False
    for name in names:
        judgements[name] = judge(bundle, question, name, agent_uid(name))
        observing = observing or agents[name].mode is not _ENFORCE
    if not observing:
        verdict, reasons = judgements[names[0]] if len(judgements) == 1 else strictest(list(judgements.values()))
        return verdict, reasons, None
    effective = {name: _by_mode(agents[name].mode, own) for name, own in judgements.items()}
    verdict, reasons = strictest(list(effective.values()))
    policy_verdict, _ = strictest(list(judgements.values()))
    observed = policy_verdict if rank(policy_verdict) > rank(verdict) else None
    if observed is not None:
        overridden = (
            reason for name, own in judgements.items() if rank(own[0]) > rank(effective[name][0]) for reason in own[1]
        )
        reasons = (*reasons, *overridden)
    return verdict, reasons, observed


def _by_mode(mode: Mode, own: Judgement) -> Judgement:
    verdict, reasons = own
    match mode:
        case Mode.ENFORCE:
            return own
        case Mode.OBSERVE if any(reason.code not in _POLICY_CODES for reason in reasons):
            # INVARIANT(deny-on-error): nothing was said that could be overridden, judging itself failed.
            return own
        case Mode.OBSERVE:
            obligations = () if isinstance(verdict, Deny) else verdict.obligations
            kept_reasons = reasons if isinstance(verdict, Permit) else ()
            return Permit(obligations), kept_reasons
        case _:
            assert_never(mode)


def strictest(judgements: list[Judgement]) -> tuple[Verdict, tuple[Reason, ...]]:
    """Deny over Escalate over Permit; gates and obligations of all links unite."""
    if len(judgements) == 1:
        return judgements[0]
    top = max(rank(verdict) for verdict, _ in judgements)
    reasons = dict.fromkeys(reason for verdict, said in judgements if rank(verdict) == top for reason in said)
    obligations: set[str] = set()
    gates: set[Gate] = set()
    for verdict, _ in judgements:
        match verdict:
            case Permit():
                obligations.update(verdict.obligations)
            case Escalate():
                obligations.update(verdict.obligations)
                gates.update(verdict.gates)
            case Deny():
                return verdict, tuple(reasons)
            case _:
                assert_never(verdict)
    owed = tuple(sorted(obligations))
    united = Escalate(tuple(sorted(gates)), owed) if gates else Permit(owed)
    return united, tuple(reasons)

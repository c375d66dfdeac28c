"""A delegation chain judged: each link by itself, then the strictest of them."""

from typing import Final, assert_never

from remit.facts.action import Action
from remit.facts.agent import Mode
from remit.pdp.snapshot import Snapshot
from remit.policy.evaluate import ChainQuestion, Judged, judge
from remit.policy.uids import agent_uid
from remit.policy.verdict import Code, Deny, Escalate, Gate, Permit, Reason, Verdict, rank

_ENFORCE: Final = Mode.ENFORCE
_SAID: Final = frozenset({Code.POLICY, Code.NO_POLICY, Code.GATE})


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
    judged: dict[str, Judged] = {}
    observing = False
    for name in names:
        judged[name] = judge(bundle, question, name, agent_uid(name))
        observing = observing or agents[name].mode is not _ENFORCE
    if not observing:
        verdict, reasons = judged[names[0]] if len(judged) == 1 else strictest(list(judged.values()))
        return verdict, reasons, None
    bound = {name: _mode(agents[name].mode, own) for name, own in judged.items()}
    verdict, reasons = strictest(list(bound.values()))
    given, _ = strictest(list(judged.values()))
    observed = given if rank(given) > rank(verdict) else None
    if observed is not None:
        overridden = (
            reason for name, own in judged.items() if rank(own[0]) > rank(bound[name][0]) for reason in own[1]
        )
        reasons = (*reasons, *overridden)
    return verdict, reasons, observed


def _mode(mode: Mode, own: Judged) -> Judged:
    verdict, reasons = own
    match mode:
        case Mode.ENFORCE:
            return own
        case Mode.OBSERVE if any(reason.code not in _SAID for reason in reasons):
            # INVARIANT(deny-on-error): nothing was said that could be overridden, judging itself failed.
            return own
        case Mode.OBSERVE:
            kept = () if isinstance(verdict, Deny) else verdict.obligations
            said = reasons if isinstance(verdict, Permit) else ()
            return Permit(kept), said
        case _:
            assert_never(mode)


def strictest(judged: list[Judged]) -> tuple[Verdict, tuple[Reason, ...]]:
    """Deny over Escalate over Permit; gates and obligations of all links unite."""
    if len(judged) == 1:
        return judged[0]
    top = max(rank(verdict) for verdict, _ in judged)
    reasons = dict.fromkeys(reason for verdict, said in judged if rank(verdict) == top for reason in said)
    obligations: set[str] = set()
    gates: set[Gate] = set()
    for verdict, _ in judged:
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

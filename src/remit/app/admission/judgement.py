"""What was found, held against the terms of an Admission."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from remit.app.admission.results import CheckResult, CheckState
from remit.app.assurance.policy_tests import CaseOutcome
from remit.app.bundles.guarantees import owners
from remit.assure.chains.results import FoundChain, SearchResult
from remit.assure.chains.written import story, title
from remit.assure.changes import NEWLY, VerdictChanges
from remit.assure.history import LACKING
from remit.facts.action import ActionKind
from remit.facts.admission import AdmissionTerms, Check
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.facts.guarantee import SignOff
from remit.pdp.guarantees import Breach, breach_digest
from remit.policy.bundle import Bundle

_CHAINS: Final = "remit chains --fix FILE"
_SEARCH: Final = "remit chains"
"""Where there is no chain to cut: a policy errs, or the search takes longer."""


def of_cases(outcomes: Sequence[CaseOutcome], left: int, gone: Sequence[CaseOutcome] = ()) -> CheckResult:
    """All cases hold, also those that are `gone` from what runs; `left` were not reached in time."""
    wrong = [f"{one.found.file}:{one.found.line}: {text}" for one in outcomes for text in one.wrong]
    wrong += [f"{one.found.file}:{one.found.line}, which is gone: {text}" for one in gone for text in one.wrong]
    failed = sum(bool(one.wrong) for one in (*outcomes, *gone))
    figures: dict[str, Json] = {"cases": len(outcomes) + len(gone) + left, "failed": failed, "not_tried": left}
    if gone:
        figures["gone"] = len(gone)
    return CheckResult(Check.CASES, _state(wrong, left), figures, tuple(wrong), "remit policy test")


def of_chains(result: SearchResult, known: Collection[tuple[str, str]], left: str | None) -> CheckResult:
    """No chain but `known` ones, by goal and tool; `left` is what was not looked at of those that are known."""
    free = [one for one in result.free if one.goal.guarantee is None]
    fresh = [one for one in free if (one.goal.name, one.tool) not in known]
    wrong = [_told(one, title(one)) for one in fresh]
    wrong += [f"policy {one.policy} cannot be evaluated for {one.action}: {one.why}" for one in result.erring]
    stopped = result.searched.stopped or left
    unseen = [*result.searched.unseen, *([f"the search of what runs stopped {left}"] if left else [])]
    figures: dict[str, Json] = {
        "chains": len(free),
        "new": len(fresh),
        "with_approval": len(result.asking),
        "states": result.searched.states,
        "stopped": stopped,
        "not_looked_at": list(result.searched.left),
    }
    return CheckResult(Check.CHAINS, _state(wrong, unseen), figures, (*wrong, *unseen), _CHAINS if fresh else _SEARCH)


def of_guarantees(
    bundle: Bundle, result: SearchResult, running: Catalog | None, signed: Mapping[str, SignOff]
) -> CheckResult:
    """Policies keep every guarantee by themselves, or its owner signed off how they do not."""
    wrong: list[str] = []
    broken = 0
    for guarantee in bundle.catalog.guarantees.values():
        mine = [one for one in result.free if one.goal.guarantee == guarantee]
        if not mine:
            continue
        broken += 1
        digest = breach_digest(guarantee, tuple(breach for one in mine for breach in breaches_of(one)))
        whose, given = owners(guarantee, running), signed.get(digest)
        if given is None or given.by not in whose:
            more = f" and {len(mine) - 1} more" if len(mine) > 1 else ""
            may = f"{' and '.join(sorted(whose))} may sign off: {digest}"
            wrong.append(_told(mine[0], f"guarantee {guarantee.name}: {title(mine[0])}{more}; {may}"))
    stopped = result.searched.stopped if bundle.catalog.guarantees else None
    unseen = result.searched.unseen if bundle.catalog.guarantees else ()
    figures: dict[str, Json] = {"guarantees": len(bundle.catalog.guarantees), "broken": broken, "stopped": stopped}
    next_ = f"{_CHAINS}; or its owner: remit guarantees sign-off NAME BREACH --why TEXT"
    return CheckResult(Check.GUARANTEES, _state(wrong, unseen), figures, (*wrong, *unseen), next_)


def breaches_of(chain: FoundChain) -> tuple[Breach, ...]:
    """Who breaks the guarantee of `chain`, and by which tools, in their order."""
    guarantee = chain.goal.guarantee
    calls = [step.doing for step in chain.steps if step.doing.kind is not ActionKind.DELEGATE]
    tools = tuple(f"{one.server}/{one.name}" for one in calls)
    return () if guarantee is None else tuple(Breach(guarantee.name, agent, tools) for agent in chain.agents)


def of_replay(changes: VerdictChanges, terms: AdmissionTerms, stopped: str | None, since: int = 0) -> CheckResult:
    """What the last days would be like is like what they would be by what runs.

    That says otherwise of `since` of their actions than was decided then, which refuses nothing.
    """
    permitted, denied = changes.total("permit"), changes.total("deny")
    was, now = changes.asked_was / changes.days, changes.asked_now / changes.days
    wrong: list[str] = []
    if permitted > terms.newly_permitted_max:
        wrong.append(f"{permitted} past actions newly permitted, at most {terms.newly_permitted_max} may be")
        wrong += _rows(changes, "permit")
    if denied > terms.newly_denied_max:
        wrong.append(f"{denied} past actions newly denied, at most {terms.newly_denied_max} may be")
        wrong += _rows(changes, "deny")
    most = max(terms.asks_a_day_free, was * terms.asks_times_max)
    if now > most:
        wrong.append(f"{now:.1f} asks a day where there were {was:.1f}, at most {most:.1f} may be")
        wrong += _rows(changes, "escalate")
    lacking = {why: count for why, count in sorted(changes.left.items()) if why in LACKING}
    unseen = [f"the replay stopped {stopped}"] if stopped else []
    if sum(lacking.values()) > terms.not_judged_max:
        unseen += [f"{count} past actions could not be judged: {why}" for why, count in lacking.items()]
        unseen.append(f"at most {terms.not_judged_max} may be so (not_judged_max)")
    figures: dict[str, Json] = {
        "days": terms.days,
        "actions": changes.actions,
        "not_judged": dict(changes.left),
        "newly_permitted": permitted,
        "newly_denied": denied,
        "newly_asked": changes.total("escalate"),
        "asks_a_day_before": round(was, 2),
        "asks_a_day_after": round(now, 2),
        "changed_before": since,
        "stopped": stopped,
    }
    next_ = "remit replay --ledger --against WORKSPACE, beside what was decided then"
    return CheckResult(Check.REPLAY, _state(wrong, unseen), figures, (*wrong, *unseen), next_)


def of_attack(opened: Mapping[str, str], tried: int, left: int, terms: AdmissionTerms) -> CheckResult:
    """No attempt succeeds but those that may; `opened` are the titles of those that did, by id."""
    wrong = [f"{ident}: {title_}" for ident, title_ in opened.items() if ident not in terms.accepts]
    accepted = sorted(terms.accepts & opened.keys())
    figures: dict[str, Json] = {"attempts": tried, "not_stopped": len(opened), "accepted": list(accepted), "left": left}
    findings = (*wrong, *([f"{left} attempts were not made in time"] if left else []))
    next_ = "remit attack; what is meant to succeed: accepts in the Admission"
    return CheckResult(Check.ATTACK, _state(wrong, left), figures, findings, next_)


def _state(wrong: Sequence[str], unfinished: object) -> CheckState:
    return CheckState.FAILED if wrong else CheckState.UNFINISHED if unfinished else CheckState.PASSED


def _told(chain: FoundChain, head: str) -> str:
    """`head`, and below it the steps of `chain`, one a line."""
    return "\n".join((head, *story(chain)))


def _rows(changes: VerdictChanges, verdict: str) -> list[str]:
    found = [one for one in changes.rows() if one.now == verdict]
    by = [", ".join(one.policies) or "no policy" for one in found]
    return [
        f"{one.count} {NEWLY[verdict]}: {one.agent} {one.tool}, was {one.was}, by {policies}"
        for one, policies in zip(found, by, strict=True)
    ]

"""What was found, held against the terms of an Admission."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from remit.app.admission.results import CheckResult, CheckState
from remit.app.assurance.policy_tests import JudgedCase
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


def of_cases(outcomes: Sequence[JudgedCase], not_reached: int, removed: Sequence[JudgedCase] = ()) -> CheckResult:
    """All cases hold, also those that are `removed` from what runs; `not_reached` were not reached in time."""
    problems = [
        f"{outcome.located.file}:{outcome.located.line}: {text}" for outcome in outcomes for text in outcome.mismatches
    ]
    problems += [
        f"{outcome.located.file}:{outcome.located.line}, which is gone: {text}"
        for outcome in removed
        for text in outcome.mismatches
    ]
    failed = sum(bool(outcome.mismatches) for outcome in (*outcomes, *removed))
    figures: dict[str, Json] = {
        "cases": len(outcomes) + len(removed) + not_reached,
        "failed": failed,
        "not_tried": not_reached,
    }
    if removed:
        figures["gone"] = len(removed)
    return CheckResult(Check.CASES, _state(problems, not_reached), figures, tuple(problems), "remit policy test")


def of_chains(result: SearchResult, known_chains: Collection[tuple[str, str]], left: str | None) -> CheckResult:
    """No chain but `known_chains`, by goal and tool; `left` is what was not looked at of those that are known."""
    free = [chain for chain in result.unattended if chain.goal.guarantee is None]
    fresh = [chain for chain in free if (chain.goal.name, chain.tool) not in known_chains]
    problems = [_with_story(chain, title(chain)) for chain in fresh]
    problems += [
        f"policy {chain.policy} cannot be evaluated for {chain.action}: {chain.why}" for chain in result.failing
    ]
    stopped = result.account.stopped or left
    unseen = [*result.account.unseen, *([f"the search of what runs stopped {left}"] if left else [])]
    figures: dict[str, Json] = {
        "chains": len(free),
        "new": len(fresh),
        "with_approval": len(result.attended),
        "states": result.account.states,
        "stopped": stopped,
        "not_looked_at": list(result.account.omissions),
    }
    return CheckResult(
        Check.CHAINS, _state(problems, unseen), figures, (*problems, *unseen), _CHAINS if fresh else _SEARCH
    )


def of_guarantees(
    bundle: Bundle, result: SearchResult, running: Catalog | None, sign_offs: Mapping[str, SignOff]
) -> CheckResult:
    """Policies keep every guarantee by themselves, or its owner signed off how they do not."""
    problems: list[str] = []
    broken = 0
    for guarantee in bundle.catalog.guarantees.values():
        chains = [chain for chain in result.unattended if chain.goal.guarantee == guarantee]
        if not chains:
            continue
        broken += 1
        digest = breach_digest(guarantee, tuple(breach for chain in chains for breach in breaches_of(chain)))
        whose, sign_off = owners(guarantee, running), sign_offs.get(digest)
        if sign_off is None or sign_off.by not in whose:
            more = f" and {len(chains) - 1} more" if len(chains) > 1 else ""
            may = f"{' and '.join(sorted(whose))} may sign off: {digest}"
            problems.append(_with_story(chains[0], f"guarantee {guarantee.name}: {title(chains[0])}{more}; {may}"))
    stopped = result.account.stopped if bundle.catalog.guarantees else None
    unseen = result.account.unseen if bundle.catalog.guarantees else ()
    figures: dict[str, Json] = {"guarantees": len(bundle.catalog.guarantees), "broken": broken, "stopped": stopped}
    next_ = f"{_CHAINS}; or its owner: remit guarantees sign-off NAME BREACH --why TEXT"
    return CheckResult(Check.GUARANTEES, _state(problems, unseen), figures, (*problems, *unseen), next_)


def breaches_of(chain: FoundChain) -> tuple[Breach, ...]:
    """Who breaks the guarantee of `chain`, and by which tools, in their order."""
    guarantee = chain.goal.guarantee
    calls = [step.doing for step in chain.steps if step.doing.kind is not ActionKind.DELEGATE]
    tools = tuple(f"{call.server}/{call.name}" for call in calls)
    return () if guarantee is None else tuple(Breach(guarantee.name, agent, tools) for agent in chain.agents)


def of_replay(changes: VerdictChanges, terms: AdmissionTerms, stopped: str | None, since: int = 0) -> CheckResult:
    """What the last days would be like is like what they would be by what runs.

    That says otherwise of `since` of their actions than was decided then, which refuses nothing.
    """
    permitted, denied = changes.total("permit"), changes.total("deny")
    asks_before, asks_after = changes.asked_was / changes.days, changes.asked_now / changes.days
    problems: list[str] = []
    if permitted > terms.newly_permitted_max:
        problems.append(f"{permitted} past actions newly permitted, at most {terms.newly_permitted_max} may be")
        problems += _rows(changes, "permit")
    if denied > terms.newly_denied_max:
        problems.append(f"{denied} past actions newly denied, at most {terms.newly_denied_max} may be")
        problems += _rows(changes, "deny")
    most = max(terms.asks_a_day_free, asks_before * terms.asks_times_max)
    if asks_after > most:
        problems.append(f"{asks_after:.1f} asks a day where there were {asks_before:.1f}, at most {most:.1f} may be")
        problems += _rows(changes, "escalate")
    lacking = {why: count for why, count in sorted(changes.unjudged.items()) if why in LACKING}
    unseen = [f"the replay stopped {stopped}"] if stopped else []
    if sum(lacking.values()) > terms.not_judged_max:
        unseen += [f"{count} past actions could not be judged: {why}" for why, count in lacking.items()]
        unseen.append(f"at most {terms.not_judged_max} may be so (not_judged_max)")
    figures: dict[str, Json] = {
        "days": terms.days,
        "actions": changes.actions,
        "not_judged": dict(changes.unjudged),
        "newly_permitted": permitted,
        "newly_denied": denied,
        "newly_asked": changes.total("escalate"),
        "asks_a_day_before": round(asks_before, 2),
        "asks_a_day_after": round(asks_after, 2),
        "changed_before": since,
        "stopped": stopped,
    }
    next_ = "remit replay --ledger --against WORKSPACE, beside what was decided then"
    return CheckResult(Check.REPLAY, _state(problems, unseen), figures, (*problems, *unseen), next_)


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


def _with_story(chain: FoundChain, head: str) -> str:
    """`head`, and below it the steps of `chain`, one a line."""
    return "\n".join((head, *story(chain)))


def _rows(changes: VerdictChanges, verdict: str) -> list[str]:
    rows = [row for row in changes.rows() if row.after == verdict]
    policy_lists = [", ".join(row.policies) or "no policy" for row in rows]
    return [
        f"{row.count} {NEWLY[verdict]}: {row.agent} {row.tool}, was {row.before}, by {policies}"
        for row, policies in zip(rows, policy_lists, strict=True)
    ]

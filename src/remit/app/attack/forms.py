"""What came of an attack for programs: as JSON, JUnit and SARIF; and the files that mend it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, cast

import yaml

from remit.app.attack.run import AttackResult, by_risk
from remit.app.terminal.reports import ReportCheck, ReportFinding
from remit.assure.attack.plan import Step
from remit.assure.attack.remedy import Fix, MendResult, case
from remit.assure.attack.results import AttemptResult, Score
from remit.assure.attack.risks import TITLES, Risk
from remit.assure.attack.untried_tools import untried
from remit.control.lock import FILE as LOCK

CARRIED_SHOWN: Final = 5
RULES: Final = {risk.value: title for risk, title in TITLES.items()}
"""The rules of findings, one for each risk."""


def as_json(attacked: AttackResult, mended: MendResult) -> dict[str, Any]:
    """All of it."""
    over_all = attacked.carried
    return {
        "bundle": attacked.digest,
        "risks": [
            {
                "risk": row.name,
                "title": TITLES[Risk(row.name)],
                "attempts": row.attempts,
                "stopped": row.stopped,
                "noticed": row.noticed,
                "by": {control.value: count for control, count in row.by.items()},
            }
            for row in by_risk(attacked.results)
        ],
        "scores": [_score(item) for item in attacked.scores],
        "left": attacked.unreached,
        "moot": attacked.moot,
        "untried": [{"tool": item.tool, "why": item.why} for item in untried(attacked.bundle)],
        "attempts": [_attempt(item, over_all.get(item.attempt.ident, ())) for item in attacked.results],
        "work": [
            {
                "id": item.chore.ident,
                "title": item.chore.title,
                "alone": item.alone,
                "asked": item.escalated,
                "said": item.last_answer,
            }
            for item in attacked.chores
        ],
        "fixes": [
            {
                "policy": item.policy.text,
                "ends": list(item.ends),
                "newly_denied": item.cost.denied,
                "newly_asked": item.cost.escalated,
                "of": item.cost.of,
            }
            for item in mended.fixes
        ],
        "not_mended": list(mended.remaining),
    }


def checks(attacked: AttackResult) -> list[ReportCheck]:
    """Each attempt, and what is wrong with it; and that all of them were made."""
    attempt_checks = [
        ReportCheck(
            f"{result.attempt.risk.value} {TITLES[result.attempt.risk]}",
            f"{result.attempt.ident} {result.attempt.title}",
            () if result.stopped else (f"not stopped: {result.last_answer}",),
        )
        for result in attacked.results
    ]
    return [*attempt_checks, ReportCheck("attack", "every attempt was made", unseen(attacked))]


def findings(attacked: AttackResult) -> list[ReportFinding]:
    """Each attempt that got through, where the policy stands that let it."""
    return [
        ReportFinding(result.attempt.risk.value, f"not stopped: {result.attempt.title}", *_where(result))
        for result in attacked.open
    ]


def notice_text(result: AttemptResult) -> str:
    """Whether an incident told people of it, and how soon."""
    return (
        "not noticed"
        if result.noticed_s is None
        else f"noticed after {result.noticed_s:.1f} s ({', '.join(result.causes)})"
    )


def again(result: AttemptResult) -> str:
    """The command that makes this attempt alone."""
    return f"remit attack --only {result.attempt.ident}"


def unseen(attacked: AttackResult) -> tuple[str, ...]:
    """In a sentence, that not every attempt was made."""
    return (f"ended early: {attacked.unreached} attempts were not made",) if attacked.unreached else ()


def carried(attacked: AttackResult) -> Iterator[str]:
    """In a sentence for each thing that counts over all sessions, of which attempts it may have decided."""
    by_ident = attacked.carried
    for by in sorted({by for carriers in by_ident.values() for by in carriers}):
        idents = [ident for ident, carriers in by_ident.items() if by in carriers]
        more = f" and {len(idents) - CARRIED_SHOWN} more" if len(idents) > CARRIED_SHOWN else ""
        yield (
            f"{by} counts over all sessions, so that what was tried before may have decided of "
            f"{', '.join(idents[:CARRIED_SHOWN])}{more}: remit attack --only ID makes one alone"
        )


def cases_text(attacked: AttackResult, mended: MendResult) -> str:
    """The findings that policy can mend as cases, which hold once they are mended."""
    as_cases = [case(result.attempt, _mended_by(mended.of(result.attempt.ident))) for result in attacked.open]
    head = "# Attacks that got through: each of these fails until its end is no longer permitted. See: remit attack\n"
    usable = [result for result in as_cases if result is not None]
    return head + yaml.safe_dump(usable, sort_keys=False, allow_unicode=True, width=110)


def _mended_by(fix: Fix | None) -> str:
    """The verdict that ends an attempt."""
    return "deny" if fix is None or fix.policy.route is None else "escalate"


def policies_text(mended: MendResult) -> str:
    """The policies that mend them."""
    head = "// What ends the attacks that got through. See: remit attack\n\n"
    return head + "\n".join(fix.policy.text for fix in mended.fixes)


def _score(score: Score) -> dict[str, Any]:
    low, high = score.interval
    return {"name": score.name, "count": score.count, "of": score.of, "low": round(low, 3), "high": round(high, 3)}


def _attempt(result: AttemptResult, carried: Sequence[str]) -> dict[str, Any]:
    attempt = result.attempt
    return {
        "id": attempt.ident,
        "actor": attempt.actor.value,
        "kind": attempt.kind.value,
        "risk": attempt.risk.value,
        "techniques": list(attempt.techniques),
        "title": attempt.title,
        "steps": [_step(step) for step in attempt.steps],
        "stopped": result.stopped,
        "by": None if result.control is None else result.control.value,
        "noticed_s": result.noticed_s,
        "causes": list(result.causes),
        "said": result.last_answer,
        "counted_over_all": list(carried),
        "evidence": [decided.ref for decided in result.evidence],
    }


def _step(step: Step) -> dict[str, Any]:
    members: dict[str, Any] = {"step": type(step).__name__.lower()}
    for member in fields(step):
        value: Any = getattr(step, member.name)
        members[member.name] = dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value
    return members


def _where(result: AttemptResult) -> tuple[str, int]:
    """The policy that permitted its last call."""
    places = [because.where for decided in result.evidence for because in decided.because if because.where]
    file, _, line = (places[-1] if places else f"{LOCK}:0").rpartition(":")
    return file, int(line)

"""What came of an attack for programs: as JSON, JUnit and SARIF; and the files that mend it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, cast

import yaml

from remit.app.attack.run import Attacked, by_risk
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


def told(attacked: Attacked, mended: MendResult) -> dict[str, Any]:
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
        "scores": [_score(one) for one in attacked.scores],
        "left": attacked.left,
        "moot": attacked.moot,
        "untried": [{"tool": one.tool, "why": one.why} for one in untried(attacked.bundle)],
        "attempts": [_attempt(one, over_all.get(one.attempt.ident, ())) for one in attacked.results],
        "work": [
            {"id": one.chore.ident, "title": one.chore.title, "alone": one.alone, "asked": one.asked, "said": one.said}
            for one in attacked.did
        ],
        "fixes": [
            {
                "policy": one.policy.text,
                "ends": list(one.ends),
                "newly_denied": one.cost.denied,
                "newly_asked": one.cost.asked,
                "of": one.cost.of,
            }
            for one in mended.fixes
        ],
        "not_mended": list(mended.left),
    }


def checks(attacked: Attacked) -> list[ReportCheck]:
    """Each attempt, and what is wrong with it; and that all of them were made."""
    made = [
        ReportCheck(
            f"{one.attempt.risk.value} {TITLES[one.attempt.risk]}",
            f"{one.attempt.ident} {one.attempt.title}",
            () if one.stopped else (f"not stopped: {one.said}",),
        )
        for one in attacked.results
    ]
    return [*made, ReportCheck("attack", "every attempt was made", unseen(attacked))]


def findings(attacked: Attacked) -> list[ReportFinding]:
    """Each attempt that got through, where the policy stands that let it."""
    return [
        ReportFinding(one.attempt.risk.value, f"not stopped: {one.attempt.title}", *_where(one))
        for one in attacked.open
    ]


def noticed(one: AttemptResult) -> str:
    """Whether an incident told people of it, and how soon."""
    return "not noticed" if one.noticed_s is None else f"noticed after {one.noticed_s:.1f} s ({', '.join(one.causes)})"


def again(one: AttemptResult) -> str:
    """The command that makes this attempt alone."""
    return f"remit attack --only {one.attempt.ident}"


def unseen(attacked: Attacked) -> tuple[str, ...]:
    """In a sentence, that not every attempt was made."""
    return (f"ended early: {attacked.left} attempts were not made",) if attacked.left else ()


def carried(attacked: Attacked) -> Iterator[str]:
    """In a sentence for each thing that counts over all sessions, of which attempts it may have decided."""
    found = attacked.carried
    for by in sorted({by for every in found.values() for by in every}):
        idents = [ident for ident, every in found.items() if by in every]
        more = f" and {len(idents) - CARRIED_SHOWN} more" if len(idents) > CARRIED_SHOWN else ""
        yield (
            f"{by} counts over all sessions, so that what was tried before may have decided of "
            f"{', '.join(idents[:CARRIED_SHOWN])}{more}: remit attack --only ID makes one alone"
        )


def cases_text(attacked: Attacked, mended: MendResult) -> str:
    """The findings that policy can mend as cases, which hold once they are mended."""
    made = [case(one.attempt, _mended_by(mended.of(one.attempt.ident))) for one in attacked.open]
    head = "# Attacks that got through: each of these fails until its end is no longer permitted. See: remit attack\n"
    said = [one for one in made if one is not None]
    return head + yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=110)


def _mended_by(fix: Fix | None) -> str:
    """The verdict that ends an attempt."""
    return "deny" if fix is None or fix.policy.route is None else "escalate"


def policies_text(mended: MendResult) -> str:
    """The policies that mend them."""
    head = "// What ends the attacks that got through. See: remit attack\n\n"
    return head + "\n".join(one.policy.text for one in mended.fixes)


def _score(score: Score) -> dict[str, Any]:
    low, high = score.interval
    return {"name": score.name, "count": score.count, "of": score.of, "low": round(low, 3), "high": round(high, 3)}


def _attempt(one: AttemptResult, carried: Sequence[str]) -> dict[str, Any]:
    attempt = one.attempt
    return {
        "id": attempt.ident,
        "actor": attempt.actor.value,
        "kind": attempt.kind.value,
        "risk": attempt.risk.value,
        "techniques": list(attempt.techniques),
        "title": attempt.title,
        "steps": [_step(step) for step in attempt.steps],
        "stopped": one.stopped,
        "by": None if one.control is None else one.control.value,
        "noticed_s": one.noticed_s,
        "causes": list(one.causes),
        "said": one.said,
        "counted_over_all": list(carried),
        "evidence": [decided.ref for decided in one.evidence],
    }


def _step(step: Step) -> dict[str, Any]:
    said: dict[str, Any] = {"step": type(step).__name__.lower()}
    for one in fields(step):
        value: Any = getattr(step, one.name)
        said[one.name] = dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value
    return said


def _where(one: AttemptResult) -> tuple[str, int]:
    """The policy that permitted its last call."""
    places = [because.where for decided in one.evidence for because in decided.because if because.where]
    file, _, line = (places[-1] if places else f"{LOCK}:0").rpartition(":")
    return file, int(line)

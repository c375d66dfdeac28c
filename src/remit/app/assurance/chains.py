"""`remit chains`: a workspace searched for chains, within a time, and what ends those that were found."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from remit.app.assurance.policy_tests import cases_of
from remit.app.assurance.replay import bundle_of
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.reports import ReportCheck, ReportFinding
from remit.assure.cases import Case
from remit.assure.chains.chain_search import chains
from remit.assure.chains.cut import Cut, Forbid, cut
from remit.assure.chains.goals import DUTIES, FINAL, OUTSIDE, goal_of
from remit.assure.chains.results import FoundChain, SearchResult
from remit.assure.chains.search import STATES_MAX, STEPS_MAX, SearchLimits
from remit.assure.chains.written import case, story, title
from remit.assure.trials import failures
from remit.control.lock import FILE as LOCK
from remit.facts.canonical import canonical
from remit.policy.bundle import Bundle

SECONDS_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class ChainFindings:
    """What was found in a workspace, and what ends it; `cut` is None where nothing has to be ended."""

    bundle: Bundle
    result: SearchResult
    cut: Cut | None


def searched(
    workspace: Path,
    user: str | None = None,
    *,
    seconds: float = SECONDS_MAX,
    states: int = STATES_MAX,
    steps: int = STEPS_MAX,
) -> ChainFindings:
    """Search `workspace` for chains, for at most `seconds`, and look for what ends them. Raises `CommandFailure`."""
    bundle = bundle_of(workspace)
    if user is not None and user not in bundle.catalog.users:
        why = f"there are {', '.join(sorted(bundle.catalog.users)) or 'none'}"
        raise CommandFailure(
            f"there is no user named {user[:64]}", why=why, next="remit get users", exit=Exit.NOT_FOUND
        )

    def search(one: Bundle) -> SearchResult:
        return chains(one, SearchLimits(states, steps, _until(seconds)), user)

    result = search(bundle)
    if not result.free:
        return ChainFindings(bundle, result, None)
    # What holds now has to hold when the chains are cut.
    held = [one.case for one in cases_of(workspace) if not failures(bundle, one.case, user)]
    return ChainFindings(bundle, result, cut(bundle, result, search, lambda made: not _broken(made, held, user)))


def _broken(bundle: Bundle, held: Sequence[Case], user: str | None) -> bool:
    return any(failures(bundle, case, user) for case in held)


def _until(seconds: float) -> Callable[[], bool]:
    end_s = time.monotonic() + seconds
    return lambda: time.monotonic() > end_s


def cases_text(found: ChainFindings) -> str:
    """The chains as cases, which hold once the chains are cut."""
    head = "# Chains that were found: each of these fails until the last step is denied. See: remit chains\n"
    free = found.result.free
    left = "".join(f"# Left out, for want of a value: {canonical(_line(one)).decode()}\n" for one in free if one.open)
    made = [case(one) for one in free if not one.open]
    return head + left + yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=110)


def policies_text(found: ChainFindings) -> str:
    """The policies that end them."""
    remedies = () if found.cut is None else found.cut.remedies
    said = [one.text if isinstance(one, Forbid) else f"// {one.text}\n" for one in remedies]
    return "// What ends the chains that were found. See: remit chains\n\n" + "\n".join(said)


_ALWAYS: Final = (OUTSIDE, FINAL, DUTIES)


def rules(found: ChainFindings) -> dict[str, str]:
    """The rules of findings: what is looked for everywhere, and what the workspace's guarantees add."""
    goals = [*_ALWAYS, *(goal_of(one) for one in found.bundle.catalog.guarantees.values())]
    return {f"chain/{goal.name}": goal.says for goal in goals}


def checks(found: ChainFindings) -> list[ReportCheck]:
    """Each goal, with the chains that reach it and need nobody; that policies can be evaluated, and all was seen."""
    free = found.result.free
    goals = [
        ReportCheck("chains", says, [_line(one) for one in free if f"chain/{one.goal.name}" == rule])
        for rule, says in rules(found).items()
    ]
    wrong = [f"policy {one.policy}, for {one.action}: {one.why}" for one in found.result.erring]
    whole = ReportCheck("search", "it looked at everything", found.result.searched.unseen)
    return [*goals, ReportCheck("search", "every policy can be evaluated", wrong), whole]


def findings(found: ChainFindings) -> list[ReportFinding]:
    """Each chain, where the policy stands that permitted its last step; a note where people would have to say yes."""
    return [
        ReportFinding(f"chain/{one.goal.name}", _line(one), *_where(found.bundle, one), "note" if one.asks else "error")
        for one in (*found.result.free, *found.result.asking)
    ]


def _line(one: FoundChain) -> str:
    return f"{title(one)}: {'; '.join(story(one))}"


def _where(bundle: Bundle, one: FoundChain) -> tuple[str, int]:
    known = [policy for name in one.steps[-1].policies if (policy := bundle.policies.get(name)) is not None]
    return (known[0].statement.file, known[0].statement.line) if known else (LOCK, 0)

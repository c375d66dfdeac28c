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


def search_workspace(
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

    def search(case: Bundle) -> SearchResult:
        return chains(case, SearchLimits(states, steps, _until(seconds)), user)

    result = search(bundle)
    if not result.unattended:
        return ChainFindings(bundle, result, None)
    # What holds now has to hold when the chains are cut.
    holding = [case.case for case in cases_of(workspace) if not failures(bundle, case.case, user)]
    return ChainFindings(
        bundle, result, cut(bundle, result, search, lambda candidate: not _any_fails(candidate, holding, user))
    )


def _any_fails(bundle: Bundle, cases: Sequence[Case], user: str | None) -> bool:
    return any(failures(bundle, case, user) for case in cases)


def _until(seconds: float) -> Callable[[], bool]:
    end_s = time.monotonic() + seconds
    return lambda: time.monotonic() > end_s


def cases_text(found: ChainFindings) -> str:
    """The chains as cases, which hold once the chains are cut."""
    head = "# Chains that were found: each of these fails until the last step is denied. See: remit chains\n"
    free = found.result.unattended
    left = "".join(
        f"# Left out, for want of a value: {canonical(_line(chain)).decode()}\n" for chain in free if chain.open
    )
    as_cases = [case(chain) for chain in free if not chain.open]
    return head + left + yaml.safe_dump(as_cases, sort_keys=False, allow_unicode=True, width=110)


def policies_text(found: ChainFindings) -> str:
    """The policies that end them."""
    remedies = () if found.cut is None else found.cut.remedies
    texts = [remedy.text if isinstance(remedy, Forbid) else f"// {remedy.text}\n" for remedy in remedies]
    return "// What ends the chains that were found. See: remit chains\n\n" + "\n".join(texts)


_ALWAYS: Final = (OUTSIDE, FINAL, DUTIES)


def rules(found: ChainFindings) -> dict[str, str]:
    """The rules of findings: what is looked for everywhere, and what the workspace's guarantees add."""
    goals = [*_ALWAYS, *(goal_of(guarantee) for guarantee in found.bundle.catalog.guarantees.values())]
    return {f"chain/{goal.name}": goal.says for goal in goals}


def checks(found: ChainFindings) -> list[ReportCheck]:
    """Each goal, with the chains that reach it and need nobody; that policies can be evaluated, and all was seen."""
    free = found.result.unattended
    goals = [
        ReportCheck("chains", says, [_line(chain) for chain in free if f"chain/{chain.goal.name}" == rule])
        for rule, says in rules(found).items()
    ]
    wrong = [f"policy {chain.policy}, for {chain.action}: {chain.why}" for chain in found.result.failing]
    whole = ReportCheck("search", "it looked at everything", found.result.account.unseen)
    return [*goals, ReportCheck("search", "every policy can be evaluated", wrong), whole]


def findings(found: ChainFindings) -> list[ReportFinding]:
    """Each chain, where the policy stands that permitted its last step; a note where people would have to say yes."""
    return [
        ReportFinding(
            f"chain/{chain.goal.name}",
            _line(chain),
            *_where(found.bundle, chain),
            "note" if chain.escalates else "error",
        )
        for chain in (*found.result.unattended, *found.result.attended)
    ]


def _line(chain: FoundChain) -> str:
    return f"{title(chain)}: {'; '.join(story(chain))}"


def _where(bundle: Bundle, chain: FoundChain) -> tuple[str, int]:
    policies = [policy for name in chain.steps[-1].policies if (policy := bundle.policies.get(name)) is not None]
    return (policies[0].statement.file, policies[0].statement.line) if policies else (LOCK, 0)

"""A change looked at, in a process of its own: it holds the processor for minutes, and the service has calls to judge.

Laws
* It decides nothing and writes nothing of the service's: it tells what came of each check, in lines of JSON.
* The folder is copied once, and every check looks at the copy: what is admitted is what was looked at.
* Each check has its share of the time and says where it stopped; what it did not see, refuses.
"""

import json
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from remit.adapters.workspace.files import Unreadable
from remit.adapters.workspace.folder import Folder
from remit.api.services import Invalid
from remit.app.admission import judgement
from remit.app.admission.request import AdmissionRequest
from remit.app.admission.results import CheckResult, CheckState
from remit.app.assurance.ledger_replay import replayed_actions, replayed_by_both
from remit.app.assurance.policy_tests import JudgedCase, cases_in, cases_of
from remit.app.attack.run import QUICK, attack
from remit.app.bundles.running_bundle import prepare
from remit.app.data.scratch import scratch
from remit.app.terminal.failure import CommandFailure
from remit.assure.chains.chain_search import chains
from remit.assure.chains.search import SearchLimits
from remit.assure.changes import VerdictChanges
from remit.assure.history import ReplayedAction
from remit.assure.trials import failures
from remit.facts.admission import AttackDepth, ChainCriterion, Check
from remit.facts.canonical import Json
from remit.facts.durations import DAY_MS

SHARES: Final[Mapping[Check, float]] = {Check.CASES: 0.2, Check.CHAINS: 0.5, Check.REPLAY: 0.6, Check.ATTACK: 1.0}
"""Of the time that is left when a check begins, how much it may take."""
_NICE: Final = 5
_ENDED: Final = 128 + signal.SIGTERM


class AdmissionRun:
    """One look at a change; `report` hears which check is at work."""

    def __init__(self, request: AdmissionRequest, report: Callable[[str], None]) -> None:
        self._asked = request
        self._said = report
        self._end_s = time.monotonic() + request.terms.seconds_max
        folder = Folder(request.workspace)
        self.bundle = prepare(folder.load()).bundle
        self._running = None if request.running is None else prepare(request.running).bundle
        self.fingerprint = folder.fingerprint() or ""

    def results(self) -> Iterator[CheckResult]:
        """What comes of each check, in turn. Raises `Invalid`, `CommandFailure`."""
        yield self.tried()
        yield from self._chains()
        yield self._replay()
        yield self._attack()

    def _until(self, check: Check) -> Callable[[], bool]:
        self._said(check.value)
        now_s = time.monotonic()
        end_s = now_s + max(0.0, self._end_s - now_s) * SHARES[check]
        return lambda: time.monotonic() > end_s

    def tried(self) -> CheckResult:
        """What comes of the workspace's cases, and of those that what runs has and the workspace has no more."""
        over, outcomes = self._until(Check.CASES), list[JudgedCase]()
        current, running = cases_of(self._asked.workspace), self._asked.running
        now = [case.case for case in current]
        removed = [] if running is None else [case for case in cases_in(running) if case.case not in now]
        for case in (*current, *removed):
            if over():
                break
            outcomes.append(JudgedCase(case, failures(self.bundle, case.case)))
        of_current, not_reached = outcomes[: len(current)], len(current) + len(removed) - len(outcomes)
        return judgement.of_cases(of_current, not_reached, outcomes[len(current) :])

    def _chains(self) -> Iterator[CheckResult]:
        request, over = self._asked, self._until(Check.CHAINS)
        running = self._running
        result = chains(self.bundle, SearchLimits(stop=over))
        known_chains, stopped = frozenset[tuple[str, str]](), None
        if request.terms.refuses is ChainCriterion.NEW and running is not None and result.unattended:
            before = chains(running, SearchLimits(stop=self._until(Check.CHAINS)))
            known_chains = frozenset((chain.goal.name, chain.tool) for chain in before.unattended)
            stopped = before.account.stopped
        yield judgement.of_guarantees(self.bundle, result, None if running is None else running.catalog, request.signed)
        yield judgement.of_chains(result, known_chains, stopped)

    def _replay(self) -> CheckResult:
        request, over = self._asked, self._until(Check.REPLAY)
        changes, count, since = VerdictChanges(), 0, 0
        stopped = False
        for before, action in self._replayed(over):
            count += 1
            if before is None or action.replayed is None:
                changes.unjudged[action.why] += 1
            else:
                since += before["verdict"] != action.recorded["verdict"]
                changes.take(before, action.replayed, agent=action.agent, tool=action.tool, at_ms=action.at_ms)
            if count % 100 == 0 and over():
                stopped = True
                break
        stopped_at = f"after {count} actions, when its time was over" if stopped or over() else None
        return judgement.of_replay(changes, request.terms, stopped_at, since)

    def _replayed(self, over: Callable[[], bool]) -> Iterator[tuple[Mapping[str, Json] | None, ReplayedAction]]:
        """Each action as the folder judges it, and what it is held against.

        That is what runs, over the same records: what changed before was let through then, or nobody looked at changes.
        """
        request = self._asked
        since_ms = request.now_ms - request.terms.days * DAY_MS
        if self._running is None or not request.admitted:
            return (
                (action.recorded, action) for action in replayed_actions(request.ledger, self.bundle, since_ms, over)
            )
        both = replayed_by_both(request.ledger, self._running, self.bundle, since_ms, over)
        return ((before.replayed, after) for before, after in both)

    def _attack(self) -> CheckResult:
        terms = self._asked.terms
        if terms.attack is AttackDepth.NONE:
            return CheckResult(Check.ATTACK, CheckState.LEFT_OUT)
        self._said(Check.ATTACK.value)
        seconds = max(1.0, self._end_s - time.monotonic())
        try:
            attacked = attack(self._asked.workspace, profile=replace(QUICK, seconds=min(seconds, QUICK.seconds)))
        except CommandFailure as failure:
            if not any(form.quarantined is None for form in self.bundle.tools.values()):
                # Nobody can call anything.
                return judgement.of_attack({}, 0, 0, terms)
            why = f"the attack was not made: {failure.what}: {failure.why}"
            return CheckResult(Check.ATTACK, CheckState.UNFINISHED, {}, (why,), failure.next)
        opened = {result.attempt.ident: result.attempt.title for result in attacked.open}
        return judgement.of_attack(opened, len(attacked.results), attacked.unreached, terms)


def main() -> None:
    """Look at what stands on stdin; tell in lines of JSON."""
    os.nice(_NICE)
    # Whatever an attack started ends with us.
    signal.signal(signal.SIGTERM, _end)
    # What the service that started us wrote into our pipe.
    request: object = pickle.load(sys.stdin.buffer)  # noqa: S301
    assert isinstance(request, AdmissionRequest)  # noqa: S101
    try:
        with scratch("remit-look-") as copy:
            Folder(request.workspace).copy(copy)
            looking = AdmissionRun(replace(request, workspace=copy), lambda check: _tell({"at": check}))
            _tell({"bundle": looking.bundle.digest, "folder": looking.fingerprint})
            for result in looking.results():
                _tell({"came": result.to_json()})
    except Unreadable as error:
        _tell({"problems": [str(error.problem)], "next": "mend the workspace, then: remit apply --admit"})
    except Invalid as invalid:
        _tell({"problems": list(invalid.problems), "next": invalid.next})
    except CommandFailure as failure:
        _tell({"problems": [": ".join(filter(None, (failure.what, failure.why)))], "next": failure.next})


def _end(_number: int, _frame: object) -> None:
    sys.exit(_ENDED)


def _tell(line: Mapping[str, object]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

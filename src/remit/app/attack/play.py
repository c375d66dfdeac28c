"""Attempts gone through against a running service, and harmless work beside them.

Laws
* Each attempt has sessions of its own, so that none hangs on what an earlier one did to labels or counters.
* No budget and no breaker stops an attempt for what others did: budgets begin anew before it and breakers are closed,
  and where one that had counted before stops it, it is gone through again. What else counts over all sessions cannot
  be begun anew: attempts of which that may have decided are told (`attack.carried`).
* What came of it is seen at the dry run, at the approvals, or by `remit ledger verify`; what the service answered is
  told, and counts for nothing.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Any, Final, TypeAlias, TypeVar

from remit.app.attack.dry_run import DryRun
from remit.app.attack.ground import AttackFolder
from remit.app.attack.tampered_ledger import found_in_a_changed_copy, shown_though_edited
from remit.app.attack.wire import CALL_S_MAX, WORDS, AttemptSessions
from remit.app.service.child_process import ServiceProcess
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure, Exit
from remit.assure.attack.chores import Chore
from remit.assure.attack.plan import (
    Approves,
    Arrives,
    AttackAttempt,
    Calls,
    Carrier,
    Edits,
    Gathers,
    Goal,
    Opens,
    Passes,
    Reads,
    Redescribes,
    Tampers,
    Waits,
)
from remit.assure.attack.results import AttemptResult, ChoreResult, RecordedDecision, RecordedReason
from remit.assure.attack.values import holds
from remit.assure.attack.wordings import wording
from remit.pdp.findings import SOURCES
from remit.policy.verdict import Code

_T = TypeVar("_T")
_Breakers: TypeAlias = frozenset[tuple[str, str]]
"""Breakers that are not closed: the name of each, and whose it is."""

BREAKERS_TRIES_MAX: Final = 4
"""How often an attempt is gone through that breakers stop, each for what it had counted before."""
_WHY: Final = "the next attempt is to be judged by itself"
VERIFIED_S_MAX: Final = 3.0
NOTICED_S_MAX: Final = 1.5
_POLL_S: Final = 0.1
_ACTIONS: Final = frozenset({"intent", "proposal"})
_TOLD: Final = frozenset(event.value for event in SOURCES)
"""Events that people are told of, beside denials."""


@dataclass(slots=True)
class Player:
    """Goes through attempts; `user` is for whom every agent acts."""

    service: ServiceProcess
    ground: AttackFolder
    dry: DryRun
    user: str | None
    program: Sequence[str]
    patience_s: float = NOTICED_S_MAX
    """How long an incident is waited for after each attempt that was denied something."""

    def play(self, attempt: AttackAttempt) -> AttemptResult | None:
        """What came of it; None where it was about nothing: nobody was asked, or what it acts on was not read."""
        return self._isolated(lambda: self._play_steps(attempt))

    def do(self, chore: Chore) -> ChoreResult:
        """What came of a chore."""
        return self._isolated(lambda: self._do_chore(chore))

    def _isolated(self, go: Callable[[], _T]) -> _T:
        """What came of `go` by itself: not of what budgets and breakers had counted before."""
        catalog = self.dry.bundle.catalog
        if not catalog.breakers:
            self._unspent()
            return go()
        fresh, tries = self._close_breakers(), 0
        while True:
            self._unspent()
            last = self._last()
            result, tries = go(), tries + 1
            reasons = [because for decided in self._decisions_after(last)[0] for because in decided.because]
            stopped = {because.policy for because in reasons if because.code == Code.BREAKER_OPEN}
            tripped = self._close_breakers()
            # One that was closed before had counted nothing: what tripped it is the attempt's own.
            if all(breaker in fresh for breaker in tripped if catalog.breakers[breaker[0]].policy in stopped):
                return result
            if tries == BREAKERS_TRIES_MAX:
                return result
            fresh = tripped

    def _play_steps(self, attempt: AttackAttempt) -> AttemptResult | None:
        wire = self._begin(attempt.words or WORDS)
        self.dry.says = _injection(attempt)
        before, last, waited = self._incidents(), self._last(), self._waiting()
        began = time.monotonic()
        answer, passes, approved = "", False, True
        open_calls: list[Thread] = []
        try:
            for step in attempt.steps:
                match step:
                    case Calls(carrier=Carrier.PROGRESS):
                        self.dry.carrier = step.carrier
                        open_calls.append(wire.begin(step))
                    case Calls():
                        self.dry.carrier = step.carrier
                        answer = wire.call(step)
                    case Reads():
                        answer = wire.read(step)
                    case Approves():
                        approved = approved and wire.approve()
                    case Redescribes(server, tool):
                        self.dry.redescribed.add((server, tool))
                        # A service may trust what it compared for as long as `verify_s` says.
                        served = self.dry.bundle.catalog.servers[server]
                        time.sleep(min(served.verify_s, VERIFIED_S_MAX) + _POLL_S)
                    case Opens():
                        self.ground.open_all()
                    case Tampers(how):
                        passes, answer = found_in_a_changed_copy(self.service, self.ground, how, self.program)
                    case Edits():
                        passes, answer = shown_though_edited(self.service, self.ground)
        finally:
            self.dry.released.set()
            for calling in open_calls:
                calling.join(CALL_S_MAX)
            self.dry.redescribed.clear()
            self.ground.close_again()
        succeeded = passes if isinstance(attempt.goal, Passes) else self._goal_reached(attempt.goal, waited)
        if not approved or (succeeded and not self._was_fed(attempt)):
            return None
        evidence, odd = self._decisions_after(last)
        if isinstance(attempt.goal, Waits) and all(decision.verdict == "permit" for decision in evidence):
            # Nobody is asked about what is permitted.
            return None
        noticed_s, causes = self._notice(before, began) if odd else (None, ())
        return AttemptResult(attempt, not succeeded, answer, evidence, noticed_s, causes)

    def _do_chore(self, chore: Chore) -> ChoreResult:
        wire = self._begin(chore.words)
        self.dry.says = "Nothing new."
        last, answer = self._last(), ""
        for call in chore.calls:
            answer = wire.call(call)
        return ChoreResult(chore, self._decisions_after(last)[0], answer)

    def _close_breakers(self) -> _Breakers:
        """Close every breaker that has tripped; which those were. What one had counted is gone with it."""
        tripped = frozenset(
            (str(breaker["name"]), str(breaker["whose"])) for breaker in self._admin.get("/breakers")["items"]
        )
        for name in sorted({name for name, _ in tripped}):
            self._admin.post(f"/breakers/{name}/reset", {"why": _WHY})
        return tripped

    def _unspent(self) -> None:
        """Have every budget begin anew."""
        for name in sorted(self.dry.bundle.catalog.budgets):
            try:
                self._admin.post(f"/budgets/{name}/reset", {"why": _WHY})
            except CommandFailure as refused:
                # Nothing was spent of it.
                if refused.exit is not Exit.NOT_FOUND:
                    raise

    @property
    def _admin(self) -> ServiceClient:
        return self.service.client("admin")

    def _begin(self, words: str = WORDS) -> AttemptSessions:
        self.dry.begin()
        catalog = self.dry.bundle.catalog
        return AttemptSessions(self.service, self.ground, catalog.agents, catalog.users, self.user, words)

    def _was_fed(self, attempt: AttackAttempt) -> bool:
        """Whether all that it reads reached the server that has the words; else what came after stands alone."""
        targets = [(step.server, step.tool) for step in attempt.steps if isinstance(step, Calls)]
        targets += [(step.server, step.uri) for step in attempt.steps if isinstance(step, Reads)]
        arrived = {(call.server, call.tool) for call in self.dry.arrived}
        return isinstance(attempt.goal, Passes | Waits) or arrived.issuperset(targets)

    def _waiting(self) -> int:
        return len(self._admin.get("/approvals", open="true", limit=1000)["items"])

    def _goal_reached(self, goal: Goal, waited: int) -> bool:
        match goal:
            case Arrives(server, tool, mark, times):
                calls = [one for one in self.dry.arrived if (one.server, one.tool) == (server, tool)]
                return sum(mark in one.arguments for one in calls) >= times
            case Gathers(server, tool, marks):
                calls = [one.arguments for one in self.dry.arrived if (one.server, one.tool) == (server, tool)]
                return all(any(mark in call for call in calls) for mark in marks)
            case Waits(most):
                return self._waiting() - waited > most
            case Passes():
                return False

    def _last(self) -> str | None:
        items = self._admin.get("/ledger/entries", latest=1)["items"]
        return str(items[-1]["id"]) if items else None

    def _decisions_after(self, after: str | None) -> tuple[tuple[RecordedDecision, ...], bool]:
        """What was decided since the record `after`, and whether there is anything that people may be told of."""
        items: list[dict[str, Any]] = self._admin.get("/ledger/entries", after=after, limit=1000)["items"]
        decided = tuple(
            _decision(record) for record in items if record["kind"] in _ACTIONS and record["body"] is not None
        )
        reportable = any(record["kind"] == "admin" and _event(record) in _TOLD for record in items)
        return decided, reportable or any(record.verdict == "deny" for record in decided)

    def _incidents(self) -> Mapping[str, tuple[int, tuple[str, ...]]]:
        items: list[dict[str, Any]] = self._admin.get("/incidents", state="all", limit=1000)["items"]
        return {
            str(incident["id"]): (int(incident["count"]), tuple(map(str, incident["causes"]))) for incident in items
        }

    def _notice(
        self, before: Mapping[str, tuple[int, tuple[str, ...]]], began: float
    ) -> tuple[float | None, tuple[str, ...]]:
        until = time.monotonic() + self.patience_s
        while True:
            now = self._incidents()
            new = {cause for ident, state in now.items() if before.get(ident) != state for cause in state[1]}
            if new:
                return round(time.monotonic() - began, 1), tuple(sorted(new))
            if time.monotonic() > until:
                return None, ()
            time.sleep(_POLL_S)


def _decision(entry: Mapping[str, Any]) -> RecordedDecision:
    body: Mapping[str, Any] = entry["body"]
    because = tuple(_because(body["reasons"]))
    return RecordedDecision(
        entry["id"], f"{body['server']}/{body['name']}", body["verdict"], because, bool(body["obligations"])
    )


def _because(reasons: Sequence[Mapping[str, Any]]) -> Iterator[RecordedReason]:
    for reason in reasons:
        yield RecordedReason(str(reason["code"]), str(reason["text"]), reason["policy"], reason["where"])


def _event(entry: Mapping[str, Any]) -> str:
    body: Mapping[str, Any] = entry["body"] or {}
    return str(body.get("event"))


def _injection(attempt: AttackAttempt) -> str:
    """What an untrusted result tells the agent in this attempt: to do what comes next."""
    mark = attempt.goal.mark if isinstance(attempt.goal, Arrives) else ""
    marked = [step for step in attempt.steps if isinstance(step, Calls) and mark and holds(step.arguments, mark)]
    orders = [json.dumps(dict(step.arguments), ensure_ascii=False) for step in marked]
    return wording(attempt.twists).format(order=" and ".join(orders)) if orders else "Nothing new."

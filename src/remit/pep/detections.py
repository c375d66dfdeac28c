"""What detectors found in results and in what was sent, on record for people: each kind once for each run and tool."""

from collections.abc import Mapping
from typing import Final

from remit.facts.action import Action, ActionKind
from remit.facts.canonical import Json
from remit.facts.finding import INCIDENTS, Find
from remit.facts.record import RecordKind
from remit.pdp.result_judgement import ResultJudgement
from remit.pep.attempt import Attempt
from remit.pep.decision_engine import BY_REMIT, DecisionEngine
from remit.protect.detect.detectors import Findings
from remit.protect.detect.locations import located
from remit.trace.bodies import AdminBody, Event

KNOWN_MAX: Final = 10_000
"""How many finds are remembered as reported; an older one is reported again."""


class Detections:
    """The reports of one service."""

    def __init__(self, engine: DecisionEngine) -> None:
        self._engine = engine
        self._reported: dict[tuple[object, ...], None] = {}

    def report(self, attempt: Attempt, action: Action, judged: ResultJudgement) -> None:
        """Record what is new of what was found in the result of `attempt`. Raises `LedgerUnwritable`."""
        self._report(attempt, action, judged.detections, {"intent": attempt.ref}, judged.release)

    def sent(self, attempt: Attempt, action: Action) -> None:
        """Record what is new of what was found in what `attempt` sends, or would. Raises `LedgerUnwritable`."""
        if attempt.decision.sends:
            self._report(attempt, action, attempt.decision.sends, {"record": attempt.ref, "sent": True})

    def _report(
        self, attempt: Attempt, action: Action, findings: Findings, about: Mapping[str, Json], result: Json = None
    ) -> None:
        sid, sent = attempt.sessions[-1].sid, "sent" in about
        new_counts: dict[str, Json] = {
            find.value: dict(findings[find])
            for find in sorted(INCIDENTS & findings.keys())
            if self._is_new((sid, *_of(action), find, sent))
        }
        if new_counts:
            data: dict[str, Json] = {**about, "agent": action.authority.acting.agent, "found": new_counts}
            if action.kind is not ActionKind.CALL_TOOL:
                # Its name is the agent's own word, which no title repeats.
                data["kind"] = action.kind.value
            if not sent:
                # What is sent is on record itself.
                data["at"] = {find.value: list(at) for find, at in located([*map(Find, new_counts)], result).items()}
            body = AdminBody(Event.DETECTED, BY_REMIT, f"{action.server}/{action.name}", data)
            self._engine.append(RecordKind.ADMIN, sid, body)

    def _is_new(self, key: tuple[object, ...]) -> bool:
        if key in self._reported:
            return False
        self._reported[key] = None
        if len(self._reported) > KNOWN_MAX:
            del self._reported[next(iter(self._reported))]
        return True


def _of(action: Action) -> tuple[str, str]:
    return action.server, action.name

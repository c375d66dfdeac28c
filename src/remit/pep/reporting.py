"""What detectors found in results, on record for people: a find of one kind once for each run and tool."""

from typing import Final

from remit.facts.action import Action
from remit.facts.canonical import Json
from remit.facts.finding import INCIDENTS, Find
from remit.facts.record import RecordKind
from remit.pdp.judge import Judgement
from remit.pep.attempt import Attempt
from remit.pep.judging import BY_REMIT, Desk
from remit.trace.bodies import AdminBody, Event

KNOWN_MAX: Final = 10_000
"""How many finds are remembered as reported; an older one is reported again."""


class Reporting:
    """The reports of one service."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: dict[tuple[str, str, str, Find], None] = {}

    def report(self, attempt: Attempt, action: Action, judged: Judgement) -> None:
        """Record what is new of what was found in the result of `attempt`. Raises `LedgerUnwritable`."""
        sid = attempt.sessions[-1].sid
        new = [find for find in sorted(INCIDENTS & judged.found.keys()) if self._is_new((sid, *_of(action), find))]
        if new:
            found: Json = {find.value: dict(judged.found[find]) for find in new}
            data = {"intent": attempt.ref, "agent": action.authority.acting.agent, "found": found}
            body = AdminBody(Event.DETECTED, BY_REMIT, f"{action.server}/{action.name}", data)
            self._desk.append(RecordKind.ADMIN, sid, body)

    def _is_new(self, key: tuple[str, str, str, Find]) -> bool:
        if key in self._known:
            return False
        self._known[key] = None
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
        return True


def _of(action: Action) -> tuple[str, str]:
    return action.server, action.name

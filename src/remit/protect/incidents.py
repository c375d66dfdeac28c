"""Incidents: what happened that people should look at, gathered, and how far they are with it.

Laws
* An incident moves by `MOVES` alone; what is closed stays so, and what happens after it opens another one, of which
  nothing that happened before is a part.
* Findings of one agent (or, where no agent did it, of one thing) that are at most `WINDOW_MS` apart are one incident,
  whatever their cause. Denials count once `DENIALS_MIN` of one agent in one session fall within `DENIED_MS`.
* Its title tells how it began, and what else came to it: each further cause, and what is worse, once.
* Taking in the same again changes nothing: an incident is named by the record that it began with, counts only grow, and
  of records the last `RECORDS_MAX` and the first are named.
* Bounded: `OPEN_MAX` incidents are gathered at once; what comes then joins one that says so. Denials are remembered of
  `DENIAL_SESSIONS_MAX` sessions.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from remit.facts.durations import HOUR_MS

WINDOW_MS: Final = HOUR_MS
DENIALS_MIN: Final = 5
DENIED_MS: Final = 600_000
OPEN_MAX: Final = 1_000
DENIAL_SESSIONS_MAX: Final = 10_000
RECORDS_MAX: Final = 50
SIDS_MAX: Final = 20
ACTS_MAX: Final = 50
TITLE_CHARS_MAX: Final = 500
GISTS_MAX: Final = 3
"""How many different denials the title of an incident names."""
OVERFLOW: Final = "(more than can be open at once)"
"""What the incident is about that all join for which there is no room."""


class IncidentCause(StrEnum):
    """What made people look."""

    DENIALS = "denials"
    HALT = "halt"
    DRIFT = "drift"
    SHADOW = "shadow"
    TRIP = "trip"
    DETECTION = "detection"
    ERROR = "error"


class Severity(IntEnum):
    """How bad it is, by the numbers of OCSF's `severity_id`."""

    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


class IncidentState(StrEnum):
    """How far people are with it."""

    OPEN = "open"
    ASSIGNED = "assigned"
    CLOSED = "closed"


class IncidentMove(StrEnum):
    """What happens to an incident."""

    SEE = "see"
    ASSIGN = "assign"
    CLOSE = "close"


class Resolution(StrEnum):
    """How it ended, in the word of who closed it."""

    RESOLVED = "resolved"
    EXPECTED = "expected"
    FALSE_ALARM = "false-alarm"


MOVES: Final = {
    (IncidentState.OPEN, IncidentMove.SEE): IncidentState.OPEN,
    (IncidentState.OPEN, IncidentMove.ASSIGN): IncidentState.ASSIGNED,
    (IncidentState.OPEN, IncidentMove.CLOSE): IncidentState.CLOSED,
    (IncidentState.ASSIGNED, IncidentMove.SEE): IncidentState.ASSIGNED,
    (IncidentState.ASSIGNED, IncidentMove.ASSIGN): IncidentState.ASSIGNED,
    (IncidentState.ASSIGNED, IncidentMove.CLOSE): IncidentState.CLOSED,
}
"""The lifecycle; what is not here does not happen."""


class IncidentOver(Exception):
    """The incident is closed: nothing more is done about it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that happened, as the record `record` (a decision id) says, at `at` (ms since the epoch).

    `agent` did it, or it is about `subject` (as in `tool:mail/send`); `title` is one line without an agent's words. One
    that is `weak` makes an incident with others of its kind alone, and in its title is told by its `gist`.
    """

    record: str
    at: int
    cause: IncidentCause
    severity: Severity
    title: str
    agent: str = ""
    sid: str = ""
    subject: str = ""
    weak: bool = False
    gist: str = ""

    @property
    def about(self) -> str:
        """What findings that belong together share."""
        return f"agent:{self.agent}" if self.agent else self.subject


class IncidentAct(NamedTuple):
    """What a person did about it: at `at` (ms since the epoch), `by` whom, in our words."""

    at: int
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Incident:
    """`ident` is the record it began with; `about` what it is about, `count` how many findings it is of.

    `records` are the first and the last of them, in order; `assignee` whose it is, `resolution` and `note` how it
    ended.
    """

    ident: str
    about: str
    title: str
    severity: Severity
    causes: frozenset[IncidentCause]
    sids: tuple[str, ...]
    opened_ms: int
    last_ms: int
    count: int
    records: tuple[str, ...]
    state: IncidentState = IncidentState.OPEN
    assignee: str = ""
    resolution: str = ""
    note: str = ""
    changed_ms: int = 0
    acts: tuple[IncidentAct, ...] = ()


def open_incident(finding: Finding, about: str) -> Incident:
    """The incident that `finding` begins."""
    sids = (finding.sid,) if finding.sid else ()
    return Incident(
        finding.record,
        about,
        finding.title,
        finding.severity,
        frozenset({finding.cause}),
        sids,
        finding.at,
        finding.at,
        1,
        (finding.record,),
        changed_ms=finding.at,
    )


def with_finding(incident: Incident, finding: Finding) -> Incident:
    """`incident` with one more finding; the same where it has that one already, or is closed."""
    if (incident.state, IncidentMove.SEE) not in MOVES or finding.record in incident.records:
        return incident
    is_in_title = finding.severity <= incident.severity and finding.cause in incident.causes
    return replace(
        incident,
        title=incident.title if is_in_title else _longer_title(incident.title, finding.title),
        severity=max(incident.severity, finding.severity),
        causes=incident.causes | {finding.cause},
        sids=_merged_ids(incident.sids, (finding.sid,) if finding.sid else (), SIDS_MAX),
        last_ms=max(incident.last_ms, finding.at),
        count=incident.count + 1,
        records=_merged_ids(incident.records, (finding.record,), RECORDS_MAX),
        changed_ms=max(incident.changed_ms, finding.at),
    )


def merge(incident: Incident, later: Incident) -> Incident:
    """`incident` with what `later`, the same one further on, knows of findings. Never less than before."""
    if (incident.state, IncidentMove.SEE) not in MOVES:
        return incident
    is_in_title = later.severity <= incident.severity and later.causes <= incident.causes
    return replace(
        incident,
        title=incident.title if is_in_title else later.title,
        severity=max(incident.severity, later.severity),
        causes=incident.causes | later.causes,
        sids=_merged_ids(incident.sids, later.sids, SIDS_MAX),
        last_ms=max(incident.last_ms, later.last_ms),
        count=max(incident.count, later.count),
        records=_merged_ids(incident.records, later.records, RECORDS_MAX),
        changed_ms=max(incident.changed_ms, later.changed_ms),
    )


def assign(incident: Incident, to: str, act: IncidentAct) -> Incident:
    """`incident` in the hands of `to`; the same where it is closed."""
    after = MOVES.get((incident.state, IncidentMove.ASSIGN))
    if after is None:
        return incident
    return replace(incident, state=after, assignee=to, changed_ms=act.at, acts=_with_act(incident, act))


def close(incident: Incident, resolution: Resolution, note: str, act: IncidentAct) -> Incident:
    """`incident` at its end; the same where it is closed already."""
    after = MOVES.get((incident.state, IncidentMove.CLOSE))
    if after is None:
        return incident
    word = resolution.value
    acts = _with_act(incident, act)
    return replace(incident, state=after, resolution=word, note=note, changed_ms=act.at, acts=acts)


class OpenIncidents:
    """Open incidents by what they are about, and the denials that may become one."""

    def __init__(self, incidents: Iterable[Incident] = ()) -> None:
        self._open: dict[str, Incident] = {}
        self._denials: OrderedDict[tuple[str, str], deque[Finding]] = OrderedDict()
        for incident in sorted(incidents, key=lambda incident: incident.last_ms):
            self.put(incident)

    def put(self, incident: Incident) -> None:
        """Take `incident` as it is now."""
        current = self._open.get(incident.about)
        if incident.state is not IncidentState.CLOSED:
            if current is None or current.ident == incident.ident or current.last_ms <= incident.last_ms:
                self._open[incident.about] = incident
        elif current is not None and current.ident == incident.ident:
            del self._open[incident.about]
            self._forget_denials(incident.about)

    def take(self, finding: Finding) -> Incident | None:
        """The incident that `finding` begins or belongs to, as it is with it; None where it is nothing yet."""
        findings = self._threshold_denials(finding) if finding.weak else (finding,)
        if not findings:
            return None
        first, about = findings[0], finding.about
        current = self._open.get(about)
        if current is not None and finding.at - current.last_ms > WINDOW_MS:
            # It stays open until a person closes it; what happens now is another one.
            current = None
        if current is None and about not in self._open and len(self._open) >= OPEN_MAX:
            about = OVERFLOW
            current = self._open.get(about)
        incident = open_incident(first, about) if current is None else current
        for part in findings:
            incident = with_finding(incident, part)
        self._open[about] = incident
        return incident

    def _forget_denials(self, about: str) -> None:
        """The denials that were of an incident which ended make no other."""
        for key in [key for key in self._denials if key[0] == about]:
            del self._denials[key]

    def _threshold_denials(self, finding: Finding) -> tuple[Finding, ...]:
        """The denials with which it becomes an incident; those after it belong to it one by one."""
        key = (finding.about, finding.sid)
        denials = self._denials.get(key)
        if denials is None:
            denials = self._denials[key] = deque(maxlen=DENIALS_MIN)
            if len(self._denials) > DENIAL_SESSIONS_MAX:
                self._denials.popitem(last=False)
        self._denials.move_to_end(key)
        if all(denial.record != finding.record for denial in denials):
            denials.append(finding)
        if len(denials) < DENIALS_MIN or finding.at - denials[0].at > DENIED_MS:
            return ()
        first, *others = denials
        return (replace(first, title=_denials_title(denials)), *others)


def _denials_title(denials: Sequence[Finding]) -> str:
    """The title of an incident that these denials of one agent make."""
    gists = list(dict.fromkeys(denial.gist for denial in denials))
    more = " and more" if len(gists) > GISTS_MAX else ""
    listed = ", ".join(gists[:GISTS_MAX])
    return f"agent {denials[0].agent} was denied again and again: {listed}{more}"


def _longer_title(title: str, by: str) -> str:
    """`title`, then `by`, as far as there is room."""
    longer = f"{title}; {by}"
    return longer if len(longer) <= TITLE_CHARS_MAX else title


def _with_act(incident: Incident, act: IncidentAct) -> tuple[IncidentAct, ...]:
    return tuple(dict.fromkeys((*incident.acts, act)))[-ACTS_MAX:]


def _merged_ids(before: tuple[str, ...], later: tuple[str, ...], count_max: int) -> tuple[str, ...]:
    """Both in order, each once: the first, and the last of the others."""
    ids = tuple(dict.fromkeys((*before, *later)))
    return ids if len(ids) <= count_max else (ids[0], *ids[1 - count_max :])

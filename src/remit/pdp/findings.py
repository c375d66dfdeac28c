"""What of the ledger people should look at: the table of sources of incidents, and incidents as records.

A source is a row of `SOURCES`: the event of an `admin` record, and what it says as a finding; None: nothing to look at.
Denials come from proposals. What a record says is never believed to be well-formed: a finding is made of what is there.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from remit.facts.action import ActionKind
from remit.facts.breaker import Trip, name_of, shared, whose
from remit.facts.canonical import Json
from remit.facts.record import RecordKind, Ref
from remit.facts.stop import StopKind, named, read_subject
from remit.facts.text import one_line
from remit.policy.verdict import Code
from remit.protect.incidents import (
    Finding,
    Incident,
    IncidentAct,
    IncidentCause,
    Resolution,
    Severity,
    assign,
    close,
    merge,
)
from remit.trace.bodies import ActionBody, AdminBody, Body, Event

TITLE_CHARS_MAX: Final = 160
_GIST_CHARS_MAX: Final = 100
_NAMELESS: Final = {ActionKind.READ_RESOURCE.value: "a resource", ActionKind.GET_PROMPT.value: "a prompt"}
Source = Callable[[str, int, AdminBody], Finding | None]
"""From the record's id, when it was made (ms since the epoch), and its body."""


def _halt(record: str, at: int, body: AdminBody) -> Finding | None:
    subject = read_subject(body.subject)
    if subject is None:
        return None
    over, name = subject
    holds = " quarantined" if body.data.get("holds") in {"acting", "reading"} else " stopped"
    title = one_line(f"{named(subject)}{holds} by {body.by}", chars_max=TITLE_CHARS_MAX)
    agent, sid = name if over is StopKind.AGENT else "", name if over is StopKind.SESSION else ""
    severity = Severity.CRITICAL if over is StopKind.EVERYTHING else Severity.HIGH
    return Finding(record, at, IncidentCause.HALT, severity, title, agent, sid, body.subject)


def _drift(record: str, at: int, body: AdminBody) -> Finding | None:
    kind, follows = body.data.get("kind"), body.data.get("follows")
    registered = body.subject.startswith("agent/") and ":" not in body.subject
    agent = body.subject.removeprefix("agent/") if registered else ""
    severity = Severity.MEDIUM if follows == "record" else Severity.HIGH
    # A name that nobody registered may be an agent's own words.
    who = f"agent {agent}" if registered else "something that is not registered"
    title = one_line(f"{who} drifted: {kind}", chars_max=TITLE_CHARS_MAX)
    return Finding(record, at, IncidentCause.DRIFT, severity, title, agent, subject=body.subject)


def _shadow(record: str, at: int, body: AdminBody) -> Finding | None:
    """Agents at work that are registered nowhere: as many as one record tells of are one finding, by who saw them."""
    changes = body.data.get("changes")
    for change in changes if isinstance(changes, list) else ():
        match change:
            case {"what": "found", "subject": str(subject), "source": str(source)} if (
                subject.startswith("agent/otlp:") and source.partition(":")[0] == "otlp"
            ):
                title = "agents at work that are registered nowhere: remit get agents, remit get inventory"
                return Finding(record, at, IncidentCause.SHADOW, Severity.MEDIUM, title, subject=f"shadow:{source}")
            case _:
                continue
    return None


def _difference(record: str, at: int, body: AdminBody) -> Finding | None:
    title = "generated code and Cedar judged differently: Cedar judges alone now"
    return Finding(record, at, IncidentCause.ERROR, Severity.HIGH, title, subject=f"bundle:{body.subject}")


def _trip(record: str, at: int, body: AdminBody) -> Finding | None:
    kind, _, name = whose(body.subject).partition(" ")
    sentence = f"breaker {name_of(body.subject)} tripped for {kind} {name}: {Trip(at, body.data).text}"
    title = one_line(sentence, chars_max=TITLE_CHARS_MAX)
    agent = name if kind == "agent" else shared(body.subject)[1]
    return Finding(record, at, IncidentCause.TRIP, Severity.MEDIUM, title, agent, subject=f"{kind}:{name}")


def _detected(record: str, at: int, body: AdminBody) -> Finding | None:
    acting = body.data.get("agent")
    agent = acting if isinstance(acting, str) else ""
    who = f"agent {agent}" if agent else "an agent"
    kind, place = body.data.get("kind"), body.subject
    if isinstance(kind, str):
        # A resource or a prompt is named as the agent wants.
        place = f"{_NAMELESS.get(kind, 'something')} of {body.subject.partition('/')[0]}"
    where = f"{who} sent to {place}" if body.data.get("sent") is True else f"{place} told {who}"
    title = one_line(f"{detection_text(body)} in what {where}", chars_max=TITLE_CHARS_MAX)
    return Finding(record, at, IncidentCause.DETECTION, Severity.HIGH, title, agent, subject=f"tool:{body.subject}")


def detection_text(body: AdminBody) -> str:
    """What a record of detectors says that they found: `hidden (tag character), secret (AWS key id)`."""
    kinds_by_find = body.data.get("found")
    parts = [
        f"{find} ({', '.join(sorted(kinds))})" if isinstance(kinds, Mapping) and kinds else find
        for find, kinds in sorted(kinds_by_find.items() if isinstance(kinds_by_find, Mapping) else ())
    ]
    return ", ".join(parts) or "something"


SOURCES: Final[Mapping[Event, Source]] = {
    Event.HALT: _halt,
    Event.AGENT_DRIFTED: _drift,
    Event.INVENTORY_CHANGED: _shadow,
    Event.POLICY_DIFFERENCE: _difference,
    Event.BREAKER_TRIPPED: _trip,
    Event.DETECTED: _detected,
}
"""Sources of incidents beside denials, one row each."""


def finding(ref: Ref, at: int, kind: RecordKind, body: Body) -> Finding | None:
    """What the record at `ref`, made at `at`, gives people to look at."""
    match body:
        case ActionBody() if kind is RecordKind.PROPOSAL and body.verdict == "deny" and body.links:
            agent, sid = body.links[-1]
            if any(reason.code == Code.TOOL_DRIFTED for reason in body.reasons):
                return _drifted_tool(str(ref), at, body, agent, sid)
            if _is_filtered(body):
                return None
            return _denied(str(ref), at, body, agent, sid)
        case AdminBody(event=event) if event in SOURCES:
            return SOURCES[event](str(ref), at, body)
        case _:
            return None


def _is_filtered(body: ActionBody) -> bool:
    """Whether it is a list that policy shows nothing of: every client asks for all of them as it connects."""
    lists = not body.name and body.kind in {ActionKind.READ_RESOURCE.value, ActionKind.GET_PROMPT.value}
    return lists and {reason.code for reason in body.reasons} <= {Code.POLICY, Code.NO_POLICY}


def _denied(record: str, at: int, body: ActionBody, agent: str, sid: str) -> Finding:
    # A tool that is unknown, a resource or a prompt is called as the agent wants.
    what = f"{body.server}/{body.name}" if body.pin else body.kind
    by = next((reason.policy or reason.code for reason in body.reasons), Code.INTERNAL)
    gist = one_line(f"{what} by {by}", chars_max=_GIST_CHARS_MAX)
    title = one_line(f"agent {agent} was denied {gist}", chars_max=TITLE_CHARS_MAX)
    return Finding(record, at, IncidentCause.DENIALS, Severity.MEDIUM, title, agent, sid, weak=True, gist=gist)


def _drifted_tool(record: str, at: int, body: ActionBody, agent: str, sid: str) -> Finding:
    """One call is enough: a server that says something else of its tool does so to everybody."""
    name = f"{body.server}/{body.name}"
    title = one_line(f"tool {name} is no longer what was accepted; {agent} called it", chars_max=TITLE_CHARS_MAX)
    return Finding(record, at, IncidentCause.DRIFT, Severity.HIGH, title, sid=sid, subject=f"tool:{name}")


def opening(incident: Incident, by: str) -> AdminBody:
    """The record by which `incident` begins."""
    return AdminBody(Event.INCIDENT_OPENED, by, incident.ident, dict(_members(incident)))


def seeing(incident: Incident, by: str, before: Incident) -> AdminBody:
    """The record by which more of `incident` is known than was said `before`; it says whether it is worse."""
    is_worse = incident.severity > before.severity or not incident.causes <= before.causes
    worse: dict[str, Json] = {"worse": True} if is_worse else {}
    return AdminBody(Event.INCIDENT_SEEN, by, incident.ident, dict(_members(incident)) | worse)


def assigning(ident: str, to: str, by: str) -> AdminBody:
    """The record by which `by` gives the incident to `to`."""
    return AdminBody(Event.INCIDENT_ASSIGNED, by, ident, {"to": to})


def closing(ident: str, resolution: Resolution, note: str, by: str) -> AdminBody:
    """The record by which `by` closes the incident."""
    return AdminBody(Event.INCIDENT_CLOSED, by, ident, {"resolution": resolution.value, "note": note})


def after(incident: Incident | None, at: int, body: AdminBody) -> Incident | None:
    """The incident that `body` names, as it is after that record of `at`; None where there is none.

    The fold of incidents: total, and the same however often a record is taken in.
    """
    match body.event:
        case Event.INCIDENT_OPENED | Event.INCIDENT_SEEN:
            said = _incident_of(body)
            if incident is None or said is None:
                return said if incident is None and body.event is Event.INCIDENT_OPENED else incident
            return merge(incident, said)
        case Event.INCIDENT_ASSIGNED:
            to = str(body.data.get("to", ""))
            return None if incident is None else assign(incident, to, IncidentAct(at, body.by, f"assigned to {to}"))
        case Event.INCIDENT_CLOSED:
            if incident is None:
                return None
            said = str(body.data.get("resolution"))
            resolution = Resolution(said) if said in set(Resolution) else Resolution.RESOLVED
            act = IncidentAct(at, body.by, f"closed: {resolution.value}")
            return close(incident, resolution, str(body.data.get("note", "")), act)
        case _:
            return incident


def _members(incident: Incident) -> Iterator[tuple[str, Json]]:
    yield "about", incident.about
    yield "title", incident.title
    yield "severity", int(incident.severity)
    yield "causes", sorted(incident.causes)
    yield "sids", list(incident.sids)
    yield "opened_ms", incident.opened_ms
    yield "last_ms", incident.last_ms
    yield "count", incident.count
    yield "records", list(incident.records)


def _incident_of(body: AdminBody) -> Incident | None:
    match dict(body.data):
        case {
            "about": str(about),
            "title": str(title),
            "severity": int(severity),
            "causes": [*causes],
            "sids": [*sids],
            "opened_ms": int(opened_ms),
            "last_ms": int(last_ms),
            "count": int(count),
            "records": [*records],
        } if severity in set(Severity):
            return Incident(
                body.subject,
                about,
                title,
                Severity(severity),
                frozenset(IncidentCause(str(one)) for one in causes if one in set(IncidentCause)),
                tuple(map(str, sids)),
                opened_ms,
                last_ms,
                count,
                tuple(map(str, records)),
                changed_ms=last_ms,
            )
        case _:
            return None

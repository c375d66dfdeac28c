"""What the API answers of incidents."""

from pydantic import JsonValue

from remit.api.answers import Answer


class IncidentAnswer(Answer):
    """One incident: what it is about, how bad, since when, how often, whose it is and how it ended."""

    id: str
    title: str
    about: str
    severity: str
    causes: list[str]
    state: str
    assignee: str | None
    opened: str
    last: str
    changed: str
    count: int
    resolution: str | None
    note: str | None
    sids: list[str]


class IncidentsAnswer(Answer):
    """Incidents, the last changed first."""

    items: list[IncidentAnswer]


class MomentAnswer(Answer):
    """One line of the timeline: the record, or what a person did."""

    at: str
    what: str
    by: str | None
    record: str | None


class IncidentWholeAnswer(IncidentAnswer):
    """One incident with its timeline; of many findings the first and the last."""

    timeline: list[MomentAnswer]


class EventsAnswer(Answer):
    """Events for a SIEM, in OCSF, the first changed incident first; `next` is after what there are more."""

    items: list[dict[str, JsonValue]]
    next: str | None

"""Routes of incidents: what people should look at, whose it is, how it ended, and all of it as events for a SIEM."""

from collections.abc import Awaitable
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from remit import __version__
from remit.api.access import caller_name
from remit.api.answers_incidents import (
    EventsAnswer,
    IncidentAnswer,
    IncidentsAnswer,
    IncidentWholeAnswer,
    MomentAnswer,
)
from remit.api.authenticator import Admin, Person
from remit.api.concern import handles, own, reads
from remit.api.guard import ByReader, GuardedRoute, With
from remit.api.missing_resource import missing_resource
from remit.api.moments import instant
from remit.api.problem import Problem, forbidden, not_found
from remit.api.requests import LIMIT_MAX, Limit, Name, Note, RefPath, Strict
from remit.api.services import Services
from remit.control.resources import ResourceKind
from remit.facts.canonical import Json
from remit.facts.record import Ref
from remit.pdp.findings import finding
from remit.protect.incidents import Finding, Incident, IncidentOver, IncidentState, Resolution
from remit.protect.ocsf import detection, incident_finding

router = APIRouter(route_class=GuardedRoute, tags=["incidents"])

ALIVE: Final = (IncidentState.OPEN, IncidentState.ASSIGNED)
EXPORTED_MAX: Final = 200
"""Incidents of one page of an export, each with at most as many findings as it names."""


class AssignRequest(Strict):
    """Whose it is from now on: a User."""

    to: Name


class CloseRequest(Strict):
    """How it ended, and what is to be known of it."""

    resolution: Annotated[Resolution, Field(strict=False)]
    note: Note = ""


@router.get("/incidents")
async def list_incidents(
    services: With,
    caller: ByReader,
    state: Annotated[Literal["alive", "open", "assigned", "closed", "all"], Query()] = "alive",
    limit: Limit = 100,
) -> IncidentsAnswer:
    """Incidents, the last changed first; without `state` those that nobody closed. A user sees those that he may read.

    Of a user's they are looked for among the last `LIMIT_MAX`.
    """
    chosen = {"alive": ALIVE, "all": tuple(IncidentState)}.get(state) or (IncidentState(state),)
    incidents = await services.incidents.in_states(chosen, limit if isinstance(caller, Admin) else LIMIT_MAX)
    readable = [incident for incident in incidents if await reads(services, caller, incident)]
    return IncidentsAnswer(items=[_view(incident) for incident in readable[:limit]])


@router.get("/incidents/{ident}")
async def show_incident(ident: RefPath, services: With, caller: ByReader) -> IncidentWholeAnswer:
    """One incident with its timeline from the ledger."""
    return await _whole(services, await _readable(services, caller, ident))


@router.post("/incidents/{ident}/assign")
async def assign(ident: RefPath, request: AssignRequest, services: With, caller: ByReader) -> IncidentWholeAnswer:
    """Give it to a user, who handles it from then on."""
    await _handled_by_caller(services, caller, ident)
    if request.to not in services.runtime.catalog.users:
        raise await missing_resource(services, ResourceKind.USER, request.to)
    return await _answer_after(services, ident, services.incidents.assign(ident, request.to, caller_name(caller)))


@router.post("/incidents/{ident}/close")
async def close(ident: RefPath, request: CloseRequest, services: With, caller: ByReader) -> IncidentWholeAnswer:
    """Close it; what happens after that is another incident. Nobody closes what is his own."""
    incident = await _handled_by_caller(services, caller, ident)
    concern = await own(services, caller, incident) if isinstance(caller, Person) else None
    if concern is not None:
        following = f"ask somebody else to: remit incidents assign {ident} --to USER, or the admin"
        raise forbidden(f"{concern}, and nobody closes what is his own", following)
    return await _answer_after(
        services, ident, services.incidents.end(ident, request.resolution, request.note, caller_name(caller))
    )


@router.get("/incident-events")
async def events(
    services: With,
    caller: ByReader,
    since_ms: Annotated[int, Query(ge=0)] = 0,
    after: Annotated[str | None, Query(pattern=r"^\d{1,15}:[\w.-]{1,64}$", max_length=80)] = None,
    limit: Annotated[int, Query(ge=1, le=EXPORTED_MAX)] = EXPORTED_MAX,
) -> EventsAnswer:
    """Incidents that changed since then and the findings that they name, in OCSF, the first changed first.

    A user gets those that he may read. There are more after `next`, where the answer has one.
    """
    changed, ident = (after or f"{since_ms}:").split(":")
    page = await services.incidents.changed_after((int(changed), ident), limit)
    items: list[dict[str, Json]] = []
    for incident in page:
        if not await reads(services, caller, incident):
            continue
        findings = await _findings(services, incident)
        items += [detection(finding, incident.ident, __version__) for finding in findings]
        items.append(incident_finding(incident, findings, __version__))
    following = f"{page[-1].changed_ms}:{page[-1].ident}" if len(page) == limit else None
    return EventsAnswer.model_validate({"items": items, "next": following})


async def _readable(services: Services, caller: Admin | Person, ident: str) -> Incident:
    """The incident `ident`; 404 also where `caller` may not read it: he does not learn that it is there."""
    incident = await services.incidents.find(ident)
    if incident is None or not await reads(services, caller, incident):
        raise not_found(f"incident: {ident}", "remit incidents ls")
    return incident


async def _handled_by_caller(services: Services, caller: Admin | Person, ident: str) -> Incident:
    """The incident `ident`, which `caller` handles; 403 where he only reads it."""
    incident = await _readable(services, caller, ident)
    if not handles(services, caller, incident):
        following = "ask one of them, or the admin, to give it to you: remit incidents assign"
        raise forbidden("those handle an incident who decide on some route, and whose it is", following)
    return incident


async def _answer_after(services: Services, ident: str, act: Awaitable[Incident]) -> IncidentWholeAnswer:
    try:
        return await _whole(services, await act)
    except KeyError as error:
        raise not_found(f"incident: {ident}", "remit incidents ls") from error
    except IncidentOver as error:
        why = "what happened after it is another incident"
        raise Problem(409, "it is closed", why=why, next=f"remit incidents show {ident}") from error


async def _findings(services: Services, incident: Incident) -> list[Finding]:
    """Those that it names, of which the ledger still has the bodies."""
    findings: list[Finding] = []
    for name in incident.records:
        ref = Ref.parse(name)
        entry = await services.ledger.entry(ref)
        if entry is not None and entry.body is not None:
            one = finding(ref, entry.record.at, entry.record.kind, entry.body)
            findings += [] if one is None else [one]
    return findings


async def _whole(services: Services, incident: Incident) -> IncidentWholeAnswer:
    happened = [(item.at, item.title, None, item.record) for item in await _findings(services, incident)]
    acts = [(act.at, act.text, act.by, None) for act in incident.acts]
    timeline = [
        MomentAnswer(at=instant(at), what=what, by=by, record=record)
        for at, what, by, record in sorted([*happened, *acts], key=lambda line: line[0])
    ]
    return IncidentWholeAnswer(**_view(incident).model_dump(), timeline=timeline)


def _view(incident: Incident) -> IncidentAnswer:
    return IncidentAnswer(
        id=incident.ident,
        title=incident.title,
        about=incident.about,
        severity=incident.severity.name.lower(),
        causes=sorted(incident.causes),
        state=incident.state.value,
        assignee=incident.assignee or None,
        opened=instant(incident.opened_ms),
        last=instant(incident.last_ms),
        changed=instant(incident.changed_ms),
        count=incident.count,
        resolution=incident.resolution or None,
        note=incident.note or None,
        sids=list(incident.sids),
    )

"""Who reads of what acted for others, and who decides on an incident.

Who decides on some route is asked to let act again, or not, what he did not ask for: so he may read who did what and
why it was denied, of what an incident or an open breaker names. Arguments and values stay with those who decide that
very action. An incident is handled by such people and by whom they gave it to; nobody closes what is his own.
"""

from typing import Final

from remit.api.authenticator import Admin, Person
from remit.api.requests import LIMIT_MAX
from remit.api.services import Services
from remit.escalate.eligibility import member
from remit.facts.breaker import Trip
from remit.facts.record import Ref
from remit.facts.stop import subject
from remit.pdp.stops import names_of, of_user
from remit.protect.incidents import Incident, IncidentCause, IncidentState
from remit.trace.bodies import ActionBody, AdminBody, Event

LOOKED_MAX: Final = 3
"""How many incidents of an agent, server or tool are looked through for the evidence of a trip."""


def decides(services: Services, caller: Person) -> bool:
    """Whether `caller` is one of those whom some route asks."""
    catalog = services.runtime.catalog
    return any(member(route, catalog.users[caller.user]) for route in catalog.routes.values())


async def concerns(services: Services, caller: Admin | Person, record: str, of: ActionBody | None = None) -> bool:
    """Whether `caller` may read of `record`, an action `of`: he handles the incident that names it, or a breaker rests.

    That tripped by it; or one did that is closed since, as an incident says that he handles.
    """
    if isinstance(caller, Admin):
        return True
    if decides(services, caller) and any(
        record in trip.records for *_, trip in services.driver.limit_admin.open_breakers
    ):
        return True
    incident = await services.incidents.of_record(record)
    if incident is not None and handles(services, caller, incident):
        return True
    return of is not None and await _tripped_by(services, caller, record, of)


async def _tripped_by(services: Services, caller: Person, record: str, of: ActionBody) -> bool:
    """Whether a trip names `record` among its evidence that one of the last incidents names."""
    about = {f"agent:{agent}" for agent, _ in of.links} | {f"server:{of.server}", f"tool:{of.server}/{of.name}"}
    trips = [
        one
        for one in await services.incidents.in_states(tuple(IncidentState), LIMIT_MAX)
        if IncidentCause.TRIP in one.causes
    ]
    visible = [one for one in trips if one.about in about and handles(services, caller, one)]
    for name in [name for one in visible[:LOOKED_MAX] for name in one.records]:
        entry = await services.ledger.entry(Ref.parse(name))
        body = None if entry is None else entry.body
        if isinstance(body, AdminBody) and body.event is Event.BREAKER_TRIPPED and record in Trip(0, body.data).records:
            return True
    return False


async def concerns_session(services: Services, caller: Admin | Person, sid: str) -> bool:
    """Whether `caller` may read of session `sid`: he handles the incident that names it."""
    if isinstance(caller, Admin):
        return True
    incident = await services.incidents.of_session(sid)
    return incident is not None and handles(services, caller, incident)


def handles(services: Services, caller: Admin | Person, incident: Incident) -> bool:
    """Whether `incident` is for `caller` to handle: the admin, who decides on some route, and whose it was made."""
    if isinstance(caller, Admin) or decides(services, caller):
        return True
    return incident.assignee in names_of(services.runtime.catalog, caller.user)


async def own(services: Services, caller: Person, incident: Incident) -> str | None:
    """Why `incident` is the caller's own: he is, owns or has act for him what it is about. None: it is not."""
    catalog = services.runtime.catalog
    his = set(names_of(catalog, caller.user))
    kind, _, name = incident.about.partition(":")
    agent = catalog.agents.get(name) if kind == "agent" else None
    if agent is not None and agent.owner in his:
        return f"agent {name} is yours"
    if incident.about in {subject(what) for what in of_user(catalog, caller.user)}:
        return f"it is about {kind} {name}, and so about you"
    for sid in incident.sids:
        session = await services.ledger.session(sid)
        if session is not None and session.user in his:
            return f"session {sid} acted for you"
    return None


async def reads(services: Services, caller: Admin | Person, incident: Incident) -> bool:
    """Whether `caller` may read `incident`: who handles it, and whose own it is."""
    return (
        isinstance(caller, Admin)
        or handles(services, caller, incident)
        or await own(services, caller, incident) is not None
    )

"""Routes of introducing an agent: declared, watched, held to policy. Nothing here lets one go again."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Query

from remit.api.access import caller_name
from remit.api.answers import AppliedAnswer
from remit.api.answers_agents import AdoptionAnswer, AdoptionRow
from remit.api.guard import ByAdmin, GuardedRoute, With
from remit.api.inventory import subject_of
from remit.api.missing_resource import missing_resource
from remit.api.problem import Problem, not_found
from remit.api.requests import AgentPath, Empty, RegisterRequest
from remit.api.services import Adoption, Services
from remit.api.views import applied_view, instant
from remit.control.adoption import AdoptionCount
from remit.control.names import EVERYONE
from remit.control.resources import AgentSpec, ResourceKind
from remit.discover.sighting import Kind, Subject
from remit.facts.action import ActionKind
from remit.facts.agent import Agent, Authority, Link, Mode
from remit.facts.durations import MINUTE_MS
from remit.facts.record import Ref
from remit.facts.strictjson import JsonRefused, parse
from remit.policy.verdict import Code, word
from remit.trace.bodies import ActionBody

router = APIRouter(route_class=GuardedRoute, tags=["agents"])

WINDOW_S_MAX: Final = 366 * 24 * 3600
ROWS_MAX: Final = 200
NAMES_MAX: Final = 10
JUDGED_MAX: Final = 50
"""How many rows have their latest example judged again."""
_ASKED_AGAIN: Final = frozenset({ActionKind.CALL_TOOL, ActionKind.READ_RESOURCE, ActionKind.GET_PROMPT})
_POLICIES: Final = frozenset({Code.POLICY, Code.NO_POLICY, Code.GATE})

Window = Annotated[int, Query(ge=1, le=WINDOW_S_MAX)]


@router.post("/agents/{name}", status_code=201)
async def register(name: AgentPath, request: RegisterRequest, services: With, caller: ByAdmin) -> AppliedAnswer:
    """Declare an agent in the workspace folder, and run the bundle with it. What was `found` is the same."""
    subject = None if request.found is None else await _subject_to_adopt(services, request.found, name)
    spec = AgentSpec(request.owner, request.purpose, tuple(request.groups), mode=Mode(request.mode))
    applied = await services.runtime.register(name, spec, caller_name(caller))
    applied = replace(applied, warnings=(*applied.warnings, *_unknown_owner(services, name, request.owner)))
    if subject is not None:
        await services.discovery.adopt(subject, name, caller_name(caller))
    return applied_view(applied)


def _unknown_owner(services: Services, agent: str, owner: str) -> Iterator[str]:
    """That nobody is called as the owner is: he may be a team that nothing else names, or mistyped."""
    catalog = services.runtime.catalog
    names = sorted((set(catalog.users) | catalog.groups) - {EVERYONE})
    if owner not in names:
        more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
        yield (
            f"{owner} is to answer for {agent}, and no user or group is called so: nobody reads its incidents or "
            f"resumes it as its owner; there are {', '.join(names[:NAMES_MAX]) or 'none'}{more}; "
            f"next: correct `owner` in agents/{agent}.yaml, or declare the User, then: remit apply"
        )


async def _subject_to_adopt(services: Services, text: str, name: str) -> Subject:
    """What of the inventory `name` is to be. One that is registered as another agent is none."""
    subject = subject_of(text)
    if subject.kind is not Kind.AGENT:
        raise Problem(400, f"{text} is no agent", next="remit inventory ls --kind agent")
    entry = await services.discovery.entry(subject)
    if entry is None:
        raise not_found(f"entry in the inventory: {text}", "remit get inventory")
    if entry.registered and entry.subject != Subject(Kind.AGENT, name):
        apart = (
            f"remit inventory apart {entry.subject} {text}" if entry.subject != subject else "register without --from"
        )
        raise Problem(409, f"{text} is registered already", why=f"it is {entry.subject}", next=apart)
    return subject


@router.post("/agents/{name}/enforce")
async def enforce(name: AgentPath, services: With, caller: ByAdmin, _: Empty | None = None) -> AppliedAnswer:
    """Hold an agent to policy from here on: its `mode` in the workspace folder and in what runs."""
    if name not in services.runtime.catalog.agents:
        raise await missing_resource(services, ResourceKind.AGENT, name)
    return applied_view(await services.runtime.enforce(name, caller_name(caller)))


@router.get("/agents/{name}/report")
async def report(name: AgentPath, services: With, _: ByAdmin, window_s: Window = 7 * 24 * 3600) -> AdoptionAnswer:
    """What observing let an agent do in the last `window_s` seconds, by policy."""
    agent = services.runtime.catalog.agents.get(name)
    if agent is None:
        raise await missing_resource(services, ResourceKind.AGENT, name)
    since_ms = services.clock.now_ms() - window_s * 1000
    return await _adoption_answer(services, agent, await services.runtime.adoption(name, since_ms))


async def _adoption_answer(services: Services, agent: Agent, adoption: Adoption) -> AdoptionAnswer:
    rows = [
        _row(row, await _now(services, row) if number < JUDGED_MAX else None)
        for number, row in enumerate(adoption.rows[:ROWS_MAX])
    ]
    left = len(adoption.rows) - len(rows)
    return AdoptionAnswer(
        agent=agent.name,
        mode=agent.mode.value,
        since=instant(adoption.since_ms),
        complete=adoption.complete,
        records=adoption.records,
        calls=adoption.calls,
        would_deny=adoption.denied,
        would_ask=adoption.escalated,
        would_hide=adoption.hidden,
        changes=left > 0 or any(row.now != "permit" and row.would_deny + row.would_ask > 0 for row in rows),
        policies=rows,
        policies_left=left,
    )


def _row(row: AdoptionCount, now: str | None) -> AdoptionRow:
    return AdoptionRow(
        policy=row.policy,
        would_deny=row.denied,
        would_ask=row.escalated,
        would_hide=row.hidden,
        reason=row.reason,
        where=row.where,
        tools=sorted(row.tools),
        last=instant(row.last_ms),
        examples=row.examples,
        now=now,
    )


async def _now(services: Services, row: AdoptionCount) -> str | None:
    """What policy says now of the latest call that `row` counts.

    None where something else than policy speaks first: an ended session, a tool that is gone.
    """
    entry = await services.ledger.entry(Ref.parse(row.examples[0]))
    if entry is None or not isinstance(entry.body, ActionBody) or entry.body.kind not in _ASKED_AGAIN:
        return None
    body = entry.body
    try:
        arguments = parse(body.arguments)
    except JsonRefused:
        return None
    links = tuple(Link(agent, sid) for agent, sid in body.links)
    authority = Authority(links, body.user, "", services.clock.now_ms() + MINUTE_MS)
    if not isinstance(arguments, dict):
        return None
    decision = await services.driver.authorization.can(
        authority, body.server, body.name, arguments, ActionKind(body.kind)
    )
    if any(reason.code not in _POLICIES for reason in decision.reasons):
        return None
    return word(decision.observed or decision.verdict)

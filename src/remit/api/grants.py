"""Routes of grants: what people gave beyond one action, what it would have covered, and their word that ends it."""

from typing import Final, cast

from fastapi import APIRouter
from pydantic import JsonValue

from remit.api.answers_grants import ConstraintAnswer, CoveredAnswer, GrantAnswer, GrantsAnswer
from remit.api.authenticator import Admin, Person
from remit.api.guard import ByPerson, ByReader, GuardedRoute, With
from remit.api.moments import instant
from remit.api.problem import Problem, forbidden, not_found
from remit.api.requests import GrantRequest, RefPath, VoteRequest
from remit.api.services import Services
from remit.api.views import sees_approval, sees_arguments
from remit.escalate.eligibility import sits
from remit.escalate.grants import Bound, Constraint, Grant, GrantScope, GrantTerms, Wish, as_approval
from remit.escalate.machine import Approval
from remit.facts.durations import DAY_MS
from remit.facts.passkey import Confirmed
from remit.facts.record import Ref
from remit.pdp.grant_scope import covers
from remit.trace.bodies import ActionBody

router = APIRouter(route_class=GuardedRoute, tags=["grants"])

WEEK_MS: Final = 7 * DAY_MS
LOOKED_MAX: Final = 1_000
"""How many asks of last week are looked through."""
SHOWN_MAX: Final = 20
UNFILLED: Final = "more people are needed, or whoever gave it may not any more"


@router.post("/approvals/{ident}/grant")
async def give(ident: RefPath, request: GrantRequest, services: With, caller: ByPerson) -> GrantAnswer:
    """Grant more with a yes; `dry_run` tells the terms and what they would have covered, and gives nothing."""
    await known_approval(services, caller, ident)
    wish = _wish(request, services.clock.now_ms())
    if request.dry_run:
        return await preview_grant(services, caller, ident, wish)
    return await give_grant(services, caller, ident, wish, request.note)


async def known_approval(services: Services, caller: Person, ident: str) -> None:
    """Raise unless `caller` decides the approval `ident`: terms tell values."""
    approval = await services.ledger.approval(ident)
    if approval is None or not sees_approval(services, caller, approval):
        raise not_found(f"approval: {ident}", "remit approvals ls")
    if not sees_arguments(services, caller, approval):
        raise forbidden(f"{caller.user} is not one of those who decide here", f"remit approvals show {ident}")


async def preview_grant(services: Services, caller: Person, ident: str, wish: Wish) -> GrantAnswer:
    """What the `wish` of `caller` would lift, and would have lifted last week; nothing is given."""
    voter = services.runtime.catalog.users[caller.user]
    _, terms = await services.driver.grants.terms_for(ident, voter, wish)
    return await _answer(services, Grant("", terms, services.clock.now_ms()))


async def give_grant(
    services: Services, caller: Person, ident: str, wish: Wish, note: str | None, confirmed: Confirmed | None = None
) -> GrantAnswer:
    """What `caller` granted with his yes to the approval `ident`; `confirmed` as of a yes."""
    voter = services.runtime.catalog.users[caller.user]
    return await _answer(services, await services.driver.grants.give(ident, voter, wish, note, confirmed))


@router.get("/grants")
async def list_grants(services: With, caller: ByReader) -> GrantsAnswer:
    """Grants, newest first, those that ended since the service began among them; a user sees those that he decides."""
    own = [grant for grant in reversed(await services.driver.grants.all_grants()) if _sees(services, caller, grant)]
    return GrantsAnswer(items=[await _view(services, grant) for grant in own])


async def grants_of_approval(services: Services, caller: Admin | Person, ident: str) -> list[GrantAnswer]:
    """What people granted with the approval `ident`, the oldest first, as far as `caller` may see it."""
    found = [grant for grant in await services.driver.grants.all_grants() if grant.terms.approval == ident]
    return [await _view(services, grant) for grant in found if _sees(services, caller, grant)]


@router.get("/grants/{ident}")
async def show_grant(ident: RefPath, services: With, caller: ByReader) -> GrantAnswer:
    """One grant, with what of last week it would have covered."""
    return await _answer(services, await _visible_grant(services, caller, ident))


@router.post("/grants/{ident}/revoke")
async def revoke(ident: RefPath, request: VoteRequest, services: With, caller: ByPerson) -> GrantAnswer:
    """End it: nothing is lifted by it from then on."""
    await _visible_grant(services, caller, ident)
    voter = services.runtime.catalog.users[caller.user]
    return await _view(services, await services.driver.grants.revoke(ident, voter, request.note))


async def _visible_grant(services: Services, caller: Admin | Person, ident: str) -> Grant:
    grant = await services.driver.grants.find(ident)
    if grant is None or not _sees(services, caller, grant):
        raise not_found(f"grant: {ident}", "remit grants ls")
    return grant


def _sees(services: Services, caller: Admin | Person, grant: Grant) -> bool:
    """Those who may lift its gates, and the admin: its terms tell values that whom it is for may not see."""
    if isinstance(caller, Admin):
        return True
    catalog = services.runtime.catalog
    person = catalog.users[caller.user]
    return sits(as_approval(grant), catalog.routes, catalog.users, person, services.clock.now_ms())


def _wish(request: GrantRequest, now_ms: int) -> Wish:
    return Wish(
        GrantScope(request.scope),
        None if request.for_s is None else now_ms + int(request.for_s * 1000),
        request.uses,
        tuple(Constraint(constraint.name, Bound(constraint.bound), constraint.value) for constraint in request.where),
        request.terms,
    )


async def _answer(services: Services, grant: Grant) -> GrantAnswer:
    covered, looked = await _last_week(services, grant.terms)
    answer = CoveredAnswer(of=looked, count=len(covered), approvals=covered[:SHOWN_MAX])
    return (await _view(services, grant)).model_copy(update={"last_week": answer})


async def _last_week(services: Services, terms: GrantTerms) -> tuple[list[str], int]:
    """The asks of the last week that `terms` would have spared people, and how many there were."""
    since_ms = services.clock.now_ms() - WEEK_MS
    covered: list[str] = []
    count = 0
    for approval in await services.ledger.approvals(open_only=False, limit=LOOKED_MAX):
        if approval.opened_ms < since_ms:
            break
        count += 1
        if await _covers(services, terms, approval):
            covered.append(approval.ident)
    return covered, count


async def _covers(services: Services, terms: GrantTerms, approval: Approval) -> bool:
    if (approval.server, approval.user) != (terms.server, terms.user):
        return False
    entry = await services.ledger.entry(Ref.parse(approval.ident))
    body = None if entry is None else entry.body
    reached = services.driver.grants.reached_of(body) if isinstance(body, ActionBody) else None
    return isinstance(body, ActionBody) and reached is not None and covers(terms, body, reached)


async def _ended(services: Services, grant: Grant) -> str | None:
    """Why `grant` lifts nothing; None where it does."""
    ended = grant.spent(services.clock.now_ms())
    if ended is not None or not grant.ident:
        return ended
    if grant.terms.scope is GrantScope.SESSION:
        session = await services.ledger.session(grant.terms.sid)
        if session is not None and session.ended_ms is not None:
            return "its session has ended"
    return None if services.driver.grants.holds(grant) else UNFILLED


async def _view(services: Services, grant: Grant) -> GrantAnswer:
    terms, ended = grant.terms, await _ended(services, grant)
    if terms.kind != "call_tool":
        raise Problem(500, "a grant for something else than a tool", why=terms.kind)
    return GrantAnswer(
        id=grant.ident,
        approval=terms.approval,
        terms=terms.digest,
        scope=terms.scope.value,
        agents=list(terms.agents),
        user=terms.user,
        sid=terms.sid if terms.scope is GrantScope.SESSION else None,
        tool=f"{terms.server}/{terms.name}",
        gates=[gate.policy for gate in terms.gates],
        given=instant(grant.given_ms),
        by=[vote.by for vote in grant.votes],
        expires=instant(terms.expires_ms),
        uses=grant.uses,
        uses_max=terms.uses_max,
        revoked_by=grant.revoked_by,
        ended=ended,
        values=[f"{name}={value}" for name, value in sorted(terms.values)],
        results=sorted({call for _, call in terms.sources}),
        carried=sorted(terms.carried),
        measures=dict(terms.measures),
        where=[
            ConstraintAnswer(name=one.name, bound=one.bound.value, value=cast("JsonValue", one.value))
            for one in terms.constraints
        ],
    )

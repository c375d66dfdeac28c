"""Routes of halts: who answers for agents stops what acts; who is not concerned lets it act again."""

from typing import Final

from fastapi import APIRouter

from remit.api.access import caller_name
from remit.api.answers_halts import HaltAnswer, HaltedAnswer, HaltsAnswer, ResumedAnswer
from remit.api.authenticator import Admin, Person
from remit.api.concern import decides
from remit.api.guard import ByReader, GuardedRoute, With
from remit.api.missing_resource import near_resource
from remit.api.problem import Problem, forbidden, not_found
from remit.api.requests import HaltRequest, StopRequest
from remit.api.services import Services
from remit.api.views import instant
from remit.control.tables import kind_named
from remit.facts.record import Receipt
from remit.facts.stop import Stop, StopKind, StopScope, StopTarget, typed
from remit.facts.text import escaped
from remit.facts.uri import uri_problem
from remit.pdp.stops import names_of, runs

_SHOWN_MAX: Final = 120
router = APIRouter(route_class=GuardedRoute, tags=["halts"])


@router.get("/halts")
async def list_halts(services: With, caller: ByReader) -> HaltsAnswer:
    """What is stopped, the oldest first; before all where what was left for the service cannot be read."""
    del caller
    unread, stops = services.driver.halts.unread, services.driver.halts.stops
    return HaltsAnswer(items=[_view(stop) for stop in (*(() if unread is None else (unread,)), *stops)])


@router.post("/halts", status_code=201)
async def halt(request: HaltRequest, services: With, caller: ByReader) -> HaltedAnswer:
    """Stop something at once, or with `drill` see what that would cut off."""
    what = await _subject(services, request)
    started_s = services.clock.monotonic_s()
    act = (
        services.driver.halts.drill(what, caller_name(caller))
        if request.drill
        else _halt(services, what, caller, request)
    )
    receipt, cut = await act
    took_ms = round((services.clock.monotonic_s() - started_s) * 1000, 3)
    stands = None if request.drill else _standing_stop(services, what)
    return HaltedAnswer(
        kind=request.kind,
        name=request.name,
        stays=None if stands is None or stands.by == caller_name(caller) else stands.by,
        drill=request.drill,
        record=str(receipt.ref),
        cut=list(cut),
        ms=took_ms,
    )


@router.post("/halts/resume")
async def resume(request: StopRequest, services: With, caller: ByReader) -> ResumedAnswer:
    """Let what was stopped act again."""
    what = (StopKind(request.kind), request.name)
    stop = _standing_stop(services, what)
    if stop is None:
        return ResumedAnswer(kind=request.kind, name=request.name, record=None)
    if (refused := await _not_his(services, caller, stop)) is not None:
        raise refused
    receipt = await services.driver.halts.resume(what, caller_name(caller), stop)
    if receipt is None and (anew := _standing_stop(services, what)) is not None:
        # Somebody stopped it while this was asked for: he was told that it is.
        raise Problem(409, "it was stopped once more meanwhile", why=str(anew), next=f"remit resume {typed(what)}")
    return ResumedAnswer(kind=request.kind, name=request.name, record=None if receipt is None else str(receipt.ref))


async def _not_his(services: Services, caller: Admin | Person, stop: Stop) -> Problem | None:
    """Why `caller` does not let act again what `stop` is over; None where he may.

    The admin may, and whoever stopped it. Of others, those who decide on some route: but nobody what acts for him, or
    is his own, and so would undo a no that he was told.
    """
    catalog = services.runtime.catalog
    if not isinstance(caller, Person):
        return None
    his = set(names_of(catalog, caller.user))
    if stop.by.removeprefix("user:") in his:
        return None
    session = await services.ledger.session(stop.name) if stop.kind is StopKind.SESSION else None
    agent = catalog.agents.get(stop.name if session is None else session.agent)
    following = "ask whoever stopped it, or the admin"
    if session is not None and session.user in his:
        return forbidden(f"it acts for you, and was stopped by {stop.by}", following)
    if stop.kind in {StopKind.AGENT, StopKind.SESSION} and agent is not None and agent.owner in his:
        return forbidden(f"it is yours, and was stopped by {stop.by}", following)
    if not decides(services, caller):
        return forbidden(f"it was stopped by {stop.by}, and you decide on no route", following)
    return None


async def _halt(
    services: Services, what: StopTarget, caller: Admin | Person, request: HaltRequest
) -> tuple[Receipt, list[str]]:
    why, holds = request.why, StopScope(request.holds)
    if why is None:
        raise Problem(
            400, "a halt says why", why="whoever is stopped, and whoever resumes, reads it", next="--why TEXT"
        )
    standing = _standing_stop(services, what)
    if standing is not None and holds is not StopScope.ALL and standing.scope is not holds:
        # To quarantine it so would let it do a part of what it was stopped from.
        following = f"remit resume {typed(what)}, or halt it"
        raise Problem(409, "it is stopped from something else", why=str(standing), next=following)
    over = await _taken_over(services, caller, standing)
    receipt, cut = await services.driver.halts.halt(what, caller_name(caller), why, holds, over)
    return receipt, list(cut)


async def stop_asking(services: Services, caller: Person, ident: str, reason: str, note: str | None) -> None:
    """Stop the session that asked for the approval `ident`, with all that was delegated from it."""
    what = (StopKind.SESSION, await services.driver.approvals.session_asked(ident))
    over = await _taken_over(services, caller, _standing_stop(services, what))
    by = services.runtime.catalog.users[caller.user]
    await services.driver.halts.stop_session(ident, by, reason, note, over)


def _standing_stop(services: Services, what: StopTarget) -> Stop | None:
    return next(iter(services.driver.halts.over([what])), None)


async def _taken_over(services: Services, caller: Admin | Person, before: Stop | None) -> Stop | None:
    """`before`, where `caller` could let it act again: else to stop it once more would make it a stop of his own."""
    return before if before is not None and await _not_his(services, caller, before) is None else None


async def _subject(services: Services, request: HaltRequest) -> StopTarget:
    """What is asked for; 404 for a name that nobody has: a misspelt halt would stop nothing and look as if it had."""
    over, name = StopKind(request.kind), request.name
    if (over is StopKind.EVERYTHING) is bool(name):
        following = _listing(over)
        if name:
            following = f"remit {'halt' if request.holds == StopScope.ALL else 'quarantine'} everything --why TEXT"
        why = f"{over.value} takes {'no' if name else 'a'} name"
        raise Problem(400, "not something to halt", why=why, next=following)
    catalog = services.runtime.catalog
    exists = runs(catalog, (over, name))
    if exists is None:
        exists = await services.ledger.session(name) is not None
    if exists and over is StopKind.RESOURCE:
        uri = name.partition("/")[2]
        problem = uri_problem(uri)
        if problem is not None:
            why = f"{escaped(uri, chars_max=_SHOWN_MAX)} can be read in more than one way, and is never read: {problem}"
            raise Problem(400, "not something to halt", why=why, next="name it as the ledger does: remit logs")
    if not exists:
        kind = kind_named(over.value)
        near = "" if kind is None else near_resource(services, kind, name)
        raise not_found(f"{over.value}: {name}", _listing(over), near=near)
    return over, name


def _listing(over: StopKind) -> str:
    """The command that lists what a stop of that kind may name."""
    kind = StopKind.SERVER if over is StopKind.RESOURCE else over
    return "remit sessions ls" if over is StopKind.SESSION else f"remit get {kind.value}s"


def _view(stop: Stop) -> HaltAnswer:
    return HaltAnswer(
        kind=stop.kind.value,
        name=stop.name,
        holds=stop.scope.value,
        by=stop.by,
        since=instant(stop.at_ms),
        why=stop.reason,
    )

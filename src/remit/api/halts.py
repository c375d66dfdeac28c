"""Routes of halts: who answers for agents stops what acts; who is not stopped by it himself lets it act again."""

from fastapi import APIRouter

from remit.api.access import named
from remit.api.answers_halts import HaltAnswer, HaltedAnswer, HaltsAnswer, ResumedAnswer
from remit.api.authenticator import Admin, Person
from remit.api.guard import ByReader, GuardedRoute, With
from remit.api.problem import Problem, forbidden, not_found
from remit.api.requests import HaltRequest, StopRequest
from remit.api.services import Services
from remit.api.views import instant
from remit.facts.record import Receipt
from remit.facts.stop import Holds, Over, Stop, Stopped, subject
from remit.pdp.stopping import of_user

router = APIRouter(route_class=GuardedRoute, tags=["halts"])


@router.get("/halts")
async def list_halts(services: With, caller: ByReader) -> HaltsAnswer:
    """What is stopped, the oldest first."""
    del caller
    return HaltsAnswer(items=[_view(stop) for stop in services.driver.stops])


@router.post("/halts", status_code=201)
async def halt(asked: HaltRequest, services: With, caller: ByReader) -> HaltedAnswer:
    """Stop something at once, or with `drill` see what that would cut off."""
    what = await _known(services, asked)
    started_s = services.clock.monotonic_s()
    act = services.driver.drill(what, named(caller)) if asked.drill else _halt(services, what, caller, asked)
    receipt, cut = await act
    took_ms = round((services.clock.monotonic_s() - started_s) * 1000, 3)
    return HaltedAnswer(
        kind=asked.kind, name=asked.name, drill=asked.drill, record=str(receipt.ref), cut=list(cut), ms=took_ms
    )


@router.post("/halts/resume")
async def resume(asked: StopRequest, services: With, caller: ByReader) -> ResumedAnswer:
    """Let what was stopped act again."""
    what = (Over(asked.kind), asked.name)
    if isinstance(caller, Person):
        may_decide(services, caller)
    stopped = next((stop for stop in services.driver.stops if stop.what == what), None)
    if stopped is not None:
        await _may_resume(services, caller, stopped)
    else:
        return ResumedAnswer(kind=asked.kind, name=asked.name, record=None)
    receipt = await services.driver.resume_halted(what, named(caller))
    return ResumedAnswer(kind=asked.kind, name=asked.name, record=str(receipt.ref))


async def _may_resume(services: Services, caller: Admin | Person, stop: Stop) -> None:
    """Raise 403 for the person in whose name a session acts that somebody else stopped: he asked, and was told no."""
    session = await services.ledger.session(stop.name) if stop.over is Over.SESSION else None
    if session is None or session.user is None or not isinstance(caller, Person):
        return
    users = services.runtime.catalog.users
    his = {name for name, user in users.items() if user.who == users[caller.user].who}
    if session.user in his and stop.by.removeprefix("user:") not in his:
        raise forbidden(f"it acts for you, and was stopped by {stop.by}", "ask whoever stopped it, or the admin")


async def _halt(
    services: Services, what: Stopped, caller: Admin | Person, asked: HaltRequest
) -> tuple[Receipt, list[str]]:
    why, holds = asked.why, Holds(asked.holds)
    if why is None:
        raise Problem(
            400, "a halt says why", why="whoever is stopped, and whoever resumes, reads it", next="--why TEXT"
        )
    for stop in services.driver.stops:
        if stop.what == what and holds is not Holds.ALL and stop.holds is not holds:
            # To quarantine it so would let it do a part of what it was stopped from.
            following = f"remit resume {subject(what).replace(':', ' ', 1)}, or halt it"
            raise Problem(409, "it is stopped from something else", why=str(stop), next=following)
    receipt, cut = await services.driver.halt(what, named(caller), why, holds)
    return receipt, list(cut)


async def _known(services: Services, asked: StopRequest) -> Stopped:
    """What is asked for; 404 for a name that nobody has: a misspelt halt would stop nothing and look as if it had."""
    over, name = Over(asked.kind), asked.name
    if (over is Over.EVERYTHING) is bool(name):
        raise Problem(400, "not something to halt", why=f"{over.value} takes {'no' if name else 'a'} name", next="")
    catalog = services.runtime.catalog
    match over:
        case Over.EVERYTHING:
            known = True
        case Over.SESSION:
            known = await services.ledger.session(name) is not None
        case Over.AGENT:
            known = name in catalog.agents
        case Over.USER:
            known = name in catalog.users
        case Over.GROUP:
            known = name in catalog.groups
        case Over.SERVER:
            known = name in catalog.servers
        case Over.TOOL:
            server, _, tool = name.partition("/")
            known = (server, tool) in catalog.tools
    if not known:
        following = "remit sessions ls" if over is Over.SESSION else f"remit get {over.value}s"
        raise not_found(f"{over.value}: {name}", following)
    return over, name


def may_decide(services: Services, caller: Person) -> None:
    """Raise 403 while a person is stopped himself: a stolen token lifts nothing. Refusing and stopping stay his."""
    own = set(of_user(services.runtime.catalog, caller.user))
    for stop in services.driver.stops:
        if stop.what in own:
            raise forbidden(str(stop), "ask somebody else, or use the admin token to resume")


def _view(stop: Stop) -> HaltAnswer:
    return HaltAnswer(
        kind=stop.over.value,
        name=stop.name,
        holds=stop.holds.value,
        by=stop.by,
        since=instant(stop.at_ms),
        why=stop.reason,
    )

"""Routes of breakers: which are not closed and why, and closing one, which is a decision on record."""

from typing import Final

from fastapi import APIRouter

from remit.api.access import caller_name
from remit.api.answers_breakers import BreakerAnswer, BreakerResetAnswer, BreakersAnswer, PastTripAnswer
from remit.api.guard import ByAdmin, ByReader, GuardedRoute, With
from remit.api.missing_resource import missing_resource
from remit.api.moments import instant
from remit.api.problem import Problem
from remit.api.requests import BoundRequest, NamePath
from remit.api.services import Services
from remit.control.resources import ResourceKind
from remit.facts.breaker import Trip, name_of, whose
from remit.facts.durations import DAY_MS
from remit.facts.record import Ref
from remit.trace.bodies import AdminBody, Event

PAST_DAYS: Final = 7
PAST_MAX: Final = 100
"""How far back past trips are looked for, and how many are told."""
_MOVES: Final = frozenset({Event.BREAKER_TRIPPED, Event.BREAKER_CLOSED})

router = APIRouter(route_class=GuardedRoute, tags=["breakers"])


@router.get("/breakers")
async def list_breakers(services: With, _: ByReader, *, past: bool = False) -> BreakersAnswer:
    """The breakers of the running bundle that are open or half-open, and why; with `past`, the last trips."""
    return BreakersAnswer(
        items=[
            BreakerAnswer(
                name=breaker.name,
                whose=whose(key),
                state=state.value,
                left_s=round(left_s, 1),
                tripped=instant(trip.at_ms),
                why=trip.text,
                records=trip.records,
            )
            for breaker, key, state, left_s, trip in services.driver.limit_admin.open_breakers
        ],
        past=await _past(services) if past else None,
    )


async def _past(services: Services) -> list[PastTripAnswer]:
    """The last trips of any breaker, each with what came next for the same key where that closed it."""
    since_ms = services.clock.now_ms() - PAST_DAYS * DAY_MS
    closed: dict[str, tuple[int, str] | None] = {}
    trips: list[PastTripAnswer] = []
    for entry in await services.runtime.events_since(_MOVES, since_ms, 2 * PAST_MAX):
        match entry.body:
            case AdminBody(Event.BREAKER_TRIPPED, subject=key, data=data):
                at_ms, by = closed.get(key) or (None, None)
                closed[key] = None
                trip = Trip(entry.record.at, data)
                trips.append(
                    PastTripAnswer(
                        id=str(Ref(entry.record.chain, entry.record.seq)),
                        name=name_of(key),
                        whose=whose(key),
                        tripped=instant(trip.at_ms),
                        closed=None if at_ms is None else instant(at_ms),
                        by=by,
                        why=trip.text,
                        records=trip.records,
                    )
                )
            case AdminBody(by=by, subject=key):
                closed[key] = entry.record.at, by
            case _:
                pass
    return trips[:PAST_MAX]


@router.post("/breakers/{name}/reset")
async def reset(name: NamePath, request: BoundRequest, services: With, caller: ByAdmin) -> BreakerResetAnswer:
    """Close a breaker: over all that it is open for, or over whom `whose` names."""
    if name not in services.runtime.catalog.breakers:
        raise await missing_resource(services, ResourceKind.BREAKER, name)
    keys = [key for breaker, key, *_ in services.driver.limit_admin.open_breakers if breaker.name == name]
    chosen = [key for key in keys if request.whose in {None, whose(key)}]
    if not chosen:
        over = ", ".join(map(whose, keys)) or "nobody"
        raise Problem(404, "nothing was reset", why=f"{name} is open over {over}", next="remit breakers ls")
    receipts = [
        await services.driver.limit_admin.reset_breaker(key, caller_name(caller), request.why) for key in chosen
    ]
    return BreakerResetAnswer(
        breaker=name, reset=[whose(key) for key in chosen], records=[str(receipt.ref) for receipt in receipts]
    )

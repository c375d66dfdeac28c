"""Routes of breakers: which are not closed and why, and closing one, which is a decision on record."""

from fastapi import APIRouter

from remit.api.access import named
from remit.api.answers_breakers import BreakerAnswer, BreakerResetAnswer, BreakersAnswer
from remit.api.guard import ByAdmin, ByReader, GuardedRoute, With
from remit.api.moments import instant
from remit.api.problem import Problem, not_found
from remit.api.requests import BoundRequest, NamePath
from remit.facts.breaker import whose

router = APIRouter(route_class=GuardedRoute, tags=["breakers"])


@router.get("/breakers")
async def list_breakers(services: With, _: ByReader) -> BreakersAnswer:
    """The breakers of the running bundle that are open or half-open, with their evidence."""
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
            for breaker, key, state, left_s, trip in services.driver.limit_admin.tripped
        ]
    )


@router.post("/breakers/{name}/reset")
async def reset(name: NamePath, asked: BoundRequest, services: With, caller: ByAdmin) -> BreakerResetAnswer:
    """Close a breaker: over all that it is open for, or over whom `whose` names."""
    if name not in services.runtime.catalog.breakers:
        raise not_found(f"breaker in the running bundle: {name}", "remit get breakers")
    keys = [key for breaker, key, *_ in services.driver.limit_admin.tripped if breaker.name == name]
    chosen = [key for key in keys if asked.whose in {None, whose(key)}]
    if not chosen:
        over = ", ".join(map(whose, keys)) or "nobody"
        raise Problem(404, "nothing was reset", why=f"{name} is open over {over}", next="remit breakers ls")
    receipts = [await services.driver.limit_admin.reset_breaker(key, named(caller), asked.why) for key in chosen]
    return BreakerResetAnswer(
        breaker=name, reset=[whose(key) for key in chosen], records=[str(one.ref) for one in receipts]
    )

"""Routes of guarantees: the owner's word on what breaks one; and what monitors and guarantees say now."""

from collections.abc import Mapping
from typing import cast

from fastapi import APIRouter
from pydantic import JsonValue

from remit.api.answers_guarantees import SignedOffAnswer
from remit.api.guard import ByPerson, GuardedRoute, With
from remit.api.moments import instant
from remit.api.problem import forbidden, not_found
from remit.api.requests import NamePath, SignOffRequest
from remit.api.services import RunningResource, Services
from remit.control.resources import ResourceKind
from remit.facts.guarantee import Guarantee, Rate
from remit.facts.mark import FLEET
from remit.facts.monitor import EventAggregate, Monitor, MonitorScope
from remit.pdp.guarantees import breach_digest
from remit.trace.bodies import AdminBody, Event

router = APIRouter(route_class=GuardedRoute, tags=["guarantees"])


@router.post("/guarantees/{name}/sign-off", status_code=201)
async def sign_off(name: NamePath, request: SignOffRequest, services: With, caller: ByPerson) -> SignedOffAnswer:
    """Have a bundle run that breaks the guarantee by its scopes, as `breach` names it; it is held all the same."""
    owner = await services.runtime.answers_for(name)
    if owner is None:
        raise not_found(
            f"guarantee, neither running nor in the workspace: {name}", "remit diff, or: remit get guarantees"
        )
    if owner != caller.user:
        again = f"as {owner}: remit guarantees sign-off {name} {request.breach} --why TEXT"
        raise forbidden(f"{owner} answers for the guarantee {name}, and not {caller.user}", again)
    data = {"breach": request.breach, "why": request.why}
    receipt = await services.driver.authorization.record(AdminBody(Event.GUARANTEE_SIGNED, caller.user, name, data))
    return SignedOffAnswer(guarantee=name, breach=request.breach, by=caller.user, record=str(receipt.ref))


def with_past(services: Services, item: RunningResource, manifest: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """`manifest` of `item`; that of a monitor or guarantee says in `status` how it is now."""
    catalog = services.runtime.catalog
    status: dict[str, JsonValue] | None = None
    if manifest.get("kind") == ResourceKind.MONITOR.value and (monitor := catalog.monitors.get(item.name)) is not None:
        status = _monitor_state(services, monitor)
    if (
        manifest.get("kind") == ResourceKind.GUARANTEE.value
        and (guarantee := catalog.guarantees.get(item.name)) is not None
    ):
        status = _guarantee_state(services, guarantee)
    return manifest if status is None else {**manifest, "status": status}


def _monitor_state(services: Services, monitor: Monitor) -> dict[str, JsonValue]:
    """What it says where it says one thing of all; else of how many sessions or values something is kept."""
    if monitor.scope is MonitorScope.FLEET and monitor.by is None:
        now_ms, past = services.clock.now_ms(), services.driver.authorization.guarantees.past
        cell = past.cell(monitor.cells(), FLEET, "", now_ms)
        if cell is None:
            return {}
        if monitor.op is EventAggregate.PREVIOUS:
            who = cell.last(monitor.window, now_ms)
            return {"says": None if who is None else who[0]}
        total = cell.total(monitor.window, now_ms)
        return {"says": total > 0 if monitor.op in {EventAggregate.ONCE, EventAggregate.SINCE} else total}
    return {"kept": services.driver.authorization.guarantees.past.count(monitor.ident)}


def _guarantee_state(services: Services, guarantee: Guarantee) -> dict[str, JsonValue]:
    """Whether scopes show it to be broken, who signed that off, and what was denied because of it."""
    breaches = services.runtime.breaches()
    broken = [breach for breach in breaches if breach.guarantee == guarantee.name]
    digest = breach_digest(guarantee, breaches)
    sign_off = services.driver.authorization.guarantees.sign_offs.get(digest) if broken else None
    denied = services.driver.authorization.guarantees.denied_by(guarantee.name)
    status: dict[str, JsonValue] = {
        "state": "held" if not broken else "signed off" if sign_off is not None else "broken",
        "holds": guarantee.kind,
        "denied": cast("list[JsonValue]", list(denied)),
        "breaches": [breach.text for breach in broken],
    }
    if broken:
        status["breach"] = digest
    if sign_off is not None:
        status["signed_off"] = {"by": sign_off.by, "at": instant(sign_off.at_ms), "why": sign_off.why}
    rule = guarantee.rule
    if isinstance(rule, Rate) and rule.scope is MonitorScope.FLEET:
        status["counted"] = _rate_count(services, guarantee)
    return status


def _rate_count(services: Services, guarantee: Guarantee) -> int:
    now_ms, cells = services.clock.now_ms(), guarantee.cells()
    cell = services.driver.authorization.guarantees.past.cell(cells, FLEET, "", now_ms)
    return 0 if cell is None else cell.total(cells.window, now_ms)

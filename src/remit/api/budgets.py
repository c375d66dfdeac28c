"""Routes of budgets: what is spent of each, and having an account begin anew, which is a decision on record."""

from collections.abc import Mapping
from typing import cast

from fastapi import APIRouter
from pydantic import JsonValue

from remit.api.access import caller_name
from remit.api.answers_budgets import BudgetResetAnswer
from remit.api.guard import ByAdmin, GuardedRoute, With
from remit.api.missing_resource import missing_resource
from remit.api.moments import instant
from remit.api.problem import Problem
from remit.api.requests import BoundRequest, NamePath
from remit.api.services import RunningResource, Services
from remit.control.resources import ResourceKind
from remit.facts.budget import Balance, Budget, whose

router = APIRouter(route_class=GuardedRoute, tags=["budgets"])
ACCOUNTS_MAX = 100
"""How many accounts of a budget are told, those of which the most is spent."""
SAID_MAX = 10
"""How many of them in a sentence."""


@router.post("/budgets/{name}/reset")
async def reset(name: NamePath, request: BoundRequest, services: With, caller: ByAdmin) -> BudgetResetAnswer:
    """Have accounts of a budget begin anew: all, or that of whom `whose` names, as `describe` tells it."""
    budget = services.runtime.catalog.budgets.get(name)
    if budget is None:
        raise await missing_resource(services, ResourceKind.BUDGET, name)
    live = _live(budget, services.driver.limit_admin.accounts, services.clock.now_ms())
    spenders = {account: whose(account) for account, balance in live if balance.units}
    chosen = [account for account, names in spenders.items() if request.whose in {None, names}]
    if not chosen:
        names = list(spenders.values())
        by = (
            f" by {request.whose}, but by {', '.join(names[:SAID_MAX])}{', …' if names[SAID_MAX:] else ''}"
            if names
            else ""
        )
        raise Problem(
            404, "nothing was reset", why=f"nothing is spent of {name}{by}", next=f"remit budgets show {name}"
        )
    receipts = [
        await services.driver.limit_admin.reset_account(one, caller_name(caller), request.why) for one in chosen
    ]
    return BudgetResetAnswer(
        budget=name, reset=[spenders[one] for one in chosen], records=[str(one.ref) for one in receipts]
    )


def with_spending(services: Services, item: RunningResource) -> Mapping[str, JsonValue]:
    """The manifest of `item`; that of a budget says what is spent of it."""
    manifest = cast("Mapping[str, JsonValue]", item.manifest)
    budget = (
        services.runtime.catalog.budgets.get(item.name) if manifest.get("kind") == ResourceKind.BUDGET.value else None
    )
    if budget is None:
        return manifest
    live = _live(budget, services.driver.limit_admin.accounts, services.clock.now_ms())
    most = live[0][1].units if live else 0
    status: dict[str, JsonValue] = {
        "accounts": [
            {
                "whose": whose(account),
                "spent": budget.text_of(balance.units),
                "left": budget.text_of(max(0, budget.hard - balance.units)),
                "since": instant(balance.since_ms),
                "until": instant(budget.until_ms(balance.since_ms)),
            }
            for account, balance in live[:ACCOUNTS_MAX]
        ],
        "most_used": f"{budget.text_of(most)} of {budget.text_of(budget.hard)}",
    }
    return {**manifest, "status": status}


def _live(budget: Budget, balances: Mapping[str, Balance], now_ms: int) -> list[tuple[str, Balance]]:
    """What was spent of `budget` by account, the most first; under another measure or window it was another one's."""
    prefix = budget.account("")
    live = [one for one in balances.items() if one[0].startswith(prefix) and budget.until_ms(one[1].since_ms) > now_ms]
    return sorted(live, key=lambda one: -one[1].units)

"""Routes of budgets: what is spent of each, and having an account begin anew, which is a decision on record."""

from collections.abc import Mapping
from typing import cast

from fastapi import APIRouter
from pydantic import JsonValue

from remit.api.access import named
from remit.api.answers_budgets import BudgetResetAnswer
from remit.api.guard import ByAdmin, GuardedRoute, With
from remit.api.moments import instant
from remit.api.problem import not_found
from remit.api.requests import BoundRequest, NamePath
from remit.api.services import Resource, Services
from remit.control.resources import Kind
from remit.facts.budget import Balance, Budget, whose

router = APIRouter(route_class=GuardedRoute, tags=["budgets"])
ACCOUNTS_MAX = 100
"""How many accounts of a budget are told, those of which the most is spent."""


@router.post("/budgets/{name}/reset")
async def reset(name: NamePath, asked: BoundRequest, services: With, caller: ByAdmin) -> BudgetResetAnswer:
    """Have accounts of a budget begin anew: all, or that of whom `whose` names, as `describe` tells it."""
    budget = services.runtime.catalog.budgets.get(name)
    if budget is None:
        raise not_found(f"budget in the running bundle: {name}", "remit get budgets")
    held = {account: whose(account) for account in _accounts(budget, services.driver.accounts)}
    chosen = [account for account, who in held.items() if asked.whose in {None, who}]
    if not chosen and asked.whose is not None:
        raise not_found(f"account of {name}: {asked.whose}", f"remit describe budget {name}")
    receipts = [await services.driver.reset_account(one, named(caller), asked.why) for one in chosen]
    return BudgetResetAnswer(
        budget=name, reset=[held[one] for one in chosen], records=[str(one.ref) for one in receipts]
    )


def with_spending(services: Services, item: Resource) -> Mapping[str, JsonValue]:
    """The manifest of `item`; that of a budget says what is spent of it."""
    manifest = cast("Mapping[str, JsonValue]", item.manifest)
    budget = services.runtime.catalog.budgets.get(item.name) if manifest.get("kind") == Kind.BUDGET.value else None
    if budget is None:
        return manifest
    now_ms = services.clock.now_ms()
    found = [(account, held) for account, held in _accounts(budget, services.driver.accounts).items()]
    live = sorted(
        ((account, held) for account, held in found if now_ms < held.since_ms + budget.window_s * 1000),
        key=lambda one: -one[1].units,
    )
    most = live[0][1].units if live else 0
    status: dict[str, JsonValue] = {
        "accounts": [
            {
                "whose": whose(account),
                "spent": budget.said(held.units),
                "left": budget.said(max(0, budget.hard - held.units)),
                "since": instant(held.since_ms),
                "until": instant(held.since_ms + budget.window_s * 1000),
            }
            for account, held in live[:ACCOUNTS_MAX]
        ],
        "most_used": f"{budget.said(most)} of {budget.said(budget.hard)}",
    }
    return {**manifest, "status": status}


def _accounts(budget: Budget, known: Mapping[str, Balance]) -> dict[str, Balance]:
    """What was spent of `budget`, by account; under another measure or window it was another one's."""
    prefix = budget.account("")
    return {account: held for account, held in known.items() if account.startswith(prefix)}

"""What a budget or breaker that had a say is, how it stands now, and what a person may do about it."""

from collections.abc import Iterator, Mapping
from typing import Final, cast

from pydantic import JsonValue

from remit.api.answers_recorded import LimitAnswer
from remit.api.moments import instant
from remit.api.services import Services
from remit.control.resources import ResourceKind
from remit.facts.breaker import Breaker, BreakerState, BreakerSubject, alone
from remit.facts.breaker import whose as rests
from remit.facts.budget import Budget
from remit.facts.budget import whose as spends
from remit.protect.budgets import Spender, accounts_of
from remit.trace.bodies import ActionBody

_KINDS: Final[Mapping[str, ResourceKind]] = {"budget": ResourceKind.BUDGET, "breaker": ResourceKind.BREAKER}
_GONE: Final = "it is declared no more"


def limits_of(body: ActionBody) -> list[str]:
    """The budgets and breakers that gave reasons: `budget:refunds`, each once."""
    policies = (reason.policy for reason in body.reasons if reason.policy is not None)
    return list(dict.fromkeys(policy for policy in policies if policy.partition(":")[0] in _KINDS))


def limits(services: Services, bundle: str, body: ActionBody) -> list[LimitAnswer]:
    """The budgets and breakers that had a say in `body`, a record of the bundle with that digest."""
    return [_limit(services, bundle, body, limit) for limit in limits_of(body)]


def _limit(services: Services, bundle: str, body: ActionBody, ident: str) -> LimitAnswer:
    noun, _, name = ident.partition(":")
    kind, catalog = _KINDS[noun], services.runtime.catalog
    budget, breaker = catalog.budgets.get(name), catalog.breakers.get(name)
    now = [_GONE]
    if kind is ResourceKind.BUDGET and budget is not None:
        now = list(_spent(services, budget, body))
    elif kind is ResourceKind.BREAKER and breaker is not None:
        now = list(_resting(services, breaker, body)) or ["closed: it keeps nothing of this from being done"]
    declared = services.runtime.declaration(bundle, kind, name)
    return LimitAnswer(
        id=ident,
        declared=None if declared is None else cast("dict[str, JsonValue]", dict(declared)),
        now=now,
        next=f"remit {noun}s show {name}; the admin ends it before its time: remit {noun}s reset {name} --why TEXT",
    )


def _spent(services: Services, budget: Budget, body: ActionBody) -> Iterator[str]:
    """What is left now to those whose accounts `body` drew on."""
    now_ms, balances = services.clock.now_ms(), services.driver.limit_admin.accounts
    spender = Spender(tuple(agent for agent, _ in body.links), body.user, f"{body.server}/{body.name}")
    for account in accounts_of(services.runtime.catalog, budget, spender):
        balance = balances.get(account)
        since_ms = now_ms - now_ms % budget.window_ms
        spent = 0
        if balance is not None and balance.since_ms >= since_ms:
            since_ms, spent = balance
        left, hard = budget.text_of(max(0, budget.hard - spent)), budget.text_of(budget.hard)
        yield f"{spends(account)} has {left} of {hard} left until {instant(budget.until_ms(since_ms))}"


def _resting(services: Services, breaker: Breaker, body: ActionBody) -> Iterator[str]:
    """How `breaker` stands now over what `body` is of."""
    agents = [agent for agent, _ in body.links]
    over = {
        BreakerSubject.AGENT: agents,
        BreakerSubject.SERVER: [body.server],
        BreakerSubject.TOOL: [f"{body.server}/{body.name}"],
    }[breaker.subject]
    keys = {breaker.key(name) for name in over}
    keys |= {alone(key, agents[0]) for key in keys} if breaker.subject is not BreakerSubject.AGENT and agents else set()
    for _, key, state, left_s, trip in services.driver.limit_admin.open_breakers:
        if key in keys and state is BreakerState.OPEN:
            until = instant(services.clock.now_ms() + round(left_s * 1000))
            yield f"open for {rests(key)} until {until}, then a trial may pass: {trip.text}"
        elif key in keys:
            yield f"half-open for {rests(key)}, what passes next is a trial: {trip.text}"

"""Budgets: which an action draws on, what of them is spent, and why one does not allow it.

What an action takes is reserved by its intent, in the very step that judges it; the record of its end gives back what
it did not take. An intent without an end has spent what it reserved.
INVARIANT(budget-never-overspent)
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, assert_never

from remit.facts.action import Action, ActionKind
from remit.facts.budget import Balance, Budget, Charge, Draw, Measure, Per, charged, refunded, tokens
from remit.facts.catalog import Catalog
from remit.facts.impact import Impact
from remit.facts.moment import instant
from remit.facts.tool import Effect, Tool

_CALL: Final = ActionKind.CALL_TOOL
_READING_KINDS: Final = frozenset({ActionKind.READ_RESOURCE, ActionKind.GET_PROMPT})
_COUNTED_MEASURES: Final = frozenset({Measure.CALLS, Measure.IRREVERSIBLE})
_MEASURES_OF_READING: Final = frozenset({Measure.CALLS, Measure.TOKENS})
"""What is spent by reading a resource and getting a prompt too."""
_FOUND_MAX: Final = 20_000

DrawnAccounts: TypeAlias = tuple[tuple[Budget, str, bool], ...]
"""Budgets, the accounts of theirs that an action draws on, and whether it is one that counts."""


class Spender(NamedTuple):
    """Who does something, as far as budgets ask: the agents of a chain, for `user`, at `tool` (`SERVER/TOOL`)."""

    agents: tuple[str, ...]
    user: str | None
    tool: str


@dataclass(slots=True)
class Accounts:
    """What was spent, by account: a fold of the ledger. Changed by what is recorded, and by nothing else."""

    balances: dict[str, Balance] = field(default_factory=dict[str, Balance])

    def charge(self, account: str, since_ms: int, units: int) -> Balance:
        """Take `units`; the account as it is then."""
        balance = self.balances[account] = charged(self.balances.get(account), since_ms, units)
        return balance

    def refund(self, account: str, since_ms: int, units: int) -> Balance | None:
        """Give `units` back; the account as it is then, None where nothing of it is known."""
        balance = refunded(self.balances.get(account), since_ms, units)
        if balance is not None:
            self.balances[account] = balance
        return balance

    def begin(self, account: str, since_ms: int | None) -> Balance | None:
        """Have it begin anew at `since_ms`; the account as it is then, None where nothing of it is known any more."""
        if since_ms is None:
            self.balances.pop(account, None)
            return None
        balance = self.balances[account] = Balance(since_ms, 0)
        return balance


class BudgetIndex:
    """The budgets of one catalog, found by what an action is."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._budgets = tuple(catalog.budgets.values())
        self._cache: dict[tuple[object, ...], DrawnAccounts] = {}

    def draws(
        self, action: Action, tool: Tool | None, impact: Callable[[], Impact], accounts: Accounts, now_ms: int
    ) -> tuple[Draw, ...]:
        """What `action` would take; `tool` is what it calls, whose `impact` is asked where a budget counts it.

        Of a round of an action under way, which has taken its share, what that would take if it had not. Nothing for
        asking what there is.
        """
        calls = action.kind is _CALL
        if not calls and (action.kind not in _READING_KINDS or not action.name):
            return ()
        authority = action.authority
        charges = () if action.within is None else action.within.own.charges
        key = (action.server, action.name if calls else None, authority.agents, authority.user)
        accounts_drawn = self._cache.get(key)
        if accounts_drawn is None:
            if len(self._cache) >= _FOUND_MAX:
                self._cache.clear()
            accounts_drawn = self._cache[key] = self._drawn(action, tool)
        balances, draws, measured = accounts.balances, list[Draw](), None
        for budget, account, counts_one in accounts_drawn:
            since_ms, spent, balance = now_ms - now_ms % budget.window_ms, 0, balances.get(account)
            if balance is not None and balance[0] >= since_ms:
                # A later window has begun, whatever the clock says now.
                since_ms, spent = balance
                spent -= sum(charge.units for charge in charges if charge[:2] == (account, since_ms))
            if counts_one:
                units: int | None = 1
            elif budget.measure is Measure.TOKENS:
                units = tokens(len(action.arguments)) + budget.result_tokens_max
            else:
                measured = impact() if measured is None else measured
                units = _measured(measured, budget.measure)
            draws.append(Draw(budget, account, since_ms, spent, units))
        return tuple(draws)

    def _drawn(self, action: Action, tool: Tool | None) -> DrawnAccounts:
        drawn: list[tuple[Budget, str, bool]] = []
        spender = Spender(action.authority.agents, action.authority.user, f"{action.server}/{action.name}")
        for budget in self._budgets:
            if _counts(budget, action, tool):
                counts_one = budget.measure in _COUNTED_MEASURES
                drawn += [(budget, account, counts_one) for account in accounts_of(self._catalog, budget, spender)]
        return tuple(drawn)


def accounts_of(catalog: Catalog, budget: Budget, spender: Spender) -> list[str]:
    """The accounts of `budget` that are drawn on by what `spender` does: every link of a chain spends."""
    return [budget.account(owner) for owner in _owners(catalog, budget, spender)]


def _owners(catalog: Catalog, budget: Budget, spender: Spender) -> Iterable[str]:
    (agents, user, tool), of = spender, budget.of
    match budget.per:
        case Per.FLEET:
            return ("",)
        case Per.TOOL:
            return (tool,) if of in {None, tool} else ()
        case Per.AGENT:
            return [agent for agent in dict.fromkeys(agents) if of in {None, agent}]
        case Per.USER:
            if user is None:
                # What acts for nobody spends of one account, and not of none.
                return ("",) if of is None else ()
            person = _person(catalog, user)
            return (person,) if of is None or _person(catalog, of) == person else ()
        case Per.GROUP:
            return (of,) if of is not None and of in _groups(catalog, agents, user) else ()
        case _:
            assert_never(budget.per)


def _groups(catalog: Catalog, agents: Iterable[str], user: str | None) -> set[str]:
    of_agents = [catalog.agents[name].groups for name in agents if name in catalog.agents]
    person = None if user is None else _person(catalog, user)
    of_users = [user_of.groups for user_of in catalog.users.values() if user_of.who == person]
    return set[str]().union(*of_agents, *of_users)


def _person(catalog: Catalog, user: str) -> str:
    """Who `user` is, under whichever of his names."""
    entry = catalog.users.get(user)
    return user if entry is None else entry.who


def _counts(budget: Budget, action: Action, tool: Tool | None) -> bool:
    """Whether what `action` does counts for `budget`, whoever does it."""
    if action.kind is not ActionKind.CALL_TOOL:
        return not budget.tools and budget.per is not Per.TOOL and budget.measure in _MEASURES_OF_READING
    is_covered = not budget.tools or not budget.tools.isdisjoint({action.server, f"{action.server}/{action.name}"})
    if not is_covered or tool is None:
        return False
    match budget.measure:
        case Measure.CALLS | Measure.TOKENS:
            return True
        case Measure.IRREVERSIBLE:
            return tool.effect is Effect.IRREVERSIBLE
        case Measure.AMOUNT | Measure.RECORDS:
            return budget.measure.value in tool.impact
        case _:
            assert_never(budget.measure)


def _measured(impact: Impact, measure: Measure) -> int | None:
    """How much of it the arguments say; None where they do not say it exactly, or not at all."""
    if measure.value in impact.inexact:
        return None
    return impact.units if measure is Measure.AMOUNT else impact.records


def charges_of(draws: Iterable[Draw]) -> tuple[Charge, ...]:
    """What an intent takes. Raises `ValueError` for a draw that `problem_of` tells of."""
    charges: list[Charge] = []
    for budget, account, since_ms, spent, units in draws:
        if units is None or spent + units > budget.hard:
            raise ValueError("a budget that does not allow it")
        if units:
            charges.append(Charge(account, since_ms, units, budget.hard))
    return tuple(charges)


def spent_text(draw: Draw) -> str:
    """Why `draw` is not allowed."""
    budget = draw.budget
    if draw.units is None:
        noun = "amount" if budget.measure is Measure.AMOUNT else "number of records"
        return f"the budget {budget.name} counts the {noun} this moves, which the arguments do not say exactly"
    unit_text = "" if budget.measure is Measure.AMOUNT else f" {_NOUNS[budget.measure]}"
    return (
        f"the budget {budget.name} of {draw.whose} has {budget.text_of(draw.remaining)} of "
        f"{budget.text_of(budget.hard)}{unit_text} left until {instant(budget.until_ms(draw.since_ms))}, "
        f"when its window of {budget.window_s:,} s is over, "
        f"and this takes {budget.text_of(draw.units)}"
    )


def soft_text(draw: Draw) -> str:
    """Why people are asked about `draw`."""
    budget, units = draw.budget, draw.units or 0
    unit_text = "" if budget.measure is Measure.AMOUNT else f" {_NOUNS[budget.measure]}"
    soft = budget.text_of(budget.soft or 0)
    return (
        f"with this, {draw.whose} has spent {budget.text_of(draw.spent + units)} of the "
        f"{budget.text_of(budget.hard)}{unit_text} of the budget {budget.name}: beyond {soft} people decide"
    )


_NOUNS: Final[Mapping[Measure, str]] = {
    Measure.CALLS: "calls",
    Measure.IRREVERSIBLE: "irreversible calls",
    Measure.AMOUNT: "",
    Measure.TOKENS: "tokens",
    Measure.RECORDS: "records",
}

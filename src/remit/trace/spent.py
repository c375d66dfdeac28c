"""Whether what intents took from budgets was there: INVARIANT(budget-never-overspent), read from the records alone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from remit.facts.budget import Balance, Charge, Refund, carried_balance, charged, left_of, refunded, reset_moment
from remit.trace.bodies import AdminBody, Event, OutcomeBody, Status


def spends(ended: OutcomeBody, charges: Iterable[Charge]) -> bool:
    """Whether an action with these charges, of which its tool says that it failed, still counts in a budget."""
    return ended.status is Status.TOOL_ERROR and bool(left_of(charges, ended.refunds))


@dataclass(slots=True)
class Spent:
    """What was spent, by account; memory grows with the accounts."""

    _balances: dict[str, Balance] = field(default_factory=dict[str, Balance])

    def intent(self, charges: Sequence[Charge]) -> Iterator[str]:
        """Take in what an intent takes; what is wrong about it."""
        for account, since_ms, units, hard in charges:
            balance = self._balances.get(account)
            if balance is not None and since_ms < balance.since_ms:
                yield f"{account[:80]} is charged for a window that is over"
            balance = self._balances[account] = charged(balance, since_ms, units)
            if balance.units > hard or units < 0:
                yield f"{account[:80]}: {balance.units} are spent of {hard}"

    def outcome(self, charges: Sequence[Charge], refunds: Sequence[Refund]) -> Iterator[str]:
        """Take in what the end of an intent gives back; what is wrong about it."""
        reserved = {(charge.account, charge.since_ms): charge.units for charge in charges}
        for account, since_ms, units in refunds:
            if not 0 <= units <= reserved.pop((account, since_ms), 0):
                yield f"{account[:80]} is given back {units} that its intent did not take"
                continue
            balance = refunded(self._balances.get(account), since_ms, units)
            if balance is not None:
                self._balances[account] = balance

    def said(self, body: AdminBody) -> None:
        """Take in what else changes an account."""
        account = body.subject
        if body.event is Event.BUDGET_RESET:
            self._balances.pop(account, None)
            if (since_ms := reset_moment(body.data)) is not None:
                self._balances[account] = Balance(since_ms, 0)
        elif body.event is Event.BUDGET_CARRIED:
            since_ms, units = carried_balance(body.data)
            if units > 0:
                self._balances[account] = charged(self._balances.get(account), since_ms, units)

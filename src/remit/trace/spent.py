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

    _known: dict[str, Balance] = field(default_factory=dict[str, Balance])

    def intent(self, charges: Sequence[Charge]) -> Iterator[str]:
        """Take in what an intent takes; what is wrong about it."""
        for account, since_ms, units, hard in charges:
            held = self._known.get(account)
            if held is not None and since_ms < held.since_ms:
                yield f"{account[:80]} is charged for a window that is over"
            held = self._known[account] = charged(held, since_ms, units)
            if held.units > hard or units < 0:
                yield f"{account[:80]}: {held.units} are spent of {hard}"

    def outcome(self, charges: Sequence[Charge], refunds: Sequence[Refund]) -> Iterator[str]:
        """Take in what the end of an intent gives back; what is wrong about it."""
        taken = {(charge.account, charge.since_ms): charge.units for charge in charges}
        for account, since_ms, units in refunds:
            if not 0 <= units <= taken.pop((account, since_ms), 0):
                yield f"{account[:80]} is given back {units} that its intent did not take"
                continue
            held = refunded(self._known.get(account), since_ms, units)
            if held is not None:
                self._known[account] = held

    def said(self, body: AdminBody) -> None:
        """Take in what else changes an account."""
        account = body.subject
        if body.event is Event.BUDGET_RESET:
            self._known.pop(account, None)
            if (since_ms := reset_moment(body.data)) is not None:
                self._known[account] = Balance(since_ms, 0)
        elif body.event is Event.BUDGET_CARRIED:
            since_ms, units = carried_balance(body.data)
            if units > 0:
                self._known[account] = charged(self._known.get(account), since_ms, units)

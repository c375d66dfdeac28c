"""What bounds actions and is a fold of the ledger: accounts of budgets, breakers that tripped."""

from dataclasses import dataclass, field

from remit.pdp.apply import apply_budget
from remit.pdp.deltas import BreakerDelta, BudgetDelta, Closed, Tripped
from remit.protect.breakers import BreakerStates
from remit.protect.budgets import Accounts


@dataclass(slots=True)
class LimitState:
    """Changed by what is recorded, and by nothing else; but for what breakers count."""

    accounts: Accounts = field(default_factory=Accounts)
    breakers: BreakerStates = field(default_factory=BreakerStates)

    def apply(self, delta: BudgetDelta | BreakerDelta) -> None:
        """Follow one change."""
        match delta:
            case Tripped(key, trip):
                self.breakers.trip(key, trip)
            case Closed(key):
                self.breakers.close(key)
            case _:
                apply_budget(self.accounts, delta)

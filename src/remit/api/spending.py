"""What the API needs of whoever keeps the accounts of budgets, and breakers."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from remit.facts.breaker import Breaker, State, Trip
from remit.facts.budget import Balance
from remit.facts.record import Receipt


class Spending(Protocol):
    """What was spent, what tripped."""

    @property
    def accounts(self) -> Mapping[str, Balance]:
        """What was spent of budgets, by account."""
        ...

    async def reset_account(self, account: str, by: str, why: str) -> Receipt:
        """Have an account begin anew. Raises `LedgerUnwritable` when the record never will be durable."""
        ...

    @property
    def tripped(self) -> Sequence[tuple[Breaker, str, State, float, Trip]]:
        """Breakers that are not closed: key, state, for how many seconds more it lets nothing pass, evidence."""
        ...

    async def reset_breaker(self, key: str, by: str, why: str) -> Receipt:
        """Close the breaker `key`. Raises `LedgerUnwritable` when the record never will be durable."""
        ...

"""What the API needs of whoever keeps the accounts of budgets."""

from collections.abc import Mapping
from typing import Protocol

from remit.facts.budget import Balance
from remit.facts.record import Receipt


class Spending(Protocol):
    """What was spent."""

    @property
    def accounts(self) -> Mapping[str, Balance]:
        """What was spent of budgets, by account."""
        ...

    async def reset_account(self, account: str, by: str, why: str) -> Receipt:
        """Have an account begin anew. Raises `LedgerUnwritable` when the record never will be durable."""
        ...

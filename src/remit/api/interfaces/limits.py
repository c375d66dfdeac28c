"""What the control API asks of whoever keeps the accounts of budgets, and breakers (`pep.limit_admin`)."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from remit.facts.breaker import Breaker, BreakerState, Trip
from remit.facts.budget import Balance
from remit.facts.guarantee import SignOff
from remit.facts.record import Receipt, Ref
from remit.pdp.guarantees import Breach
from remit.protect.past import Past
from remit.trace.bodies import ActionBody, OutcomeBody


class LimitControl(Protocol):
    """What was spent, what tripped."""

    @property
    def accounts(self) -> Mapping[str, Balance]:
        """What was spent of budgets, by account."""
        ...

    async def reset_account(self, account: str, by: str, why: str) -> Receipt:
        """Have an account begin anew. Raises `LedgerUnwritable` when the record never will be durable."""
        ...

    async def settle(
        self,
        intent: str,
        by: str,
        why: str,
        *,
        happened: bool,
        undone: tuple[int, ActionBody] | None,
        ended: tuple[Ref, OutcomeBody] | None = None,
    ) -> Receipt | None:
        """Say what became of an intent in doubt, `ended` by an outcome or by none; None where somebody just has.

        `undone`: by its moment and body, it is given back.
        """
        ...

    @property
    def open_breakers(self) -> Sequence[tuple[Breaker, str, BreakerState, float, Trip]]:
        """Breakers that are not closed: key, state, for how many seconds more it lets nothing pass, evidence."""
        ...

    async def reset_breaker(self, key: str, by: str, why: str) -> Receipt:
        """Close the breaker `key`. Raises `LedgerUnwritable` when the record never will be durable."""
        ...


class GuaranteeStanding(Protocol):
    """What monitors and guarantees keep, what owners let run, and what was denied of late."""

    past: Past

    @property
    def sign_offs(self) -> Mapping[str, SignOff]:
        """What owners of guarantees let run, by the digest of what breaks one."""
        ...

    def denied_by(self, guarantee: str) -> Sequence[str]:
        """The last decision ids that `guarantee` denied since the service began, the latest first."""
        ...


class Scopes(Protocol):
    """What scopes alone say, and who answers for what they break."""

    async def answers_for(self, guarantee: str) -> str | None:
        """The owner of `guarantee` as it runs, or as the folder declares it where none runs; None: neither does."""
        ...

    def breaches(self) -> tuple[Breach, ...]:
        """What the scopes of the running bundle show to break its guarantees."""
        ...

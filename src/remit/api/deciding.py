"""What the control API asks of whoever keeps approvals (`pep.decisions`)."""

from typing import Protocol

from remit.escalate.machine import Approval
from remit.facts.agent import User
from remit.trace.bodies import Choice


class Deciding(Protocol):
    """Every method returns once the record is durable; a decision that is refused leaves none."""

    async def decide_approval(
        self,
        ident: str,
        voter: User,
        choice: Choice,
        note: str | None,
        *,
        reason: str | None = None,
        shown: str | None = None,
        strong: bool = False,
    ) -> Approval:
        """Cast `voter`'s yes or no by the rules of `escalate.voting` and the running bundle.

        `reason` is the preset word of a no; `shown` the nonce of what he saw; `strong` says that he confirmed it
        beyond his token. Raises `VoteRefused`, and `KeyError` when there is no such approval, as all below do.
        """
        ...

    async def delegate_approval(self, ident: str, by: User, to: str, until_ms: int, note: str | None) -> Approval:
        """Let `to` decide in the place of `by` until `until_ms`."""
        ...

    async def break_glass(self, ident: str, by: User, why: str) -> Approval:
        """Lift every gate alone, in an emergency."""
        ...

    async def review_glass(self, ident: str, by: User, note: str | None) -> Approval:
        """Say that `by` has looked at how its glass was broken."""
        ...

"""What the control API asks of whoever keeps approvals (`pep.approvals`) and grants (`pep.grants`)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from remit.escalate.foreseen import Foreseen
from remit.escalate.grants import Grant, GrantTerms, Wish
from remit.escalate.machine import Approval
from remit.facts.agent import User
from remit.facts.canonical import Json
from remit.facts.passkey import Confirmed
from remit.policy.destination import Destination
from remit.trace.bodies import ActionBody, Choice


class ApprovalControl(Protocol):
    """Every method returns once the record is durable; a decision that is refused leaves none."""

    async def cast_vote(
        self,
        ident: str,
        voter: User,
        choice: Choice,
        note: str | None,
        *,
        reason: str | None = None,
        shown: str | None = None,
        confirmed: Confirmed | None = None,
    ) -> Approval:
        """Cast `voter`'s yes or no by the rules of `escalate.voting` and the running bundle.

        `reason` is the preset word of a no; `shown` the nonce of what he saw; `confirmed` says how he
        confirmed it beyond his token. Raises `VoteRefused`, and `KeyError` when there is no such approval, as all below
        do.
        """
        ...

    async def approve_edited(
        self,
        ident: str,
        by: User,
        arguments: Mapping[str, Json],
        note: str | None,
        *,
        shown: str | None = None,
        confirmed: Confirmed | None = None,
    ) -> Approval:
        """Say yes to other `arguments` than were asked for. Raises `EditRefused` too."""
        ...

    async def session_asked(self, ident: str) -> str:
        """The root session of the run that asked for the approval `ident`."""
        ...

    async def delegate(
        self, ident: str, by: User, to: str, until_ms: int, note: str | None, confirmed: Confirmed | None = None
    ) -> Approval:
        """Let `to` decide in the place of `by` until `until_ms`."""
        ...

    async def break_glass(
        self,
        ident: str,
        by: User,
        why: str,
        *,
        shown: str | None = None,
        confirmed: Confirmed | None = None,
        keyed: bool = False,
    ) -> Approval:
        """Lift every gate alone, in an emergency; `shown` is the nonce of what he saw.

        `keyed` says that `by` has a passkey that could have `confirmed` it.
        """
        ...

    async def review_glass(self, ident: str, by: User, note: str | None) -> Approval:
        """Say that `by` has looked at how its glass was broken."""
        ...

    def token_revoked(self, ident: str, token: str) -> bool:
        """Whether `token`, by which the approval `ident` was asked for, was revoked, or one that it came from."""
        ...

    @property
    def foreseen(self) -> Callable[[Approval], Foreseen | None]:
        """What a dry run of what an approval stands for told; None where its tool offers none."""
        ...


class GrantControl(Protocol):
    """What is granted with a yes; raises as `ApprovalControl` does."""

    async def terms_for(self, ident: str, by: User, wish: Wish) -> tuple[Approval, GrantTerms]:
        """The terms that `wish` comes to for the approval `ident`; nobody has given them yet."""
        ...

    async def give(
        self, ident: str, by: User, wish: Wish, note: str | None, confirmed: Confirmed | None = None
    ) -> Grant:
        """`by`, who said yes to the approval `ident`, grants `wish` with it; `confirmed` as of a yes."""
        ...

    async def revoke(self, ident: str, by: User, note: str | None) -> Grant:
        """End the grant `ident`."""
        ...

    async def find(self, ident: str) -> Grant | None:
        """The grant `ident`, as far as it is known, once what it says is on disk."""
        ...

    async def all_grants(self) -> Sequence[Grant]:
        """All that are known, the oldest first, once what they say is on disk."""
        ...

    def holds(self, grant: Grant) -> bool:
        """Whether `grant` lifts gates now."""
        ...

    def reached_of(self, body: ActionBody) -> Destination | None:
        """The tool that the recorded call reached, as it was; None where it is gone or another."""
        ...

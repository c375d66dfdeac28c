"""What the control API asks of the enforcement driver (`pep.driver`), by what it is about."""

from collections.abc import Mapping
from typing import Protocol

from remit.api.interfaces.decisions import ApprovalControl, GrantControl
from remit.api.interfaces.limits import GuaranteeStanding, LimitControl
from remit.api.interfaces.sessions import SessionControl
from remit.api.interfaces.stops import HaltControl
from remit.facts.action import ActionKind
from remit.facts.agent import Authority
from remit.facts.canonical import Json
from remit.facts.record import Receipt, Ref
from remit.pdp.decision import Decision
from remit.trace.bodies import AdminBody


class AuthorizationControl(Protocol):
    """What is asked and recorded between the calls of agents."""

    @property
    def guarantees(self) -> GuaranteeStanding:
        """How guarantees stand."""
        ...

    async def revoke(self, token: str, expires_ms: int, by: str) -> Receipt:
        """Record that the token id `token` is revoked; the authenticator refuses it already.

        The admin record is `token.revoked` with `data: {"expires_ms": …}`.
        """
        ...

    async def look_for(self, ident: str, server: str, name: str) -> None:
        """Take note of what `server` offers now as the tool `name`, where it can be asked.

        It is asked for whoever waited for the approval `ident`, where that is known.
        """
        ...

    def missing_since(self, server: str, name: str, sid: str) -> int | None:
        """Since when `server` did not offer the tool `name` to the session `sid`, for which it was asked; None: it did.

        None also where it was not asked for that session.
        """
        ...

    def drifted(self, server: str, name: str) -> bool:
        """Whether the tool `name`, when `server` was last asked, was another than the one that was accepted."""
        ...

    async def can(
        self,
        authority: Authority,
        server: str,
        name: str,
        arguments: Mapping[str, Json],
        kind: ActionKind = ActionKind.CALL_TOOL,
    ) -> Decision:
        """What `decide` would say, without a record, a counter or any other effect.

        `name` is a tool, the URI of a resource or a prompt, as `kind` says; no other kind can be asked.
        An unknown sid stands for a fresh session. Arguments that have no canonical form, and
        unknown names, are a `Deny` with its reason, never an exception.
        """
        ...

    async def delegate(self, authority: Authority, sub_agent: str) -> tuple[Ref, Decision]:
        """Judge and record the action `delegate` to `sub_agent` (`arguments` are `{}`).

        Permitted: the intent and its outcome are durable. Escalated: an approval named by the
        returned decision id is open; the same delegation claims it once approved.
        """
        ...

    async def record(self, body: AdminBody, sid: str = "") -> Receipt:
        """Append one `admin` record under the running bundle's digest."""
        ...


class EnforcementDriver(Protocol):
    """The owner of state: every method that changes it returns once the record is durable.

    All raise `LedgerUnwritable` when it never will be; then nothing has changed.
    """

    @property
    def authorization(self) -> AuthorizationControl:
        """Tokens, delegation, and questions without effect."""
        ...

    @property
    def approvals(self) -> ApprovalControl:
        """What people decide about approvals."""
        ...

    @property
    def grants(self) -> GrantControl:
        """What people grant beyond one action."""
        ...

    @property
    def sessions(self) -> SessionControl:
        """Sessions opened, spoken in, ended."""
        ...

    @property
    def halts(self) -> HaltControl:
        """What people stop, and let act again."""
        ...

    @property
    def limit_admin(self) -> LimitControl:
        """Accounts of budgets, breakers, calls in doubt."""
        ...

"""What approvals mean for an action about to be judged: which lift its gates, and whether people are asked anew.

Laws
* INVARIANT(approval-binds-exact-action): an approval is claimed by the action that was asked for, and lifts gates for
  the one that people saw last: the same, unless one of them edited it.
* A no stands for what it said no to, as long as the approval would have lasted: asking again asks nobody.
* How much one run and one agent may ask of people is bounded.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from remit.escalate.machine import OPEN, Approval, ApprovalState
from remit.escalate.quorum import complete
from remit.facts.action import Action, ActionKind
from remit.facts.durations import HOUR_MS
from remit.facts.limits import Limits
from remit.facts.tool import Tool
from remit.pdp.decision import Decision
from remit.pdp.snapshot import AskQuota, Lift, StandingRefusal
from remit.pep.memory import Memory
from remit.policy.bundle import Bundle
from remit.policy.verdict import Escalate, Gate, Permit
from remit.trace.bodies import ActionBody

PENDING_MAX: Final = 20
"""How much one root session may ask of people at once, with all that was delegated from it."""
EDITS_MAX: Final = 100
NO_META: Final[Mapping[str, str]] = MappingProxyType({})


class ApprovalMatcher:
    """The approvals in memory, as one action meets them."""

    def __init__(self, memory: Memory, limits: Limits) -> None:
        self._memory = memory
        self._limits = limits
        self._edits: OrderedDict[str, bytes] = OrderedDict()

    def lifts(self, bundle: Bundle, action: Action, pin: str, claims: str | None, now_ms: int) -> tuple[Lift, ...]:
        """The approvals that people have given for `action` and nobody has used, oldest first.

        `claims` is the hash of what the agent asked for, where people edited it into `action`.
        """
        approvals = self._memory.approvals_of(action.authority.acting.sid)
        within = action.within
        if within is not None and within.bare and within.approval is not None:
            own = [approval for approval in approvals if approval.ident == within.approval]
            return tuple(
                Lift(approval.ident, action.hash(pin), frozenset(approval.gates), now_ms + 1) for approval in own
            )
        approved = [approval for approval in approvals if approval.state is ApprovalState.APPROVED]
        if not approved:
            return ()
        catalog = bundle.catalog
        # INVARIANT(approval-binds-exact-action): by hash, in one session, while it lasts, and
        # while those who said yes are whom the running bundle asks.
        bound = action.hash(pin)
        requested = bound if claims is None else claims
        return tuple(
            Lift(approval.ident, approval.approved, frozenset(approval.gates), approval.expires_ms)
            for approval in sorted(approved, key=lambda approval: approval.opened_ms)
            if approval.requested == requested
            and approval.approved == bound
            and now_ms < approval.expires_ms
            and complete(approval, catalog.routes, catalog.users)
        )

    def edited(self, action: Action, pin: str, now_ms: int) -> Approval | None:
        """The approval by which other arguments run in place of those of `action`, if there is one."""
        if action.within is not None:
            return None
        edited = [
            approval
            for approval in self._memory.approvals_of(action.authority.acting.sid)
            if approval.state is ApprovalState.APPROVED and approval.edit is not None and now_ms < approval.expires_ms
        ]
        if not edited:
            return None
        bound = action.hash(pin)
        return next((approval for approval in edited if approval.requested == bound), None)

    def keep_edit(self, record: str, arguments: bytes) -> None:
        """Remember what the proposal `record` holds: a caller may be told of it before it is on disk."""
        self._edits[record] = arguments
        if len(self._edits) > EDITS_MAX:
            self._edits.popitem(last=False)

    def kept_edit(self, record: str) -> bytes | None:
        """The arguments in the proposal `record`, where it was made of late."""
        return self._edits.get(record)

    def of(
        self,
        action: Action,
        decision: Decision,
        body: ActionBody,
        claimed: str | None,
        nonce: Callable[[], str],
        now_ms: int,
    ) -> tuple[ActionBody, str | None]:
        """`body` with what approvals have to do with it, and the one that the action waits for."""
        match decision.verdict:
            case Escalate(gates):
                joined = self.pending(action, body.action, gates, now_ms)
                if joined is not None:
                    # The same call again while people think: it waits for them, and asks nobody.
                    return replace(body, approval=joined.ident), joined.ident
                return replace(body, nonce=nonce() or None), None
            case Permit() if claimed is not None and body.approval is None:
                # What people edited is used up by running, also where policy permits it by itself by now.
                return replace(body, approval=claimed), None
            case _:
                return body, None

    def keyed(self, tool: Tool | None, action: Action, body: ActionBody) -> tuple[ActionBody, Mapping[str, str]]:
        """The intent `body` of `action` with the key by which `tool` knows that it was asked before, and what tells it.

        What people approved is used once, so what names it names the one request that may come of it. Where nothing
        tells the tool there is no key, and after a crash nobody asks it again.
        """
        idempotency = None if tool is None else tool.idempotent
        if idempotency is None or body.approval is None or action.kind is not ActionKind.CALL_TOOL:
            return body, NO_META
        value, approval = action.input.get(idempotency.argument), self._memory.approval(body.approval)
        if (
            approval is None
            or not approval.shown
            or (idempotency.argument and (not isinstance(value, str | int) or not value))
        ):
            return body, NO_META
        return replace(body, nonce=approval.shown), (
            {idempotency.meta: approval.shown} if idempotency.meta else NO_META
        )

    def noes(self, action: Action, pin: str, now_ms: int) -> tuple[StandingRefusal, ...]:
        """The refusals of exactly this action that still stand."""
        refused = self._memory.refused_of(action.authority.acting.sid)
        if not refused:
            return ()
        bound = action.hash(pin)
        return tuple(
            StandingRefusal(approval.ident, bound, approval.refused_by or "", approval.reason)
            for approval in refused
            if approval.requested == bound and now_ms < approval.expires_ms
        )

    def asking(self, action: Action, pin: str, now_ms: int) -> AskQuota:
        """Whether a new approval may be opened; joining one always may."""
        sids = {link.sid for link in action.authority.links}
        # Those opened before the process started are known by their own session alone.
        approvals = {approval.ident: approval for sid in sids for approval in self._memory.approvals_of(sid)}
        for ident in self._memory.requesters.of(action.authority.links[0].sid):
            approval = self._memory.approval(ident)
            if approval is not None:
                approvals[ident] = approval
        waiting = [
            approval
            for approval in approvals.values()
            if approval.state is ApprovalState.PENDING and now_ms < approval.expires_ms
        ]
        crowded = len(waiting) >= PENDING_MAX
        agent, most = action.authority.acting.agent, self._limits.asks_per_hour_max
        flooding = self._memory.asks_often(agent, most, now_ms - HOUR_MS, now_ms + HOUR_MS)
        if not crowded and not flooding:
            return AskQuota.MAY
        if self.pending(action, action.hash(pin), (), now_ms) is not None:
            return AskQuota.MAY
        return AskQuota.SESSION_FULL if crowded else AskQuota.AGENT_OFTEN

    def pending(self, action: Action, bound: str, gates: tuple[Gate, ...], now_ms: int) -> Approval | None:
        """The approval that the very same action waits for already, and that lifts all of `gates`."""
        for approval in self._memory.approvals_of(action.authority.acting.sid):
            same = (
                approval.state is ApprovalState.PENDING and approval.requested == bound and now_ms < approval.expires_ms
            )
            if same and set(approval.gates).issuperset(gates):
                return approval
        return None

    def root_of(self, ident: str) -> str | None:
        """The root session for which `ident` was opened, where that was in this process."""
        return self._memory.requesters.root_of(ident)

    def opened(self, action: Action, ident: str, bound: str) -> tuple[str, ...]:
        """Take note that `ident` was opened for `action`; the approvals in whose place it is."""
        self._memory.requesters.open(ident, action.authority)
        approvals = self._memory.approvals_of(action.authority.acting.sid)
        return tuple(
            approval.ident
            for approval in approvals
            if approval.requested == bound and approval.ident != ident and approval.state in OPEN
        )

"""Whether an authority may act at all, and what is asked and recorded between its calls.

All that records raises `LedgerUnwritable` when the record never becomes durable; every action is denied from then on.
"""

import contextlib
from collections.abc import Mapping
from typing import Final

from remit.escalate.machine import OPEN, ApprovalState
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority
from remit.facts.canonical import Json, canonical
from remit.facts.record import Receipt, RecordKind, Ref
from remit.pdp.decision import Decision, Refuse
from remit.pdp.snapshot import Pin
from remit.pdp.stops import reason_of
from remit.pep import operation
from remit.pep.approval_deadlines import ApprovalDeadlines
from remit.pep.approval_withdrawal import ApprovalWithdrawal
from remit.pep.attempt import Attempt
from remit.pep.decision_engine import BY_REMIT, DecisionEngine
from remit.pep.guarantee_status import GuaranteeStatus
from remit.pep.memory import Memory
from remit.pep.outcomes import unwritable
from remit.pep.pins import SeenBy
from remit.policy.verdict import Code, Deny, Permit, Reason
from remit.ports.ledger import Ledger, LedgerUnwritable
from remit.ports.system import Clock
from remit.ports.upstream import Era, Upstream, UpstreamContext, UpstreamUnreachable, looking
from remit.trace.bodies import (
    AdminBody,
    Event,
    OutcomeBody,
    Status,
)

LOOKED: Final = 32
"""Last records that say what time it was in earlier runs; the first of this one is among them."""


class Authorization:
    """Tokens, delegation, questions without effect, and what ends by itself."""

    def __init__(
        self,
        memory: Memory,
        engine: DecisionEngine,
        ledger: Ledger,
        clock: Clock,
        upstreams: Mapping[str, Upstream],
        withdrawal: ApprovalWithdrawal,
    ) -> None:
        self._memory = memory
        self._engine = engine
        self._ledger = ledger
        self._clock = clock
        self._upstreams = upstreams
        self._withdrawal = withdrawal
        self._deadlines = ApprovalDeadlines()

    async def load(self) -> None:
        """Read from the ledger what decisions need; call it once, before the first."""
        now_ms, now_s = self._clock.now_ms(), self._clock.monotonic_s()
        await self._memory.load(now_ms)
        last_ms = max((one.record.at for one in await self._ledger.latest(LOOKED)), default=now_ms)
        self._deadlines.resume(self._memory.approvals(), max(now_ms, last_ms), now_s)

    @property
    def waiting(self) -> int:
        """How many approvals wait for people."""
        return sum(approval.state is ApprovalState.PENDING for approval in self._memory.approvals())

    def stopped(self, authority: Authority) -> bool:
        """Whether `authority` may no longer act: revoked, expired, or a session of it ended."""
        return self.why_stopped(authority) is not None

    async def stop_reason(self, authority: Authority) -> Reason | None:
        """Why `authority` may no longer act, if so; its sessions are read where they are not in memory."""
        sids = [link.sid for link in authority.links]
        await self._memory.hold(sids, self._clock.monotonic_s())
        try:
            return self.why_stopped(authority)
        finally:
            self._memory.release(sids, self._clock.monotonic_s())

    @property
    def guarantees(self) -> GuaranteeStatus:
        """How guarantees stand."""
        return self._memory.guarantees

    async def revoke(self, token: str, expires_ms: int, by: str) -> Receipt:
        """Record that the token id `token` is revoked, until when it would have expired."""
        body = AdminBody(Event.TOKEN_REVOKED, by, token, {"expires_ms": expires_ms})
        return await self.record(body)

    async def record(self, body: AdminBody, sid: str = "") -> Receipt:
        """Append one `admin` record under the running bundle's digest."""
        return await self._engine.append(RecordKind.ADMIN, sid, body).durable

    async def look(self, server: str) -> None:
        """Take note of what `server` offers now, where it can be asked."""
        upstream = self._upstreams.get(server)
        if upstream is None:
            return
        with contextlib.suppress(UpstreamUnreachable):
            along = looking(self._engine.bundle.catalog.servers.get(server))
            self._engine.pins.look(server, await upstream.definitions("", Era.STATELESS, along))

    async def look_for(self, ident: str, server: str, name: str) -> None:
        """As `look`, of the tool `name`, for whoever waited for the approval `ident`, where that is known."""
        upstream, client = self._upstreams.get(server), self._memory.requesters.client_of(ident)
        if upstream is None or client is None:
            await self.look(server)
            return
        with contextlib.suppress(UpstreamUnreachable):
            along = UpstreamContext(capabilities=client.capabilities)
            live = await upstream.definitions(client.sid, client.era, along)
            tool = self._engine.bundle.catalog.tools.get((server, name))
            self._engine.pins.compare(server, live, tool, name, SeenBy(client.sid, self._clock.now_ms()))

    def missing_since(self, server: str, name: str, sid: str) -> int | None:
        """As `Pins.missing_since`."""
        return self._engine.pins.missing_since(server, name, sid)

    def drifted(self, server: str, name: str) -> bool:
        """Whether the tool `name`, when `server` was last asked, was another than the one that was accepted."""
        tool = self._engine.bundle.catalog.tools.get((server, name))
        return self._engine.pins.last(server, tool, name) is Pin.DRIFTED

    async def can(
        self,
        authority: Authority,
        server: str,
        name: str,
        arguments: Mapping[str, Json],
        kind: ActionKind = ActionKind.CALL_TOOL,
    ) -> Decision:
        """What `decide` would say, without a record, a counter or any other effect.

        The server is asked what it offers now, where it can be; one that never was counts as pinned. While the ledger
        takes no records nothing would be permitted.
        """
        if (why := self._engine.unwritable()) is not None:
            return Decision(Deny(), unwritable(LedgerUnwritable(why), None).reasons, (Refuse(),))
        if kind is ActionKind.CALL_TOOL:
            await self.look(server)
        try:
            data = canonical(arguments)
        except ValueError as error:
            reason = Reason(Code.ARG_INVALID, f"the arguments have no canonical form: {error}")
            return Decision(Deny(), (reason,), (Refuse(),))
        action = operation.action_of(kind, authority, (server, name), arguments, data)
        sids = [link.sid for link in authority.links]
        await self._memory.hold(sids, self._clock.monotonic_s())
        try:
            return self._engine.weigh(action)
        finally:
            self._memory.release(sids, self._clock.monotonic_s())

    async def delegate(self, authority: Authority, sub_agent: str) -> tuple[Ref, Decision]:
        """Judge and record the action `delegate` to `sub_agent`.

        Permitted: intent and outcome are durable. Escalated: the approval that the returned
        decision id names is open; the same delegation claims it once approved.
        """
        action = Action(ActionKind.DELEGATE, "", sub_agent, b"{}", {}, authority)
        sids = [link.sid for link in authority.links]
        await self._memory.hold(sids, self._clock.monotonic_s())
        try:
            attempt = self._engine.judge(action, None)
            assert isinstance(attempt, Attempt), "a delegation has no arguments that could be changed"  # noqa: S101
            await attempt.pending.durable
            if isinstance(attempt.decision.verdict, Permit):
                # INVARIANT(stop-wins): also over what was permitted a moment ago.
                why = self.why_stopped(authority)
                status = Status.OK if why is None else Status.NOT_SENT
                outcome = self._engine.append(RecordKind.OUTCOME, sids[-1], _delegated(attempt, status))
                await outcome.durable
                why = why or self.why_stopped(authority)
                if why is not None:
                    return attempt.pending.ref, Decision(Deny(), (why,), (Refuse(),))
            ref = attempt.pending.ref
            if attempt.waits_for is not None:
                ref = Ref.parse(attempt.waits_for)
            return ref, attempt.decision
        finally:
            self._memory.release(sids, self._clock.monotonic_s())

    async def expire_due(self) -> int:
        """End the approvals whose time is over or that people stopped, and forget idle sessions; how many ended.

        Call it every second or so: lateness costs nothing, since times are read when an
        approval is used, unless the clock was set back meanwhile.
        """
        withdrawn = await self._withdrawal.turn()
        now_ms = self._clock.now_ms()
        still = (one for one in self._memory.approvals() if one.state in OPEN)
        due = self._deadlines.due(still, now_ms, self._clock.monotonic_s())
        pending = [
            self._engine.append(
                RecordKind.ADMIN,
                one.sid,
                AdminBody(Event.APPROVAL_EXPIRED, BY_REMIT, one.ident),
            )
            for one in due
        ]
        for one in pending:
            await one.durable
        self._memory.forget_over(now_ms)
        self._memory.forget_idle(self._clock.monotonic_s())
        return withdrawn + len(due)

    def why_stopped(self, authority: Authority, server: str = "", name: str = "") -> Reason | None:
        """Why `authority` may not act, on `name` of `server` where they are given; its sessions are in memory."""
        if self._clock.now_ms() >= authority.expires_ms:
            return Reason(Code.TOKEN_ENDED, "the token has expired")
        if self._memory.revoked(authority):
            return Reason(Code.TOKEN_ENDED, "the token, or one it came from, was revoked")
        if self._memory.ended(authority):
            return Reason(Code.SESSION_ENDED, "a person ended this session")
        stops = self._engine.stops(authority, server, name)
        return reason_of(stops[0]) if stops else None


def _delegated(attempt: Attempt, status: Status) -> OutcomeBody:
    return OutcomeBody(
        intent=attempt.ref,
        status=status,
        sids=tuple(session.sid for session in attempt.sessions),
        labels=(),
        approval=attempt.approval,
        result=None,
        result_bytes=0,
        elapsed_ms=0.0,
    )

"""What people stop, and let act again: from the call on, before it is durable. INVARIANT(stop-wins)."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from remit.escalate import voting
from remit.escalate.eligibility import sits
from remit.escalate.machine import OPEN, ApprovalState
from remit.escalate.refusals import sentence
from remit.facts.action import Action
from remit.facts.agent import User
from remit.facts.record import Receipt, RecordKind
from remit.facts.stop import Stop, StopKind, StopScope, StopTarget, subject
from remit.pdp.stops import holds_of, reason_of, runs, stoppable
from remit.pep.approval_withdrawal import ApprovalWithdrawal
from remit.pep.approvals import Approvals
from remit.pep.decision_engine import BY_REMIT, DecisionEngine
from remit.pep.lease import Lease
from remit.pep.memory import Memory
from remit.pep.sessions import LetGo
from remit.policy.verdict import Reason
from remit.ports.halts import HaltInbox
from remit.ports.ledger import Pending
from remit.ports.system import Clock
from remit.trace.bodies import AdminBody, Choice, DecisionBody, Event

_LOG: Final = logging.getLogger(__name__)


class InFlight(Protocol):
    """What has actions under way."""

    def under_way(self, is_over: Callable[[Action], bool]) -> Sequence[str]:
        """The decision ids of those that `is_over` is true of."""
        ...

    def cut(self, is_over: Callable[[Action], bool], why: Reason) -> Sequence[str]:
        """End those, because of `why`; their decision ids."""
        ...


class Halts:
    """Stops, and what they cut off of `parts`. All raise `LedgerUnwritable`."""

    def __init__(
        self,
        memory: Memory,
        engine: DecisionEngine,
        clock: Clock,
        approvals: Approvals,
        withdrawal: ApprovalWithdrawal,
        parts: Sequence[InFlight],
        let_go: LetGo,
    ) -> None:
        self._memory = memory
        self._engine = engine
        self._clock = clock
        self._approvals = approvals
        self._withdrawal = withdrawal
        self._parts = parts
        self._let_go = let_go

    async def halt(
        self, what: StopTarget, by: str, reason: str, holds: StopScope = StopScope.ALL, over: Stop | None = None
    ) -> tuple[Receipt, Sequence[str]]:
        """Stop `what` from what it `holds` until a person resumes it; what that cut off, by decision id.

        The effect of those is in doubt. It takes the place of the stop that it is `over`; any other that stands stays
        whose it is, for his reason, and holds what it held and what this holds.

        INVARIANT(stop-wins): from this call on, before it is durable, nothing of it is judged, sent or released.
        """
        stands = self._memory.stopped.get(what)
        own = Stop(*what, by, 0, reason, holds)
        if stands is None or stands == over:
            pending, cut = self._halt(own)
        else:
            both = holds if holds is stands.scope else StopScope.ALL
            pending, cut = self._halt(replace(own, by=stands.by, reason=stands.reason, scope=both), own)
        return await pending.durable, cut

    def leased(self, left: HaltInbox) -> Lease:
        """Have halts that are `left` for the service obeyed; renew the lease now and then."""
        self._engine.lease = lease = Lease(self._clock, left, self._take_up)
        return lease

    def _take_up(self, stop: Stop) -> Pending:
        """Put a stop in force that was left; one over nothing is told of, for nobody else saw its name."""
        if runs(self._engine.bundle.catalog, stop.target) is False:
            data = {"ref": subject(stop.target)}
            _LOG.warning("a halt was left over what does not run: it stops nobody; next: remit doctor", extra=data)
        return self._halt(stop)[0]

    def _halt(self, stop: Stop, said: Stop | None = None) -> tuple[Pending, Sequence[str]]:
        """Put `stop` in force, which keeps whose it is where somebody else `said` it once more."""
        data = {"reason": stop.reason} | ({} if stop.scope is StopScope.ALL else {"holds": stop.scope.value})
        data |= {} if said is None else {"keeps": stop.by, "said": said.reason}
        body = AdminBody(Event.HALT, stop.by if said is None else said.by, subject(stop.target), data)
        pending = self._engine.append(RecordKind.ADMIN, "", body)
        return pending, self._cut(stop)

    async def stop_session(self, ident: str, by: User, reason: str, note: str | None, over: Stop | None = None) -> str:
        """Stop the run that asked: the root session of the chain, with all that was delegated from it; its id.

        `over` as of `halt`. INVARIANT(stop-wins): what waits for people in it is refused or withdrawn, and calls whose
        request has not left yet are stopped too.
        """
        approval, root = await self._approvals.approval(ident), await self._approvals.session_asked(ident)
        room, now_ms = self._approvals.room(), self._clock.now_ms()
        approval = self._memory.approval(ident) or approval
        if approval.state in OPEN and now_ms < approval.expires_ms:
            after = voting.refuse(approval, room, by.name, now_ms, reason, note)
            decision = DecisionBody(ident, approval.requested, by.name, Choice.DENY, (), note, reason=reason)
            self._engine.append(RecordKind.DECISION, approval.sid, decision)
            assert after.state is ApprovalState.DENIED, "a no ends it"  # noqa: S101
        elif not sits(approval, room.routes, room.users, by, now_ms):
            raise voting.ineligible(approval, room, by, now_ms)
        why = sentence(reason) or reason
        await self.halt((StopKind.SESSION, root), f"user:{by.name}", why, over=over)
        ended = [
            self._engine.append(RecordKind.ADMIN, waiting.sid, _withdrawn(waiting.ident))
            for waiting in self._memory.approvals()
            if waiting.state in OPEN and root in {waiting.sid, self._engine.approval_matcher.root_of(waiting.ident)}
        ]
        for pending in ended:
            await pending.durable
        await self._let_go(root)
        return root

    async def resume(self, what: StopTarget, by: str, over: Stop | None = None) -> Receipt | None:
        """Let `what` act again; what waited when it was stopped is withdrawn first, however soon that is.

        `over` is the stop that `by` may lift; None where another stands by now, or none. INVARIANT(stop-wins)
        """
        await self._withdrawal.turn()
        if over is not None and self._memory.stopped.get(what) != over:
            return None
        return await self._record(AdminBody(Event.RESUME, by, subject(what)))

    async def drill(self, what: StopTarget, by: str) -> tuple[Receipt, Sequence[str]]:
        """What `halt` would cut off now, by decision id; nobody is stopped."""
        reached = self._reached(Stop(*what, by, 0, ""))
        return await self._record(AdminBody(Event.HALT_DRILL, by, subject(what))), reached

    @property
    def unread(self) -> Stop | None:
        """What stops everything for as long as it cannot be read what was left for the service."""
        return self._engine.lease()

    @property
    def stops(self) -> Sequence[Stop]:
        """What is stopped, the oldest first, with what was left for the service."""
        self._engine.lease()
        return sorted(self._memory.stopped.values(), key=_oldest)

    def over(self, whats: Iterable[StopTarget]) -> Sequence[Stop]:
        """The stops of `whats`, the oldest first; those that were left for the service are among them."""
        self._engine.lease()
        stopped = self._memory.stopped
        return sorted((stopped[what] for what in {*whats} if what in stopped), key=_oldest)

    def is_over(self, stop: Stop, action: Action) -> bool:
        """Whether `stop` is over `action`."""
        catalog = self._engine.bundle.catalog
        place = (action.server, action.name)
        return stop.scope in holds_of(catalog, *place) and stop.target in stoppable(catalog, action.authority, *place)

    def all_under_way(self) -> Sequence[str]:
        """The decision ids of all actions whose server has not answered yet."""
        return [name for part in self._parts for name in part.under_way(lambda _: True)]

    def _reached(self, stop: Stop) -> Sequence[str]:
        """The actions under way that `stop` is over, by decision id."""
        is_over = partial(self.is_over, stop)
        return [name for part in self._parts for name in part.under_way(is_over)]

    def _cut(self, stop: Stop) -> Sequence[str]:
        """Cut off the actions under way that `stop` is over; their decision ids."""
        is_over, why = partial(self.is_over, stop), reason_of(stop)
        return [name for part in self._parts for name in part.cut(is_over, why)]

    async def _record(self, body: AdminBody) -> Receipt:
        return await self._engine.append(RecordKind.ADMIN, "", body).durable


def _oldest(stop: Stop) -> tuple[int, StopTarget]:
    return stop.at_ms, stop.target


def _withdrawn(ident: str) -> AdminBody:
    return AdminBody(Event.APPROVAL_CANCELLED, BY_REMIT, ident, {"why": "the session was stopped"})

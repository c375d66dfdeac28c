"""What people do to running state: votes, ends, revocations; each durable before it is answered.

The control API calls these; the enforcement of calls (`pep.driver`) builds on them. All raise
`LedgerUnwritable` when the record never becomes durable; every action is denied from then on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from remit.escalate import voting
from remit.escalate.machine import OPEN, Approval, State
from remit.escalate.refusals import sentence
from remit.escalate.sitting import sits
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority, User
from remit.facts.canonical import Json, canonical
from remit.facts.record import Receipt, RecordKind, Ref
from remit.facts.session import TooManyWords
from remit.facts.stop import Holds, Over, Stop, Stopped, subject
from remit.pdp.decision import Decision, Refuse
from remit.pdp.stopping import held, reason_of, stoppable
from remit.pep import errand
from remit.pep.attempt import Attempt
from remit.pep.bounding import Bounding
from remit.pep.indices import STATEMENTS_MAX, WORDS_CHARS_MAX
from remit.pep.judging import BY_REMIT, Desk
from remit.pep.lease import Lease
from remit.pep.memory import Memory
from remit.pep.standing import Standing
from remit.pep.withdrawing import Withdrawing
from remit.policy.verdict import Code, Deny, Permit, Reason
from remit.ports.halts import Left
from remit.ports.ledger import Ledger, Pending
from remit.ports.system import Clock
from remit.trace.bodies import (
    AdminBody,
    Choice,
    DecisionBody,
    Event,
    OutcomeBody,
    Status,
)


class Control(Bounding):
    """Changes to approvals, sessions and tokens, and questions about them."""

    def __init__(self, memory: Memory, desk: Desk, ledger: Ledger, clock: Clock) -> None:
        super().__init__(memory, desk, ledger, clock)
        self._withdrawing = Withdrawing(memory, desk, ledger)

    async def load(self) -> None:
        """Read from the ledger what decisions need; call it once, before the first."""
        await self._memory.load()

    @property
    def waiting(self) -> int:
        """How many approvals wait for people."""
        return sum(one.state is State.PENDING for one in self._memory.approvals())

    def stopped(self, authority: Authority) -> bool:
        """Whether `authority` may no longer act: revoked, expired, or a session of it ended."""
        return self._stop_reason(authority) is not None

    async def stop_reason(self, authority: Authority) -> Reason | None:
        """Why `authority` may no longer act, if so; its sessions are read where they are not in memory."""
        sids = [link.sid for link in authority.links]
        await self._memory.hold(sids)
        try:
            return self._stop_reason(authority)
        finally:
            self._memory.release(sids, self._clock.monotonic_s())

    async def open_session(self, sid: str, agent: str, user: str | None, by: str) -> Receipt:
        """Open the root session `sid` (admin record `session.opened`)."""
        data: Mapping[str, Json] = {"agent": agent, "user": user}
        return await self._about(sid, AdminBody(Event.SESSION_OPENED, by, sid, data))

    async def record_confidence(self, sid: str, source: str, units: int, by: str) -> Receipt:
        """Record how sure the agent of `sid` is said to be, in units of the fourth decimal place."""
        return await self._about(sid, AdminBody(Event.SESSION_CONFIDENCE, by, sid, {"source": source, "units": units}))

    async def record_words(self, sid: str, text: str, by: str) -> Receipt:
        """Keep the user's words of a trusted session (admin record `session.words`): they ground values.

        Raises `TooManyWords`.
        """
        await self._memory.hold((sid,))
        try:
            await self._memory.index(sid)
            statements, chars = self._memory.indices.said(sid)
            if statements >= STATEMENTS_MAX or chars + len(text) > WORDS_CHARS_MAX:
                raise TooManyWords(
                    f"a session takes {STATEMENTS_MAX:,} statements and {WORDS_CHARS_MAX:,} characters of words"
                )
            grounds = self._desk.index(sid) is not None
            return await self.record(AdminBody(Event.SESSION_WORDS, by, sid, {"text": text, "grounds": grounds}), sid)
        finally:
            self._memory.release((sid,), self._clock.monotonic_s())

    async def index_size(self, sid: str) -> tuple[int, int]:
        """How many tokens the index of `sid` holds, and how many characters of its user's words ground values."""
        await self._memory.hold((sid,))
        try:
            await self._memory.index(sid)
            found = self._memory.indices.of(sid)
            return (0 if found is None else len(found)), self._memory.indices.said(sid)[1]
        finally:
            self._memory.release((sid,), self._clock.monotonic_s())

    async def forget_origins(self, sid: str, by: str) -> Receipt:
        """Erase the key of the index of `sid`: what it holds means nothing any more, and a new one begins."""
        await self._memory.hold((sid,))
        try:
            await self._memory.index(sid)
            return await self.record(AdminBody(Event.SESSION_KEYED, by, sid, {"key": None}), sid)
        finally:
            self._memory.release((sid,), self._clock.monotonic_s())

    async def end_session(self, sid: str, by: str) -> Receipt:
        """End `sid`: every later action of a chain that passes through it is denied.

        INVARIANT(stop-wins): calls whose request has not left yet are stopped too.
        """
        return await self._about(sid, AdminBody(Event.SESSION_ENDED, by, sid))

    async def halt(
        self, what: Stopped, by: str, reason: str, holds: Holds = Holds.ALL, over: Stop | None = None
    ) -> tuple[Receipt, Sequence[str]]:
        """Stop `what` from what it `holds` until a person resumes it; what that cut off, by decision id.

        The effect of those is in doubt. It takes the place of the stop that it is `over`; any other that stands stays
        whose it is, for his reason, whatever more is held by now.

        INVARIANT(stop-wins): from this call on, before it is durable, nothing of it is judged, sent or released.
        """
        stands = self._memory.stopped.get(what)
        own = Stop(*what, by, 0, reason, holds)
        if stands is None or stands == over:
            pending, cut = self._halt(own)
        else:
            pending, cut = self._halt(replace(own, by=stands.by, reason=stands.reason), own)
        return await pending.durable, cut

    def leased(self, left: Left) -> Lease:
        """Have halts that are `left` for the service obeyed; renew the lease now and then."""
        self._desk.lease = lease = Lease(self._clock, left, lambda stop: self._halt(stop)[0])
        return lease

    def _halt(self, stop: Stop, said: Stop | None = None) -> tuple[Pending, Sequence[str]]:
        """Put `stop` in force, which keeps whose it is where somebody else `said` it once more."""
        data = {"reason": stop.reason} | ({} if stop.holds is Holds.ALL else {"holds": stop.holds.value})
        data |= {} if said is None else {"keeps": stop.by, "said": said.reason}
        body = AdminBody(Event.HALT, stop.by if said is None else said.by, subject(stop.what), data)
        pending = self._desk.append(RecordKind.ADMIN, "", body)
        return pending, self._cut(stop)

    async def stop_session(self, ident: str, by: User, reason: str, note: str | None, over: Stop | None = None) -> str:
        """Stop the run that asked: the root session of the chain, with all that was delegated from it; its id.

        `over` as of `halt`. INVARIANT(stop-wins): what waits for people in it is refused or withdrawn, and calls whose
        request has not left yet are stopped too.
        """
        found, root = await self._found(ident), await self.session_asked(ident)
        room, now_ms = self.room(), self._clock.now_ms()
        found = self._memory.approval(ident) or found
        if found.state in OPEN and now_ms < found.expires_ms:
            after = voting.refuse(found, room, by.name, now_ms, reason, note)
            said = DecisionBody(ident, found.requested, by.name, Choice.DENY, (), note, reason=reason)
            self._desk.append(RecordKind.DECISION, found.sid, said)
            assert after.state is State.DENIED, "a no ends it"  # noqa: S101
        elif not sits(found, room.routes, room.users, by, now_ms):
            raise voting.ineligible(found, room, by, now_ms)
        said = sentence(reason) or reason
        await self.halt((Over.SESSION, root), f"user:{by.name}", said, over=over)
        ended = [
            self._desk.append(RecordKind.ADMIN, one.sid, _withdrawn(one.ident))
            for one in self._memory.approvals()
            if one.state in OPEN and root in {one.sid, self._desk.lifting.root_of(one.ident)}
        ]
        for pending in ended:
            await pending.durable
        return root

    async def resume_halted(self, what: Stopped, by: str) -> Receipt:
        """Let `what` act again; what waited when it was stopped is withdrawn first, however soon that is."""
        await self._withdrawing.turn()
        return await self.record(AdminBody(Event.RESUME, by, subject(what)))

    async def drill(self, what: Stopped, by: str) -> tuple[Receipt, Sequence[str]]:
        """What `halt` would cut off now, by decision id; nobody is stopped."""
        reached = self._reached(Stop(*what, by, 0, ""))
        return await self.record(AdminBody(Event.HALT_DRILL, by, subject(what))), reached

    @property
    def stops(self) -> Sequence[Stop]:
        """What is stopped, the oldest first."""
        return sorted(self._memory.stopped.values(), key=lambda stop: (stop.at_ms, stop.what))

    @property
    def standing(self) -> Standing:
        """How guarantees stand."""
        return self._memory.standing

    def is_over(self, stop: Stop, action: Action) -> bool:
        """Whether `stop` is over `action`."""
        catalog = self._desk.bundle.catalog
        named = (action.server, action.name)
        return stop.holds in held(catalog, *named) and stop.what in stoppable(catalog, action.authority, *named)

    def _reached(self, stop: Stop) -> Sequence[str]:
        """The actions under way that `stop` is over, by decision id."""
        raise NotImplementedError

    def _cut(self, stop: Stop) -> Sequence[str]:
        """Cut off the actions under way that `stop` is over; their decision ids."""
        raise NotImplementedError

    async def revoke(self, token: str, expires_ms: int, by: str) -> Receipt:
        """Record that the token id `token` is revoked, until when it would have expired."""
        body = AdminBody(Event.TOKEN_REVOKED, by, token, {"expires_ms": expires_ms})
        return await self.record(body)

    async def record(self, body: AdminBody, sid: str = "") -> Receipt:
        """Append one `admin` record under the running bundle's digest."""
        return await self._desk.append(RecordKind.ADMIN, sid, body).durable

    async def can(
        self,
        authority: Authority,
        server: str,
        name: str,
        arguments: Mapping[str, Json],
        kind: ActionKind = ActionKind.CALL_TOOL,
    ) -> Decision:
        """What `decide` would say, without a record, a counter or any other effect.

        The tool's live definition counts as it was last seen; one never seen counts as pinned.
        """
        try:
            data = canonical(arguments)
        except ValueError as error:
            reason = Reason(Code.ARG_INVALID, f"the arguments have no canonical form: {error}")
            return Decision(Deny(), (reason,), (Refuse(),))
        action = errand.action_of(kind, authority, (server, name), arguments, data)
        sids = [link.sid for link in authority.links]
        await self._memory.hold(sids)
        try:
            return self._desk.weigh(action)
        finally:
            self._memory.release(sids, self._clock.monotonic_s())

    async def delegate(self, authority: Authority, sub_agent: str) -> tuple[Ref, Decision]:
        """Judge and record the action `delegate` to `sub_agent`.

        Permitted: intent and outcome are durable. Escalated: the approval that the returned
        decision id names is open; the same delegation claims it once approved.
        """
        action = Action(ActionKind.DELEGATE, "", sub_agent, b"{}", {}, authority)
        sids = [link.sid for link in authority.links]
        await self._memory.hold(sids)
        try:
            attempt = self._desk.judge(action, None)
            assert isinstance(attempt, Attempt), "a delegation has no arguments that could be changed"  # noqa: S101
            await attempt.pending.durable
            if isinstance(attempt.decision.verdict, Permit):
                # INVARIANT(stop-wins): also over what was permitted a moment ago.
                why = self._stop_reason(authority)
                status = Status.OK if why is None else Status.NOT_SENT
                done = self._desk.append(RecordKind.OUTCOME, sids[-1], _delegated(attempt, status))
                await done.durable
                why = why or self._stop_reason(authority)
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
        approval is used.
        """
        withdrawn = await self._withdrawing.turn()
        now_ms = self._clock.now_ms()
        due: Sequence[Approval] = [
            one for one in self._memory.approvals() if one.state in OPEN and one.expires_ms <= now_ms
        ]
        pending = [
            self._desk.append(
                RecordKind.ADMIN,
                one.sid,
                AdminBody(Event.APPROVAL_EXPIRED, BY_REMIT, one.ident),
            )
            for one in due
        ]
        for one in pending:
            await one.durable
        self._memory.forget_refused(now_ms)
        self._memory.forget_idle(self._clock.monotonic_s())
        return withdrawn + len(due)

    def _stop_reason(self, authority: Authority, server: str = "", name: str = "") -> Reason | None:
        if self._clock.now_ms() >= authority.expires_ms:
            return Reason(Code.TOKEN_ENDED, "the token has expired")
        if self._memory.revoked(authority):
            return Reason(Code.TOKEN_ENDED, "the token, or one it came from, was revoked")
        if self._memory.ended(authority):
            return Reason(Code.SESSION_ENDED, "a person ended this session")
        stops = self._desk.stops(authority, server, name)
        return reason_of(stops[0]) if stops else None

    async def _about(self, sid: str, body: AdminBody) -> Receipt:
        await self._memory.hold((sid,))
        try:
            return await self.record(body, sid)
        finally:
            self._memory.release((sid,), self._clock.monotonic_s())


def _withdrawn(ident: str) -> AdminBody:
    return AdminBody(Event.APPROVAL_CANCELLED, BY_REMIT, ident, {"why": "the session was stopped"})


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

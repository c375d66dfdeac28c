"""Snapshot, decision and their consequences for memory and ledger: one step, without an await.

Everything that changes state goes through `DecisionEngine.append`, so that memory and the ledger's queue
hold the same records in the same order.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import orjson

from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority
from remit.facts.canonical import Json, digest
from remit.facts.label import NONE, Labels, closed
from remit.facts.limits import Limits
from remit.facts.record import RecordKind, Ref
from remit.facts.session import Session, outlived
from remit.facts.stop import Stop, stops_over
from remit.facts.tool import Tool
from remit.pdp.decide import decide
from remit.pdp.decision import Append, Decision, Reshape, Resolve
from remit.pdp.offline import decide_offline
from remit.pdp.purse import Purse
from remit.pdp.result_judgement import JudgedCall, ResultJudgement, finds_of, judge_result
from remit.pdp.snapshot import AskQuota, Lift, Pin, Snapshot
from remit.pdp.stops import holds_of, stoppable
from remit.pep.approval_matcher import NO_META, ApprovalMatcher
from remit.pep.attempt import Attempt
from remit.pep.circuit_breakers import CircuitBreakers
from remit.pep.decision_effects import append_of, reached_of
from remit.pep.effective_grants import EffectiveGrants
from remit.pep.memory import Memory
from remit.pep.origin_tracing import OriginTracing
from remit.pep.pins import Live, Pins, SeenBy
from remit.pep.providers import BundleProvider, VeilProvider, no_lease, no_veil
from remit.pep.tally import CallStage, Tally
from remit.policy.compile import Bundle
from remit.policy.verdict import Escalate, Permit
from remit.ports.ledger import Draft, Ledger, Pending
from remit.ports.system import Clock, Entropy
from remit.trace.bodies import ActionBody, AdminBody, Body, Event, ExchangeBody, MidCall, OutcomeBody, Status

BY_REMIT: Final = "remit"
NONCE_BYTES: Final = 16


class DecisionEngine:
    """Where actions are judged and records are queued."""

    def __init__(
        self,
        memory: Memory,
        ledger: Ledger,
        clock: Clock,
        current: BundleProvider,
        limits: Limits,
        tally: Tally | None = None,
        veil: VeilProvider = no_veil,
        entropy: Entropy | None = None,
    ) -> None:
        self._veil = veil
        self._entropy = entropy
        self._tally = tally or Tally()
        self._memory = memory
        self._ledger = ledger
        self._clock = clock
        self._current = current
        self.limits = limits
        self.pins, self._purse = Pins(), Purse()
        self._holding = EffectiveGrants(memory, current)
        self.approval_matcher = ApprovalMatcher(memory, limits)
        self.breakers = CircuitBreakers(memory, clock, current, self.append)
        self.tracing = OriginTracing(memory, current, entropy, self.append)
        self.lease: Callable[[], Stop | None] = no_lease
        """What stops everything, if so; asked before anything is judged, sent or released."""
        self._last: Ref | None = None

    @property
    def bundle(self) -> Bundle:
        """The running bundle."""
        return self._current()

    def append(self, kind: RecordKind, sid: str, body: Body, at_ms: int | None = None) -> Pending:
        """Queue one record, of now or `at_ms`, and let memory follow. Raises `LedgerUnwritable`; then nothing is."""
        now_ms = self._clock.now_ms() if at_ms is None else at_ms
        # INVARIANT(bundle-in-every-record): there is no other way to queue one.
        pending = self._ledger.append(Draft(kind, now_ms, self._current().digest, sid, body))
        self._memory.apply(pending.ref, now_ms, kind, body)
        self._last = pending.ref
        self._tally.recorded(body)
        self._tally.settles(pending.durable, self._clock)
        match body:
            case OutcomeBody(sids=sids, origins=delta) | ExchangeBody(sids=sids, origins=delta) if delta is not None:
                self._memory.indices.settles(sids[0], pending.durable)
            case AdminBody(event=Event.SESSION_KEYED | Event.SESSION_WORDS | Event.SERVER_ENTRUSTED):
                self._memory.indices.settles(body.subject, pending.durable)
            case _:
                pass
        return pending

    async def settled(self) -> None:
        """Wait until all that was appended is on disk. Raises `LedgerUnwritable`."""
        if self._last is not None:
            await self._ledger.durable(self._last)

    def unwritable(self) -> str | None:
        """Why no record is taken, if so."""
        return self._ledger.unwritable()

    def edit_of(self, action: Action) -> str | None:
        """The proposal that holds what people approved in place of `action`; None where they did not."""
        tool = self.tool(action)
        approval = self.approval_matcher.edited(action, "" if tool is None else tool.pin, self._clock.now_ms())
        return None if approval is None or approval.edit is None else approval.edit.record

    def judge(self, action: Action, live: Live, edited: Action | None = None) -> Attempt | Reshape | Resolve:
        """Decide on `action` and queue the record; or what has to be done first, and nothing is queued.

        The sessions of its chain are held. `edited` is what people approved in its place: it runs if it may, and else
        `action` is judged as if nobody had been asked.
        """
        self._retire(action.authority)
        now_ms = self._clock.now_ms()
        tool = self.tool(action)
        action = self._veiled(action, tool)
        pin = self.pins.compare(action.server, live, tool, action.name, SeenBy(action.authority.acting.sid, now_ms))
        sessions = self._memory.sessions(action.authority, now_ms)
        start_s = self._clock.monotonic_s()
        decision, claimed = None, None
        if edited is not None:
            decision, claimed = self._decide_edited(action, edited, tool, pin, sessions, now_ms)
        if decision is None:
            decision, edited = self._decide(action, tool, pin, sessions, now_ms), None
        self._tally.took(CallStage.DECIDE, self._clock.monotonic_s() - start_s)
        self._report_difference()
        first = decision.effects[0]
        if isinstance(first, Reshape | Resolve):
            return first
        draft = append_of(decision)
        body, waits_for, bound, meta = draft.body, None, "", NO_META
        if isinstance(body, ActionBody):
            bound = body.action
            body, waits_for = self.approval_matcher.of(action, decision, body, claimed, self.nonce, now_ms)
            if draft.kind is RecordKind.INTENT:
                body, meta = self.approval_matcher.keyed(tool, edited or action, body)
        if isinstance(decision.verdict, Permit):
            self.tracing.entrust(edited or action, decision, sessions)
        past = self._memory.guarantees.past
        since = past.turn
        pending = self.append(draft.kind, action.authority.acting.sid, body, now_ms)
        turns = since, past.turn
        self.breakers.count_judged(action, decision, str(pending.ref))
        if isinstance(body, ActionBody) and body.grants:
            self._supersede(action, bound, body.grants[0], now_ms)
        if isinstance(decision.verdict, Escalate) and waits_for is None:
            waits_for = str(pending.ref)
            for ident in self.approval_matcher.opened(action, waits_for, bound):
                over = AdminBody(Event.APPROVAL_SUPERSEDED, BY_REMIT, ident, {"by": waits_for})
                self.append(RecordKind.ADMIN, action.authority.acting.sid, over)
        shaped = action if action.shaping is not None and action.shaping.changes else None
        return Attempt(
            decision, pending, now_ms, bound, body.approval, sessions, waits_for, edited, meta, shaped, turns=turns
        )

    def _decide_edited(
        self,
        action: Action,
        edited: Action,
        tool: Tool | None,
        pin: Pin,
        sessions: tuple[Session, ...],
        now_ms: int,
    ) -> tuple[Decision | None, str | None]:
        """What people approved in place of `action`, if it may run, and their approval."""
        bound = "" if tool is None else tool.pin
        requested = action.hash(bound)
        lifts = self.approval_matcher.lifts(self._current(), edited, bound, requested, now_ms)
        if not lifts:
            return None, None
        decision = self._decide(edited, tool, pin, sessions, now_ms, lifts)
        if not isinstance(decision.verdict, Permit) or not isinstance(decision.effects[0], Append):
            return None, None
        return decision, lifts[0].approval

    def start(self, attempt: Attempt) -> None:
        """What `attempt` runs under leaves now. Raises `LedgerUnwritable`."""
        assert attempt.approval is not None, "what starts runs under an approval"  # noqa: S101
        body = AdminBody(Event.APPROVAL_STARTED, BY_REMIT, attempt.approval, {"intent": attempt.ref})
        self.append(RecordKind.ADMIN, attempt.sessions[-1].sid, body)

    def pass_on(
        self, attempt: Attempt, number: int, passed: MidCall, content: bytes | None, action: Action, had: Labels = NONE
    ) -> Pending:
        """Queue the record of what a server said in the midst of `attempt`, with all labels that it may have by now.

        `had` are those that are known to be among them. Its `content` is JSON; the index of `action`, which is under
        way, has its words too. Raises `LedgerUnwritable`.
        """
        call = None if content is None else self.tracing.call(attempt.ref, action, attempt.answers)
        is_read = call is not None or finds_of(self._current(), action.server)
        value = orjson.loads(content) if content is not None and is_read else None
        judged = self._so_far(attempt, action, value, call)
        labels = judged.labels | had
        body = ExchangeBody(
            intent=attempt.ref,
            number=number,
            passed=passed,
            sids=judged.sids,
            labels=tuple(sorted(labels)),
            content=None if content is None else digest(content),
            content_bytes=0 if content is None else len(content),
            approval=None,
            origins=b64encode(judged.origins.pack()).decode("ascii") if judged.origins else None,
        )
        return self.append(RecordKind.EXCHANGE, attempt.sessions[-1].sid, body)

    def labels_so_far(self, attempt: Attempt, action: Action, value: Json = None) -> Labels:
        """All labels that what `attempt` at `action` brings may have as of now; `value` is what it brings already."""
        return self._so_far(attempt, action, value).labels

    def labels_if_run(self, decision: Decision, action: Action) -> Labels:
        """All labels that what `action` brings may have as of now, where `decision` lets it run; detectors aside."""
        reached, stored = reached_of(decision), self.stored(action)
        return judge_result(self._current(), reached, action.server, (), Status.TOOL_ERROR, None, stored).labels

    def held_by_all(self, authority: Authority) -> Labels:
        """The labels that every session of the chain holds."""
        first, *others = [closed(session.labels) for session in self._memory.sessions(authority, self._clock.now_ms())]
        return first.intersection(*others)

    def _so_far(
        self, attempt: Attempt, action: Action, value: Json = None, call: JudgedCall | None = None
    ) -> ResultJudgement:
        # As an error: no part of it is told apart, so that all of it has all labels.
        reached, stored = reached_of(attempt.decision), self.stored(action)
        status, bundle = Status.TOOL_ERROR, self._current()
        return judge_result(bundle, reached, action.server, attempt.sessions, status, value, stored, call=call)

    def stored(self, action: Action) -> Labels:
        """The labels that come, as of now, with what `action` reads from stores."""
        return self._memory.stores.labels_for(self._current(), action).labels

    def stops(self, authority: Authority, server: str = "", name: str = "") -> tuple[Stop, ...]:
        """The stops that are over what `authority` does at `name` of `server`."""
        unread = self.lease()
        if unread is not None:
            return (unread,)
        stopped = self._memory.stopped
        if not stopped:
            return ()
        catalog = self._current().catalog
        return stops_over(stopped, stoppable(catalog, authority, server, name), holds_of(catalog, server, name))

    def weigh(self, action: Action) -> Decision:
        """What `judge` would decide if live tools are as last seen, with no consequence."""
        tool = self.tool(action)
        pin = self.pins.last(action.server, tool, action.name)
        now_ms = self._clock.now_ms()
        sessions = self._memory.sessions(action.authority, now_ms)
        return decide_offline(
            lambda candidate: self._decide(self._veiled(candidate, tool), tool, pin, sessions, now_ms), action
        )

    def weigh_edit(self, action: Action) -> tuple[Decision, str]:
        """As `weigh`, for people who are asked already; and the hash that binds it."""
        tool = self.tool(action)
        pin = self.pins.last(action.server, tool, action.name)
        now_ms = self._clock.now_ms()
        sessions = self._memory.sessions(action.authority, now_ms)
        decision = self._decide(action, tool, pin, sessions, now_ms, (), AskQuota.MAY)
        return decision, action.hash("" if tool is None else tool.pin)

    def nonce(self) -> str:
        """What names an approval, or what of it is decided, and cannot be guessed."""
        return "" if self._entropy is None else self._entropy.token_bytes(NONCE_BYTES).hex()

    def tool(self, action: Action) -> Tool | None:
        """The tool that `action` calls, as the running bundle has it."""
        return self._current().catalog.tools.get((action.server, action.name))

    def _veiled(self, action: Action, tool: Tool | None) -> Action:
        """`action` as it is recorded and hashed: with its secrets veiled, where the catalog declares some."""
        if tool is None or action.kind is not ActionKind.CALL_TOOL or not tool.secrets:
            return action
        veil, form = self._veil(), self._current().tools[tool.server, tool.name]
        return action if veil is None else replace(action, veiled=veil.over(tool, form.arguments, action.input))

    def _decide(
        self,
        action: Action,
        tool: Tool | None,
        pin: Pin,
        sessions: tuple[Session, ...],
        now_ms: int,
        lifts: tuple[Lift, ...] | None = None,
        asking: AskQuota | None = None,
    ) -> Decision:
        bound = "" if tool is None else tool.pin
        snapshot = Snapshot(
            bundle=self._current(),
            sessions=sessions,
            pin=pin,
            lifts=self.approval_matcher.lifts(self._current(), action, bound, None, now_ms) if lifts is None else lifts,
            limits=self.limits,
            ask_quota=asking or self.approval_matcher.asking(action, bound, now_ms),
            refusals=self.approval_matcher.noes(action, bound, now_ms),
            stores=self._memory.stores.labels_for(self._current(), action),
            origins=self._memory.indices.of(action.authority.links[0].sid),
            grants=self._holding.of(action.authority, now_ms),
            usage=self._memory.usage,
            past=self._memory.guarantees.past,
            stops=self.stops(action.authority, action.server, action.name),
            draws=self._purse.draws(self._current(), self._memory.bounds.accounts, action, tool, now_ms),
            open_breakers=self.breakers.blocking(action),
        )
        return decide(snapshot, action, now_ms)

    def _supersede(self, action: Action, bound: str, grant: str, now_ms: int) -> None:
        """Nobody is asked any more about what a grant has lifted meanwhile."""
        approval = self.approval_matcher.pending(action, bound, (), now_ms)
        if approval is not None:
            body = AdminBody(Event.APPROVAL_SUPERSEDED, BY_REMIT, approval.ident, {"by": grant})
            self.append(RecordKind.ADMIN, approval.sid, body)

    def _report_difference(self) -> None:
        """Record, once, that generated code and cedarpy disagreed: cedarpy alone judges from then on."""
        shadow = self._current().shadow
        difference = shadow.unreported
        if difference is not None:
            body = AdminBody(Event.POLICY_DIFFERENCE, BY_REMIT, difference.action, difference.members)
            self.append(RecordKind.ADMIN, "", body)
            shadow.reported = True

    def _retire(self, authority: Authority) -> None:
        """End the sessions of the chain that have run for longer than the workspace allows."""
        now_ms, hours_max = self._clock.now_ms(), self._current().catalog.session_hours_max
        for session in self._memory.sessions(authority, now_ms):
            if session.ended_ms is None and outlived(session, hours_max, now_ms):
                body = AdminBody(Event.SESSION_ENDED, BY_REMIT, session.sid, {"why": "session_hours_max"})
                self.append(RecordKind.ADMIN, session.sid, body)

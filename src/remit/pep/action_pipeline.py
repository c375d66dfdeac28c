"""The way of one action (docs/ARCHITECTURE.md): judge, record, send, record again, release.

Laws
* INVARIANT(intent-before-effect): nothing is sent before its intent is durable.
* INVARIANT(label-before-data): nothing an upstream wrote leaves before a record with its labels, an
  `exchange` in mid-way or the outcome, is durable.
* INVARIANT(stop-wins): a session ended or a token revoked while the intent was on its way to disk still
  stops the action; the stop is read last, with no await before the request leaves.
* INVARIANT(deny-on-error): whatever goes wrong in here denies, and says what it was.
* One action has one intent and one outcome, however often its server asks back (`pep.rounds`).
* Queueing a record never waits, so a client that goes away cannot keep an outcome off the ledger: the
  outcome is queued in the same step that notices he is gone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, assert_never

from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority
from remit.facts.record import Ref
from remit.pdp.decision import Reshape, Resolve
from remit.pdp.stops import reason_of
from remit.pep.addresses import in_words
from remit.pep.answer import Answer, Awaiting, Client, Refused
from remit.pep.approval_wait import ApprovalWait
from remit.pep.argument_edits import edited_of
from remit.pep.attempt import Attempt
from remit.pep.catalog_view import CatalogView
from remit.pep.decision_effects import hold_s_of
from remit.pep.decision_engine import DecisionEngine
from remit.pep.memory import Memory
from remit.pep.notices import Notices
from remit.pep.operation import Operation, called
from remit.pep.outcomes import Outcomes, internal, unwritable
from remit.pep.pins import UNASKED, Live
from remit.pep.release import in_words_of, was_sent
from remit.pep.rounds import ActionUnderWay, those
from remit.policy.verdict import Code, Deny, Escalate, Permit, Reason
from remit.ports.ledger import Ledger, LedgerUnwritable
from remit.ports.resolver import NOBODY, Resolver
from remit.ports.system import Clock
from remit.ports.upstream import Failure, Reply, Upstream, UpstreamContext, UpstreamUnreachable
from remit.trace.bodies import ActionBody, Status

_LOG: Final = logging.getLogger(__name__)


class ActionPipeline:
    """Takes operations through judgement to their answer. `stop_reason` is asked last before anything is sent.

    `waiting` has those who wait for people; `resolver` looks up hosts.
    """

    def __init__(
        self,
        memory: Memory,
        engine: DecisionEngine,
        ledger: Ledger,
        clock: Clock,
        upstreams: Mapping[str, Upstream],
        stop_reason: Callable[[Authority, str, str], Reason | None],
        names: CatalogView,
    ) -> None:
        self._memory = memory
        self._engine = engine
        self._ledger = ledger
        self._clock = clock
        self._upstreams = upstreams
        self._stop_reason = stop_reason
        self._names = names
        self._outcomes = Outcomes(engine)
        self.waiting = ApprovalWait(memory, engine, ledger, clock, self.stopped)
        self.resolver: Resolver = NOBODY
        self._sent: dict[int, ActionUnderWay] = {}

    async def with_sessions(self, authority: Authority, work: Coroutine[Any, Any, Answer]) -> Answer:
        """The answer of `work`, during which the sessions of the chain are in memory."""
        return await self.answered(self._with_sessions(authority, work), sent=False)

    async def further(self, authority: Authority, work: Coroutine[Any, Any, Answer]) -> Answer:
        """As `with_sessions`, where `work` goes on with what was sent before."""
        return await self.answered(self._with_sessions(authority, work), sent=True)

    async def answered(self, work: Coroutine[Any, Any, Answer], *, sent: bool) -> Answer:
        """The answer of `work`; of what was `sent` before, an error of ours says that it may have been done."""
        try:
            return await work
        except LedgerUnwritable as error:
            return unwritable(error, None, sent=sent)
        except Exception as error:  # noqa: BLE001 - INVARIANT(deny-on-error)
            return internal(error, sent=sent)

    async def _with_sessions(self, authority: Authority, work: Coroutine[Any, Any, Answer]) -> Answer:
        sids = [link.sid for link in authority.links]
        try:
            await self._memory.hold(sids, self._clock.monotonic_s())
            try:
                answer = await work
                stops = () if isinstance(answer, Refused) else self._engine.stops(authority)
                # INVARIANT(stop-wins): whatever it was, a result, a question or a task.
                return Refused((reason_of(stops[0]),), None, not isinstance(answer, Awaiting)) if stops else answer
            finally:
                self._memory.release(sids, self._clock.monotonic_s())
        finally:
            work.close()

    async def begin(self, operation: Operation, client: Client) -> Answer | ActionUnderWay:
        """Judge and record `operation`; its answer, or, once the intent is durable, the action under way."""
        attempt = await self.attempt(operation.action, client)
        return await self.set_out(operation, client, attempt) if isinstance(attempt, Attempt) else attempt

    async def set_out(self, operation: Operation, client: Client, attempt: Attempt) -> Answer | ActionUnderWay:
        """`operation`, permitted as `attempt`, under way once its intent is durable; or why it is not sent."""
        if (instead := attempt.edited or attempt.shaped) is not None:
            operation = replace(called(instead, self._engine.tool(instead)), to_agent=operation.to_agent)
        try:
            refused = await self._settled(attempt)
        except asyncio.CancelledError:
            self._outcomes.abandon(operation, attempt, Status.NOT_SENT)
            raise
        if refused is not None:
            return refused
        upstream = self._upstreams.get(operation.action.server)
        why = attempt.barred or self.stopped(operation.action)
        if upstream is None or why is not None:
            why = why or Reason(Code.UNKNOWN_SERVER, "the server was removed from the running bundle")
            return await self._outcomes.stop(operation, attempt, why)
        if attempt.approval is not None:
            self._engine.start(attempt)
        notices = Notices(self._engine, attempt, operation.action)
        return ActionUnderWay(operation, client, attempt, upstream, notices, self._clock.monotonic_s())

    async def attempt(self, action: Action, client: Client) -> Attempt | Answer:
        """Judge `action`, waiting for people where they are asked; a permitted attempt, or the answer."""
        deadline_s: float | None = None
        if client.trace is not None or client.stated_reason is not None:
            action = replace(action, trace=client.trace, stated_reason=client.stated_reason)
        while True:
            live, unreachable = await self.live(action, client)
            record = self._engine.edit_of(action)
            edited = None if record is None else await self.edited(action, record)
            granted = self._memory.grants.count
            attempt = self._engine.judge(action, live, edited)
            if isinstance(attempt, Reshape | Resolve):
                action = await self.shaped(action, attempt)
                continue
            self._outcomes.reporting.sent(attempt, action)
            match attempt.decision.verdict:
                case Permit():
                    return attempt if live is not UNASKED else replace(attempt, barred=unreachable)
                case Deny():
                    return await self._refuse(action, attempt, unreachable)
                case Escalate() as verdict:
                    if deadline_s is None:
                        deadline_s = self._clock.monotonic_s() + hold_s_of(attempt.decision)
                    answer = await self.waiting.wait(action, client, attempt, verdict, deadline_s, granted)
                    if answer is not None:
                        return answer
                case _:
                    assert_never(attempt.decision.verdict)

    async def shaped(self, action: Action, first: Reshape | Resolve) -> Action:
        """`action` after what has to be done before it can be decided on."""
        if isinstance(first, Reshape):
            return first.action
        return action.resolved({host: await self.resolver.address(host) for host in first.hosts})

    async def send(self, under: ActionUnderWay, request: Callable[[UpstreamContext], Awaitable[Reply]]) -> Reply:
        """Send `request` for an action under way. Cancelling ends the action; a stop ends the request alone."""
        task = under.task = asyncio.current_task()
        self._sent[id(under)] = under
        try:
            return await request(self.along(under))
        except asyncio.CancelledError:
            if under.halted is None or task is None or task.uncancel():
                self.abandon(under)
                raise
            return Failure("stopped", under.halted.text, sent=True)
        except Exception as error:  # noqa: BLE001 - INVARIANT(deny-on-error)
            _LOG.error("an upstream request failed in Remit", extra={"error": type(error).__name__})
            return Failure("internal", f"the call failed in Remit ({type(error).__name__})", sent=True)
        finally:
            self._sent.pop(id(under), None)

    def under_way(self, is_over: Callable[[Action], bool]) -> Sequence[str]:
        """The decision ids of actions whose server has not answered yet, of those that `is_over` is true of."""
        return [under.attempt.ref for under in those(is_over, self._sent.values())]

    def cut(self, is_over: Callable[[Action], bool], why: Reason) -> Sequence[str]:
        """Wait no longer for their servers, because of `why`: what became of them is in doubt.

        INVARIANT(stop-wins)
        """
        affected = those(is_over, self._sent.values())
        for under in affected:
            under.halted = why
            if under.task is not None:
                under.task.cancel()
        return [under.attempt.ref for under in affected]

    def along(self, under: ActionUnderWay) -> UpstreamContext:
        """What goes with a request of `under`."""
        client = under.client
        under.notices.tell = client.tell
        return UpstreamContext(
            hear=None if client.tell is None else under.notices.hear,
            capabilities=client.capabilities,
            log_level=client.log_level,
            trace=client.trace,
            headers=under.operation.headers,
            meta=under.attempt.meta,
            hold=client.hold,
        )

    async def finish(self, under: ActionUnderWay, reply: Reply) -> Answer:
        """The end of an action under way."""
        elapsed_ms = (self._clock.monotonic_s() - under.started_s) * 1000
        try:
            await under.notices.settle()
        except asyncio.CancelledError:
            self.abandon(under)
            raise
        reply = in_words(under.client, under.attempt.result_obligations, in_words_of(under.client.era, reply))
        exposed = under.client.sees_all
        answer = await self._outcomes.release(under.operation, under.attempt, reply, elapsed_ms, exposed=exposed)
        # After the outcome: a client that reads slowly, or not at all, must not keep that off the ledger.
        await under.notices.flush()
        why = self.halted(under.operation.action)
        # INVARIANT(stop-wins): what it did is on record; what its server said of it stays here.
        return answer if why is None else Refused((why,), under.attempt.ref, was_sent(reply))

    def abandon(self, under: ActionUnderWay, why: str = "the client went away") -> None:
        """End an action under way that nobody waits for: what became of it is in doubt."""
        under.notices.close()
        self._outcomes.abandon(under.operation, under.attempt, Status.LOST, why)

    async def stop(self, under: ActionUnderWay, why: Reason) -> Refused:
        """End an action under way because of `why`."""
        under.notices.close()
        return await self._outcomes.stop(under.operation, under.attempt, why, Status.LOST)

    def halted(self, action: Action) -> Reason | None:
        """Why nothing of `action` may be shown any more, where people stopped it."""
        stops = self._engine.stops(action.authority, action.server, action.name)
        return reason_of(stops[0]) if stops else None

    def stopped(self, action: Action) -> Reason | None:
        """Why `action` may no longer be done, if so."""
        return self._stop_reason(action.authority, action.server, action.name)

    async def live(self, action: Action, client: Client) -> tuple[Live, Reason | None]:
        """The live tools of the action's server, where it calls one, or why they are not known."""
        await self._engine.tracing.load(action.server)
        upstream = self._upstreams.get(action.server)
        if upstream is None or action.kind is not ActionKind.CALL_TOOL:
            return None, None
        if (stopped := self.stopped(action)) is not None:
            # INVARIANT(stop-wins): its server is not even asked what it offers.
            return UNASKED, stopped
        if not self._names.asks(self._engine.bundle, action.authority.agents, action.server, action.name):
            return UNASKED, None
        try:
            along = UpstreamContext(capabilities=client.capabilities)
            return await upstream.definitions(action.authority.acting.sid, client.era, along), None
        except UpstreamUnreachable as error:
            return None, Reason(Code.TOOL_UNVERIFIED, str(error))

    async def edited(self, action: Action, record: str) -> Action | None:
        """What people approved in place of `action`, which the proposal `record` holds, as they were shown it.

        Its hash is checked where it is judged.
        """
        arguments = self._engine.approval_matcher.kept_edit(record)
        if arguments is None:
            entry = await self._ledger.entry(Ref.parse(record))
            body = None if entry is None else entry.body
            arguments = body.arguments if isinstance(body, ActionBody) else b""
        return edited_of(action, arguments)

    async def _refuse(self, action: Action, attempt: Attempt, unreachable: Reason | None) -> Refused:
        refused = await self._settled(attempt)
        if refused is not None:
            return refused
        reasons = attempt.decision.reasons
        if unreachable is not None and any(r.code is Code.TOOL_UNVERIFIED for r in reasons):
            reasons = (*reasons, unreachable)
        if any(r.code is Code.ARG_INVALID for r in reasons) and self._hides(action):
            # What is wrong with them would tell the schema, word by word; people see it on the record.
            reasons = (Reason(Code.ARG_INVALID, "the arguments are not those of this tool"),)
        return Refused(reasons, attempt.ref)

    def _hides(self, action: Action) -> bool:
        is_call = action.kind is ActionKind.CALL_TOOL
        agents = action.authority.agents
        return is_call and self._names.hides(self._engine.bundle, agents, action.server, action.name)

    async def _settled(self, attempt: Attempt) -> Refused | None:
        """None once the record of `attempt` is durable; a refusal when it never will be."""
        try:
            await attempt.pending.durable
        except LedgerUnwritable as error:
            return unwritable(error, attempt.ref)
        return None

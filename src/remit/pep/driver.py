"""The way of one action (DESIGN section 3): judge, record, forward, record again, release.

Laws
* INVARIANT(intent-before-effect): nothing is forwarded before its intent is durable.
* INVARIANT(label-before-data): nothing an upstream wrote leaves before the outcome with its
  labels is durable.
* INVARIANT(stop-wins): a session ended or a token revoked while the intent was on its way to
  disk still stops the call; the stop is read last, with no await before the request leaves.
* INVARIANT(deny-on-error): whatever goes wrong in here denies, and says what it was.
* Queueing a record never waits, so a client that goes away cannot keep an outcome off the
  ledger: the outcome is queued in the same step that notices he is gone.
"""

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final, assert_never

from remit.escalate.machine import State
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority
from remit.facts.canonical import Json, digest
from remit.facts.catalog import Definition, Tool
from remit.facts.limits import DEFAULT, Limits
from remit.facts.record import Receipt, RecordKind
from remit.pdp.decision import Decision, Forward, Hold
from remit.pdp.judge import Judgement, judge_result
from remit.pep.answer import Answer, Awaiting, Refused, Released
from remit.pep.control import Control
from remit.pep.judging import Attempt, Current, Desk
from remit.pep.memory import Memory
from remit.pep.names import Names
from remit.pep.release import Shown, clean, seal, withheld
from remit.policy.verdict import Code, Deny, Escalate, Permit, Reason
from remit.ports.ledger import Ledger, LedgerUnwritable, Pending
from remit.ports.system import Clock
from remit.ports.upstream import Era, Failure, Upstream, UpstreamUnreachable
from remit.trace.bodies import OutcomeBody, Status

_LOG: Final = logging.getLogger(__name__)
REREAD_S: Final = 1.0
"""How often a held call looks at its approval though nobody told it to."""


class Driver(Control):
    """One per service: the way of every action, and what people do to running state.

    `current` gives the running bundle, `upstreams` its servers by name; both may change between
    calls, never within a step.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        current: Current,
        upstreams: Mapping[str, Upstream],
        *,
        limits: Limits = DEFAULT,
    ) -> None:
        memory = Memory(ledger)
        super().__init__(memory, Desk(memory, ledger, clock, current, limits), ledger, clock)
        self._upstreams = upstreams
        self._names = Names()

    def knows(self, server: str) -> bool:
        """Whether the running bundle has a server of that name."""
        return server in self._desk.bundle.catalog.servers

    def resolve(self, exposed: str) -> tuple[str, str]:
        """The `(server, tool)` that an exposed name stands for; unknown ones as they read."""
        return self._names.resolve(self._desk.bundle, exposed)

    def list_tools(self, authority: Authority, server: str | None) -> Sequence[Tool]:
        """The tools shown to `authority`, of one server or of all, in the catalog's order.

        By agents and bundle alone: no upstream is asked.
        """
        shown = self._names.visible(self._desk.bundle, authority.agents)
        return [tool for tool in shown if server is None or tool.server == server]

    async def can(self, authority: Authority, server: str, tool: str, arguments: Mapping[str, Json]) -> Decision:
        """As `Control.can`, after a look at what the server offers now, where it can be asked."""
        upstream = self._upstreams.get(server)
        if upstream is not None:
            with contextlib.suppress(UpstreamUnreachable):
                self._desk.look(server, await upstream.definitions("", Era.STATELESS))
        return await super().can(authority, server, tool, arguments)

    async def end_session(self, sid: str, by: str) -> Receipt:
        """End `sid` as in `Control.end_session`, then let its upstream children go."""
        receipt = await super().end_session(sid, by)
        for upstream in tuple(self._upstreams.values()):
            await upstream.end_session(sid)
        return receipt

    async def call_tool(
        self,
        authority: Authority,
        era: Era,
        server: str,
        tool: str,
        arguments: Mapping[str, Json],
        arguments_canonical: bytes,
    ) -> Answer:
        """Have one call judged and, where it may run, run.

        `arguments_canonical` is the RFC 8785 form of `arguments`. Cancelling cancels upstream;
        the outcome is recorded all the same.
        """
        action = Action(ActionKind.CALL_TOOL, server, tool, arguments_canonical, arguments, authority)
        sids = [link.sid for link in authority.links]
        try:
            await self._memory.hold(sids)
            try:
                return await self._way(action, era)
            finally:
                self._memory.release(sids, self._clock.monotonic_s())
        except LedgerUnwritable as error:
            return _unwritable(error, None)
        except Exception as error:  # noqa: BLE001 - INVARIANT(deny-on-error)
            return _internal(error)

    async def _way(self, action: Action, era: Era) -> Answer:
        deadline_s: float | None = None
        while True:
            live, unreachable = await self._live(action, era)
            attempt = self._desk.judge(action, live)
            match attempt.decision.verdict:
                case Permit():
                    return await self._run(action, attempt, era)
                case Deny():
                    return await self._refuse(attempt, unreachable)
                case Escalate() as verdict:
                    refused = await self._settled(attempt)
                    if refused is not None:
                        return refused
                    now_s = self._clock.monotonic_s()
                    if deadline_s is None:
                        deadline_s = now_s + _hold_s(attempt.decision)
                    answer = await self._wait(action.authority, attempt, verdict, deadline_s)
                    if answer is not None:
                        return answer
                case _:
                    assert_never(attempt.decision.verdict)

    async def _live(self, action: Action, era: Era) -> tuple[Sequence[Definition] | None, Reason | None]:
        """The live tools of the action's server, or why they are not known."""
        upstream = self._upstreams.get(action.server)
        if upstream is None:
            return None, None
        try:
            return await upstream.definitions(action.authority.acting.sid, era), None
        except UpstreamUnreachable as error:
            return None, Reason(Code.TOOL_UNVERIFIED, str(error))

    async def _refuse(self, attempt: Attempt, unreachable: Reason | None) -> Refused:
        refused = await self._settled(attempt)
        if refused is not None:
            return refused
        reasons = attempt.decision.reasons
        if unreachable is not None and any(r.code is unreachable.code for r in reasons):
            reasons = (*reasons, unreachable)
        return Refused(reasons, attempt.ref)

    async def _settled(self, attempt: Attempt) -> Refused | None:
        """None once the record of `attempt` is durable; a refusal when it never will be."""
        try:
            await attempt.pending.durable
        except LedgerUnwritable as error:
            return _unwritable(error, attempt.ref)
        return None

    async def _wait(
        self, authority: Authority, attempt: Attempt, verdict: Escalate, deadline_s: float
    ) -> Answer | None:
        """Wait for people until `deadline_s`; None when the action should be judged again."""
        ident = attempt.waits_for
        assert ident is not None, "an escalated attempt waits for an approval"  # noqa: S101
        while True:
            why = self._stop_reason(authority)
            if why is not None:
                return Refused((why,), ident)
            approval = self._memory.approval(ident)
            if approval is None:
                approval = await self._ledger.approval(ident)
            state = State.EXPIRED if approval is None else approval.state
            match state:
                case State.PENDING:
                    left_s = deadline_s - self._clock.monotonic_s()
                    if left_s <= 0:
                        return Awaiting(ident, verdict.gates, attempt.decision.reasons)
                    await self._memory.changed(min(left_s, REREAD_S))
                case State.DENIED:
                    by = "" if approval is None else f" by {approval.refused_by}"
                    reason = Reason(Code.GATE, f"people were asked and it was refused{by}")
                    return Refused((reason, *attempt.decision.reasons), ident)
                case State.EXPIRED:
                    reason = Reason(Code.GATE, "people were asked and nobody decided in time")
                    return Refused((reason, *attempt.decision.reasons), ident)
                case _:
                    # Approved, or used by a twin of this call: judge what is true now.
                    return None

    async def _run(self, action: Action, attempt: Attempt, era: Era) -> Answer:
        tool = _forward_of(attempt.decision).tool
        try:
            refused = await self._settled(attempt)
        except asyncio.CancelledError:
            self._abandon(attempt, tool, Status.NOT_SENT)
            raise
        if refused is not None:
            return refused
        upstream = self._upstreams.get(action.server)
        why = self._stop_reason(action.authority)
        if upstream is None and why is None:
            why = Reason(Code.UNKNOWN_SERVER, "the server was removed from the running bundle")
        if upstream is None or why is not None:
            return await self._stop(attempt, tool, why)
        return await self._forward(action, attempt, era, upstream)

    async def _forward(self, action: Action, attempt: Attempt, era: Era, upstream: Upstream) -> Answer:
        forward = _forward_of(attempt.decision)
        started_s = self._clock.monotonic_s()
        sid = action.authority.acting.sid
        try:
            reply = await upstream.call(sid, era, forward.tool.name, forward.arguments)
        except asyncio.CancelledError:
            self._abandon(attempt, forward.tool, Status.LOST)
            raise
        except Exception as error:  # noqa: BLE001 - INVARIANT(deny-on-error)
            text = f"the call failed in Remit ({type(error).__name__})"
            reply = Failure("internal", text, sent=True)
        elapsed_ms = (self._clock.monotonic_s() - started_s) * 1000
        shown = clean(reply)
        judged = self._judged(attempt, forward.tool, shown)
        data = seal(judged.release)
        if data is None:
            shown = withheld("it holds a value that has no JSON form")
            judged = self._judged(attempt, forward.tool, shown)
            data = seal(judged.release) or b"{}"
        try:
            await self._end(attempt, judged, shown, data, elapsed_ms).durable
        except LedgerUnwritable as error:
            return _unwritable(error, attempt.ref)
        return Released(data)

    async def _stop(self, attempt: Attempt, tool: Tool, why: Reason | None) -> Refused:
        reason = why or Reason(Code.INTERNAL, "the call was stopped")
        shown = Shown({}, Status.NOT_SENT, reason.text)
        try:
            judged = self._judged(attempt, tool, shown)
            await self._end(attempt, judged, shown, b"", 0.0).durable
        except LedgerUnwritable as error:
            return _unwritable(error, attempt.ref)
        return Refused((reason,), attempt.ref)

    def _abandon(self, attempt: Attempt, tool: Tool, status: Status) -> None:
        """The client is gone: queue the outcome, and wait for nothing."""
        shown = Shown({}, status, "the client went away")
        judged = self._judged(attempt, tool, shown)
        with contextlib.suppress(LedgerUnwritable):
            pending = self._end(attempt, judged, shown, b"", 0.0)
            asyncio.ensure_future(pending.durable).add_done_callback(_seen)

    def _judged(self, attempt: Attempt, tool: Tool, shown: Shown) -> Judgement:
        return judge_result(self._desk.bundle, tool, attempt.sessions, shown.status, shown.value)

    def _end(self, attempt: Attempt, judged: Judgement, shown: Shown, data: bytes, elapsed_ms: float) -> Pending:
        """Queue the outcome; memory has its labels at once. Raises `LedgerUnwritable`.

        Of a call that was not sent no result is recorded: what its caller reads is ours alone.
        """
        result = b"" if shown.status is Status.NOT_SENT else data
        body = OutcomeBody(
            intent=attempt.ref,
            status=shown.status,
            sids=judged.sids,
            labels=tuple(sorted(judged.labels)),
            approval=attempt.body.approval,
            result=digest(result) if result else None,
            result_bytes=len(result),
            elapsed_ms=round(elapsed_ms, 3),
            error=shown.error,
        )
        return self._desk.append(RecordKind.OUTCOME, attempt.sessions[-1].sid, body)


def _hold_s(decision: Decision) -> float:
    return max((e.hold_s for e in decision.effects if isinstance(e, Hold)), default=0.0)


def _forward_of(decision: Decision) -> Forward:
    for effect in decision.effects:
        if isinstance(effect, Forward):
            return effect
    raise AssertionError("a permitted call says what to forward")


def _seen(task: "asyncio.Future[Receipt]") -> None:
    """Take note of how a record ended that nobody waits for; the ledger itself is poisoned."""
    if not task.cancelled():
        task.exception()


def _unwritable(error: LedgerUnwritable, ref: str | None) -> Refused:
    text = f"the ledger takes no records ({error}): nothing is permitted"
    return Refused((Reason(Code.LEDGER_UNWRITABLE, text),), ref)


def _internal(error: Exception) -> Refused:
    # Its message may hold arguments; its type and place do not.
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f"{PurePath(place[0].filename).name}:{place[0].lineno}" if place else "nowhere"
    _LOG.error("a call was denied on an error of ours: %s at %s", type(error).__name__, where)
    text = f"Remit failed while judging this call ({type(error).__name__}); see: remit logs"
    return Refused((Reason(Code.INTERNAL, text),), None)

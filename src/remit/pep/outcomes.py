"""How an action ends: its outcome with the labels it brought, durable before anything is released."""

import asyncio
import contextlib
import logging
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from remit.facts.action import Action, ActionKind
from remit.facts.budget import Charge, Refund, refunds_at_end, result_bytes_max
from remit.facts.canonical import Json, digest
from remit.facts.mark import Mark
from remit.facts.record import Receipt, RecordKind
from remit.pdp.past import marks_at_end
from remit.pdp.result_judgement import ResultJudgement, judge_result
from remit.pep.answer import Answer, Failed, Refused, Released
from remit.pep.argument_edits import with_notice, with_word
from remit.pep.attempt import Attempt
from remit.pep.decision_effects import append_of, reached_of
from remit.pep.decision_engine import DecisionEngine
from remit.pep.detections import Detections
from remit.pep.fault import fault
from remit.pep.operation import Operation
from remit.pep.redaction import redact_shown
from remit.pep.release import INTERNAL_ERROR, Releasable, seal, too_long, too_many, was_sent, withheld
from remit.pep.resource_names import with_exposed_uris
from remit.pep.worker_thread import WorkerThread
from remit.policy.verdict import Code, Reason
from remit.ports.ledger import LedgerUnwritable, Pending
from remit.ports.upstream import Failure, Reply
from remit.trace.bodies import ActionBody, OutcomeBody, Status

_LOG: Final = logging.getLogger(__name__)
_T = TypeVar("_T")
_OURS: Final = frozenset({"stopped", "internal", "no_room"})
ON_LOOP_BYTES_MAX: Final = 64 * 1024
"""A longer result is covered and judged by a thread: that takes tens of milliseconds, and seconds for the longest."""


class Outcomes:
    """Outcomes of permitted actions."""

    def __init__(self, engine: DecisionEngine) -> None:
        self._engine = engine
        self._thread = WorkerThread()
        self.reporting = Detections(engine)
        """What people are told of what detectors find."""

    async def release(
        self, operation: Operation, attempt: Attempt, reply: Reply, elapsed_ms: float, *, exposed: bool
    ) -> Answer:
        """The answer that `reply` is, once its outcome is durable; `exposed`: resources have the URIs of `/mcp`.

        Cancelled before that is queued, it is in doubt.
        """
        try:
            releasable, judged, data = await self._readied(operation, attempt, reply, exposed=exposed)
        except Exception:
            # An intent without an end would hold what it reserved until the next start.
            status = Status.LOST if was_sent(reply) else Status.NOT_SENT
            self.abandon(operation, attempt, status, "Remit failed in judging what its server answered")
            raise
        try:
            pending = self._end(operation, attempt, judged, releasable, data, elapsed_ms)
            self._engine.breakers.count_ended(
                operation.action, attempt.ref, failed=_failed(reply, releasable), took_ms=elapsed_ms
            )
            if judged.detections:
                self.reporting.report(attempt, operation.action, judged)
            await pending.durable
        except LedgerUnwritable as error:
            return unwritable(error, attempt.ref, sent=releasable.status is not Status.NOT_SENT)
        if releasable.failed is not None:
            code, message = releasable.failed
            return Failed(code, message, attempt.ref, releasable.needs, releasable.addresses)
        return Released(data, judged.labels)

    async def _readied(
        self, operation: Operation, attempt: Attempt, reply: Reply, *, exposed: bool
    ) -> tuple[Releasable, ResultJudgement, bytes]:
        """What of `reply` may be shown, as it is judged, and the bytes of it."""
        of_tool = operation.action.kind is ActionKind.CALL_TOOL
        releasable, sealed = _sealed(operation.show(reply), of_tool=of_tool)
        if len(sealed) > ON_LOOP_BYTES_MAX and not self._thread.has_room(
            operation.action.authority.acting.agent, len(sealed)
        ):
            releasable, sealed = _sealed(too_many(releasable, call=of_tool), of_tool=of_tool)
        if attempt.result_obligations:
            cover = partial(
                redact_shown, attempt.result_obligations, releasable, reached_of(attempt.decision).tool, of_tool=of_tool
            )
            releasable = await self._off_loop(operation, attempt, len(sealed), cover)
            releasable, sealed = _sealed(releasable, of_tool=of_tool)
        judged = await self._judged_in_turn(operation, attempt, releasable, len(sealed))
        server = operation.action.server if exposed else None
        leaving = _leaving(attempt, releasable, judged, server)
        data = sealed if leaving is releasable.value else seal(leaving) or b"{}"
        if (most := _shown_max(operation, attempt)) is not None and len(data) > most:
            releasable = too_long(releasable, len(data), most, call=of_tool)
            judged = self._judged(operation, attempt, releasable)
            data = seal(_leaving(attempt, releasable, judged, server)) or b"{}"
        return releasable, judged, data

    async def stop(
        self, operation: Operation, attempt: Attempt, why: Reason, status: Status = Status.NOT_SENT
    ) -> Refused:
        """A permitted action that does not run, or not on, because of `why`."""
        releasable = Releasable({}, status, why.text)
        try:
            pending = self._end(operation, attempt, self._judged(operation, attempt, releasable), releasable, b"", 0.0)
            self._engine.breakers.count_ended(operation.action, attempt.ref, failed=None, took_ms=0.0)
            await pending.durable
        except LedgerUnwritable as error:
            return unwritable(error, attempt.ref, sent=status is not Status.NOT_SENT)
        return Refused((why,), attempt.ref, sent=status is not Status.NOT_SENT)

    def abandon(
        self, operation: Operation, attempt: Attempt, status: Status, why: str = "the client went away"
    ) -> None:
        """Nobody waits for it: queue the outcome, and wait for nothing."""
        releasable = Releasable({}, status, why)
        judged = self._judged(operation, attempt, releasable)
        with contextlib.suppress(LedgerUnwritable):
            pending = self._end(operation, attempt, judged, releasable, b"", 0.0)
            self._engine.breakers.count_ended(operation.action, attempt.ref, failed=None, took_ms=0.0)
            asyncio.ensure_future(pending.durable).add_done_callback(take_note)

    async def _off_loop(self, operation: Operation, attempt: Attempt, size: int, work: Callable[[], _T]) -> _T:
        """What `work` makes of a result of `size` bytes: of a large one in a thread, while the loop serves others."""
        if size <= ON_LOOP_BYTES_MAX:
            return work()
        try:
            return await self._thread.run(operation.action.authority.acting.agent, size, work)
        except asyncio.CancelledError:
            self.abandon(operation, attempt, Status.LOST)
            raise

    async def _judged_in_turn(
        self, operation: Operation, attempt: Attempt, releasable: Releasable, size: int
    ) -> ResultJudgement:
        """As `_judged`, in a thread if need be; anew where another bundle runs by then."""
        aside = size > ON_LOOP_BYTES_MAX
        while True:
            bundle = self._engine.bundle
            judged = await self._off_loop(
                operation, attempt, size, self._judging(operation, attempt, releasable, aside=aside)
            )
            if self._engine.bundle is bundle:
                return judged

    def _judged(self, operation: Operation, attempt: Attempt, releasable: Releasable) -> ResultJudgement:
        return self._judging(operation, attempt, releasable)()

    def _judging(
        self, operation: Operation, attempt: Attempt, releasable: Releasable, *, aside: bool = False
    ) -> Callable[[], ResultJudgement]:
        """What judges `releasable`, by all that is known as of now; `aside`: in another thread."""
        reached = reached_of(attempt.decision)
        action, bundle = operation.action, self._engine.bundle
        stored = self._engine.stored(action)
        # What its agent is not told grounds nothing that he says.
        is_learned = operation.to_agent and releasable.status is not Status.NOT_SENT
        call = self._engine.tracing.call(attempt.ref, action, attempt.answers) if is_learned else None
        if aside and call is not None:
            server = None if call.server is None else call.server.beside()
            call = replace(call, origins=call.origins.beside(), server=server)
        return partial(
            judge_result,
            bundle,
            reached,
            action.server,
            attempt.sessions,
            releasable.status,
            releasable.judged_value,
            stored,
            call=call,
        )

    def _end(
        self,
        operation: Operation,
        attempt: Attempt,
        judged: ResultJudgement,
        releasable: Releasable,
        data: bytes,
        elapsed_ms: float,
    ) -> Pending:
        """Queue the outcome; memory has its labels at once. Raises `LedgerUnwritable`.

        Of an action that was not sent no result is recorded: what its caller reads is ours alone.
        """
        result = b"" if releasable.status is Status.NOT_SENT else data
        body = OutcomeBody(
            intent=attempt.ref,
            status=releasable.status,
            sids=judged.sids,
            labels=tuple(sorted(judged.labels)),
            approval=attempt.approval,
            result=digest(result) if result else None,
            result_bytes=len(result),
            elapsed_ms=round(elapsed_ms, 3),
            error=releasable.error,
            origins=b64encode(judged.origins.pack()).decode("ascii") if judged.origins else None,
            refunds=_refunds(operation, attempt, releasable.status, len(result)),
            marks=self._marks(operation.action, attempt, releasable),
        )
        return self._engine.append(RecordKind.OUTCOME, attempt.sessions[-1].sid, body)

    def _marks(self, action: Action, attempt: Attempt, releasable: Releasable) -> tuple[Mark, ...]:
        """What the end of `attempt` changes of what monitors keep."""
        reached = reached_of(attempt.decision)
        if not reached.feeds.ended:
            return ()
        return marks_at_end(
            self._engine.bundle.catalog, action, reached, attempt.at_ms, releasable.status, releasable.value
        )


def _sealed(releasable: Releasable, *, of_tool: bool) -> tuple[Releasable, bytes]:
    """`releasable` and the bytes of it; it is withheld where it has none."""
    sealed = seal(releasable.value)
    if sealed is not None:
        return releasable, sealed
    releasable = withheld("it holds a value that has no JSON form")
    if not of_tool:
        releasable = Releasable(
            {}, releasable.status, releasable.error, failed=(INTERNAL_ERROR, releasable.error or "")
        )
    return releasable, seal(releasable.value) or b"{}"


def _leaving(attempt: Attempt, releasable: Releasable, judged: ResultJudgement, server: str | None) -> Json:
    """What leaves: with a word of ours, which is judged as nobody's, where other arguments ran.

    Resources have their own URIs, or the exposed ones of `server`.
    """
    if releasable.failed is not None:
        return releasable.value
    value = judged.release if server is None else with_exposed_uris(server, judged.release)
    if not isinstance(value, Mapping):
        return value
    if attempt.edited is not None:
        return with_notice(value, attempt.edited.arguments)
    return value if attempt.shaped is None else with_word(value, attempt.shaped.arguments)


def _failed(reply: Reply, releasable: Releasable) -> bool | None:
    """Whether a tool or its server failed; None where a stop or an error of ours ended it."""
    if isinstance(reply, Failure) and reply.cause in _OURS:
        return None
    return releasable.status is not Status.OK


def _charges(attempt: Attempt) -> tuple[Charge, ...]:
    body = append_of(attempt.decision).body
    return body.charges if isinstance(body, ActionBody) else ()


def _refunds(operation: Operation, attempt: Attempt, status: Status, result: int) -> tuple[Refund, ...]:
    """INVARIANT(budget-never-overspent): what may have been spent stays spent."""
    charges = _charges(attempt)
    if not charges:
        return ()
    return refunds_at_end(
        charges, sent=status is not Status.NOT_SENT, argument_bytes=operation.action.size, result_bytes=result
    )


def _shown_max(operation: Operation, attempt: Attempt) -> int | None:
    """How many bytes may be shown, where a budget counts them."""
    charges = _charges(attempt)
    return result_bytes_max(charges, operation.action.size) if charges else None


def unwritable(error: LedgerUnwritable, ref: str | None, *, sent: bool = False) -> Refused:
    """The answer where the ledger takes no record, `sent` where it would have been that of an end."""
    text = f"the ledger takes no records ({error}): nothing is permitted"
    return Refused((Reason(Code.LEDGER_UNWRITABLE, text),), ref, sent)


def take_note(task: "asyncio.Future[Receipt]") -> None:
    """Take note of how a record ended that nobody waits for; the ledger itself is poisoned."""
    if not task.cancelled():
        task.exception()


def internal(error: Exception, *, sent: bool = False) -> Refused:
    """The answer on an error of ours, `sent` where the server had the call. INVARIANT(deny-on-error)."""
    _LOG.error("a call was denied on an error of ours", extra=fault(error))
    text = f"Remit failed in this call ({type(error).__name__}); see: remit logs"
    return Refused((Reason(Code.INTERNAL, text),), None, sent)

"""Rounds of an action: what its server asks the client, and how the action goes on with the answers.

Laws
* What the client may not be asked (`pep.questions`) is refused to the server without a word to it.
* With answers the action is judged anew, as the same action with more to it; they pass once their
  `exchange` is durable. INVARIANT(approval-binds-exact-action): an approval covers the answers it showed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from remit.facts.action import Action
from remit.facts.agent import Authority
from remit.facts.canonical import Json
from remit.pep.action_pipeline import ActionPipeline
from remit.pep.answer import Answer, Awaiting, AwaitingInput, Client, Refused
from remit.pep.attempt import Attempt
from remit.pep.memory import Memory
from remit.pep.questions import Questions, may_be_asked, with_responses
from remit.pep.release import was_sent
from remit.pep.responses import answers_to
from remit.pep.rounds import EXPIRES_S, ROUNDS_MAX, ActionUnderWay, Rounds
from remit.pep.tasks import Tasks
from remit.policy.verdict import Code, Reason
from remit.ports.system import Clock
from remit.ports.upstream import Era, Failure, InputRequired, Question, Reply, TaskStarted, UpstreamContext

_PAUSE_S: Final = 0.1
_LEAVING_S: Final = 2.0
_GONE: Final = "the client went away"


class Conversation:
    """Actions whose servers ask back."""

    def __init__(
        self, pipeline: ActionPipeline, questions: Questions, tasks: Tasks, memory: Memory, clock: Clock
    ) -> None:
        self._pipeline = pipeline
        self._questions = questions
        self._tasks = tasks
        self._memory = memory
        self._clock = clock
        self._rounds = Rounds(self._expire)
        self._leaving: set[asyncio.Task[None]] = set()

    async def settle(self, under: ActionUnderWay, reply: Reply) -> Answer:
        """The answer to the client's request that led to `reply`."""
        return await self._pipeline.answered(self._settled(under, reply), sent=was_sent(reply))

    async def _settled(self, under: ActionUnderWay, reply: Reply) -> Answer:
        while isinstance(reply, InputRequired):
            under.input_required = reply
            under.number += 1
            if under.number > ROUNDS_MAX or not self._rounds.has_room(under):
                self._drop(under, reply)
                text = f"the server asks more than {ROUNDS_MAX} times, or too many wait for answers"
                reply = Failure("rounds", text, sent=True)
                break
            try:
                with self._rounds.room(under):
                    questions = await self._ask(under, reply)
            except BaseException:
                # Cancelled, or an error of ours: either way nobody will answer, and the outcome says so.
                self._leave(under)
                raise
            if questions and not self._is_stopped(under):
                return self._asking(under, questions)
            reply = await self._resume(under, reply, dict.fromkeys(reply.questions))
        if under.halted is not None:
            self._questions.forgotten(under)
            return await self._pipeline.stop(under, under.halted)
        if isinstance(reply, TaskStarted):
            return await self._tasks.begin(under, reply)
        return await self._pipeline.finish(under, reply)

    async def resume(self, authority: Authority, client: Client, round_: str, responses: Mapping[str, Json]) -> Answer:
        """Go on with the action that waits as `round_`."""
        under = self._rounds.take(round_, authority)
        if under is not None and under.halted is not None:
            self._let_go(under)
            return Refused((under.halted,), under.attempt.ref, sent=True)
        if under is None:
            text = "no action of this agent waits under that state: it was used, has ended, or is another's"
            return Refused((Reason(Code.ROUND_UNKNOWN, text),), None)
        # Whoever asks to go on holds them now.
        self._let_go(under)
        return await self._go_on(under, client, responses)

    def forsake(self, authority: Authority, round_: str) -> None:
        """The client will not answer: cancel upstream, record the outcome."""
        under = self._rounds.take(round_, authority)
        if under is not None:
            self._over(under)

    def under_way(self, is_over: Callable[[Action], bool]) -> Sequence[str]:
        """The decision ids of actions that wait for their clients, of those that `is_over` is true of."""
        return [under.attempt.ref for under in self._rounds.of(is_over)]

    def cut(self, is_over: Callable[[Action], bool], why: Reason) -> Sequence[str]:
        """End them because of `why`: their servers are told, and their clients; what became of them is in doubt.

        INVARIANT(stop-wins)
        """
        affected = self._rounds.of(is_over)
        for under in affected:
            under.halted = why
            self._leave(under, why.text)
            if under.completion is not None and not under.completion.done():
                under.completion.set_result(None)
        return [under.attempt.ref for under in affected]

    async def close(self) -> None:
        """The service stops: what waits for a client ends, and its server is told while that can be done."""
        self._rounds.end()
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=_LEAVING_S)

    async def _go_on(self, under: ActionUnderWay, client: Client, responses: Mapping[str, Json]) -> Answer:
        input_required = under.input_required
        assert input_required is not None, "a round was opened by a question"  # noqa: S101
        under.client = client
        responses_kept = under.responses
        if responses_kept is None:
            under.collected = {
                **under.collected,
                **{key: response for key, response in responses.items() if key in under.questions},
            }
            missing = self._missing(under)
            if missing and not self._is_stopped(under):
                under.again += 1
                return self._asking(under, missing)
            responses_kept = answers_to(under.questions, under.collected)
        action = with_responses(under, under.questions, responses_kept)
        try:
            attempt = await self._pipeline.attempt(action, client)
            if isinstance(attempt, Awaiting):
                under.responses = responses_kept
                self._open(under)
                return attempt
            if isinstance(attempt, Attempt):
                await attempt.pending.durable
        except BaseException:
            self._leave(under)
            raise
        why = self._pipeline.stopped(action)
        if not isinstance(attempt, Attempt) or why is not None:
            self._questions.forgotten(under)
            self._drop(under, input_required)
            denied = attempt.reasons if isinstance(attempt, Refused) else ()
            refused = await self._pipeline.stop(
                under, why or Reason(Code.ROUND_REFUSED, "its answers were not permitted")
            )
            return replace(refused, reasons=(*refused.reasons, *denied))
        under.responses = None
        self._questions.answered(under, responses_kept)
        under.answered(responses_kept)
        answers = dict.fromkeys(input_required.questions) | dict(responses_kept)
        return await self.settle(under, await self._resume(under, input_required, answers))

    async def _resume(
        self, under: ActionUnderWay, input_required: InputRequired, responses: Mapping[str, Json]
    ) -> Reply:
        async def go_on(along: UpstreamContext) -> Reply:
            if not input_required.questions:
                # A server that asks nothing wants time (MCP 2026-07-28, multi round-trip requests).
                try:
                    await asyncio.sleep(_PAUSE_S)
                except asyncio.CancelledError:
                    self._drop(under, input_required)
                    raise
            # INVARIANT(stop-wins): read last, with no await before the answers leave.
            if self._is_stopped(under):
                self._drop(under, input_required)
                return Failure("stopped", "it was stopped", sent=True)
            return await under.upstream.resume(input_required.continuation, responses, along)

        return await self._pipeline.send(under, go_on)

    def _is_stopped(self, under: ActionUnderWay) -> bool:
        """Whether `under` may go on no more; then it says why."""
        under.halted = under.halted or self._pipeline.stopped(under.operation.action)
        return under.halted is not None

    async def _ask(self, under: ActionUnderWay, input_required: InputRequired) -> Mapping[str, Question]:
        """What of it the client may be asked, once that is recorded and all that was said before it is told."""
        questions = await self._questions.put(under, input_required.questions)
        if questions:
            under.questions, under.collected, under.again = questions, {}, 0
            await under.notices.flush()
        return questions

    @staticmethod
    def _missing(under: ActionUnderWay) -> Mapping[str, Question]:
        """What a stateless client still has to be asked; what is missing elsewhere, or for too long, was declined."""
        if under.client.era is not Era.STATELESS or under.again >= ROUNDS_MAX:
            return {}
        missing = {key: asks for key, asks in under.questions.items() if key not in under.collected}
        return {key: asks for key, asks in missing.items() if may_be_asked(under.client.capabilities, asks)}

    def _asking(self, under: ActionUnderWay, questions: Mapping[str, Question]) -> AwaitingInput:
        expires_ms = self._clock.now_ms() + int(EXPIRES_S * 1000)
        under.completion = over = asyncio.get_running_loop().create_future()
        return AwaitingInput(
            self._open(under), questions, under.attempt.action, under.attempt.approval, expires_ms, over
        )

    def _open(self, under: ActionUnderWay) -> str:
        self._memory.retain(under.sids)
        return self._rounds.open(under)

    def _let_go(self, under: ActionUnderWay) -> None:
        self._memory.release(under.sids, self._clock.monotonic_s())

    def _expire(self, under: ActionUnderWay) -> None:
        self._over(under, "the client did not answer in time")

    def _over(self, under: ActionUnderWay, why: str = _GONE) -> None:
        """Nobody answers an open round: its action ends, unless it was stopped."""
        if under.halted is None:
            self._leave(under, why)
        self._let_go(under)

    def _leave(self, under: ActionUnderWay, why: str = _GONE) -> None:
        """End an action whose client is gone: the server is told in the background."""
        self._questions.forgotten(under)
        self._pipeline.abandon(under, why)
        if under.input_required is not None:
            self._drop(under, under.input_required)

    def _drop(self, under: ActionUnderWay, input_required: InputRequired) -> None:
        """Tell the server that nobody will answer, in the background: to wait for it could keep an outcome off."""
        task = asyncio.get_running_loop().create_task(under.upstream.drop(input_required.continuation))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

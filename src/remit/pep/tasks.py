"""Calls that their server goes on with as tasks (`io.modelcontextprotocol/tasks`): each is still one action.

Laws
* INVARIANT(label-before-data): a task is told of once an `exchange` with all labels of the action is durable; what
  the server says of it later finds them there. What it came to is the outcome, recorded once, before it is shown.
* The authority that a task was begun for knows it, by a name of ours, and nobody else does.
* What it asks is judged as in a conversation, and so is what the client answers (`pep.questions`).
* A task whose time is over, or whose agent was stopped, is cancelled, and its outcome recorded. Tasks live in memory:
  after a restart their intents are in doubt, and nobody knows them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from remit.facts.action import Action
from remit.facts.agent import Authority
from remit.facts.canonical import Json, canonical
from remit.pep.action_pipeline import ActionPipeline
from remit.pep.answer import Answer, Awaiting, Client, Failed, Refused, Released, Underway
from remit.pep.attempt import Attempt
from remit.pep.decision_engine import DecisionEngine
from remit.pep.detailed_task import DetailedTask, read, read_end
from remit.pep.memory import Memory
from remit.pep.message_filter import show_ended
from remit.pep.notices import ExchangeRecord
from remit.pep.questions import Questions, with_responses
from remit.pep.release import Odd
from remit.pep.responses import answers_to
from remit.pep.rounds import ROUNDS_MAX, ActionUnderWay
from remit.pep.task import KEPT_BYTES_MAX, Task, TaskRegistry
from remit.policy.verdict import Code, Reason
from remit.ports.ledger import LedgerUnwritable
from remit.ports.system import Clock
from remit.ports.upstream import Failure, Question, Reply, Result, TaskStarted, UpstreamContext
from remit.protect.result_obligations import cover_text
from remit.trace.bodies import MidCall

SETTLE_S: Final = 60.0
"""How long a server that was told to cancel has until the outcome is recorded as it then is."""
_INTERNAL: Final = -32603
_NO_SUCH_TASK: Final = -32602
_DECLINE: Final[Mapping[str, Json]] = {"action": "decline"}


class Tasks:
    """The tasks of one service, by the decision id of their action."""

    def __init__(
        self, pipeline: ActionPipeline, questions: Questions, engine: DecisionEngine, memory: Memory, clock: Clock
    ) -> None:
        self._pipeline = pipeline
        self._questions = questions
        self._engine = engine
        self._memory = memory
        self._clock = clock
        self._tasks = TaskRegistry()
        self._aside: set[asyncio.Task[object]] = set()

    async def begin(self, under: ActionUnderWay, begun: TaskStarted) -> Answer:
        """Go on with `under` as the task that its server began."""
        try:
            state = _covered(under, read(begun.task))
        except Odd as odd:
            return await self._pipeline.finish(
                under, Failure("garbage", f"the server's task is withheld: {odd}", sent=True)
            )
        task = Task(
            under, state.ident, state.shown, ExchangeRecord(self._engine, under.attempt, under.operation.action)
        )
        if not self._tasks.has_room(under):
            self._spawn(self._ask(task, "tasks/cancel"))
            return await self._pipeline.finish(under, Failure("tasks", "too many tasks are under way", sent=True))
        under.operation = replace(under.operation, show=show_ended)
        self._memory.retain(under.sids)
        try:
            with self._tasks.room(under):
                await task.recorded.before(under.number, MidCall.TASK, canonical(state.shown))
                await under.notices.flush()
        except (asyncio.CancelledError, LedgerUnwritable):
            self._give_up(task, "the client went away before it knew of its task")
            raise
        if (why := self._pipeline.stopped(under.operation.action)) is not None:
            # Also a session that ended meanwhile: whoever ended it saw no task of its.
            self._stop(task, why)
            return Refused((why,), task.name, sent=True)
        under.notices.close()
        self._tasks.add(task)
        self._until(task, state.ttl_ms / 1000)
        return Underway(under.attempt.ref, task.state)

    def knows(self, authority: Authority, server: str | None, name: str) -> bool:
        """Whether `authority` has a task of that name, of `server` where it is given."""
        return self._of(authority, server, name) is not None

    async def get(self, authority: Authority, client: Client, server: str | None, name: str) -> Answer:
        """How the task fares, its result once it is over."""
        task = self._of(authority, server, name)
        if task is None:
            return _unknown()
        return await self._look(task, client) or await self._state(task)

    async def update(
        self, authority: Authority, client: Client, server: str | None, name: str, responses: Mapping[str, Json]
    ) -> Answer:
        """Pass on the client's answers to what the task asks; others are ignored. `Underway`: done."""
        task = self._of(authority, server, name)
        if task is None:
            return _unknown()
        answers = answers_to({key: asks for key, asks in task.waiting.items() if key in responses}, responses)
        refused = await self._pass_on(task, client, answers) if answers and task.end is None else None
        return refused or Underway(name, task.state)

    async def cancel(self, authority: Authority, client: Client, server: str | None, name: str) -> Answer:
        """Ask the server to cancel the task, which it may or may not. `Underway`: asked."""
        task = self._of(authority, server, name)
        if task is None:
            return _unknown()
        if task.end is None:
            if isinstance(reply := await self._ask(task, "tasks/cancel"), Failure):
                return Failed(_INTERNAL, reply.text, name)
            # Who cancels need not come back: what became of it is recorded all the same.
            await self._look(task, client)
            if task.end is None:
                self._until(task, SETTLE_S)
        return Underway(name, task.state)

    def under_way(self, is_over: Callable[[Action], bool]) -> Sequence[str]:
        """The decision ids of tasks that go on at their servers, of those that `is_over` is true of."""
        return [task.name for task in self._tasks if task.end is None and is_over(task.under.operation.action)]

    def cut(self, is_over: Callable[[Action], bool], why: Reason) -> Sequence[str]:
        """End them because of `why`: their servers are told, what became of them is in doubt."""
        affected = self.under_way(is_over)
        for name in affected:
            if (task := self._tasks.get(name)) is not None:
                self._stop(task, why)
        return affected

    def end_session(self, sid: str) -> None:
        """Give up the tasks of a session that has ended."""
        for task in self._tasks:
            if task.end is None and sid in task.under.sids:
                self._give_up(task, "the session has ended")

    def _of(self, authority: Authority, server: str | None, name: str) -> Task | None:
        task = self._tasks.get(name)
        if task is None:
            return None
        action = task.under.operation.action
        his = action.authority
        is_his = (his.links, his.user) == (authority.links, authority.user)
        return task if is_his and server in {None, action.server} else None

    async def _look(self, task: Task, client: Client) -> Answer | None:
        """Ask the server how `task` fares; what to answer instead, where it does not say."""
        if task.end is not None:
            return None
        if (why := self._pipeline.stopped(task.under.operation.action)) is not None:
            self._stop(task, why)
            return None
        task.under.client = client
        reply = await self._ask(task, "tasks/get")
        if task.end is not None:
            return None
        match reply:
            case Result(value):
                try:
                    return await self._heard(task, _covered(task.under, read_end(value)))
                except (Odd, ValueError) as odd:
                    why = odd if isinstance(odd, Odd) else "it has no JSON form"
                    return Failed(_INTERNAL, f"the server's word of its task is withheld: {why}", task.name)
            case Failure(code=code) if code == _NO_SUCH_TASK:
                task.state = {**task.state, "status": "failed"}
                self._close(task, self._pipeline.finish(task.under, reply))
                return None
            case Failure(_, text):
                return Failed(_INTERNAL, text, task.name)
            case _:
                return Failed(_INTERNAL, "the server asked in place of saying how its task fares", task.name)

    async def _heard(self, task: Task, state: DetailedTask) -> Answer | None:
        if state.ident != task.ident:
            raise Odd("it is of another task")
        if state.end is None:
            fresh = state.shown.get("statusMessage") != task.state.get("statusMessage")
            await task.recorded.before(task.under.number, MidCall.TASK, canonical(state.shown), fresh=fresh)
            if task.end is not None:
                return None
        task.state = state.shown
        if state.end is not None:
            self._close(task, self._pipeline.finish(task.under, state.end))
            return None
        fresh = {key: asks for key, asks in state.questions.items() if task.asked_questions.get(key) != asks}
        if fresh:
            await self._question(task, fresh)
        task.waiting = {key: asks for key, asks in task.waiting.items() if key in state.questions}
        return None

    async def _question(self, task: Task, fresh: Mapping[str, Question]) -> None:
        """Have what the server asks judged; it waits for the client, is declined, or ends the task."""
        under = task.under
        under.number += 1
        if under.number > ROUNDS_MAX:
            self._stop(task, Reason(Code.ROUND_REFUSED, f"the server asks more than {ROUNDS_MAX} times"))
            return
        task.asked_questions.update(fresh)
        try:
            put = await self._questions.put(under, fresh)
        except BaseException:
            for key in fresh:
                del task.asked_questions[key]
            self._questions.answered(under, dict.fromkeys(fresh))
            raise
        refused = fresh.keys() - put.keys()
        refused_methods = sorted({fresh[key].method for key in refused} - {"elicitation/create"})
        if refused_methods and task.end is None:
            # There is no word for no: a task that asks this would wait for ever.
            self._stop(
                task,
                Reason(Code.ROUND_REFUSED, f"its task asks what is not permitted here: {', '.join(refused_methods)}"),
            )
        elif refused and task.end is None:
            reply = await self._ask(task, "tasks/update", inputResponses=dict.fromkeys(sorted(refused), _DECLINE))
            if isinstance(reply, Failure):
                # It is declined again when it is seen again.
                task.asked_questions = {key: asks for key, asks in task.asked_questions.items() if key not in refused}
        if task.end is None:
            task.waiting.update(put)

    async def _pass_on(self, task: Task, client: Client, answers: Mapping[str, Json]) -> Answer | None:
        """Have `answers` judged and pass it on; what to answer where it does not pass."""
        under = task.under
        withdrawn = {key: task.waiting.pop(key) for key in answers}
        passed = False
        try:
            attempt = await self._pipeline.attempt(with_responses(under, withdrawn, answers), client)
            if isinstance(attempt, Awaiting):
                return attempt
            if isinstance(attempt, Attempt):
                await attempt.pending.durable
            why = self._pipeline.stopped(under.operation.action)
            if not isinstance(attempt, Attempt) or why is not None:
                denied = attempt.reasons if isinstance(attempt, Refused) else ()
                why = why or Reason(Code.ROUND_REFUSED, "its answers were not permitted")
                self._stop(task, why)
                return Refused((why, *denied), task.name, sent=True)
            under.answered(answers)
            task.recorded.attempt = under.attempt
            reply = await self._ask(task, "tasks/update", inputResponses=answers) if task.end is None else None
            if isinstance(reply, Failure):
                return Failed(_INTERNAL, reply.text, task.name)
            passed = True
            self._questions.answered(under, answers)
            return None
        finally:
            if not passed and task.end is None:
                task.waiting.update(withdrawn)

    async def _state(self, task: Task) -> Answer:
        state, name = task.state, task.name
        if task.end is None:
            if state["status"] == "input_required" and not task.waiting:
                # Nothing that the client could do for it: the server has what it asked for, or soon.
                state = {**state, "status": "working"}
            return Underway(name, state, dict(task.waiting))
        answer = await asyncio.shield(task.end)
        why = self._pipeline.halted(task.under.operation.action)
        match answer:
            case _ if why is not None:
                return Refused((why,), name, sent=True)
            case Released(result):
                task.kept_bytes = len(result)
                self._tasks.forget(KEPT_BYTES_MAX)
                return Underway(name, state, result=result)
            case Failed(code, message):
                return Underway(name, state, error=None if state["status"] == "cancelled" else (code, message))
            case _:
                return answer

    def _stop(self, task: Task, why: Reason) -> None:
        """End `task` because of `why`; its server is told in the background."""
        self._spawn(self._ask(task, "tasks/cancel"))
        self._close(task, self._pipeline.stop(task.under, why))

    def _give_up(self, task: Task, why: str) -> None:
        """End `task` for nobody: its server is told in the background."""

        async def abandon() -> Answer:
            self._pipeline.abandon(task.under, why)
            return Refused((Reason(Code.TASK_UNKNOWN, why),), task.name)

        self._spawn(self._ask(task, "tasks/cancel"))
        self._close(task, abandon())

    def _close(self, task: Task, ending: Coroutine[Any, Any, Answer]) -> None:
        self._questions.forgotten(task.under)
        task.waiting.clear()
        task.end = asyncio.get_running_loop().create_task(ending)
        task.end.add_done_callback(lambda _: self._memory.release(task.under.sids, self._clock.monotonic_s()))

    def _until(self, task: Task, left_s: float) -> None:
        if task.timer is not None:
            left_s = min(left_s, task.timer.when() - asyncio.get_running_loop().time())
            task.timer.cancel()
        task.timer = asyncio.get_running_loop().call_later(max(left_s, 0.0), self._over, task)

    def _over(self, task: Task) -> None:
        self._tasks.drop(task)
        if task.end is None:
            self._spawn(self._last_look(task))

    async def _last_look(self, task: Task) -> None:
        with contextlib.suppress(LedgerUnwritable):
            await self._look(task, task.under.client)
        if task.end is None:
            self._give_up(task, "the time of its task was over")

    async def _ask(self, task: Task, method: str, **more: Json) -> Reply:
        under = task.under
        params: Mapping[str, Json] = {"taskId": task.ident, **more}
        client = under.client
        along = UpstreamContext(capabilities=client.capabilities, trace=client.trace, hold=client.hold)
        return await under.upstream.ask(under.operation.action.authority.acting.sid, client.era, method, params, along)

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        aside = asyncio.get_running_loop().create_task(work)
        self._aside.add(aside)
        aside.add_done_callback(self._aside.discard)


def _covered(under: ActionUnderWay, state: DetailedTask) -> DetailedTask:
    """`state` with the words of the task as obligations let them out; its questions and its end come later."""
    obligations, message = under.attempt.result_obligations, state.shown.get("statusMessage")
    if not obligations or not isinstance(message, str):
        return state
    return replace(state, shown={**state.shown, "statusMessage": cover_text(obligations, message)})


def _unknown() -> Refused:
    text = "no task of this agent has that id: it is another's, its time is over, or Remit was started anew"
    return Refused((Reason(Code.TASK_UNKNOWN, text),), None)

"""Rounds of an action: what its server asks the client, and how the action goes on with the answers.

Laws
* What a server asks is its text: it leaves once an `exchange` with all the action's labels is durable.
* To sample is `call_model`, to see roots `list_roots`: actions of their own, judged before anybody is asked.
  What is not permitted, or what the client never declared, is refused to the server without a word to it.
* With answers the action is judged anew, as the same action with more to it; they pass once their
  `exchange` is durable. INVARIANT(approval-binds-exact-action): an approval covers the answers it showed.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Final

from remit.facts.action import Action, ActionKind, Within
from remit.facts.agent import Authority
from remit.facts.canonical import Json, canonical
from remit.facts.record import RecordKind
from remit.pep.answer import Answer, Asking, Awaiting, Client, Refused
from remit.pep.judging import Attempt, Desk
from remit.pep.memory import Memory
from remit.pep.rounds import EXPIRES_S, ROUNDS_MAX, Rounds, Under
from remit.pep.showing import show_question
from remit.pep.way import Way
from remit.policy.schema import CLIENT_MODEL
from remit.policy.verdict import Code, Permit, Reason
from remit.ports.ledger import LedgerUnwritable
from remit.ports.system import Clock
from remit.ports.upstream import Asked, Failure, Question, Reply
from remit.trace.bodies import OutcomeBody, Passed, Status

_PAUSE_S: Final = 0.1
_NEEDS: Final[Mapping[str, str]] = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""The capability a client must have declared to be asked."""
_BARE: Final = frozenset({"action"})


class Conversation:
    """Actions whose servers ask back."""

    def __init__(self, way: Way, desk: Desk, memory: Memory, clock: Clock) -> None:
        self._way = way
        self._desk = desk
        self._memory = memory
        self._clock = clock
        self._rounds = Rounds(self._expire)
        self._leaving: set[asyncio.Task[None]] = set()

    async def settle(self, under: Under, reply: Reply) -> Answer:
        """The answer to the client's request that led to `reply`."""
        while isinstance(reply, Asked):
            under.asked = reply
            under.number += 1
            if under.number > ROUNDS_MAX or self._rounds.full:
                await under.upstream.drop(reply.held)
                text = f"the server asks more than {ROUNDS_MAX} times, or too many wait for answers"
                reply = Failure("rounds", text, sent=True)
                break
            try:
                asking = await self._ask(under, reply)
            except asyncio.CancelledError:
                self._leave(under)
                raise
            if asking is not None:
                return asking
            reply = await self._resume(under, reply, dict.fromkeys(reply.questions))
        return await self._way.finish(under, reply)

    async def resume(self, authority: Authority, client: Client, round_: str, responses: Mapping[str, Json]) -> Answer:
        """Go on with the action that waits as `round_`."""
        under = self._rounds.take(round_, authority)
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
            self._leave(under)
            self._let_go(under)

    async def _go_on(self, under: Under, client: Client, responses: Mapping[str, Json]) -> Answer:
        asked = under.asked
        assert asked is not None, "a round was opened by a question"  # noqa: S101
        under.client = client
        kept = under.responses
        if kept is None:
            kept = {key: responses.get(key) for key in under.questions}
        action = _with(under, kept)
        try:
            found = await self._way.decide(action, client)
            if isinstance(found, Awaiting):
                under.responses = kept
                self._open(under)
                return found
            if isinstance(found, Attempt):
                await found.pending.durable
        except asyncio.CancelledError:
            self._leave(under)
            raise
        except LedgerUnwritable:
            self._leave(under)
            raise
        why = self._way.stopped(action.authority)
        if not isinstance(found, Attempt) or why is not None:
            self._answered(under, {})
            await under.upstream.drop(asked.held)
            denied = found.reasons if isinstance(found, Refused) else ()
            refused = await self._way.stop(under, why or Reason(Code.ROUND_REFUSED, "its answers were not permitted"))
            return Refused((*refused.reasons, *denied), under.attempt.ref)
        under.responses = None
        self._answered(under, kept)
        answers = dict.fromkeys(asked.questions) | dict(kept)
        return await self.settle(under, await self._resume(under, asked, answers))

    async def _resume(self, under: Under, asked: Asked, responses: Mapping[str, Json]) -> Reply:
        if not asked.questions:
            # A server that asks nothing wants time (MCP 2026-07-28, multi round-trip requests).
            await asyncio.sleep(_PAUSE_S)
        return await self._way.send(under, partial(under.upstream.resume, asked.held, responses))

    async def _ask(self, under: Under, asked: Asked) -> Asking | None:
        """The question for the client, released; None where there is nothing it may be asked."""
        questions: dict[str, Question] = {}
        models: dict[str, Attempt] = {}
        for key, asks in asked.questions.items():
            shown = show_question(asks)
            if shown is None or _NEEDS[shown.method] not in under.client.capabilities:
                continue
            action = _own(under.errand.action, shown)
            if action is not None:
                attempt = self._desk.judge(action, None)
                await attempt.pending.durable
                if not isinstance(attempt.decision.verdict, Permit):
                    continue
                models[key] = attempt
            questions[key] = shown
        if not questions:
            return None
        content = canonical({key: {"method": asks.method, "params": asks.params} for key, asks in questions.items()})
        under.questions, under.models = questions, models
        await self._desk.pass_on(under.attempt, under.number, Passed.QUESTIONS, content).durable
        await under.notices.flush()
        expires_ms = self._clock.now_ms() + int(EXPIRES_S * 1000)
        return Asking(self._open(under), questions, under.attempt.action, under.attempt.approval, expires_ms)

    def _open(self, under: Under) -> str:
        self._memory.retain(_sids(under))
        return self._rounds.open(under)

    def _let_go(self, under: Under) -> None:
        self._memory.release(_sids(under), self._clock.monotonic_s())

    def _expire(self, under: Under) -> None:
        self._leave(under, "the client did not answer in time")
        self._let_go(under)

    def _answered(self, under: Under, responses: Mapping[str, Json]) -> None:
        """The outcomes of what the client's model was asked."""
        models, under.models = under.models, {}
        for key, attempt in models.items():
            status = Status.NOT_SENT if responses.get(key) is None else Status.OK
            body = OutcomeBody(
                attempt.ref, status, tuple(one.sid for one in attempt.sessions), (), attempt.approval, None, 0, 0.0
            )
            with contextlib.suppress(LedgerUnwritable):
                self._desk.append(RecordKind.OUTCOME, attempt.sessions[-1].sid, body)

    def _leave(self, under: Under, why: str = "the client went away") -> None:
        """End an action whose client is gone: the server is told in the background."""
        self._answered(under, {})
        self._way.abandon(under, why)
        if under.asked is not None:
            task = asyncio.get_running_loop().create_task(under.upstream.drop(under.asked.held))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)


def _sids(under: Under) -> list[str]:
    return [link.sid for link in under.errand.action.authority.links]


def _with(under: Under, responses: Mapping[str, Json]) -> Action:
    action = under.errand.action
    within = Within(
        intent=under.attempt.ref,
        approval=under.attempt.approval,
        number=under.number,
        responses=canonical(responses),
        bare=all(one is None or (isinstance(one, Mapping) and one.keys() <= _BARE) for one in responses.values()),
    )
    return Action(action.kind, action.server, action.name, action.arguments, action.input, action.authority, within)


def _own(action: Action, question: Question) -> Action | None:
    """The action that a question is of its own."""
    match question.method:
        case "sampling/createMessage":
            arguments = canonical(question.params)
            return Action(ActionKind.CALL_MODEL, action.server, CLIENT_MODEL, arguments, {}, action.authority)
        case "roots/list":
            return Action(ActionKind.LIST_ROOTS, action.server, "", b"{}", {}, action.authority)
        case _:
            return None

"""What a server asks in the midst of an action: what of it the client may be asked, and what its answers are.

Laws
* What a server asks is its text: it leaves once an `exchange` with all the action's labels is durable.
* To sample is `call_model`, to see roots `list_roots`: actions of their own, judged before anybody is asked.
  What is not permitted, or what the client never declared, it is never asked.
* Answers are the same action with more to it, to be judged anew.
"""

import contextlib
from collections.abc import Mapping
from typing import Final

from remit.facts.action import Action, ActionKind, Within
from remit.facts.canonical import Json, canonical
from remit.facts.record import RecordKind
from remit.pep.attempt import Attempt
from remit.pep.decision_engine import DecisionEngine
from remit.pep.message_filter import QUESTION_BYTES_MAX, show_question
from remit.pep.redaction import redact_question
from remit.pep.responses import is_bare
from remit.pep.rounds import ActionUnderWay
from remit.policy.schema import CLIENT_MODEL
from remit.policy.verdict import Permit
from remit.ports.ledger import LedgerUnwritable
from remit.ports.upstream import Question
from remit.trace.bodies import MidCall, OutcomeBody, Status

_NEEDS: Final[Mapping[str, str]] = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""The capability a client must have declared to be asked."""


class Questions:
    """What the servers of actions under way ask."""

    def __init__(self, engine: DecisionEngine) -> None:
        self._engine = engine

    async def put(self, under: ActionUnderWay, requests: Mapping[str, Question]) -> Mapping[str, Question]:
        """Those of `requests` that the client may be asked, once that is recorded; `under.models` has their attempts.

        Raises `LedgerUnwritable`.
        """
        questions: dict[str, Question] = {}
        room = QUESTION_BYTES_MAX
        for key, asks in requests.items():
            plain = show_question(asks)
            room -= 0 if plain is None else len(canonical(plain.params))
            question = redact_question(under.attempt.result_obligations, plain) if room >= 0 else None
            if question is None or not may_be_asked(under.client.capabilities, question):
                continue
            action = _own(under.operation.action, question)
            if action is not None:
                attempt = self._engine.judge(action, None)
                if not isinstance(attempt, Attempt):
                    continue
                permitted = isinstance(attempt.decision.verdict, Permit)
                if permitted:
                    under.models = {**under.models, key: attempt}
                await attempt.pending.durable
                if not permitted:
                    continue
            questions[key] = question
        if questions:
            content, action = _canonical_questions(questions), under.operation.action
            await self._engine.pass_on(under.attempt, under.number, MidCall.QUESTIONS, content, action).durable
        return questions

    def answered(self, under: ActionUnderWay, responses: Mapping[str, Json]) -> None:
        """Record the outcomes of what the client's model was asked, as far as `responses` have it; None: not at all."""
        over = {key: attempt for key, attempt in under.models.items() if key in responses}
        under.models = {key: attempt for key, attempt in under.models.items() if key not in over}
        for key, attempt in over.items():
            status = Status.NOT_SENT if responses[key] is None else Status.OK
            body = OutcomeBody(
                attempt.ref, status, tuple(one.sid for one in attempt.sessions), (), attempt.approval, None, 0, 0.0
            )
            with contextlib.suppress(LedgerUnwritable):
                self._engine.append(RecordKind.OUTCOME, attempt.sessions[-1].sid, body)

    def forgotten(self, under: ActionUnderWay) -> None:
        """Nobody answers any more."""
        self.answered(under, dict.fromkeys(under.models))


def may_be_asked(capabilities: Mapping[str, Json], question: Question) -> bool:
    """Whether a client of these `capabilities` declared that it answers such a question."""
    value = capabilities.get(_NEEDS.get(question.method, ""))
    if not isinstance(value, Mapping):
        return False
    if question.method == "elicitation/create" and question.params.get("mode") == "url":
        return "url" in value
    return True


def with_responses(under: ActionUnderWay, questions: Mapping[str, Question], responses: Mapping[str, Json]) -> Action:
    """The action of `under` with the client's answers to `questions`."""
    action = under.operation.action
    within = Within(
        intent=under.attempt.ref,
        approval=under.attempt.approval,
        number=under.number,
        responses=canonical(responses),
        questions=_canonical_questions(questions),
        bare=is_bare(responses),
        own=under.attempt.own,
    )
    return Action(action.kind, action.server, action.name, action.arguments, action.input, action.authority, within)


def _canonical_questions(questions: Mapping[str, Question]) -> bytes:
    """The RFC 8785 form of `questions`."""
    return canonical({key: {"method": asks.method, "params": asks.params} for key, asks in questions.items()})


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

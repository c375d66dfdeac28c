"""What a server's answer means to the one who asked: a result of the right shape, questions, or a failure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from remit.adapters.upstreams.failures import garbage, undeclared
from remit.adapters.upstreams.frames import ErrorFrame, Message, Outcome, members
from remit.adapters.upstreams.requests import IN_ROUNDS, QUESTIONS, UpstreamRequest
from remit.facts.canonical import Json
from remit.facts.capability import takes_tasks
from remit.ports.upstream import (
    Era,
    Failure,
    InputRequired,
    Introduction,
    Question,
    Reply,
    Result,
    TaskStarted,
    UpstreamContext,
)

QUESTIONS_MAX: Final = 32
KEY_CHARS_MAX: Final = 256
STATE_CHARS_MAX: Final = 256 * 1024
_ENVELOPE: Final = frozenset({"_meta", "resultType"})
_PROTOCOL: Final = _ENVELOPE | {"ttlMs", "cacheScope"}
"""Members that are of the protocol; a task's `ttlMs` is its own, no hint for a cache."""
_SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
_LISTS: Final[Mapping[str, str]] = {
    "tools/call": "content",
    "tools/list": "tools",
    "resources/read": "contents",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/get": "messages",
    "prompts/list": "prompts",
}
"""The member of a result that has to be a list of objects."""


@dataclass(slots=True)
class Retry:
    """What a server of 2026-07-28 asked in: the same request is sent again with the answers, once."""

    sid: str
    era: Era
    request: UpstreamRequest
    state: str | None = None
    questions: Mapping[str, Question] = field(default_factory=dict[str, Question])
    used: bool = False

    def responses(self, answers: Mapping[str, Json]) -> Mapping[str, Json]:
        """`inputResponses`: answers to what was asked alone; a refused elicitation is declined, others left out."""
        responses: dict[str, Json] = {}
        for key, question in self.questions.items():
            answer = answers.get(key)
            if answer is not None:
                responses[key] = answer
            elif question.method == "elicitation/create":
                responses[key] = {"action": "decline"}
        return responses


def reply_of(server: str, method: str, outcome: Outcome) -> Reply:
    """The reply that `outcome` of a request stands for, where a server may not ask by it."""
    if isinstance(outcome, ErrorFrame):
        return outcome.failure
    if outcome.result.get("resultType", "complete") != "complete":
        return garbage(server, "a result of a type that was not offered")
    return _complete(server, method, outcome.result)


def reply_or_asked(server: str, retry: Retry, outcome: Outcome, context: UpstreamContext) -> Reply:
    """The same of a server of 2026-07-28, which may ask by `input_required`: then `retry` goes on.

    A call may also be answered with a task, to a client that declared that it takes one.
    """
    if isinstance(outcome, ErrorFrame):
        return outcome.failure
    match outcome.result.get("resultType"):
        case "input_required" if retry.request.method in IN_ROUNDS:
            return _input_required(server, retry, outcome.result, context)
        case "task" if retry.request.method == "tools/call" and takes_tasks(context.capabilities):
            return TaskStarted({key: item for key, item in outcome.result.items() if key not in _ENVELOPE})
        case _:
            return reply_of(server, retry.request.method, outcome)


def introduction(result: Message) -> Introduction:
    """What the result of `server/discover` or `initialize` says of the server."""
    instructions = result.get("instructions")
    return Introduction(members(result.get("capabilities")), instructions if isinstance(instructions, str) else None)


def _complete(server: str, method: str, result: Message) -> Reply:
    is_error = False
    if method == "tools/call" and result.get("content") is None and "structuredContent" in result:
        # Clients take it: what has a structure may say nothing else.
        result = {**result, "content": []}
    if (name := _LISTS.get(method)) is not None:
        items = result.get(name)
        if not isinstance(items, list) or any(type(item) is not dict for item in items):
            return garbage(server, f"a {method} result whose `{name}` is no list of objects")
    if method == "tools/call":
        flag = result.get("isError")
        if not isinstance(flag, bool | None):
            return garbage(server, "a tool result whose `isError` is no boolean")
        is_error = flag is True
    elif method == "completion/complete" and not isinstance(result.get("completion"), Mapping):
        return garbage(server, "a completion that is no object")
    dropped = _ENVELOPE if method == "tasks/get" else _PROTOCOL
    value = {key: item for key, item in result.items() if key not in dropped}
    if method == "tools/call" and (meta := members(result.get("_meta"))):
        meta_kept = {key: item for key, item in meta.items() if key != _SERVER_INFO}
        if meta_kept:
            value["_meta"] = meta_kept
    return Result(value, is_error)


def _input_required(server: str, retry: Retry, result: Message, context: UpstreamContext) -> Reply:
    state, requests = result.get("requestState"), result.get("inputRequests")
    if (
        not isinstance(state, str | None)
        or not isinstance(requests, Mapping | None)
        or (state is None and not requests)
    ):
        return garbage(server, "an input_required result without a usable inputRequests or requestState")
    if len(state or "") > STATE_CHARS_MAX:
        return garbage(server, f"a requestState above {STATE_CHARS_MAX} characters")
    questions: dict[str, Question] = {}
    for key, item in (requests or {}).items():
        question = question_of(item)
        if question is None or len(key) > KEY_CHARS_MAX or len(questions) >= QUESTIONS_MAX:
            return garbage(server, "an input request that is none")
        if QUESTIONS[question.method] not in context.capabilities:
            return undeclared(server, QUESTIONS[question.method])
        questions[key] = question
    return InputRequired(questions, replace(retry, state=state, questions=questions, used=False))


def question_of(message: Json) -> Question | None:
    """The question in a request of a server's; None where it is of another method or shape."""
    if not isinstance(message, Mapping):
        return None
    method, params = message.get("method"), message.get("params")
    if not isinstance(method, str) or method not in QUESTIONS or not isinstance(params, Mapping | None):
        return None
    return Question(method, {key: item for key, item in (params or {}).items() if key != "_meta"})


def unsent(failure: Failure) -> Failure:
    """`failure` of what surely never left: it shows no word of theirs."""
    return replace(failure, sent=False, upstream_text=None, addresses=())

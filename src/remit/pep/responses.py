"""What a client answers to a server's questions, as far as the protocol has it; the other way: `message_filter`.

Laws
* Only members that the protocol names go on, `_meta` never: what is judged, shown to people and sent is this.
* To accept, to decline and to cancel are the only words of an elicitation; any other answer declines it.
"""

from collections.abc import Mapping
from typing import Final

from remit.facts.canonical import Json
from remit.ports.upstream import Question

_DECLINE: Final[Mapping[str, Json]] = {"action": "decline"}
_WORDS: Final = frozenset({"decline", "cancel"})
_SAMPLED: Final = frozenset({"role", "content", "model", "stopReason"})
_ROOT: Final = frozenset({"uri", "name"})
_BARE: Final = frozenset({"action"})


def answers_to(questions: Mapping[str, Question], responses: Mapping[str, Json]) -> dict[str, Json]:
    """What goes on of `responses`, by the keys of `questions`; None for what was not answered."""
    return {key: _answer(question, responses.get(key)) for key, question in questions.items()}


def is_bare(answers: Mapping[str, Json]) -> bool:
    """Whether `answers`, as `answers_to` gives them, say yes or no and bring nothing."""
    return all(
        answer is None or (isinstance(answer, Mapping) and answer.keys() <= _BARE) for answer in answers.values()
    )


def _answer(question: Question, response: Json) -> Json:
    if not isinstance(response, Mapping):
        return None
    match question.method:
        case "elicitation/create":
            return _elicited(response)
        case "sampling/createMessage":
            sampled = {name: value for name, value in response.items() if name in _SAMPLED}
            return sampled if "content" not in sampled else {**sampled, "content": _plain(sampled["content"])}
        case "roots/list":
            roots = response.get("roots")
            return {"roots": [_root(root) for root in roots] if isinstance(roots, list) else []}
        case _:
            return None


def _elicited(response: Mapping[str, Json]) -> Json:
    word, content = response.get("action"), response.get("content")
    if word == "accept":
        if not isinstance(content, Mapping):
            return {"action": "accept"}
        return {"action": "accept", "content": {name: value for name, value in content.items() if _is_field(value)}}
    return {"action": word} if isinstance(word, str) and word in _WORDS else _DECLINE


def _is_field(value: Json) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return isinstance(value, str | int | float)


def _plain(content: Json) -> Json:
    if isinstance(content, list):
        return [_plain(block) for block in content]
    if isinstance(content, Mapping):
        return {name: value for name, value in content.items() if name != "_meta"}
    return content


def _root(root: Json) -> Json:
    return {name: value for name, value in root.items() if name in _ROOT} if isinstance(root, Mapping) else {}

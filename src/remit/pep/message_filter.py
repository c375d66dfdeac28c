"""The funnel for all that is no tool result: what of a server's answer, question or notice may be shown.

As with results (`pep.release`): only members that the protocol names pass, each of its own type; what
is not as the protocol says is withheld whole.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from remit.facts import strictjson
from remit.facts.canonical import Json, canonical
from remit.pep.release import (
    INTERNAL_ERROR,
    PARTS_MAX,
    RESOURCE,
    UPSTREAM_TEXT_MAX,
    Odd,
    Releasable,
    annotations,
    block,
    clean,
    is_number,
    safe,
    status_of,
    text_of,
    texts,
)
from remit.ports.upstream import Failure, Log, Notice, Offer, Progress, Question, Reply, Result
from remit.trace.bodies import Status

VALUES_MAX: Final = 100
QUESTION_BYTES_MAX: Final = 256 * 1024
"""Of what a server asks at once: it is read, judged and recorded while everybody waits."""
LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""RFC 5424, from the least."""
_ITEMS: Final[Mapping[Offer, frozenset[str]]] = MappingProxyType(
    {
        Offer.RESOURCES: frozenset({"uri", "name", "title", "description", "mimeType"}),
        Offer.TEMPLATES: frozenset({"uriTemplate", "name", "title", "description", "mimeType"}),
        Offer.PROMPTS: frozenset({"name", "title", "description"}),
    }
)
_NEEDED: Final[Mapping[Offer, tuple[str, ...]]] = MappingProxyType(
    {Offer.RESOURCES: ("uri", "name"), Offer.TEMPLATES: ("uriTemplate", "name"), Offer.PROMPTS: ("name",)}
)
_QUESTIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "elicitation/create": frozenset({"mode", "message", "requestedSchema", "url", "elicitationId"}),
        "sampling/createMessage": frozenset(
            {
                "messages",
                "modelPreferences",
                "systemPrompt",
                "includeContext",
                "temperature",
                "maxTokens",
                "stopSequences",
                "tools",
                "toolChoice",
            }
        ),
        "roots/list": frozenset[str](),
    }
)
"""What a server may ask of a client, and the members of each; `metadata` and `_meta` never pass."""


def show_contents(reply: Reply) -> Releasable:
    """What may be shown of `resources/read`."""
    return _filtered(reply, _contents)


def show_prompt(reply: Reply) -> Releasable:
    """What may be shown of `prompts/get`."""
    return _filtered(reply, _prompt)


def show_completion(reply: Reply) -> Releasable:
    """What may be shown of `completion/complete`."""
    return _filtered(reply, _completion)


def show_introduction(reply: Reply) -> Releasable:
    """What may be shown of a server's instructions."""
    return _filtered(reply, lambda value: texts(value, frozenset({"instructions"})))


def show_list(offer: Offer, reply: Reply) -> Releasable:
    """What may be shown of a list."""
    return _filtered(reply, lambda value: {offer.value: [_item(offer, item) for item in _list(value, offer.value)]})


def show_question(question: Question) -> Question | None:
    """What may be asked of the client; None for what is no question of the protocol."""
    members = _QUESTIONS.get(question.method)
    if members is None:
        return None
    params = {name: value for name, value in question.params.items() if name in members}
    return Question(question.method, params) if _is_strict(params) else None


def _is_strict(params: Mapping[str, Json]) -> bool:
    """Whether it is JSON as Remit takes it: what is not could be neither recorded nor told."""
    try:
        strictjson.parse(canonical(params), bytes_max=QUESTION_BYTES_MAX)
    except (ValueError, RecursionError):
        return False
    return True


def show_ended(reply: Reply) -> Releasable:
    """What may be shown of the end of a call that became a task: its result, or the error it came to."""
    return clean(reply) if isinstance(reply, Result) else _filtered(reply, lambda value: value, text_of)


def show_notice(notice: Notice) -> Notice:
    """`notice` with its texts cut to size."""
    match notice:
        case Progress(progress, total, message):
            return Progress(progress, total, None if message is None else safe(message[:UPSTREAM_TEXT_MAX]))
        case Log(level, logger, data):
            filtered_level = level if level in LEVELS else "info"
            return Log(filtered_level, None if logger is None else safe(logger[:UPSTREAM_TEXT_MAX]), data)
        case _:
            return notice


def _filtered(
    reply: Reply,
    members: Callable[[Mapping[str, Json]], Mapping[str, Json]],
    words: Callable[[Failure], str] = lambda failure: failure.text,
) -> Releasable:
    match reply:
        case Result(value):
            try:
                return Releasable(members(value), Status.OK)
            except Odd as odd:
                text = f"the server's answer is withheld: {odd}"
                return Releasable({}, Status.LOST, text, failed=(INTERNAL_ERROR, text))
        case Failure(_, text, sent, theirs, code, needs):
            status = status_of(reply)
            if not sent or theirs is None or code is None:
                return Releasable({}, status, text, failed=(INTERNAL_ERROR, words(reply)))
            return Releasable({}, status, text, (code, safe(theirs[:UPSTREAM_TEXT_MAX])), needs, reply.addresses)
        case _:
            raise AssertionError("neither a question nor a task is an answer")


def _contents(value: Mapping[str, Json]) -> Mapping[str, Json]:
    return {"contents": [_content(content) for content in _list(value, "contents")]}


def _content(content: Json) -> Json:
    if not isinstance(content, Mapping) or not isinstance(content.get("uri"), str):
        raise Odd("a content has no uri")
    return texts(content, RESOURCE)


def _prompt(value: Mapping[str, Json]) -> Mapping[str, Json]:
    members: dict[str, Json] = dict(texts(value, frozenset({"description"})))
    members["messages"] = [_message(message) for message in _list(value, "messages")]
    return members


def _message(message: Json) -> Json:
    if not isinstance(message, Mapping) or message.get("role") not in {"user", "assistant"}:
        raise Odd("a message has no role")
    return {"role": message["role"], "content": block(message.get("content"))}


def _completion(value: Mapping[str, Json]) -> Mapping[str, Json]:
    completion = value.get("completion")
    values = completion.get("values") if isinstance(completion, Mapping) else None
    if not isinstance(completion, Mapping) or not isinstance(values, list):
        raise Odd("it holds no values")
    if len(values) > VALUES_MAX or not all(isinstance(text, str) for text in values):
        raise Odd("its values are not texts, or too many")
    members: dict[str, Json] = {"values": values}
    total = completion.get("total")
    if isinstance(total, int) and is_number(total):
        members["total"] = total
    if isinstance(completion.get("hasMore"), bool):
        members["hasMore"] = completion["hasMore"]
    return {"completion": members}


def _item(offer: Offer, item: Json) -> Json:
    if not isinstance(item, Mapping) or not all(isinstance(item.get(name), str) for name in _NEEDED[offer]):
        raise Odd(f"one of its {offer.value} lacks {' or '.join(_NEEDED[offer])}")
    members: dict[str, Json] = dict(texts(item, _ITEMS[offer]))
    if item.get("annotations") is not None:
        members["annotations"] = annotations(item["annotations"])
    size = item.get("size")
    if offer is Offer.RESOURCES and isinstance(size, int) and is_number(size):
        members["size"] = size
    if offer is Offer.PROMPTS and item.get("arguments") is not None:
        members["arguments"] = [_argument(argument) for argument in _list(item, "arguments")]
    return members


def _argument(argument: Json) -> Json:
    if not isinstance(argument, Mapping) or not isinstance(argument.get("name"), str):
        raise Odd("an argument of a prompt has no name")
    members: dict[str, Json] = dict(texts(argument, frozenset({"name", "title", "description"})))
    if isinstance(argument.get("required"), bool):
        members["required"] = argument["required"]
    return members


def _list(value: Mapping[str, Json], name: str) -> list[Json]:
    items = value.get(name)
    if not isinstance(items, list):
        raise Odd(f"it has no list of {name}")
    if len(items) > PARTS_MAX:
        raise Odd(f"it has more than {PARTS_MAX:,} {name}")
    return items

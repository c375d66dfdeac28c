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
    return _shown(reply, _contents)


def show_prompt(reply: Reply) -> Releasable:
    """What may be shown of `prompts/get`."""
    return _shown(reply, _prompt)


def show_completion(reply: Reply) -> Releasable:
    """What may be shown of `completion/complete`."""
    return _shown(reply, _completion)


def show_introduction(reply: Reply) -> Releasable:
    """What may be shown of a server's instructions."""
    return _shown(reply, lambda value: texts(value, frozenset({"instructions"})))


def show_list(offer: Offer, reply: Reply) -> Releasable:
    """What may be shown of a list."""
    return _shown(reply, lambda value: {offer.value: [_item(offer, one) for one in _list(value, offer.value)]})


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
    return clean(reply) if isinstance(reply, Result) else _shown(reply, lambda value: value)


def show_notice(notice: Notice) -> Notice:
    """`notice` with its texts cut to size."""
    match notice:
        case Progress(progress, total, message):
            return Progress(progress, total, None if message is None else safe(message[:UPSTREAM_TEXT_MAX]))
        case Log(level, logger, data):
            known = level if level in LEVELS else "info"
            return Log(known, None if logger is None else safe(logger[:UPSTREAM_TEXT_MAX]), data)
        case _:
            return notice


def _shown(reply: Reply, members: Callable[[Mapping[str, Json]], Mapping[str, Json]]) -> Releasable:
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
                return Releasable({}, status, text, failed=(INTERNAL_ERROR, text))
            return Releasable({}, status, text, (code, safe(theirs[:UPSTREAM_TEXT_MAX])), needs, reply.addresses)
        case _:
            raise AssertionError("neither a question nor a task is an answer")


def _contents(value: Mapping[str, Json]) -> Mapping[str, Json]:
    return {"contents": [_content(one) for one in _list(value, "contents")]}


def _content(one: Json) -> Json:
    if not isinstance(one, Mapping) or not isinstance(one.get("uri"), str):
        raise Odd("a content has no uri")
    return texts(one, RESOURCE)


def _prompt(value: Mapping[str, Json]) -> Mapping[str, Json]:
    shown: dict[str, Json] = dict(texts(value, frozenset({"description"})))
    shown["messages"] = [_message(one) for one in _list(value, "messages")]
    return shown


def _message(one: Json) -> Json:
    if not isinstance(one, Mapping) or one.get("role") not in {"user", "assistant"}:
        raise Odd("a message has no role")
    return {"role": one["role"], "content": block(one.get("content"))}


def _completion(value: Mapping[str, Json]) -> Mapping[str, Json]:
    found = value.get("completion")
    values = found.get("values") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not isinstance(values, list):
        raise Odd("it holds no values")
    if len(values) > VALUES_MAX or not all(isinstance(one, str) for one in values):
        raise Odd("its values are not texts, or too many")
    shown: dict[str, Json] = {"values": values}
    total = found.get("total")
    if isinstance(total, int) and is_number(total):
        shown["total"] = total
    if isinstance(found.get("hasMore"), bool):
        shown["hasMore"] = found["hasMore"]
    return {"completion": shown}


def _item(offer: Offer, one: Json) -> Json:
    if not isinstance(one, Mapping) or not all(isinstance(one.get(name), str) for name in _NEEDED[offer]):
        raise Odd(f"one of its {offer.value} lacks {' or '.join(_NEEDED[offer])}")
    shown: dict[str, Json] = dict(texts(one, _ITEMS[offer]))
    if one.get("annotations") is not None:
        shown["annotations"] = annotations(one["annotations"])
    size = one.get("size")
    if offer is Offer.RESOURCES and isinstance(size, int) and is_number(size):
        shown["size"] = size
    if offer is Offer.PROMPTS and one.get("arguments") is not None:
        shown["arguments"] = [_argument(argument) for argument in _list(one, "arguments")]
    return shown


def _argument(one: Json) -> Json:
    if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
        raise Odd("an argument of a prompt has no name")
    shown: dict[str, Json] = dict(texts(one, frozenset({"name", "title", "description"})))
    if isinstance(one.get("required"), bool):
        shown["required"] = one["required"]
    return shown


def _list(value: Mapping[str, Json], name: str) -> list[Json]:
    found = value.get(name)
    if not isinstance(found, list):
        raise Odd(f"it has no list of {name}")
    if len(found) > PARTS_MAX:
        raise Odd(f"it has more than {PARTS_MAX:,} {name}")
    return found

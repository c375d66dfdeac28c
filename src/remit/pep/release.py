"""The funnel: every byte that an upstream wrote leaves through here, or not at all.

Only known members of a result pass, and of each content block only its own kind's; an upstream's
`_meta` never does. What cannot be read as a tool result is withheld whole and named as a failure
of ours, so that nothing it says slips out beside the labels.
INVARIANT(label-before-data): `outcomes` makes the outcome with its labels durable before the
bytes that come from here are written to anyone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

import orjson

from remit.facts.canonical import Json
from remit.facts.limits import INTEGER_MAX
from remit.ports.upstream import Era, Failure, InputRequired, Question, Reply, Result, TaskStarted
from remit.trace.bodies import Status

UPSTREAM_TEXT_MAX: Final = 2_000
PARTS_MAX: Final = 10_000
"""Of one result: each is looked at by itself."""
INTERNAL_ERROR: Final = -32603
_BLOCKS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "text": frozenset({"text"}),
        "image": frozenset({"data", "mimeType"}),
        "audio": frozenset({"data", "mimeType"}),
        "resource_link": frozenset({"uri", "name", "title", "description", "mimeType"}),
        "resource": frozenset[str](),
    }
)
"""The members of each kind of block that are texts; `annotations`, `size` and `resource` aside."""
RESOURCE: Final = frozenset({"uri", "mimeType", "text", "blob"})
_ANNOTATIONS: Final = frozenset({"audience", "priority", "lastModified"})
_CAUSES: Final[Mapping[str, Status]] = MappingProxyType(
    {
        "timeout": Status.TIMEOUT,
        "error": Status.UPSTREAM_ERROR,
        "refused": Status.UPSTREAM_ERROR,
        "redirected": Status.UPSTREAM_ERROR,
        "input_required": Status.UPSTREAM_ERROR,
    }
)
"""Failures by cause. After any other one nobody knows whether the effect was: it is lost."""
UNKNOWN: Final = "It was sent, so it may have taken effect: look before you repeat it."
"""What an agent reads of a call whose server did not say no: one that takes that for a failure pays twice."""


@dataclass(frozen=True, slots=True)
class Releasable:
    """What may be shown of an upstream's reply: a tool result, and how the intent ended.

    `error` is our own sentence where there is no usable result; `failed` the code and message of the JSON-RPC
    error to answer with, where the answer is no tool result, `needs` the capabilities the client lacks and `addresses`
    what its user has to open first.
    """

    value: Mapping[str, Json]
    status: Status
    error: str | None = None
    failed: tuple[int, str] | None = None
    needs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    addresses: tuple[Question, ...] = ()

    @property
    def judged_value(self) -> Json:
        """All of it that is judged: an error is its server's word, as a result is."""
        if self.failed is None:
            return self.value
        addresses = [one.params for one in self.addresses]
        return {"error": self.failed[1], "needs": self.needs, "addresses": addresses, **self.value}


class Odd(Exception):
    """An answer that is not what the protocol says; the text is ours."""


_Block: TypeAlias = dict[str, Json]


def clean(reply: Reply) -> Releasable:
    """What may be shown of `reply`."""
    match reply:
        case Result(value, is_error):
            try:
                return _result(value, is_error=is_error)
            except Odd as error:
                return withheld(str(error))
        case Failure(_, text, sent, upstream_text):
            status = status_of(reply)
            if (reply.needs or reply.addresses) and reply.code is not None and sent:
                # Nothing for a model to read: the client must declare more, or have its user open an address.
                message = safe((upstream_text or text)[:UPSTREAM_TEXT_MAX])
                return Releasable({}, status, text, (reply.code, message), reply.needs, reply.addresses)
            if upstream_text is None or not sent:
                # What was not sent brings no labels, so it shows no word of theirs either.
                return Releasable(_failed(text_of(reply)), status, text)
            return Releasable(_failed(text_of(reply), upstream_text[:UPSTREAM_TEXT_MAX]), status, text)
        case InputRequired() | TaskStarted():
            raise AssertionError("neither a question nor a task is an answer")


def in_words_of(era: Era, reply: Reply) -> Reply:
    """`reply` as clients of `era` take it: in 2025 structured content is an object, and any other value a text."""
    if era is not Era.INITIALIZE or not isinstance(reply, Result):
        return reply
    structured = reply.value.get("structuredContent", reply.value)
    if isinstance(structured, Mapping):
        return reply
    value = {name: item for name, item in reply.value.items() if name != "structuredContent"}
    data = seal(structured)
    if not value.get("content") and data is not None:
        # As servers should have it there already (2026-07-28, tools).
        value["content"] = [{"type": "text", "text": data.decode("utf-8")}]
    return Result(value, reply.is_error)


def status_of(failure: Failure) -> Status:
    """How an intent ended that came to `failure`."""
    return _CAUSES.get(failure.cause, Status.LOST) if failure.sent else Status.NOT_SENT


def text_of(failure: Failure) -> str:
    """What the agent reads of `failure` of its call, in words of ours.

    A server's no is a JSON-RPC error that says something. What a proxy before it answers, or nobody, is none.
    """
    if not failure.sent or (failure.cause == "error" and failure.upstream_text is not None):
        return failure.text
    return f"{failure.text}\n{UNKNOWN}"


def was_sent(reply: Reply) -> bool:
    """Whether the server had what it was asked, and may have done it."""
    return not isinstance(reply, Failure) or reply.sent


def withheld(why: str) -> Releasable:
    """A result that does not leave: whether the effect was, nobody can tell from it."""
    text = f"the tool's result is withheld: {why}"
    return Releasable(_failed(f"{text}\n{UNKNOWN}"), Status.LOST, text)


def too_long(releasable: Releasable, size: int, most: int, *, call: bool) -> Releasable:
    """What is shown in the place of a result longer than a budget reserved for it; its effect was all the same."""
    return in_place_of(releasable, f"it takes {size:,} bytes, and a budget of tokens leaves one {most:,}", call=call)


def too_many(releasable: Releasable, *, call: bool) -> Releasable:
    """What is shown in the place of a large result while as many of its agent wait to be judged as are kept."""
    return in_place_of(
        releasable, "too many large results of this agent wait to be judged: make fewer calls at once", call=call
    )


def in_place_of(releasable: Releasable, why: str, *, call: bool) -> Releasable:
    """What is shown in the place of `releasable`, which does not leave because of `why`; it ended as it did."""
    text = f"the result is withheld: {why}"
    if call:
        return Releasable(_failed(f"{text}\n{UNKNOWN}"), releasable.status, text)
    return Releasable({}, releasable.status, text, failed=(INTERNAL_ERROR, text))


def seal(value: Json) -> bytes | None:
    """The bytes of a judged result, integers of any length as they are; None when it has no JSON form."""
    try:
        return orjson.dumps(value)
    except (TypeError, ValueError):
        pass
    try:
        # For integers of more than 64 bits.
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    except (TypeError, ValueError, RecursionError):
        return None


def safe(text: str) -> str:
    """`text` without lone surrogates, which have no UTF-8 form: an upstream's must not stop its own error."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _failed(text: str, upstream_text: str | None = None) -> Mapping[str, Json]:
    content: list[Json] = [{"type": "text", "text": text}]
    if upstream_text is not None:
        content.append({"type": "text", "text": f"The server said: {safe(upstream_text)}"})
    return {"content": content, "isError": True}


def _result(value: Mapping[str, Json], *, is_error: bool) -> Releasable:
    content = value.get("content")
    if not isinstance(content, list):
        raise Odd("it has no list of content")
    if len(content) > PARTS_MAX:
        raise Odd(f"it has more than {PARTS_MAX:,} content blocks")
    members: dict[str, Json] = {"content": [block(item) for item in content]}
    if "structuredContent" in value:
        members["structuredContent"] = value["structuredContent"]
    if is_error:
        members["isError"] = True
    return Releasable(members, Status.TOOL_ERROR if is_error else Status.OK)


def block(content_block: Json) -> _Block:
    """What may be shown of one content block. Raises `Odd`."""
    if not isinstance(content_block, Mapping):
        raise Odd("a content block is no object")
    kind = content_block.get("type")
    names = _BLOCKS.get(kind) if isinstance(kind, str) else None
    if names is None:
        raise Odd("a content block is of a kind that is not known")
    members: _Block = {"type": kind, **texts(content_block, names)}
    if content_block.get("annotations") is not None:
        members["annotations"] = annotations(content_block["annotations"])
    size = content_block.get("size")
    if kind == "resource_link" and isinstance(size, int) and is_number(size):
        members["size"] = size
    if kind == "resource":
        inner = content_block.get("resource")
        if not isinstance(inner, Mapping):
            raise Odd("an embedded resource is no object")
        members["resource"] = texts(inner, RESOURCE)
    return members


def texts(block: Mapping[str, Json], names: frozenset[str]) -> _Block:
    """The members of `block` that are `names`, texts all of them; null is as if absent. Raises `Odd`."""
    members: _Block = {name: value for name, value in block.items() if name in names and value is not None}
    if not all(isinstance(value, str) for value in members.values()):
        raise Odd("a member is no text")
    return members


def annotations(value: Json) -> Json:
    """What may be shown of the annotations of a block. Raises `Odd`."""
    if not isinstance(value, Mapping):
        raise Odd("the annotations of a content block are no object")
    members = {name: item for name, item in value.items() if name in _ANNOTATIONS and item is not None}
    if not all(_is_plain(item) for item in members.values()):
        raise Odd("an annotation of a content block is neither text, number nor list of texts")
    return members


def _is_plain(value: Json) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return isinstance(value, str | bool) or is_number(value)


def is_number(value: Json) -> bool:
    """Whether it is a number that every reader takes for the same (RFC 7493)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) <= INTEGER_MAX

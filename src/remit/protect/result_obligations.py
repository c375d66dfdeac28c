"""Obligations on what comes back: what is found, or stands at a path, is covered, and texts are cut.

Laws
* What cannot be looked into (pictures, sounds, files) and what is too long to be read is withheld whole.
* Structured content stays what the tool's output schema demands: a text takes the place of a text; where that is not
  allowed, null; where that is not, the member goes. Where nothing is allowed, the result is withheld whole.
* What is covered here is covered before anything else reads it: it brings no label, and is recorded nowhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson

from remit.facts import strictjson
from remit.facts.canonical import Json
from remit.facts.obligation import Cover, Obligation, Truncate
from remit.facts.results import Step
from remit.protect.detect.detectors import DETECTORS, SCANNED_CHARS_MAX

KEPT_CHARS: Final = 4
"""What stays of what is masked."""
DEPTH_MAX: Final = 128
_DOT: Final = "•"
_BLANK: Final = " \t\r\n"
_HOLDING: Final = frozenset({"{", "[", '"'})
"""What JSON that holds a text begins with, after what is blank there (RFC 8259)."""

ConformsTo: TypeAlias = Callable[[Json], bool]
"""Whether structured content is what the output schema demands."""


class WithheldError(Exception):
    """Nothing of the result may be shown; the text is ours."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Stands, while a value is made, where a member is left out."""


_LEFT_OUT: Final = LeftOut()
_Covered: TypeAlias = "Json | LeftOut"
_Substitute: TypeAlias = Callable[[str], _Covered]
"""What takes the place of a value that is covered; it is given the text that would."""

_SUBSTITUTES: Final[tuple[_Substitute, ...]] = (lambda text: text, lambda _: None, lambda _: _LEFT_OUT)


def cover_result(
    obligations: Sequence[Obligation], result: Mapping[str, Json], conforms: ConformsTo | None = None
) -> Mapping[str, Json]:
    """`result`, of a tool or anything else that a server wrote, as `obligations` lets it out.

    `conforms` is the check of structured content, None where there is none. Raises `WithheldError`.
    """
    covered: dict[str, Json] = {}
    for name, value in result.items():
        if name == "structuredContent":
            covered[name] = _structured(obligations, value, conforms)
        elif name == "content" and isinstance(value, list):
            covered[name] = [_block(obligations, one) for one in value]
        elif name == "contents" and isinstance(value, list):
            covered[name] = [_resource(obligations, one) for one in value]
        elif name == "messages" and isinstance(value, list):
            covered[name] = [_message(obligations, one) for one in value]
        else:
            covered[name] = _plain(obligations, value)
    return covered


def cover_text(obligations: Sequence[Obligation], text: str) -> str:
    """A text that a server wrote, as `obligations` lets it out: an error, a question, a word of how far it is."""
    try:
        return _text(obligations, text, _paths(obligations))
    except WithheldError as error:
        return str(error)


def cover_value(obligations: Sequence[Obligation], value: Json) -> Json:
    """Anything a server wrote that is no result: each text in it by itself. Raises `WithheldError`."""
    return _plain(obligations, value)


def cover_argument(rule: Cover, name: str, value: Json) -> Json:
    """The argument `name`, and all in it, without what `rule` finds. Raises `WithheldError`."""
    covered = _cover_each([rule], value, [], _SUBSTITUTES[0], 0, name)
    assert not isinstance(covered, LeftOut), "nothing is left out where texts stand for texts"  # noqa: S101
    return covered


def cover(text: str, obligation: Cover, name: str = "") -> str:
    """`text` without what `obligation` finds in it; the `name` of the member that it is may tell what it is.

    Raises `WithheldError` where it is too long to be read.
    """
    assert obligation.find is not None, "a path is none of a text"  # noqa: S101
    if len(text) > SCANNED_CHARS_MAX:
        raise WithheldError(f"[withheld: text too long for {_obligation_text(obligation)}]")
    before = f"{name}: " if name else ""
    begin = len(before)
    parts: list[str] = []
    at = 0
    for span in DETECTORS[obligation.find](before + text):
        start, end = max(span.start - begin, 0), span.end - begin
        if end > 0:
            parts += (text[at:start], _replacement(text[start:end], obligation))
            at = end
    return "".join((*parts, text[at:])) if parts else text


def _obligation_text(rule: Cover) -> str:
    return f"{'mask' if rule.masks else 'redact'}:{rule.find or 'path'}"


def _replacement(text: str, rule: Cover) -> str:
    if not rule.masks:
        return f"[redacted {rule.find}]" if rule.find else "[redacted]"
    tail = text[-KEPT_CHARS:] if len(text) > 2 * KEPT_CHARS and rule.find != "hidden" else ""
    return _DOT * KEPT_CHARS + tail


def _detecting(obligations: Sequence[Obligation]) -> list[Cover]:
    return [one for one in obligations if isinstance(one, Cover) and one.find is not None]


def _paths(obligations: Sequence[Obligation]) -> list[tuple[tuple[Step, ...], Cover]]:
    return [(one.path, one) for one in obligations if isinstance(one, Cover) and one.path]


def _cut(obligations: Sequence[Obligation], text: str) -> str:
    chars_max = min((one.chars_max for one in obligations if isinstance(one, Truncate)), default=len(text))
    return text[:chars_max]


def _structured(obligations: Sequence[Obligation], value: Json, conforms: ConformsTo | None) -> Json:
    for substitute in _SUBSTITUTES:
        covered = _cover_structured(obligations, value, substitute)
        if not isinstance(covered, LeftOut) and (covered == value or conforms is None or conforms(covered)):
            return covered
    raise WithheldError("its output schema leaves no room for what is covered or cut")


def _cover_structured(obligations: Sequence[Obligation], value: Json, substitute: _Substitute) -> _Covered:
    """`value` with all that is found, or stands at a path, covered, and its texts cut."""
    return _cover_each(obligations, value, _paths(obligations), substitute, 0)


def _cover_each(
    obligations: Sequence[Obligation],
    value: Json,
    paths: list[tuple[tuple[Step, ...], Cover]],
    substitute: _Substitute,
    depth: int,
    name: str = "",
) -> _Covered:
    if depth > DEPTH_MAX:
        raise WithheldError("it is nested deeper than is looked at")
    here = next((one for path, one in paths if not path), None)
    if here is not None:
        return substitute(_replacement(value if isinstance(value, str) else "", here))
    if isinstance(value, str):
        covered = _text(obligations, value, [], name, depth)
        return value if covered == value else substitute(covered)
    if isinstance(value, Mapping):
        members = {
            _name(obligations, inner): _cover_each(
                obligations, item, _paths_below(paths, inner), substitute, depth + 1, inner
            )
            for inner, item in value.items()
        }
        return {inner: item for inner, item in members.items() if not isinstance(item, LeftOut)}
    if isinstance(value, (list, tuple)):
        items = [
            _cover_each(obligations, item, _paths_below(paths, at), substitute, depth + 1, name)
            for at, item in enumerate(value)
        ]
        return [item for item in items if not isinstance(item, LeftOut)]
    if value is None or isinstance(value, bool):
        return value
    number_text = str(value)
    covered = _cover_found([one for one in obligations if isinstance(one, Cover)], number_text, name)
    return value if covered == number_text else substitute(covered)


def _paths_below(paths: list[tuple[tuple[Step, ...], Cover]], step: str | int) -> list[tuple[tuple[Step, ...], Cover]]:
    return (
        [(path[1:], rule) for path, rule in paths if path and (path[0] is None or path[0] == step)] if paths else paths
    )


def _name(obligations: Sequence[Obligation], name: str) -> str:
    for cover_rule in _detecting(obligations):
        name = cover(name, cover_rule)
    return name


def _cover_found(obligations: Sequence[Obligation], text: str, name: str = "") -> str:
    for cover_rule in _detecting(obligations):
        text = cover(text, cover_rule, name)
    return _cut(obligations, text)


def _text(
    obligations: Sequence[Obligation],
    text: str,
    paths: list[tuple[tuple[Step, ...], Cover]],
    name: str = "",
    depth: int = 0,
) -> str:
    """A text, what the member `name` holds: as JSON where it is JSON, since a value may be spelt in many ways there."""
    if text.lstrip(_BLANK)[:1] in _HOLDING:
        try:
            value = strictjson.parse(text.encode("utf-8"))
        except (strictjson.JsonRefused, UnicodeEncodeError):
            pass
        else:
            covers = [one for one in obligations if isinstance(one, Cover)]
            covered = _cover_each(covers, value, paths, _SUBSTITUTES[0], depth + 1, name)
            text = text if covered == value else orjson.dumps(covered).decode("utf-8")
            paths = paths if isinstance(value, str) else []
    if paths:
        # Nobody can tell where a path leads in what is no JSON, or a text again.
        return "[redacted]"
    return _cover_found(obligations, text, name)


def _block(obligations: Sequence[Obligation], block: Json) -> Json:
    if not isinstance(block, Mapping):
        return _plain(obligations, block)
    match block.get("type"):
        case "text" if isinstance(block.get("text"), str):
            others = {name: value for name, value in block.items() if name not in {"type", "text"}}
            return {
                "type": "text",
                "text": _text(obligations, str(block["text"]), _paths(obligations)),
                **_members(obligations, others),
            }
        case "image" | "audio" as kind if _covers(obligations):
            return {"type": "text", "text": f"[withheld: {kind} that nobody looked into]"}
        case "image" | "audio":
            return block
        case "resource" if isinstance(block.get("resource"), Mapping):
            others = {name: value for name, value in block.items() if name not in {"type", "resource"}}
            inner = _resource(obligations, block["resource"])
            return {"type": "resource", "resource": inner, **_members(obligations, others)}
        case kind:
            others = {name: value for name, value in block.items() if name != "type"}
            return {"type": kind, **_members(obligations, others)}


def _resource(obligations: Sequence[Obligation], resource: Json) -> Json:
    if not isinstance(resource, Mapping):
        return _plain(obligations, resource)
    covered: dict[str, Json] = {}
    for name, value in resource.items():
        if name == "text" and isinstance(value, str):
            covered[name] = _text(obligations, value, _paths(obligations))
        elif name == "blob" and _covers(obligations):
            covered["text"] = "[withheld: bytes that nobody looked into]"
        else:
            covered[name] = value if name == "blob" else _plain(obligations, value)
    return covered


def _message(obligations: Sequence[Obligation], message: Json) -> Json:
    if not isinstance(message, Mapping):
        return _plain(obligations, message)
    return {name: _block(obligations, value) if name == "content" else value for name, value in message.items()}


def _members(obligations: Sequence[Obligation], members: Mapping[str, Json]) -> Mapping[str, Json]:
    return {name: _plain(obligations, value) for name, value in members.items()}


def _plain(obligations: Sequence[Obligation], value: Json) -> Json:
    """Names, addresses and the like: no path speaks of them, and cut short they would be others."""
    covered = _cover_each(_detecting(obligations), value, [], _SUBSTITUTES[0], 0)
    assert not isinstance(covered, LeftOut), "nothing is left out where texts stand for texts"  # noqa: S101
    return covered


def _covers(obligations: Sequence[Obligation]) -> bool:
    return any(isinstance(one, Cover) for one in obligations)

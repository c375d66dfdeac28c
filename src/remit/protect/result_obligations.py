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

Holds: TypeAlias = Callable[[Json], bool]
"""Whether structured content is what the output schema demands."""


class WithheldError(Exception):
    """Nothing of the result may be shown; the text is ours."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Stands, while a value is made, where a member is left out."""


_GONE: Final = Gone()
_Made: TypeAlias = "Json | Gone"
_Stand: TypeAlias = Callable[[str], _Made]
"""What takes the place of a value that is covered; it is given the text that would."""

_STANDS: Final[tuple[_Stand, ...]] = (lambda text: text, lambda _: None, lambda _: _GONE)


def covered(owed: Sequence[Obligation], result: Mapping[str, Json], holds: Holds | None = None) -> Mapping[str, Json]:
    """`result`, of a tool or anything else that a server wrote, as `owed` lets it out.

    `holds` is the check of structured content, None where there is none. Raises `WithheldError`.
    """
    made: dict[str, Json] = {}
    for name, value in result.items():
        if name == "structuredContent":
            made[name] = _structured(owed, value, holds)
        elif name == "content" and isinstance(value, list):
            made[name] = [_block(owed, one) for one in value]
        elif name == "contents" and isinstance(value, list):
            made[name] = [_resource(owed, one) for one in value]
        elif name == "messages" and isinstance(value, list):
            made[name] = [_message(owed, one) for one in value]
        else:
            made[name] = _plain(owed, value)
    return made


def covered_text(owed: Sequence[Obligation], text: str) -> str:
    """A text that a server wrote, as `owed` lets it out: an error, a question, a word of how far it is."""
    try:
        return _text(owed, text, _paths(owed))
    except WithheldError as error:
        return str(error)


def covered_plain(owed: Sequence[Obligation], value: Json) -> Json:
    """Anything a server wrote that is no result: each text in it by itself. Raises `WithheldError`."""
    return _plain(owed, value)


def covered_argument(one: Cover, name: str, value: Json) -> Json:
    """The argument `name`, and all in it, without what `one` finds. Raises `WithheldError`."""
    made = _each([one], value, [], _STANDS[0], 0, name)
    assert not isinstance(made, Gone), "nothing is left out where texts stand for texts"  # noqa: S101
    return made


def cover(text: str, one: Cover, name: str = "") -> str:
    """`text` without what `one` finds in it; the `name` of the member that it is may tell what it is.

    Raises `WithheldError` where it is too long to be read.
    """
    assert one.find is not None, "a path is none of a text"  # noqa: S101
    if len(text) > SCANNED_CHARS_MAX:
        raise WithheldError(f"[withheld: text too long for {_said(one)}]")
    before = f"{name}: " if name else ""
    begin = len(before)
    parts: list[str] = []
    at = 0
    for span in DETECTORS[one.find](before + text):
        start, end = max(span.start - begin, 0), span.end - begin
        if end > 0:
            parts += (text[at:start], _stands_for(text[start:end], one))
            at = end
    return "".join((*parts, text[at:])) if parts else text


def _said(one: Cover) -> str:
    return f"{'mask' if one.masks else 'redact'}:{one.find or 'path'}"


def _stands_for(found: str, one: Cover) -> str:
    if not one.masks:
        return f"[redacted {one.find}]" if one.find else "[redacted]"
    kept = found[-KEPT_CHARS:] if len(found) > 2 * KEPT_CHARS and one.find != "hidden" else ""
    return _DOT * KEPT_CHARS + kept


def _finding(owed: Sequence[Obligation]) -> list[Cover]:
    return [one for one in owed if isinstance(one, Cover) and one.find is not None]


def _paths(owed: Sequence[Obligation]) -> list[tuple[tuple[Step, ...], Cover]]:
    return [(one.path, one) for one in owed if isinstance(one, Cover) and one.path]


def _cut(owed: Sequence[Obligation], text: str) -> str:
    chars_max = min((one.chars_max for one in owed if isinstance(one, Truncate)), default=len(text))
    return text[:chars_max]


def _structured(owed: Sequence[Obligation], value: Json, holds: Holds | None) -> Json:
    for stand in _STANDS:
        made = _walked(owed, value, stand)
        if not isinstance(made, Gone) and (made == value or holds is None or holds(made)):
            return made
    raise WithheldError("its output schema leaves no room for what is covered or cut")


def _walked(owed: Sequence[Obligation], value: Json, stand: _Stand) -> _Made:
    """`value` with all that is found, or stands at a path, covered, and its texts cut."""
    return _each(owed, value, _paths(owed), stand, 0)


def _each(
    owed: Sequence[Obligation],
    value: Json,
    paths: list[tuple[tuple[Step, ...], Cover]],
    stand: _Stand,
    depth: int,
    name: str = "",
) -> _Made:
    if depth > DEPTH_MAX:
        raise WithheldError("it is nested deeper than is looked at")
    here = next((one for path, one in paths if not path), None)
    if here is not None:
        return stand(_stands_for(value if isinstance(value, str) else "", here))
    if isinstance(value, str):
        said = _text(owed, value, [], name, depth)
        return value if said == value else stand(said)
    if isinstance(value, Mapping):
        made = {
            _name(owed, inner): _each(owed, item, _beyond(paths, inner), stand, depth + 1, inner)
            for inner, item in value.items()
        }
        return {inner: item for inner, item in made.items() if not isinstance(item, Gone)}
    if isinstance(value, (list, tuple)):
        items = [_each(owed, item, _beyond(paths, at), stand, depth + 1, name) for at, item in enumerate(value)]
        return [item for item in items if not isinstance(item, Gone)]
    if value is None or isinstance(value, bool):
        return value
    written = str(value)
    said = _found([one for one in owed if isinstance(one, Cover)], written, name)
    return value if said == written else stand(said)


def _beyond(paths: list[tuple[tuple[Step, ...], Cover]], step: str | int) -> list[tuple[tuple[Step, ...], Cover]]:
    return [(path[1:], one) for path, one in paths if path and (path[0] is None or path[0] == step)] if paths else paths


def _name(owed: Sequence[Obligation], name: str) -> str:
    for one in _finding(owed):
        name = cover(name, one)
    return name


def _found(owed: Sequence[Obligation], text: str, name: str = "") -> str:
    for one in _finding(owed):
        text = cover(text, one, name)
    return _cut(owed, text)


def _text(
    owed: Sequence[Obligation],
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
            covers = [one for one in owed if isinstance(one, Cover)]
            made = _each(covers, value, paths, _STANDS[0], depth + 1, name)
            text = text if made == value else orjson.dumps(made).decode("utf-8")
            paths = paths if isinstance(value, str) else []
    if paths:
        # Nobody can tell where a path leads in what is no JSON, or a text again.
        return "[redacted]"
    return _found(owed, text, name)


def _block(owed: Sequence[Obligation], block: Json) -> Json:
    if not isinstance(block, Mapping):
        return _plain(owed, block)
    match block.get("type"):
        case "text" if isinstance(block.get("text"), str):
            others = {name: value for name, value in block.items() if name not in {"type", "text"}}
            return {"type": "text", "text": _text(owed, str(block["text"]), _paths(owed)), **_members(owed, others)}
        case "image" | "audio" as kind if _covers(owed):
            return {"type": "text", "text": f"[withheld: {kind} that nobody looked into]"}
        case "image" | "audio":
            return block
        case "resource" if isinstance(block.get("resource"), Mapping):
            others = {name: value for name, value in block.items() if name not in {"type", "resource"}}
            inner = _resource(owed, block["resource"])
            return {"type": "resource", "resource": inner, **_members(owed, others)}
        case kind:
            others = {name: value for name, value in block.items() if name != "type"}
            return {"type": kind, **_members(owed, others)}


def _resource(owed: Sequence[Obligation], resource: Json) -> Json:
    if not isinstance(resource, Mapping):
        return _plain(owed, resource)
    made: dict[str, Json] = {}
    for name, value in resource.items():
        if name == "text" and isinstance(value, str):
            made[name] = _text(owed, value, _paths(owed))
        elif name == "blob" and _covers(owed):
            made["text"] = "[withheld: bytes that nobody looked into]"
        else:
            made[name] = value if name == "blob" else _plain(owed, value)
    return made


def _message(owed: Sequence[Obligation], message: Json) -> Json:
    if not isinstance(message, Mapping):
        return _plain(owed, message)
    return {name: _block(owed, value) if name == "content" else value for name, value in message.items()}


def _members(owed: Sequence[Obligation], members: Mapping[str, Json]) -> Mapping[str, Json]:
    return {name: _plain(owed, value) for name, value in members.items()}


def _plain(owed: Sequence[Obligation], value: Json) -> Json:
    """Names, addresses and the like: no path speaks of them, and cut short they would be others."""
    made = _each(_finding(owed), value, [], _STANDS[0], 0)
    assert not isinstance(made, Gone), "nothing is left out where texts stand for texts"  # noqa: S101
    return made


def _covers(owed: Sequence[Obligation]) -> bool:
    return any(isinstance(one, Cover) for one in owed)

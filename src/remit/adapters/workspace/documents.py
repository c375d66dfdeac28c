"""YAML text to plain values with the line of each, one document at a time.

Laws: one reading of every text. Scalars follow the YAML 1.2 core schema (`no` is text, a date is
text); duplicate keys, merge keys, custom tags and directives are refused; an alias may stand
where it costs little. Built from the events of libyaml's parser on a stack of our own, so depth
and size are bounded before anything is made.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias, cast

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from remit.adapters.workspace.mistakes import explain
from remit.facts.canonical import Json

DEPTH_MAX: Final = 32
NODES_MAX: Final = 50_000
DOCUMENTS_MAX: Final = 5_000

Path: TypeAlias = str

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INT: Final = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_STR_TAG: Final = "tag:yaml.org,2002:str"


class YamlRefused(Exception):
    """Text that is not YAML as we read it: `what`, on which `line` (from 1), `why`, and a `hint` at what to do."""

    def __init__(self, what: str, line: int, why: str = "", hint: str = "") -> None:
        super().__init__(f"line {line}: {what}")
        self.what = what
        self.line = line
        self.why = why
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its plain value and, by dotted path, the line of each key and element.

    `start` and `end` are character offsets: from its `---` (or its first key, where there is
    none) to where the next document's `---` or the end of the text stands. `line` is the first
    line of the content. `blocks` maps paths of scalars to the line on which their text begins.
    """

    value: Json
    line: int
    start: int
    end: int
    lines: Mapping[Path, int]
    blocks: Mapping[Path, int]


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come; `key` is the key that waits for its value."""

    value: dict[str, Json] | list[Json]
    path: Path
    anchor: str | None
    nodes_before: int
    key: str | None = None


@dataclass(slots=True)
class _Building:
    """The document being read. `nodes` counts what it would hold with every alias written out."""

    start: int
    line: int
    explicit: bool
    root: Json = None
    rooted: bool = False
    nodes: int = 0
    stack: list[_Open] = field(default_factory=list)
    lines: dict[Path, int] = field(default_factory=dict)
    blocks: dict[Path, int] = field(default_factory=dict)
    anchors: dict[str, tuple[Json, int]] = field(default_factory=dict)


def documents(text: str) -> list[Document]:
    """The documents of `text` that hold something. Raises `YamlRefused`."""
    parsed: list[Document] = []
    building: _Building | None = None
    ended: _Building | None = None
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            match event:
                case DocumentStartEvent():
                    if ended is not None:
                        _finish(ended, _mark(event).index, parsed)
                    ended = None
                    building = _begin(event)
                case DocumentEndEvent():
                    ended, building = building, None
                case NodeEvent() | CollectionEndEvent() if building is not None:
                    _take(building, event)
                case _:
                    pass
    except yaml.MarkedYAMLError as error:
        what, line, why, hint = explain(error)
        # At the end of a text, libyaml points behind its last line.
        raise YamlRefused(what, min(line, max(len(text.splitlines()), 1)), why, hint) from error
    except yaml.reader.ReaderError as error:
        # The C parser gives a number, and a position in bytes.
        char = error.character if isinstance(error.character, str) else chr(error.character)
        line = text.count("\n", 0, max(text.find(char), 0)) + 1
        what = f"it holds a character that YAML does not allow: U+{ord(char):04X}"
        raise YamlRefused(what, line) from error
    if ended is not None:
        _finish(ended, len(text), parsed)
    return parsed


def _begin(event: DocumentStartEvent) -> _Building:
    line = _mark(event).line + 1
    if event.version or event.tags:
        raise YamlRefused("directives (%YAML, %TAG) are not read", line)
    return _Building(_mark(event).index, line, bool(event.explicit))


def _finish(building: _Building, end: int, parsed: list[Document]) -> None:
    if not building.rooted or building.root is None:
        return
    if len(parsed) == DOCUMENTS_MAX:
        raise YamlRefused(f"it holds more than {DOCUMENTS_MAX} documents", building.line)
    parsed.append(Document(building.root, building.line, building.start, end, building.lines, building.blocks))


def _take(building: _Building, event: Event) -> None:
    """One event of a document: a node to place, or the end of a collection."""
    mark = _mark(event)
    line = mark.line + 1
    if isinstance(event, CollectionEndEvent):
        collection = building.stack.pop()
        if collection.anchor:
            building.anchors[collection.anchor] = (collection.value, building.nodes - collection.nodes_before)
        return
    if not building.rooted:
        building.line = line
        if not building.explicit:
            building.start = mark.index - mark.column
    building.nodes += 1
    before = building.nodes - 1
    if _is_key(building):
        _key(building, event, line)
        return
    path = _path(building)
    building.lines.setdefault(path, line)
    match event:
        case AliasEvent():
            value, weight = building.anchors.get(event.anchor or "", (None, 0))
            if not weight:
                raise YamlRefused(f"*{event.anchor} stands inside itself or for nothing", line)
            building.nodes += weight
            _place(building, value)
        case ScalarEvent():
            scalar = _scalar(event, line)
            if event.anchor:
                building.anchors[event.anchor] = (scalar, 1)
            building.blocks[path] = line + 1 if event.style in {"|", ">"} else line
            _place(building, scalar)
        case SequenceStartEvent() | MappingStartEvent():
            if event.tag is not None and event.tag != "!":
                raise YamlRefused(f"tags are not read: {event.tag[:64]!r}", line)
            opened: dict[str, Json] | list[Json] = {} if isinstance(event, MappingStartEvent) else []
            building.anchors.pop(event.anchor or "", None)
            _place(building, opened)
            building.stack.append(_Open(opened, path, event.anchor, before))
        case _:
            raise YamlRefused("it holds something that is not read", line)
    if len(building.stack) > DEPTH_MAX:
        raise YamlRefused(f"it is nested deeper than {DEPTH_MAX}", line)
    if building.nodes > NODES_MAX:
        why = "aliases count as if written out"
        raise YamlRefused(f"one document holds more than {NODES_MAX} values", line, why)


class _Place(Protocol):
    """A mark of libyaml's: `index` in characters, `line` and `column` from 0."""

    index: int
    line: int
    column: int


def _mark(event: Event) -> _Place:
    return cast("_Place", event.start_mark)


def _is_key(building: _Building) -> bool:
    top = building.stack[-1] if building.stack else None
    return top is not None and isinstance(top.value, dict) and top.key is None


def _key(building: _Building, event: Event, line: int) -> None:
    top = building.stack[-1]
    if not isinstance(event, ScalarEvent) or event.anchor:
        raise YamlRefused("a key is plain text, without anchor or alias", line)
    key = event.value
    if key == "<<" and event.implicit[0]:
        raise YamlRefused("merge keys (<<) are not read", line, "write the fields out")
    if isinstance(top.value, dict) and key in top.value:
        path = f"{top.path}.{key}" if top.path else key
        first = building.lines.get(path, line)
        raise YamlRefused(f"the key {key[:64]!r} stands twice, first on line {first}", line)
    top.key = key
    building.lines[_path(building)] = line


def _path(building: _Building) -> Path:
    if not building.stack:
        return ""
    top = building.stack[-1]
    step = top.key if isinstance(top.value, dict) else str(len(top.value))
    return f"{top.path}.{step}" if top.path else str(step)


def _place(building: _Building, value: Json) -> None:
    if not building.stack:
        building.root, building.rooted = value, True
        return
    top = building.stack[-1]
    if isinstance(top.value, dict):
        top.value[top.key or ""] = value
        top.key = None
    else:
        top.value.append(value)


def _scalar(event: ScalarEvent, line: int) -> Json:
    """The value of a scalar by the YAML 1.2 core schema, without octal, hex, NaN, infinities."""
    text = event.value
    if event.tag is not None and event.tag not in {"!", _STR_TAG}:
        raise YamlRefused(f"tags are not read: {event.tag[:64]!r}", line)
    if not event.implicit[0] or event.tag is not None:
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def first_edit(text: str, document: Document, value: Json, tries: Iterable[str]) -> str | None:
    """The first of `tries` that reads as `text` does, but with `value` for what `document` of it holds.

    None where none does. Each is read again, so that nothing depends on how the place to change was found.
    """
    expected = [value if found.start == document.start else found.value for found in documents(text)]
    for changed in tries:
        try:
            if [parsed.value for parsed in documents(changed)] == expected:
                return changed
        except YamlRefused:
            continue
    return None

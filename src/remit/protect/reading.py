"""A tool's result as leaves: each text in it with where it stands and which labels it brings.

Laws
* Every text that an upstream wrote is in some leaf: names of members, and what stands between the values of a
  YAML text, too. What cannot be read as the catalog says is one leaf with the worst labels of its tool.
* The longest path of the catalog that fits a value says its labels. A value that no path fits has those of the
  tool, and those of every path that fitted nothing: that may be the one that was meant.
* What is trusted names things: a value of several lines, or as long as a sentence, is text, and brings the labels
  that the tool brings.
* Reading is bounded: what is larger or deeper brings every label of the catalog (`capped`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import yaml

from remit.facts import strictjson
from remit.facts.canonical import Json
from remit.facts.catalog import Tool
from remit.facts.label import NONE, Labels
from remit.facts.results import Format, Part, Step, steps

LEAVES_MAX: Final = 100_000
DEPTH_MAX: Final = 64
TEXT_CHARS_MAX: Final = 1024 * 1024
"""What is read of one text beyond its labels."""
NAME_CHARS_MAX: Final = 200
NAME_WORDS_MAX: Final = 16
_WHOLE: Final = "$"
_BETWEEN: Final = str.maketrans(dict.fromkeys(" \t\r\n-:,[]{}?", None))


@dataclass(slots=True)
class Leaf:
    """A text of a result: `pattern` is its path with every element as `[*]`, `element` the number of the first.

    `record` tells the object that it stands in from all others. `name`: it is trusted, and shaped like a name.
    """

    pattern: str
    element: int
    text: str
    labels: Labels
    part: Part | None = None
    record: int = 0
    name: bool = False


@dataclass(slots=True)
class Reading:
    """The leaves of a result. `capped`: it holds more than is read."""

    leaves: list[Leaf] = field(default_factory=list[Leaf])
    capped: bool = False

    @property
    def labels(self) -> Labels:
        """All that the leaves bring."""
        return frozenset[str]().union(*{leaf.labels for leaf in self.leaves})


class _Unread(Exception):
    """A text is not what the catalog says it is."""


class _Node:
    """The paths of a catalog that have a step in common."""

    __slots__ = ("each", "named", "part")

    def __init__(self) -> None:
        self.named: dict[Step, _Node] = {}
        self.each: _Node | None = None
        self.part: Part | None = None


_Item: TypeAlias = tuple[Json, str, int, "tuple[_Node, ...]", Part | None, int, int, bool]
"""A value on the stack: it, its pattern and element, the nodes that its path reaches, the part that it is in so
far, its record, its depth, and whether no name of the catalog led to it."""


def read(tool: Tool | None, worst: Labels, result: Json, stored: Labels = NONE) -> Reading:
    """The leaves of `result`, an MCP result or any other JSON.

    `worst` are the labels of what cannot be told apart; without a `tool` that is all of it. `stored` are those of
    the store that it came from, whatever part it is.
    """
    worst |= stored
    reader = _Reader(None, worst, worst, stored) if tool is None else _Reader(tool, worst, tool.source | stored, stored)
    content = result.get("content") if isinstance(result, Mapping) else None
    if isinstance(result, Mapping) and isinstance(content, Sequence) and not isinstance(content, str):
        for block in content:
            text = block.get("text") if isinstance(block, Mapping) and block.get("type") == "text" else None
            if isinstance(text, str):
                reader.text(text)
            else:
                reader.unknown(block)
        if "structuredContent" in result:
            reader.value(result["structuredContent"])
        reader.unknown({name: value for name, value in result.items() if name not in _READ})
    else:
        reader.unknown(result)
    return reader.end()


_READ: Final = frozenset({"content", "structuredContent", "isError"})


class _Reader:
    def __init__(self, tool: Tool | None, worst: Labels, source: Labels, stored: Labels) -> None:
        self._root = _tree(tool) if tool is not None and tool.results else None
        self._parts = () if tool is None else tool.results
        self._yaml = tool is not None and tool.format is Format.YAML
        self._worst = worst
        self._source = source
        self._stored = stored
        self._fitted: set[int] = set()
        self._loose: list[Leaf] = []
        self._reading = Reading()
        self._records = 0

    def text(self, text: str) -> None:
        """A text block: read as the catalog says, or taken whole."""
        if self._root is None:
            self._whole(text, self._source)
            return
        before = len(self._reading.leaves), len(self._loose)
        try:
            value = _parsed(text, as_yaml=self._yaml)
        except _Unread:
            self._whole(text, self._worst)
            return
        self.value(value)
        if self._reading.capped:
            del self._reading.leaves[before[0] :], self._loose[before[1] :]
            self._whole(text, self._worst)

    def value(self, value: Json) -> None:
        """A value that the paths of the catalog speak of."""
        if self._root is None:
            self.unknown(value)
        else:
            self._walk(value, (self._root,))

    def unknown(self, value: Json) -> None:
        """A value that nothing is known of."""
        if value not in ({}, None):
            self._walk(value, ())

    def end(self) -> Reading:
        """What was read, once all of it was."""
        if self._loose:
            unfitted = [part.labels for part in self._parts if id(part) not in self._fitted]
            labels = self._source.union(*unfitted) if unfitted else self._source
            for leaf in self._loose:
                leaf.labels = labels
            self._reading.leaves += self._loose
        return self._reading

    def _whole(self, text: str, labels: Labels) -> None:
        if len(text) > TEXT_CHARS_MAX:
            self._reading.capped = True
            text = text[:TEXT_CHARS_MAX]
        self._reading.leaves.append(Leaf(_WHOLE, 0xFFFF, text, labels))

    def _walk(self, value: Json, nodes: "tuple[_Node, ...]") -> None:
        stack: list[_Item] = [(value, _WHOLE, 0xFFFF, nodes, _part(nodes, None), 0, 0, False)]
        count = len(self._reading.leaves) + len(self._loose)
        while stack:
            item, pattern, element, nodes, part, record, depth, odd = stack.pop()
            if isinstance(item, Mapping):
                self._records += 1
                inner = self._records
                for name, below in reversed(list(item.items())):
                    found, known = _named(nodes, name)
                    stack.append(
                        (
                            below,
                            f"{pattern}.{name}" if name.isidentifier() else f"{pattern}['{name[:80]}']",
                            element,
                            found,
                            _part(found, part),
                            inner,
                            depth + 1,
                            odd or not known,
                        )
                    )
                    if not known:
                        self._leaf(pattern, element, name, _odd(part), inner)
                        count += 1
            elif isinstance(item, Sequence) and not isinstance(item, str):
                for number in range(len(item) - 1, -1, -1):
                    found = _numbered(nodes, number)
                    first = min(number, 0xFFFE) if element == 0xFFFF else element
                    stack.append(
                        (item[number], f"{pattern}[*]", first, found, _part(found, part), record, depth + 1, odd)
                    )
            elif item is not None:
                count += 1
                text = item if isinstance(item, str) else _scalar(item)
                self._leaf(pattern, element, text, part, record)
            if count > LEAVES_MAX or len(stack) > LEAVES_MAX or depth > DEPTH_MAX:
                self._reading.capped = True
                return

    def _leaf(self, pattern: str, element: int, text: str, part: Part | None, record: int) -> None:
        leaf = Leaf(pattern, element, text, self._source, part, record)
        if part is None:
            self._loose.append(leaf)
            return
        self._fitted.add(id(part))
        leaf.labels = part.labels | self._stored
        if "untrusted" not in leaf.labels:
            leaf.name = is_name(text)
            if not leaf.name:
                leaf.labels |= self._worst
        self._reading.leaves.append(leaf)


def is_name(text: str) -> bool:
    """Whether `text` can name something: one line, shorter than a sentence of some length."""
    return len(text) <= NAME_CHARS_MAX and text.isprintable() and len(text.split()) <= NAME_WORDS_MAX


def _odd(part: Part | None) -> Part | None:
    """The part that the name of a member is in: what it names may be known, and it itself is not."""
    return None if part is None or part.label == "trusted" else part


def _scalar(item: float) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    return repr(item)


def _parsed(text: str, *, as_yaml: bool) -> Json:
    if len(text) > TEXT_CHARS_MAX:
        raise _Unread
    if text[:1] in {"[", "{"} or not as_yaml:
        try:
            return strictjson.parse(text.encode("utf-8"))
        except (strictjson.Refused, UnicodeEncodeError):
            if not as_yaml:
                raise _Unread from None
    return _yaml(text)


def _yaml(text: str) -> Json:
    """The value that a YAML text spells, all scalars as texts. Raises `_Unread`.

    Anchors, tags, comments, directives, several documents and members named twice are refused: each can hold
    text that no leaf would show.
    """
    try:
        return _Yaml(text).value()
    except (yaml.YAMLError, ValueError, UnicodeError):
        raise _Unread from None


class _Yaml:
    """YAML by its events: libyaml's own composer recurses until the stack ends."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._loader = yaml.CBaseLoader(text)

    def value(self) -> Json:
        stack: list[list[Json] | dict[str, Json]] = []
        names: list[str | None] = []
        result: list[Json] = []
        documents = 0
        for event in self._events():
            match event:
                case yaml.ScalarEvent():
                    self._plain(event)
                    value: Json = event.value
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    if event.anchor is not None or event.tag is not None or len(stack) >= DEPTH_MAX:
                        raise _Unread
                    opened: list[Json] | dict[str, Json] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
                    if stack and isinstance(stack[-1], dict) and names[-1] is None:
                        raise _Unread
                    stack.append(opened)
                    names.append(None)
                    continue
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    value = stack.pop()
                    names.pop()
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1 or event.version is not None or event.tags:
                        raise _Unread
                    continue
                case yaml.AliasEvent():
                    raise _Unread
                case _:
                    continue
            if not stack:
                result.append(value)
                continue
            top = stack[-1]
            if isinstance(top, list):
                top.append(value)
            elif (name := names[-1]) is None:
                if not isinstance(value, str) or value in top:
                    raise _Unread
                names[-1] = value
            else:
                top[name] = value
                names[-1] = None
        self._between(len(self._text))
        return result[0] if result else None

    def _events(self) -> Iterator[yaml.Event]:
        while (event := self._loader.get_event()) is not None:
            yield event

    def _plain(self, event: yaml.ScalarEvent) -> None:
        if event.anchor is not None or event.tag is not None:
            raise _Unread
        assert event.start_mark is not None, "libyaml marks every event"  # noqa: S101
        assert event.end_mark is not None, "libyaml marks every event"  # noqa: S101
        start, end = event.start_mark.index, event.end_mark.index
        self._between(start)
        if event.style in {"|", ">"} and "#" in self._text[start:end].partition("\n")[0]:
            raise _Unread
        self._at = end

    def _between(self, end: int) -> None:
        if self._text[self._at : end].translate(_BETWEEN):
            raise _Unread


def _tree(tool: Tool) -> _Node:
    found = _TREES.get(tool.results)
    if found is None:
        if len(_TREES) >= _TREES_MAX:
            _TREES.clear()
        found = _TREES[tool.results] = _grown(tool.results)
    return found


_TREES_MAX: Final = 4_096
_TREES: Final[dict[tuple[Part, ...], _Node]] = {}


def _grown(parts: Sequence[Part]) -> _Node:
    root = _Node()
    for part in parts:
        node = root
        for step in steps(part.path) or ():
            if step is None:
                node.each = node.each or _Node()
                node = node.each
            else:
                node = node.named.setdefault(step, _Node())
        node.part = part
    return root


def _named(nodes: "tuple[_Node, ...]", name: str) -> "tuple[tuple[_Node, ...], bool]":
    """The nodes that member `name` leads to, and whether the catalog names it."""
    found: list[_Node] = []
    known = False
    for node in nodes:
        if (inner := node.named.get(name)) is not None:
            found.append(inner)
            known = True
        if node.each is not None:
            found.append(node.each)
    return tuple(found), known


def _numbered(nodes: "tuple[_Node, ...]", number: int) -> "tuple[_Node, ...]":
    found: list[_Node] = []
    for node in nodes:
        if (inner := node.named.get(number)) is not None:
            found.append(inner)
        if node.each is not None:
            found.append(node.each)
    return tuple(found)


def _part(nodes: "tuple[_Node, ...]", above: Part | None) -> Part | None:
    """The part that a value is in: the one that ends here, the exact before the general, or that of what is around."""
    for node in nodes:
        if node.part is not None:
            return node.part
    return above

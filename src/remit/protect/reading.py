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
from typing import Final

import yaml

from remit.facts import strictjson
from remit.facts.canonical import Json
from remit.facts.catalog import Tool
from remit.facts.label import NONE, Labels, closed
from remit.facts.results import TRUSTED, Format, Part, Step, steps
from remit.protect.index import NOWHERE

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
    `untrusted`: its labels say so.
    """

    pattern: str
    element: int
    text: str
    labels: Labels
    part: Part | None = None
    record: int = 0
    name: bool = False
    untrusted: bool = False


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


class _Place:
    """Where in a result a value stands: its pattern, and the part of the catalog that it is in.

    Places are made when a result first has them, and kept for the next one up to a limit.
    """

    __slots__ = ("_budget", "_elements", "_members", "_nodes", "depth", "named", "part", "pattern")

    def __init__(
        self, pattern: str, nodes: tuple[_Node, ...], above: Part | None, depth: int, *, named: bool, budget: list[int]
    ) -> None:
        self.pattern = pattern
        self.part = next((node.part for node in nodes if node.part is not None), above)
        self.depth = depth
        self.named = named
        self._nodes = nodes
        self._budget = budget
        self._members: dict[str, _Place] = {}
        self._elements: _Place | None = None

    def member(self, name: str) -> "_Place":
        """The place of the member `name`; `named` where the catalog names it."""
        found = self._members.get(name)
        if found is None:
            exact = [node.named[name] for node in self._nodes if name in node.named]
            each = [node.each for node in self._nodes if node.each is not None]
            pattern = f"{self.pattern}.{name}" if name.isidentifier() else f"{self.pattern}['{name[:80]}']"
            found = self._below(pattern, (*exact, *each), named=bool(exact))
            if self._budget[0] > 0:
                self._budget[0] -= 1
                self._members[name] = found
        return found

    def element(self, number: int) -> "_Place":
        """The place of the element with that `number`."""
        exact = [node.named[number] for node in self._nodes if number in node.named]
        if not exact and self._elements is not None:
            return self._elements
        each = [node.each for node in self._nodes if node.each is not None]
        found = self._below(f"{self.pattern}[*]", (*exact, *each), named=True)
        if not exact:
            self._elements = found
        return found

    def _below(self, pattern: str, nodes: tuple[_Node, ...], *, named: bool) -> "_Place":
        return _Place(pattern, nodes, self.part, self.depth + 1, named=named, budget=self._budget)


def read(tool: Tool | None, worst: Labels, result: Json, stored: Labels = NONE) -> Reading:
    """The leaves of `result`, an MCP result or any other JSON.

    `worst` are the labels of what cannot be told apart; without a `tool` that is all of it. `stored` are those of
    the store that it came from, whatever part it is.
    """
    stored = closed(stored)
    worst = closed(worst) | stored
    source = worst if tool is None else closed(tool.source) | stored
    reader = _Reader(tool, worst, source, stored)
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
        self._parts = () if tool is None else tool.results
        self._root = _root(self._parts)
        self._unknown = _root(())
        self._yaml = tool is not None and tool.format is Format.YAML
        self._worst = worst
        self._source = source
        self._stored = stored
        self._fitted: set[int] = set()
        self._loose: list[Leaf] = []
        self._names: set[tuple[str, str]] = set()
        self._reading = Reading()
        self._records = 0

    def text(self, text: str) -> None:
        """A text block: read as the catalog says, or taken whole."""
        if not self._parts:
            self._whole(text, self._source)
            return
        before = len(self._reading.leaves), len(self._loose)
        try:
            value = _parsed(text, as_yaml=self._yaml)
        except _Unread:
            self._whole(text, self._worst)
            return
        self._walk(value, self._root)
        if self._reading.capped:
            del self._reading.leaves[before[0] :], self._loose[before[1] :]
            self._whole(text, self._worst)

    def value(self, value: Json) -> None:
        """A value that the paths of the catalog speak of."""
        self._walk(value, self._root)

    def unknown(self, value: Json) -> None:
        """A value that nothing is known of."""
        if value not in ({}, None):
            self._walk(value, self._unknown)

    def end(self) -> Reading:
        """What was read, once all of it was."""
        if self._loose:
            unfitted = [part.labels for part in self._parts if id(part) not in self._fitted]
            labels = self._source.union(*unfitted) if unfitted else self._source
            untrusted = "untrusted" in labels
            for leaf in self._loose:
                leaf.labels = labels
                leaf.untrusted = untrusted
            self._reading.leaves += self._loose
        return self._reading

    def _whole(self, text: str, labels: Labels) -> None:
        if len(text) > TEXT_CHARS_MAX:
            self._reading.capped = True
            text = text[:TEXT_CHARS_MAX]
        self._reading.leaves.append(Leaf(_WHOLE, NOWHERE, text, labels, untrusted="untrusted" in labels))

    def _walk(self, value: Json, root: _Place) -> None:
        stack: list[tuple[Json, _Place, int, int]] = [(value, root, NOWHERE, 0)]
        room = LEAVES_MAX - len(self._reading.leaves) - len(self._loose)
        while stack:
            item, place, element, record = stack.pop()
            room -= 1
            if room < len(stack) or place.depth > DEPTH_MAX:
                self._reading.capped = True
                return
            if isinstance(item, str):
                self._add(Leaf(place.pattern, element, item, self._source, place.part, record))
            elif isinstance(item, Mapping):
                self._records += 1
                for name, below in item.items():
                    inner = place.member(name)
                    if not inner.named:
                        self._name(place, element, name)
                    stack.append((below, inner, element, self._records))
            elif isinstance(item, Sequence):
                for number, below in enumerate(item):
                    first = min(number, NOWHERE - 1) if element == NOWHERE else element
                    stack.append((below, place.element(number), first, record))
            elif item is not None:
                self._add(Leaf(place.pattern, element, _scalar(item), self._source, place.part, record))

    def _name(self, place: _Place, element: int, name: str) -> None:
        """The name of a member that the catalog does not name: a text like any other, that nothing vouches for."""
        if (place.pattern, name) not in self._names:
            self._names.add((place.pattern, name))
            part = None if place.part is None or place.part.label == TRUSTED else place.part
            self._add(Leaf(place.pattern, element, name, self._source, part))

    def _add(self, leaf: Leaf) -> None:
        part = leaf.part
        if part is None:
            self._loose.append(leaf)
            return
        self._fitted.add(id(part))
        leaf.labels = part.labels | self._stored
        if "untrusted" not in (self._stored if part.directory else leaf.labels):
            # What a directory lists is there, whoever chose its name.
            leaf.name = is_name(leaf.text)
            if not leaf.name:
                leaf.labels |= self._worst
        leaf.untrusted = "untrusted" in leaf.labels
        self._reading.leaves.append(leaf)


def is_name(text: str) -> bool:
    """Whether `text` can name something: one line, shorter than a sentence of some length."""
    return len(text) <= NAME_CHARS_MAX and text.isprintable() and len(text.split()) <= NAME_WORDS_MAX


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


PLACES_MAX: Final = 4_096
"""How many places are kept for one tool."""
_ROOTS_MAX: Final = 4_096
_ROOTS: Final[dict[int, tuple[tuple[Part, ...], _Place]]] = {}


def _root(parts: tuple[Part, ...]) -> _Place:
    """The place of the whole of a result with these parts."""
    kept = _ROOTS.get(id(parts))
    if kept is not None and kept[0] is parts:
        return kept[1]
    if len(_ROOTS) >= _ROOTS_MAX:
        _ROOTS.clear()
    made = _Place(_WHOLE, (_grown(parts),), None, 0, named=True, budget=[PLACES_MAX])
    _ROOTS[id(parts)] = parts, made
    return made


def _grown(parts: tuple[Part, ...]) -> _Node:
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

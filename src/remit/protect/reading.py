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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from remit.facts import strictjson
from remit.facts.canonical import Json
from remit.facts.catalog import Tool
from remit.facts.label import NONE, Labels, closed
from remit.facts.results import TRUSTED, Format, Part
from remit.protect import yamltext
from remit.protect.index import NOWHERE
from remit.protect.places import WHOLE, Place, root_of
from remit.protect.yamltext import DEPTH_MAX, Unread

LEAVES_MAX: Final = 100_000
TEXT_CHARS_MAX: Final = 1024 * 1024
"""What is read of one text beyond its labels."""
NAME_CHARS_MAX: Final = 200
NAME_WORDS_MAX: Final = 16


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
            if isinstance(block, Mapping) and block.get("type") == "text" and isinstance(block.get("text"), str):
                reader.text(str(block["text"]))
                reader.unknown({name: value for name, value in block.items() if name not in _BLOCK})
            else:
                reader.unknown(block)
        if "structuredContent" in result:
            reader.value(result["structuredContent"])
        reader.unknown({name: value for name, value in result.items() if name not in _READ})
    else:
        reader.unknown(result)
    return reader.end()


_READ: Final = frozenset({"content", "structuredContent", "isError"})
_BLOCK: Final = frozenset({"type", "text"})


class _Reader:
    def __init__(self, tool: Tool | None, worst: Labels, source: Labels, stored: Labels) -> None:
        self._parts = () if tool is None else tool.results
        self._root = root_of(self._parts)
        self._unknown = root_of(())
        self._yaml = tool is not None and tool.format is Format.YAML
        self._worst = worst
        self._source = source
        self._stored = stored
        self._fitted: set[int] = set()
        self._loose: list[Leaf] = []
        self._names: set[tuple[str, int, str]] = set()
        self._reading = Reading()
        self._records = 0

    def text(self, text: str) -> None:
        """A text block: read as the catalog says, or taken whole."""
        if not text or text.isspace():
            return
        if not self._parts:
            self._whole(text, self._source)
            return
        before = len(self._reading.leaves), len(self._loose)
        try:
            value = _parsed(text, as_yaml=self._yaml)
        except Unread:
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
        self._reading.leaves.append(Leaf(WHOLE, NOWHERE, text, labels, untrusted="untrusted" in labels))

    def _walk(self, value: Json, root: Place) -> None:
        stack: list[tuple[Json, Place, int, int]] = [(value, root, NOWHERE, 0)]
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

    def _name(self, place: Place, element: int, name: str) -> None:
        """The name of a member that the catalog does not name: a text like any other, that nothing vouches for."""
        part = None if place.part is None or place.part.label == TRUSTED else place.part
        # Places in different parts may have one pattern, where it was cut.
        known = place.pattern, id(part), name
        if known not in self._names:
            self._names.add(known)
            self._add(Leaf(place.pattern, element, name, self._source, part))

    def _add(self, leaf: Leaf) -> None:
        part = leaf.part
        if part is not None:
            self._fitted.add(id(part))
        if not leaf.text:
            return
        if part is None:
            self._loose.append(leaf)
            return
        leaf.labels = part.labels | self._stored if self._stored else part.labels
        if "untrusted" not in (self._stored if part.directory else leaf.labels):
            # What a directory lists is there, whoever chose its name.
            leaf.name = is_name(leaf.text)
            if not leaf.name:
                leaf.labels |= self._worst
        leaf.untrusted = "untrusted" in leaf.labels
        self._reading.leaves.append(leaf)


def is_name(text: str) -> bool:
    """Whether `text` can name something: one line, shorter than a sentence of some length."""
    if len(text) > NAME_CHARS_MAX or not text.isprintable():
        return False
    return " " not in text or len(text.split()) <= NAME_WORDS_MAX


def _scalar(item: float) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    return repr(item)


def _parsed(text: str, *, as_yaml: bool) -> Json:
    if len(text) > TEXT_CHARS_MAX:
        raise Unread
    if text[:1] in {"[", "{"} or not as_yaml:
        try:
            return strictjson.parse(text.encode("utf-8"))
        except (strictjson.Refused, UnicodeEncodeError):
            if not as_yaml:
                raise Unread from None
    return yamltext.parse(text)

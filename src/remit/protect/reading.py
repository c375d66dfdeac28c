"""A tool's result as leaves: each text in it with where it stands and which labels it brings.

Laws
* Every text that an upstream wrote is in some leaf: names of members, and what stands between the values of a
  YAML text, too. What cannot be read as the catalog says is one leaf with the worst labels of its tool.
* The longest path of the catalog that fits a value says its labels. A value that no path fits has those of the
  tool, and those of every path that fitted nothing: that may be the one that was meant.
* Several texts without a structured value beside them are the elements of a list: a path that speaks of one value
  speaks of none of them, since one may be somebody's words as they stand.
* What is trusted names things: a value of several lines, or as long as a sentence, is text, with the tool's labels.
* Reading is bounded: what is larger or deeper brings every label of the catalog (`capped`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from remit.facts import strictjson
from remit.facts.canonical import Json
from remit.facts.label import NONE, Labels, closed
from remit.facts.results import TRUSTED, Part, ResultFormat
from remit.facts.text import gained
from remit.facts.tool import Tool
from remit.protect import yamltext
from remit.protect.blocks import blocks
from remit.protect.result_locations import WHOLE, ResultLocation, root_of
from remit.protect.token_places import NOWHERE, TokenPlaces
from remit.protect.yamltext import DEPTH_MAX, UnreadableText

LEAVES_MAX: Final = 100_000
TEXT_CHARS_MAX: Final = 1024 * 1024
"""What is read of one text beyond its labels."""
RESULT_CHARS_MAX: Final = 4 * 1024 * 1024
"""What is read of all its texts."""
GAINED_CHARS_MAX: Final = 256 * 1024
"""By so many characters the texts of a result may grow as their characters are brought into one form."""
NAME_CHARS_MAX: Final = 200
NAME_WORDS_MAX: Final = 16
_NUMBERS: Final = (int, float)


@dataclass(slots=True)
class TextLeaf:
    """A text of a result: `pattern` is its path with every element as `[*]`, `element` the number of the first.

    `record` tells the object that it stands in from all others. `is_name`: it is trusted, and shaped like a name.
    `untrusted`: its labels say so.
    """

    pattern: str
    element: int
    text: str
    labels: Labels
    part: Part | None = None
    record: int = 0
    is_name: bool = False
    untrusted: bool = False


UncataloguedText: TypeAlias = tuple[str, int, str]
"""A text that no path of the catalog fits: `pattern`, `element` and `text` as those of a leaf."""


class Basis(NamedTuple):
    """What decides, beside a result, what is learnt of it.

    `records` are those that the user named; `directory`: all that it was asked for is his; `composed`: it may be made
    of what nobody vouches for.
    """

    records: frozenset[int] = frozenset()
    directory: bool = False
    composed: bool = False


@dataclass(slots=True)
class Reading:
    """The texts of a result. `capped`: it holds more than is read.

    `catalogued` are leaves that the catalog tells something of, `uncatalogued` all others, with `uncatalogued_labels`.
    `trusts_uncatalogued`: something in it is trusted that no path of the catalog speaks of.
    `learnt` is what was gathered of it by the rules that held then, for who learns it again (`remit.protect.learning`).
    """

    catalogued: list[TextLeaf] = field(default_factory=list[TextLeaf])
    uncatalogued: list[UncataloguedText] = field(default_factory=list[UncataloguedText])
    uncatalogued_labels: Labels = NONE
    capped: bool = False
    trusts_uncatalogued: bool = False
    learnt: dict[Basis, tuple[TokenPlaces, bool]] = field(default_factory=dict[Basis, tuple[TokenPlaces, bool]])

    @property
    def leaves(self) -> list[TextLeaf]:
        """All of them."""
        labels = self.uncatalogued_labels
        untrusted = "untrusted" in labels
        rest = (TextLeaf(pattern, at, text, labels, untrusted=untrusted) for pattern, at, text in self.uncatalogued)
        return [*self.catalogued, *rest]

    @property
    def labels(self) -> Labels:
        """All that the leaves bring."""
        labels = {leaf.labels for leaf in self.catalogued}
        if self.uncatalogued:
            labels.add(self.uncatalogued_labels)
        return frozenset[str]().union(*labels)


def read(tool: Tool | None, worst: Labels, result: Json, stored: Labels = NONE) -> Reading:
    """The leaves of `result`, an MCP result or any other JSON.

    `worst` are the labels of what cannot be told apart; without a `tool` that is all of it. `stored` are those of
    the store that it came from, whatever part it is.
    """
    stored = closed(stored)
    worst = closed(worst) | stored
    source = worst if tool is None else closed(tool.source) | stored
    reader = _Reader(tool, worst, source, stored)
    parts = blocks(result)
    reader.texts(parts.texts, listed=len(parts.texts) > 1 and not isinstance(parts.structured, Mapping | list))
    if parts.structured is not None:
        reader.structured(parts.structured)
    for value in parts.others:
        reader.unknown(value)
    return reader.end()


class _Reader:
    def __init__(self, tool: Tool | None, worst: Labels, source: Labels, stored: Labels) -> None:
        self._parts = () if tool is None else tool.results
        self._root = root_of(self._parts)
        self._unknown = root_of(())
        self._yaml = tool is not None and tool.format is ResultFormat.YAML
        self._worst = worst
        self._source = source
        self._stored = stored
        self._fits: dict[int, tuple[bool, Labels, Labels]] = {}
        self._names: set[tuple[str, int, str]] = set()
        self._shapes: dict[tuple[ResultLocation, tuple[str, ...]], tuple[ResultLocation, ...]] = {}
        self._reading = Reading()
        self._room = LEAVES_MAX
        self._records = 0

    def texts(self, texts: Sequence[str], *, listed: bool) -> None:
        """The text blocks; `listed`: as the elements of a list."""
        if not listed:
            for text in texts:
                self._text(text, self._root, NOWHERE)
            return
        for number, place in enumerate(self._root.elements(len(texts))):
            self._text(texts[number], place, min(number, NOWHERE - 1))

    def _text(self, text: str, place: ResultLocation, element: int) -> None:
        """A text block: read as the catalog says, or taken whole."""
        if not self._parts:
            self._whole(text, self._source)
            return
        catalogued, loose = self._reading.catalogued, self._reading.uncatalogued
        before = len(catalogued), len(loose)
        try:
            value = _parsed(text, as_yaml=self._yaml)
        except UnreadableText:
            self._whole(text, self._worst)
            return
        self._walk(value, place, element)
        if self._reading.capped:
            del catalogued[before[0] :], loose[before[1] :]
            self._whole(text, self._worst)

    def structured(self, value: Json) -> None:
        """The value that the paths of the catalog speak of; what texts beside it say else is nobody's record."""
        catalogued = self._reading.catalogued
        texts = len(catalogued)
        self._walk(value, self._root)
        if isinstance(value, Mapping | list):
            values = {(leaf.text, leaf.part.kind) for leaf in catalogued[texts:] if leaf.part is not None}
            for leaf in catalogued[:texts]:
                if leaf.part is not None and (leaf.text, leaf.part.kind) not in values:
                    leaf.labels, leaf.is_name, leaf.untrusted = leaf.labels | self._worst, False, True

    def unknown(self, value: Json) -> None:
        """A value that nothing is known of."""
        if value not in ({}, None):
            self._walk(value, self._unknown)

    def end(self) -> Reading:
        """What was read, once all of it was."""
        self._limit()
        if self._reading.uncatalogued:
            unfitted = [part.labels for part in self._parts if id(part) not in self._fits]
            rest = self._reading.uncatalogued_labels = self._source.union(*unfitted) if unfitted else self._source
            self._reading.trusts_uncatalogued |= "untrusted" not in rest
        return self._reading

    def _limit(self) -> None:
        """Leave out what is too much in all, or makes far more than it is, as U+FDFA does."""
        reading, room, growth = self._reading, RESULT_CHARS_MAX, GAINED_CHARS_MAX

        def fits(text: str) -> bool:
            nonlocal room, growth
            room -= len(text)
            if room < 0 or text.isascii():
                return room >= 0
            more = gained(text, growth) if growth >= 0 else 1
            growth -= more
            return growth >= 0 or not more

        texts = [leaf.text for leaf in reading.catalogued]
        texts += [text for _, _, text in reading.uncatalogued]
        if sum(map(len, texts)) <= room and all(map(str.isascii, texts)):
            return
        catalogued = [leaf for leaf in reading.catalogued if fits(leaf.text)]
        loose = [entry for entry in reading.uncatalogued if fits(entry[2])]
        if room < 0 or growth < 0:
            reading.catalogued, reading.uncatalogued, reading.capped = catalogued, loose, True

    def _whole(self, text: str, labels: Labels) -> None:
        if len(text) > TEXT_CHARS_MAX:
            self._reading.capped = True
            text = text[:TEXT_CHARS_MAX]
        untrusted = "untrusted" in labels
        self._reading.catalogued.append(TextLeaf(WHOLE, NOWHERE, text, labels, untrusted=untrusted))
        self._reading.trusts_uncatalogued |= not untrusted

    def _walk(self, value: Json, root: ResultLocation, element: int = NOWHERE) -> None:
        self._room = LEAVES_MAX - len(self._reading.catalogued) - len(self._reading.uncatalogued)
        if self._is_full(1, root.depth) or not self._each((value,), (root,), element, 0):
            self._reading.capped = True

    def _each(self, values: Iterable[Json], places: Iterable[ResultLocation], element: int, record: int) -> bool:
        """Read `values`, each at its place, the last one first. Whether there was room for all."""
        loose = self._reading.uncatalogued
        for item, place in zip(values, places, strict=True):
            if isinstance(item, str):
                text = item
            elif isinstance(item, _NUMBERS):
                text = _scalar(item)
            elif item is None:
                continue
            elif isinstance(item, Mapping):
                if not self._object(item, place, element):
                    return False
                continue
            else:
                if not self._array(item, place, element, record):
                    return False
                continue
            if place.part is not None:
                self._add(place.part, place.pattern, element, text, record)
            elif text:
                loose.append((place.pattern, element, text))
        return True

    def _object(self, item: Mapping[str, Json], place: ResultLocation, element: int) -> bool:
        self._records += 1
        shape = place, tuple(item)
        places = self._shapes.get(shape)
        if places is None:
            places = self._shapes[shape] = self._members(place, element, shape[1])
        if self._is_full(len(places), place.depth + 1):
            return False
        return self._each(reversed(list(item.values())), places, element, self._records)

    def _members(self, place: ResultLocation, element: int, names: tuple[str, ...]) -> tuple[ResultLocation, ...]:
        """The places of members with these names, the last one first; names that nobody knows are read."""
        places: list[ResultLocation] = []
        for name in names:
            inner = place.member(name)
            if not inner.is_named:
                self._name(place, element, name)
            places.append(inner)
        return tuple(reversed(places))

    def _array(self, item: Sequence[Json], place: ResultLocation, element: int, record: int) -> bool:
        places = place.elements(len(item))
        if self._is_full(len(places), place.depth + 1):
            return False
        if element != NOWHERE:
            return self._each(reversed(item), reversed(places), element, record)
        for number in range(len(places) - 1, -1, -1):
            # Each has a number of its own.
            at, inner = min(number, NOWHERE - 1), item[number]
            if isinstance(inner, dict):
                fits = self._object(inner, places[number], at)
            else:
                fits = self._each((inner,), (places[number],), at, record)
            if not fits:
                return False
        return True

    def _is_full(self, more: int, depth: int) -> bool:
        self._room -= more
        return self._room < 0 or (more > 0 and depth > DEPTH_MAX)

    def _name(self, place: ResultLocation, element: int, name: str) -> None:
        """The name of a member that the catalog does not name: a text like any other, that nothing vouches for."""
        part = None if place.part is None or place.part.label == TRUSTED else place.part
        # Places in different parts may have one pattern, where it was cut.
        key = place.pattern, id(part), name
        if key in self._names:
            return
        self._names.add(key)
        if part is not None:
            self._add(part, place.pattern, element, name, 0)
        elif name:
            self._reading.uncatalogued.append((place.pattern, element, name))

    def _add(self, part: Part, pattern: str, element: int, text: str, record: int) -> None:
        fit = self._fits.get(id(part)) or self._fit(part)
        if not text:
            return
        may_name, labels, others = fit
        named = may_name and is_name(text)
        if may_name and not named:
            labels = others
        leaf = TextLeaf(pattern, element, text, labels, part, record, named, "untrusted" in labels)
        self._reading.catalogued.append(leaf)

    def _fit(self, part: Part) -> tuple[bool, Labels, Labels]:
        """Whether what fits `part` may name something, its labels, and those of what is no name then."""
        labels = part.labels | self._stored
        # What a directory lists is there, whoever chose its name.
        may_name = "untrusted" not in (self._stored if part.directory else labels)
        fit = self._fits[id(part)] = may_name, labels, labels | self._worst
        return fit


def is_name(text: str) -> bool:
    """Whether `text` can name something: one line, shorter than a sentence of some length."""
    if len(text) > NAME_CHARS_MAX or not text.isprintable():
        return False
    return " " not in text or len(text.split()) <= NAME_WORDS_MAX


def _scalar(item: float) -> str:
    if item is True or item is False:
        return "true" if item else "false"
    return repr(item)


def _parsed(text: str, *, as_yaml: bool) -> Json:
    if len(text) > TEXT_CHARS_MAX:
        raise UnreadableText
    if text[:1] in {"[", "{"} or not as_yaml:
        try:
            return strictjson.parse(text.encode("utf-8"))
        except (strictjson.JsonRefused, UnicodeEncodeError):
            if not as_yaml:
                raise UnreadableText from None
    return yamltext.parse(text)

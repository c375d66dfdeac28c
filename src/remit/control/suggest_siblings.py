"""What the tools of one server say of each other: which takes the ids that another returns, and what they keep.

Law: by tables made in one pass, so that as many tools as a server may have cost no more than their number.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from remit.control import suggest_words as words
from remit.control.suggest_effect import effect_named, spoken
from remit.control.suggest_schema import properties
from remit.facts.tool import Definition, Effect

_IDS: Final = frozenset({"id", "ids"})
_NAMES: Final = frozenset({"filename", "name", "title"})
_KEYS: Final = frozenset({"filename", "id", "name", "path"})
_IES_MAX: Final = 4
"""Characters of a word such as `ties`, whose one is no `ty`."""


@dataclass(frozen=True, slots=True)
class Namer:
    """The tool that makes a thing, and its argument that says what the thing is called."""

    tool: str
    argument: str


@dataclass(frozen=True, slots=True)
class SuggestedStore:
    """The thing that some tools of a server write and others read, and the argument by which all of them name it."""

    noun: str
    key: str | None


@dataclass(slots=True)
class _Uses:
    """How the tools that speak of one thing use it; None among `keys` is a tool that does not name it."""

    read: bool = False
    changed: bool = False
    keys: set[str | None] = field(default_factory=set[str | None])


@dataclass(frozen=True, slots=True)
class Siblings:
    """By noun: the first tool, in order of names, that takes an id of it and that names it, and how all use it."""

    _takers: Mapping[str, tuple[int, str]]
    _namers: Mapping[str, tuple[int, Namer]]
    _uses: Mapping[str, _Uses]

    def taker(self, name: Sequence[str]) -> str:
        """A tool with an effect that takes an id of what the tool called `name` returns, or nothing."""
        return min((self._takers[noun] for noun in _nouns(name[1:]) if noun in self._takers), default=(0, ""))[1]

    def namer(self, name: Sequence[str]) -> Namer | None:
        """The tool that names what the tool called `name` is about: of stores of the organisation's own alone."""
        found = (self._namers[noun] for noun in _nouns(name) & words.KEPT if noun in self._namers)
        return min(found, key=lambda at: at[0], default=(0, None))[1]

    def store(self, name: Sequence[str]) -> SuggestedStore | None:
        """Where the tool called `name` keeps what others find: of tools for one thing, some write and some read."""
        noun = min(_nouns(name) & words.KEPT, default="")
        uses = self._uses.get(noun)
        if uses is None or not (uses.read and uses.changed):
            return None
        return SuggestedStore(noun, next(iter(uses.keys)) if len(uses.keys) == 1 else None)


def siblings_of(definitions: Iterable[Definition]) -> Siblings:
    """The tables of `definitions`, which are all tools of one server in order of their names."""
    takers: dict[str, tuple[int, str]] = {}
    namers: dict[str, tuple[int, Namer]] = {}
    uses: dict[str, _Uses] = {}
    for at, definition in enumerate(definitions):
        name = spoken(definition.name)
        arguments = {argument: spoken(argument) for argument in properties(definition)}
        reads = effect_named(name, definition.annotations)[0] is Effect.READ
        if not reads and _ending(arguments, _IDS) is not None:
            for noun in _nouns(name[1:]):
                takers.setdefault(noun, (at, definition.name))
        naming = _ending(arguments, _NAMES) if words.MAKES.intersection(name[:1]) else None
        for noun in _nouns(name) & words.KEPT:
            if naming is not None:
                namers.setdefault(noun, (at, Namer(definition.name, naming)))
            use = uses.setdefault(noun, _Uses())
            use.read |= reads
            use.changed |= not reads
            use.keys.add(next(_keys(arguments, noun), None))
    return Siblings(takers, namers, uses)


def singular(word: str) -> str:
    """`word` without the ending of a plural, as far as it has one."""
    if word.endswith("ies") and len(word) > _IES_MAX:
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _nouns(name: Iterable[str]) -> set[str]:
    return {singular(word) for word in name}


def _ending(arguments: Mapping[str, tuple[str, ...]], meant: frozenset[str]) -> str | None:
    """The first of `arguments` whose last word is one of those `meant`."""
    return next((argument for argument, said in arguments.items() if meant.intersection(said[-1:])), None)


def _keys(arguments: Mapping[str, tuple[str, ...]], noun: str) -> Iterator[str]:
    return (argument for argument, said in arguments.items() if _KEYS.intersection(said[-1:]) or said == (noun,))

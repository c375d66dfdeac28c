"""What a record is about to add to an index: its tokens, and where in it each stands first."""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, TypeAlias

PATTERNS_MAX: Final = 4_095
NOWHERE: Final = 0xFFFF


class Entries(NamedTuple):
    """Tokens to be added: where in the result they stand (`$[*].to`, and which element), and their bits."""

    tokens: Collection[str]
    seen: int
    pattern: str = ""
    element: int = NOWHERE


Entry: TypeAlias = tuple[Collection[str], int, str, int]
"""`Entries` as what is made by the hundred."""


class Gathered:
    """Tokens to be added: by their bits, each with the number of the place where it stands first.

    Texts are given in their order, so that a smaller number is an earlier place.
    """

    __slots__ = ("_patterns", "first", "places")

    def __init__(self) -> None:
        self.first: dict[int, dict[str, int]] = {}
        self.places: list[int] = []
        """Element and pattern, as a delta has them."""
        self._patterns: dict[str, int] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The patterns that are kept, in the order of their numbers."""
        return tuple(name for name, number in self._patterns.items() if number != NOWHERE)

    def add(self, tokens: Collection[str], seen: int, pattern: str, element: int) -> None:
        """These `tokens` stand there."""
        number = len(self.places)
        self.places.append(element << 24 | self._pattern(pattern))
        first = self.first.get(seen)
        if first is None:
            self.first[seen] = dict.fromkeys(tokens, number)
            return
        for token in tokens:
            first.setdefault(token, number)

    def places_of(self, loose: Iterable[tuple[str, int, str]]) -> int:
        """The number of the first of places that have a pattern and an element each; the others follow."""
        first, pattern_of = len(self.places), self._pattern
        self.places += [element << 24 | pattern_of(pattern) for pattern, element, _ in loose]
        return first

    def join(self, tokens: dict[str, int], seen: int) -> None:
        """These tokens stand at the places of these numbers, which are later than those of all that was added."""
        first = self.first.get(seen)
        self.first[seen] = tokens if first is None else tokens | first

    def apart(self) -> dict[str, list[tuple[int, int]]]:
        """Tokens with different bits in different places, which are taken out: with place and bits of each."""
        every: dict[str, int] = {}
        several: set[str] = set()
        for first in self.first.values():
            if not every.keys().isdisjoint(first):
                several |= every.keys() & first.keys()
            every.update(first)
        found: dict[str, list[tuple[int, int]]] = {token: [] for token in several}
        for seen, first in self.first.items() if several else ():
            for token in several & first.keys():
                found[token].append((first.pop(token), seen))
        return found

    def _pattern(self, pattern: str) -> int:
        name = self._patterns.get(pattern)
        if name is None:
            name = len(self._patterns) if len(self._patterns) < PATTERNS_MAX else NOWHERE
            self._patterns[pattern] = name
        return name << 8

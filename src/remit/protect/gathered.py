"""What a record is about to add to an index: its tokens, and where in it each stands first."""

from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from typing import Final, NamedTuple, TypeAlias

from remit.protect.hashing import Keyed

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


class Hashed(NamedTuple):
    """Tokens under a key: each with what a delta says of it.

    `apart` are those with different bits in different places, all of these in their order, with the bits; `alike` the
    others, by their bits: the hashes, and what is said of each.
    """

    apart: Sequence[tuple[int, Sequence[tuple[int, int]]]]
    alike: Sequence[tuple[int, Sequence[int], Sequence[int]]]


class Gathered:
    """Tokens to be added: by their bits, each with the number of the place where it stands first.

    Texts are given in their order, so that a smaller number is an earlier place. Once it is hashed nothing is added.
    """

    __slots__ = ("_first", "_hashed", "_patterns", "_places", "_under")

    def __init__(self) -> None:
        self._first: dict[int, dict[str, int]] = {}
        self._places: list[int] = []
        self._patterns: dict[str, int] = {}
        self._hashed = Hashed((), ())
        self._under: Keyed | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The patterns that are kept, in the order of their numbers."""
        return tuple(name for name, number in self._patterns.items() if number != NOWHERE)

    def tokens(self, bits: int) -> list[str]:
        """Those with one of `bits`, each as often as it has others beside."""
        return [token for seen, first in self._first.items() if seen & bits for token in first]

    def add(self, tokens: Collection[str], seen: int, pattern: str, element: int) -> None:
        """These `tokens` stand there."""
        number = len(self._places)
        self._places.append(element << 24 | self._pattern(pattern))
        first = self._first.get(seen)
        if first is None:
            self._first[seen] = dict.fromkeys(tokens, number)
            return
        for token in tokens:
            first.setdefault(token, number)

    def places_of(self, loose: Iterable[tuple[str, int, str]]) -> int:
        """The number of the first of places that have a pattern and an element each; the others follow."""
        first, pattern_of = len(self._places), self._pattern
        self._places += [element << 24 | pattern_of(pattern) for pattern, element, _ in loose]
        return first

    def join(self, tokens: dict[str, int], seen: int) -> None:
        """These tokens stand at the places of these numbers, which are later than those of all that was added."""
        first = self._first.get(seen)
        self._first[seen] = tokens if first is None else tokens | first

    def hashed(self, keyed: Keyed) -> Hashed:
        """All of it under a key; remembered for the last one."""
        if self._under is not keyed:
            places, (apart, alike) = self._places, self._apart()
            self._hashed = Hashed(
                tuple(
                    (at, tuple((places[number] | seen, seen) for number, seen in sorted(told)))
                    for at, told in zip(keyed.many(apart), apart.values(), strict=True)
                ),
                tuple(
                    (seen, keyed.many(first), [places[at] | seen for at in first.values()])
                    for seen, first in alike.items()
                ),
            )
            self._under = keyed
        return self._hashed

    def _apart(self) -> tuple[dict[str, list[tuple[int, int]]], dict[int, dict[str, int]]]:
        """Tokens with different bits in different places, with place and bits of each; and the others by their bits."""
        pairs = combinations(self._first.values(), 2)
        several = set[str]().union(*(one.keys() & other.keys() for one, other in pairs))
        if not several:
            return {}, self._first
        found: dict[str, list[tuple[int, int]]] = {token: [] for token in several}
        alike: dict[int, dict[str, int]] = {}
        for seen, first in self._first.items():
            left = alike[seen] = first.copy()
            for token in several & first.keys():
                found[token].append((left.pop(token), seen))
        return found, alike

    def _pattern(self, pattern: str) -> int:
        name = self._patterns.get(pattern)
        if name is None:
            name = len(self._patterns) if len(self._patterns) < PATTERNS_MAX else NOWHERE
            self._patterns[pattern] = name
        return name << 8

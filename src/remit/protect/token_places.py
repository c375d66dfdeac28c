"""What a record is about to add to an index: its tokens, and where in it each stands first."""

from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from typing import Final, NamedTuple, TypeAlias

from remit.protect.hashing import TokenHasher

PATTERNS_MAX: Final = 4_095
NOWHERE: Final = 0xFFFF


class TokenGroup(NamedTuple):
    """Tokens to be added: where in the result they stand (`$[*].to`, and which element), and their bits."""

    tokens: Collection[str]
    bits: int
    pattern: str = ""
    element: int = NOWHERE


TokenGroupTuple: TypeAlias = tuple[Collection[str], int, str, int]
"""`TokenGroup` as what is made by the hundred."""


class HashedTokens(NamedTuple):
    """Tokens under a key: each with what a delta says of it.

    `mixed` are those with different bits in different places, all of these in their order, with the bits; `uniform` the
    others, by their bits: the hashes, and what is said of each.
    """

    mixed: Sequence[tuple[int, Sequence[tuple[int, int]]]]
    uniform: Sequence[tuple[int, Sequence[int], Sequence[int]]]


class TokenPlaces:
    """Tokens to be added: by their bits, each with the number of the place where it stands first.

    Texts are given in their order, so that a smaller number is an earlier place. Once it is hashed nothing is added.
    """

    __slots__ = ("_first", "_hashed", "_hasher", "_patterns", "_places")

    def __init__(self) -> None:
        self._first: dict[int, dict[str, int]] = {}
        self._places: list[int] = []
        self._patterns: dict[str, int] = {}
        self._hashed = HashedTokens((), ())
        self._hasher: TokenHasher | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The patterns that are kept, in the order of their numbers."""
        return tuple(name for name, number in self._patterns.items() if number != NOWHERE)

    def tokens(self, bits: int) -> list[str]:
        """Those with one of `bits`, each as often as it has others beside."""
        return [token for other, first in self._first.items() if other & bits for token in first]

    def add(self, tokens: Collection[str], bits: int, pattern: str, element: int) -> None:
        """These `tokens` stand there."""
        number = len(self._places)
        self._places.append(element << 24 | self._pattern(pattern))
        first = self._first.get(bits)
        if first is None:
            self._first[bits] = dict.fromkeys(tokens, number)
            return
        for token in tokens:
            first.setdefault(token, number)

    def places_of(self, loose: Iterable[tuple[str, int, str]]) -> int:
        """The number of the first of places that have a pattern and an element each; the others follow."""
        first, pattern_of = len(self._places), self._pattern
        self._places += [element << 24 | pattern_of(pattern) for pattern, element, _ in loose]
        return first

    def join(self, tokens: dict[str, int], bits: int) -> None:
        """These tokens stand at the places of these numbers, which are later than those of all that was added."""
        first = self._first.get(bits)
        self._first[bits] = tokens if first is None else tokens | first

    def hashed(self, hasher: TokenHasher) -> HashedTokens:
        """All of it under a key; remembered for the last one."""
        if self._hasher is not hasher:
            places, (mixed, uniform) = self._places, self._split()
            self._hashed = HashedTokens(
                tuple(
                    (token_hash, tuple((places[number] | bits, bits) for number, bits in sorted(occurrences)))
                    for token_hash, occurrences in zip(hasher.hashes(mixed), mixed.values(), strict=True)
                ),
                tuple(
                    (bits, hasher.hashes(first), [places[at] | bits for at in first.values()])
                    for bits, first in uniform.items()
                ),
            )
            self._hasher = hasher
        return self._hashed

    def _split(self) -> tuple[dict[str, list[tuple[int, int]]], dict[int, dict[str, int]]]:
        """Tokens with different bits in different places, with place and bits of each; and the others by their bits."""
        pairs = combinations(self._first.values(), 2)
        several = set[str]().union(*(one.keys() & other.keys() for one, other in pairs))
        if not several:
            return {}, self._first
        mixed: dict[str, list[tuple[int, int]]] = {token: [] for token in several}
        uniform: dict[int, dict[str, int]] = {}
        for bits, first in self._first.items():
            rest = uniform[bits] = first.copy()
            for token in several & first.keys():
                mixed[token].append((rest.pop(token), bits))
        return mixed, uniform

    def _pattern(self, pattern: str) -> int:
        name = self._patterns.get(pattern)
        if name is None:
            name = len(self._patterns) if len(self._patterns) < PATTERNS_MAX else NOWHERE
            self._patterns[pattern] = name
        return name << 8

"""Languages as programs of places, and one walk through them: what a text must take to get from place to place.

A place takes one character and leads to the next, or leads elsewhere and takes none. A text fits where some way
through the program uses it up and comes out behind the last place.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

LAST: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)
_PLAIN: Final = "xqz01aA-_.@ "
"""What stands for many characters, where one of these is among them; then whatever prints in ASCII."""


class Chars(NamedTuple):
    """A set of characters: ranges of code points, both ends included, in order and apart."""

    ranges: tuple[tuple[int, int], ...]

    def __contains__(self, char: object) -> bool:
        """Whether `char` is one of them."""
        return isinstance(char, str) and any(low <= ord(char) <= high for low, high in self.ranges)

    def others(self) -> "Chars":
        """All characters but these."""
        found, low = list[tuple[int, int]](), 0
        for start, end in self.ranges:
            if low < start:
                found.append((low, start - 1))
            low = end + 1
        return Chars((*found, *([(low, LAST)] if low <= LAST else [])))


ANY: Final = Chars(((0, LAST),))


def chars(ranges: Iterable[tuple[int, int]]) -> Chars:
    """The set of all characters in `ranges`, in whatever order they are."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], high)
        else:
            found.append((low, high))
    return Chars(tuple(found))


def only(char: str) -> Chars:
    """The set of `char` alone."""
    return Chars(((ord(char), ord(char)),))


class Anchor(Enum):
    """Where alone a place leads on: before the first character, or behind the last."""

    START = "start"
    END = "end"


class Take(NamedTuple):
    """A place that takes one of `chars` and leads to the next place."""

    chars: Chars


class Skip(NamedTuple):
    """A place that takes nothing and leads to others, each so many places on (or back); `at` says where alone."""

    to: tuple[int, ...]
    at: Anchor | None = None


Program: TypeAlias = tuple[Take | Skip, ...]
ANYTHING: Final[Program] = (Skip((1, 3)), Take(ANY), Skip((-2,)))
"""What any text fits."""


def alphabet(programs: Iterable[Program]) -> tuple[str, ...]:
    """One character for each set of characters that `programs` cannot tell apart, the plainer ones first."""
    told = tuple({place.chars: None for program in programs for place in program if isinstance(place, Take)})
    found: dict[tuple[bool, ...], str] = {}
    for char in _candidates(told):
        found.setdefault(tuple([char in one for one in told]), char)
    return tuple(found.values())


def _candidates(told: Iterable[Chars]) -> Iterator[str]:
    yield from _PLAIN
    yield from map(chr, range(0x20, 0x7F))
    # Where no range begins or ends, a character is told from none before it.
    bounds = {bound for one in told for low, high in one.ranges for bound in (low, high + 1)}
    yield from (chr(bound) for bound in sorted({0, *bounds}) if bound <= LAST and bound not in _SURROGATES)


class Automaton:
    """A program as an automaton: numbered sets of places that a text can be at, made when they are first met."""

    __slots__ = ("_known", "_numbers", "_places", "_program", "_takes", "ends", "start", "steps")

    def __init__(self, program: Program, letters: Sequence[str]) -> None:
        self._program = program
        self._takes = [0] * len(letters)
        fits = {one.chars: [letter in one.chars for letter in letters] for one in program if isinstance(one, Take)}
        for at, place in enumerate(program):
            if isinstance(place, Take):
                for number, fit in enumerate(fits[place.chars]):
                    self._takes[number] |= fit << at
        self._known: dict[int, int] = {}
        self._numbers: dict[int, int] = {}
        self._places: list[int] = []
        self.ends: list[bool] = []
        """By number, whether a text that is there fits."""
        self.steps: list[tuple[int, ...] | None] = []
        """By number, where each letter leads to."""
        self.start = self._made(self._reached(1, first=True))
        self.ends[self.start] = self._over(1, first=True)

    def onward(self, number: int) -> tuple[int, ...]:
        """Where each letter leads to from `number`."""
        found = self.steps[number]
        if found is None:
            at = self._places[number]
            leads = {mine: self._number(mine << 1) for mine in {at & mask for mask in self._takes}}
            found = self.steps[number] = tuple([leads[at & mask] for mask in self._takes])
        return found

    def lost(self, number: int) -> bool:
        """Whether no text that is there gets to the end any more."""
        return self._places[number] == 0

    def _number(self, places: int) -> int:
        found = self._known.get(places)
        if found is None:
            kept = self._reached(places)
            found = self._numbers.get(kept)
            if found is None:
                found = self._numbers[kept] = self._made(kept)
            self._known[places] = found
        return found

    def _made(self, kept: int) -> int:
        self._places.append(kept)
        self.ends.append(self._over(kept))
        self.steps.append(None)
        return len(self._places) - 1

    def _over(self, places: int, *, first: bool = False) -> bool:
        return self._reached(places, first=first, last=True) >> len(self._program) & 1 == 1

    def _reached(self, places: int, *, first: bool = False, last: bool = False) -> int:
        """Where a text can be that is at `places`, but for what takes nothing and leads on at once."""
        waiting, seen, kept = places, 0, 0
        while waiting:
            bit = waiting & -waiting
            waiting ^= bit
            seen |= bit
            at = bit.bit_length() - 1
            place = self._program[at] if at < len(self._program) else None
            if not isinstance(place, Skip):
                kept |= bit
                continue
            open_ = place.at is None or (first if place.at is Anchor.START else last)
            if place.at is Anchor.END and not open_:
                # It leads on once the text is over.
                kept |= bit
            for step in place.to if open_ else ():
                waiting |= (1 << (at + step)) & ~seen
        return kept

"""Texts for patterns: the shortest one for each way in which a text can fit some of them and not others.

Cedar's `like` knows literals and `*` alone, so that a walk over the places that a text can be at in all patterns at
once finds every combination that is possible, exactly. No solver is needed.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from remit.facts.canonical import Json

ANY: Final = None
"""The `*` of a pattern."""
Pattern: TypeAlias = tuple[str | None, ...]
PLACES_MAX: Final = 10_000
"""How many places are looked at; where there are more, the answer is not whole."""
_OTHERS: Final = "xqz0ñ"


def pattern_of(written: Json) -> Pattern:
    """A pattern of Cedar's JSON form."""
    found: list[str | None] = []
    for one in written if isinstance(written, list) else ():
        match one:
            case {"Literal": str(text)}:
                found.extend(text)
            case _:
                found.append(ANY)
    return tuple(found)


def literal(text: str) -> Pattern:
    """The pattern that `text` alone fits."""
    return tuple(text)


class _Walk:
    """One pattern as an automaton: numbered sets of places that a text can be at, made when they are first met."""

    __slots__ = ("_alphabet", "_end", "_numbers", "_on", "_places", "_stars", "ends", "start", "steps")

    def __init__(self, pattern: Pattern, alphabet: Mapping[str, int]) -> None:
        self._alphabet = alphabet
        self._on: dict[str, int] = {}
        self._stars = 0
        for at, one in enumerate(pattern):
            if one is None:
                self._stars |= 1 << at
            else:
                self._on[one] = self._on.get(one, 0) | 1 << at
        self._numbers: dict[int, int] = {}
        self._places: list[int] = []
        self.ends: list[bool] = []
        """By number, whether a text that is there fits."""
        self.steps: list[tuple[int, ...] | None] = []
        """By number, where each character of the alphabet leads to."""
        self._end = 1 << len(pattern)
        self.start = self._number(1)

    def onward(self, number: int) -> tuple[int, ...]:
        """Where each character leads to from `number`."""
        found = self.steps[number]
        if found is None:
            at, stars = self._places[number], self._places[number] & self._stars
            leads = [self._number(stars)] * len(self._alphabet)
            for char, mine in self._on.items():
                if at & mine:
                    leads[self._alphabet[char]] = self._number((at & mine) << 1 | stars)
            found = self.steps[number] = tuple(leads)
        return found

    def _number(self, places: int) -> int:
        while more := (places & self._stars) << 1 & ~places:
            # A star may stand for nothing.
            places |= more
        found = self._numbers.get(places)
        if found is None:
            found = self._numbers[places] = len(self._places)
            self._places.append(places)
            self.ends.append(places & self._end != 0)
            self.steps.append(None)
        return found


class Samples(NamedTuple):
    """A text for each combination that was found, the shortest ones first; `whole`: of all that there can be."""

    texts: tuple[str, ...]
    whole: bool


def samples(patterns: Sequence[Pattern], least: int = 0) -> Samples:
    """A text of at least `least` characters for each combination of `patterns` that a text can fit and not fit.

    Where the empty text is the shortest one, the next is given as well: few arguments may be empty.
    """
    return _samples(tuple(patterns), least)


def filled(pattern: Pattern, filler: str) -> str:
    """The text of `pattern` with `filler` for each star."""
    return "".join(filler if char is None else char for char in pattern)


@lru_cache(maxsize=1_024)
def _samples(patterns: tuple[Pattern, ...], least: int) -> Samples:
    alphabet = sorted({char for one in patterns for char in one if char is not None})
    alphabet.append(next(char for char in (*_OTHERS, *map(chr, range(0x4E00, 0x9FFF))) if char not in alphabet))
    numbered = {char: at for at, char in enumerate(alphabet)}
    walks = [_Walk(one, numbered) for one in patterns]
    start = tuple([walk.start for walk in walks])
    found: dict[tuple[bool, ...], str] = {}
    texts: list[str] = []
    # A place and how long the text is, up to where it is long enough.
    seen, whole = {(start, 0)}, True
    waiting = deque([(start, "")])
    while waiting:
        here, text = waiting.popleft()
        fits = tuple([walk.ends[at] for walk, at in zip(walks, here, strict=True)])
        if len(text) >= least and not found.get(fits):
            found[fits] = text
            texts.append(text)
        onward = [walk.onward(at) for walk, at in zip(walks, here, strict=True)]
        following = zip(*onward, strict=True) if onward else [()] * len(alphabet)
        for char, there in zip(alphabet, following, strict=True):
            place = there, min(len(text) + 1, max(least, 1))
            if place in seen:
                continue
            if len(seen) >= PLACES_MAX:
                whole = False
                continue
            seen.add(place)
            waiting.append((there, text + char))
    return Samples(tuple(texts), whole)

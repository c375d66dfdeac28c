"""Texts for patterns: the shortest one for each way in which a text can fit some of them and not others.

Cedar's `like` knows literals and `*` alone, and what schemas demand of a text is mostly regular as well, so that a walk
over the places that a text can be at in all of them at once finds every combination that is possible, exactly. No
solver is needed.
"""

from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from remit.assure.chains.automaton import ANYTHING, Automaton, Program, Take, alphabet, only
from remit.assure.chains.regular import REPEATS_MAX, Demand
from remit.facts.canonical import Json

ANY: Final = None
"""The `*` of a pattern."""
Pattern: TypeAlias = tuple[str | None, ...]
PLACES_MAX: Final = 10_000
"""How many places are looked at; where there are more, the answer is not whole."""


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


class SampleTexts(NamedTuple):
    """A text for each combination that was found, the shortest ones first; `whole`: of all that there can be."""

    texts: tuple[str, ...]
    whole: bool


def samples(patterns: Sequence[Pattern], least: int = 0, demanded: Sequence[Demand] = ()) -> SampleTexts:
    """A text of at least `least` characters for each combination of `patterns` that a text can fit and not fit.

    Each is as `demanded`. Where the empty text is the shortest one, the next is given as well: few arguments may be
    empty.
    """
    return _samples(tuple(patterns), least, tuple(demanded))


def filled(pattern: Pattern, filler: str) -> str:
    """The text of `pattern` with `filler` for each star."""
    return "".join(filler if char is None else char for char in pattern)


def _program(pattern: Pattern) -> Program:
    return tuple(place for one in pattern for place in (ANYTHING if one is None else (Take(only(one)),)))


@lru_cache(maxsize=1_024)
def _samples(patterns: tuple[Pattern, ...], least: int, demanded: tuple[Demand, ...]) -> SampleTexts:
    programs = [*map(_program, patterns), *(one.program for one in demanded)]
    letters = alphabet(programs)
    walks = [Automaton(one, letters) for one in programs]
    has_to = [(walk, at) for at, walk in enumerate(walks) if at >= len(patterns) and demanded[at - len(patterns)].fits]
    wanted = [one.fits for one in demanded]
    start = tuple([walk.start for walk in walks])
    found: dict[tuple[bool, ...], str] = {}
    texts: list[str] = []
    # A place and how long the text is, up to where it is long enough.
    seen, whole = {(start, 0)}, True
    waiting = deque([(start, "")])
    while waiting:
        here, text = waiting.popleft()
        ends = tuple([walk.ends[at] for walk, at in zip(walks, here, strict=True)])
        fits = ends[: len(patterns)]
        if len(text) >= least and [*ends[len(patterns) :]] == wanted and not found.get(fits):
            found[fits] = text
            texts.append(text)
        onward = [walk.onward(at) for walk, at in zip(walks, here, strict=True)]
        following = zip(*onward, strict=True) if onward else [()] * len(letters)
        for letter, there in zip(letters, following, strict=True):
            place = there, min(len(text) + 1, max(least, 1))
            if place in seen or any(walk.lost(there[at]) for walk, at in has_to):
                continue
            if len(seen) >= PLACES_MAX:
                whole = False
                continue
            seen.add(place)
            waiting.append((there, text + letter))
    # Expressions are not followed beyond so many repeats.
    whole &= not demanded or all(len(text) <= REPEATS_MAX for text in texts)
    return SampleTexts(tuple(texts), whole)

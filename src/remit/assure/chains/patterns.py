"""Texts for patterns: the shortest one for each way in which a text can fit some of them and not others.

Cedar's `like` knows literals and `*` alone, so that a walk over the places that a text can be at in all patterns at
once finds every combination that is possible, exactly. No solver is needed.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, TypeAlias

from remit.facts.canonical import Json

ANY: Final = None
"""The `*` of a pattern."""
Pattern: TypeAlias = tuple[str | None, ...]
PLACES_MAX: Final = 4_000
"""How many places are looked at; what is beyond them is not told apart."""
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


def samples(patterns: Sequence[Pattern]) -> tuple[str, ...]:
    """A text for each combination of `patterns` that a text can fit and not fit, the shortest ones first.

    Where the empty text is the shortest one, the next is given as well: few arguments may be empty.
    """
    alphabet = sorted({char for one in patterns for char in one if char is not None})
    alphabet.append(next(char for char in (*_OTHERS, *map(chr, range(0x4E00, 0x9FFF))) if char not in alphabet))
    start = tuple(_onward(one, frozenset({0})) for one in patterns)
    found: dict[tuple[bool, ...], str] = {}
    texts: list[str] = []
    seen = {start}
    waiting = deque([(start, "")])
    while waiting:
        here, text = waiting.popleft()
        fits = tuple(len(one) in at for one, at in zip(patterns, here, strict=True))
        if not found.get(fits):
            found[fits] = text
            texts.append(text)
        for char in alphabet:
            there = tuple(_step(one, at, char) for one, at in zip(patterns, here, strict=True))
            if there not in seen and len(seen) < PLACES_MAX:
                seen.add(there)
                waiting.append((there, text + char))
            elif not text and len(seen) < PLACES_MAX:
                # The same places as of the empty text, by a text that is not empty.
                waiting.append((there, char))
    return tuple(texts)


def _step(pattern: Pattern, places: frozenset[int], char: str) -> frozenset[int]:
    moved = {at if pattern[at] is ANY else at + 1 for at in places if at < len(pattern) and pattern[at] in (ANY, char)}
    return _onward(pattern, frozenset(moved))


def _onward(pattern: Pattern, places: frozenset[int]) -> frozenset[int]:
    found = set(places)
    for at in places:
        while at < len(pattern) and pattern[at] is ANY:
            at += 1  # noqa: PLW2901 - a star may stand for nothing
            found.add(at)
    return frozenset(found)

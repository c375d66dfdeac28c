"""Regular expressions of JSON Schema as what a text must fit.

It is read as the engine that checks arguments reads it: characters and classes of them, groups, alternatives, repeats,
both anchors, and what looks ahead right behind the first. What others read otherwise, or what no program of places
says (back references, word bounds, what looks behind), is not read at all.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from remit.assure.chains.automaton import ANYTHING, Anchor, Chars, Program, Skip, Take, chars, only

PLACES_MAX: Final = 4_000
"""Of one expression, unfolded."""
REPEATS_MAX: Final = 128
"""Where more repeats than these are allowed, any number is; no shorter text can tell."""
_NESTED_MAX: Final = 32
_DIGIT: Final = ((0x30, 0x39),)
_WORD: Final = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Final = (
    *((0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029)),
    *((0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_CLASSES: Final = {
    letter: found
    for name, ranges in (("d", _DIGIT), ("w", _WORD), ("s", _SPACE))
    for letter, found in ((name, chars(ranges)), (name.upper(), chars(ranges).others()))
}
_DOT: Final = only("\n").others()
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}
_HEX: Final = {"x": 2, "u": 4}
_DIGITS: Final = re.compile("[0-9A-Fa-f]+")
_NAMED: Final = re.compile(r"\?(?::|P?<[A-Za-z_][A-Za-z0-9_]*>)")
_REPEATS: Final = re.compile(r"(?:(?P<sign>[*+?])|\{(?P<least>[0-9]{1,6})(?P<comma>,(?P<most>[0-9]{0,6}))?\})\??")
_AMBIGUOUS: Final = ("[", "&&", "--", "~~")
"""What some readers take for sets within a class."""
_SIGNS: Final = "^$\\.*+?()[]{}|/-,:;=!<>@#%&~'\"_ `"
"""What stands for itself behind a backslash."""
_NOTHING: Final[Program] = ()
_START: Final[Program] = (Skip((1,), Anchor.START),)
_END: Final[Program] = (Skip((1,), Anchor.END),)


class UnsupportedPattern(Exception):
    """An expression that is not followed."""


class Demand(NamedTuple):
    """What a text must fit, or must not."""

    program: Program
    fits: bool = True


@lru_cache(maxsize=1_024)
def demands(pattern: str) -> tuple[Demand, ...] | None:
    """What a text must fit, and what it must not, to hold `pattern` somewhere; None where that is not followed."""
    try:
        return _Reader(pattern).demands()
    except UnsupportedPattern:
        return None


class _Reader:
    """Reads one expression from left to right."""

    def __init__(self, pattern: str) -> None:
        self._left = pattern
        self._nested = 0

    def demands(self) -> tuple[Demand, ...]:
        """What the whole expression demands. Raises `UnsupportedPattern`."""
        ahead, parts = list[Demand](), list[Program]()
        while True:
            before = _NOTHING if self._takes("^") else ANYTHING
            while not parts and not before and (fits := self._looks()) is not None:
                ahead.append(Demand((*self._group(), *ANYTHING), fits))
            body, over = self._sequence()
            parts.append((*before, *body, *(_NOTHING if over else ANYTHING)))
            if not self._takes("|"):
                break
        if self._left or (ahead and len(parts) > 1):
            raise UnsupportedPattern
        return (Demand(_either(parts)), *ahead)

    def _takes(self, text: str) -> bool:
        found = self._left.startswith(text)
        if found:
            self._left = self._left[len(text) :]
        return found

    def _looks(self) -> bool | None:
        """Whether something is looked for ahead that has to be there, or must not be; None where nothing is."""
        return True if self._takes("(?=") else False if self._takes("(?!") else None

    def _group(self) -> Program:
        """What stands up to the end of a group, which has begun."""
        self._nested += 1
        if self._nested > _NESTED_MAX:
            raise UnsupportedPattern
        parts = [self._sequence()[0]]
        while self._takes("|"):
            parts.append(self._sequence()[0])
        if not self._takes(")"):
            raise UnsupportedPattern
        self._nested -= 1
        return _either(parts)

    def _sequence(self) -> tuple[Program, bool]:
        """What stands up to the end of an alternative, and whether that is the end of the text."""
        found, last = list[Take | Skip](), _NOTHING
        while self._left and self._left[0] not in "|)":
            last = self._repeated(self._one())
            found += last
            if len(found) > PLACES_MAX:
                raise UnsupportedPattern
        return tuple(found), last == _END

    def _one(self) -> Program:
        if self._takes("("):
            if self._left.startswith("?"):
                named = _NAMED.match(self._left)
                if named is None:
                    raise UnsupportedPattern
                self._left = self._left[named.end() :]
            return self._group()
        char, self._left = self._left[0], self._left[1:]
        match char:
            case "^":
                return _START
            case "$":
                return _END
            case ".":
                return (Take(_DOT),)
            case "[":
                return (Take(self._class()),)
            case "\\":
                return (Take(self._escaped()),)
            case "*" | "+" | "?":
                raise UnsupportedPattern
            case _:
                return (Take(only(char)),)

    def _repeated(self, one: Program) -> Program:
        found = _REPEATS.match(self._left)
        if found is None:
            return one
        self._left = self._left[found.end() :]
        if self._left[:1] in {"*", "+", "{"}:
            raise UnsupportedPattern
        match found["sign"]:
            case "*":
                least, most = 0, None
            case "+":
                least, most = 1, None
            case "?":
                least, most = 0, 1
            case _:
                least = int(found["least"])
                most = least if found["comma"] is None else int(found["most"]) if found["most"] else None
        return _times(one, least, most)

    def _class(self) -> Chars:
        """What stands up to the end of a class, which has begun."""
        others, found = self._takes("^"), list[tuple[int, int]]()
        if self._left.startswith("]"):
            # One reader takes it for the end, the other for a character.
            raise UnsupportedPattern
        while not self._takes("]"):
            if not self._left or self._left.startswith(_AMBIGUOUS):
                raise UnsupportedPattern
            low = self._member()
            if self._left.startswith("-") and not self._left.startswith("-]") and len(low.ranges) == 1:
                self._left = self._left[1:]
                high = self._member()
                (start, _), (end, last) = low.ranges[0], high.ranges[0]
                if not start <= end == last:
                    raise UnsupportedPattern
                found.append((start, end))
            else:
                found.extend(low.ranges)
        made = chars(found)
        return made.others() if others else made

    def _member(self) -> Chars:
        char, self._left = self._left[:1], self._left[1:]
        if not char:
            raise UnsupportedPattern
        return self._escaped() if char == "\\" else only(char)

    def _escaped(self) -> Chars:
        """What a backslash and what follows it stand for."""
        char, self._left = self._left[:1], self._left[1:]
        if char in _CLASSES:
            return _CLASSES[char]
        if char in _CONTROLS:
            return only(_CONTROLS[char])
        if char in _HEX:
            told, self._left = self._left[: _HEX[char]], self._left[_HEX[char] :]
            if not _DIGITS.fullmatch(told) or len(told) < _HEX[char] or 0xD800 <= int(told, 16) <= 0xDFFF:
                raise UnsupportedPattern
            return only(chr(int(told, 16)))
        if char and char in _SIGNS:
            return only(char)
        raise UnsupportedPattern


def _either(parts: Sequence[Program]) -> Program:
    """One of `parts`."""
    made = parts[-1]
    for part in reversed(parts[:-1]):
        made = (Skip((1, len(part) + 2)), *part, Skip((len(made) + 1,)), *made)
    return made


def _times(one: Program, least: int, most: int | None) -> Program:
    """`one` at least and at most so often."""
    if most is not None and most < least:
        raise UnsupportedPattern
    if most is not None and most - least > REPEATS_MAX:
        most = None
    more = 1 if most is None else most - least
    if (least + more) * (len(one) + 1) > PLACES_MAX:
        raise UnsupportedPattern
    if most is None:
        return (*one * least, Skip((1, len(one) + 2)), *one, Skip((-len(one) - 1,)))
    size = len(one) + 1
    # Where one is left out, all after it are.
    maybe = [place for at in range(more) for place in (Skip((1, (more - at) * size)), *one)]
    return (*one * least, *maybe)

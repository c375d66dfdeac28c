"""The telling parts of a text: addresses, URLs, account numbers, ids, numbers, dates, names, words.

Laws
* A text is split once and each piece is then looked at by itself: no pattern runs over all of it but those that
  look at a bounded stretch, so that the time is linear whatever the text holds.
* Two spellings of one thing give one token: case, Unicode's compatibility forms, invisible characters,
  punctuation around it, scheme and `www.`, `1,000.00` and `1000`, `1.4.2022` and `2022-04-01`.
* Nothing is cut: a long piece is one token.
"""

import re
from functools import lru_cache
from typing import Final

from remit.facts.text import composed
from remit.protect.paths import CONTROLS, ended, reaching
from remit.protect.pieces import SHORT_MAX, STRIPPED, Kind, Token, number, tokens
from remit.protect.spread import MONTH_WORDS, grouped, spelt

_INVISIBLE: Final = dict.fromkeys(
    (0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070))
)
_SPLIT: Final = str.maketrans(dict.fromkeys('\\,;|()[]{}<>"`*!“”„«»' + CONTROLS, " "))
_THOUSANDS: Final = re.compile(r",(?<=\d,)(?=\d\d\d(?!\d))")


def plain(text: str) -> str:
    """`text` in one spelling of its characters."""
    if text.isascii():
        return text
    return composed(text.translate(_INVISIBLE)).translate(_INVISIBLE)


def whole(text: str) -> str:
    """The token of a scalar as a whole, which a text that only mentions its words does not have."""
    if text.isascii():
        return "=" + " ".join(text.lower().split())
    words = [word.casefold() if word.isalpha() else word.lower() for word in plain(text).split()]
    return "=" + " ".join(words)


def scalar(value: float) -> str:
    """The token of a number."""
    return number(repr(value)) if isinstance(value, float) else str(value)


def texts(text: str) -> frozenset[str] | set[str]:
    """The distinct tokens of `text`, to be indexed."""
    if len(text) <= SHORT_MAX and " " not in text:
        return frozenset((text,)) if text.isdigit() and text.isascii() else _short_texts(text)
    return _texts(text)


@lru_cache(maxsize=4_096)
def _short_texts(text: str) -> frozenset[str]:
    return frozenset(_texts(text))


def _texts(text: str) -> set[str]:
    text = plain(text)
    pieces = set(_apart(text).split())
    plainly = set(filter(str.isalpha, pieces))
    found = set(map(str.casefold, plainly))
    for said in {piece.strip(STRIPPED) for piece in pieces - plainly}:
        if said.isalpha():
            found.add(said.casefold())
        elif said:
            for token, _ in tokens(said):
                found.add(token)
    for token in reaching(text):
        found.update((token, ended(token)))
    found.update(joined for joined, _ in grouped(text))
    if not MONTH_WORDS.isdisjoint(found):
        found.update(day for day, _ in spelt(text))
    return found


def parts(text: str) -> list[Token]:
    """The tokens of `text` in order, to be judged. A word that begins a sentence is no name."""
    text = plain(text)
    if text.isalnum() and text.isascii():
        return [(text.lower(), Kind.WORD)] if text.isalpha() else list(tokens(text))
    found: list[Token] = []
    fresh = True
    for piece in _apart(text).split():
        said = piece.strip(STRIPPED)
        if said:
            if said.isalpha():
                kind = Kind.NAME if not fresh and said[0].isupper() else Kind.WORD
                found.append((said.casefold(), kind))
            else:
                found.extend(tokens(said))
        fresh = piece[-1] in ".:?"
    spread = [(joined, Kind.ACCOUNT, pieces) for joined, pieces in grouped(text)]
    if not MONTH_WORDS.isdisjoint(dict(found)):
        spread += [(day, Kind.DATE, pieces) for day, pieces in spelt(text)]
    if spread:
        inside = frozenset(piece for _, _, pieces in spread for piece in pieces)
        found = [token for token in found if token[0] not in inside]
        found += [(joined, kind) for joined, kind, _ in spread]
    return found


def _apart(text: str) -> str:
    if "," in text:
        text = _THOUSANDS.sub("", text)
    return text.translate(_SPLIT)

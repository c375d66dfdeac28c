"""The telling parts of a text: addresses, URLs, account numbers, ids, numbers, dates, names, words.

Laws
* A text is split once and each piece is then looked at by itself: no pattern runs over all of it but those that
  look at a bounded stretch, so that the time is linear whatever the text holds.
* Two spellings of one thing give one token: case, Unicode's compatibility forms, invisible characters, punctuation
  around it, scheme and `www.`, `1,000.00` and `1000`, `1.4.2022` and `2022-04-01`.
* What of an identifier hangs on case is told beside its token (`spelling`).
* Nothing is cut: a long piece is one token.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from remit.facts.text import composed
from remit.protect.onward import onward
from remit.protect.paths import CONTROLS, MARKS, ended, reaching
from remit.protect.pieces import SHORT_MAX, STRIPPED, Kind, Token, number, tokens
from remit.protect.spelling import learnt, learnt_of_paths
from remit.protect.spread import GROUPS, MONTH_WORDS, YEAR, grouped, spelt

_INVISIBLE: Final = dict.fromkeys(
    (0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070))
)
_BETWEEN: Final = '\\,;|()[]{}<>"`*!“”„«»' + CONTROLS
_SPLIT: Final = str.maketrans(dict.fromkeys(_BETWEEN, " "))
_ELLIPSIS: Final = "\u2026"
_END: Final = "\x1e"
"""What stands between texts that are read together, and in none of them."""
_ROWS: Final = str.maketrans(dict.fromkeys(_BETWEEN.replace(_END, ""), " "))
_NEXT: Final = re.compile(r"\.[A-Z]")
"""Where one sentence may run on into the next."""
_THOUSANDS: Final = re.compile(r",(?<=\d,)(?=\d\d\d(?!\d))")


def plain(text: str) -> str:
    """`text` in one spelling of its characters."""
    if text.isascii():
        return text
    return composed(text.translate(_INVISIBLE)).translate(_INVISIBLE)


def respelt(text: str) -> bool:
    """Whether `text` holds a character that `plain` takes for a letter, a digit or a dot of ASCII, or for nothing.

    A reader takes full width, a circled digit or an invisible character for what it stands for; the tool that gets the
    text may not, and reach somebody else (Unicode TR 36, section 2; TR 39).
    """
    return not text.isascii() and any(map(_respelt, set(text)))


@lru_cache(maxsize=4_096)
def _respelt(char: str) -> bool:
    read = plain(char)
    return char not in {read, _ELLIPSIS} and (not read or any(map(_tells, read)))


def _tells(char: str) -> bool:
    """Whether it names something, or stands between what does in an address or a path."""
    return char.isascii() and (char.isalnum() or char in "./\\@")


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
    if text.isascii() and (text.isalpha() or (text.isalnum() and text == text.lower())):
        return frozenset((text.lower(),))
    if len(text) <= SHORT_MAX and " " not in text:
        return _short_texts(text)
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
            found.update(_of_piece(said))
    for token in reaching(text):
        found.update((token, ended(token)))
    found.update(learnt_of_paths(text))
    found.update(token for token, _ in onward(text))
    found.update(joined for joined, _ in grouped(text))
    if not MONTH_WORDS.isdisjoint(found):
        found.update(day for day, _ in spelt(text))
    return found


def _of_piece(said: str) -> Iterator[str]:
    """The tokens of a piece that is no word, and what is told of its case."""
    for token, _ in tokens(said):
        yield token
    if said != said.lower():
        yield from learnt(said)


def firsts(said: Sequence[str], start: int = 0) -> dict[str, int]:
    """What `texts` finds in all of `said`, each token with the number of the first text that it stands in.

    They are numbered from `start`, and read as one text; what stands in several pieces is looked for once more.
    """
    joined = _END.join(said)
    alone: dict[str, int] = {}
    if not joined.isascii() or joined.count(_END) >= len(said):
        plainly = [text if text.isascii() and _END not in text else "" for text in said]
        alone = {text: at for at, text in _last_first(said, start) if not plainly[at - start]}
        joined = _END.join(plainly)
    found = _pieces(_THOUSANDS.sub("", joined) if "," in joined else joined, start)
    again = _again(joined, months=not MONTH_WORDS.isdisjoint(found))
    alone.update((said[at], at + start) for at in reversed(again))
    for text, at in alone.items():
        for token in texts(text):
            if found.get(token, at) >= at:
                found[token] = at
    return found


def _last_first(rows: Sequence[str], start: int) -> Iterator[tuple[int, str]]:
    """`rows` with their numbers, so that what is written over is later."""
    return zip(range(start + len(rows) - 1, start - 1, -1), reversed(rows), strict=True)


def _pieces(joined: str, start: int) -> dict[str, int]:
    """The tokens of single pieces, each with the number of the first row that it stands in."""
    first: dict[str, int] = {}
    # A piece loses the dot at its end in any case.
    rows = joined.replace(". ", " ").translate(_ROWS).split(_END)
    for at, row in _last_first(rows, start):
        if " " in row:
            first.update(dict.fromkeys(row.split(), at))
        elif row:
            first[row] = at
    plainly = {piece: at for piece, at in first.items() if piece.isalpha()}
    found = {piece: at for piece, at in plainly.items() if piece.islower()}
    for piece in plainly.keys() - found.keys():
        _earlier(found, piece.lower(), plainly[piece])
    for piece in first.keys() - plainly.keys():
        said = piece.strip(STRIPPED)
        if said.isalpha():
            _earlier(found, said.lower(), first[piece])
        elif said:
            for token in _of_piece(said):
                _earlier(found, token, first[piece])
    return found


def _earlier(found: dict[str, int], token: str, at: int) -> None:
    if found.get(token, at) >= at:
        found[token] = at


def _again(joined: str, *, months: bool) -> list[int]:
    """The numbers of the rows that may hold more than single pieces tell."""
    hits: list[int] = []
    for mark in MARKS:
        at = joined.find(mark)
        while at >= 0:
            hits.append(at)
            end = joined.find(_END, at)
            at = joined.find(mark, end) if end >= 0 else -1
    for pattern in (GROUPS, _NEXT, YEAR) if months else (GROUPS, _NEXT):
        hits += [found.start() for found in pattern.finditer(joined)]
    rows: list[int] = []
    row = done = 0
    for at in sorted(hits):
        row += joined.count(_END, done, at)
        done = at
        if not rows or rows[-1] != row:
            rows.append(row)
    return rows


def parts(text: str) -> list[Token]:
    """The tokens of `text` in order, to be judged. A word that begins a sentence is no name."""
    if len(text) <= SHORT_MAX and " " not in text:
        return list(_short_parts(text))
    return _parts(text)


@lru_cache(maxsize=4_096)
def _short_parts(text: str) -> tuple[Token, ...]:
    if text.isalnum() and text.isascii():
        return ((text.lower(), Kind.WORD),) if text.isalpha() else tokens(text)
    return tuple(_parts(text))


def _parts(text: str) -> list[Token]:
    text = plain(text)
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
    return [*found, *onward(text)]


def pieces(text: str) -> list[str]:
    """What of `text` is no word, between spaces and brackets, nothing strippable around it."""
    return [said for piece in _apart(plain(text)).split() if (said := piece.strip(STRIPPED)) and not said.isalpha()]


def _apart(text: str) -> str:
    if "," in text:
        text = _THOUSANDS.sub("", text)
    return text.translate(_SPLIT)

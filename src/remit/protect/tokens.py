"""The telling parts of a text: addresses, URLs, account numbers, ids, numbers, dates, names, words.

Laws
* A text is split once and each piece is then looked at by itself: no pattern runs over all of it but those that
  look at a bounded stretch, so that the time is linear whatever the text holds.
* Two spellings of one thing give one token: case, Unicode's compatibility forms, invisible characters, punctuation
  around it, the scheme of the web and `www.`, `1,000.00` and `1000`, `1.4.2022` and `2022-04-01`.
* What of an identifier hangs on case is told beside its token (`spelling`).
* Nothing is cut: a long piece is one token.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from remit.facts.text import IGNORED, composed
from remit.protect.grouped_tokens import GROUPS, MONTH_WORDS, YEAR, grouped, spelt
from remit.protect.links import onward
from remit.protect.paths import CONTROLS, MARKS, ended, reached
from remit.protect.spelling import CASED, capitals, learnt, learnt_of_path, own
from remit.protect.token_kinds import (
    ACCOUNT_DIGITS_MIN,
    SHORT_MAX,
    STRIPPED,
    Token,
    TokenKind,
    number,
    tokens,
    unbroken,
)

_INVISIBLE: Final = dict.fromkeys(map(ord, IGNORED))
_STYLED: Final = re.compile(r"(?<=[^\x00-\x7f])[\ufe0e\ufe0f]")
"""Which picture is drawn of the character before; behind a letter of ASCII it says nothing."""
_BETWEEN: Final = '\\,;|()[]{}<>"`*!“”„«»' + CONTROLS
_SPLIT: Final = str.maketrans(dict.fromkeys(_BETWEEN, " "))
_ELLIPSIS: Final = "\u2026"
_END: Final = "\x1e"
"""What stands between texts that are read together, and in none of them."""
_ENDED: Final = "." + _END
_ROWS: Final = str.maketrans(dict.fromkeys(_BETWEEN.replace(_END, ""), " "))
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
    return not text.isascii() and any(map(_respelt, set(_STYLED.sub("", text))))


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


def counted(value: float) -> Token:
    """A number as a telling part: one of so many digits as an account has may be that, written as a number."""
    said = scalar(value)
    return said, TokenKind.ACCOUNT if said.isdecimal() and len(said) >= ACCOUNT_DIGITS_MIN else TokenKind.NUMBER


def texts(text: str) -> frozenset[str] | set[str]:
    """The distinct tokens of `text`, to be indexed."""
    if text.isalnum() and text.isascii():
        token = text.lower()
        if token == text or text.isalpha():
            return frozenset((token,))
        if len(text) <= SHORT_MAX:
            cased = unbroken(token)[1] in CASED
            return frozenset((token, own(text), capitals(token))) if cased else frozenset((token,))
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
    found.update(_of_several(text))
    if not MONTH_WORDS.isdisjoint(found):
        found.update(day for day, _ in spelt(text))
    return found


def _of_several(text: str) -> Iterator[str]:
    """The tokens of what stands in several pieces of `text`, which is `plain`, or reaches further; but for dates."""
    for token, kept in reached(text):
        yield token
        yield ended(token)
        yield from learnt_of_path(token, kept)
    for token, _ in onward(text):
        yield token
    for joined, _ in grouped(text):
        yield joined


def _of_piece(said: str) -> Iterator[str]:
    """The tokens of a piece that is no word, and what is told of its case."""
    for token, _ in tokens(said):
        yield token
    if said != said.lower() or (said[-1] == "0" and "." in said):
        yield from learnt(said)


def firsts(said: Sequence[str], start: int = 0) -> dict[str, int]:
    """What `texts` finds in all of `said`, each token with the number of the first text that it stands in.

    They are numbered from `start`, and read as one text; what stands in several pieces is looked for once more.
    """
    first = dict(zip(reversed(said), range(start + len(said) - 1, start - 1, -1), strict=True))
    rows = list(dict.fromkeys(said))
    joined = _END.join(rows)
    alone: list[str] = []
    if not joined.isascii() or joined.count(_END) >= len(rows):
        alone = [text for text in rows if not text.isascii() or _END in text]
        rows = [text for text in rows if text.isascii() and _END not in text]
        joined = _END.join(rows)
    at = [first[text] for text in rows]
    found = _pieces(_THOUSANDS.sub("", joined) if "," in joined else joined, at)
    if not MONTH_WORDS.isdisjoint(found):
        alone += [rows[row] for row in _rows_of(joined, [year.start() for year in YEAR.finditer(joined)])]
    for row in _rows_of(joined, _marked(joined)):
        for token in _of_several(rows[row]):
            _earlier(found, token, at[row])
    for text in alone:
        for token in texts(text):
            _earlier(found, token, first[text])
    return found


def _pieces(joined: str, numbers: Sequence[int]) -> dict[str, int]:
    """The tokens of single pieces, each with the number of the first row that it stands in; `numbers` are theirs."""
    first: dict[str, int] = {}
    # A piece loses the dot at its end in any case.
    rows = joined.replace(". ", " ").replace(_ENDED, _END).translate(_ROWS).split(_END) if numbers else ()
    for at, row in zip(numbers, rows, strict=True):
        if " " in row:
            for piece in row.split():
                first.setdefault(piece, at)
        elif row:
            first.setdefault(row, at)
    found = {piece: at for piece, at in first.items() if piece.isalpha() and piece.islower()}
    for piece in first.keys() - found.keys():
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


def _marked(joined: str) -> list[int]:
    """Where it may hold more than single pieces tell, once for each row and mark; dates in words are not among it."""
    hits = [found.start() for found in GROUPS.finditer(joined)]
    for mark in MARKS:
        at = joined.find(mark)
        while at >= 0:
            hits.append(at)
            end = joined.find(_END, at)
            at = joined.find(mark, end) if end >= 0 else -1
    return hits


def _rows_of(joined: str, places: list[int]) -> list[int]:
    """The numbers of the rows in which `places` of all of them are."""
    rows: list[int] = []
    row = done = 0
    for at in sorted(places):
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
        return ((text.lower(), TokenKind.WORD),) if text.isalpha() else tokens(text)
    return tuple(_parts(text))


def _parts(text: str) -> list[Token]:
    text = plain(text)
    found: list[Token] = []
    fresh = True
    for piece in _apart(text).split():
        said = piece if piece.isalpha() else piece.strip(STRIPPED)
        if said.isalpha():
            kind = TokenKind.NAME if not fresh and said[0].isupper() else TokenKind.WORD
            found.append((said.casefold(), kind))
        elif said:
            found += tokens(said)
        fresh = piece[-1] in ".:?"
    spread = [(joined, TokenKind.ACCOUNT, pieces) for joined, pieces in grouped(text)]
    if not MONTH_WORDS.isdisjoint(dict(found)):
        spread += [(day, TokenKind.DATE, pieces) for day, pieces in spelt(text)]
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

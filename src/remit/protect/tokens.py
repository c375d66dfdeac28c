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
from remit.protect.grouped_tokens import GROUPS, MONTH_WORDS, YEAR, grouped_numbers, spelled_dates
from remit.protect.links import run_on_urls
from remit.protect.paths import CONTROLS, MARKS, cased_path_tokens, without_full_stop
from remit.protect.spelling import CASED, capitals_mark, case_tokens, case_tokens_of_path, cased_token
from remit.protect.token_kinds import (
    ACCOUNT_DIGITS_MIN,
    SHORT_MAX,
    STRIPPED,
    Token,
    TokenKind,
    number,
    piece_tokens,
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


def normalized(text: str) -> str:
    """`text` in one spelling of its characters."""
    if text.isascii():
        return text
    return composed(text.translate(_INVISIBLE)).translate(_INVISIBLE)


def has_lookalikes(text: str) -> bool:
    """Whether `text` holds a character that `normalized` takes for a letter, a digit or a dot of ASCII, or for nothing.

    A reader takes full width, a circled digit or an invisible character for what it stands for; the tool that gets the
    text may not, and reach somebody else (Unicode TR 36, section 2; TR 39).
    """
    return not text.isascii() and any(map(_is_lookalike, set(_STYLED.sub("", text))))


@lru_cache(maxsize=4_096)
def _is_lookalike(char: str) -> bool:
    normal = normalized(char)
    return char not in {normal, _ELLIPSIS} and (not normal or any(map(_tells, normal)))


def _tells(char: str) -> bool:
    """Whether it names something, or stands between what does in an address or a path."""
    return char.isascii() and (char.isalnum() or char in "./\\@")


def whole_token(text: str) -> str:
    """The token of a scalar as a whole, which a text that only mentions its words does not have."""
    if text.isascii():
        return "=" + " ".join(text.lower().split())
    words = [word.casefold() if word.isalpha() else word.lower() for word in normalized(text).split()]
    return "=" + " ".join(words)


def number_text(value: float) -> str:
    """The token of a number."""
    return number(repr(value)) if isinstance(value, float) else str(value)


def number_token(value: float) -> Token:
    """A number as a telling part: one of so many digits as an account has may be that, written as a number."""
    text = number_text(value)
    return text, TokenKind.ACCOUNT if text.isdecimal() and len(text) >= ACCOUNT_DIGITS_MIN else TokenKind.NUMBER


def distinct_tokens(text: str) -> frozenset[str] | set[str]:
    """The distinct tokens of `text`, to be indexed."""
    if text.isalnum() and text.isascii():
        token = text.lower()
        if token == text or text.isalpha():
            return frozenset((token,))
        if len(text) <= SHORT_MAX:
            cased = unbroken(token)[1] in CASED
            return frozenset((token, cased_token(text), capitals_mark(token))) if cased else frozenset((token,))
    if len(text) <= SHORT_MAX and " " not in text:
        return _short_distinct_tokens(text)
    return _distinct_tokens(text)


@lru_cache(maxsize=4_096)
def _short_distinct_tokens(text: str) -> frozenset[str]:
    return frozenset(_distinct_tokens(text))


def _distinct_tokens(text: str) -> set[str]:
    text = normalized(text)
    pieces = set(_separated(text).split())
    words = set(filter(str.isalpha, pieces))
    tokens = set(map(str.casefold, words))
    for piece in {raw.strip(STRIPPED) for raw in pieces - words}:
        if piece.isalpha():
            tokens.add(piece.casefold())
        elif piece:
            tokens.update(_tokens_and_case(piece))
    tokens.update(_multi_piece_tokens(text))
    if not MONTH_WORDS.isdisjoint(tokens):
        tokens.update(day for day, _ in spelled_dates(text))
    return tokens


def _multi_piece_tokens(text: str) -> Iterator[str]:
    """The tokens of what stands in several pieces of `text`, which is `normalized`, or says more; but for dates."""
    for token, written in cased_path_tokens(text):
        yield token
        yield without_full_stop(token)
        yield from case_tokens_of_path(token, written)
    for token, _ in run_on_urls(text):
        yield token
    for joined, _ in grouped_numbers(text):
        yield joined


def _tokens_and_case(piece: str) -> Iterator[str]:
    """The tokens of a piece that is no word, and what is told of its case."""
    for token, _ in piece_tokens(piece):
        yield token
    if piece != piece.lower() or (piece[-1] == "0" and "." in piece):
        yield from case_tokens(piece)


def first_places(texts: Sequence[str], start: int = 0) -> dict[str, int]:
    """What `distinct_tokens` finds in all of `texts`, each token with the number of the first text that it stands in.

    They are numbered from `start`, and read as one text; what stands in several pieces is looked for once more.
    """
    first = dict(zip(reversed(texts), range(start + len(texts) - 1, start - 1, -1), strict=True))
    rows = list(dict.fromkeys(texts))
    joined = _END.join(rows)
    alone: list[str] = []
    if not joined.isascii() or joined.count(_END) >= len(rows):
        alone = [text for text in rows if not text.isascii() or _END in text]
        rows = [text for text in rows if text.isascii() and _END not in text]
        joined = _END.join(rows)
    at = [first[text] for text in rows]
    places = _pieces(_THOUSANDS.sub("", joined) if "," in joined else joined, at)
    if not MONTH_WORDS.isdisjoint(places):
        alone += [rows[row] for row in _rows_of(joined, [year.start() for year in YEAR.finditer(joined)])]
    for row in _rows_of(joined, _marked(joined)):
        for token in _multi_piece_tokens(rows[row]):
            _earlier(places, token, at[row])
    for text in alone:
        for token in distinct_tokens(text):
            _earlier(places, token, first[text])
    return places


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
    places = {piece: at for piece, at in first.items() if piece.isalpha() and piece.islower()}
    for piece in first.keys() - places.keys():
        stripped = piece.strip(STRIPPED)
        if stripped.isalpha():
            _earlier(places, stripped.lower(), first[piece])
        elif stripped:
            for token in _tokens_and_case(stripped):
                _earlier(places, token, first[piece])
    return places


def _earlier(places: dict[str, int], token: str, at: int) -> None:
    if places.get(token, at) >= at:
        places[token] = at


def _marked(joined: str) -> list[int]:
    """Where it may hold more than single pieces tell, once for each row and mark; dates in words are not among it."""
    hits = [match.start() for match in GROUPS.finditer(joined)]
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
    row = counted_to = 0
    for at in sorted(places):
        row += joined.count(_END, counted_to, at)
        counted_to = at
        if not rows or rows[-1] != row:
            rows.append(row)
    return rows


def ordered_tokens(text: str) -> list[Token]:
    """The tokens of `text` in order, to be judged. A word that begins a sentence is no name."""
    if len(text) <= SHORT_MAX and " " not in text:
        return list(_short_ordered_tokens(text))
    return _ordered_tokens(text)


@lru_cache(maxsize=4_096)
def _short_ordered_tokens(text: str) -> tuple[Token, ...]:
    if text.isalnum() and text.isascii():
        return ((text.lower(), TokenKind.WORD),) if text.isalpha() else piece_tokens(text)
    return tuple(_ordered_tokens(text))


def _ordered_tokens(text: str) -> list[Token]:
    text = normalized(text)
    tokens: list[Token] = []
    fresh = True
    for piece in _separated(text).split():
        stripped = piece if piece.isalpha() else piece.strip(STRIPPED)
        if stripped.isalpha():
            kind = TokenKind.NAME if not fresh and stripped[0].isupper() else TokenKind.WORD
            tokens.append((stripped.casefold(), kind))
        elif stripped:
            tokens += piece_tokens(stripped)
        fresh = piece[-1] in ".:?"
    groups = [(joined, TokenKind.ACCOUNT, pieces) for joined, pieces in grouped_numbers(text)]
    if not MONTH_WORDS.isdisjoint(dict(tokens)):
        groups += [(day, TokenKind.DATE, pieces) for day, pieces in spelled_dates(text)]
    if groups:
        inside = frozenset(piece for _, _, pieces in groups for piece in pieces)
        tokens = [token for token in tokens if token[0] not in inside]
        tokens += [(joined, kind) for joined, kind, _ in groups]
    return [*tokens, *run_on_urls(text)]


def pieces(text: str) -> list[str]:
    """What of `text` is no word, between spaces and brackets, nothing strippable around it."""
    return [
        stripped
        for piece in _separated(normalized(text)).split()
        if (stripped := piece.strip(STRIPPED)) and not stripped.isalpha()
    ]


def _separated(text: str) -> str:
    if "," in text:
        text = _THOUSANDS.sub("", text)
    return text.translate(_SPLIT)

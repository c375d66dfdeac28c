"""One scalar of an action: what is read of it, and where that came from.

Laws
* It has the worst origin of its telling parts. It is `trusted` only where nothing untrusted holds it too.
* What is read like something else is not that: other forms of letters, and identifiers in another case.
* What is not known counts as the worse: no index as unseen, words that tell nothing as what was read.
* Work is bounded: of values that are too much together the longest are not read, in whatever order they stand, and
  count as untrusted.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from remit.facts.origin import Origin, Role
from remit.facts.text import GROWTH_MAX, gained
from remit.protect.index import ALL_BITS, DIRECTORY, ESTABLISHED_MASK, UNTRUSTED, VOUCHING, WORDS, Index, origin_of
from remit.protect.language import STOP, in_turn, meant
from remit.protect.links import bracketed, shown
from remit.protect.paths import leading, reaching
from remit.protect.spelling import CASED, SPELT, capitals, cased, own
from remit.protect.token_kinds import CARRIED, SHORT_MAX, Token, TokenKind, unbroken
from remit.protect.tokens import counted, parts, pieces, plain, respelt, whole

_ORIGINS: Final = tuple(Origin)
_SLASHES: Final = frozenset("/\\")
_NAMES: Final = re.compile(r"[\w.-]+")
_JOINING: Final = frozenset({"a", "an", "and", "of", "the"})
"""Words that tell nothing in a target either."""


READ_CHARS_MAX: Final = 64 * 1024
"""What is read of the values of one action: some tens of milliseconds, for which everybody waits."""
LEAST_CHARS: Final = 64
"""As so many a shorter value counts: it takes as long to read."""


class IndexView(dict[str, int]):
    """What the sessions of a delegation chain have seen, in the index of its root, and what configuration grounds.

    Of each token what is known: its bits, and for `place` where it was first seen. One that was not asked for is looked
    up by itself.
    """

    __slots__ = ("_configured", "_index", "_said", "prose")

    def __init__(self, index: Index | None, configured: frozenset[str] = frozenset()) -> None:
        self._configured = configured
        self._index = index
        self._said: dict[str, int] = {}
        self.prose = index is not None and (index.prose or index.capped)
        """Whether untrusted words were read that tell nothing by themselves."""

    def ask(self, tokens: Collection[str]) -> None:
        """Look all of `tokens` up at once."""
        if self._index is None:
            self.update(dict.fromkeys(tokens, 0))
        else:
            self.update(zip(tokens, self._index.lookup_all(tokens), strict=True))
        if self._configured:
            for token in self._configured.intersection(tokens):
                self._said[token], self[token] = self[token], WORDS
        if self.prose:
            for token in STOP.intersection(tokens):
                self[token] |= UNTRUSTED

    def __missing__(self, token: str) -> int:
        self.ask((token,))
        return self[token]

    def spelt(self, token: str, kept: str) -> int | None:
        """What is known of an identifier as it is written, `kept`, whose `token` is in small letters.

        None where it was seen in no other case, so that `token` tells all.
        """
        if kept != token:
            return self[own(kept)] | self[token] & UNTRUSTED
        # What may have been its capitals alone counts for nothing.
        other = self[capitals(token)]
        return self[token] & ~(other & VOUCHING) if other else None

    def said(self, token: str) -> bool:
        """Whether the user said `token`; what configuration says asks for nothing."""
        return self._said.get(token, self[token]) & WORDS != 0

    def place(self, found: int) -> tuple[str, str]:
        """The call and the path where what was `found` came to its origin; nothing for the user's words."""
        return ("", "") if self._index is None or found <= ALL_BITS else self._index.place(found)


class Scalar(NamedTuple):
    """What is read of a scalar: its telling parts, and the token and text of the whole where that counts, too.

    One that is `respelt` is not what it reads as. `cased` are its identifiers, each in its own letters, too. Where all
    of it are words that tell nothing, `idle` are the tokens all of which the user's words hold if they name that.
    """

    tokens: Sequence[Token]
    whole: str = ""
    value: str = ""
    respelt: bool = False
    cased: tuple[tuple[str, str], ...] = ()
    idle: tuple[str, ...] = ()

    def into(self, asks: list[str]) -> None:
        """Add what has to be looked up."""
        asks += [token for token, _ in self.tokens]
        if self.whole:
            asks.append(self.whole)
        asks += [capitals(token) if kept == token else own(kept) for token, kept in self.cased]
        asks += self.idle


Judged: TypeAlias = tuple[Origin, str, int, bool]
"""The origin of a scalar, the part that it is due to, what was found of that, and whether a directory holds it."""
_SCHEMA: Final = Scalar(())
"""`true` and `false`."""
UNREAD: Final = Scalar(())


def read_scalars(given: Sequence[tuple[str | float, Role | None]]) -> list[Scalar]:
    """What is read of the values of an action, each with the role of its argument; `UNREAD` of what is too long."""
    chars, ours = sum([len(value) for value, _ in given if isinstance(value, str)]), LEAST_CHARS * len(given)
    if chars * GROWTH_MAX + ours <= READ_CHARS_MAX or (
        chars + ours <= READ_CHARS_MAX and all(value.isascii() for value, _ in given if isinstance(value, str))
    ):
        return [read_scalar(value, role) for value, role in given]
    sizes = _sizes([value if isinstance(value, str) else "" for value, _ in given])
    most = _longest_read(sizes)
    return [
        read_scalar(value, role) if size <= most else UNREAD for (value, role), size in zip(given, sizes, strict=True)
    ]


def read_known(
    given: Sequence[tuple[str | float, Role | None]], seen: IndexView, also: Iterable[str] = ()
) -> list[Scalar]:
    """`read_scalars`; all that judging them looks up is looked up in `seen` at once, with the tokens `also`."""
    scalars, asks = read_scalars(given), [*also]
    for one in scalars:
        one.into(asks)
    seen.ask(asks)
    return scalars


def _sizes(texts: Sequence[str]) -> list[int]:
    """As how many characters each counts: as those that are read, which may be many times those that it has.

    The shortest are measured first; what is left once that took as much as it may counts as too long.
    """
    sizes, left, work = [LEAST_CHARS] * len(texts), READ_CHARS_MAX, 4 * READ_CHARS_MAX
    for at, text in sorted(enumerate(texts), key=lambda one: (len(one[1]), one[1])):
        size = max(len(text), LEAST_CHARS)
        if size <= left and not text.isascii():
            size += gained(text, left - size) if work > 0 else READ_CHARS_MAX
            work -= size
        sizes[at] = size
        left -= size if size <= left else 0
    return sizes


def _longest_read(sizes: Iterable[int]) -> int:
    """Up to which size all are read, of values of these `sizes`."""
    most, left = 0, READ_CHARS_MAX
    for size, count in sorted(Counter(sizes).items()):
        left -= size * count
        if left < 0:
            break
        most = size
    return most


def read_scalar(value: str | float, role: Role | None) -> Scalar:
    """What is read of `value`, an argument of `role`."""
    if not isinstance(value, str):
        return _SCHEMA if isinstance(value, bool) else Scalar((counted(value),))
    if len(value) > SHORT_MAX or " " in value:
        return _other(value, role)
    if role is not Role.CONTENT and value.isalnum() and value.isascii():
        return _unbroken(value)
    return _short(value, role)


def _text(value: str, role: Role | None) -> Scalar:
    found: Sequence[Token] = parts(value)
    if role is Role.CONTENT:
        found = _placed([*found, *_followed(plain(value), found)], plain(value))
    elif not value.isalnum() and (paths := _paths(plain(value))):
        return Scalar((*found, *paths), whole(value), value)
    said = () if role is Role.CONTENT else _idle(found)
    if len(found) == 1:
        return Scalar(found) if found[0][0] not in STOP else Scalar(found, whole(value), value, idle=said)
    if role is Role.CONTENT:
        found = [token for token in found if token[1] is not TokenKind.WORD] or found
    # `all` and `others` reach somebody.
    idle = _JOINING if role is Role.TARGET else STOP
    found = [token for token in found if token[0] not in idle] or found
    return Scalar(found, whole(value), value, idle=said)


def _paths(text: str) -> list[Token]:
    return [(token, TokenKind.ID) for token in (*reaching(text), *leading(text))]


def _followed(text: str, told: Sequence[Token]) -> list[Token]:
    """Where content leads beyond what is `told` of it: to whom it is shown as HTML."""
    read = shown(text)
    again = [] if read == text else _placed(parts(read), read)
    return [*(one for one in again if one[1] in CARRIED and one not in told), *bracketed(read)]


def _placed(told: list[Token], text: str) -> list[Token]:
    """`told` of `text`, where a dotted name beside a slash is a host whatever its ending: a browser follows it."""
    if not any(kind is TokenKind.DOTTED for _, kind in told) or _SLASHES.isdisjoint(text):
        return told
    beside = {
        said[0].lower().strip(".-")
        for said in _NAMES.finditer(text)
        if not _SLASHES.isdisjoint((text[said.start() - 1 : said.start()], text[said.end() : said.end() + 1]))
    }
    return [(token, TokenKind.URL if kind is TokenKind.DOTTED and token in beside else kind) for token, kind in told]


def _other(value: str, role: Role | None) -> Scalar:
    if role is Role.CONTENT:
        return _text(value, role)
    read = _text(value, role)
    judged = {token for token, kind in read.tokens if kind in SPELT}
    kept = cased(pieces(value), plain(value), judged) if judged else ()
    odd = respelt(value)
    return read._replace(respelt=odd, cased=kept) if odd or kept else read


def _unbroken(value: str) -> Scalar:
    """A word, or an identifier without anything in it that parts it."""
    if value.isalpha():
        word = value.lower()
        read = ((word, TokenKind.WORD),)
        return Scalar(read, whole(value), value, idle=_idle(read)) if word in STOP else Scalar(read)
    token = unbroken(value.lower())
    return Scalar((token,), cased=((token[0], value),) if token[1] in CASED else ())


def _idle(found: Sequence[Token]) -> tuple[str, ...]:
    """What a value of words that tell nothing hangs on: that `all` stands in what the user said names nobody `all`."""
    words = [token for token, _ in found]
    if not STOP.issuperset(words):
        return ()
    return in_turn(words) if len(words) > 1 else tuple(map(meant, words))


_short: Final = lru_cache(maxsize=4_096)(_other)


def judge(one: Scalar, seen: IndexView) -> Judged:
    """The worst of its tokens, the first of several; what has no telling part at all is unseen.

    A scalar that was seen as it is has that origin; trusted only where no word of it was read untrusted. One that is
    respelt is none of what its reading was found to be: unseen, if nobody untrusted wrote that, too.
    """
    if one is _SCHEMA:
        # The schema's, which people accepted.
        return Origin.TRUSTED, "", 0, False
    if one is UNREAD:
        return Origin.UNTRUSTED, "(longer than is read)", 0, False
    worst, part, first, held = -1, "", 0, True
    for token, _ in one.tokens:
        found = seen[token]
        origin = origin_of(found)
        held = held and found & ESTABLISHED_MASK == DIRECTORY
        if origin > worst:
            worst, part, first = origin, token, found
    judged = (Origin.UNSEEN, "", 0, False) if worst < 0 else (_ORIGINS[worst], part, first, held)
    if one.idle and worst == Origin.GROUNDED and not all(map(seen.said, one.idle)):
        judged = Origin.UNTRUSTED if seen.prose else Origin.UNSEEN, "", 0, held
    if one.respelt:
        return judged if worst == Origin.UNTRUSTED else (Origin.UNSEEN, "", 0, False)
    if one.whole and (found := seen[one.whole]):
        judged = _as_whole(judged, one.value, found)
    return _as_written(judged, one.cased, seen) if one.cased else judged


def _as_whole(judged: Judged, value: str, found: int) -> Judged:
    """`judged`, of what was `found` as it is, too."""
    origin, part, first, held = judged
    held = held or found & ESTABLISHED_MASK == DIRECTORY
    better = origin_of(found)
    if better < origin and not (better is Origin.TRUSTED and origin is Origin.UNTRUSTED):
        return better, value, found, held
    return origin, part, first, held


def _as_written(judged: Judged, identifiers: Iterable[tuple[str, str]], seen: IndexView) -> Judged:
    """`judged`, no better than what is known of the `identifiers` in the case that they are written in."""
    origin, part, first, held = judged
    for token, kept in identifiers:
        found = seen.spelt(token, kept)
        if found is None:
            continue
        held = held and found & ESTABLISHED_MASK == DIRECTORY
        # What somebody untrusted wrote is that, however it is written.
        if origin is not Origin.UNTRUSTED and (worse := origin_of(found)) > origin:
            origin, part, first = worse, kept, found
    return origin, part, first, held

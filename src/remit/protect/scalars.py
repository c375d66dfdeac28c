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
from remit.protect.language import STOP, name_token, sequence_tokens
from remit.protect.links import ipv6_urls, rendered
from remit.protect.paths import path_tokens, signed_names
from remit.protect.spelling import CASED, SPELT, capitals_mark, cased_identifiers, cased_token
from remit.protect.token_kinds import CARRIED, SHORT_MAX, Token, TokenKind, unbroken
from remit.protect.tokens import has_lookalikes, normalized, number_token, ordered_tokens, pieces, whole_token

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

    __slots__ = ("_configured", "_index", "_unconfigured", "prose")

    def __init__(self, index: Index | None, configured: frozenset[str] = frozenset()) -> None:
        self._configured = configured
        self._index = index
        self._unconfigured: dict[str, int] = {}
        self.prose = index is not None and (index.prose or index.capped)
        """Whether untrusted words were read that tell nothing by themselves."""

    def look_up(self, tokens: Collection[str]) -> None:
        """Look all of `tokens` up at once."""
        if self._index is None:
            self.update(dict.fromkeys(tokens, 0))
        else:
            self.update(zip(tokens, self._index.lookup(tokens), strict=True))
        if self._configured:
            for token in self._configured.intersection(tokens):
                self._unconfigured[token], self[token] = self[token], WORDS
        if self.prose:
            for token in STOP.intersection(tokens):
                self[token] |= UNTRUSTED

    def __missing__(self, token: str) -> int:
        self.look_up((token,))
        return self[token]

    def entry_as_written(self, token: str, written: str) -> int | None:
        """What is known of an identifier as it is `written`, whose `token` is in small letters.

        None where it was seen in no other case, so that `token` tells all.
        """
        if written != token:
            return self[cased_token(written)] | self[token] & UNTRUSTED
        # What may have been its capitals alone counts for nothing.
        other = self[capitals_mark(token)]
        return self[token] & ~(other & VOUCHING) if other else None

    def is_in_words(self, token: str) -> bool:
        """Whether the user said `token`; what configuration says asks for nothing."""
        return self._unconfigured.get(token, self[token]) & WORDS != 0

    def place(self, entry: int) -> tuple[str, str]:
        """The call and the path where the token of an `entry` came to its origin; nothing for the user's words."""
        return ("", "") if self._index is None or entry <= ALL_BITS else self._index.place(entry)


class Scalar(NamedTuple):
    """What is read of a scalar: its telling parts, and the token and text of the whole where that counts, too.

    One that `has_lookalikes` is not what it reads as. `cased` are its identifiers, each in its own letters, too. Where
    all of it are words that tell nothing, the user's words hold all `stop_tokens` if they name that.
    """

    tokens: Sequence[Token]
    whole_token: str = ""
    value: str = ""
    has_lookalikes: bool = False
    cased: tuple[tuple[str, str], ...] = ()
    stop_tokens: tuple[str, ...] = ()

    def add_lookups(self, lookups: list[str]) -> None:
        """Add what has to be looked up."""
        lookups += [token for token, _ in self.tokens]
        if self.whole_token:
            lookups.append(self.whole_token)
        lookups += [capitals_mark(token) if written == token else cased_token(written) for token, written in self.cased]
        lookups += self.stop_tokens


ScalarJudgement: TypeAlias = tuple[Origin, str, int, bool]
"""The origin of a scalar, the part that it is due to, what was found of that, and whether a directory holds it."""
_SCHEMA: Final = Scalar(())
"""`true` and `false`."""
UNREAD: Final = Scalar(())


def read_scalars(arguments: Sequence[tuple[str | float, Role | None]]) -> list[Scalar]:
    """What is read of the values of an action, each with the role of its argument; `UNREAD` of what is too long."""
    chars, ours = sum([len(value) for value, _ in arguments if isinstance(value, str)]), LEAST_CHARS * len(arguments)
    if chars * GROWTH_MAX + ours <= READ_CHARS_MAX or (
        chars + ours <= READ_CHARS_MAX and all(value.isascii() for value, _ in arguments if isinstance(value, str))
    ):
        return [read_scalar(value, role) for value, role in arguments]
    sizes = _sizes([value if isinstance(value, str) else "" for value, _ in arguments])
    most = _longest_read(sizes)
    return [
        read_scalar(value, role) if size <= most else UNREAD
        for (value, role), size in zip(arguments, sizes, strict=True)
    ]


def read_and_look_up(
    arguments: Sequence[tuple[str | float, Role | None]], view: IndexView, more_tokens: Iterable[str] = ()
) -> list[Scalar]:
    """`read_scalars`; all that judging them looks up is looked up in `view` at once, with the tokens `more_tokens`."""
    scalars, lookups = read_scalars(arguments), [*more_tokens]
    for scalar in scalars:
        scalar.add_lookups(lookups)
    view.look_up(lookups)
    return scalars


def _sizes(texts: Sequence[str]) -> list[int]:
    """As how many characters each counts: as those that are read, which may be many times those that it has.

    The shortest are measured first; what is left once that took as much as it may counts as too long.
    """
    sizes, room, work = [LEAST_CHARS] * len(texts), READ_CHARS_MAX, 4 * READ_CHARS_MAX
    for at, text in sorted(enumerate(texts), key=lambda one: (len(one[1]), one[1])):
        size = max(len(text), LEAST_CHARS)
        if size <= room and not text.isascii():
            size += gained(text, room - size) if work > 0 else READ_CHARS_MAX
            work -= size
        sizes[at] = size
        room -= size if size <= room else 0
    return sizes


def _longest_read(sizes: Iterable[int]) -> int:
    """Up to which size all are read, of values of these `sizes`."""
    most, room = 0, READ_CHARS_MAX
    for size, count in sorted(Counter(sizes).items()):
        room -= size * count
        if room < 0:
            break
        most = size
    return most


def read_scalar(value: str | float, role: Role | None) -> Scalar:
    """What is read of `value`, an argument of `role`."""
    if not isinstance(value, str):
        return _SCHEMA if isinstance(value, bool) else Scalar((number_token(value),))
    if len(value) > SHORT_MAX or " " in value:
        return _spelled_scalar(value, role)
    if role is not Role.CONTENT and value.isalnum() and value.isascii():
        return _unbroken_scalar(value)
    return _short_scalar(value, role)


def _text_scalar(value: str, role: Role | None) -> Scalar:
    tokens: Sequence[Token] = ordered_tokens(value)
    if role is Role.CONTENT:
        tokens = _with_hosts([*tokens, *_rendered_links(normalized(value), tokens)], normalized(value))
    elif not value.isalnum() and (paths := _paths(normalized(value))):
        return Scalar((*tokens, *paths), whole_token(value), value)
    stop_tokens = () if role is Role.CONTENT else _stop_tokens(tokens)
    if len(tokens) == 1:
        if tokens[0][0] not in STOP:
            return Scalar(tokens)
        return Scalar(tokens, whole_token(value), value, stop_tokens=stop_tokens)
    if role is Role.CONTENT:
        tokens = [token for token in tokens if token[1] is not TokenKind.WORD] or tokens
    # `all` and `others` reach somebody.
    skipped = _JOINING if role is Role.TARGET else STOP
    tokens = [token for token in tokens if token[0] not in skipped] or tokens
    return Scalar(tokens, whole_token(value), value, stop_tokens=stop_tokens)


def _paths(text: str) -> list[Token]:
    return [(token, TokenKind.ID) for token in (*path_tokens(text), *signed_names(text))]


def _rendered_links(text: str, tokens: Sequence[Token]) -> list[Token]:
    """Where content leads beyond its `tokens`: to whom it is shown as HTML."""
    html_text = rendered(text)
    link_tokens = [] if html_text == text else _with_hosts(ordered_tokens(html_text), html_text)
    return [*(token for token in link_tokens if token[1] in CARRIED and token not in tokens), *ipv6_urls(html_text)]


def _with_hosts(tokens: list[Token], text: str) -> list[Token]:
    """`tokens` of `text`, where a dotted name beside a slash is a host whatever its ending: a browser follows it."""
    if not any(kind is TokenKind.DOTTED for _, kind in tokens) or _SLASHES.isdisjoint(text):
        return tokens
    beside = {
        match[0].lower().strip(".-")
        for match in _NAMES.finditer(text)
        if not _SLASHES.isdisjoint((text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]))
    }
    return [(token, TokenKind.URL if kind is TokenKind.DOTTED and token in beside else kind) for token, kind in tokens]


def _spelled_scalar(value: str, role: Role | None) -> Scalar:
    if role is Role.CONTENT:
        return _text_scalar(value, role)
    scalar = _text_scalar(value, role)
    judged = {token for token, kind in scalar.tokens if kind in SPELT}
    identifiers = cased_identifiers(pieces(value), normalized(value), judged) if judged else ()
    lookalikes = has_lookalikes(value)
    return scalar._replace(has_lookalikes=lookalikes, cased=identifiers) if lookalikes or identifiers else scalar


def _unbroken_scalar(value: str) -> Scalar:
    """A word, or an identifier without anything in it that parts it."""
    if value.isalpha():
        word = value.lower()
        tokens = ((word, TokenKind.WORD),)
        if word not in STOP:
            return Scalar(tokens)
        return Scalar(tokens, whole_token(value), value, stop_tokens=_stop_tokens(tokens))
    token = unbroken(value.lower())
    return Scalar((token,), cased=((token[0], value),) if token[1] in CASED else ())


def _stop_tokens(tokens: Sequence[Token]) -> tuple[str, ...]:
    """What a value of words that tell nothing hangs on: that `all` stands in what the user said names nobody `all`."""
    words = [token for token, _ in tokens]
    if not STOP.issuperset(words):
        return ()
    return sequence_tokens(words) if len(words) > 1 else tuple(map(name_token, words))


_short_scalar: Final = lru_cache(maxsize=4_096)(_spelled_scalar)


def judge(scalar: Scalar, view: IndexView) -> ScalarJudgement:
    """The worst of its tokens, the first of several; what has no telling part at all is unseen.

    A scalar that was seen as it is has that origin; trusted only where no word of it was read untrusted. One that is
    respelt is none of what its reading was found to be: unseen, if nobody untrusted wrote that, too.
    """
    if scalar is _SCHEMA:
        # The schema's, which people accepted.
        return Origin.TRUSTED, "", 0, False
    if scalar is UNREAD:
        return Origin.UNTRUSTED, "(longer than is read)", 0, False
    worst, part, first, listed = -1, "", 0, True
    for token, _ in scalar.tokens:
        entry = view[token]
        origin = origin_of(entry)
        listed = listed and entry & ESTABLISHED_MASK == DIRECTORY
        if origin > worst:
            worst, part, first = origin, token, entry
    judged = (Origin.UNSEEN, "", 0, False) if worst < 0 else (_ORIGINS[worst], part, first, listed)
    if scalar.stop_tokens and worst == Origin.GROUNDED and not all(map(view.is_in_words, scalar.stop_tokens)):
        judged = Origin.UNTRUSTED if view.prose else Origin.UNSEEN, "", 0, listed
    if scalar.has_lookalikes:
        return judged if worst == Origin.UNTRUSTED else (Origin.UNSEEN, "", 0, False)
    if scalar.whole_token and (entry := view[scalar.whole_token]):
        judged = _as_whole(judged, scalar.value, entry)
    return _as_written(judged, scalar.cased, view) if scalar.cased else judged


def _as_whole(judged: ScalarJudgement, value: str, entry: int) -> ScalarJudgement:
    """`judged`, of what has an `entry` as it is, too."""
    origin, part, first, listed = judged
    listed = listed or entry & ESTABLISHED_MASK == DIRECTORY
    better = origin_of(entry)
    if better < origin and not (better is Origin.TRUSTED and origin is Origin.UNTRUSTED):
        return better, value, entry, listed
    return origin, part, first, listed


def _as_written(judged: ScalarJudgement, identifiers: Iterable[tuple[str, str]], view: IndexView) -> ScalarJudgement:
    """`judged`, no better than what is known of the `identifiers` in the case that they are written in."""
    origin, part, first, listed = judged
    for token, written in identifiers:
        entry = view.entry_as_written(token, written)
        if entry is None:
            continue
        listed = listed and entry & ESTABLISHED_MASK == DIRECTORY
        # What somebody untrusted wrote is that, however it is written.
        if origin is not Origin.UNTRUSTED and (worse := origin_of(entry)) > origin:
            origin, part, first = worse, written, entry
    return origin, part, first, listed

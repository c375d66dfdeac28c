"""Identifiers in their own letters: where case tells one thing from another, a value is what was seen in that case.

Laws
* An id, a path, what follows the host of a URL and whom an address is for keep their case (RFC 3986, section 6.2.2.1;
  RFC 5321, section 2.4). Words, hosts, account numbers, UUIDs (RFC 9562, section 4) and dates have none, nor has the
  first letter of an address.
* The zeros at the end of a number with a fraction are kept, too, where it is no number but a text that may name a
  version; `1000.00` is 1000 all the same.
* It only tightens: what is found here is looked for beside the tokens, and never vouches for anything by itself.
* An index learns of it where there are capitals: the identifier itself, and that its small letters were capitals.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from remit.protect.paths import cased_path_tokens, without_full_stop
from remit.protect.token_kinds import TokenKind, host_of, piece_tokens

CASED: Final = frozenset({TokenKind.ID, TokenKind.ADDRESS, TokenKind.URL, TokenKind.WALLET})
"""What may have a case of its own."""
SPELT: Final = CASED | {TokenKind.NUMBER}
"""What may be told from others by more than its token: `1.10` and `1.1` are one amount, and two versions."""
_NUMBERED: Final = re.compile(r"-?\d{1,40}\.\d{0,39}[1-9]0*")
"""A number with a fraction, as it is written."""
_UUID: Final = re.compile(r"[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}", re.ASCII)
_OWN: Final = "\x1c"
_CAPITALS: Final = "\x1d"
"""No token of a text begins with either: controls separate."""


def cased_token(identifier: str) -> str:
    """The token of an identifier with capitals."""
    return _OWN + identifier


def capitals_mark(token: str) -> str:
    """The token that says of `token`, which is in small letters, that it was seen with capitals."""
    return _CAPITALS + token


def without_case_marks(tokens: Iterable[str]) -> list[str]:
    """Those of `tokens` that say nothing of case."""
    return [token for token in tokens if token[0] not in {_OWN, _CAPITALS}]


def identifiers(piece: str) -> Iterator[tuple[str, str]]:
    """The identifiers in a piece of text: the token of each, and the same in its own letters."""
    lower = piece.lower()
    for token, kind in piece_tokens(piece):
        if kind is TokenKind.NUMBER and _NUMBERED.fullmatch(lower):
            yield token, lower
        elif kind in CASED and not _UUID.fullmatch(token):
            at = lower.find(token) if len(lower) == len(piece) else -1
            yield token, token if at < 0 else _own_letters(piece[at : at + len(token)], kind)


def case_tokens(piece: str) -> Iterator[str]:
    """What an index learns of the case of a piece that has capitals."""
    for token, written in identifiers(piece):
        if written != token:
            yield from (cased_token(written), capitals_mark(token))


def path_case_tokens(text: str) -> Iterator[str]:
    """What an index learns of the case of paths in `text`, which is `normalized`, that say more than their words."""
    for token, written in cased_path_tokens(text):
        yield from case_tokens_of_path(token, written)


def case_tokens_of_path(token: str, written: str) -> Iterator[str]:
    """What an index learns of the case of one of them, in its own letters `written`."""
    if written != token:
        for end in (str, without_full_stop):
            yield from (cased_token(end(written)), capitals_mark(end(token)))


def cased_identifiers(pieces: Iterable[str], text: str, judged: Collection[str]) -> tuple[tuple[str, str], ...]:
    """The identifiers of `pieces`, and the paths of `text`, whose tokens are `judged`."""
    pairs = [*(pair for piece in pieces for pair in identifiers(piece)), *cased_path_tokens(text)]
    return tuple({pair: None for pair in pairs if pair[0] in judged})


def _own_letters(identifier: str, kind: TokenKind) -> str:
    if kind is TokenKind.ID or kind is TokenKind.WALLET:
        return identifier
    if kind is TokenKind.ADDRESS:
        # A capital at its beginning is a matter of grammar.
        local, at, domain = identifier.rpartition("@")
        return local[:1].lower() + local[1:] + at + domain.lower()
    lead = "://" if identifier.startswith("://") else ""
    host = host_of(identifier.removeprefix(lead))
    who, at, name = host.rpartition("@")
    return lead + who + at + name.lower() + identifier[len(lead) + len(host) :]

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

from remit.protect.paths import ended, reached
from remit.protect.token_kinds import TokenKind, host_of, tokens

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


def own(identifier: str) -> str:
    """The token of an identifier with capitals."""
    return _OWN + identifier


def capitals(token: str) -> str:
    """The token that says of `token`, which is in small letters, that it was seen with capitals."""
    return _CAPITALS + token


def plainly(found: Iterable[str]) -> list[str]:
    """The tokens of `found` that say nothing of case."""
    return [token for token in found if token[0] not in {_OWN, _CAPITALS}]


def identifiers(said: str) -> Iterator[tuple[str, str]]:
    """The identifiers in a piece of text: the token of each, and the same in its own letters."""
    lower = said.lower()
    for token, kind in tokens(said):
        if kind is TokenKind.NUMBER and _NUMBERED.fullmatch(lower):
            yield token, lower
        elif kind in CASED and not _UUID.fullmatch(token):
            at = lower.find(token) if len(lower) == len(said) else -1
            yield token, token if at < 0 else _kept(said[at : at + len(token)], kind)


def learnt(said: str) -> Iterator[str]:
    """What an index learns of the case of a piece that has capitals."""
    for token, kept in identifiers(said):
        if kept != token:
            yield from (own(kept), capitals(token))


def learnt_of_paths(text: str) -> Iterator[str]:
    """What an index learns of the case of paths in `text`, which is `plain`, that reach further than their words."""
    for token, kept in reached(text):
        yield from learnt_of_path(token, kept)


def learnt_of_path(token: str, kept: str) -> Iterator[str]:
    """What an index learns of the case of one of them, in its own letters `kept`."""
    if kept != token:
        for end in (str, ended):
            yield from (own(end(kept)), capitals(end(token)))


def cased(pieces: Iterable[str], text: str, among: Collection[str]) -> tuple[tuple[str, str], ...]:
    """The identifiers of `pieces`, and the paths of `text`, whose tokens are `among` those that are judged."""
    pairs = [*(pair for piece in pieces for pair in identifiers(piece)), *reached(text)]
    return tuple({pair: None for pair in pairs if pair[0] in among})


def _kept(identifier: str, kind: TokenKind) -> str:
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

"""Where content leads once somebody shows it: what readers of a text follow, and splitting it does not find.

Laws
* It only adds: what is found here counts beside the parts of the text as it stands.
* A URL may go on behind a character at which texts are split: `https://a.example/,/../b` leads to `a.example/b`.
* Content may be HTML: its references stand for characters (WHATWG HTML, section 13.5), those of numbers also without a
  semicolon and with any number of zeros, and what stands in an attribute loses its line breaks (WHATWG URL, section
  4.4). It may be JSON, with its escapes (RFC 8259, section 7). An ideographic full stop is a dot of a host (RFC 3490,
  section 3.1), and percent signs stand for characters of a host (WHATWG URL, section 3.5) and of whom a `mailto:` is
  for (RFC 6068, section 2).
* The time is linear: what stands between two spaces has parts, each from its scheme on, and one URL of each is read on.
"""

import html
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from remit.protect.paths import CONTROLS, SPACES, path_tokens, without_full_stop
from remit.protect.token_kinds import STRIPPED, Token, TokenKind, host_of, piece_tokens

_ENDING: Final = '<>"' + CONTROLS + SPACES
_QUOTES: Final = str.maketrans(dict.fromkeys(_ENDING, " "))
_SPLITTING: Final = "\\,;|()[]{}`*!“”„«»"
_SPLIT: Final = re.compile(rf"[{re.escape(_SPLITTING)}]+")
_HIT: Final = re.compile(
    rf"[/?#][^/?#{re.escape(_SPLITTING + _ENDING)} ]*[{re.escape(_SPLITTING)}]++(?![{re.escape(_ENDING)} ]|\Z)"
)
"""Where a URL may go on: its path or more of it, and right behind that what is no end of it."""
_HIT_OR_BACK: Final = re.compile(rf"{_HIT.pattern}|\\(?=\S)")
_NEXT: Final = re.compile(r"(?=(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9]{1,15}://)")
_HOSTS: Final = frozenset({TokenKind.URL, TokenKind.DOTTED})
_GOES_ON: Final = re.compile(r"[/?\\]")
_REFERENCE: Final = re.compile(
    r"&(?:#0*+[0-9]{1,7}(?![0-9]);?|#[xX]0*+[0-9A-Fa-f]{1,6}(?![0-9A-Fa-f]);?|[A-Za-z][A-Za-z0-9]{1,31};)"
)
_ESCAPE: Final = re.compile(r"\\u((?![dD][89A-Fa-f])[0-9A-Fa-f]{4})")
_PERCENT: Final = re.compile(r"(?:mailto:|(?<![:/])//)[^/?#\s<>\"']{1,512}", re.IGNORECASE)
"""Whom a mail is for, and a host without a scheme, which may be spelt with percent signs."""
_QUOTED: Final = re.compile(r"""(?<==["'])[^"'<>]{1,2048}""")
_BREAKS: Final = str.maketrans(dict.fromkeys("\t\r\n", None))
_SIX: Final = re.compile(r"//\[[\da-f.]{0,4}:[\da-f:.]{0,45}(?:%[^\]]{0,64})?\]")
_STOP: Final = re.compile(r"(?<=[A-Za-z0-9\u00c0-\u052f])\u3002(?=[A-Za-z0-9\u00c0-\u052f])")
"""Between letters of scripts that end no sentence with it."""


def run_on_urls(text: str) -> Iterator[Token]:
    """The URLs in `text`, which is `normalized`, that go on behind a character at which it is split."""
    # One pattern for both would have to look at every character.
    hits = _HIT if "\\" not in text else _HIT_OR_BACK
    hit = hits.search(text)
    if hit is None:
        return
    spaced = text.translate(_QUOTES)
    while hit is not None:
        begin, end = spaced.rfind(" ", 0, hit.end()) + 1, spaced.find(" ", hit.end() - 1)
        end = len(text) if end < 0 else end
        for part in _NEXT.split(text[begin:end]):
            yield from _run_on(part)
        hit = hits.search(text, end)


def _run_on(part: str) -> Iterator[Token]:
    """The first URL in `part`, with all that follows."""
    begin = 0
    for separator in _SPLIT.finditer(part):
        piece = part[begin : separator.start()].lstrip(STRIPPED)
        if piece.strip(STRIPPED) and any(kind in _HOSTS for _, kind in piece_tokens(piece.strip(STRIPPED))):
            after = part[separator.start() :].rstrip(STRIPPED + _SPLITTING)
            # A host holds none of these characters: what follows one is no more of it.
            rest = piece.partition("://")[2] or piece
            placed = after[:1] == "\\" or host_of(rest) != rest
            if placed and _GOES_ON.search(after) is not None:
                url = piece + after.replace("\\", "/")
                yield from (token for token in piece_tokens(url) if token[1] is TokenKind.URL)
            return
        begin = separator.end()


def ipv6_urls(text: str) -> Iterator[Token]:
    """The URLs in `text` whose host is an address of IPv6 (RFC 3986, section 3.2.2): its brackets split texts."""
    if "[" in text and "//[" in (slashed := text.replace("\\", "/")):
        yield from (
            (without_full_stop(token), TokenKind.URL)
            for token in path_tokens(slashed)
            if _SIX.search(token) is not None
        )


def rendered(text: str) -> str:
    """`text`, which is `normalized`, as it comes to somebody as HTML or JSON, links and addresses in it at least."""
    if "\\u" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    if "&" in text:
        text = _REFERENCE.sub(lambda match: html.unescape(match[0]), text)
    if "=" in text:
        text = _QUOTED.sub(lambda match: match[0].translate(_BREAKS), text)
    if "%" in text:
        text = _PERCENT.sub(lambda match: unquote(match[0]), text)
    return _STOP.sub(".", text) if "\u3002" in text else text

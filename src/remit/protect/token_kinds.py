"""What one piece of a text is: an address, a URL, an account number, an id, a number, a date, a name, a word.

Laws
* A piece is looked at by itself, and nothing is cut: a long piece is one token.
* What is ever so plain is told first. Each test that is left out for a piece is one that it could not have passed.
"""

import re
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final, TypeAlias
from urllib.parse import unquote

from remit.protect.grouped_tokens import ISO
from remit.protect.root_zone import ENDINGS


class TokenKind(IntEnum):
    """What a token looks like."""

    WORD = 0
    NAME = 1
    NUMBER = 2
    DATE = 3
    ID = 4
    ACCOUNT = 5
    ADDRESS = 6
    URL = 7
    WALLET = 8
    DOTTED = 9


CARRIED: Final = frozenset({TokenKind.ACCOUNT, TokenKind.ADDRESS, TokenKind.URL, TokenKind.WALLET, TokenKind.DOTTED})
"""What leads somewhere wherever it stands; a `DOTTED` name, whose ending no host has as far as is known, may."""


Token: TypeAlias = tuple[str, TokenKind]
"""A telling part: its normal form, and what it looks like."""

STRIPPED: Final = "'’\u2018.:?=~#@&+-–—/$€£¥%^"
SHORT_MAX: Final = 64
"""What is read again and again is not longer."""
ACCOUNT_DIGITS_MIN: Final = 8
"""A number with fewer is none of an account."""
_DECIMAL: Final = re.compile(r"-?\d{1,40}(\.\d{1,40})?")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_ACCOUNT: Final = re.compile(r"[A-Za-z]{2}\d{2}[A-Za-z0-9]{10,30}|\d{8,34}|0x[\da-f]{40}|(?:bc|tb|ltc)1[\da-z]{20,60}")
"""Of a bank, or a wallet: hexadecimal (EIP-55), or in the letters of BIP 173; those in base 58 are told apart."""
_DIGITS_58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE_58: Final = re.compile(rf"[{_DIGITS_58}]{{26,34}}")
_WALLET_BYTES: Final = 25
"""A version, 20 bytes, and four of a checksum; 34 digits take no more."""
_CODED: Final = re.compile(r"xn--[a-z0-9-]{1,59}")
"""A top-level domain of another script, as it is asked for."""
_SIX: Final = re.compile(r"(?=[a-f:]{0,40}\d)[\da-f]{0,4}(?::[\da-f]{0,4}){2,7}")
"""An address of IPv6, shortened; the brackets around it are gone."""
_DOTTED: Final = re.compile(r"[a-z]{2}\d{2}\.")
"""How an account number in groups with dots between begins."""
_LABEL: Final = re.compile(r"\w(?:[\w-]{0,61}[^\W_])?")
_LABEL_MAX: Final = 63
_USUAL: Final = re.compile(r"[a-z\d]+(?:[.-][a-z\d]+)*\.[a-z]{2,}", re.ASCII)
"""A host as most are. Not longer than a label may be, so that no label of it is."""
_FORMS: Final = re.compile(
    r"(?P<fraction>\d{1,40}\.\d{1,40})|(?P<day>\d{4}-\d\d-\d\d)|[a-z\d._+-]+@[a-z\d]+(?:[.-][a-z\d]+)*\.(?P<end>[a-z]{2,})"
    r"|https?://(?P<page>[a-z\d]+(?:[.-][a-z\d]+)*(?:/[a-z\d._/-]*)?)",
    re.ASCII,
)
_FILES: Final = frozenset(
    {"txt", "pdf", "csv", "tsv", "doc", "docx", "xls", "xlsx", "json", "yaml", "yml", "png", "jpg", "html"}
)
"""Endings of file names that are no domains."""
_SOURCES: Final = frozenset({"md", "pl", "ps", "py", "rs", "sh", "zip"})
"""Endings of file names that are domains, too."""
_RUN_ON: Final = re.compile(r"([^/?#:]{1,253}[a-z0-9])['’]?\.([A-Z][A-Za-z]{0,30})")
"""A sentence that ends in a host or an address, and the next one without a space between: both readings count."""
_HEADERS: Final = re.compile(r"(?:(?:subject|body)(?:=[^&=]*)?(?:&(?!\Z)|\Z))*")
"""What a `mailto:` says beside whom it is for, where that is no other receiver and nothing that is attached."""
_IN_HEADERS: Final = " -_!?'=&"
_SCHEME: Final = re.compile(r"[a-z0-9]{1,64}\Z")
_WEB: Final = frozenset({"http", "https"})
_FEW: Final = re.compile(r"(https?|wss?|ftp):/?(?!/)")
"""A scheme of the web with fewer slashes than it has."""
_BESIDES: Final = re.compile(r"[/?#:@]")
"""What stands between a host and what else a URL says."""
_HOST_END: Final = re.compile(r"[/?#]")
_APART: Final = re.compile(r"[/:=&]")
_PARTS_MAX: Final = 8
_ENDING_MAX: Final = 8
"""Of a file's name."""


def number(text: str) -> str:
    """One spelling of a decimal number: no zeros at its end, no exponent."""
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text


def piece_tokens(piece: str) -> tuple[Token, ...]:
    """The tokens of a piece that nothing strippable surrounds and that is no plain word."""
    return _short_piece_tokens(piece) if len(piece) <= SHORT_MAX else _read_piece(piece)


def _read_piece(piece: str) -> tuple[Token, ...]:
    lower = piece.lower()
    if piece.isascii() and len(piece) <= SHORT_MAX:
        if lower.isalnum():
            return ((lower, TokenKind.WALLET),) if _is_wallet(piece) else (unbroken(lower),)
        common = _common_form(lower)
        if common is not None and piece == lower:
            return (common,)
    tokens = _classified(piece)
    if "." in piece and piece != lower and (run_on := _RUN_ON.fullmatch(piece)):
        tokens += _classified(run_on[1]) + _classified(run_on[2])
    return tuple(tokens)


_short_piece_tokens: Final = lru_cache(maxsize=1_024)(_read_piece)


def unbroken(lower: str) -> Token:
    """What up to `SHORT_MAX` digits, or letters and digits, of ASCII are; all letters small, and not letters alone."""
    size = len(lower)
    if lower.isdecimal() and size <= 40:
        return lower, TokenKind.ACCOUNT if size >= ACCOUNT_DIGITS_MIN else TokenKind.NUMBER
    return lower, TokenKind.ACCOUNT if size >= 14 and _ACCOUNT.fullmatch(lower) else TokenKind.ID


def _is_wallet(piece: str) -> bool:
    """Whether it is the address of a wallet in base 58, which has a checksum, as those of Bitcoin and Tron have."""
    if _BASE_58.fullmatch(piece) is None:
        return False
    value = 0
    for char in piece:
        value = value * 58 + _DIGITS_58.index(char)
    data = value.to_bytes(_WALLET_BYTES)
    return sha256(sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def _common_form(lower: str) -> Token | None:
    """What `_classified` says of a piece of the forms that are met most, which fit one kind alone."""
    match = _FORMS.fullmatch(lower)
    if match is None:
        return None
    match match.lastgroup:
        case "fraction":
            return number(lower), TokenKind.NUMBER
        case "day":
            return lower, TokenKind.DATE
        case "page":
            return _page_token(lower[match.start("page") :]), TokenKind.URL
        case _:
            return None if match["end"] in _FILES else (lower, TokenKind.ADDRESS)


def _classified(piece: str) -> list[Token]:
    # Words fold; hosts and addresses do not: `ß` and `ss` lead to different ones.
    lower = piece.lower()
    if lower.endswith(("'s", "’s")):
        piece, lower = piece[:-2], lower[:-2]
    if lower.isalpha():
        return [(piece.casefold(), TokenKind.NAME if piece[0].isupper() else TokenKind.WORD)]
    if lower[0].isdigit() or lower[0] == "-":
        if _DECIMAL.fullmatch(lower):
            kind = TokenKind.ACCOUNT if lower.isdigit() and len(lower) >= ACCOUNT_DIGITS_MIN else TokenKind.NUMBER
            return [(number(lower), kind)]
        if (day := _date(lower)) is not None:
            return [(day, TokenKind.DATE)]
    if "@" in lower and (address := _address(lower)) is not None:
        return [(address, TokenKind.ADDRESS)]
    if ":" in lower:
        if (few := _FEW.match(lower)) is not None and _is_host(_name_of(lower[few.end() :])):
            # Whoever follows it takes it for `https://…` (WHATWG URL, section 4.4).
            return list(_url_tokens(f"{few[1]}://{lower[few.end() :]}"))
        if "::" in lower and _SIX.fullmatch(lower):
            return [(lower, TokenKind.URL)]
        if "://" in lower:
            return list(_url_tokens(lower))
    if "." in lower and (url := _bare_url(lower)) is not None:
        return [(url, TokenKind.DOTTED if _is_no_host_yet(lower) else TokenKind.URL)]
    if _ACCOUNT.fullmatch(lower.replace(".", "") if _DOTTED.match(lower) else lower):
        return [(lower.replace(".", ""), TokenKind.ACCOUNT)]
    return list(_name_tokens(piece, lower))


def _name_tokens(piece: str, lower: str) -> Iterator[Token]:
    """What leads nowhere and counts nothing: a name as a whole, and each part between `/`, `:`, `=` and `&`.

    Of the path of a file its name is the only part: who names what lies in a folder does not name the folder.
    """
    letters = lower.replace("-", "").replace("'", "").replace("’", "").replace("_", "")
    yield (lower, TokenKind.WORD if letters.isalpha() else TokenKind.ID)
    if "/" in piece or ":" in piece or "=" in piece or "&" in piece:
        within = [piece.rpartition("/")[2]] if _is_file(lower) else _APART.split(piece, _PARTS_MAX)[:_PARTS_MAX]
        for part in within:
            inner = part.strip(STRIPPED)
            if inner and inner != piece and not _APART.search(inner):
                yield from _classified(inner)


def _is_file(lower: str) -> bool:
    """Whether it is a path whose last segment ends like the name of a file."""
    folder, _, last = lower.rpartition("/")
    name, _, ending = last.rpartition(".")
    shaped = bool(folder and name) and len(ending) <= _ENDING_MAX and ending[:1].isalpha() and ending.isalnum()
    return shaped and not (":" in lower or "=" in lower or "&" in lower)


def _date(lower: str) -> str | None:
    if match := ISO.fullmatch(lower):
        year, month, day = match.groups()
    elif match := _DAY_FIRST.fullmatch(lower):
        day, month, year = match.groups()
    else:
        return None
    return f"{year}-{int(month):02}-{int(day):02}"


def _address(lower: str) -> str | None:
    who = lower.removeprefix("mailto:")
    if who != lower and "?" in who:
        who, _, headers = who.partition("?")
        if not _is_harmless(headers):
            return None
    local, _, domain = who.rpartition("@")
    return f"{local}@{domain}" if local and "." in domain and _is_host(domain) and "/" not in local else None


def _is_harmless(headers: str) -> bool:
    """Whether what a `mailto:` brings with it leads nowhere: a subject, a text, of words and few digits (RFC 6068).

    What more headers there are, names of hosts and whatever else may be more than a word is not: then all of it counts.
    """
    if _HEADERS.fullmatch(headers) is None:
        return False
    text = unquote(headers)
    words = all(char.isalnum() or char in _IN_HEADERS for char in text)
    return words and sum(map(str.isdigit, text)) < ACCOUNT_DIGITS_MIN


def _url_tokens(lower: str) -> Iterator[Token]:
    """The URL after the first `://`, which is where it leads, each that stands inside, and all where anything precedes.

    `view-source:https://…`, `git+https://…` and `a.example/?to=https://…` are not what they lead on to; nor is what
    another scheme than those of the web makes of a host, as `file://a.example/b` does.
    """
    scheme, _, rest = lower.partition("://")
    if not scheme.isalnum():
        before = _SCHEME.sub("", scheme)
        yield (lower, TokenKind.URL if "." in before else TokenKind.ID)
    elif scheme not in _WEB:
        yield (lower, TokenKind.URL)
    yield (_page_token(rest) or lower, TokenKind.URL)
    inside = rest
    for _ in range(_PARTS_MAX):
        _, mark, inside = inside.partition("://")
        if not mark:
            return
        yield (_page_token(inside) or lower, TokenKind.URL)
    if "://" in inside:
        yield (_page_token(inside.rpartition("://")[2]) or lower, TokenKind.URL)


def _bare_url(lower: str) -> str | None:
    """A host without a scheme, and all after it."""
    name = _name_of(lower).removesuffix(".")
    return _page_of(lower) if "." in name and _is_host(name) else None


def _is_no_host_yet(lower: str) -> bool:
    """Whether it is the name of a host and nothing else, and ends as that of none does, those of other scripts aside.

    Readers of texts take what begins with `www.` for a link, however it ends.
    """
    name, _, ending = lower.removesuffix(".").rpartition(".")
    is_ending = ending in ENDINGS or not (ending.isascii() and ending.isalpha()) or lower.startswith("www.")
    return not is_ending and _BESIDES.search(name) is None


def _name_of(rest: str) -> str:
    """The name of the host of a URL without its scheme."""
    host = host_of(rest).rpartition("@")[2]
    return host.rpartition(":")[0] or host


def _page_of(rest: str) -> str:
    """Host and all after it: what may lead to the same page is the same token."""
    host = host_of(rest)
    name = host.removeprefix("www.")
    return (name if "." in name else host) + rest[len(host) :].rstrip("/")


def _page_token(rest: str) -> str:
    """The page that a URL leads to, its slashes kept where it would be none without a scheme.

    `acme/site`, `ann@here.example` and `readme.md` name a repository, somebody and a file, and no `https://` of these.
    """
    page = _page_of(rest)
    host = host_of(page)
    name, _, port = host.partition(":")
    if port.isdecimal() or name == "localhost" or not page:
        return page
    file = page == name and name.count(".") == 1 and name.rpartition(".")[2] in _SOURCES
    return page if "." in name and _is_host(name.removesuffix(".")) and not file else f"://{page}"


def host_of(rest: str) -> str:
    """Where a URL without its scheme leads, before all that says what is there."""
    end = _HOST_END.search(rest)
    return rest if end is None else rest[: end.start()]


def _is_host(name: str) -> bool:
    if len(name) <= _LABEL_MAX and _USUAL.fullmatch(name):
        return name[name.rindex(".") + 1 :] not in _FILES
    labels = name.split(".")
    last = labels[-1]
    if not (last.isalpha() or _CODED.fullmatch(last)) or len(last) < 2 or last in _FILES:
        return last.isdigit() and len(labels) == 4 and all(label.isdigit() for label in labels)
    return len(name) <= 253 and all(_LABEL.fullmatch(label) for label in labels)

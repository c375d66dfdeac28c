"""Stores: where tools keep what sessions hand them, and how the keys in it are told apart.

Laws
* Two spellings of one key are one key: Unicode form, case, white space, invisible characters, percent
  signs, slashes, dots, scheme, port, query and fragment of a URL, quotes and marks around, and the ways to write a
  number, or the Internet address of a URL, do not tell keys apart. What this joins too much is labelled too much;
  what it joined too little would be unlabelled. The spelling of a spelling is itself.
* A pattern means the folder in which it begins; and where a server that takes percent signs or backslashes as they
  stand would find something elsewhere, since there are `..` to be followed, the whole store.
* Whatever has no key of its own (absent, no scalar, too deep, too long, too many) means the whole store.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from remit.facts.address import written_out
from remit.facts.canonical import Json
from remit.facts.text import IGNORED, composed

STORE_NAME: Final = re.compile(r"[a-z0-9-]{1,24}")
KEYS_MAX: Final = 64
"""How many keys one action may name before it means the whole store."""
SEGMENTS_MAX: Final = 24
KEY_CHARS_MAX: Final = 512
"""A longer key means the whole store; a longer spelling of one is read anew each time."""
RAW_CHARS_MAX: Final = 4_096
"""A longer spelling is not read at all and means the whole store."""
WHOLE: Final = ""
_DECODED_MAX: Final = 4
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://")
_PORTS: Final = re.compile(r":(?:80|443)?$")
_SLASH: Final = re.compile(r"[/\\]")
_APART: Final = re.compile(r"[:;#]")
_BEFORE: Final = " \"'`@#"
_BEHIND: Final = " \"'`."
_GLOB: Final = re.compile(r"[*?\[{]")
_NUMBER: Final = re.compile(r"[+-]?(?:\d[\d_]{0,30}(?:\.\d{0,30})?(?:e\+?\d\d?)?|0x[0-9a-f]{1,16})")
"""As `int` and `float` of Python and `Number` of JavaScript read them."""
_CODED: Final = re.compile(r"(?<![a-z0-9-])xn--([a-z0-9-]{1,59})(?![a-z0-9-])")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


class StoreAccess(StrEnum):
    """What a tool does with its store."""

    READ = "read"
    WRITE = "write"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Store:
    """A tool's store: its `name`, shared by all tools that say it, and the arguments that hold `keys`.

    `reads`: its results may hold what is stored; `writes`: it may store what its session holds.
    """

    name: str
    keys: tuple[str, ...] = ()
    reads: bool = True
    writes: bool = True


def places(store: Store, arguments: Mapping[str, Json]) -> tuple[str, ...]:
    """Where in `store` an action with these arguments reads or writes: `NAME:KEY`, or `NAME:` for all of it."""
    found: dict[str, None] = {}
    for name in store.keys:
        argument = arguments.get(name)
        for value in argument if isinstance(argument, list) and argument else (argument,):
            key = _key(value)
            if key == WHOLE or len(found) >= KEYS_MAX:
                return (place(store.name),)
            found[place(store.name, key)] = None
    return tuple(found) or (place(store.name),)


def place(store: str, key: str = WHOLE) -> str:
    """`NAME:KEY`; `NAME:` is the whole store."""
    return f"{store}:{key}"


def _key(value: Json) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return normal(value) if len(value) <= RAW_CHARS_MAX else WHOLE
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case _:
            return WHOLE


def normal(text: str) -> str:
    """The one spelling of the key `text`: segments joined by `/`; empty where it names the whole store."""
    return _short(text) if len(text) <= KEY_CHARS_MAX else _normal(text)


def _normal(text: str) -> str:
    plain = _plain(text)
    url = _SCHEME.match(plain)
    if url is not None:
        plain = plain[url.end() :].partition("#")[0].partition("?")[0]
        host, slash, path = plain.partition("/")
        name, colon, port = _PORTS.sub("", host.rpartition("@")[2]).partition(":")
        plain = written_out(name) + colon + port + slash + path
    parts = [part.strip() for part in _SLASH.split(plain)]
    if url is None and ".." in parts and not _go_up_alike(parts, [part.strip() for part in text.split("/")]):
        return WHOLE
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept = kept[:-1]
        elif part not in {"", "."}:
            kept.append(part)
    stripped = (piece.lstrip(_BEFORE).rstrip(_BEHIND) for part in kept for piece in _APART.split(part))
    segments = [_number(piece) for piece in stripped if piece]
    while segments and segments[0][0] in "~$":
        # Whose home it is, or which folder, is told elsewhere.
        del segments[0]
    end = next((at for at, named in enumerate(segments) if _GLOB.search(named)), len(segments))
    key = "/".join(segments[:end])
    # What lies under, around or elsewhere is told by segments: a digest in place of them would hide it.
    return WHOLE if end > SEGMENTS_MAX or len(key) > KEY_CHARS_MAX else key


def _go_up_alike(parts: Sequence[str], spelt: Sequence[str]) -> bool:
    """Whether `parts` go up where the key as it is `spelt` does."""
    return len(parts) == len(spelt) and all(
        (one == "..") is (raw == "..") for one, raw in zip(parts, spelt, strict=True)
    )


def _decoded(found: re.Match[str]) -> str:
    try:
        return found[1].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return found[0]


def _number(segment: str) -> str:
    """`segment` as a number is written, where it is one."""
    if _NUMBER.fullmatch(segment) is None:
        return segment
    plain = segment.replace("_", "")
    if ("." not in plain and "e" not in plain) or "x" in plain:
        return str(int(plain, 16 if "x" in plain else 10))
    value = float(plain)
    return str(int(value)) if value.is_integer() else repr(value)


_short: Final = lru_cache(maxsize=4_096)(_normal)
"""Of short spellings alone: what is kept of the long ones would be as long as somebody likes."""


def _plain(text: str) -> str:
    """`text` without percent signs that stand for characters, invisible ones, and differences of case and form.

    Names of hosts are in their own script (RFC 3492), wherever they stand.

    Nothing where percent signs stand for percent signs too often to be told.
    """
    for _ in range(_DECODED_MAX):
        folded = composed(composed(unquote(text, errors="replace")).casefold())
        drawn = (char for char in folded if unicodedata.category(char) not in _INVISIBLE and char not in IGNORED)
        decoded = _CODED.sub(_decoded, "".join(drawn).strip())
        if decoded == text:
            return decoded
        text = decoded
    return WHOLE

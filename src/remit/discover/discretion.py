"""What may be said of a machine's configuration: never a secret's value.

Laws
* Of environments and headers, names alone are told; of arguments, the names of options and folders.
* Of an address, scheme, host and port are told, and those parts of its path that many servers have: the rest of it may
  be a key, as with hosted MCP servers, and is shown as `*`. User, query and fragment are never told.
* What looks like a secret is told nowhere, not even where a name should stand.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from remit.facts.canonical import Json

NAMES_MAX: Final = 60
"""Names of one environment that are told; what more there are is counted."""
HIDDEN: Final = "(hidden)"

_ISSUED: Final = re.compile(
    r"(?i)(?:^|[^a-z0-9])(?:[spr]k[-_](?!learn)|gh[pousr]_|github_pat_|xox[a-z]-|a[ks]ia[0-9a-z]{12}|aiza[0-9a-z_-]{20}"
    r"|eyj[0-9a-z_-]{10}|glpat-|hf_[0-9a-z]{16}|npm_[0-9a-z]{16}|pypi-age|ya29\.)"
)
"""How the keys of well-known issuers begin."""
_WORD: Final = re.compile(r"[A-Za-z0-9]{5,}")
_RUN: Final = re.compile(r"[A-Za-z0-9+/_=-]{12,}")
_MIXED_MIN: Final = 12
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,79}")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,79}")
_SEGMENT: Final = re.compile(
    r"(?:mcp|sse|api|http|https|stream|streamable|messages?|servers?|rpc|v\d{1,2})", re.IGNORECASE
)
_HOST: Final = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,253}")
_CHARS_MAX: Final = 2_048
_FOLDER: Final = re.compile(r"(?:~|\.{1,2})?/[\w ./@+-]{0,200}|[A-Za-z]:[\\/][\w ./\\@+-]{0,200}")


def looks_secret(text: str) -> bool:
    """Whether `text` holds what an issuer's keys look like, or a run with much of it in words of letters and digits.

    A name with a version or a date has its digits apart: `gpt-4o-mini-2024-07-18`.
    """
    return _ISSUED.search(text) is not None or any(_mixed(run) >= _MIXED_MIN for run in _RUN.findall(text))


def _mixed(run: str) -> int:
    return sum(len(word) for word in _WORD.findall(run) if not word.isalpha() and not word.isdigit())


def without_secret(text: str) -> str:
    """`text`, or `HIDDEN` where it looks like a secret."""
    return HIDDEN if looks_secret(text) else text


def variables(names: Iterable[str]) -> str:
    """Names of an environment, sorted and joined; what cannot be a name is counted only."""
    return _names(names, _VARIABLE)


def headers(names: Iterable[str]) -> str:
    """Names of headers, sorted and joined; what cannot be a name is counted only."""
    return _names(names, _HEADER)


def _names(names: Iterable[str], form: re.Pattern[str]) -> str:
    distinct = sorted(set(names))
    shown = [name for name in distinct if form.fullmatch(name) and not looks_secret(name)][:NAMES_MAX]
    left = len(distinct) - len(shown)
    return ", ".join([*shown, *([f"and {left} more"] if left else [])])


def names_of(value: Json) -> tuple[str, ...]:
    """The names in an environment or in headers: of an object, of `NAME=value` texts, or of `{name: …}` objects."""
    if isinstance(value, Mapping):
        return tuple(value)
    if not isinstance(value, list):
        return ()
    names: list[str] = []
    for item in value:
        if isinstance(item, str):
            names.append(item.partition("=")[0])
        elif isinstance(item, Mapping) and isinstance(name := item.get("name"), str):
            names.append(name)
    return tuple(names)


def address(url: str) -> str | None:
    """What may be told of `url`, or None where it is no address of HTTP or WebSocket."""
    try:
        parts = urlsplit(url[:_CHARS_MAX].strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https", "ws", "wss"} or not host or not _HOST.fullmatch(host):
        return None
    shown = f"[{host}]" if ":" in host else without_secret(host)
    path = "/".join(part if not part or _SEGMENT.fullmatch(part) else "*" for part in parts.path.split("/"))
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{path.rstrip('/')}"


def folder(text: str) -> str | None:
    """`text` where it is a path that may be told, else None."""
    if not _FOLDER.fullmatch(text) or looks_secret(text):
        return None
    return text.rstrip("/\\ ") or "/"

"""Reads `WWW-Authenticate` (RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9728 section 5.1)."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

CHARS_MAX: Final = 8192
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's name for a word
_ITEM: Final = re.compile(
    rf'\s*,*\s*(?:(?P<key>{_TOKEN})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>{_TOKEN}))|(?P<scheme>{_TOKEN}))'
)
_ESCAPED: Final = re.compile(r"\\(.)")


def bearer_challenge(headers: Iterable[str]) -> Mapping[str, str]:
    """The parameters of the first `Bearer` challenge, names lower case; empty where there is none.

    Whatever does not follow the grammar ends the reading of its header.
    """
    for header in headers:
        inside = False
        parameters: dict[str, str] = {}
        place = 0
        while (item := _ITEM.match(header, place, CHARS_MAX)) is not None:
            place = item.end()
            if item["scheme"] is not None:
                if inside:
                    break
                inside = item["scheme"].lower() == "bearer"
            elif inside:
                quoted = item["quoted"]
                value = item["plain"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
                parameters.setdefault(item["key"].lower(), value)
        if inside:
            return parameters
    return {}

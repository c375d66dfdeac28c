"""Canonical JSON (RFC 8785) and the digests taken over it.

`rfc8785` is the reference. Plain data (no floats, every key inside the Basic Multilingual
Plane) takes the standard library's encoder, which writes the same bytes for it.
"""

import hashlib
import json
import json.encoder
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

import rfc8785

from remit.facts.limits import INTEGER_MAX

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""Any JSON value as Python holds it."""

_BMP_LAST: Final = "\uffff"
_WORDS: Final = (str, bool)
_LISTS: Final = (list, tuple)
_encode_plain = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False).encode

quoted: Final = json.encoder.encode_basestring
"""The RFC 8785 form of a text, but for its encoding in UTF-8, which refuses lone surrogates."""


def canonical(value: Json) -> bytes:
    """The RFC 8785 form of `value` in UTF-8.

    Raises `ValueError` for what has no such form: NaN and infinities, integers beyond
    ±(2^53-1), lone surrogates.
    """
    if _is_plain(value):
        return _encode_plain(value).encode("utf-8")
    return rfc8785.dumps(cast("Any", value))


def digest(data: bytes) -> str:
    """`sha256:` and the lower-case hex digest of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _is_plain(value: Json) -> bool:
    stack: list[object] = [value]
    while stack:
        item = stack.pop()
        if item is None or isinstance(item, _WORDS):
            continue
        if isinstance(item, int):
            if not -INTEGER_MAX <= item <= INTEGER_MAX:
                return False
        elif isinstance(item, dict):
            members = cast("dict[str, object]", item)
            for key in members:
                if not key.isascii() and max(key) > _BMP_LAST:
                    return False
            stack.extend(members.values())
        elif isinstance(item, _LISTS):
            stack.extend(cast("Iterable[object]", item))
        else:
            return False
    return True

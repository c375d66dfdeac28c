"""Canonical JSON (RFC 8785) and the digests taken over it.

`rfc8785` is the reference. Plain data (no floats, every key inside the Basic Multilingual
Plane) takes the standard library's encoder, which writes the same bytes for it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, cast

import rfc8785

from remit.facts.limits import INTEGER_MAX

Json: TypeAlias = "None | bool | int | float | str | Sequence[Json] | Mapping[str, Json]"
"""Any JSON value as Python holds it."""

_BMP_LAST: Final = "\uffff"
_encode_plain = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def canonical(value: Json) -> bytes:
    """The RFC 8785 form of `value` in UTF-8.

    Raises `ValueError` for what has no such form: NaN and infinities, integers beyond
    ±(2^53-1), lone surrogates.
    """
    if _is_plain(value):
        return _encode_plain(value).encode("utf-8")
    return rfc8785.dumps(cast("rfc8785._Value", value))  # pyright: ignore[reportPrivateUsage]


def digest(data: bytes) -> str:
    """`sha256:` and the lower-case hex digest of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _is_plain(value: Json) -> bool:
    stack: list[Json] = [value]
    while stack:
        item = stack.pop()
        match item:
            case None | bool() | str():
                continue
            case int():
                if not -INTEGER_MAX <= item <= INTEGER_MAX:
                    return False
            case Mapping():
                for key in item:
                    if key and max(key) > _BMP_LAST:
                        return False
                stack.extend(item.values())
            case Sequence():
                stack.extend(item)
            case _:
                return False
    return True

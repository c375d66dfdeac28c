"""JSON from outside, read once and strictly (RFC 8259, I-JSON numbers of RFC 7493).

What the standard library lets through and this refuses: duplicate keys, NaN and infinities
(`1e400` too), integers beyond ±(2^53-1), lone surrogates, a byte order mark, other encodings,
and anything beyond the limits. Refusing is the only outcome besides an exact value.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Final, NoReturn, cast

from remit.facts.canonical import Json
from remit.facts.limits import DEFAULT, INTEGER_MAX, Limits

_INTEGER_DIGITS_MAX: Final = 16
LONGER_DIGITS_MAX: Final = 4_300
"""Python reads no integer with more."""
_EXPONENT_FROM: Final = 1e21
"""From here on RFC 8785 writes an exponent. Below, `1e17` would be forwarded as an integer that
nobody, ourselves included, reads back."""

_MALFORMED: Final = "json/malformed"
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_MARKS_FEW: Final = 4_096
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_NO_OPENING: Final = _NO_BRACKETS + b"]}"
_NO_MARKS: Final = bytes(set(_NO_OPENING) - set(b","))
_ALIKE: Final = bytes.maketrans(b"[]", b"{}")


class JsonRefused(ValueError):
    """Bytes that are not JSON as Remit takes it.

    `code` is stable (`json/malformed`, `json/duplicate-key`, …); `why` is one sentence that
    never echoes more than a few characters of the input.
    """

    def __init__(self, code: str, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code
        self.why = why


def parse(
    raw: bytes,
    limits: Limits = DEFAULT,
    *,
    bytes_max: int | None = None,
    nodes_max: int | None = None,
    longer: bool = False,
) -> Json:
    """The value that `raw` spells. `bytes_max` replaces `limits.body_bytes_max`, `nodes_max` that of `limits`.

    `longer`: integers beyond ±(2^53-1) are taken, too, as from servers, up to `LONGER_DIGITS_MAX` digits.

    Raises `JsonRefused`. Nesting is measured and values are counted before the parser runs: neither can exhaust it.
    """
    size_max = limits.body_bytes_max if bytes_max is None else bytes_max
    if len(raw) > size_max:
        raise JsonRefused("json/size", f"{len(raw)} bytes, more than {size_max}")
    _check_depth(raw, limits.depth_max)
    most = limits.nodes_max if nodes_max is None else nodes_max
    if _most(raw) > most and (count := _nodes(raw)) > most:
        raise JsonRefused("json/nodes", f"{count} values, more than {most}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonRefused("json/encoding", f"not UTF-8 at byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise JsonRefused("json/encoding", "starts with a byte order mark")
    try:
        value = cast("Json", (_decode_longer if longer else _decode)(text))
    except json.JSONDecodeError as error:
        why = f"{error.msg.lower().removesuffix(' at')} at line {error.lineno} column {error.colno}"
        raise JsonRefused(_MALFORMED, why) from None
    if len(raw) > limits.string_bytes_max or _SURROGATE.search(raw):
        _check_strings(value, limits.string_bytes_max)
    return value


def parse_object(raw: bytes, *, bytes_max: int | None = None) -> Mapping[str, Json]:
    """`parse`, where anything but an object is refused."""
    value = parse(raw, bytes_max=bytes_max)
    if not isinstance(value, Mapping):
        raise JsonRefused(_MALFORMED, "not an object")
    return value


def written(text: str, limits: Limits = DEFAULT) -> Json:
    """The value that a person wrote as `text`: the JSON that it is, or else the text itself.

    Raises `JsonRefused` for JSON that is not taken, which is no text either unless it stands in quotes.
    """
    try:
        return parse(text.encode("utf-8"), limits)
    except UnicodeEncodeError:
        raise JsonRefused("json/surrogate", "a text holds half of a surrogate pair") from None
    except JsonRefused as refused:
        if refused.code != _MALFORMED:
            raise
        return text


def _pairs(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise JsonRefused("json/duplicate-key", f"the key {ascii(twice)[:60]} appears twice")
    return members


def _integer(digits: str) -> int:
    if len(digits) <= _INTEGER_DIGITS_MAX + 1:
        value = int(digits)
        if -INTEGER_MAX <= value <= INTEGER_MAX:
            return value
    raise JsonRefused("json/number", "an integer beyond ±(2^53-1)")


def _longer(digits: str) -> int:
    if len(digits) <= LONGER_DIGITS_MAX:
        return int(digits)
    raise JsonRefused("json/number", f"an integer of more than {LONGER_DIGITS_MAX:,} digits")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise JsonRefused("json/number", "a number too large to represent")
    return value


def _fraction(digits: str) -> float:
    value = _finite(digits)
    if INTEGER_MAX < abs(value) < _EXPONENT_FROM:
        raise JsonRefused("json/number", "an integer beyond ±(2^53-1)")
    return value


def _constant(name: str) -> NoReturn:
    raise JsonRefused("json/number", f"{name} is not JSON")


_decode: Final = json.JSONDecoder(
    object_pairs_hook=_pairs,
    parse_int=_integer,
    parse_float=_fraction,
    parse_constant=_constant,
).decode
_decode_longer: Final = json.JSONDecoder(
    object_pairs_hook=_pairs,
    parse_int=_longer,
    parse_float=_finite,
    parse_constant=_constant,
).decode


def _check_depth(raw: bytes, depth_max: int) -> None:
    if len(raw.translate(None, _NO_OPENING)) <= depth_max:
        return
    brackets = outside_strings(raw).translate(_ALIKE, _NO_BRACKETS)
    nested = brackets
    for _ in range(depth_max):
        # The innermost level of each value.
        nested = nested.replace(b"{}", b"")
        if not nested:
            return
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"{" else -1
        if depth > depth_max:
            raise JsonRefused("json/depth", f"nested deeper than {depth_max}")


def outside_strings(raw: bytes) -> bytes:
    """`raw` with a quote for each of its strings; one that does not end takes all that follows, as the parser would.

    Without escaped backslashes and then without escaped quotes, every quote left begins or ends a string. A backslash
    between strings is no JSON: the parser stops there, however deep what follows may be.
    """
    # Every step is one pass, also over what is no JSON: an expression that must find a string's end looks for it
    # again from every quote inside.
    return b'"'.join(raw.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])


def nodes_most(raw: bytes) -> int:
    """No fewer than the values that `raw` holds, told from its bytes: what it costs to read it."""
    most = _most(raw)
    # Text has commas, too: it is worth a look at what is outside of strings before they count.
    return most if most < _MARKS_FEW else _nodes(raw)


def _most(raw: bytes) -> int:
    return 1 + len(raw.translate(None, _NO_MARKS))


def _nodes(raw: bytes) -> int:
    """How many values `raw` holds where it is JSON: one, and in all that is not empty one more than it has commas."""
    outside = outside_strings(raw).translate(None, b" \t\r\n")
    return _most(outside) - outside.count(b"[]") - outside.count(b"{}")


def _check_strings(value: Json, bytes_max: int) -> None:
    stack: list[Json] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            _check_string(item, bytes_max)
        elif isinstance(item, Mapping):
            for key in item:
                _check_string(key, bytes_max)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _check_string(text: str, bytes_max: int) -> None:
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise JsonRefused("json/surrogate", "a string holds half of a surrogate pair") from None
    if size > bytes_max:
        raise JsonRefused("json/string", f"a string of {size} bytes, more than {bytes_max}")

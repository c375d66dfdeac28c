"""Strict JSON: what is refused, that everything else is read as the standard library reads it."""

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.canonical import Json, canonical
from remit.facts.limits import INTEGER_MAX, Limits
from remit.facts.strictjson import JsonRefused, nodes_most, parse, parse_object, written

SMALL = Limits(body_bytes_max=4_000, depth_max=5, nodes_max=20, string_bytes_max=50)

REFUSED = [
    (b"", "json/malformed"),
    (b"{", "json/malformed"),
    (b'{"a":1,}', "json/malformed"),
    (b"[1] [2]", "json/malformed"),
    (b"'a'", "json/malformed"),
    (b'"\n"', "json/malformed"),
    (b"01", "json/malformed"),
    (b'"\\x"', "json/malformed"),
    (b'{"a":1,"a":2}', "json/duplicate-key"),
    (b'[{"b":{"a":1,"c":0,"a":1}}]', "json/duplicate-key"),
    (b'{"a":1,"\\u0061":2}', "json/duplicate-key"),
    (b"NaN", "json/number"),
    (b"[Infinity]", "json/number"),
    (b"-Infinity", "json/number"),
    (b"1e400", "json/number"),
    (b"-1e400", "json/number"),
    (str(INTEGER_MAX + 1).encode(), "json/number"),
    (str(-INTEGER_MAX - 1).encode(), "json/number"),
    (b"9" * 3_000, "json/number"),
    (b"1e17", "json/number"),
    (b"-9007199254740992.0", "json/number"),
    (b'"\\ud800"', "json/surrogate"),
    (b'{"\\uDFFF":1}', "json/surrogate"),
    (b'["\\udc00\\ud800"]', "json/surrogate"),
    (b'"\xed\xa0\x80"', "json/encoding"),
    (b'"\xff"', "json/encoding"),
    (b"\xef\xbb\xbf{}", "json/encoding"),
    ('{"a":1}'.encode("utf-16"), "json/encoding"),
    ('{"a":1}'.encode("utf-16-le"), "json/malformed"),
    (b"[" * 6 + b"]" * 6, "json/depth"),
    (b'{"a":' * 6 + b"1" + b"}" * 6, "json/depth"),
    (b"[" * 3_000, "json/depth"),
    (b"[]" * 6 + b"[", "json/malformed"),
    (b"[" + b"1," * 19 + b"1]", "json/nodes"),
    (b"[" + b"[], " * 19 + b"[ ]]", "json/nodes"),
    (b'{"a":{"b":[' + b'"x",' * 17 + b'"x"]}}', "json/nodes"),
    (b'"' + b"a" * 51 + b'"', "json/string"),
    (b'{"' + b"a" * 51 + b'":1}', "json/string"),
    (b'"' + "é".encode() * 26 + b'"', "json/string"),
    (b" " * 4_001, "json/size"),
]


@pytest.mark.parametrize(("raw", "code"), REFUSED)
def test_what_is_not_strict_json_is_refused_by_name(raw: bytes, code: str) -> None:
    with pytest.raises(JsonRefused) as refused:
        parse(raw, SMALL)
    assert refused.value.code == code
    assert len(refused.value.why) < 200


@pytest.mark.parametrize(
    "raw",
    [
        b' [1, -0, 1.5, 1e3, true, false, null, "a"] ',
        str(INTEGER_MAX).encode(),
        str(-INTEGER_MAX).encode(),
        b"[1e300, 1e21, 9007199254740991.0]",
        b'"\\ud83d\\ude00"',
        b'"[[[[[[[[[["',
        b'["[[\\"[[", {"]]": [[[1]]]}]',
        b"[[],[],[],[],[],[],[],[]]",
        b'{"a":[1,2],"b":{"c":"d,e:f,,,,,,,,,,,,,,,,,,,,"}}',
        b"[" + b"1," * 18 + b"1]",
        b"[" + b"[], " * 18 + b"{ \n}]",
    ],
)
def test_what_is_strict_json_is_read(raw: bytes) -> None:
    assert parse(raw, SMALL) == json.loads(raw)


def test_a_limit_of_its_own_replaces_that_of_a_body() -> None:
    assert parse(b" " * 5_000 + b"1", SMALL, bytes_max=6_000) == 1
    with pytest.raises(JsonRefused):
        parse(b"[1]", SMALL, bytes_max=2)


def test_an_object_is_asked_for_by_name() -> None:
    assert parse_object(b'{"a":1}') == {"a": 1}
    with pytest.raises(JsonRefused, match="not an object"):
        parse_object(b"[1]")


def test_a_value_that_is_echoed_is_cut_and_plain() -> None:
    key = "\u202e" + "k" * 500
    with pytest.raises(JsonRefused) as refused:
        parse(f'{{"{key}":1,"{key}":2}}'.encode())
    assert "\u202e" not in str(refused.value)
    assert len(str(refused.value)) < 120


def _written(number: float) -> bool:
    return not INTEGER_MAX < abs(number) < 1e21


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False).filter(_written)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_what_is_written_canonically_is_read_back(value: Json) -> None:
    raw = canonical(value)
    again = parse(raw)
    assert canonical(again) == raw


@given(st.binary(max_size=60) | st.text(alphabet='[]{}",:1e+-.\\u dDbBaA8', max_size=40).map(str.encode))
def test_parsing_is_total(raw: bytes) -> None:
    code = _code(raw)
    assert code is None or code.startswith("json/")


def _code(raw: bytes) -> str | None:
    try:
        value = parse(raw, SMALL)
    except JsonRefused as refused:
        return refused.code
    assert json.loads(raw) == value
    assert not isinstance(value, float) or math.isfinite(value)
    return None


@given(plain)
def test_values_are_counted_from_the_bytes(value: Json) -> None:
    raw = json.dumps(value, indent=1).encode()
    nodes = _nodes(value)
    assert parse(raw, Limits(nodes_max=nodes)) == value
    with pytest.raises(JsonRefused, match=f"{nodes} values, more than {nodes - 1}"):
        parse(raw, Limits(nodes_max=nodes - 1))
    assert nodes_most(raw) >= nodes


def _nodes(value: Json) -> int:
    match value:
        case list():
            return 1 + sum(map(_nodes, value))
        case dict():
            return 1 + sum(map(_nodes, value.values()))
        case _:
            return 1


def _nests(raw: bytes, depth_max: int) -> bool | None:
    """Whether `raw` is nested deeper than `depth_max`, byte by byte; None where a backslash between strings ends it."""
    depth, inside, escaped = 0, False, False
    for char in raw.decode("latin-1"):
        if inside:
            inside, escaped = escaped or char != '"', not escaped and char == "\\"
        elif char == "\\":
            return None
        elif char == '"':
            inside = True
        else:
            depth += (char in "[{") - (char in "]}")
            if depth > depth_max:
                return True
    return False


@given(st.lists(st.sampled_from([b"[", b"]", b"{", b"}", b'"', b"\\", b"[" * 6, b'\\"', b"a", b"\n"])).map(b"".join))
def test_depth_is_what_reading_byte_by_byte_tells(raw: bytes) -> None:
    try:
        parse(raw, SMALL)
        code = ""
    except JsonRefused as refused:
        code = refused.code
    nests = _nests(raw, SMALL.depth_max)
    assert code if nests is None else (code == "json/depth") == nests


@pytest.mark.parametrize("unit", [b'\\"', b"\\\\", b'"', b'"\\', b"[", b'["', b"\\u0022", b'"",'])
def test_refusing_takes_no_more_than_the_length(unit: bytes) -> None:
    def took(size: int) -> float:
        raw = b"[" * 65 + b'"' + unit * (size // len(unit))
        begun = time.thread_time()
        with pytest.raises(JsonRefused):
            parse(raw)
        return time.thread_time() - begun

    # Sixteen times the text: a square would take 256 times as long.
    assert min(took(256_000) for _ in range(3)) < 80 * max(min(took(16_000) for _ in range(3)), 0.000_2)


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ('"7"', "7"), ("seven", "seven"), (" {x ", " {x "), ("[1]", [1]), ("", "")]
)
def test_what_a_person_writes_is_json_or_text(text: str, value: Json) -> None:
    assert written(text) == value


@pytest.mark.parametrize("text", ["NaN", "1" * 17, '"\\ud800"', "\ud800", "[" * 65, '{"a": 1, "a": 1}'])
def test_json_that_is_not_taken_is_no_text_either(text: str) -> None:
    with pytest.raises(JsonRefused):
        written(text)

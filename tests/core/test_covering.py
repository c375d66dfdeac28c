"""Obligations on results: what is covered or cut, and that structured content stays what its schema demands."""

from collections.abc import Mapping

import pytest

from remit.facts.canonical import Json
from remit.facts.obligation import Obligation, parsed
from remit.protect import result_obligations
from remit.protect.detect.detectors import SCANNED_CHARS_MAX
from remit.protect.result_obligations import WithheldError, cover_result, cover_text, cover_value

CARD = "4111 1111 1111 1111"
MAIL = "uma@example.org"


def owed(*said: str) -> list[Obligation]:
    return [parsed(one) for one in said]


def text(said: str) -> Mapping[str, Json]:
    return {"content": [{"type": "text", "text": said}]}


@pytest.mark.parametrize(
    ("said", "before", "after"),
    [
        ("redact:pii", f"card {CARD}, mail {MAIL}", f"card [redacted pii], mail {MAIL}"),
        ("redact:email", f"a {MAIL} b {MAIL}", "a [redacted email] b [redacted email]"),
        ("mask:pii", f"card {CARD}.", "card ••••1111."),
        ("mask:hidden", "a\u202eb", "a••••b"),
        ("truncate:3", "abcdef", "abc"),
        ("redact:pii", '{"a":"4111 \\u0031111 1111 1111"}', '{"a":"[redacted pii]"}'),
        ("redact:pii", ' \r\n\t{"a":"4111 \\u0031111 1111 1111"}', '{"a":"[redacted pii]"}'),
        ("redact:pii", '"4111 \\u0031111 1111 1111"', '"[redacted pii]"'),
        ("redact:$.a", '\n{"a":"x","b":"y"}', '{"a":"[redacted]","b":"y"}'),
        ("redact:$.a", '"{\\"a\\":1}"', "[redacted]"),
        ("redact:pii", ' {"a": 1}', ' {"a": 1}'),
        ("redact:pii", '{"a":4111111111111111,"b":1}', '{"a":"[redacted pii]","b":1}'),
        ("redact:pii", '{"a":1}', '{"a":1}'),
        ("redact:pii", "{not json " + CARD, "{not json [redacted pii]"),
        ("redact:$.a", '{"a":"x","b":"y"}', '{"a":"[redacted]","b":"y"}'),
        ("mask:$.a", '{"a":"12345678901"}', '{"a":"••••8901"}'),
        ("mask:$.a", '{"a":{"b":1}}', '{"a":"••••"}'),
        ("redact:$[*].a", '[{"a":1},{"b":2}]', '[{"a":"[redacted]"},{"b":2}]'),
        ("redact:$.a", "no json at all", "[redacted]"),
        ("redact:pii", '{"pesel":"44051401359"}', '{"pesel":"[redacted pii]"}'),
        ("redact:email", '{"uma@example.org":1}', '{"[redacted email]":1}'),
        ("redact:pii", "{\ud800", "{\ud800"),
    ],
)
def test_texts_are_covered_and_cut(said: str, before: str, after: str) -> None:
    assert cover_result(owed(said), text(before)) == text(after)
    if "$" not in said:
        assert cover_result(owed(said), text(after)) == text(after), "what is covered is not covered again"


def test_what_nobody_can_look_into_is_withheld() -> None:
    blocks: list[Json] = [
        {"type": "image", "data": "aGk=", "mimeType": "image/png"},
        {"type": "resource", "resource": {"uri": "a://b", "blob": "aGk="}},
        {"type": "resource", "resource": {"uri": "a://b", "text": MAIL}, "annotations": {"audience": ["user"]}},
        {"type": "resource_link", "uri": f"mailto:{MAIL}", "name": "x"},
        {"type": "resource", "resource": "odd"},
        "odd",
        None,
    ]
    assert cover_result(owed("redact:email"), {"content": blocks, "isError": True}) == {
        "content": [
            {"type": "text", "text": "[withheld: image that nobody looked into]"},
            {"type": "resource", "resource": {"uri": "a://b", "text": "[withheld: bytes that nobody looked into]"}},
            {
                "type": "resource",
                "resource": {"uri": "a://b", "text": "[redacted email]"},
                "annotations": {"audience": ["user"]},
            },
            {"type": "resource_link", "uri": "mailto:[redacted email]", "name": "x"},
            {"type": "resource", "resource": "odd"},
            "odd",
            None,
        ],
        "isError": True,
    }
    # Cutting texts looks into nothing.
    assert cover_result(owed("truncate:1"), {"content": blocks[:2]}) == {"content": blocks[:2]}


def test_resources_and_prompts_are_covered_too() -> None:
    read: Mapping[str, Json] = {"contents": [{"uri": "a://b", "text": MAIL}, "odd"]}
    assert cover_result(owed("redact:email"), read) == {
        "contents": [{"uri": "a://b", "text": "[redacted email]"}, "odd"]
    }
    prompt: Mapping[str, Json] = {"messages": [{"role": "user", "content": {"type": "text", "text": MAIL}}, 5]}
    assert cover_result(owed("redact:email"), prompt) == {
        "messages": [{"role": "user", "content": {"type": "text", "text": "[redacted email]"}}, 5]
    }
    done: Mapping[str, Json] = {"completion": {"values": [MAIL, "x"], "total": 2}}
    assert cover_result(owed("redact:email"), done) == {"completion": {"values": ["[redacted email]", "x"], "total": 2}}


def null(made: Json) -> bool:
    return isinstance(made, dict) and made["a"] is None


def gone(made: Json) -> bool:
    return isinstance(made, dict) and "a" not in made


@pytest.mark.parametrize(
    ("holds", "after"),
    [
        (None, {"a": "[redacted pii]", "b": [1, "[redacted pii]"]}),
        (null, {"a": None, "b": [1, None]}),
        (gone, {"b": [1]}),
    ],
)
def test_structured_content_stays_what_its_schema_demands(
    holds: result_obligations.ConformsTo | None, after: Json
) -> None:
    result: Mapping[str, Json] = {"structuredContent": {"a": CARD, "b": [1, CARD]}}
    assert cover_result(owed("redact:pii"), result, holds) == {"structuredContent": after}


def test_json_in_a_text_of_structured_content_is_read_as_that_in_a_block() -> None:
    said = r'{"card": "4111 \u0031111 1111 1111", "of": "[\"\\u0034111 1111 1111 1111\"]"}'
    after = '{"card":"[redacted pii]","of":"[\\"[redacted pii]\\"]"}'
    found = cover_result(owed("redact:pii"), {**text(said), "structuredContent": {"result": said}})
    assert found == {**text(after), "structuredContent": {"result": after}}


def test_what_no_schema_leaves_room_for_is_withheld() -> None:
    def never(_: Json) -> bool:
        return False

    assert cover_result(owed("redact:pii"), {"structuredContent": {"a": 1}}, never) == {"structuredContent": {"a": 1}}
    with pytest.raises(WithheldError, match="leaves no room"):
        cover_result(owed("redact:pii"), {"structuredContent": {"a": CARD}}, never)
    with pytest.raises(WithheldError, match="leaves no room"):
        cover_result(owed("redact:pii"), {"structuredContent": CARD}, never)


def test_what_is_too_long_or_too_deep_is_withheld() -> None:
    with pytest.raises(WithheldError, match="too long for redact:pii"):
        cover_result(owed("redact:pii"), text("x" * (SCANNED_CHARS_MAX + 1)))
    deep: Json = 1
    for _ in range(result_obligations.DEPTH_MAX + 2):
        deep = [deep]
    with pytest.raises(WithheldError, match="nested deeper"):
        cover_result(owed("redact:pii"), {"structuredContent": deep})
    assert cover_text(owed("mask:pii"), "x" * (SCANNED_CHARS_MAX + 1)) == "[withheld: text too long for mask:pii]"


def test_what_is_said_in_the_midst_is_covered() -> None:
    assert cover_text(owed("redact:email", "truncate:8"), f"to {MAIL}") == "to [redac"[:8]
    asked: Json = {"message": f"to {MAIL}?", "requestedSchema": {"type": "object"}}
    assert cover_value(owed("redact:email", "redact:$.message"), asked) == {
        "message": "to [redacted email]?",
        "requestedSchema": {"type": "object"},
    }

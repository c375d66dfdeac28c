"""Arguments mirrored into headers: what is made outbound agrees inbound, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts import header_mirror
from remit.facts.header_mirror import Mirror, Mirrors, decoded, disagreement, encoded, headers, mirrors
from remit.facts.tool import Definition, Tool
from tests.core.deciding import tool

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "deep": {"type": "object", "properties": {"dry": {"type": "boolean", "x-mcp-header": "Dry-Run"}}},
        "x-mcp-header": {"type": "string"},
        "query": {"type": "string", "default": {"x-mcp-header": "no annotation"}},
    },
}
MIRRORED = mirrors(SCHEMA)
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "region": st.text() | st.none() | st.sampled_from(["=?base64?x?=", " padded ", "línea", "a\nb", ""]),
        "count": st.integers(-(2**53) + 1, 2**53 - 1) | st.none(),
        "deep": st.fixed_dictionaries({}, optional={"dry": st.booleans() | st.none()}) | st.just("no object"),
    },
)


def test_annotations_are_found_where_properties_alone_lead() -> None:
    assert (
        Mirror(("region",), "mcp-param-region"),
        Mirror(("count",), "mcp-param-count"),
        Mirror(("deep", "dry"), "mcp-param-dry-run"),
    ) == MIRRORED


@pytest.mark.parametrize(
    "properties",
    [
        {"a": {"type": "number", "x-mcp-header": "A"}},
        {"a": {"type": ["string", "null"], "x-mcp-header": "A"}},
        {"a": {"type": "string", "x-mcp-header": ""}},
        {"a": {"type": "string", "x-mcp-header": "A\r\nEvil: 1"}},
        {"a": {"type": "string", "x-mcp-header": 1}},
        {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}},
        {"a": {"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}},
        {"a": {"anyOf": [{"type": "string", "x-mcp-header": "A"}]}},
        {"a": {"anyOf": [{"properties": {"b": {"type": "string", "x-mcp-header": "A"}}}]}},
        {"a": {"patternProperties": {"b": {"type": "string", "x-mcp-header": "A"}}}},
    ],
)
def test_an_annotation_out_of_place_makes_a_schema_that_mirrors_nothing(properties: dict[str, Any]) -> None:
    properties["good"] = {"type": "string", "x-mcp-header": "Good"}
    assert mirrors({"type": "object", "properties": properties}) == ()
    assert mirrors({"type": "object", "x-mcp-header": "Root"}) == ()


@given(ARGUMENTS)
def test_what_is_made_agrees_and_nothing_less(arguments: dict[str, Any]) -> None:
    made = {name: encoded(text) for name, text in headers(MIRRORED, arguments).items()}
    assert all(value.isascii() and "\n" not in value and value == value.strip() for value in made.values())
    assert disagreement(MIRRORED, arguments, dict(made)) is None
    for name in made:
        without = {key: value for key, value in made.items() if key != name}
        assert "missing" in str(disagreement(MIRRORED, arguments, without))
        assert "more than once" in str(disagreement(MIRRORED, arguments, {**made, name: None}))
        assert "differ" in str(disagreement(MIRRORED, arguments, {**made, name: "something else"}))
    for mirror in MIRRORED:
        if mirror.header not in made:
            assert "differ" in str(disagreement(MIRRORED, arguments, {**made, mirror.header: "x"}))


@given(st.text())
def test_a_value_comes_back_as_it_was(text: str) -> None:
    assert decoded(encoded(text)) == text


@pytest.mark.parametrize("value", ["=?base64?SGk=x?=", "=?base64?SGl=?=", "=?base64?/w==?=", "línea", " a", "a\x00"])
def test_what_nobody_encodes_is_not_decoded(value: str) -> None:
    assert decoded(value) is None
    assert "not properly encoded" in str(disagreement(MIRRORED, {"region": "Hi"}, {"mcp-param-region": value}))


@pytest.mark.parametrize(("value", "said", "agrees"), [(42, "42.0", True), (42, "42.5", False), (42.0, "42", True)])
def test_integers_agree_by_value(value: float, said: str, agrees: bool) -> None:
    assert (disagreement(MIRRORED, {"count": value}, {"mcp-param-count": said}) is None) == agrees


def test_a_pinned_schema_is_read_once() -> None:
    definition = Definition("pay", "", SCHEMA, None, {})
    tool = Tool("shop", definition, definition.pin())
    known = Mirrors()
    assert known.of(tool) == MIRRORED
    assert known.of(tool) is known.of(tool)


def test_parts_that_are_no_schemas_are_passed_over() -> None:
    deep: Any = [True, {"x-mcp-header": "Deep"}]
    odd: dict[str, Any] = {"properties": {"a": True, "b": 1}, "$defs": {"x": False}, "allOf": deep, "title": "t"}
    assert mirrors({"type": "object", **odd}) == ()
    assert mirrors({"properties": {"a": 5}, "anyOf": [1, {"type": "string"}], "$defs": {"x": 1}}) == ()


def test_mirrors_of_many_tools_are_read_once_each_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_mirror, "SCHEMAS_MAX", 1)
    kept = header_mirror.Mirrors()
    first, second = tool("shop", "a", SCHEMA), tool("shop", "b", SCHEMA)
    assert kept.of(first) is kept.of(first)
    assert kept.of(second) == kept.of(first) == mirrors(SCHEMA)

"""The mapping from JSON Schema to Cedar, and of arguments to typed records."""

import pytest

from remit.facts.canonical import Json
from remit.policy.input_types import Atom, Field, RecordType, SetOf, Untypable, type_input
from tests.core.deciding import schema

ANYBODY = '@id("p") permit(principal, action, resource);'
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def typed(part: Json, *, required: bool = True) -> Field | None:
    """How an argument `x` with the schema `part` is typed."""
    record = type_input(schema(("x",) if required else (), x=part)).record
    return record.fields.get("x")


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "string"}, Field(Atom.STRING, True)),
        ({"type": "integer"}, Field(Atom.LONG, True)),
        ({"type": "boolean"}, Field(Atom.BOOLEAN, True)),
        ({"type": "number"}, Field(Atom.DECIMAL, False)),
        ({"type": ["integer", "number"]}, Field(Atom.DECIMAL, False)),
        ({"type": ["string", "null"]}, Field(Atom.STRING, False, True)),
        ({"type": "array", "items": {"type": "string"}}, Field(SetOf(Atom.STRING), True)),
        ({"items": {"type": "number"}}, Field(SetOf(Atom.DECIMAL), True)),
        ({"type": "string", "enum": ["a", "b"]}, Field(Atom.STRING, True)),
        ({"enum": ["a", "b"]}, Field(Atom.STRING, True)),
        ({"enum": [1, 2]}, Field(Atom.LONG, True)),
        ({"enum": [1, 2.5]}, Field(Atom.DECIMAL, False)),
        ({"enum": [True]}, Field(Atom.BOOLEAN, True)),
        ({"enum": ["a", None]}, Field(Atom.STRING, False, True)),
        ({"const": "a"}, Field(Atom.STRING, True)),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, Field(Atom.STRING, False, True)),
        ({"oneOf": [{"type": "null"}, {"type": "integer"}]}, Field(Atom.LONG, False, True)),
        ({"anyOf": [{"const": "a"}, {"const": "b"}]}, Field(Atom.STRING, True)),
        ({"anyOf": [{"type": ["string", "null"]}, {"type": "string"}]}, Field(Atom.STRING, False, True)),
        ({"type": "string", "anyOf": [{"minLength": 1}, {"format": "uri"}]}, Field(Atom.STRING, True)),
        ({"allOf": [{"type": "string"}, {"minLength": 2}]}, Field(Atom.STRING, True)),
        ({"allOf": [{"type": "number"}, {"type": "integer"}]}, Field(Atom.LONG, True)),
        (OBJECT, Field(RecordType({"a": Field(Atom.STRING, True)}), True)),
        ({"properties": {"a": {"type": "string"}}}, Field(RecordType({"a": Field(Atom.STRING, False)}), True)),
        ({"type": "array", "items": OBJECT}, Field(SetOf(RecordType({"a": Field(Atom.STRING, True)})), True)),
    ],
)
def test_what_cedar_can_hold_is_typed(part: Json, expected: Field) -> None:
    assert typed(part) == expected


@pytest.mark.parametrize(
    "part",
    [
        True,
        False,
        {},
        {"type": ["string", "integer"]},
        {"type": "null"},
        {"type": []},
        {"type": "nonsense"},
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "array"},
        {"type": "array", "items": True},
        {"type": "array", "items": {}},
        {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "string"}},
        {"enum": []},
        {"enum": ["a", 1]},
        {"const": [1]},
        {"const": {"a": 1}},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"anyOf": [{"type": "string"}, {}]},
        {"anyOf": [{"type": "null"}]},
        {"oneOf": [OBJECT, {"type": "string"}]},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"not": {"type": "string"}},
    ],
)
def test_unions_and_free_values_are_left_out_with_a_warning(part: Json) -> None:
    found = type_input(schema(("x",), x=part))
    assert "x" not in found.record.fields
    assert found.arguments == ("x",)
    assert found.warnings == ("x has no Cedar type and is left out of `input`",)


def test_a_reserved_name_is_left_out() -> None:
    found = type_input(schema(__entity={"type": "string"}, ok={"type": "string"}))
    assert set(found.record.fields) == {"ok"}
    assert len(found.warnings) == 1


def test_all_of_merges_objects() -> None:
    found = type_input(
        {
            "type": "object",
            "properties": {"a": {"type": "string"}, "n": {"type": "number"}, "c": {"type": "string"}},
            "allOf": [
                {"properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a", "b"]},
                {"properties": {"n": {"type": "integer"}, "c": {"type": "boolean"}}, "required": ["n"]},
                {"required": ["a"]},
            ],
        }
    )
    assert found.record.fields == {
        "a": Field(Atom.STRING, True),
        "b": Field(Atom.LONG, True),
        "n": Field(Atom.LONG, True),
    }
    assert found.warnings == ("c is typed twice, and is left out",)


def test_local_references_are_followed() -> None:
    found = type_input(
        {
            "$defs": {"a/b~c d": OBJECT, "list": [{"type": "integer"}]},
            "properties": {
                "x": {"$ref": "#/$defs/a~1b~0c%20d"},
                "y": {"$ref": "#/$defs/list/0"},
                "z": {"$ref": "#/properties/y", "description": "as y"},
            },
        }
    )
    assert found.record.fields == {
        "x": Field(RecordType({"a": Field(Atom.STRING, True)}), False),
        "y": Field(Atom.LONG, False),
        "z": Field(Atom.LONG, False),
    }


def nested(depth: int) -> Json:
    part: Json = {"type": "string"}
    for _ in range(depth):
        part = {"type": "object", "properties": {"a": part}}
    return part


def doubling(levels: int) -> Json:
    pairs = {f"d{n}": {"properties": {k: {"$ref": f"#/$defs/d{n + 1}"} for k in "ab"}} for n in range(levels)}
    return {"$defs": {**pairs, f"d{levels}": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/d0"}}}


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (True, "not an object"),
        ([], "not an object"),
        ({"properties": {"a": 3}}, "neither an object nor a boolean"),
        ({"properties": {"a": {"$ref": "#"}}}, "recursive"),
        ({"$defs": {"t": {"items": {"$ref": "#/$defs/t"}}}, "properties": {"a": {"$ref": "#/$defs/t"}}}, "recursive"),
        ({"$defs": {"t": {"not": {"$ref": "#/$defs/t"}}}}, "recursive"),
        ({"properties": {"a": {"$dynamicRef": "#node"}}}, "recursive"),
        ({"properties": {"a": {"$id": "http://example.org/a"}}}, "an .id of its own"),
        ({"properties": {"a": {"$ref": "http://example.org/s"}}}, "another document"),
        ({"properties": {"a": {"$ref": "#anchor"}}}, "another document"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "not there"),
        ({"$defs": [True], "properties": {"a": {"$ref": "#/$defs/1"}}}, "not there"),
        (nested(40), "too deep"),
        (nested(120), "deeper than 200"),
        (nested(5_000), "canonical form|deeper than 200"),
        (doubling(20), "unfolds to more"),
        (doubling(9), "too large"),
        ({"properties": {f"p{n}": {"type": "string"} for n in range(3_000)}}, "too large"),
        ({"description": "x" * 300_000}, "300018 bytes, more than 262144"),
        ({"properties": {"\ud800": {"type": "string"}}}, "canonical form"),
    ],
)
def test_an_absurd_schema_is_untypable_and_says_why(part: Json, why: str) -> None:
    with pytest.raises(Untypable, match=why):
        type_input(part)


def twice(pointer: str) -> Json:
    """Doubles at every level of the argument once `pointer` leads back to where it stands."""
    return {"additionalProperties": {"allOf": [{"$ref": pointer}, {"$ref": pointer}]}}


def unevaluated(levels: int, keyword: str = "unevaluatedProperties") -> Json:
    part: Json = {}
    for _ in range(levels):
        part = {"allOf": [part], keyword: False}
    return {"properties": {"a": part}}


OLD = "http://json-schema.org/draft-04/schema#"
HIDDEN: dict[str, Json] = {"allOf": [{"$ref": "#/$defs/q"}], "$defs": {"q": twice("#/$defs/q")}}


@pytest.mark.parametrize(
    ("part", "why"),
    [
        *(
            ({naming: {name: twice(f"#/{naming}/{name}")}}, "recursive")
            for naming in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
            for name in ("default", "enum", "const", "examples")
        ),
        *(
            ({"properties": {"a": {"$ref": f"#/{data}/x"}}, data: {"x": twice(f"#/{data}/x")}}, "recursive")
            for data in ("default", "const", "x-ours")
        ),
        ({"properties": {"properties": {"properties": {"enum": {"$ref": "#/properties/properties"}}}}}, "recursive"),
        *(
            ({"properties": {"default": {keyword: [{"$ref": "#/properties/default"}]}}}, "recursive")
            for keyword in ("prefixItems", "allOf", "anyOf", "oneOf", "items")
        ),
        *(
            ({"properties": {"default": {keyword: {"$ref": "#/properties/default"}}}}, "recursive")
            for keyword in (
                *("contains", "propertyNames", "if", "then", "else", "not", "items", "additionalItems"),
                *("unevaluatedProperties", "unevaluatedItems", "additionalProperties", "contentSchema"),
            )
        ),
        # What another reader splits, unescapes or finds elsewhere.
        ({"properties": {"a": {"$ref": "#/a%2Fb"}}, "a/b": {}, "a": {"b": twice("#/a/b")}}, "two ways"),
        ({"properties": {"a": {"$ref": "#/a%7E1b"}}, "a~1b": {}}, "two ways"),
        ({"properties": {"a": {"$ref": "#/a%252Fb"}}, "a%2Fb": {}}, "two ways"),
        ({"properties": {"a": {"$ref": "#/a~01b"}}, "a~1b": {}}, "two ways"),
        ({"properties": {"a": {"$ref": "#/%ff"}}, "\ufffd": {}}, "not UTF-8"),
        ({"properties": {"a": {"$ref": "#/"}}, "": {}}, "empty step"),
        ({"properties": {"%64efault": twice("#/properties/%2564efault")}}, "two ways"),
        ({"properties": {"default": twice("#/properties/%64efault")}}, "recursive"),
        # Another base or another dialect inside.
        ({"$defs": {"q": {}}, "properties": {"a": {"$id": "http://x/", **HIDDEN}}}, "an .id of its own"),
        ({"$schema": OLD, "$defs": {"q": {}}, "properties": {"a": {"id": "http://x/", **HIDDEN}}}, "an id of its own"),
        (
            {"$defs": {"q": {}}, "properties": {"a": {"$schema": OLD, "id": "http://x/", **HIDDEN}}},
            "a .schema of its own",
        ),
        ({"properties": {"a": {"$ref": "#/default/x"}}, "default": {"$id": "http://x/", "x": {}}}, "an .id of its own"),
        ({"$id": "https://json-schema.org/draft/2020-12/schema"}, "JSON Schema itself"),
        ({"$anchor": "me", "properties": {"a": {"$ref": "#me"}}}, "an anchor"),
        ({"properties": {"a": {"$recursiveRef": "#"}}}, "recursive"),
        (unevaluated(20), "takes more than 1000000 steps"),
        (unevaluated(20, "unevaluatedItems"), "takes more than 1000000 steps"),
    ],
)
def test_no_schema_leads_back_to_itself_by_any_way_round(part: Json, why: str) -> None:
    with pytest.raises(Untypable, match=why):
        type_input(part)


def test_what_only_looks_like_a_reference_is_data() -> None:
    part: Json = {
        "$defs": {"a b": {"type": "string"}, "default": {"type": "integer"}},
        "properties": {
            "a": {"$ref": "#/$defs/a%20b", "default": {"$ref": "#/nowhere"}},
            "enum": {"$ref": "#/$defs/default"},
            "$ref": {"type": "string", "enum": ["x"] * 30_000},
            "id": {"type": "string"},
        },
    }
    assert sorted(type_input(part).record.fields) == ["$ref", "a", "enum", "id"]

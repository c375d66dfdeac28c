"""Arguments against the pinned schema: what is wrong is said, values and networks stay out."""

from types import MappingProxyType

import pytest

from remit.facts.canonical import Json
from remit.policy.arguments import compile_validator, with_defaults_left_out
from remit.policy.input_types import Untypable
from tests.core.deciding import action, bundle, catalog, codes, decided, schema, tool

PART = schema(
    ("to",),
    to={"type": "string", "minLength": 1},
    list={"type": "array", "items": {"type": "integer"}},
    evil={"type": "string", "pattern": r"^(?=a)(a|aa)*\1b$"},
    when={"type": "string", "format": "date"},
)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, 'the arguments: "to" is a required property'),
        ({"to": 5}, 'to: the value is not of type "string"'),
        ({"to": ""}, "to: the value is shorter than 1 character"),
        ({"to": "x", "list": [1, "x"]}, 'list.1: the value is not of type "integer"'),
    ],
)
def test_what_is_invalid_is_said_with_its_path(arguments: dict[str, Json], said: str) -> None:
    assert compile_validator(PART).problem(arguments) == said


@pytest.mark.parametrize(
    "arguments",
    [{"to": "x"}, {"to": "x", "list": [1.0, 1e300]}, {"to": "x", "more": 1}, {"to": "x", "when": "not a date"}],
)
def test_what_is_valid_passes(arguments: dict[str, Json]) -> None:
    assert compile_validator(PART).problem(arguments) is None
    assert compile_validator(PART).problem(MappingProxyType(arguments)) is None


def test_a_pattern_that_backtracks_fails_the_argument() -> None:
    why = compile_validator(PART).problem({"to": "x", "evil": "a" * 5_000})
    assert why is not None
    assert why.startswith("evil: ")


def test_huge_and_hidden_values_are_not_echoed() -> None:
    part = {"additionalProperties": {"type": "string"}, "properties": {"a": {"const": "secret"}}}
    why = compile_validator(part).problem({"k\u202e" + "k" * 9_000: 7})
    assert why is not None
    assert len(why) < 400
    assert "\u202e" not in why
    said = compile_validator(part).problem({"a": "p" * 5_000})
    assert said is not None
    assert "ppp" not in said


def test_what_the_validator_cannot_even_look_at_is_invalid() -> None:
    why = compile_validator(PART).problem({"to": object()})  # pyright: ignore[reportArgumentType]
    assert why is not None
    assert "cannot be checked" in why


def deep(levels: int) -> dict[str, Json]:
    part: dict[str, Json] = {"type": "object"}
    for _ in range(levels):
        part = {"properties": {"a": part}}
    return part


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"type": "objet"}, "type: "),
        ({"properties": {"a": {"$ref": "http://127.0.0.1:1/x"}}}, "127.0.0.1"),
        ({"$ref": "#/$defs/none"}, "not there"),
        ({"$schema": "http://example.org/mine"}, "meta-schema"),
        ({"properties": {"a": {"pattern": "("}}}, "regex"),
        (deep(500), "deeper than 200"),
    ],
)
def test_what_is_no_schema_is_untypable_and_says_why(part: dict[str, Json], why: str) -> None:
    with pytest.raises(Untypable, match=why):
        compile_validator(part)


def test_arguments_that_would_take_too_long_are_not_checked() -> None:
    many: dict[str, Json] = {"a": ["a" * 36] * 6_000}
    evil: Json = {"anyOf": [{"pattern": "^(?=a)(a|aa)+(?=b)$"}, {}]}
    slow = compile_validator({"properties": {"a": {"items": evil}}})
    assert slow.backtracks
    assert "more values than can be checked" in (slow.problem(many) or "")
    assert slow.problem({"a": ["b"] * 50}) is None
    # The same without backtracking is no trouble.
    quick = compile_validator({"properties": {"a": {"items": {"pattern": "^(a|aa)+$"}}}})
    assert not quick.backtracks
    assert quick.problem(many) is None
    wide = compile_validator({"properties": {"a": {"items": {"allOf": [{"minLength": 1}] * 9_900}}}})
    assert wide.problem({"a": ["b"] * 50}) is None
    assert "more values than can be checked" in (wide.problem(many) or "")
    listed = compile_validator({"properties": {"a": {"items": {"enum": ["b" * 9, *range(60_000)]}}}})
    assert "more values than can be checked" in (listed.problem(many) or "")


def test_invalid_arguments_are_denied_before_any_policy() -> None:
    running = bundle('@id("p") permit(principal, action, resource);')
    decision = decided(running, action(arguments={"order_id": 7}))
    assert codes(decision) == {"arg/invalid"}
    assert decision.reasons[0].policy is None


def test_what_has_a_default_may_be_left_out_though_its_schema_names_it_as_required() -> None:
    part = schema(
        ("page", "scale", "much", "note"),
        page={"type": "string"},
        scale={"type": "string", "enum": ["css", "device"], "default": "css"},
        much={"type": "integer", "default": "many"},
        note={"type": ["string", "null"], "default": None},
    )
    kinds = {
        "css": 'context.input.scale == "css"',
        "device": 'context.input.scale == "device"',
        "much": "context.input.much > 0",
    }
    found: dict[str, set[str]] = {}
    for name, when in kinds.items():
        policy = f'@id("p") permit(principal, action == Remit::Action::"shop___shoot", resource) when {{ {when} }};'
        running = bundle(catalog(policy, tools=[tool("shop", "shoot", part)]))
        found[name] = codes(decided(running, action("shop/shoot", {"page": "p", "note": None})))
        for given in ({"scale": "css", "note": None}, {"page": "p", "scale": "css", "much": 1}):
            assert codes(decided(running, action("shop/shoot", given))) == {"arg/invalid"}
    # A default that is not what its schema says is no value that a policy may be asked about.
    assert found == {"css": {"policy"}, "device": {"policy/none"}, "much": {"arg/inexact"}}
    for odd in ({"required": "scale"}, {"required": [["scale"]]}):
        assert with_defaults_left_out({**part, **odd}) == {**part, **odd}


def test_a_schema_that_validators_refuse_quarantines_the_tool_alone() -> None:
    running = bundle(catalog('@id("p") permit(principal, action, resource);', tools=[tool("shop", "odd", deep(30))]))
    assert list(running.quarantined) == [("shop", "odd")]
    assert codes(decided(running, action("shop/odd", {}))) == {"tool/untypable"}
    assert codes(decided(running, action())) == {"policy"}


def test_a_schema_that_is_no_text_is_untypable() -> None:
    with pytest.raises(Untypable, match="not valid"):
        compile_validator({"pattern": "\ud800"})

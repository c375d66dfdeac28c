"""Argument values as typed records: exact, or named and never guessed; and whatever is valid can be judged."""

from collections.abc import Mapping
from decimal import Decimal as Exact
from typing import cast

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.canonical import Json
from remit.policy.arguments import compile_validator
from remit.policy.compiled.extensions import Decimal
from remit.policy.compiled.values import Value, cedar_json, keys
from remit.policy.convert import convert, converter, decimal_of, overlaps
from remit.policy.input_types import Atom, Field, RecordType, type_input
from remit.policy.schema import cedar_type
from remit.policy.verdict import Permit
from tests.core.deciding import action, bundle, catalog, codes, decided, schema, tool

ANYBODY = '@id("p") permit(principal, action, resource);'


RECORD = type_input(
    schema(
        ("s", "i", "b", "o", "l"),
        s={"type": "string"},
        i={"type": "integer"},
        b={"type": "boolean"},
        n={"type": "number"},
        m={"type": ["string", "null"]},
        o=schema(("i",), i={"type": "integer"}, n={"type": "number"}),
        l={"type": "array", "items": {"type": "number"}},
        r={"type": "array", "items": schema(("s",), s={"type": "string"})},
        u={"type": ["string", "integer"]},
    )
).record
FITTING: Mapping[str, Json] = {"s": "x", "i": 1, "b": True, "o": {"i": 2}, "l": [1, 2.5]}
CEDAR: Mapping[str, Value] = {
    "s": "x",
    "i": 1,
    "b": True,
    "o": {"i": 2},
    "l": frozenset({Decimal(1_0000), Decimal(2_5000)}),
}


@pytest.mark.parametrize(
    ("change", "cedar"),
    [
        ({}, {}),
        ({"n": 40}, {"n": Decimal(40_0000)}),
        ({"n": -0.0001}, {"n": Decimal(-1)}),
        ({"i": 1.0}, {"i": 1}),
        ({"m": None}, {}),
        ({"m": "x"}, {"m": "x"}),
        ({"o": {"i": 2, "n": 1e2}}, {"o": {"i": 2, "n": Decimal(100_0000)}}),
        ({"l": []}, {"l": keys([])}),
        ({"r": [{"s": "a"}, {"s": "a"}]}, {"r": keys([{"s": "a"}])}),
    ],
)
def test_exact_values_convert(change: Mapping[str, Json], cedar: Mapping[str, Value]) -> None:
    found = convert(RECORD, {**FITTING, **change})
    assert found.input == {**CEDAR, **cedar}
    assert found.inexact == ()


DEFAULTING = type_input(
    schema(
        i={"type": "integer", "default": 500},
        n={"type": ["number", "null"], "default": 1.5},
        s={"type": "string", "default": None},
        o={"allOf": [schema(b={"type": "boolean"}), schema(b={"type": "boolean", "default": False})]},
        w={"type": "integer", "default": "many"},
    )
).record


@pytest.mark.parametrize(
    ("given_", "cedar"),
    [
        ({}, {"i": 500, "n": Decimal(1_5000)}),
        ({"i": 1, "n": None, "s": "x", "o": {}}, {"i": 1, "s": "x", "o": {"b": False}}),
    ],
)
def test_what_is_left_out_is_what_its_schema_says_it_then_is(given_: Mapping[str, Json], cedar: Json) -> None:
    found = convert(DEFAULTING, given_)
    assert found.input == cedar
    assert found.inexact == (("w",),)


def test_a_limit_is_not_passed_by_leaving_out_what_it_limits() -> None:
    pay = tool("shop", "pay", schema(sum={"type": "integer", "default": 500}))
    limit = """@id("f") forbid (principal, action == Remit::Action::"shop___pay", resource)
    when { context.input has sum && context.input.sum > 100 };"""
    made = bundle(catalog(ANYBODY, limit, tools=(pay,)))
    made.shadow.every = 1
    assert isinstance(decided(made, action("shop/pay", {"sum": 100})).verdict, Permit)
    for given_ in ({"sum": 500}, {}):
        assert codes(decided(made, action("shop/pay", given_))) == {"policy"}
    assert made.shadow.difference is None


@pytest.mark.parametrize(
    ("change", "cedar", "inexact"),
    [
        ({"n": 0.00001}, {}, ("n",)),
        ({"n": 1e300}, {}, ("n",)),
        ({"n": 10**15}, {}, ("n",)),
        ({"n": "1"}, {}, ("n",)),
        ({"n": True}, {}, ("n",)),
        ({"i": 1e300}, {"i": 0}, ("i",)),
        ({"i": 2**63}, {"i": 0}, ("i",)),
        ({"i": True}, {"i": 0}, ("i",)),
        ({"s": 5}, {"s": ""}, ("s",)),
        ({"b": 1}, {"b": False}, ("b",)),
        ({"m": 5}, {}, ("m",)),
        ({"n": None}, {}, ("n",)),
        ({"o": {"i": 2, "n": 0.12345}}, {}, ("o", "n")),
        ({"o": {"i": 2, "zz": 1}}, {}, ("o", "zz")),
        ({"o": {}}, {"o": {"i": 0}}, ("o", "i")),
        ({"o": 5}, {"o": {"i": 0}}, ("o",)),
        ({"l": [1, 0.12345]}, {"l": keys([])}, ("l",)),
        ({"l": "abc"}, {"l": keys([])}, ("l",)),
        ({"r": [{"s": "a", "t": 1}]}, {}, ("r",)),
        ({"r": ["a"]}, {}, ("r",)),
        ({"u": "x"}, {}, ("u",)),
        ({"zz": None}, {}, ("zz",)),
    ],
)
def test_what_is_not_exact_is_named_and_never_guessed(
    change: Mapping[str, Json], cedar: Mapping[str, Value], inexact: tuple[str, ...]
) -> None:
    found = convert(RECORD, {**FITTING, **change})
    assert found.inexact == (inexact,)
    assert found.input == {**CEDAR, **cedar}


def test_a_missing_required_value_is_named() -> None:
    found = convert(RecordType({"n": Field(Atom.DECIMAL, True), "s": Field(Atom.STRING, True)}), {"s": "x"})
    assert found.input == {"n": Decimal(0), "s": "x"}
    assert found.inexact == (("n",),)


@pytest.mark.parametrize(
    ("number", "units"),
    [
        (0, 0),
        (-0.0, 0),
        (1e-4, 1),
        (-12.3456, -12_3456),
        (1e14, 10**18),
        (-3e11, -3 * 10**15),
        (500000000000.0625, 5000000000000625),
        (100000000000.00005, None),
        (922337203685477, 922337203685477_0000),
        (922337203685478, None),
        (9.3e14, None),
        (1e-5, None),
        (0.1 + 0.2, None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_decimals_are_exact_or_nothing(number: float, units: int | None) -> None:
    assert decimal_of(number) == (None if units is None else Decimal(units))


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**19), 10**19).map(lambda n: n / 10_000))
def test_a_float_is_the_decimal_that_is_written_for_it(number: float) -> None:
    exact = Exact(repr(number)) * 10_000
    fits = exact == exact.to_integral_value() and abs(exact) < 2**63
    assert decimal_of(number) == (Decimal(int(exact)) if fits else None)


@pytest.mark.parametrize(
    ("read", "lost", "hit"),
    [
        (("a",), ("a",), True),
        (("a",), ("a", "b"), True),
        (("a", "b"), ("a",), True),
        ((), ("a", "b"), True),
        (("a",), (), True),
        (("b",), ("a",), False),
        (("a", "c"), ("a", "b"), False),
    ],
)
def test_reading_above_or_below_is_reading(read: tuple[str, ...], lost: tuple[str, ...], *, hit: bool) -> None:
    assert overlaps([("zz",), read], [lost, ("zzz",)]) == (lost if hit else None)
    assert overlaps([], [lost]) is None


def array_of(part: Json) -> Json:
    return {"type": "array", "items": part}


def several(keyword: str, parts: list[Json]) -> Json:
    return {keyword: parts}


def object_of(parts: dict[str, Json], required: set[str]) -> Json:
    return {"type": "object", "properties": parts, "required": sorted(required & set(parts))}


def compound(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    inside = st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
    choices = st.lists(inner, min_size=1, max_size=2)
    return (
        st.builds(array_of, inner)
        | st.builds(several, st.sampled_from(["allOf", "oneOf", "anyOf"]), choices)
        | st.builds(object_of, inside, st.sets(st.sampled_from("abcd")))
    )


leaves: st.SearchStrategy[Json] = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": ["number", "null"]},
        {"type": ["string", "integer"]},
        {"enum": ["a", 1, None]},
        {"enum": ["a", "b"]},
        {"const": 1.0},
        {"$ref": "#/$defs/named"},
        {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        {},
        True,
    ]
)
schemas = st.recursive(leaves, compound, max_leaves=6)
instances = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, 1.0, -7, 0.5, 0.123456, 1e300, 1e15, 2**53 - 1, "", "a", "__entity"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcde"), inner, max_size=4),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from("abcd"), schemas, max_size=3),
    st.sets(st.sampled_from("abcd")),
    st.lists(st.dictionaries(st.sampled_from("abcde"), instances, max_size=4), min_size=3, max_size=12),
)
def test_whatever_the_schema_lets_pass_cedar_can_judge(
    properties: dict[str, Json], required: set[str], arguments: list[dict[str, Json]]
) -> None:
    part: dict[str, Json] = {
        "$defs": {"named": {"type": "number"}},
        "type": "object",
        "properties": properties,
        "required": sorted(required & set(properties)),
    }
    running = bundle(catalog(ANYBODY, tools=[tool("shop", "any", part)]))
    validator = jsonschema_rs.validator_for(cast("dict[str, object]", part))
    for given_arguments in arguments:
        decision = decided(running, action("shop/any", given_arguments))
        if validator.is_valid(given_arguments):
            assert decision.verdict == Permit(), (decision.reasons, given_arguments)
        else:
            assert codes(decision) == {"arg/invalid"}


@given(schemas, instances)
def test_every_value_converts_to_something_of_its_type(part: Json, value: Json) -> None:
    """Also values that no validator let through: a dialect may ignore what we read."""
    found = type_input({"$defs": {"named": {"type": "number"}}, "properties": {"x": part}, "required": ["x"]})
    converted = convert(found.record, {"x": value})
    checked = compile_validator(
        {"type": "object", "properties": {n: _json_schema(f) for n, f in found.record.fields.items()}}
    )
    assert checked.problem({name: _plain(part) for name, part in converted.input.items()}) is None


NAMES = st.sampled_from(["s", "i", "o", "n", "m", "l", "u", "zz"])
PATHS = st.frozensets(st.one_of(st.just(()), st.tuples(NAMES), st.tuples(st.just("o"), st.sampled_from(["i", "n"]))))
GIVEN = st.dictionaries(
    NAMES, st.sampled_from([None, "x", 1, 2.5, 1e300, True, {"i": 1, "n": 0.00001}, [1], [0.00001]])
)


@given(PATHS, GIVEN)
def test_as_much_is_converted_as_is_read(reads: frozenset[tuple[str, ...]], given: dict[str, Json]) -> None:
    """Whoever reads nothing else sees the same values, and is stopped by the same inexact ones."""
    whole, found = convert(RECORD, given), converter(RECORD, reads)(given)
    assert overlaps(reads, found.inexact) == overlaps(reads, whole.inexact)
    names = {path[0] for path in reads if path}
    seen = whole.input if () in reads else {name: part for name, part in whole.input.items() if name in names}
    assert found.input == seen


def _plain(value: Value) -> Json:
    def of(told: Json) -> Json:
        match told:
            case {"__extn": {"arg": text}}:
                return text
            case Mapping():
                return {name: of(part) for name, part in told.items()}
            case list():
                return [of(part) for part in told]
            case _:
                return told

    return of(cedar_json(value))


def _json_schema(declared: Field) -> Json:
    def of(kind: Mapping[str, Json]) -> Json:
        match kind:
            case {"type": "Set", "element": Mapping() as element}:
                return {"type": "array", "items": of(element)}
            case {"type": "Record", "attributes": Mapping() as attributes}:
                parts = {name: of(cast("Mapping[str, Json]", part)) for name, part in attributes.items()}
                needed = [name for name, part in attributes.items() if cast("Mapping[str, Json]", part)["required"]]
                return {"type": "object", "properties": parts, "required": needed, "additionalProperties": False}
            case {"type": "Long"}:
                return {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
            case {"type": "Extension"}:
                return {"type": "string", "pattern": r"^-?\d{1,15}\.\d{1,4}$"}
            case _:
                return {"type": str(kind["type"]).lower()}

    return of(cedar_type(declared.type))

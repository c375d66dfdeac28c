"""Generated code against cedarpy, expression by expression; what has no such code says so; and that it is safe."""

import ast
import builtins
import json
import re

import pytest

from proof.cedar import Policies
from remit.facts.canonical import Json
from remit.facts.durations import DAY_MS
from remit.policy.compiled.extensions import (
    Datetime,
    Decimal,
    Duration,
    EvaluationFault,
    Ip,
    ip,
)
from remit.policy.compiled.function import function_of
from remit.policy.compiled.generate import generate
from remit.policy.compiled.literals import value_of
from remit.policy.compiled.values import cedar_json, key
from remit.policy.compiled.writer import Unsupported
from tests.core.expressions import EXPRESSIONS


def extension(function: str, *given: Json) -> Json:
    return (
        {"__extn": {"fn": function, "arg": given[0]}}
        if len(given) == 1
        else {"__extn": {"fn": function, "args": given}}
    )


def entity(kind: str, name: str) -> Json:
    return {"__entity": {"type": kind, "id": name}}


CONTEXT: dict[str, Json] = {
    "n": 7,
    "s": "a*b",
    "b": True,
    "l": [1, 2],
    "mixed": [1, True, "1", {"a": 1}, [1]],
    "d": extension("decimal", "1.5"),
    "i": extension("ip", "10.0.0.1"),
    "t": extension("datetime", "2026-01-31T10:00:00Z"),
    "u": extension("duration", "-90s"),
    "e": entity("U", "ann"),
    "g": [entity("G", "g"), entity("G", "h")],
    "r": {"x": 1, "y": {"z": "q"}, "__proto__": 2},
}
ENTITIES: list[Json] = [
    {
        "uid": {"type": "U", "id": "ann"},
        "attrs": {"age": 40, "boss": entity("U", "bob"), "r": {"x": 1}},
        "parents": [{"type": "G", "id": "g"}],
        "tags": {"t": 1, "u": "x"},
    },
    {"uid": {"type": "G", "id": "g"}, "attrs": {}, "parents": [{"type": "G", "id": "top"}]},
    {"uid": {"type": "Action", "id": "v"}, "attrs": {}, "parents": [{"type": "Action", "id": "all"}]},
]
REQUEST: dict[str, Json] = {
    "principal": {"type": "U", "id": "ann"},
    "action": {"type": "Action", "id": "v"},
    "resource": {"type": "D", "id": "d"},
    "context": CONTEXT,
}


def test_what_many_policies_test_is_tested_once_and_is_a_fault_of_each() -> None:
    said = [
        f"permit (principal, action, resource) when {{ {text} }};"
        for text in (
            "context.absent == 1 && context.n > 0",
            "context.n > 0 && context.absent == 1",
            "true || context.absent == 1",
            "context.n > 0 && context.s.contains(1)",
            "context.n < 0 && context.s.contains(1)",
        )
    ]
    made = Policies("\n".join(said), "[]")
    text = generate(list(made.forms.values())).text
    assert [text.count(f" {operator} k") for operator in (">", "<", "==")] == [1, 1, 1], text
    asked = {**REQUEST, "context": {"n": 5, "s": "no set"}}
    ours = made.by_code(asked)
    assert ours == made.by_cedar(asked)
    assert ours is not None
    assert (ours.reason, ours.errors) == ({"policy2"}, {"policy0", "policy1", "policy3"})


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_means_what_it_means_to_cedarpy(text: str) -> None:
    """Alone, negated, in a forbid, and in a scope: satisfied, not satisfied, or an error of its own."""
    scope = 'principal is U in G::"g", action in [Action::"all"], resource == D::"d"'
    said = [
        f"permit (principal, action, resource) when {{ {text} }};",
        f"permit (principal, action, resource) unless {{ {text} }};",
        f"permit ({scope}) when {{ 1 == 1 }} when {{ {text} }};",
        f'permit (principal == U::"bob", action, resource) when {{ {text} }};',
        "permit (principal, action, resource);",
    ]
    made = Policies("\n".join(said), json.dumps(ENTITIES))
    ours = made.by_code(REQUEST)
    assert not isinstance(made.generated, str), made.generated
    assert ours == made.by_cedar(REQUEST)
    assert ours is not None
    assert "policy4" in ours.reason, "an error in one policy hides no other"
    forbid = Policies(f"{said[4]} forbid (principal, action, resource) when {{ {text} }};", json.dumps(ENTITIES))
    assert forbid.by_code(REQUEST) == forbid.by_cedar(REQUEST)


HOSTILE = [
    *(
        '"); import os #',
        "'''",
        '"""',
        "\\",
        "\\u{0}",
        "{}",
        "{0}",
        "%s",
        "ARGUMENTS",
        "k0",
        "fault",
        "__builtins__",
        "\\n    raise",
    ),
    *("satisfied.append(0)", "\\u{2028}", "\\u{1F600}", "c0", "principal_in"),
]


@pytest.mark.parametrize("common", [1, 2])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_of_a_policy_reaches_the_source(name: str, common: int) -> None:
    quoted = (
        name.replace('"', '\\"') if "\\u" in name or "\\n" in name else name.replace("\\", "\\\\").replace('"', '\\"')
    )
    text = (
        f'permit (principal, action, resource == D::"{quoted}") when '
        f'{{ context["{quoted}"] == "{quoted}" && {{"{quoted}": 1}}["{quoted}"] == 1 && principal in G::"{quoted}" '
        f'&& "{quoted}" like "{quoted}*x" && principal.hasTag("{quoted}") && decimal("{quoted}") == context.d }};'
    )
    made = Policies(text, "[]")
    source = generate(list(made.forms.values()), common=common)
    assert re.fullmatch(r"[\x20-\x7e\n]*", source.text)
    words = {node.id for node in ast.walk(ast.parse(source.text)) if isinstance(node, ast.Name)}
    strange = {word for word in words if not re.fullmatch(r"[kctfs]\d+|[a-zA-Z_]+", word)}
    assert strange == set()
    assert not any(
        isinstance(node, ast.Constant) and isinstance(node.value, str) for node in ast.walk(ast.parse(source.text))
    )
    assert not words & (set(dir(builtins)) - {"int", "str", "bool", "tuple", "frozenset", "dict"})
    (own,) = json.loads(json.dumps([json.loads(f'"{re.sub(r"u{([0-9A-F]+)}", _escape, quoted)}"')]))
    asked = {**REQUEST, "resource": {"type": "D", "id": own}, "context": {own: own, "d": extension("decimal", "1.0")}}
    assert made.by_code(asked) == made.by_cedar(asked)
    asked["context"] = {}
    assert made.by_code(asked) == made.by_cedar(asked)


def _escape(found: re.Match[str]) -> str:
    return json.dumps(chr(int(found[1], 16)))[2:-1]


def nested(count: int) -> str:
    """Choices inside each other, which nothing flattens."""
    text = "context.b"
    for _ in range(count):
        text = f"(if {text} then true else context.zz)"
    return text


def test_deep_conditions_become_functions_of_their_own() -> None:
    text = f'permit (principal, action, resource) when {{ {nested(90)} && principal in G::"g" }};'
    made = Policies(text, json.dumps(ENTITIES))
    source = generate(list(made.forms.values()))
    assert "def f2(" in source.text
    assert made.by_code(REQUEST) == made.by_cedar(REQUEST)
    assert made.by_code(REQUEST) is not None


def test_is_in_something_deep_knows_what_is_looked_at() -> None:
    within = 'G::"g"'
    for depth in range(30):
        text = f"permit (principal, action, resource) when {{ context.e is U in {within} }};"
        made = Policies(text, json.dumps(ENTITIES))
        assert made.by_code(REQUEST) == made.by_cedar(REQUEST), depth
        within = f'(if context.b then {within} else G::"x")'


STRANGE: list[Json] = [
    {"Value": None},
    {"Var": "who"},
    {"Slot": "?principal"},
    {"&&": {}, "||": {}},
    "x",
    {"like": {"left": {"Value": "a"}, "pattern": [1]}},
]


def test_what_has_no_generated_form_says_so() -> None:
    for text in ('unknown("x") == 1', 'ip("1.1.1.1", "b") == context.i', "decimal() == context.d"):
        made = Policies(f"permit (principal, action, resource) when {{ {text} }};", "[]")
        assert isinstance(made.generated, str)
        assert made.by_code(REQUEST) is None
    scope: dict[str, Json] = {part: {"op": "All"} for part in ("principal", "action", "resource")}
    for node in STRANGE:
        policy: dict[str, Json] = {**scope, "effect": "permit", "conditions": [{"kind": "when", "body": node}]}
        assert isinstance(function_of([policy]), str)
        with pytest.raises(Unsupported):
            generate([policy])


def test_too_deep_for_python_says_so() -> None:
    body: Json = {"Value": True}
    for _ in range(5_000):
        body = {"!": {"arg": body}}
    scope: dict[str, Json] = {part: {"op": "All"} for part in ("principal", "action", "resource")}
    assert "nested" in str(function_of([{**scope, "effect": "permit", "conditions": [{"kind": "when", "body": body}]}]))


@pytest.mark.parametrize(
    "value",
    [
        *(
            True,
            1,
            "x",
            ("U", "ann"),
            Decimal(-1),
            Decimal(-12_3400),
            Duration(-5),
            Datetime(-1),
            Datetime(400 * 366 * DAY_MS),
        ),
        *(
            ip("10.0.0.0/8"),
            ip("::1"),
            {"a": True, "b": {"c": Decimal(5)}},
            frozenset({1, key(True), key({"a": 1}), ("U", "x")}),
        ),
        frozenset({frozenset({key(False)})}),
    ],
)
def test_a_value_is_written_and_read_again(value: object) -> None:
    told = cedar_json(value)  # pyright: ignore[reportArgumentType]
    assert value_of(json.loads(json.dumps(told))) == value
    assert key(value_of(told)) == key(value)  # pyright: ignore[reportArgumentType]
    made = Policies("permit (principal, action, resource) when { context.one == context.two };", "[]")
    context: dict[str, Json] = {"one": told, "two": told}
    assert made.by_cedar({**REQUEST, "context": context}).decision == "allow"


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(ValueError, match="neither"):
        value_of([None])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("decimal", "0" * 5_000 + "1.0"), ("duration", "0" * 5_000 + "1ms")),
        *(
            ("decimal", "9" * 5_000 + ".0"),
            ("duration", "9" * 5_000 + "d"),
            ("ip", "1" * 44),
            ("datetime", "2026-01-31T10:00:00+9900"),
        ),
    ],
)
def test_long_texts_are_read_or_refused_as_by_cedarpy(name: str, text: str) -> None:
    said = Policies(f'permit (principal, action, resource) when {{ {name}("{text}") == {name}("{text}") }};', "[]")
    assert said.by_code(REQUEST) == said.by_cedar(REQUEST)


def test_extension_types_of_equal_numbers_differ() -> None:
    assert len({Decimal(1), Duration(1), Datetime(1)}) == 3
    assert ip("10.0.0.1") == Ip(ip("10.0.0.1/8").address, 32) != ip("10.0.0.1/8")
    with pytest.raises(EvaluationFault, match="no address"):
        ip("10.0.0.1/")

"""What an output schema says that a tool may return at a path, and what the linter doubts for it."""

from dataclasses import replace

import pytest

from remit.facts.canonical import Json
from remit.facts.results import steps
from remit.policy.compile import compile_bundle
from remit.policy.outputs import may_have
from tests.core.deciding import catalog, schema, tool, warnings

TEXT: Json = {"type": "string"}
CUSTOMER = schema(name=TEXT, phone={"anyOf": [TEXT, {"type": "null"}]})
ORDER = {**schema(customer={"$ref": "#/$defs/C"}, lines={"type": "array", "items": CUSTOMER}), "$defs": {"C": CUSTOMER}}
WIDE = schema(
    free={}, bag={"type": "object"}, more={"type": "object", "additionalProperties": CUSTOMER}, odd={"type": 7},
    shut={"type": "object", "additionalProperties": False}, pair={"type": "array", "prefixItems": [TEXT]},
    like={"type": "object", "patternProperties": {"x": TEXT}}, both={"allOf": [CUSTOMER]}, never=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("output", "path", "there"),
    [
        (ORDER, "$.customer.phone", True),
        (ORDER, "$.customer.fone", False),
        (ORDER, "$.customer.phone.x", False),
        (ORDER, "$.*.name", True),
        (ORDER, "$.lines[*].name", True),
        (ORDER, "$.lines[0].nam", False),
        (ORDER, "$.lines.name", False),
        (ORDER, "$[0]", False),
        (WIDE, "$.free.x.y", True),
        (WIDE, "$.bag.x", True),
        (WIDE, "$.more.x.name", True),
        (WIDE, "$.more.x.nam", False),
        (WIDE, "$.odd.x", True),
        (WIDE, "$.shut.x", False),
        (WIDE, "$.pair[1].x", True),
        (WIDE, "$.like.x", True),
        (WIDE, "$.both.phone", True),
        (WIDE, "$.both.fone", False),
        (WIDE, "$.never", False),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}}, "$.b", True),
    ],
)
def test_what_may_be_there(output: dict[str, Json], path: str, there: bool) -> None:
    found = steps(path)
    assert found is not None
    assert may_have(output, found) is there


def returning(output: dict[str, Json] | None, policy: str) -> list[str]:
    look = tool("shop", "describe")
    definition = replace(look.definition, output_schema=output)
    made = catalog(policy, tools=(replace(look, definition=definition, pin=definition.pin()),))
    return [problem.text for problem in warnings(made) if problem.policy_id == "a"]


POLICY = """@id("a") @obligation("redact:$.customer.fone")
permit (principal, action == Remit::Action::"shop___describe", resource);"""
IDLE = "by its output schema shop___describe returns nothing at this path, so that nothing is covered"


def test_a_path_at_which_nothing_is_returned_is_a_warning() -> None:
    assert returning(ORDER, POLICY) == [IDLE]
    assert returning(ORDER, POLICY.replace("fone", "phone")) == []
    assert returning(ORDER, POLICY.replace("redact:$.customer.fone", "redact:pii")) == []
    assert returning(None, POLICY) == []
    # Of another tool in its scope nothing is known.
    assert (
        returning(ORDER, POLICY.replace('== Remit::Action::"shop___describe"', 'in Remit::Action::"server:shop"')) == []
    )


def test_what_was_plain_is_looked_at_again_once_the_tool_returns_something_else() -> None:
    look = tool("shop", "describe")
    definition = replace(look.definition, output_schema=ORDER)
    other = replace(definition, output_schema=schema(customer=schema(fone=TEXT)))
    made, before = (
        catalog(POLICY, tools=(replace(look, definition=one, pin=one.pin()),)) for one in (definition, other)
    )
    memory = compile_bundle(before).memory
    assert IDLE in [problem.text for problem in compile_bundle(made, memory=memory).warnings]

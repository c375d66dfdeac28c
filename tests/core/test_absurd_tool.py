"""One absurd tool among 200: it alone is quarantined, whatever is absurd about it."""

import pytest

from remit.facts.canonical import Json
from remit.facts.tool import Effect
from remit.policy.verdict import Deny, Permit
from tests.core.deciding import action, bundle, catalog, codes, decided, problems, schema, tool

PERMIT = '@id("p") permit (principal, action in Remit::Action::"call_tool", resource);'
READS = (
    '@id("r") forbid (principal, action in Remit::Action::"call_tool", resource) '
    'when { context has input.to && context.input.to == "y" };'
)


def wide(levels: int) -> dict[str, Json]:
    """Doubles at each level behind a keyword that types nothing: 2^levels checks of one value."""
    defs: dict[str, Json] = {
        f"d{n}": {"not": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}}
        for n in range(levels)
    }
    return {"type": "object", "$defs": {**defs, f"d{levels}": {"type": "string"}}, "if": {"$ref": "#/$defs/d0"}}


def deep(levels: int) -> dict[str, Json]:
    part: dict[str, Json] = {"type": "string"}
    for _ in range(levels):
        part = {"type": "object", "properties": {"a": part}}
    return part


ABSURD: dict[str, dict[str, Json]] = {
    "recursive": {"properties": {"a": {"$ref": "#"}}},
    "recursive out of sight": {"additionalProperties": {"$ref": "#"}},
    "exponential": wide(40),
    "remote": {"properties": {"a": {"$ref": "https://example.org/schema.json"}}},
    "deep": deep(60),
    "wide": schema(**{f"p{n}": {"type": "string"} for n in range(5_000)}),
    "huge": {"description": "x" * 300_000},
    "no schema": {"type": "objet"},
    "not even one": {"properties": 3},
    "a bad pattern": {"properties": {"a": {"pattern": "("}}},
}


@pytest.mark.parametrize("kind", list(ABSURD))
def test_one_absurd_tool_costs_only_itself(kind: str) -> None:
    plain = [tool("shop", f"t{n}", effect=Effect.WRITE) for n in range(199)]
    running = bundle(catalog(PERMIT, READS, tools=[*plain, tool("shop", "absurd", ABSURD[kind])]))
    assert list(running.quarantined) == [("shop", "absurd")]
    denied = decided(running, action("shop/absurd", {}))
    assert (denied.verdict, codes(denied)) == (Deny(), {"tool/untypable"})
    for n in (0, 99, 198):
        assert decided(running, action(f"shop/t{n}")).verdict == Permit()
        assert decided(running, action(f"shop/t{n}", {"order_id": "1", "to": "y"})).verdict == Deny()


def test_all_199_others_work() -> None:
    plain = [tool("shop", f"t{n}") for n in range(199)]
    running = bundle(catalog(PERMIT, tools=[*plain, tool("shop", "absurd", ABSURD["recursive"])]))
    verdicts = [decided(running, action(f"shop/t{n}")).verdict for n in range(199)]
    assert verdicts == [Permit()] * 199


def test_a_policy_that_reads_its_input_is_refused_with_that_reason() -> None:
    text = (
        '@id("a") forbid (principal, action == Remit::Action::"shop___absurd", resource)\n'
        'when { context.input.x == "1" };'
    )
    (problem,) = problems(catalog(text, tools=[tool("shop", "absurd", ABSURD["recursive"])]))
    assert problem.line == 2
    assert problem.text.startswith("tool/untypable: shop___absurd has no input")
    assert "recursive" in problem.text


def test_its_action_stays_so_that_policies_may_name_it() -> None:
    text = (
        '@id("a") forbid (principal, action == Remit::Action::"shop___absurd", resource) '
        "when { context.inputSize > 3 };"
    )
    assert "a" in bundle(catalog(text, tools=[tool("shop", "absurd", ABSURD["recursive"])])).policies

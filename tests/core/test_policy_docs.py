"""`docs/reference/policies.md` names what the schema has, all of it; its policies compile and decide."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from remit.facts.action import ActionKind
from remit.facts.budget import Budget, Measure, Per
from remit.facts.canonical import Json
from remit.facts.impact import Extractor, ImpactMeasure
from remit.facts.tool import Effect, Sink
from remit.policy.compile import compile_bundle
from remit.policy.input_types import type_input
from remit.policy.lint import ANNOTATIONS
from remit.policy.schema import NAMESPACE, OTHER_ACTIONS, action_groups, cedar_schema
from remit.policy.verdict import word
from tests.core.deciding import action, bundle, catalog, decided, schema, tool

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "policies.md").read_text("utf-8")
POLICIES: Final = re.findall(r"^```cedar\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first heading is `heading`."""
    table = re.search(rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None, heading
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table[1].splitlines()]


def names(heading: str) -> list[str]:
    return [row[0].strip("`") for row in rows(heading)]


def written(kind: Mapping[str, Any]) -> str:
    """A type of the JSON schema form as the page writes it."""
    match kind:
        case {"type": "Set", "element": element}:
            told = f"`Set<{written(element).strip('`')}>`"
        case {"type": "Entity" | "Extension", "name": name}:
            told = f"`{name}`"
        case {"type": "Record"}:
            told = "record"
        case {"type": name}:
            told = f"`{name}`"
        case _:
            raise AssertionError(kind)
    return told + ("" if kind.get("required", True) else ", optional")


def leaves(attributes: Mapping[str, Any], common: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, kind in attributes.items():
        here = f"{path}.{name}"
        if kind["type"] in common:
            yield from leaves(common[kind["type"]]["attributes"], common, here)
        elif name == "budget":
            yield from leaves(kind["attributes"], common, here)
        else:
            yield here, written(kind)


@pytest.fixture(scope="module")
def spelt() -> Any:
    """The schema of a catalog with one tool and one budget."""
    one = tool("shop", "look", schema(x={"type": "string"}))
    made = replace(catalog(tools=[one]), budgets={"NAME": Budget("NAME", Measure.CALLS, Per.FLEET, None, 1, 60)})
    return cedar_schema(made, {one.exposed: (one, type_input(one.definition.input_schema).record)}, ())[NAMESPACE]


def test_every_attribute_of_the_context_is_there_with_its_type(spelt: Any) -> None:
    context = spelt["actions"]["shop___look"]["appliesTo"]["context"]["attributes"]
    found = dict(leaves(context, spelt["commonTypes"], "context"))
    assert {row[0].strip("`"): row[1] for row in rows("attribute")} == found
    assert all(row[2] for row in rows("attribute"))


def test_every_group_of_actions_is_there() -> None:
    found = {
        group
        for effect in Effect
        for sink in Sink
        for group in action_groups(
            tool("SERVER", "x", effect=effect, sink=sink, source=["LABEL"], tags=["TAG"]),
        )
    }
    assert sorted(names("group")) == sorted(found)


def test_the_other_actions_and_their_resources_are_there() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in rows("other action")}
    assert told == dict(OTHER_ACTIONS)
    asked = {row[0].strip("`") for row in rows("other action") if row[2] != "in later versions"}
    assert asked == set(OTHER_ACTIONS)


def test_every_entity_type_is_there_with_its_parents(spelt: Any) -> None:
    told = {row[0].strip("`"): row[2].strip("`") for row in rows("type")}
    assert told == {name: "".join(kind.get("memberOfTypes", ())) for name, kind in spelt["entityTypes"].items()}


def test_every_annotation_is_there() -> None:
    assert {name.removeprefix("@").partition("(")[0] for name in names("annotation")} == set(ANNOTATIONS)


@pytest.mark.parametrize(("shape", "told"), [(row[0].strip("`"), row[1]) for row in rows("JSON Schema")])
def test_arguments_are_typed_as_the_page_says(shape: str, told: str) -> None:
    one: Json = json.loads(shape)
    made = tool("shop", "look", schema(("x",), x=one))
    typed = type_input(made.definition.input_schema).record
    whole: Any = cedar_schema(catalog(), {made.exposed: (made, typed)}, ())
    found = whole[NAMESPACE]["actions"][made.exposed]["appliesTo"]["context"]["attributes"]["input"]["attributes"]
    assert (written(found["x"]) if "x" in found else "left out") == told


def test_the_policies_compile_without_a_warning_about_themselves() -> None:
    assert len(POLICIES) == 4
    compiled = compile_bundle(catalog(*POLICIES))
    assert [str(problem) for problem in compiled.warnings if problem.file != "remit.lock"] == []
    bundle(catalog(*POLICIES))


def test_a_large_amount_waits_where_the_tool_says_what_its_amount_is() -> None:
    known = catalog(PERMITTED, POLICIES[THRESHOLDS])
    arguments = schema(order_id={"type": "string"}, sum={"type": "number"})
    measured = replace(tool("shop", "refund", arguments), impact={"amount": Extractor("$.sum", ImpactMeasure.NUMBER)})
    running = bundle(replace(known, tools={**known.tools, ("shop", "refund"): measured}))
    for amount, said in ((100, "permit"), (100.5, "escalate"), (-101, "escalate"), (0.00001, "deny")):
        assert word(decided(running, action("shop/refund", {"sum": amount})).verdict) == said
    assert word(decided(running, action("shop/refund", {})).verdict) == "permit"


THRESHOLDS: Final = next(at for at, text in enumerate(POLICIES) if "context.impact" in text)
PERMITTED: Final = '@id("all") permit (principal, action, resource);'


def test_the_policies_decide_as_the_page_says() -> None:
    running = bundle(catalog(*POLICIES))

    def verdict(name: str, arguments: dict[str, Json], **more: Any) -> str:
        labels = more.pop("labels", ())
        return word(decided(running, action(name, arguments, **more), labels=labels).verdict)

    order: dict[str, Json] = {"order_id": "1", "to": "x"}
    assert verdict("shop/refund", {**order, "amount": 99.5}) == "permit"
    assert verdict("shop/refund", {**order, "amount": 100.5}) == "escalate"
    assert verdict("shop/refund", order) == "escalate"
    assert verdict("shop/refund", {**order, "amount": 0.00001}) == "deny"
    assert verdict("shop/refund", {**order, "amount": 1}, chain=("bot", "ada")) == "deny"
    assert verdict("web/fetch", {"url": "http://a"}) == "permit"
    assert verdict("web/fetch", {"url": "http://a"}, labels=["untrusted:web"]) == "deny"
    assert verdict("eve", {}, chain=("bot",), kind=ActionKind.DELEGATE) == "permit"
    assert verdict("eve", {}, chain=("bot",), user=None, kind=ActionKind.DELEGATE) == "deny"
    assert verdict("ada", {}, chain=("bot",), kind=ActionKind.DELEGATE) == "deny"

"""Impact and novelty as facts: what policies read of them, what is denied, and that nothing else pays for it."""

from dataclasses import replace
from unittest import mock

import pytest

from remit.facts.action import Action, ActionKind
from remit.facts.canonical import Json
from remit.facts.impact import Extractor, ImpactMeasure
from remit.facts.novelty import Novelty, UsageHistory
from remit.facts.origin import Role
from remit.facts.tool import Argument, Effect, Sink
from remit.pdp import decide as deciding
from remit.pdp.decide import decide
from remit.policy.bundle import Bundle
from remit.policy.verdict import word
from remit.protect.index import UNTRUSTED, Index
from remit.protect.token_places import TokenGroup
from tests.core.deciding import NOW, action, body, bundle, catalog, codes, decided, schema, snapshot, tool

PERMIT = '@id("all") permit (principal, action, resource);'
ARGS = schema(to={"type": "string"}, sum={"type": "number"}, ids={"type": "array", "items": {"type": "string"}})
PAY = replace(
    tool("shop", "pay", ARGS, effect=Effect.IRREVERSIBLE, sink=Sink.EXTERNAL),
    impact={
        "amount": Extractor("$.sum", ImpactMeasure.NUMBER),
        "records": Extractor("$.ids", ImpactMeasure.VALUES),
        "recipients": Extractor("$.to", ImpactMeasure.PEOPLE),
    },
    arguments={
        "to": Argument(role=Role.TARGET),
        "sum": Argument(role=Role.CONTENT),
        "ids": Argument(role=Role.CONTENT),
    },
)


def gate(condition: str) -> str:
    text = f"forbid (principal, action, resource) when {{ {condition} }};"
    return f'@id("gate") @gate("owner") {text}'


def running(*conditions: str) -> Bundle:
    made = bundle(catalog(PERMIT, *(gate(condition) for condition in conditions), tools=(PAY,)))
    made.shadow.every = 1
    return made


def pay(**given: Json) -> Action:
    return action("shop/pay", given)


@pytest.mark.parametrize(
    ("condition", "given", "said"),
    [
        ('context.impact has amount && context.impact.amount.greaterThan(decimal("10.0"))', {"sum": 10}, "permit"),
        ('context.impact has amount && context.impact.amount.greaterThan(decimal("10.0"))', {"sum": 10.01}, "escalate"),
        ("!(context.impact has amount)", {"to": "x"}, "escalate"),
        ("context.impact has records && context.impact.records > 1", {"ids": ["a", "b"]}, "escalate"),
        ("context.impact has recipients && context.impact.recipients > 1", {"to": "a, b"}, "escalate"),
        ("context.impact has recipients && context.impact.recipients > 1", {"to": "a"}, "permit"),
        ("context.impact.reversible", {}, "permit"),
        ("context.impact.external && !context.impact.reversible", {}, "escalate"),
    ],
)
def test_policies_read_how_much_an_action_moves(condition: str, given: dict[str, Json], said: str) -> None:
    there = running(condition)
    found = decided(there, pay(**given))
    assert word(found.verdict) == said
    assert there.shadow.difference is None
    assert "impact" in body(found).context


def test_an_amount_that_is_left_out_is_what_its_schema_says_it_then_is() -> None:
    usual = replace(PAY.definition, input_schema=schema(to={"type": "string"}, sum={"type": "number", "default": 500}))
    there = bundle(
        catalog(
            PERMIT,
            gate('context.impact has amount && context.impact.amount.greaterThan(decimal("100.0"))'),
            tools=(replace(PAY, definition=usual),),
        )
    )
    assert word(decided(there, pay(sum=100)).verdict) == "permit"
    for given in ({"sum": 500}, {}):
        assert word(decided(there, pay(**given)).verdict) == "escalate"


@pytest.mark.parametrize("condition", ["!(context.impact has amount)", "context.impact == context.impact"])
def test_a_number_that_is_not_exact_denies_where_a_policy_reads_it(condition: str) -> None:
    found = decided(running(condition), pay(sum=0.00001))
    assert codes(found) == {"arg/inexact"}
    assert "amount" in found.reasons[0].text
    assert word(decided(running("context.impact.external"), pay(sum=0.00001)).verdict) == "escalate"
    counted = replace(PAY, impact={"records": Extractor("$.sum", ImpactMeasure.NUMBER)})
    there = bundle(catalog(PERMIT, gate("context.impact has records"), tools=(counted,)))
    assert "records" in decided(there, pay(sum=1.5)).reasons[0].text


def test_an_action_that_calls_no_tool_moves_nothing() -> None:
    there = running("context.impact.reversible && !context.impact.external && !(context.impact has amount)")
    asked = action("/bot", {}, kind=ActionKind.DELEGATE)
    assert word(decided(there, asked).verdict) == "escalate"


def novel(there: Bundle, asked: Action, used: UsageHistory, index: Index | None = None) -> str:
    found = decide(replace(snapshot(there, asked), usage=used, origins=index), asked, NOW)
    assert there.shadow.difference is None
    return word(found.verdict)


def test_a_tool_is_new_to_an_agent_until_it_used_it() -> None:
    there, used = running("context.novelty.tool"), UsageHistory()
    assert novel(there, pay(to="x"), used) == "escalate"
    used.take(("ada",), "call_tool", "shop", "pay", ())
    assert novel(there, pay(to="x"), used) == "permit"
    bot = replace(pay(to="x"), authority=action(chain=("bot",)).authority)
    assert novel(there, bot, used) == "escalate"


def test_targets_of_a_kind_are_new_until_they_were_reached() -> None:
    there, used = running("context.novelty.target"), UsageHistory()
    index = Index(bytes(32))
    index.apply(index.delta("call-1", [TokenGroup(["bob@x.example"], UNTRUSTED)]))
    found = decide(replace(snapshot(there, pay(to="bob@x.example")), origins=index), pay(to="bob@x.example"), NOW)
    assert body(found).context["novelty"] == {"tool": True, "target": True}
    used.take(("ada",), "call_tool", "shop", "pay", ("strange address",))
    assert novel(there, pay(to="eve@y.example"), used, index) == "permit", "a stranger's address was reached before"
    assert novel(there, pay(to="http://y.example/"), used, index) == "escalate"
    assert novel(there, pay(sum=1), used, index) == "permit", "it reaches nothing"


def test_what_is_not_explained_is_of_a_kind_of_its_own() -> None:
    many = replace(tool("shop", "pay", ARGS), arguments={"ids": Argument(role=Role.TARGET)})
    there = bundle(catalog(PERMIT, gate("context.novelty.target"), tools=(many,)))
    used = UsageHistory()
    used.take(("ada",), "call_tool", "shop", "pay", ("strange id",))
    ids: list[Json] = [f"x{number}" for number in range(65)]
    assert novel(there, pay(ids=ids[:64]), used) == "permit"
    assert novel(there, pay(ids=ids), used) == "escalate"


def test_a_number_is_a_target_of_its_kind() -> None:
    numbered = replace(tool("shop", "pay", ARGS), arguments={"sum": Argument(role=Role.TARGET)})
    there = bundle(catalog(PERMIT, gate("context.novelty.target"), tools=(numbered,)))
    used = UsageHistory()
    used.take(("ada",), "call_tool", "shop", "pay", ("strange number",))
    assert novel(there, pay(sum=7), used) == "permit"


def test_what_is_remembered_is_bounded_and_the_rest_stays_new() -> None:
    used = UsageHistory()
    assert used.take(("ada", "bot"), "read_resource", "files", "file:///a", ()) == [
        ("ada", "read_resource", "files", ""),
        ("bot", "read_resource", "files", ""),
    ]
    assert used.take(("ada",), "read_resource", "files", "file:///b", ()) == []
    with mock.patch("remit.facts.novelty.USED_MAX", 2):
        assert used.take(("ada",), "call_tool", "shop", "pay", ("address",)) == []
    assert used.novelty("ada", "call_tool", "shop", "pay", ()) == Novelty(tool=True, target=True)


def test_nothing_is_found_out_that_no_policy_of_the_action_reads() -> None:
    there = running("context.inputSize > 100000")
    with (
        mock.patch.object(deciding, "impact", side_effect=AssertionError),
        mock.patch.object(deciding, "novelty", side_effect=AssertionError),
    ):
        found = decided(there, pay(sum=1))
    assert word(found.verdict) == "permit"
    assert not body(found).context.keys() & {"impact", "novelty"}

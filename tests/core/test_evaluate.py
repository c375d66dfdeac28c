"""One link judged by real Cedar: errors deny, absence is no permission, adding a forbid never permits.

INVARIANT(no-permit-without-policy)
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.canonical import Json
from remit.facts.catalog import PolicySource
from remit.policy.context import Facts
from remit.policy.evaluate import judge, question_of
from remit.policy.form import form_of, kept_json
from remit.policy.input_types import RecordType
from remit.policy.once import Once
from remit.policy.parse import split
from remit.policy.schema import FLOW
from remit.policy.slice import generated_of, looks_at_flow, policy_of, slice_of
from remit.policy.uids import agent_uid
from remit.policy.verdict import Code, Deny, Escalate, Permit, rank
from tests.core.deciding import NOW, action, bundle, codes, decided

ANYBODY = '@id("p") permit (principal, action, resource);'
FITTING: dict[str, Json] = {"order_id": "1", "to": "x"}
OVERFLOW = "context.session.calls + 9223372036854775807 + context.inputSize > 0"


def test_an_erroring_forbid_denies() -> None:
    running = bundle(ANYBODY, f'@id("f") forbid (principal, action, resource) when {{ {OVERFLOW} }};')
    decision = decided(running, action())
    assert decision.verdict == Deny()
    assert codes(decision) == {"policy/error"}
    assert "overflow" in decision.reasons[0].text


def test_an_erroring_gate_or_permit_denies_too() -> None:
    gate = f'@id("f") @gate("owner") forbid (principal, action, resource) when {{ {OVERFLOW} }};'
    permit = f'@id("q") permit (principal, action, resource) when {{ {OVERFLOW} }};'
    for other in (gate, permit):
        assert codes(decided(bundle(ANYBODY, other), action())) == {"policy/error"}


def test_a_request_that_cedar_cannot_judge_denies() -> None:
    running = bundle(ANYBODY)
    untyped = replace(running.destination(running.tools["shop", "refund"]), record=RecordType({}))
    facts = Facts("uma", ("ada",), frozenset(), 0, 0, 0, 2, NOW)
    question = question_of(untyped, facts, {}, running.labels)
    verdict, reasons = judge(running, question, "ada", agent_uid("ada"))
    assert verdict == Deny()
    assert reasons[0].code == "policy/error"


ALL = {"onBehalfOf", "inputSize", "session", "delegation", "system", "input", "impact", "novelty", *FLOW}
LOOKED: list[tuple[str, set[str]]] = [
    ("true", set()),
    ('principal in Remit::Group::"ops"', set()),
    ("context.inputSize > 0", {"inputSize"}),
    ("context has onBehalfOf && context.session.calls > 0", {"onBehalfOf", "session"}),
    ("context has input", {"input"}),
    ('context.input.to == "x"', {"input"}),
]


@pytest.mark.parametrize("condition", ["context == context", '{a: context}.a.input.to == "x"'])
def test_whoever_looks_at_the_whole_context_looks_at_all_of_it(condition: str) -> None:
    """The linter refuses it, since it looks at how sure an agent says it is too."""
    text = f'@id("p") permit (principal, action, resource) when {{ {condition} }};'
    (statement,), _ = split(PolicySource("p.cedar", text))
    policy = policy_of("p", statement, form_of(statement))
    found = slice_of({"p": policy}, Once(lambda: generated_of([policy])))
    assert {*found.looks, "input"} == ALL | {"budget", "past", "sends"}
    assert (found.input, found.flow, found.impact, found.novelty) == (True, True, True, True)
    assert found.measures == {"amount", "records", "recipients"}
    assert found.asks("any monitor")
    assert looks_at_flow([policy])


@pytest.mark.parametrize(("condition", "looked"), LOOKED)
def test_what_no_policy_looks_at_is_not_made(condition: str, looked: set[str]) -> None:
    """And what is made for them decides as the whole does, which cedarpy is shown."""
    only = f'(principal, action == Remit::Action::"shop___refund", resource) when {{ {condition} }};'
    running = bundle(f'@id("p") permit {only}')
    running.shadow.every = 1
    facts = Facts("uma", ("ada",), frozenset({"untrusted"}), 1, 0, 5_000, 25, NOW)
    question = question_of(running.destination(running.tools["shop", "refund"]), facts, FITTING, running.labels)
    assert question.context.keys() == looked
    verdict, _ = judge(running, question, "ada", agent_uid("ada"))
    assert (verdict == Permit()) == (condition != 'principal in Remit::Group::"ops"')
    assert running.shadow.difference is None


def test_a_policy_says_the_same_of_an_agent_each_time_and_keeps_no_more_than_so_many() -> None:
    (policy,) = bundle(ANYBODY).policies.values()
    said = policy.reason("ada")
    assert policy.reason("ada") is said
    assert policy.barring("ada") == replace(said, code=Code.GATE)
    for number in range(2_000):
        assert policy.reason(f"a{number}").agent == f"a{number}"
    assert policy.reason("ada") == said
    assert policy.reason("ada") is not said


def test_no_policy_no_permission() -> None:
    decision = decided(bundle(""), action())
    assert codes(decision) == {"policy/none"}
    assert decision.reasons[0].text == "no policy permits ada to call shop/refund"


INEXACT: list[Json] = [0.00001, 1e300, 1e15]
ABSENT = [
    "!(context.input has amount)",
    "!(context has input.amount)",
    "context has input && !(context.input has amount)",
    '(if context.input has amount then "a" else "b") == "b"',
    "!({x: context.input}.x has amount)",
    "{x: context.input} == {x: context.input}",
    "[context.input].contains(context.input)",
]


@pytest.mark.parametrize("condition", ABSENT)
@pytest.mark.parametrize("amount", INEXACT)
def test_what_was_left_out_is_not_absent(condition: str, amount: Json) -> None:
    """The dangerous absence: a permit for what could not be typed."""
    text = f'@id("p") permit (principal, action == Remit::Action::"shop___refund", resource) when {{ {condition} }};'
    running = bundle(text)
    given_arguments: dict[str, Json] = {"order_id": "1", "to": "x", "amount": amount}
    assert codes(decided(running, action(arguments=given_arguments))) == {"arg/inexact"}
    absent = decided(running, action(arguments={"order_id": "1", "to": "x"}))
    assert absent.verdict == Permit()


@pytest.mark.parametrize(
    ("condition", "lost", "read"),
    [
        ("context.input has address", {"address": {"zip": 0.123456}}, True),
        ("context.input has address.zip", {"address": {"zip": 0.123456}}, True),
        ("context.input has address.city", {"address": {"zip": 0.123456}}, True),
        ("context.input has count", {"address": {"zip": 0.123456}}, False),
        ('context.input.to == "x"', {"amount": 0.123456}, False),
        ("context has input", {"amount": 0.123456}, False),
        ("context.inputSize > 0", {"amount": 0.123456}, False),
        ("context.input has count && context.input.count > 1", {"count": 1e300}, True),
        ("context.input has amount", {"undeclared": 5}, False),
        ("context.input == context.input", {"undeclared": 5}, True),
        ("context.input == context.input", {"free": "x"}, True),
    ],
)
def test_what_is_not_exact_denies_exactly_where_it_is_read(
    condition: str, lost: dict[str, Json], *, read: bool
) -> None:
    forbid = (
        f'@id("f") forbid (principal, action == Remit::Action::"shop___refund", resource) when {{ !({condition}) }};'
    )
    decision = decided(bundle(ANYBODY, forbid), action(arguments={"order_id": "1", "to": "x", **lost}))
    assert (codes(decision) == {"arg/inexact"}) is read
    other = ANYBODY, '@id("f") forbid (principal, action == Remit::Action::"shop___look", resource);'
    assert "arg/inexact" not in codes(decided(bundle(*other), action(arguments={"order_id": "1", "to": "x", **lost})))


def test_an_undeclared_argument_is_not_an_absent_one() -> None:
    """Where a policy over many tools asks for a name that this tool does not declare."""
    text = (
        '@id("p") permit (principal, action in Remit::Action::"call_tool", resource) '
        "when { !(context has input.amount) };"
    )
    running = bundle(text)
    assert decided(running, action("shop/look", {})).verdict == Permit()
    assert codes(decided(running, action("shop/look", {"amount": 5}))) == {"arg/inexact"}


def test_a_null_that_the_schema_does_not_take_is_invalid() -> None:
    text = (
        '@id("p") permit (principal, action == Remit::Action::"shop___refund", resource) '
        "when { !(context.input has amount) };"
    )
    invalid = decided(bundle(text), action(arguments={"order_id": "1", "to": "x", "amount": None}))
    assert codes(invalid) == {"arg/invalid"}


conditions = st.sampled_from(
    [
        "true",
        "context.session.calls < 5",
        'context.session.labels.contains(Remit::Label::"untrusted")',
        'principal in Remit::Group::"ops"',
        'context.input has amount && context.input.amount.greaterThan(decimal("10.0"))',
        'context has onBehalfOf && context.onBehalfOf in Remit::Group::"ops"',
        OVERFLOW,
    ]
)
principals = st.sampled_from(
    [
        "principal",
        'principal in Remit::Group::"support"',
        'principal == Remit::Agent::"bot"',
        "principal is Remit::Agent",
    ]
)
actions = st.sampled_from(['action == Remit::Action::"shop___refund"', 'action in [Remit::Action::"tag:money"]'])


def policy(kind: str, who: str, what: str, how: str) -> str:
    return f"{kind} ({who}, {what}, resource) when {{ {how} }};"


bodies = st.builds(
    policy,
    st.sampled_from(["permit", "forbid", '@gate("owner") forbid', '@gate("finance") forbid']),
    principals,
    actions,
    conditions,
)


@given(
    st.lists(bodies, max_size=4),
    st.tuples(principals, actions, conditions),
    st.sampled_from(["ada", "bot", "eve"]),
    st.sampled_from([None, 5, 50]),
    st.booleans(),
)
def test_adding_a_forbid_never_makes_a_verdict_milder(
    texts: list[str], forbid: tuple[str, str, str], agent: str, amount: Json, tainted: bool
) -> None:
    policies = [f'@id("p{n}") {text}' for n, text in enumerate(texts)]
    added = f'@id("added") forbid ({forbid[0]}, {forbid[1]}, resource) when {{ {forbid[2]} }};'
    arguments: dict[str, Json] = {"order_id": "1", "to": "x"}
    if amount is not None:
        arguments["amount"] = amount
    asked = action(arguments=arguments, chain=(agent,))
    labels = ["untrusted"] if tainted else []
    before = decided(bundle(*(policies or [""])), asked, labels=labels)
    after = decided(bundle(*policies, added), asked, labels=labels)
    assert rank(after.verdict) >= rank(before.verdict)
    if isinstance(before.verdict, Escalate):
        assert not isinstance(after.verdict, Permit)


def test_a_policy_of_many_slices_is_read_once_for_all_of_them() -> None:
    kept_json.cache_clear()
    made = bundle("".join(f'@id("p{number}") permit (principal, action, resource);\n' for number in range(7)))
    for name in ("shop___refund", "shop___look", "web___fetch"):
        assert not isinstance(generated_of(made.slice(name, ()).policies.values()), str)
    assert (kept_json.cache_info().misses, kept_json.cache_info().hits) == (7, 14)

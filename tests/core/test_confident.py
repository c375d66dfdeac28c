"""Confidence: what an agent says of itself may only make a verdict stricter."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.facts.confidence import UNSAID, Confidence, least, units_of
from remit.pdp.decide import decide
from remit.policy.confidence import PERMITS, WIDENS
from remit.policy.verdict import rank
from tests.core.deciding import NOW, action, body, bundle, catalog, problems, snapshot

C = "context.session.confidence"
HAS = "context.session has confidence"
LOW = f'{C}.value.lessThan(decimal("0.5"))'
HIGH = f'{C}.value.greaterThan(decimal("0.5"))'
PERMIT = '@id("all") permit (principal, action, resource);'
MAY = [
    f"when {{ {HAS} && {LOW} }}",
    f'when {{ {HAS} && {C} has value && {C}.value.lessThanOrEqual(decimal("0.5")) }}',
    f'when {{ {HAS} && decimal("0.5").greaterThan({C}.value) }}',
    f'when {{ {HAS} && decimal("0.5").greaterThanOrEqual({C}.value) && context.inputSize > 0 }}',
    f"when {{ {HAS} }}",
    f"unless {{ !({HAS} && {LOW}) }}",
    f"when {{ {HAS} && !{HIGH} }}",
    f'when {{ {HAS} && {C}.source == Remit::Source::"agent" && {LOW} }}',
    f'when {{ {HAS} && Remit::Source::"harness" == {C}.source }}',
    f"when {{ if context.inputSize > 0 then {HAS} && {LOW} else {HAS} }}",
    f"when {{ {HAS} && (context.inputSize > 9 || {LOW}) }} unless {{ context.inputSize > 90000 }}",
]
MUST_NOT = [
    f"when {{ {HAS} && {HIGH} }}",
    f"when {{ !({HAS}) }}",
    f"unless {{ {HAS} }}",
    f"unless {{ {HAS} && {HIGH} }}",
    f"unless {{ {HAS} && {LOW} }}",
    f"when {{ {HAS} && !{LOW} }}",
    f'when {{ {HAS} && decimal("0.5").lessThan({C}.value) }}',
    f'when {{ {HAS} && {C}.source != Remit::Source::"agent" }}',
    f'when {{ {HAS} && {C}.value == decimal("0.5") }}',
    f"when {{ {HAS} && {C}.value.lessThan({C}.value) }}",
    f"when {{ {HAS} && (if {LOW} then true else false) }}",
    f"when {{ {HAS} && [{C}.source].contains({C}.source) }}",
    "when { context.session == context.session }",
    "when { context == context }",
]


def forbid(condition: str) -> str:
    return (
        f'@id("unsure") @gate("owner") forbid (principal, action in Remit::Action::"call_tool", resource) {condition};'
    )


@pytest.mark.parametrize("condition", MAY, ids=range(len(MAY)))
@settings(max_examples=40, deadline=None)
@given(
    said=st.lists(st.tuples(st.sampled_from(("agent", "harness")), st.integers(0, 10_000)), max_size=4),
    own=st.integers(0, 10_000),
)
def test_what_the_linter_lets_pass_is_never_loosened_by_what_an_agent_says(
    condition: str, said: list[tuple[str, int]], own: int
) -> None:
    running = RUNNING[condition]
    before = UNSAID
    for source, units in said:
        before = before.stated(source, units)
    asked = action()
    verdicts: list[int] = []
    for confidence in (before, before.stated("agent", own)):
        there = snapshot(running, asked)
        sessions = tuple(replace(session, confidence=confidence) for session in there.sessions)
        verdicts.append(rank(decide(replace(there, sessions=sessions), asked, NOW).verdict))
    assert verdicts[0] <= verdicts[1]


RUNNING = {condition: bundle(PERMIT, forbid(condition)) for condition in MAY}


@pytest.mark.parametrize("condition", MUST_NOT, ids=range(len(MUST_NOT)))
def test_a_forbid_that_an_agent_could_switch_off_is_refused(condition: str) -> None:
    found = problems(catalog(PERMIT, forbid(condition)))
    assert WIDENS in {problem.text for problem in found}


@pytest.mark.parametrize("condition", [*MAY[:1], *MUST_NOT[:1], "when { context == context }"])
def test_a_permit_must_not_look(condition: str) -> None:
    text = f'@id("sure") permit (principal, action in Remit::Action::"call_tool", resource) {condition};'
    assert PERMITS in {problem.text for problem in problems(catalog(text))}


def test_asking_for_the_session_alone_is_no_reading() -> None:
    bundle(
        PERMIT, '@id("p") permit (principal, action, resource) when { context has session && context has inputSize };'
    )


def test_of_all_that_is_said_the_least_counts_and_the_harness_may_speak_again() -> None:
    said = UNSAID.stated("agent", 9_000).stated("agent", 2_000).stated("agent", 8_000)
    assert (said.units, said.source) == (2_000, "agent")
    both = said.stated("harness", 1_000)
    assert (both.units, both.source) == (1_000, "harness")
    assert both.stated("harness", 9_000) == Confidence(2_000, 9_000)
    assert both.stated("harness", 9_000).units == 2_000
    assert not UNSAID
    assert UNSAID.units == 10_000
    assert least([UNSAID, said, Confidence(None, 5_000), Confidence(3_000, None)]) == Confidence(2_000, 5_000)
    assert least([UNSAID]) == UNSAID


@pytest.mark.parametrize(
    ("value", "units"),
    [(0, 0), (1, 10_000), (0.25, 2_500), (0.00005, None), (1.1, None), (-0.1, None), (True, None), ("1", None)],
)
def test_a_confidence_is_a_number_from_0_to_1(value: object, units: int | None) -> None:
    assert units_of(value) == units


def test_the_record_says_it_and_a_chain_has_the_least() -> None:
    asked = action(chain=("ada", "bot"))
    running = bundle(PERMIT, forbid(MAY[0]))
    there = snapshot(running, asked)
    first, second = there.sessions
    sessions = (replace(first, confidence=Confidence(4_000, None)), replace(second, confidence=Confidence(9_000, None)))
    found = body(decide(replace(there, sessions=sessions), asked, NOW))
    assert found.verdict == "escalate"
    session = found.context["session"]
    assert isinstance(session, dict)
    assert session["confidence"] == {"value": "0.4", "source": "agent"}

"""Gates: all of them or none, never more than a lift, never for another action or text."""

from dataclasses import replace

import pytest

from remit.facts.catalog import Route
from remit.pdp.decide import decide
from remit.pdp.decision import Append, Forward, Hold, Refuse
from remit.pdp.snapshot import AskQuota, Lift, StandingRefusal
from remit.policy.verdict import Code, Deny, Escalate, Gate, Permit
from tests.core.deciding import NOW, action, body, bundle, catalog, codes, decided, snapshot

ANYBODY = '@id("p") permit (principal, action, resource);'


def gate(name: str, route: str = "owner", condition: str = "true || context.inputSize > 0") -> str:
    return f'@id("{name}") @gate("{route}") forbid (principal, action, resource) when {{ {condition} }};'


def forbid(name: str, condition: str) -> str:
    return f'@id("{name}") forbid (principal, action, resource) when {{ {condition} }};'


def test_a_gate_escalates_to_its_route() -> None:
    running = bundle(ANYBODY, gate("g"))
    decision = decided(running, action())
    text_hash = running.policies["g"].statement.text_hash
    assert decision.verdict == Escalate((Gate("g", "owner", text_hash),))
    assert [type(effect) for effect in decision.effects] == [Append, Hold]
    assert decision.effects[1] == Hold(5)
    assert body(decision).expires_ms == NOW + 60_000
    assert [reason.code.value for reason in decision.reasons] == ["policy/gate", "policy"]
    assert decision.reasons[0].text == "policy g has people asked about this", "it does not say that it forbids"


def test_every_gate_that_applies_must_be_lifted_in_the_shortest_time() -> None:
    decision = decided(
        bundle(ANYBODY, gate("g"), gate("h", "finance"), gate("i", condition="context.inputSize > 999")), action()
    )
    assert isinstance(decision.verdict, Escalate)
    assert [(one.policy, one.route) for one in decision.verdict.gates] == [("g", "owner"), ("h", "finance")]
    assert decision.effects[1] == Hold(5)
    assert body(decision).expires_ms == NOW + 30_000


def test_one_forbid_that_is_no_gate_keeps_the_denial() -> None:
    decision = decided(bundle(ANYBODY, gate("g"), forbid("f", "context.inputSize > 0")), action())
    assert decision.verdict == Deny()
    assert [reason.policy for reason in decision.reasons] == ["f", "g"]


def test_a_gate_permits_nothing_by_itself() -> None:
    decision = decided(bundle(gate("g")), action())
    assert decision.verdict == Deny()
    assert codes(decision) == {"policy/none", "policy"}
    assert "even with the gates lifted" in decision.reasons[0].text


def test_a_permit_that_does_not_apply_does_not_help() -> None:
    decision = decided(
        bundle('@id("p") permit (principal in Remit::Group::"ops", action, resource);', gate("g")), action()
    )
    assert decision.verdict == Deny()


def test_obligations_of_an_escalated_action_come_from_its_permits() -> None:
    text = '@id("p") @obligation("redact:pii") permit (principal, action, resource);'
    running = bundle(catalog(text, gate("g")))
    decision = decided(running, action())
    assert isinstance(decision.verdict, Escalate)
    assert decision.verdict.obligations == ("redact:pii",)


def test_gates_of_all_links_unite() -> None:
    texts = (
        ANYBODY,
        '@id("g") @gate("owner") forbid (principal == Remit::Agent::"ada", action, resource);',
        '@id("h") @gate("finance") forbid (principal == Remit::Agent::"bot", action, resource);',
    )
    decision = decided(bundle(*texts), action(chain=("ada", "bot")))
    assert isinstance(decision.verdict, Escalate)
    assert [one.policy for one in decision.verdict.gates] == ["g", "h"]


RUNNING = bundle(catalog(ANYBODY, gate("g"), gate("h", "finance")))
ASKED = action()
GATES = frozenset(
    Gate(name, policy.form.annotations["gate"], policy.statement.text_hash)
    for name, policy in RUNNING.policies.items()
    if "gate" in policy.form.annotations
)
PIN = RUNNING.tools["shop", "refund"].tool.pin
LIFT = Lift("r-1.7", ASKED.hash(PIN), GATES, NOW + 1)


def test_an_approved_action_runs_and_its_record_names_the_approval() -> None:
    decision = decide(snapshot(RUNNING, ASKED, lift=LIFT), ASKED, NOW)
    assert decision.verdict == Permit()
    assert [type(effect) for effect in decision.effects] == [Append, Forward]
    assert body(decision).approval == "r-1.7"
    assert body(decision).expires_ms is None
    assert decision.reasons[-1].text == "approved by people as r-1.7"
    assert {reason.policy for reason in decision.reasons} == {"g", "h", "p", None}


@pytest.mark.parametrize(
    "lift",
    [
        None,
        replace(LIFT, expires_ms=NOW),
        replace(LIFT, action_hash=action(arguments={"order_id": "2", "to": "x"}).hash(PIN)),
        replace(LIFT, action_hash=ASKED.hash("another pin")),
        replace(LIFT, gates=frozenset(list(GATES)[:1])),
        replace(LIFT, gates=frozenset(replace(one, text_hash="sha256:old") for one in GATES)),
        replace(LIFT, gates=frozenset(replace(one, route="owner") for one in GATES)),
        replace(LIFT, gates=frozenset()),
    ],
)
def test_an_approval_of_anything_else_lifts_nothing(lift: Lift | None) -> None:
    decision = decide(snapshot(RUNNING, ASKED, lift=lift), ASKED, NOW)
    assert isinstance(decision.verdict, Escalate)
    assert body(decision).approval is None


def test_an_approval_that_lifts_more_than_is_asked_is_fine() -> None:
    more = replace(LIFT, gates=GATES | {Gate("x", "owner", "sha256:x")})
    assert decide(snapshot(RUNNING, ASKED, lift=more), ASKED, NOW).verdict == Permit()


def test_an_approval_is_not_used_where_none_is_needed() -> None:
    running = bundle(ANYBODY)
    decision = decide(snapshot(running, ASKED, lift=LIFT), ASKED, NOW)
    assert decision.verdict == Permit()
    assert body(decision).approval is None


def test_an_approval_does_not_lift_a_denial() -> None:
    running = bundle(catalog(ANYBODY, gate("g"), forbid("f", "context.inputSize > 0")))
    decision = decide(snapshot(running, ASKED, lift=LIFT), ASKED, NOW)
    assert decision.verdict == Deny()
    assert isinstance(decision.effects[1], Refuse)


def test_a_route_that_holds_nobody_holds_nobody() -> None:
    quick = Route("quick", users=frozenset({"uma"}), hold_s=0, expires_s=0.5)
    decision = decided(bundle(catalog(ANYBODY, gate("g", "quick"), gate("h"), routes=[quick])), action())
    assert decision.effects[1] == Hold(0)
    assert body(decision).expires_ms == NOW + 500


def test_of_several_approvals_the_one_that_fits_lifts() -> None:
    old = replace(LIFT, approval="r-1.3", gates=frozenset(replace(one, text_hash="sha256:old") for one in GATES))
    some = replace(LIFT, approval="r-1.4", gates=frozenset(list(GATES)[:1]))
    given = replace(snapshot(RUNNING, ASKED), lifts=(old, some, LIFT))
    decision = decide(given, ASKED, NOW)
    assert decision.verdict == Permit()
    assert body(decision).approval == "r-1.7"


@pytest.mark.parametrize(
    ("asking", "code"),
    [(AskQuota.SESSION_FULL, Code.APPROVAL_TOO_MANY), (AskQuota.AGENT_OFTEN, Code.APPROVAL_TOO_OFTEN)],
)
def test_nobody_is_asked_about_more_than_he_can_look_through(asking: AskQuota, code: Code) -> None:
    full = replace(snapshot(RUNNING, ASKED), ask_quota=asking)
    decision = decide(full, ASKED, NOW)
    assert decision.verdict == Deny()
    assert decision.reasons[-1].code is code
    assert body(decision).expires_ms is None
    assert decide(replace(full, lifts=(LIFT,)), ASKED, NOW).verdict == Permit()
    free = bundle(ANYBODY)
    assert decide(replace(snapshot(free, ASKED), ask_quota=asking), ASKED, NOW).verdict == Permit()


def test_a_no_stands_for_exactly_what_was_refused() -> None:
    no = StandingRefusal("r-1.7", LIFT.action_hash, "sam", "wrong-target")
    decision = decide(replace(snapshot(RUNNING, ASKED), refusals=(replace(no, action_hash="sha256:0"), no)), ASKED, NOW)
    assert decision.verdict == Deny()
    assert decision.reasons[0].code is Code.APPROVAL_REFUSED
    assert "refused by sam: it would reach the wrong" in decision.reasons[0].text
    assert (body(decision).approval, body(decision).gates) == ("r-1.7", ())
    other = replace(no, action_hash="sha256:0")
    assert isinstance(decide(replace(snapshot(RUNNING, ASKED), refusals=(other,)), ASKED, NOW).verdict, Escalate)
    lifted = replace(snapshot(RUNNING, ASKED), refusals=(no,), lifts=(LIFT,))
    assert decide(lifted, ASKED, NOW).verdict == Permit()

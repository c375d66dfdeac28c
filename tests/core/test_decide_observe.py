"""Observing: an agent's own policy verdict is overridden and kept, nothing else is."""

from dataclasses import replace

import pytest

from remit.facts.action import Action
from remit.facts.record import RecordKind
from remit.pdp.decide import decide
from remit.pdp.decision import Append, Decision, Forward, Refuse
from remit.pdp.snapshot import Pin
from remit.policy.bundle import Bundle
from remit.policy.verdict import Deny, Escalate, Permit
from remit.trace.bodies import ActionBody
from tests.core.deciding import NOW, OBSERVE, action, body, bundle, catalog, codes, decided, snapshot, tool

ANYBODY = '@id("p") permit (principal, action, resource);'
RUNNING = bundle(ANYBODY)


def refused(decision: Decision) -> str:
    """The code of a denial that is recorded as a proposal and reaches nothing."""
    assert decision.verdict == Deny()
    first, last = decision.effects
    assert isinstance(first, Append)
    assert first.kind is RecordKind.PROPOSAL
    assert last == Refuse()
    assert isinstance(first.body, ActionBody)
    assert first.body.verdict == "deny"
    assert first.body.reasons == decision.reasons
    assert first.body.expires_ms is None
    (code,) = codes(decision)
    return code


def observing(*names: str) -> Bundle:
    known = catalog().agents
    return bundle(
        catalog(
            '@id("p") permit (principal, action == Remit::Action::"shop___look", resource);',
            '@id("o") @obligation("redact:pii") permit (principal, action == Remit::Action::"web___fetch", resource);',
            '@id("f") forbid (principal == Remit::Agent::"bot", action == Remit::Action::"shop___look", resource);',
            (
                '@id("g") @gate("owner") forbid (principal, action == Remit::Action::"web___fetch", resource) '
                "when { context.inputSize > 20 };"
            ),
            agents=[replace(known[name], mode=OBSERVE) for name in names],
            tools=[tool("shop", "odd", {"$ref": "#"})],
        ),
    )


def test_observing_overrides_policy_and_says_what_it_would_have_done() -> None:
    decision = decided(observing("ada"), action())
    assert decision.verdict == Permit()
    assert decision.observed == Deny()
    assert codes(decision) == {"policy/none"}
    assert body(decision).observed == "deny"
    assert body(decision).verdict == "permit"
    assert isinstance(decision.effects[1], Forward)


def test_observing_keeps_a_permits_obligations_also_behind_a_gate() -> None:
    short = decided(observing("ada"), action("web/fetch", {"url": "x"}))
    assert (short.verdict, short.observed) == (Permit(("redact:pii",)), None)
    long = decided(observing("ada"), action("web/fetch", {"url": "x" * 30}))
    assert long.verdict == Permit(("redact:pii",))
    assert isinstance(long.observed, Escalate)


def test_observing_overrides_what_policy_says_not_a_failure_to_judge() -> None:
    observer = [replace(catalog().agents["ada"], mode=OBSERVE)]
    overflow = '@id("f") forbid (principal, action, resource) when { context.inputSize * 9223372036854775807 > 0 };'
    erring = decided(bundle(catalog(ANYBODY, overflow, agents=observer)), action())
    assert refused(erring) == "policy/error"
    reads = (
        '@id("p") permit (principal, action == Remit::Action::"shop___refund", resource) '
        "when { !(context.input has amount) };"
    )
    inexact = action(arguments={"order_id": "1", "to": "x", "amount": 0.123456})
    assert refused(decided(bundle(catalog(reads, agents=observer)), inexact)) == "arg/inexact"


def test_an_observing_agent_frees_nobody_else() -> None:
    for chain in (("ada", "eve"), ("eve", "ada")):
        decision = decided(observing("ada"), action(chain=chain))
        assert refused(decision) == "policy/none"
        assert decision.observed is None
        assert {reason.agent for reason in decision.reasons} == {"eve"}


def test_the_stricter_verdict_that_observing_overrode_is_kept_beside_an_escalation() -> None:
    running = bundle(
        catalog(
            ANYBODY,
            '@id("f") forbid (principal == Remit::Agent::"ada", action, resource);',
            '@id("g") @gate("owner") forbid (principal == Remit::Agent::"bot", action, resource);',
            agents=[replace(catalog().agents["ada"], mode=OBSERVE)],
        )
    )
    decision = decided(running, action(chain=("ada", "bot")))
    assert isinstance(decision.verdict, Escalate)
    assert decision.observed == Deny()
    assert {reason.policy for reason in decision.reasons} == {"g", "p", "f"}


@pytest.mark.parametrize(
    ("asked", "pin", "code"),
    [
        (action("shop/odd", {}), Pin.MATCHES, "tool/untypable"),
        (action(), Pin.DRIFTED, "tool/drifted"),
        (action("shop/new"), Pin.UNREVIEWED, "tool/unreviewed"),
        (action(arguments={}), Pin.MATCHES, "arg/invalid"),
        (action(user="nobody"), Pin.MATCHES, "user/unknown"),
    ],
)
def test_observing_overrides_nothing_but_policy(asked: Action, pin: Pin, code: str) -> None:
    running = observing("ada")
    assert refused(decide(snapshot(running, asked, pin=pin), asked, NOW)) == code

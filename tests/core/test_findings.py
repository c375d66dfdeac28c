"""Sources of incidents: each row of the table finds what it is for, and incidents are read back from their records."""

from dataclasses import replace

import pytest

from remit.facts.canonical import Json
from remit.facts.record import RecordKind, Ref
from remit.pdp.findings import SOURCES, after, assigning, closing, finding, opening, seeing
from remit.policy.verdict import Code, Reason
from remit.protect.incidents import (
    Finding,
    Incident,
    IncidentAct,
    IncidentCause,
    IncidentState,
    Resolution,
    Severity,
    open_incident,
    with_finding,
)
from remit.trace.bodies import ActionBody, AdminBody, Body, Choice, DecisionBody, Event
from tests.core.deciding import action, body, bundle, catalog, decided

REF = Ref("r1-1", 7)
CHANGES: Json = [
    {"what": "edge", "subject": "agent/otlp:x", "source": "otlp"},
    {"what": "found", "subject": "agent/host:cursor/uma", "source": "host:box"},
    {"what": "found", "subject": "agent/otlp:stranger", "source": "otlp:bot"},
]


def found(said: Body, kind: RecordKind = RecordKind.ADMIN) -> Finding | None:
    return finding(REF, 9, kind, said)


def admin(event: Event, subject: str, data: dict[str, Json] | None = None) -> AdminBody:
    return AdminBody(event, "ann", subject, data or {})


def denied() -> ActionBody:
    return body(decided(bundle(catalog()), action()))


CASES = {
    Event.HALT: (
        (
            admin(Event.HALT, "agent:bot", {"reason": "x"}),
            IncidentCause.HALT,
            Severity.HIGH,
            "agent:bot",
            "stopped by ann",
        ),
        (
            admin(Event.HALT, "tool:a/b", {"holds": "acting"}),
            IncidentCause.HALT,
            Severity.HIGH,
            "tool:a/b",
            "quarantined by ann",
        ),
        (
            admin(Event.HALT, "everything"),
            IncidentCause.HALT,
            Severity.CRITICAL,
            "everything",
            "everything stopped by ann",
        ),
        (admin(Event.HALT, "session:s"), IncidentCause.HALT, Severity.HIGH, "session:s", "session s"),
    ),
    Event.DETECTED: (
        (
            admin(Event.DETECTED, "mail/read", {"agent": "bot", "found": {"secret": {"AWS key id": 1}, "hidden": {}}}),
            IncidentCause.DETECTION,
            Severity.HIGH,
            "agent:bot",
            "hidden, secret (AWS key id) in what mail/read told agent bot",
        ),
        (
            admin(Event.DETECTED, "mail/read"),
            IncidentCause.DETECTION,
            Severity.HIGH,
            "tool:mail/read",
            "something in what mail/read told an agent",
        ),
    ),
    Event.AGENT_DRIFTED: (
        (
            admin(Event.AGENT_DRIFTED, "agent/bot", {"kind": "new-tool", "follows": "record"}),
            IncidentCause.DRIFT,
            Severity.MEDIUM,
            "agent:bot",
            "new-tool",
        ),
        (
            admin(Event.AGENT_DRIFTED, "agent/otlp:x", {"kind": "new-tool", "follows": "stop"}),
            IncidentCause.DRIFT,
            Severity.HIGH,
            "agent/otlp:x",
            "new-tool",
        ),
    ),
    Event.INVENTORY_CHANGED: (
        (
            admin(Event.INVENTORY_CHANGED, "inventory", {"changes": CHANGES}),
            IncidentCause.SHADOW,
            Severity.MEDIUM,
            "shadow:otlp:bot",
            "registered nowhere",
        ),
    ),
    Event.BREAKER_TRIPPED: (
        (
            admin(Event.BREAKER_TRIPPED, "loops agent:bot", {"text": "the same call of shop/pay 5 times"}),
            IncidentCause.TRIP,
            Severity.MEDIUM,
            "agent:bot",
            "breaker loops tripped for agent bot: the same call of shop/pay 5 times",
        ),
        (
            admin(Event.BREAKER_TRIPPED, "slow tool:a/b"),
            IncidentCause.TRIP,
            Severity.MEDIUM,
            "tool:a/b",
            "slow tripped",
        ),
        (
            admin(Event.BREAKER_TRIPPED, "slow tool:a/b by agent:bot"),
            IncidentCause.TRIP,
            Severity.MEDIUM,
            "agent:bot",
            "tool a/b by agent bot",
        ),
    ),
    Event.POLICY_DIFFERENCE: (
        (admin(Event.POLICY_DIFFERENCE, "p"), IncidentCause.ERROR, Severity.HIGH, "bundle:p", "judged differently"),
    ),
}


@pytest.mark.parametrize("event", SOURCES)
def test_each_source_finds_what_it_is_for(event: Event) -> None:
    for said, cause, severity, about, words in CASES[event]:
        one = found(said)
        assert one is not None
        assert (one.cause, one.severity, one.about, one.record, one.at) == (cause, severity, about, "r1-1.7", 9)
        assert words in one.title


def test_denials_are_findings_and_nothing_else_of_an_action() -> None:
    refused = denied()
    one = found(refused, RecordKind.PROPOSAL)
    assert one is not None
    assert (one.cause, one.weak, one.agent, one.sid) == (IncidentCause.DENIALS, True, *refused.links[-1])
    assert one.title == f"agent {one.agent} was denied shop/refund by policy/none"
    stranger = found(replace(refused, pin="", name="x" * 500), RecordKind.PROPOSAL)
    assert stranger is not None
    assert stranger.gist == "call_tool by policy/none", "what is unknown is called as the agent wants"
    ruled = replace(refused, reasons=(Reason(Code.POLICY, "no", "never"),))
    by = found(ruled, RecordKind.PROPOSAL)
    assert by is not None
    assert by.gist == "shop/refund by never"
    for kind in ("read_resource", "get_prompt"):
        lists = replace(refused, kind=kind, name="", pin="")
        assert found(lists, RecordKind.PROPOSAL) is None, "a client that connects asks for every list"
        assert found(replace(lists, name="x"), RecordKind.PROPOSAL) is not None
        assert found(replace(lists, reasons=(Reason(Code.SESSION_ENDED, "no"),)), RecordKind.PROPOSAL) is not None
    assert found(refused, RecordKind.INTENT) is None
    assert found(replace(refused, verdict="escalate"), RecordKind.PROPOSAL) is None
    assert found(replace(refused, links=()), RecordKind.PROPOSAL) is None


def test_what_is_nothing_to_look_at_or_not_well_formed_is_none() -> None:
    for said in (
        admin(Event.RESUME, "agent:bot"),
        admin(Event.HALT, "nobody:x"),
        admin(Event.INVENTORY_CHANGED, "inventory"),
        admin(Event.INVENTORY_CHANGED, "inventory", {"changes": [1, {"what": "found"}]}),
    ):
        assert found(said) is None
    assert found(DecisionBody("r1-1.1", "h", "ann", Choice.REVIEW, ())) is None


BEGUN = open_incident(Finding("r1-1.7", 9, IncidentCause.DRIFT, Severity.MEDIUM, "drifted", "bot", "s1"), "agent:bot")
MORE = with_finding(BEGUN, Finding("r1-1.8", 12, IncidentCause.HALT, Severity.HIGH, "stopped", "bot", "s2"))


def folded(*bodies: AdminBody) -> Incident | None:
    incident: Incident | None = None
    for number, said in enumerate(bodies):
        incident = after(incident, 20 + number, said)
    return incident


def test_incidents_are_the_fold_of_their_records_however_often_those_are_read() -> None:
    begun, more = opening(BEGUN, "remit"), seeing(MORE, "remit", BEGUN)
    assert folded(begun) == BEGUN
    assert folded(begun, more) == MORE == folded(begun, more, begun, more)
    given = folded(begun, assigning("r1-1.7", "ann", "bob"), more)
    assert given == replace(
        MORE,
        state=IncidentState.ASSIGNED,
        assignee="ann",
        changed_ms=21,
        acts=(IncidentAct(21, "bob", "assigned to ann"),),
    )
    ended = folded(begun, more, closing("r1-1.7", Resolution.FALSE_ALARM, "a test", "ann"), begun, more)
    act = IncidentAct(22, "ann", "closed: false-alarm")
    assert ended == replace(
        MORE, state=IncidentState.CLOSED, resolution="false-alarm", note="a test", changed_ms=22, acts=(act,)
    )
    assert folded(begun, more, closing("r1-1.7", Resolution.RESOLVED, "", "ann"), assigning("x", "z", "z")) is not None


def test_records_of_incidents_that_say_nothing_change_nothing() -> None:
    more = seeing(MORE, "remit", BEGUN)
    assert folded(more) is None, "nobody opened it"
    assert folded(assigning("r1-1.7", "ann", "bob")) is None
    assert folded(closing("r1-1.7", Resolution.RESOLVED, "", "ann")) is None
    assert folded(admin(Event.INCIDENT_OPENED, "r1-1.7")) is None
    begun = opening(BEGUN, "remit")
    assert folded(begun, admin(Event.INCIDENT_SEEN, "r1-1.7"), admin(Event.RESUME, "agent:bot")) == BEGUN
    odd = folded(begun, admin(Event.INCIDENT_CLOSED, "r1-1.7", {"resolution": "gone"}))
    assert odd is not None
    assert odd.resolution == "resolved"
    assert folded(admin(Event.INCIDENT_OPENED, "r1-1.7", {**begun.data, "severity": 77})) is None


def test_a_call_of_a_tool_that_is_no_longer_what_was_accepted_is_drift_of_the_tool() -> None:
    called = replace(denied(), reasons=(Reason(Code.TOOL_DRIFTED, "it is no longer what was accepted"),))
    one = found(called, RecordKind.PROPOSAL)
    assert one is not None
    assert (one.cause, one.weak, one.severity) == (IncidentCause.DRIFT, False, Severity.HIGH)
    assert one.about == f"tool:{called.server}/{called.name}"


def test_the_record_of_an_incident_says_whether_it_is_worse() -> None:
    for later, worse in (
        (replace(BEGUN, count=9, sids=("another",)), None),
        (replace(BEGUN, severity=Severity.CRITICAL), True),
        (replace(BEGUN, causes=BEGUN.causes | {IncidentCause.DETECTION}), True),
    ):
        assert seeing(later, "remit", BEGUN).data.get("worse") is worse


@pytest.mark.parametrize(
    ("kind", "place"), [("read_resource", "a resource"), ("get_prompt", "a prompt"), ("whatever", "something")]
)
def test_a_title_repeats_no_name_that_an_agent_may_choose(kind: str, place: str) -> None:
    found: dict[str, Json] = {"agent": "bot", "found": {"secret": {}}, "kind": kind}
    one = finding(Ref("r1-1", 7), 9, RecordKind.ADMIN, admin(Event.DETECTED, "mail/note://said by the agent", found))
    assert one is not None
    assert one.title == f"secret in what {place} of mail told agent bot"

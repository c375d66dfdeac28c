"""Events for a SIEM hold what OCSF requires of their classes, and nothing that an agent wrote."""

from dataclasses import replace
from typing import Final

import pytest

from remit.facts.canonical import Json
from remit.protect.incidents import (
    Finding,
    Incident,
    IncidentAct,
    IncidentCause,
    Resolution,
    Severity,
    assign,
    close,
    open_incident,
    with_finding,
)
from remit.protect.ocsf import detection, incident_finding

REQUIRED: Final = {
    "category_uid", "class_uid", "activity_id", "type_uid", "time", "severity_id", "metadata",
}  # fmt: skip
"""Of every event: <https://schema.ocsf.io/1.4.0/base_event>."""
OF_CLASS: Final = {2004: {"finding_info"}, 2005: {"finding_info_list", "status_id"}}
INTEGERS: Final = {"category_uid", "class_uid", "activity_id", "type_uid", "time", "severity_id", "status_id", "count"}
FINDING: Final = Finding(
    "r1-1.7", 1_700_000_000_000, IncidentCause.DENIALS, Severity.MEDIUM, "bot: denied", "bot", "s1"
)
BEGUN: Final = with_finding(
    open_incident(FINDING, "agent:bot"), replace(FINDING, record="r1-1.8", severity=Severity.CRITICAL)
)
ACT: Final = IncidentAct(1_700_000_000_500, "user:ann", "did it")


def check(event: dict[str, Json]) -> None:
    """What the published schema demands, as far as it concerns these classes."""
    of, activity = event["class_uid"], event["activity_id"]
    assert isinstance(of, int)
    assert isinstance(activity, int)
    assert event.keys() >= REQUIRED | OF_CLASS[of]
    assert all(type(event[name]) is int for name in INTEGERS & event.keys())
    assert (event["category_uid"], event["type_uid"]) == (2, of * 100 + activity)
    assert activity in {1, 2, 3}
    assert event["severity_id"] in {1, 2, 3, 4, 5, 6, 99}
    metadata = event["metadata"]
    assert isinstance(metadata, dict)
    assert metadata.keys() >= {"version", "product"}
    assert isinstance(metadata["product"], dict)
    assert metadata["product"].keys() & {"name", "uid"}
    infos = event["finding_info_list"] if of == 2005 else [event["finding_info"]]
    assert isinstance(infos, list)
    assert infos
    assert all(isinstance(one, dict) and one["uid"] and one["title"] for one in infos)
    if of == 2005:
        assert {"assignee", "assignee_group"} & event.keys(), "the class asks for one of them"
        assert event["status_id"] in {1, 2, 3, 4, 5}
    else:
        assert event["evidences"], "evidence is an artifact"


@pytest.mark.parametrize(
    ("incident", "activity", "status"),
    [
        (BEGUN, 1, 1),
        (assign(BEGUN, "ann", ACT), 2, 2),
        (close(assign(BEGUN, "ann", ACT), Resolution.FALSE_ALARM, "a test", ACT), 3, 5),
    ],
)
def test_an_incident_is_an_event_of_its_state(incident: Incident, activity: int, status: int) -> None:
    event = incident_finding(incident, [FINDING], "1.0")
    check(event)
    assert (event["activity_id"], event["status_id"], event["severity"]) == (activity, status, "Critical")
    assert (event["start_time"], event["count"]) == (FINDING.at, 2)
    check(incident_finding(incident, [], "1.0"))
    assert ("comment" in event) == (activity == 3)


def test_a_finding_is_an_event_with_its_evidence() -> None:
    event = detection(FINDING, "r1-1.7", "1.0")
    check(event)
    assert event["evidences"] == [{"data": {"record": "r1-1.7", "agent": "bot", "session": "s1"}}]
    assert event["resources"] == [{"uid": "agent:bot", "name": "agent:bot", "type": "agent"}]
    bare = detection(replace(FINDING, agent="", sid="", subject="tool:a/b"), "r1-1.7", "1.0")
    assert bare["evidences"] == [{"data": {"record": "r1-1.7"}}]

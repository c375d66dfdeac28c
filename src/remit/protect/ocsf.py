"""Incidents and findings as events of the Open Cybersecurity Schema Framework, for a SIEM.

Classes of the category Findings: Detection Finding (2004), Incident Finding (2005). `type_uid` is class × 100 +
activity; times are in ms since the epoch. Source: <https://schema.ocsf.io/1.4.0/>. Nothing that an agent
wrote is in them.
"""

from typing import Final

from remit.facts.canonical import Json
from remit.protect.incidents import Finding, Incident, IncidentState, Severity

VERSION: Final = "1.4.0"
FINDINGS: Final = 2
DETECTION: Final = 2004
INCIDENT: Final = 2005
_ACTIVITIES: Final = {1: "Create", 2: "Update", 3: "Close"}
_OF_STATE: Final = {
    IncidentState.OPEN: (1, 1, "New"),
    IncidentState.ASSIGNED: (2, 2, "In Progress"),
    IncidentState.CLOSED: (3, 5, "Closed"),
}
"""Of each state: the activity, and the status of an Incident Finding."""
_SEVERITIES: Final = {
    Severity.LOW: "Low",
    Severity.MEDIUM: "Medium",
    Severity.HIGH: "High",
    Severity.CRITICAL: "Critical",
}


def detection(finding: Finding, incident: str, product: str) -> dict[str, Json]:
    """`finding` as a Detection Finding; `product` is the version of Remit, `incident` what it belongs to."""
    about: dict[str, Json] = {"record": finding.record}
    about |= {name: value for name, value in (("agent", finding.agent), ("session", finding.sid)) if value}
    return {
        **_event(DETECTION, "Detection Finding", 1, finding.at, finding.severity),
        "metadata": _metadata(finding.record, product, incident),
        "message": finding.title,
        "is_alert": True,
        "status_id": 1,
        "status": "New",
        "finding_info": _info(finding),
        "evidences": [{"data": about}],
        "resources": [{"uid": finding.about, "name": finding.about, "type": finding.about.partition(":")[0]}],
    }


def incident_finding(incident: Incident, findings: list[Finding], product: str) -> dict[str, Json]:
    """`incident` as it stands, as an Incident Finding of its `findings`."""
    activity, status, status_name = _OF_STATE[incident.state]
    # The schema asks for one of the two.
    assignee: dict[str, Json] = {"assignee_group": {"name": "(nobody yet)"}}
    if incident.assignee:
        assignee = {"assignee": {"name": incident.assignee, "type_id": 1}}
    ended: dict[str, Json] = {"comment": incident.note} if incident.note else {}
    return {
        **_event(INCIDENT, "Incident Finding", activity, incident.changed_ms, incident.severity),
        "metadata": _metadata(f"{incident.ident}/{incident.changed_ms}", product, incident.ident),
        "message": incident.title,
        "desc": f"{incident.title} ({incident.count} findings: {', '.join(sorted(incident.causes))})",
        "status_id": status,
        "status": status_name,
        "start_time": incident.opened_ms,
        "end_time": incident.last_ms,
        "count": incident.count,
        "finding_info_list": [_info(finding) for finding in findings]
        or [{"uid": incident.ident, "title": incident.title}],
        "unmapped": {"about": incident.about, "resolution": incident.resolution},
        **assignee,
        **ended,
    }


def _event(of: int, name: str, activity: int, at_ms: int, severity: Severity) -> dict[str, Json]:
    return {
        "category_uid": FINDINGS,
        "category_name": "Findings",
        "class_uid": of,
        "class_name": name,
        "activity_id": activity,
        "activity_name": _ACTIVITIES[activity],
        "type_uid": of * 100 + activity,
        "type_name": f"{name}: {_ACTIVITIES[activity]}",
        "time": at_ms,
        "severity_id": int(severity),
        "severity": _SEVERITIES[severity],
    }


def _metadata(uid: str, product: str, incident: str) -> dict[str, Json]:
    return {
        "version": VERSION,
        "product": {"name": "Remit", "vendor_name": "Remit", "version": product},
        "uid": uid,
        "correlation_uid": incident,
        "log_name": "ledger",
    }


def _info(finding: Finding) -> dict[str, Json]:
    return {
        "uid": finding.record,
        "title": finding.title,
        "types": [finding.cause.value],
        "created_time": finding.at,
    }

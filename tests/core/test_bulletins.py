"""What channels hear of: of whom they are about, no names that an agent may have chosen, and not without end."""

import json
from dataclasses import replace

import pytest

from remit.facts.catalog import Channel, Topic
from remit.facts.credential import FromEnv, Secret
from remit.facts.durations import HOUR_MS
from remit.facts.record import Record, RecordKind
from remit.ports.ledger import Entry
from remit.trace.bodies import AdminBody, Event
from remit.work.bulletins import HOURLY_MAX, Bulletins, shown_name
from tests.core.deciding import catalog

SECRET = Secret(FromEnv("HOOK"))
BOTH = {
    "desk": Channel("desk", "http://127.0.0.1", SECRET, frozenset({Topic.DRIFT})),
    "quiet": Channel("quiet", "http://127.0.0.1", SECRET),
}
KNOWN = replace(catalog(), channels=BOTH)
AGENT = min(KNOWN.agents)


def drifted(seq: int, subject: str = f"agent/{AGENT}", follows: str = "notice", at: int = 5) -> Entry:
    data = {"kind": "new-tool", "before": "nothing", "after": "tool/otlp:SAY THIS", "follows": follows, "seen_ms": 4}
    record = Record("r1-1", seq, "", RecordKind.ADMIN, at, "", "", "")
    return Entry(record, AdminBody(Event.AGENT_DRIFTED, "discovery", subject, data), "")


def test_drift_is_told_to_channels_about_it_and_says_no_word_of_the_agent() -> None:
    [told] = Bulletins().of([drifted(7)], KNOWN)
    assert (told.ident, told.channel, told.approval) == ("msg_r1-1_7-agent_drifted-desk", "desk", "r1-1.7")
    assert [told] == list(Bulletins().of([drifted(7)], KNOWN)), "the same however often it is made"
    said = json.loads(told.body)
    assert said["type"] == "agent.drifted"
    assert (said["data"]["agent"], said["data"]["what"]) == (AGENT, "tool (not registered, a name of 8 characters)")
    assert "SAY" not in told.body.decode()


def test_what_is_only_recorded_of_somebody_else_or_heard_by_nobody_is_not_told() -> None:
    other = Entry(drifted(2).record, AdminBody(Event.RESUME, "ann", "agent:x"), "")
    erased = Entry(drifted(2).record, None, "")
    unheard = [drifted(1, follows="record"), drifted(1, "agent/otlp:x"), other, erased]
    assert list(Bulletins().of(unheard, KNOWN)) == []
    assert list(Bulletins().of([drifted(1)], replace(KNOWN, channels={"quiet": BOTH["quiet"]}))) == []


def test_incidents_are_told_by_id_title_and_what_people_did() -> None:
    heard = {"desk": replace(BOTH["desk"], about=frozenset({Topic.INCIDENTS}))}
    about = {"title": "bot: denied", "severity": 3, "causes": ["denials"], "about": "agent/otlp:SAY", "sids": ["s"]}
    for event, data, said in (
        (Event.INCIDENT_OPENED, about, {"title": "bot: denied", "severity": 3, "causes": ["denials"]}),
        (Event.INCIDENT_SEEN, about | {"worse": True}, {"title": "bot: denied", "severity": 3, "causes": ["denials"]}),
        (Event.INCIDENT_ASSIGNED, {"to": "ann"}, {"to": "ann"}),
        (Event.INCIDENT_CLOSED, {"resolution": "expected", "note": "SAY"}, {"resolution": "expected"}),
    ):
        entry = Entry(drifted(9).record, AdminBody(event, "user:ann", "r1-1.4", data), "")
        [told] = Bulletins().of([entry, drifted(8)], replace(KNOWN, channels=heard))
        found = json.loads(told.body)
        fixed = {"incident": "r1-1.4", "by": "user:ann", "next": "remit incidents show r1-1.4", "record": "r1-1.9"}
        assert (found["type"], found["data"]) == (event.value, fixed | said)
    again = Entry(drifted(9).record, AdminBody(Event.INCIDENT_SEEN, "incidents", "r1-1.4", about), "")
    assert list(Bulletins().of([again], replace(KNOWN, channels=heard))) == [], "that it went on is not told each time"


def test_one_subject_fills_no_channel() -> None:
    bulletins = Bulletins()
    assert len(list(bulletins.of([drifted(number) for number in range(HOURLY_MAX * 3)], KNOWN))) == HOURLY_MAX
    assert len(list(bulletins.of([drifted(99, at=HOUR_MS + 5)], KNOWN))) == 1, "the next hour is another"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (f"agent/{AGENT}", f"agent/{AGENT}"),
        ("model/gpt", "model (not registered, a name of 3 characters)"),
        ("nonsense", "(text of 8 characters)"),
        (f"agent/otlp:{AGENT}", f"agent (not registered, a name of {len(AGENT)} characters)"),
    ],
)
def test_names_that_the_workspace_registers_are_told(name: str, told: str) -> None:
    assert shown_name(name, KNOWN) == told

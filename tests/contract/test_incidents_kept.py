"""What is kept of incidents is read back as it was, with how far the ledger was read."""

from dataclasses import replace
from pathlib import Path

from remit.adapters.sqlite.incidents import SqliteIncidents
from remit.protect.incidents import (
    Finding,
    IncidentAct,
    IncidentCause,
    IncidentState,
    Resolution,
    Severity,
    assign,
    close,
    open_incident,
)

FINDING = Finding("r1-1.7", 9, IncidentCause.DRIFT, Severity.HIGH, "drifted", "bot", "s1")
BEGUN = open_incident(FINDING, "agent:bot")
GIVEN = assign(BEGUN, "ann", IncidentAct(12, "user:ann", "assigned to ann"))
ENDED = close(GIVEN, Resolution.EXPECTED, "a “test”", IncidentAct(15, "user:ann", "closed: expected"))


def test_incidents_are_read_back_by_state_and_time(tmp_path: Path) -> None:
    path = tmp_path / "incidents.db"
    store = SqliteIncidents(path)
    assert (store.mark(), store.find("r1-1.7")) == ("", None)
    store.save([BEGUN], "log 5")
    store.save([GIVEN])
    store.close()
    store = SqliteIncidents(path)
    assert (store.mark(), store.find("r1-1.7")) == ("log 5", GIVEN)
    store.save([ENDED], "log 9")
    assert store.in_states([IncidentState.OPEN, IncidentState.ASSIGNED], 9) == []
    assert store.in_states([IncidentState.CLOSED], 9) == [ENDED]
    assert (store.changed_after((15, ""), 9), store.changed_after((16, ""), 9)) == ([ENDED], [])
    assert store.in_states(IncidentState, 0) == []
    store.close()
    assert path.stat().st_mode & 0o077 == 0


def test_an_incident_is_found_by_what_it_names(tmp_path: Path) -> None:
    store = SqliteIncidents(tmp_path / "incidents.db")
    later = replace(BEGUN, ident="r1-1.8", records=("r1-1.8", "r1-1.9"), sids=("s2",), changed_ms=20)
    store.save([GIVEN, later, replace(BEGUN, ident="r1-1.5", note="r1-1.77 “s3”", records=("r1-1.5",), sids=())])
    assert (store.of_record("r1-1.9"), store.of_session("s2"), store.of_session("s1")) == (later, later, GIVEN)
    assert (store.of_record("r1-1.77"), store.of_session("s3"), store.of_record("r1-1")) == (None, None, None)
    store.close()


def test_pages_pass_over_nothing_that_changes_meanwhile(tmp_path: Path) -> None:
    store = SqliteIncidents(tmp_path / "incidents.db")
    many = [replace(BEGUN, ident=f"r1-1.{number}", changed_ms=number // 3) for number in range(10)]
    store.save(many)
    seen: list[str] = []
    after, again = (1, ""), many[4]
    while page := store.changed_after(after, 2):
        seen += [one.ident for one in page]
        after = page[-1].changed_ms, page[-1].ident
        # One that was seen, and one that was not, change.
        if len(seen) == 2:
            store.save([replace(again, changed_ms=50), replace(many[9], changed_ms=51)])
    assert seen == ["r1-1.3", "r1-1.4", "r1-1.5", "r1-1.6", "r1-1.7", "r1-1.8", "r1-1.4", "r1-1.9"]
    assert store.changed_after((51, "r1-1.9"), 2) == []
    store.close()


def test_a_file_that_is_none_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "incidents.db"
    path.write_bytes(b"not a database" * 100)
    store = SqliteIncidents(path)
    assert store.in_states(IncidentState, 9) == []
    store.close()
    assert path.with_name("incidents.db.unreadable").exists()

"""What is kept of incidents is read back as it was, with how far the ledger was read."""

from pathlib import Path

from remit.adapters.sqlite.incidents import SqliteIncidents
from remit.protect.incidents import Act, Cause, Finding, Resolution, Severity, State, assigned, closed, opened

FINDING = Finding("r1-1.7", 9, Cause.DRIFT, Severity.HIGH, "drifted", "bot", "s1")
BEGUN = opened(FINDING, "agent:bot")
GIVEN = assigned(BEGUN, "ann", Act(12, "user:ann", "assigned to ann"))
ENDED = closed(GIVEN, Resolution.EXPECTED, "a “test”", Act(15, "user:ann", "closed: expected"))


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
    assert store.listed([State.OPEN, State.ASSIGNED], 9) == []
    assert store.listed([State.CLOSED], 9) == [ENDED]
    assert store.listed(State, 9, 16) == []
    assert store.listed(State, 0) == []
    store.close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_is_none_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "incidents.db"
    path.write_bytes(b"not a database" * 100)
    store = SqliteIncidents(path)
    assert store.listed(State, 9) == []
    store.close()
    assert path.with_name("incidents.db.unreadable").exists()

"""`ports.incidents.Incidents` in a SQLite file of its own: a row for each incident, and how far the ledger was read."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from remit.protect.incidents import Incident, IncidentAct, IncidentCause, IncidentState, Severity

_SCHEMA: Final = """\
CREATE TABLE IF NOT EXISTS incident (
  ident TEXT PRIMARY KEY, state TEXT NOT NULL, changed INTEGER NOT NULL, detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS changed ON incident (changed);
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


class SqliteIncidents:
    """The incidents of one data folder. A file that is none is put aside, and made again from the ledger."""

    def __init__(self, path: Path) -> None:
        try:
            self._conn = _open(path)
        except sqlite3.DatabaseError:
            path.replace(path.with_name(path.name + ".unreadable"))
            self._conn = _open(path)

    def mark(self) -> str:
        """How far the ledger was followed."""
        row = self._conn.execute("SELECT value FROM mark WHERE name = 'ledger'").fetchone()
        return "" if row is None else row[0]

    def save(self, incidents: Iterable[Incident], mark: str | None = None) -> None:
        """Keep `incidents` and the `mark`."""
        rows = [
            (incident.ident, incident.state.value, incident.changed_ms, _detail(incident)) for incident in incidents
        ]
        self._conn.execute("BEGIN IMMEDIATE")
        try:
            self._conn.executemany("REPLACE INTO incident VALUES (?, ?, ?, ?)", rows)
            if mark is not None:
                self._conn.execute("REPLACE INTO mark VALUES ('ledger', ?)", (mark,))
            self._conn.execute("COMMIT")
        except BaseException:
            if self._conn.in_transaction:  # on a full disk SQLite has ended it
                self._conn.execute("ROLLBACK")
            raise

    def find(self, ident: str) -> Incident | None:
        """The incident `ident`."""
        row = self._conn.execute("SELECT detail FROM incident WHERE ident = ?", (ident,)).fetchone()
        return None if row is None else _incident(row[0])

    def of_record(self, record: str) -> Incident | None:
        """The last changed one that names `record`."""
        return self._with("$.records", record)

    def of_session(self, sid: str) -> Incident | None:
        """The last changed one that names session `sid`."""
        return self._with("$.sids", sid)

    def in_states(self, states: Iterable[IncidentState], limit: int) -> Sequence[Incident]:
        """The last changed of them first."""
        query = (
            "SELECT detail FROM incident WHERE state IN (SELECT value FROM json_each(?)) "
            "ORDER BY changed DESC, ident LIMIT ?"
        )
        names = orjson.dumps([state.value for state in states]).decode("utf-8")
        return [_incident(row[0]) for row in self._conn.execute(query, (names, limit))]

    def changed_after(self, after: tuple[int, str], limit: int) -> Sequence[Incident]:
        """What changes meanwhile comes again, and later: nothing is passed over by who reads on after the last."""
        query = "SELECT detail FROM incident WHERE (changed, ident) > (?, ?) ORDER BY changed, ident LIMIT ?"
        return [_incident(row[0]) for row in self._conn.execute(query, (*after, limit))]

    def _with(self, members: str, value: str) -> Incident | None:
        # What does not stand in the text at all is passed over without reading it as JSON.
        query = (
            "SELECT detail FROM incident WHERE instr(detail, ?) "
            "AND EXISTS (SELECT 1 FROM json_each(detail, ?) WHERE value = ?) ORDER BY changed DESC LIMIT 1"
        )
        row = self._conn.execute(query, (value, members, value)).fetchone()
        return None if row is None else _incident(row[0])

    def close(self) -> None:
        """Release the file."""
        self._conn.close()


def _open(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        conn.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)
    except BaseException:
        conn.close()
        raise
    return conn


def _detail(incident: Incident) -> str:
    members = {
        name: getattr(incident, name)
        for name in ("ident", "about", "title", "opened_ms", "last_ms", "count", "assignee", "resolution", "note")
    }
    more = {
        "severity": int(incident.severity),
        "causes": sorted(incident.causes),
        "sids": incident.sids,
        "records": incident.records,
        "state": incident.state.value,
        "changed_ms": incident.changed_ms,
        "acts": [list(act) for act in incident.acts],
    }
    return orjson.dumps(members | more).decode("utf-8")


def _incident(detail: str) -> Incident:
    value: dict[str, Any] = orjson.loads(detail)
    value["severity"] = Severity(value["severity"])
    value["causes"] = frozenset(IncidentCause(item) for item in value["causes"])
    value["sids"], value["records"] = tuple(value["sids"]), tuple(value["records"])
    value["state"] = IncidentState(value["state"])
    value["acts"] = tuple(IncidentAct(*item) for item in value["acts"])
    return Incident(**value)

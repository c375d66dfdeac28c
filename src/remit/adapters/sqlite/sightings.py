"""`ports.sightings.Sightings` in a SQLite file of its own beside the ledger: hearsay never waits for its fsync.

A row of `sighting` is all that one source saw of one subject, compacted. The file can be deleted: sources see again
what there is, and only since when something is known is lost.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from remit.discover.inventory import Inventory, SourceEvidence, SubjectRecord
from remit.discover.reconcile import JUDGED_MAX, Activity, PassageCounts
from remit.discover.sighting import Edge, SourceConfidence, Subject, Verb, parsed

APPLICATION: Final = 0x524D5349
VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE sighting (subject TEXT, source TEXT, first INTEGER, last INTEGER, count INTEGER, confidence INTEGER,
    at INTEGER, evidence TEXT, PRIMARY KEY (subject, source)) STRICT, WITHOUT ROWID;
CREATE TABLE edge (subject TEXT, verb TEXT, other TEXT, source TEXT, first INTEGER, last INTEGER, count INTEGER,
    confidence INTEGER, at INTEGER, evidence TEXT, PRIMARY KEY (subject, verb, other, source)) STRICT, WITHOUT ROWID;
CREATE TABLE trait (subject TEXT, key TEXT, source TEXT, confidence INTEGER, at INTEGER, value TEXT,
    PRIMARY KEY (subject, key, source)) STRICT, WITHOUT ROWID;
CREATE TABLE owner (subject TEXT PRIMARY KEY, confidence INTEGER, at INTEGER, name TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE activity (agent TEXT, object TEXT, day INTEGER, passed INTEGER, observed INTEGER,
    PRIMARY KEY (agent, object, day)) STRICT, WITHOUT ROWID;
CREATE TABLE mark (name TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID
"""


_ADDED: Final = "CREATE TABLE IF NOT EXISTS heard (no INTEGER PRIMARY KEY AUTOINCREMENT, call INTEGER) STRICT"
"""What files of this version have that were made before there was any."""


class SqliteSightings:
    """The sightings of one data folder."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. One that is damaged or of a later version is put aside, and begun anew."""
        self._path = path
        try:
            self._conn = _open(path)
        except sqlite3.DatabaseError:
            path.replace(path.with_name(path.name + ".unreadable"))
            self._conn = _open(path)

    def load(self) -> Inventory:
        """The fold of everything that was kept."""
        items: dict[Subject, SubjectRecord] = {}
        for subject, source, *rest in self._conn.execute("SELECT * FROM sighting"):
            _item(items, subject).evidence[source] = _evidence(*rest)
        for subject, verb, other, source, *rest in self._conn.execute("SELECT * FROM edge"):
            edge = Edge(Verb(verb), parsed(other))
            _item(items, subject).edges.setdefault(edge, {})[source] = _evidence(*rest)
        for subject, key, source, confidence, at, value in self._conn.execute("SELECT * FROM trait"):
            _item(items, subject).traits.setdefault(key, {})[source] = (SourceConfidence(confidence), at, value)
        for subject, confidence, at, name in self._conn.execute("SELECT * FROM owner"):
            _item(items, subject).owner = (SourceConfidence(confidence), at, name)
        return Inventory(items)

    def activity(self) -> Mapping[Activity, PassageCounts]:
        """What was reconciled so far."""
        return {
            Activity(parsed(agent), parsed(called), day): PassageCounts(passed, observed)
            for agent, called, day, passed, observed in self._conn.execute("SELECT * FROM activity")
        }

    def span_digests(self) -> Sequence[int]:
        """The digests of spans that were judged last."""
        return [call for (call,) in self._conn.execute("SELECT call FROM heard ORDER BY no")]

    def mark(self, name: str) -> str:
        """The text kept under `name`."""
        row = self._conn.execute("SELECT value FROM mark WHERE name = ?", (name,)).fetchone()
        return "" if row is None else row[0]

    def save(
        self,
        inventory: Inventory,
        dirty: Iterable[Subject],
        activity: Mapping[Activity, PassageCounts],
        marks: Mapping[str, str],
        heard: Sequence[int] = (),
    ) -> None:
        """Keep what is now known of the `dirty` subjects, the counts given and the marks, all or nothing."""
        conn = self._conn
        conn.execute("BEGIN IMMEDIATE")
        try:
            for subject in dirty:
                _save(conn, str(subject), inventory[subject])
            conn.executemany(
                "REPLACE INTO activity VALUES (?, ?, ?, ?, ?)",
                (
                    (str(key.agent), str(key.object), key.day, *counts)
                    for key, counts in activity.items()
                    if any(counts)
                ),
            )
            conn.executemany(
                "DELETE FROM activity WHERE agent = ? AND object = ? AND day = ?",
                ((str(key.agent), str(key.object), key.day) for key, counts in activity.items() if not any(counts)),
            )
            if heard:
                conn.executemany("INSERT INTO heard (call) VALUES (?)", ((call,) for call in heard))
                conn.execute("DELETE FROM heard WHERE no <= (SELECT max(no) FROM heard) - ?", (JUDGED_MAX,))
            conn.executemany("REPLACE INTO mark VALUES (?, ?)", marks.items())
            conn.execute("COMMIT")
        except BaseException:
            if conn.in_transaction:  # on a full disk SQLite has ended it
                conn.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Release the file."""
        self._conn.close()


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        path.touch(mode=0o600)
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = NORMAL")
        [application] = conn.execute("PRAGMA application_id").fetchone()
        [version] = conn.execute("PRAGMA user_version").fetchone()
        if application == 0 and version == 0:
            with closing(conn.cursor()) as cursor:
                cursor.execute("BEGIN IMMEDIATE")
                for table in _TABLES.split(";"):
                    cursor.execute(table)
                cursor.execute(f"PRAGMA application_id = {APPLICATION}")
                cursor.execute(f"PRAGMA user_version = {VERSION}")
                cursor.execute("COMMIT")
        elif application != APPLICATION or version > VERSION:
            raise sqlite3.DatabaseError(f"{path} is not of this version")
        conn.execute(_ADDED)
    except BaseException:
        conn.close()
        raise
    return conn


def _item(items: dict[Subject, SubjectRecord], text: str) -> SubjectRecord:
    return items.setdefault(parsed(text), SubjectRecord())


def _evidence(first: int, last: int, count: int, confidence: int, at: int, evidence: str) -> SourceEvidence:
    return SourceEvidence(first, last, (SourceConfidence(confidence), at, evidence), count)


def _rows(by: Mapping[str, SourceEvidence], *key: str) -> Iterator[tuple[object, ...]]:
    for source, evidence_of in by.items():
        confidence, at, evidence = evidence_of.best
        yield (
            *key,
            source,
            evidence_of.first_ms,
            evidence_of.last_ms,
            evidence_of.count,
            int(confidence),
            at,
            evidence,
        )


def _save(conn: sqlite3.Connection, subject: str, item: SubjectRecord) -> None:
    conn.executemany("REPLACE INTO sighting VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _rows(item.evidence, subject))
    for edge, by in item.edges.items():
        conn.executemany(
            "REPLACE INTO edge VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _rows(by, subject, edge.verb.value, str(edge.to))
        )
    for key, values in item.traits.items():
        conn.executemany(
            "REPLACE INTO trait VALUES (?, ?, ?, ?, ?, ?)",
            ((subject, key, source, int(best[0]), best[1], best[2]) for source, best in values.items()),
        )
    if item.owner is not None:
        confidence, at, name = item.owner
        conn.execute("REPLACE INTO owner VALUES (?, ?, ?, ?)", (subject, int(confidence), at, name))

"""The tables of a ledger.

`segment` and `body` hold what was appended: one row of each per batch (`segment.py`), keyed by
the id of its first record. An id is `chain number << 40 | seq`, so that ids run in order of
chains and sequence. The tables below them are folds of the records (`state.py`) and could be
made anew from them: sessions and what of them changes with every call, intents of this epoch
without an outcome (one bit each, in blocks of 32 ids), those of earlier epochs, outcomes by
intent, approvals, passkeys, what people stopped, revoked tokens, credentials, labels of places in
stores, the keys of sessions' indices and the records that these are made of, which bodies were erased by which record.

`tile` and `signed` are of the RFC 6962 tree (`tiles.py`), which follows the records a little later: hashes by
`level << 48 | number`, and the last checkpoint that was signed.
"""

import sqlite3
from typing import Final

SEQ_BITS: Final = 40
BLOCK_BITS: Final = 5
"""Of an id, those within one row of `open_intents`."""

RECORD_TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segment (
    first INTEGER PRIMARY KEY, count INTEGER NOT NULL, records BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS body (first INTEGER PRIMARY KEY, bodies BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tile (id INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS signed (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
"""
STATE_TABLES: Final = """
CREATE TABLE chain (
    no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, replica TEXT NOT NULL,
    epoch INTEGER NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE TABLE session (
    no INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, user TEXT,
    started INTEGER NOT NULL, labels TEXT NOT NULL, ended INTEGER
) STRICT;
CREATE TABLE activity (
    no INTEGER PRIMARY KEY, calls INTEGER NOT NULL, irreversible INTEGER NOT NULL,
    last INTEGER NOT NULL
) STRICT;
CREATE TABLE open_intents (block INTEGER PRIMARY KEY, bits INTEGER NOT NULL) STRICT;
CREATE TABLE in_doubt (id INTEGER PRIMARY KEY, sid TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE TABLE outcome (intent INTEGER PRIMARY KEY, outcome INTEGER NOT NULL) STRICT;
CREATE TABLE unanswered (id INTEGER PRIMARY KEY, status TEXT NOT NULL) STRICT;
CREATE TABLE approval (
    id INTEGER PRIMARY KEY, state TEXT NOT NULL, detail TEXT NOT NULL
) STRICT;
CREATE INDEX approval_open ON approval (id) WHERE state IN ('pending', 'approved');
CREATE INDEX approval_refused ON approval (detail ->> 'expires_ms') WHERE state = 'denied';
CREATE TABLE revoked (
    token TEXT PRIMARY KEY, expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE credential (ident TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE passkey (
    ident TEXT PRIMARY KEY, user TEXT NOT NULL, key TEXT NOT NULL, count INTEGER NOT NULL, name TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE stored (place TEXT PRIMARY KEY, labels TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE keyed (sid TEXT PRIMARY KEY, key TEXT NOT NULL, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE origin (no INTEGER PRIMARY KEY, sid TEXT NOT NULL, record INTEGER NOT NULL) STRICT;
CREATE INDEX origin_of_session ON origin (sid, record);
CREATE TABLE erased (id INTEGER PRIMARY KEY, record INTEGER NOT NULL) STRICT;
CREATE TABLE stopped (
    what TEXT PRIMARY KEY, by TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL, holds TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE granted (id INTEGER PRIMARY KEY, detail TEXT NOT NULL) STRICT;
CREATE TABLE used (did TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE confidence (sid TEXT PRIMARY KEY, own INTEGER, told INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE spent (
    account TEXT PRIMARY KEY, since INTEGER NOT NULL, units INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tripped (
    what TEXT PRIMARY KEY, at INTEGER NOT NULL, detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE past (place TEXT PRIMARY KEY, detail TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE signed_off (
    breach TEXT PRIMARY KEY, guarantee TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL, why TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""

RECORDS: Final = ("meta", "segment", "body", "tile", "signed")
"""The tables that hold what was appended, and what is signed of it."""
STATE: Final = (
    "chain",
    "session",
    "activity",
    "open_intents",
    "in_doubt",
    "outcome",
    "unanswered",
    "approval",
    "revoked",
    "credential",
    "stored",
    "keyed",
    "origin",
    "erased",
    "stopped",
    "granted",
    "used",
    "confidence",
    "spent",
    "passkey",
    "tripped",
    "past",
    "signed_off",
)
"""The tables that are folds of the records."""


def create(conn: sqlite3.Connection) -> None:
    """Make every table that is not there, within the caller's transaction; those of the state are not."""
    for statement in (RECORD_TABLES + STATE_TABLES).split(";"):
        conn.execute(statement)

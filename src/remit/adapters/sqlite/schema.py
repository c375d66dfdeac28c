"""Opening a ledger's file: its schema version, and how an older file becomes one of this version.

A newer version is refused; an older one is backed up beside the file, then migrated.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from remit.adapters.sqlite.errors import NotALedger, SchemaTooNew
from remit.adapters.sqlite.migrate import migrate
from remit.adapters.sqlite.reads import open_readonly
from remit.adapters.sqlite.tables import create

VERSION: Final = 15
APPLICATION: Final = 0x524D4954
"""`RMIT`, in the file's header (sqlite.org/fileformat2.html, application id)."""


def connect(path: Path, factory: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
    """The writing connection to the ledger at `path`, made, or backed up and migrated, first.

    Raises `NotALedger`, `SchemaTooNew`; `sqlite3.Error` where the file cannot be read.
    """
    if not path.exists():
        # SQLite would make it readable to all; its log and index take the modes of this one.
        path.touch(mode=0o600)
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10, factory=factory)
    try:
        prepare(conn, path)
    except sqlite3.DatabaseError as error:
        conn.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise foreign(path) from error
        raise
    except BaseException:
        conn.close()
        raise
    return conn


def prepare(conn: sqlite3.Connection, path: Path) -> None:
    """Bring the database behind `conn` to this version and set how it commits."""
    version = check(conn, path)
    # Rollback journal until here: a file that is refused stays as it was, byte for byte.
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = FULL")
    conn.execute("PRAGMA wal_autocheckpoint = 0")
    conn.execute("PRAGMA cache_size = -32768")
    conn.execute("PRAGMA secure_delete = ON")
    if version is None:
        with _transaction(conn):
            create(conn)
            conn.execute(f"PRAGMA application_id = {APPLICATION}")
            conn.execute(f"PRAGMA user_version = {VERSION}")
        return
    if version < VERSION:
        _back_up(conn, path, version)
        with _transaction(conn):
            migrate(conn, version)
            conn.execute(f"PRAGMA user_version = {VERSION}")


def check(conn: sqlite3.Connection, path: Path) -> int | None:
    """The schema version of the ledger behind `conn`; None for an empty file.

    Raises `NotALedger`, `SchemaTooNew`.
    """
    [application] = conn.execute("PRAGMA application_id").fetchone()
    [version] = conn.execute("PRAGMA user_version").fetchone()
    [tables] = conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and version == 0 and tables == 0:
        return None
    if application != APPLICATION:
        raise foreign(path)
    if version > VERSION:
        raise SchemaTooNew(
            f"{path} was not opened",
            f"a later Remit wrote it (schema {version}, this one knows up to {VERSION})",
            "run that later version, or: remit up --data with another folder",
        )
    return int(version)


def earlier_version(path: Path) -> int | None:
    """The schema version of the ledger at `path` where an earlier Remit wrote it; None of anything else."""
    if not path.is_file():
        return None
    try:
        with closing(open_readonly(path)) as conn:
            version = check(conn, path)
    except (sqlite3.DatabaseError, NotALedger, SchemaTooNew):
        return None
    return version if version is not None and version < VERSION else None


@contextmanager
def _transaction(conn: sqlite3.Connection) -> Generator[None]:
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def _back_up(conn: sqlite3.Connection, path: Path, version: int) -> None:
    """Copy the file beside itself, once: what a first attempt copied is never overwritten."""
    target = backup_of(path, version)
    if target.exists():
        return
    unfinished = target.with_name(target.name + ".part")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    copy = sqlite3.connect(unfinished, isolation_level=None)
    try:
        conn.backup(copy)
    finally:
        copy.close()
    unfinished.rename(target)


def backup_of(path: Path, version: int) -> Path:
    """Where the ledger at `path` is copied to before it is migrated."""
    return path.with_name(f"{path.name}.v{version}.bak")


def foreign(path: Path) -> NotALedger:
    """What a file that is something else is refused with."""
    return NotALedger(
        f"{path} was not opened",
        "it is no ledger of Remit",
        "remit up --data with another folder, or move that file away",
    )

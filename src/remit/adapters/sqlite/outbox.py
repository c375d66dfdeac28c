"""The outbox in a file of its own beside the ledger: what it holds can be made again from approvals, and is no record.

A transaction is on disk when a method returns (`synchronous=FULL`): an approval counts as seen once
its notice is kept.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from remit.escalate.notice import Notice
from remit.ports.notifier import ChannelStatus, PendingNotice

_SCHEMA: Final = """\
CREATE TABLE IF NOT EXISTS notice (
  ident TEXT PRIMARY KEY, channel TEXT NOT NULL, approval TEXT NOT NULL, body BLOB NOT NULL, made_ms INTEGER NOT NULL,
  due_ms INTEGER, attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'waiting', why TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS due ON notice (due_ms) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS waits ON notice (approval, channel) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (approval TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
"""
_NUMBER: Final = "ALTER TABLE notice ADD COLUMN outcome INTEGER"
"""Which of the outcomes of its channel's attempts was its last one: a clock may be set back."""
_FAILURES: Final = "ALTER TABLE notice RENAME COLUMN failure TO outcome"
"""Earlier versions numbered the failures alone."""
_NUMBERED: Final = "CREATE INDEX IF NOT EXISTS outcomes ON notice (channel, outcome) WHERE outcome IS NOT NULL"
_NEXT: Final = (
    "outcome = (SELECT 1 + ifnull(max(outcome), 0) FROM notice AS other WHERE other.channel = notice.channel AND "
    "outcome IS NOT NULL)"
)
_KEEP: Final = (
    "INSERT INTO notice (ident, channel, approval, body, made_ms, due_ms) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_OVERTAKEN: Final = "DELETE FROM notice WHERE state = 'waiting' AND approval = ? AND channel = ? AND ident != ?"
"""What did not arrive before its approval moved on would come after what is true by then."""
KEPT_MAX: Final = 100_000
"""Notices that are over, kept so that they are not said again."""
_T = TypeVar("_T")


class SqliteOutbox:
    """A file, and the one thread that has it open."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._path = path
        self._open: sqlite3.Connection | None = None

    async def put(self, notices: Iterable[Notice], states: Mapping[str, str]) -> None:
        """Keep `notices` in the place of earlier ones that wait, and the `states` of approvals, in one transaction."""
        rows = [(*notice, notice.made_ms) for notice in notices]
        overtaken = [(approval, channel, ident) for ident, channel, approval, *_ in rows]

        def work(conn: sqlite3.Connection) -> None:
            conn.executemany(_OVERTAKEN, overtaken)
            conn.executemany(_KEEP, rows)
            conn.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", states.items())

        await self._run(work)

    async def states(self) -> Mapping[str, str]:
        """The states that were seen last."""
        return await self._run(lambda conn: dict(conn.execute("SELECT approval, state FROM seen").fetchall()))

    async def forget(self, approvals: Iterable[str]) -> None:
        """Forget the states of `approvals`, and the oldest of the notices that are over."""
        rows = [(approval,) for approval in approvals]

        def work(conn: sqlite3.Connection) -> None:
            conn.executemany("DELETE FROM seen WHERE approval = ?", rows)
            conn.execute(
                "DELETE FROM notice WHERE ident IN (SELECT ident FROM notice WHERE state != 'waiting' "
                "ORDER BY made_ms DESC LIMIT -1 OFFSET ?)",
                (KEPT_MAX,),
            )

        await self._run(work)

    async def mark(self) -> str:
        """How far the ledger was followed."""
        query = "SELECT value FROM mark WHERE name = 'ledger'"
        return await self._run(lambda conn: next((row[0] for row in conn.execute(query)), ""))

    async def follow(self, notices: Iterable[Notice], mark: str) -> None:
        """Keep `notices` and the `mark`, in one transaction."""
        rows = [(*notice, notice.made_ms) for notice in notices]

        def work(conn: sqlite3.Connection) -> None:
            conn.executemany(_KEEP, rows)
            conn.execute("INSERT OR REPLACE INTO mark VALUES ('ledger', ?)", (mark,))

        await self._run(work)

    async def due(self, now_ms: int, limit: int, waits_ms: Sequence[int]) -> Sequence[PendingNotice]:
        """Notices whose time has come, at most `limit` of each channel, by a clock that may have been set back."""
        columns = "ident, channel, approval, body, made_ms, attempts"
        query = (
            f"SELECT {columns} FROM (SELECT *, row_number() OVER (PARTITION BY channel ORDER BY due_ms) AS place "  # noqa: S608
            "FROM notice WHERE state = 'waiting' AND (due_ms <= ?1 OR due_ms > ?1 + (?3 ->> attempts))) "
            "WHERE place <= ?2 ORDER BY due_ms"
        )
        parameters = (now_ms, limit, json.dumps([0, *waits_ms]))

        def work(conn: sqlite3.Connection) -> Sequence[PendingNotice]:
            return [PendingNotice(Notice(*row[:-1]), row[-1]) for row in conn.execute(query, parameters)]

        return await self._run(work)

    async def delivered(self, ident: str) -> None:
        """The notice `ident` has arrived."""
        change = f"UPDATE notice SET state = 'said', {_NEXT} WHERE ident = ?"  # noqa: S608
        await self._run(lambda conn: conn.execute(change, (ident,)))

    async def failed(self, ident: str, due_ms: int | None, why: str) -> None:
        """An attempt was in vain."""
        state = "waiting" if due_ms is not None else "given up"
        change = f"UPDATE notice SET attempts = attempts + 1, due_ms = ?, state = ?, why = ?, {_NEXT} WHERE ident = ?"  # noqa: S608
        await self._run(lambda conn: conn.execute(change, (due_ms, state, why, ident)))

    async def channels(self) -> Mapping[str, ChannelStatus]:
        """How each channel fares."""
        query = (
            "SELECT channel, sum(state = 'waiting'), sum(state = 'given up'), "
            "(SELECT why FROM notice AS late WHERE late.channel = notice.channel AND late.state != 'said' AND "
            "why IS NOT NULL ORDER BY outcome DESC, made_ms DESC LIMIT 1), "
            "(SELECT state = 'said' FROM notice AS late WHERE late.channel = notice.channel AND outcome IS NOT NULL "
            "ORDER BY outcome DESC LIMIT 1) FROM notice GROUP BY channel"
        )

        def work(conn: sqlite3.Connection) -> Mapping[str, ChannelStatus]:
            return {name: ChannelStatus(*row, delivers=bool(said)) for name, *row, said in conn.execute(query)}

        return await self._run(work)

    async def close(self) -> None:
        """Release the file."""

        def work() -> None:
            if self._open is not None:
                self._open.close()

        await asyncio.get_running_loop().run_in_executor(self._thread, work)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        def within() -> _T:
            if self._open is None:
                self._path.touch(mode=0o600)
                self._open = _connect(self._path)
            self._open.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._open)
                self._open.execute("COMMIT")
            except BaseException:
                if self._open.in_transaction:  # on a full disk SQLite has ended it
                    self._open.execute("ROLLBACK")
                raise
            return result

        return await asyncio.get_running_loop().run_in_executor(self._thread, within)


def _connect(path: Path) -> sqlite3.Connection:
    """The file at `path`, with what one of an earlier version lacks."""
    conn = sqlite3.connect(path, isolation_level=None)
    try:
        conn.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + _SCHEMA)
        # One that asks how channels fare may be opening it at this moment too.
        conn.execute("BEGIN IMMEDIATE")
        columns = {row[1] for row in conn.execute("PRAGMA table_info(notice)")}
        if "outcome" not in columns:
            conn.execute(_FAILURES if "failure" in columns else _NUMBER)
            conn.execute("DROP INDEX IF EXISTS failures")
        conn.execute(_NUMBERED)
        conn.execute("COMMIT")
    except BaseException:
        conn.close()
        raise
    return conn

"""State tables as values: each row read into, and written from, the core's own types."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import orjson

from remit.escalate.machine import Approval, State, Vote
from remit.facts.session import Session
from remit.policy.verdict import Gate

_CHUNKS: Final = (64, 16, 4, 1)

SESSION: Final = (
    "SELECT no, sid, agent, user, started, labels, calls, irreversible, ended, last "
    "FROM session JOIN activity USING (no)"
)
"""Rows for `session_from`."""


def session_from(row: Sequence[Any]) -> Session:
    """The session of a row of `SESSION`."""
    return Session(
        sid=row[1],
        agent=row[2],
        user=row[3],
        started_ms=row[4],
        labels=frozenset(orjson.loads(row[5])),
        calls=row[6],
        irreversible_calls=row[7],
        ended_ms=row[8],
    )


def read_session(conn: sqlite3.Connection, sid: str) -> tuple[int, Session, int] | None:
    """Number, state and last record's id of session `sid`."""
    row = conn.execute(f"{SESSION} WHERE sid = ?", (sid,)).fetchone()
    return None if row is None else (row[0], session_from(row), row[9])


def write_sessions(conn: sqlite3.Connection, items: Sequence[tuple[int, Session]]) -> None:
    """Write what seldom changes of these sessions."""
    if not items:
        return
    flat: list[object] = []
    for number, session in items:
        flat += (
            number,
            session.sid,
            session.agent,
            session.user,
            session.started_ms,
            _json(sorted(session.labels)),
            session.ended_ms,
        )
    _write(
        conn,
        "INSERT INTO session VALUES",
        7,
        flat,
        " ON CONFLICT (no) DO UPDATE SET agent = excluded.agent, user = excluded.user,"
        " labels = excluded.labels, ended = excluded.ended",
    )


def write_activity(conn: sqlite3.Connection, flat: list[object]) -> None:
    """Write what changes of sessions with every call: number, calls, irreversible calls, last id, of each."""
    _write(conn, "REPLACE INTO activity VALUES", 4, flat)


def write_open(conn: sqlite3.Connection, blocks: Mapping[int, int]) -> None:
    """Write which intents of these blocks of ids have no outcome; 0 forgets a block."""
    flat: list[object] = []
    for block, bits in blocks.items():
        if bits:
            flat += (block, bits)
        else:
            conn.execute("DELETE FROM open_intents WHERE block = ?", (block,))
    _write(conn, "REPLACE INTO open_intents VALUES", 2, flat)


def write_outcomes(conn: sqlite3.Connection, closed: Mapping[int, int]) -> None:
    """Write outcomes by intent."""
    flat: list[object] = []
    for intent, outcome in closed.items():
        flat += (intent, outcome)
    _write(conn, "INSERT INTO outcome VALUES", 2, flat)


def write_doubtful(conn: sqlite3.Connection, ident: int, sid: str, at: int) -> None:
    """Remember an intent of an earlier epoch without an outcome."""
    conn.execute("INSERT INTO in_doubt VALUES (?, ?, ?)", (ident, sid, at))


def forget_doubtful(conn: sqlite3.Connection, ident: int) -> bool:
    """It has its outcome after all; False when it was not in doubt."""
    return conn.execute("DELETE FROM in_doubt WHERE id = ?", (ident,)).rowcount > 0


def approval_from(row: Sequence[Any]) -> Approval:
    """The approval of a row `(detail,)`."""
    value = orjson.loads(row[0])
    return Approval(
        ident=value["ident"],
        action=value["action"],
        sid=value["sid"],
        agent=value["agent"],
        user=value["user"],
        server=value["server"],
        name=value["name"],
        gates=tuple(Gate(gate["policy"], gate["route"], gate["text_hash"]) for gate in value["gates"]),
        opened_ms=value["opened_ms"],
        expires_ms=value["expires_ms"],
        state=State(value["state"]),
        votes=tuple(Vote(vote["by"], vote["at"], tuple(vote["routes"]), vote["note"]) for vote in value["votes"]),
        refused_by=value["refused_by"],
        claimed_by=value["claimed_by"],
    )


def read_approval(conn: sqlite3.Connection, ident: int) -> Approval | None:
    """The approval opened by the record with this id."""
    row = conn.execute("SELECT detail FROM approval WHERE id = ?", (ident,)).fetchone()
    return None if row is None else approval_from(row)


def write_approvals(conn: sqlite3.Connection, approvals: Mapping[int, Approval]) -> None:
    """Write these approvals."""
    flat: list[object] = []
    for ident, approval in approvals.items():
        flat += (ident, approval.state.value, _json(approval))
    _write(conn, "REPLACE INTO approval VALUES", 3, flat)


def write_revoked(conn: sqlite3.Connection, token: str, expires_ms: int) -> None:
    """Remember a revoked token."""
    conn.execute("REPLACE INTO revoked VALUES (?, ?)", (token, expires_ms))


def write_credential(conn: sqlite3.Connection, ident: str, digest: str | None) -> None:
    """Store a credential's hash, or remove it."""
    if digest is None:
        conn.execute("DELETE FROM credential WHERE ident = ?", (ident,))
    else:
        conn.execute("REPLACE INTO credential VALUES (?, ?)", (ident, digest))


def _json(value: object) -> str:
    return orjson.dumps(value).decode("utf-8")


@cache
def _statement(head: str, width: int, count: int, tail: str) -> str:
    row = f"({', '.join('?' * width)})"
    return f"{head} {', '.join([row] * count)}{tail}"


def _write(conn: sqlite3.Connection, head: str, width: int, flat: list[object], tail: str = "") -> None:
    """Insert rows of `width` values, by statements of a few lengths, each compiled once."""
    at = 0
    end = len(flat)
    for count in _CHUNKS:
        step = count * width
        while end - at >= step:
            conn.execute(_statement(head, width, count, tail), flat[at : at + step])
            at += step

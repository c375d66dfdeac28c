"""How an older ledger file becomes one of the next version, within one transaction.

Records are moved as they are stored; state is folded anew.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from itertools import tee
from typing import Any, Final

import orjson

from remit.adapters.sqlite import reads, rows
from remit.adapters.sqlite.frames import kept_of
from remit.adapters.sqlite.passkeys import Changing, passkeys
from remit.adapters.sqlite.pasts import Pasts
from remit.adapters.sqlite.reads import SEGMENT
from remit.adapters.sqlite.segment import ERASED, body_head, record_head, unpack
from remit.adapters.sqlite.state import State
from remit.adapters.sqlite.tables import (
    BREAKERS,
    BUDGETS,
    INDEX_OF_ORIGINS,
    PASSKEYS,
    PAST,
    PROOF_TABLES,
    REFUSALS,
    SEQ_BITS,
    STOPS,
    TABLES,
    THRESHOLDS,
    UNSETTLED,
    create,
)
from remit.facts.novelty import UsageHistory
from remit.facts.record import Record, RecordKind, Ref
from remit.pdp.deltas import PasskeyAdded, PasskeyRemoved, PasskeyUsed
from remit.pdp.fold import fold
from remit.pdp.past_deltas import PastCarried, PastMarked
from remit.trace.bodies import (
    UNANSWERED,
    ActionBody,
    AdminBody,
    Body,
    Choice,
    DecisionBody,
    OutcomeBody,
)
from remit.trace.chain import parts
from remit.trace.encoding import Undecodable, decode_body, decode_record
from remit.trace.erasure import frames

_FLUSH: Final = 1_000
_MARKING: Final = frozenset({RecordKind.INTENT, RecordKind.PROPOSAL, RecordKind.OUTCOME, RecordKind.ADMIN})
"""Records that may say something of the past (`facts.mark`)."""


def from_version_0(conn: sqlite3.Connection) -> None:
    """Version 0 had one table, `record (chain, seq, bytes, hash, salt, body)`, and no state."""
    conn.execute("ALTER TABLE record RENAME TO old_record")
    create(conn)
    names = [row[0] for row in conn.execute("SELECT DISTINCT chain FROM old_record")]
    state = State(conn)
    for chain in sorted(names, key=parts):
        records = conn.execute(
            "SELECT seq, bytes, hash, salt, body FROM old_record WHERE chain = ? ORDER BY seq",
            (chain,),
        )
        for seq, data, digest, salt, body in records:
            ref = Ref(chain, seq)
            record = decode_record(data)
            deltas = () if body is None else fold(ref, record.at, record.kind, decode_body(record.kind, body))
            earlier = state.record(ref, record.sid, deltas)
            ident = state.chains[chain] << SEQ_BITS | seq
            conn.execute(
                "INSERT INTO segment VALUES (?, 1, ?)",
                (ident, record_head(len(data), earlier) + data + digest),
            )
            packed = body_head(ERASED) if body is None else body_head(len(body)) + salt + body
            conn.execute("INSERT INTO body VALUES (?, ?)", (ident, packed))
            if seq % _FLUSH == 0:
                rows.write(conn, state.take())
        rows.write(conn, state.take())
    if names:
        replica, _ = parts(max(names, key=parts))
        conn.execute("INSERT INTO meta VALUES ('replica', ?)", (replica,))
    conn.execute("DROP TABLE old_record")


def from_version_1(conn: sqlite3.Connection) -> None:
    """Version 1 kept nothing of stores and of indices, and no record of its says anything of them."""
    existing = {row[0] for row in conn.execute("SELECT name FROM sqlite_master")}
    for statement in TABLES.split(";"):
        if any(f" {name} (" in statement and name not in existing for name in ("stored", "keyed", "origin")):
            conn.execute(statement)
    if "origin" not in existing:
        conn.execute(INDEX_OF_ORIGINS)


def from_version_2(conn: sqlite3.Connection) -> None:
    """Version 2 had no tree and no erasures; the service makes the tree from the records, beside its work."""
    for statement in PROOF_TABLES.split(";"):
        conn.execute(statement)


def from_version_3(conn: sqlite3.Connection) -> None:
    """Version 3 had no stops, and approvals without edits, delegations, presets and glass; claimed ones executed."""
    if not conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'stopped'").fetchone():
        conn.execute(STOPS)
    for number, detail in conn.execute("SELECT id, detail FROM approval").fetchall():
        value: dict[str, Any] = orjson.loads(detail)
        if "requested" not in value:
            value["requested"] = value.pop("action")
            value["state"] = "claimed" if value["state"] == "executing" else value["state"]
            value |= {"nonce": "", "edit": None, "delegations": [], "reason": None, "glass": None}
            value["superseded_by"] = None
            rows.write(conn, {"approval": [rows.approval_row(number, rows.approval_from((orjson.dumps(value),)))]})


def from_version_4(conn: sqlite3.Connection) -> None:
    """Version 4 had no grants, and did not tell what agents did before: that is told from their intents."""
    if conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'granted'").fetchone():
        return
    for statement in THRESHOLDS.split(";"):
        conn.execute(statement)
    _tell_used(conn)


def _tell_used(conn: sqlite3.Connection) -> None:
    """What agents did, told from their intents."""
    history, erased, new_rows = UsageHistory(), dict[str, int](), list[rows.Row]()
    for row in conn.execute(f"{SEGMENT} ORDER BY segment.first").fetchall():
        for stored in unpack(*row):
            record = decode_record(stored.record)
            if stored.body is None:
                erased[str(Ref(record.chain, record.seq))] = stored.id
                continue
            body = decode_body(record.kind, stored.body)
            if record.kind is RecordKind.INTENT:
                new_rows += _new(history, body, stored.id)
            elif isinstance(body, AdminBody):
                for ident, frame in frames(body).items():
                    if ident in erased:
                        new_rows += _new(history, _intent(frame), erased[ident])
    rows.write(conn, {"used": new_rows})


def from_version_5(conn: sqlite3.Connection) -> None:
    """Version 5 had no budgets, and no record of its says anything of them."""
    if not conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'spent'").fetchone():
        conn.execute(BUDGETS)


def from_version_6(conn: sqlite3.Connection) -> None:
    """Version 6 had no passkeys, and did not tell of a yes whether it was confirmed beyond a token: none was."""
    if not conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'passkey'").fetchone():
        conn.execute(PASSKEYS)
    for number, detail in conn.execute("SELECT id, detail FROM approval").fetchall():
        rows.write(conn, {"approval": [rows.approval_row(number, rows.approval_from((detail,)))]})
    for number, detail in conn.execute("SELECT id, detail FROM granted").fetchall():
        grant = rows.grant_from(detail)
        if grant is not None:
            rows.write(conn, {"granted": [rows.grant_row(number, grant)]})


def from_version_7(conn: sqlite3.Connection) -> None:
    """Version 7 had no breakers, and no record of its says anything of them."""
    if not conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'tripped'").fetchone():
        conn.execute(BREAKERS)


def from_version_8(conn: sqlite3.Connection) -> None:
    """Version 8 had no monitors, and no record of its says anything of them."""
    if not conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'past'").fetchone():
        for statement in PAST.split(";"):
            conn.execute(statement)


def from_version_9(conn: sqlite3.Connection) -> None:
    """Version 9 held what one agent of a chain did against all of them, who had not done it."""
    conn.execute("DELETE FROM used")
    _tell_used(conn)


def from_version_10(conn: sqlite3.Connection) -> None:
    """Version 10 forgot passkeys that were removed, and what was delegated was never confirmed beyond a token."""
    current, changes, removed = {passkey.ident for passkey in passkeys(conn)}, Changing(conn), dict[str, rows.Row]()
    for row in conn.execute(f"{SEGMENT} ORDER BY segment.first").fetchall():
        for stored in unpack(*row):
            record = decode_record(stored.record)
            if stored.body is None or record.kind not in {RecordKind.ADMIN, RecordKind.DECISION}:
                continue
            body = decode_body(record.kind, stored.body)
            for delta in fold(Ref(record.chain, record.seq), record.at, record.kind, body):
                if isinstance(delta, PasskeyAdded | PasskeyUsed | PasskeyRemoved):
                    removed.update([changes.change(delta)])
    rows.write(conn, {"passkey": [row for ident, row in removed.items() if ident not in current]})
    for number, detail in conn.execute("SELECT id, detail FROM approval").fetchall():
        rows.write(conn, {"approval": [rows.approval_row(number, rows.approval_from((detail,)))]})


def from_version_11(conn: sqlite3.Connection) -> None:
    """Version 11 may hold steps of windows that were over, as long as nothing came after: the past is folded anew."""
    if not conn.execute("SELECT 1 FROM past LIMIT 1").fetchone():
        return
    conn.execute("DELETE FROM past")
    kept_frames = dict[str, bytes]()
    for record, data in _records(conn):
        if record.kind is RecordKind.ADMIN and data is not None:
            body = decode_body(record.kind, data)
            kept_frames.update(frames(body) if isinstance(body, AdminBody) else {})
    pasts = Pasts(conn)
    for number, (record, data) in enumerate(_records(conn)):
        ref = Ref(record.chain, record.seq)
        body_bytes = data or kept_frames.get(str(ref))
        if body_bytes is not None and record.kind in _MARKING:
            for delta in fold(ref, record.at, record.kind, decode_body(record.kind, body_bytes)):
                if isinstance(delta, PastMarked | PastCarried):
                    pasts.change(delta)
        if number % _FLUSH == 0:
            rows.write(conn, {"past": pasts.take()})
    rows.write(conn, {"past": pasts.take()})


def from_version_12(conn: sqlite3.Connection) -> None:
    """Version 12 had the note of a no on its record alone."""
    approvals = {number: rows.approval_from(row) for number, *row in conn.execute("SELECT id, detail FROM approval")}
    numbers = {approval.ident: number for number, approval in approvals.items() if approval.refused_by is not None}
    for record, data in _records(conn) if numbers else ():
        body = None if data is None or record.kind is not RecordKind.DECISION else decode_body(record.kind, data)
        if isinstance(body, DecisionBody) and body.choice is Choice.DENY and body.approval in numbers:
            number = numbers.pop(body.approval)
            approvals[number] = replace(approvals[number], note=body.note)
    rows.write(conn, {"approval": [rows.approval_row(number, approval) for number, approval in approvals.items()]})


def from_version_13(conn: sqlite3.Connection) -> None:
    """Version 13 did not tell how intents ended. An outcome that a person's word replaced is not looked at: settled."""
    if conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'unanswered'").fetchone():
        return
    conn.execute(UNSETTLED)
    outcomes, idents = tee(conn.execute("SELECT outcome, intent FROM outcome ORDER BY outcome"))
    unanswered: list[rows.Row] = []
    for (_, intent), stored in zip(outcomes, reads.stored_at_each(conn, (row[0] for row in idents)), strict=True):
        body = kept_of(conn, stored)
        if isinstance(body, OutcomeBody) and body.status in UNANSWERED:
            unanswered.append((intent, body.status))
    rows.write(conn, {"unanswered": unanswered})


def from_version_14(conn: sqlite3.Connection) -> None:
    """Version 14 found noes by looking at every approval."""
    if not conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'approval_refused'").fetchone():
        conn.execute(REFUSALS)


def _records(conn: sqlite3.Connection) -> Iterator[tuple[Record, bytes | None]]:
    """All records in their order, with the bodies that are not erased; one batch at a time in memory."""
    firsts = [first for (first,) in conn.execute("SELECT first FROM segment ORDER BY first").fetchall()]
    for first in firsts:
        for row in conn.execute(f"{SEGMENT} WHERE segment.first = ?", (first,)).fetchall():
            for stored in unpack(*row):
                yield decode_record(stored.record), stored.body


def _new(history: UsageHistory, body: Body | None, ident: int) -> list[rows.Row]:
    if not isinstance(body, ActionBody):
        return []
    new = history.intent(body.links, body.kind, body.server, body.name, body.reaches)
    return [rows.used_row(use, ident) for use in new]


def _intent(frame: bytes) -> Body | None:
    """The erased intent that `frame` is what is kept of; None for anything else, a proposal among it."""
    try:
        body = decode_body(RecordKind.INTENT, frame)
    except Undecodable:
        return None
    return body if isinstance(body, ActionBody) and body.verdict == "permit" else None

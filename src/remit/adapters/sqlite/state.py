"""State tables: the deltas of `pdp.fold`, applied in memory and written once per batch.

One owner uses this at a time: the writer's thread, or whoever folds a ledger again. Sessions
stay cached between batches, since that owner alone changes them. Within a batch each touched
row is written once, and an intent that was opened and closed in it is never written at all.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final, assert_never

from remit.adapters.sqlite import rows
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.escalate.machine import Approval
from remit.facts.record import RecordKind, Ref
from remit.facts.session import Session
from remit.pdp.fold import (
    ApprovalClaimed,
    ApprovalDelta,
    ApprovalMoved,
    ApprovalOpened,
    ApprovalRefused,
    ApprovalVoted,
    CredentialSet,
    Delta,
    EpochBegan,
    IntentClosed,
    IntentOpened,
    LabelsJoined,
    SessionDelta,
    SessionEnded,
    SessionTouched,
    TokenRevoked,
    apply_approval,
    apply_session,
    fold,
    in_doubt,
)
from remit.trace.bodies import Body
from remit.trace.chain import parts

_CACHED_MAX: Final = 20_000


@dataclass(slots=True)
class _Row:
    """A session, its number, and the id of the last record made in it."""

    no: int
    session: Session
    last: int = 0


class State:
    """The state tables behind `conn`, changed record by record and written by `flush`."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self.chains: dict[str, int] = dict(conn.execute("SELECT name, no FROM chain"))
        [last] = conn.execute("SELECT coalesce(max(no), 0) FROM session").fetchone()
        self._sessions_made: int = last
        self._sessions: dict[str, _Row] = {}
        self._described: dict[str, _Row] = {}
        self._active: dict[str, _Row] = {}
        self._opened: dict[int, IntentOpened] = {}
        self._closed: dict[int, int] = {}
        self._approvals: dict[int, Approval] = {}

    def id_of(self, ref: Ref) -> int | None:
        """The id of the record at `ref`; None for a chain that is not in this file."""
        number = self.chains.get(ref.chain)
        return None if number is None else number << SEQ_BITS | ref.seq

    def record(self, ref: Ref, at: int, kind: RecordKind, sid: str, body: Body | None) -> int:
        """Fold one record in; the id of the record before it in its session, or 0."""
        if body is not None:
            for delta in fold(ref, at, kind, body):
                self._apply(delta)
        if not sid:
            return 0
        row = self._session(sid)
        if row is None:
            return 0
        earlier = row.last
        row.last = self.chains[ref.chain] << SEQ_BITS | ref.seq
        self._active[sid] = row
        return earlier

    def flush(self) -> None:
        """Write what changed since the last flush, within the caller's transaction."""
        conn = self._conn
        rows.write_sessions(conn, [(row.no, row.session) for row in self._described.values()])
        rows.write_activity(conn, [(row.no, row.session, row.last) for row in self._active.values()])
        rows.write_opened(conn, self._opened, self._closed)
        rows.write_closed(conn, self._closed, self._opened)
        rows.write_approvals(conn, self._approvals)
        self._described.clear()
        self._active.clear()
        self._opened.clear()
        self._closed.clear()
        self._approvals.clear()
        if len(self._sessions) > _CACHED_MAX:
            self._sessions.clear()

    def _apply(self, delta: Delta) -> None:
        match delta:
            case SessionTouched() | LabelsJoined() | SessionEnded():
                self._change_session(delta)
            case IntentOpened():
                self._opened[self.chains[delta.ref.chain] << SEQ_BITS | delta.ref.seq] = delta
            case IntentClosed():
                intent = self._named(delta.intent)
                outcome = self.id_of(delta.outcome)
                if intent is not None and outcome is not None:
                    self._closed.setdefault(intent, outcome)
            case ApprovalOpened(approval):
                ident = self._named(approval.ident)
                if ident is not None:
                    self._approvals[ident] = approval
            case ApprovalVoted() | ApprovalRefused() | ApprovalClaimed() | ApprovalMoved():
                self._change_approval(delta)
            case TokenRevoked(token, expires):
                rows.write_revoked(self._conn, token, expires)
            case CredentialSet(ident, digest):
                rows.write_credential(self._conn, ident, digest)
            case EpochBegan(chain, at):
                self._begin(chain, at)
            case _:
                assert_never(delta)

    def _change_session(self, delta: SessionDelta) -> None:
        sid = delta.sid
        row = self._session(sid)
        if row is None:
            self._sessions_made += 1
            row = _Row(self._sessions_made, apply_session(None, delta))
            self._sessions[sid] = row
            self._described[sid] = row
            self._active[sid] = row
            return
        before = row.session
        after = row.session = apply_session(before, delta)
        self._active[sid] = row
        if after.labels != before.labels or after.ended_ms != before.ended_ms or after.agent != before.agent:
            self._described[sid] = row

    def _session(self, sid: str) -> _Row | None:
        row = self._sessions.get(sid)
        if row is None:
            found = rows.read_session(self._conn, sid)
            if found is not None:
                row = self._sessions[sid] = _Row(*found)
        return row

    def _change_approval(self, delta: ApprovalDelta) -> None:
        ident = self._named(delta.ident)
        if ident is None:
            return
        before = self._approvals.get(ident)
        if before is None:
            before = rows.read_approval(self._conn, ident)
        if before is None:
            return
        after = apply_approval(before, delta)
        if after is not before:
            self._approvals[ident] = after

    def _begin(self, chain: str, at: int) -> None:
        """Number the chain; earlier epochs' intents without an outcome are now in doubt."""
        self.flush()
        replica, epoch = parts(chain)
        number = max(self.chains.values(), default=0) + 1
        # Fenced by the key: two owners of one epoch cannot both get here.
        self._conn.execute("INSERT INTO chain VALUES (?, ?, ?, ?, ?)", (number, chain, replica, epoch, at))
        self.chains[chain] = number
        for intent in rows.read_doubtful(self._conn, replica, epoch):
            for delta in in_doubt(intent, at):
                self._apply(delta)
        rows.mark_doubtful(self._conn, replica, epoch)

    def _named(self, ident: str) -> int | None:
        try:
            return self.id_of(Ref.parse(ident))
        except ValueError:
            return None

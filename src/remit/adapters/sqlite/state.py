"""State tables: the deltas of `pdp.fold`, applied in memory; the rows that changed go with their batch.

One owner uses this at a time: the ledger's writer, or whoever folds a ledger again. It reads through `conn` what
is not in memory, and writes nothing: `take` gives the rows that changed, and they are in the file before the next
record is taken in. Sessions stay cached between batches, since that owner alone changes them. Within a batch each
touched row is written once, and an intent that was opened and closed in it is never written at all.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from remit.adapters.sqlite import reads, rows
from remit.adapters.sqlite.live_session import LiveSession
from remit.adapters.sqlite.passkeys import Changing
from remit.adapters.sqlite.pasts import Pasts
from remit.adapters.sqlite.segment import Stored
from remit.adapters.sqlite.tables import BLOCK_BITS, SEQ_BITS
from remit.escalate.grants import Grant
from remit.escalate.machine import Approval
from remit.facts.confidence import UNSAID, Confidence
from remit.facts.label import Labels
from remit.facts.novelty import UsageHistory, Use
from remit.facts.record import Ref
from remit.facts.session import Session
from remit.facts.stop import subject
from remit.pdp.apply import apply_approval, apply_budget, apply_grant, apply_session
from remit.pdp.deltas import (
    ApprovalDelta,
    ApprovalOpened,
    BodiesErased,
    BreakerDelta,
    BudgetDelta,
    BudgetReset,
    Charged,
    Closed,
    ConfidenceStated,
    CredentialSet,
    Delta,
    EpochBegan,
    GrantDelta,
    GrantRevoked,
    GrantUsed,
    GrantVoted,
    Halted,
    IntentClosed,
    IntentOpened,
    LabelsJoined,
    OriginsAdded,
    PasskeyAdded,
    PasskeyDelta,
    PasskeyRemoved,
    PasskeyUsed,
    PlaceLabelled,
    Refunded,
    Resumed,
    SessionDelta,
    SessionEnded,
    SessionKeyed,
    SessionTouched,
    TokenRevoked,
    Tripped,
)
from remit.pdp.fold import in_doubt
from remit.pdp.past_deltas import PastCarried, PastMarked, SignedOff
from remit.protect.budgets import Accounts
from remit.trace.bodies import ActionBody
from remit.trace.chain import parts
from remit.trace.encoding import decode_body, decode_record

_CACHED_MAX: Final = 20_000
_BLOCK_MASK: Final = (1 << BLOCK_BITS) - 1


class State:
    """The state tables that `conn` reads, changed record by record; the changes are given by `take`."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self.chains: dict[str, int] = dict(conn.execute("SELECT name, no FROM chain"))
        [last] = conn.execute("SELECT coalesce(max(no), 0) FROM session").fetchone()
        self._sessions_made: int = last
        self._sessions: dict[str, LiveSession] = {}
        self._open: dict[int, int] = dict(conn.execute("SELECT block, bits FROM open_intents"))
        self._doubtful: set[int] = {row[0] for row in conn.execute("SELECT id FROM in_doubt")}
        self._active: dict[str, LiveSession] = {}
        self._described: dict[str, LiveSession] = {}
        self._blocks: set[int] = set()
        self._closed: list[rows.Row] = []
        self._approvals: dict[int, Approval] = {}
        [self._origins] = conn.execute("SELECT coalesce(max(no), 0) FROM origin").fetchone()
        self._store_labels: dict[str, Labels] = {}
        self._grants: dict[int, Grant] = {}
        self._passkeys = Changing(conn)
        self._usage = UsageHistory(reads.usage(conn))
        self._accounts = Accounts(reads.balances(conn))
        self._pasts = Pasts(conn)
        self._seldom: dict[str, dict[int | str, rows.Row]] = {}
        """What changed of the other tables, by table and key."""

    def id_of(self, ref: Ref) -> int | None:
        """The id of the record at `ref`; None for a chain that is not in this file."""
        number = self.chains.get(ref.chain)
        return None if number is None else number << SEQ_BITS | ref.seq

    def record(self, ref: Ref, sid: str, deltas: Sequence[Delta]) -> int:
        """Take in the record at `ref`, made in session `sid`; the id of the record before it there, or 0."""
        ident = self.chains.get(ref.chain, 0) << SEQ_BITS | ref.seq
        row = None
        for delta in deltas:
            # The two of every intent come first and without a call: this runs for every record.
            if type(delta) is SessionTouched and (row := self._sessions.get(delta.sid)) is not None:
                if row.session.agent:
                    row.calls += delta.calls
                    row.irreversible += delta.irreversible
                    self._active[delta.sid] = row
                else:
                    self._change_session(delta)
            elif type(delta) is IntentOpened:
                body = delta.body
                if new := self._usage.intent(body.links, body.kind, body.server, body.name, body.reaches):
                    self._remember(new, ident)
                block = ident >> BLOCK_BITS
                self._open[block] = self._open.get(block, 0) | 1 << (ident & _BLOCK_MASK)
                self._blocks.add(block)
            elif type(delta) is PastMarked or type(delta) is PastCarried:
                self._pasts.change(delta)
            else:
                self._apply(delta)
        if not sid:
            return 0
        if row is None or row.session.sid != sid:
            row = self._session(sid)
            if row is None:
                return 0
            self._active[sid] = row
        earlier, row.last = row.last, ident
        return earlier

    def take(self) -> rows.Changed:
        """The rows that changed since the last time."""
        changed: dict[str, Sequence[rows.Row]] = {
            "activity": [(row.no, row.calls, row.irreversible, row.last) for row in self._active.values()],
            "open_intents": [(block, self._open.get(block)) for block in self._blocks],
            "outcome": list(self._closed),
            "session": [rows.session_row(row.no, row.session) for row in self._described.values()],
            "approval": [rows.approval_row(ident, approval) for ident, approval in self._approvals.items()],
            "granted": [rows.grant_row(ident, grant) for ident, grant in self._grants.items()],
            "past": self._pasts.take(),
        }
        for table, items in self._seldom.items():
            changed[table] = list(items.values())
        for collection in (self._active, self._described, self._blocks, self._closed, self._approvals, self._seldom):
            collection.clear()
        self._grants.clear()
        self._passkeys.clear()
        for cached in (self._sessions, self._store_labels):
            if len(cached) > _CACHED_MAX:
                cached.clear()
        return changed

    def _apply(self, delta: Delta) -> None:
        match delta:
            case SessionTouched() | LabelsJoined() | SessionEnded() | ConfidenceStated():
                self._change_session(delta)
            case GrantVoted() | GrantRevoked() | GrantUsed():
                self._change_grant(delta)
            case IntentOpened() | PastMarked() | PastCarried():
                raise AssertionError("of its own record alone")
            case IntentClosed():
                self._close(delta)
            case ApprovalOpened(approval):
                ident = self._id_named(approval.ident)
                if ident is not None:
                    self._approvals[ident] = approval
            case (
                Halted() | Resumed() | SignedOff() | TokenRevoked() | CredentialSet()
                | PasskeyAdded() | PasskeyUsed() | PasskeyRemoved()
            ):  # fmt: skip
                self._set(delta)
            case BodiesErased():
                self._erase(delta)
            case EpochBegan(chain, at):
                self._begin(chain, at)
            case Charged() | Refunded() | BudgetReset() | Tripped() | Closed():
                self._bound(delta)
            case PlaceLabelled(where, labels):
                self._label(where, labels)
            case SessionKeyed(ref, sid, key):
                self._change("keyed", sid, rows.keyed_row(sid, key, self.id_of(ref) or 0))
            case OriginsAdded(ref, sid):
                self._origins += 1
                number = self._origins
                self._change("origin", number, rows.origin_row(number, sid, self.id_of(ref) or 0))
            case _:
                self._change_approval(delta)

    def _set(self, delta: Halted | Resumed | SignedOff | TokenRevoked | CredentialSet | PasskeyDelta) -> None:
        match delta:
            case Halted(stop):
                self._change("stopped", subject(stop.target), rows.stopped_row(subject(stop.target), stop))
            case Resumed(what):
                self._change("stopped", subject(what), rows.stopped_row(subject(what), None))
            case SignedOff(sign_off):
                self._change("signed_off", sign_off.breach, rows.signed_off_row(sign_off))
            case TokenRevoked(token, expires):
                self._change("revoked", token, rows.revoked_row(token, expires))
            case CredentialSet(ident, digest):
                self._change("credential", ident, rows.credential_row(ident, digest))
            case _:
                self._change("passkey", *self._passkeys.change(delta))

    def _bound(self, delta: BudgetDelta | BreakerDelta) -> None:
        match delta:
            case Tripped(key, trip):
                self._change("tripped", key, rows.tripped_row(key, trip))
            case Closed(key):
                self._change("tripped", key, rows.tripped_row(key, None))
            case _:
                account = delta.account
                self._change("spent", account, rows.spent_row(account, apply_budget(self._accounts, delta)))

    def _erase(self, delta: BodiesErased) -> None:
        for number in filter(None, map(self._id_named, delta.erased)):
            self._change("erased", number, (number, self.id_of(delta.ref)))

    def _change_session(self, delta: SessionDelta) -> None:
        sid = delta.sid
        row = self._session(sid)
        if row is None:
            self._sessions_made += 1
            session = apply_session(None, delta)
            row = LiveSession(self._sessions_made, session, session.calls, session.irreversible_calls)
            self._sessions[sid] = row
            self._described[sid] = self._active[sid] = row
            self._state_confidence(UNSAID, session)
            return
        before = row.session
        after = row.session = apply_session(before, delta)
        row.calls += after.calls - before.calls
        row.irreversible += after.irreversible_calls - before.irreversible_calls
        self._active[sid] = row
        self._state_confidence(before.confidence, after)
        if after.labels != before.labels or after.ended_ms != before.ended_ms or after.agent != before.agent:
            self._described[sid] = row

    def _state_confidence(self, before: Confidence, after: Session) -> None:
        if after.confidence != before:
            self._change("confidence", after.sid, rows.confidence_row(after.sid, after.confidence))

    def _remember(self, new: Sequence[Use], ident: int) -> None:
        for use in new:
            row = rows.used_row(use, ident)
            self._change("used", str(row[0]), row)

    def _change_grant(self, delta: GrantDelta) -> None:
        ident = self._id_named(delta.ident)
        if ident is not None:
            before = self._grants.get(ident) or rows.read_grant(self._conn, ident)
            after = apply_grant(before, delta)
            if after is not None:
                self._grants[ident] = after

    def _session(self, sid: str) -> LiveSession | None:
        row = self._sessions.get(sid)
        if row is None:
            stored = rows.read_session(self._conn, sid)
            if stored is not None:
                number, session, last = stored
                row = LiveSession(number, session, session.calls, session.irreversible_calls, last)
                self._sessions[sid] = row
        return row

    def _label(self, where: str, labels: Labels) -> None:
        before = self._store_labels.get(where)
        if before is None:
            before = rows.read_stored(self._conn, where)
        after = self._store_labels[where] = before | labels
        if after != before:
            self._change("stored", where, rows.stored_row(where, after))

    def _change(self, table: str, key: int | str, row: rows.Row) -> None:
        self._seldom.setdefault(table, {})[key] = row

    def _change_approval(self, delta: ApprovalDelta) -> None:
        ident = self._id_named(delta.ident)
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

    def _close(self, delta: IntentClosed) -> None:
        """An intent has one outcome, the first, until a person says more; what is no open intent changes nothing."""
        ident = self._id_named(delta.intent)
        outcome = self.id_of(delta.outcome)
        if ident is None or outcome is None:
            return
        block, bit = ident >> BLOCK_BITS, 1 << (ident & _BLOCK_MASK)
        bits = self._open.get(block, 0)
        if bits & bit:
            self._blocks.add(block)
            if bits != bit:
                self._open[block] = bits ^ bit
            else:
                del self._open[block]
        elif ident in self._doubtful:
            self._doubtful.remove(ident)
            self._change("in_doubt", ident, (ident, None, None))
        elif not delta.settled:
            return
        if delta.settled or delta.unanswered is not None:
            self._change("unanswered", ident, (ident, delta.unanswered))
        self._closed.append((ident, outcome))

    def _begin(self, chain: str, at: int) -> None:
        """Number the chain; earlier epochs' intents without an outcome are now in doubt."""
        replica, epoch = parts(chain)
        number = max(self.chains.values(), default=0) + 1
        self._change("chain", number, (number, chain, replica, epoch, at))
        self.chains[chain] = number
        earlier = {no for name, no in self.chains.items() if parts(name)[0] == replica and parts(name)[1] < epoch}
        doubtful: list[int] = []
        for block in sorted(block for block in self._open if block >> SEQ_BITS - BLOCK_BITS in earlier):
            bits = self._open.pop(block)
            self._blocks.add(block)
            doubtful += [block << BLOCK_BITS | number for number in range(1 << BLOCK_BITS) if bits >> number & 1]
        for stored in reads.stored_at_each(self._conn, doubtful):
            self._doubt(stored, at)

    def _doubt(self, stored: Stored, at: int) -> None:
        record = decode_record(stored.record)
        self._doubtful.add(stored.id)
        self._change("in_doubt", stored.id, rows.doubtful_row(stored.id, record.sid, record.at))
        body = None if stored.body is None else decode_body(record.kind, stored.body)
        if isinstance(body, ActionBody):
            for delta in in_doubt(body, at):
                self._apply(delta)

    def _id_named(self, ident: str) -> int | None:
        try:
            return self.id_of(Ref.parse(ident))
        except ValueError:
            return None

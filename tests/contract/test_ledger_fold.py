"""State tables are a fold of the records: made anew they are the same, and so is what memory holds."""

import asyncio
import sqlite3
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.adapters.sqlite import SqliteLedger, reads, rows, state, verify_file
from remit.adapters.sqlite.tables import create
from remit.escalate.machine import Approval
from remit.facts.record import RecordKind, Ref
from remit.facts.session import Session
from remit.facts.stop import Stop, StopTarget
from remit.pdp.apply import apply_approval, apply_session
from remit.pdp.deltas import (
    ApprovalBroken,
    ApprovalClaimed,
    ApprovalDelegated,
    ApprovalMoved,
    ApprovalOpened,
    ApprovalRefused,
    ApprovalReviewed,
    ApprovalSuperseded,
    ApprovalVoted,
    Halted,
    LabelsJoined,
    OriginsAdded,
    PlaceLabelled,
    Resumed,
    SessionEnded,
    SessionKeyed,
    SessionTouched,
)
from remit.pdp.fold import fold, in_doubt
from remit.ports.ledger import Origins
from remit.trace.bodies import ActionBody, OutcomeBody
from tests.contract.ledger_world import REPLICA, Place, append_all, draft_of
from tests.core.recording import TEXT, History, Restart, Step, action, histories


class Mirror:
    """State in memory, by the same deltas as the file: as the driver keeps it, but of everything."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.approvals: dict[str, Approval] = {}
        self.open: dict[str, ActionBody] = {}
        self.stored: dict[str, frozenset[str]] = {}
        self.stopped: dict[StopTarget, Stop] = {}
        self.keys: dict[str, str] = {}
        self.origins: dict[str, list[Ref]] = {}

    def take(self, ref: Ref, at: int, step: Step) -> None:
        self.apply(fold(ref, at, step.kind, step.body))
        match step.body:
            case ActionBody() if step.kind is RecordKind.INTENT:
                self.open[str(ref)] = step.body
            case OutcomeBody():
                self.open.pop(step.body.intent, None)
            case _:
                pass

    def restart(self, at: int) -> None:
        for body in self.open.values():
            self.apply(in_doubt(body, at))

    def apply(self, deltas: tuple[object, ...]) -> None:
        for delta in deltas:
            match delta:
                case SessionTouched() | LabelsJoined() | SessionEnded():
                    self.sessions[delta.sid] = apply_session(self.sessions.get(delta.sid), delta)
                case ApprovalOpened(approval):
                    self.approvals[approval.ident] = approval
                case Halted(stop):
                    self.stopped[stop.target] = stop
                case Resumed(what):
                    self.stopped.pop(what, None)
                case (
                    ApprovalVoted()
                    | ApprovalRefused()
                    | ApprovalDelegated()
                    | ApprovalBroken()
                    | ApprovalReviewed()
                    | ApprovalSuperseded()
                    | ApprovalClaimed()
                    | ApprovalMoved()
                ):
                    known = self.approvals.get(delta.ident)
                    if known is not None:
                        self.approvals[delta.ident] = apply_approval(known, delta)
                case PlaceLabelled(where, labels):
                    self.stored[where] = self.stored.get(where, frozenset()) | labels
                case SessionKeyed(_, sid, key):
                    self.origins.pop(sid, None)
                    self.keys.pop(sid, None)
                    if key is not None:
                        self.keys[sid] = key
                case OriginsAdded(ref, sid):
                    self.origins.setdefault(sid, []).append(ref)
                case _:
                    pass


async def play(place: Place, history: History, waits: set[int]) -> Mirror:
    """Append `history`, waiting after the steps in `waits`; the ledger is closed at the end."""
    mirror = Mirror()
    ledger = place.open()
    for number, step in enumerate(history):
        match step:
            case Restart():
                await ledger.close()
                ledger = place.open()
                mirror.restart(place.clock.at)
            case Step():
                pending = ledger.append(draft_of(step, at=number))
                mirror.take(pending.ref, number, step)
                if number in waits:
                    await pending.durable
    await ledger.close()
    await compare(place, mirror)
    return mirror


async def compare(place: Place, mirror: Mirror) -> None:
    """What the file says is what memory says."""
    ledger = place.open()
    mirror.restart(place.clock.at)
    held = {session.sid: session for session in await ledger.sessions(1_000)}
    assert held == mirror.sessions
    asked = {item.ident: item for item in await ledger.approvals(open_only=False, limit=1_000)}
    assert asked == mirror.approvals
    assert {str(item.ref) for item in await ledger.in_doubt()} == mirror.open.keys()
    assert await ledger.store_labels() == mirror.stored
    assert await ledger.stops() == mirror.stopped
    for sid in ("s0", "s1", "s2", "s3"):
        made = await ledger.origins(sid)
        if sid not in mirror.keys:
            assert made is None
            continue
        entries = [await ledger.entry(ref) for ref in mirror.origins.get(sid, [])]
        found = [entry for entry in entries if entry is not None]
        bodies = tuple(entry.body for entry in found if entry.body is not None)
        erased = any(entry.body is None and entry.record.kind is not RecordKind.ADMIN for entry in found)
        assert made == Origins(bytes.fromhex(mirror.keys[sid]), bodies, erased)
    await check_threads(ledger, mirror)
    await ledger.close()


async def check_threads(ledger: SqliteLedger, mirror: Mirror) -> None:
    """Each session's records, walked from one to the one before, are all there are of it."""
    everything = await ledger.entries(after=None, limit=1_000, sid=None)
    for sid in mirror.sessions:
        mine = [entry.hash for entry in await ledger.entries(after=None, limit=1_000, sid=sid)]
        expected = [entry.hash for entry in everything if entry.record.sid == sid]
        # A record made in a session before anything said so much as its name belongs to no thread.
        assert mine == expected[len(expected) - len(mine) :]


@settings(max_examples=40)
@given(histories(REPLICA), st.sets(st.integers(0, 24)), st.sampled_from([0, 20_000]))
def test_state_made_anew_from_the_records_is_the_state_held(history: History, waits: set[int], cached: int) -> None:
    with tempfile.TemporaryDirectory() as folder, patch.object(state, "_CACHED_MAX", cached):
        place = Place(Path(folder))
        asyncio.run(play(place, history, waits))
        report = verify_file(place.file)
        assert report.uncompared is None
        assert [str(finding) for finding in report.findings if finding.invariant == "state"] == []
        assert report.records == sum(isinstance(step, Step) for step in history) + 2 + sum(
            isinstance(step, Restart) for step in history
        )


@given(TEXT, st.none() | TEXT)
def test_any_text_is_written_as_it_is(first: str, second: str | None) -> None:
    conn = sqlite3.connect(":memory:")
    create(conn)
    rows.write(conn, {"session": [rows.session_row(1, Session(first, first, second, 5))]})
    rows.write(conn, {"activity": [(1, 0, 0, 0)]})
    assert rows.read_session(conn, first) == (1, Session(first, first, second, 5), 0)
    rows.write(conn, {"credential": [rows.credential_row(first, second)]})
    assert reads.credentials(conn) == ({} if second is None else {first: second})
    rows.write(conn, {"credential": [rows.credential_row(first, None)]})
    assert reads.credentials(conn) == {}
    conn.close()


@pytest.mark.parametrize("sessions", [1, 31, 32, 33, 63, 64, 65, 130])
def test_many_sessions_of_one_batch_are_written_each(tmp_path: Path, sessions: int) -> None:
    async def write() -> None:
        ledger = place.open()
        for _ in range(2):
            sids = [f"s{number}" for number in range(sessions)] * 2
            steps = [Step(RecordKind.INTENT, sid, action(links=[("writer", sid)])) for sid in sids]
            await append_all(ledger, steps)
        assert [session.calls for session in await ledger.sessions(1_000)] == [4] * sessions
        await ledger.close()

    place = Place(tmp_path)
    asyncio.run(write())
    report = verify_file(place.file)
    assert (report.clean, report.uncompared) == (True, None)

"""Erasing beside a ledger that is written to: the lock is let go again and again, and the log does not grow by it."""

import asyncio
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from remit.adapters.sqlite import erasure, verify_file
from remit.adapters.sqlite.erasure import SqliteBodies
from remit.facts.record import Receipt, RecordKind, Ref
from remit.ports.ledger import Draft
from remit.trace.bodies import AdminBody
from remit.work.erasure import Erasures
from tests.contract.ledger_world import append_all, draft
from tests.contract.log_world import Log
from tests.core.recording import Step, action, outcome

SEGMENTS = 12


class Traced(SqliteBodies):
    """It notes what its transactions write."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.written: list[int] = []

    def _open(self) -> sqlite3.Connection:
        conn = super()._open()
        conn.set_trace_callback(self._note)
        return conn

    def _note(self, statement: str) -> None:
        if statement.startswith("BEGIN"):
            self.written.append(0)
        elif statement.startswith("UPDATE"):
            self.written[-1] += 1


async def filled(folder: Path) -> tuple[Log, list[Ref]]:
    """An open log of so many intents, each in a segment of its own of 8,212 bytes; they ended."""
    log = Log(folder)
    await log.open()
    intents: list[Ref] = []
    said = b'"%s"' % (b"x" * 4_000)
    for _ in range(SEGMENTS):
        [intent] = await append_all(log.ledger, [Step(RecordKind.INTENT, "s1", action(arguments=said))])
        intents.append(intent.ref)
    ends = [replace(outcome(str(ref)), error="none") for ref in intents]
    await append_all(log.ledger, [Step(RecordKind.OUTCOME, "s1", end) for end in ends])
    return log, intents


def erasures_of(log: Log, bodies: SqliteBodies) -> Erasures:
    async def record(body: AdminBody) -> Receipt:
        return await log.ledger.append(Draft(RecordKind.ADMIN, 5, "", "", body)).durable

    return Erasures(log.ledger, bodies, record)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("limit", "value", "most"),
    [("_BYTES_MAX", 25_000, 3), ("_BYTES_MAX", 1, 1), ("_SEGMENTS_MAX", 4, 4)],
    ids=["bytes", "one is too large", "number"],
)
async def test_a_transaction_erases_so_much_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, most: int
) -> None:
    monkeypatch.setattr(erasure, limit, value)
    log, intents = await filled(tmp_path)
    bodies = Traced(log.file)
    assert len((await erasures_of(log, bodies).erase(intents, "x", "user:dpo")).erased) == 2 * SEGMENTS
    assert bodies.written[0] == most
    assert max(bodies.written) == most
    assert sum(bodies.written) == SEGMENTS + 1, "the outcomes are one segment"
    await log.close()
    assert verify_file(log.file).clean


@pytest.mark.asyncio
async def test_between_two_of_them_the_writer_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "_SEGMENTS_MAX", 3)
    log, intents = await filled(tmp_path)
    loop = asyncio.get_running_loop()
    beside: list[int] = []

    async def append() -> None:
        beside.append((await log.ledger.append(draft(action())).durable).ref.seq)

    def pause(_seconds: float) -> None:
        asyncio.run_coroutine_threadsafe(append(), loop).result(20)

    monkeypatch.setattr(erasure, "time", SimpleNamespace(sleep=pause, monotonic=time.monotonic))
    await erasures_of(log, SqliteBodies(log.file)).erase(intents, "x", "user:dpo")
    assert len(beside) >= SEGMENTS // 3
    await log.close()
    assert verify_file(log.file).clean


@pytest.mark.asyncio
async def test_what_an_erasure_left_is_finished_as_gently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "_SEGMENTS_MAX", 5)
    log, intents = await filled(tmp_path)

    class Cut(SqliteBodies):
        def erase(self, refs: object) -> bool:
            raise sqlite3.OperationalError("power cut")

    with pytest.raises(sqlite3.OperationalError):
        await erasures_of(log, Cut(log.file)).erase(intents, "x", "user:dpo")
    bodies = Traced(log.file)
    assert await erasures_of(log, bodies).finish() == 2 * SEGMENTS
    assert bodies.written == [5, 5, 3]
    await log.close()
    assert verify_file(log.file).clean


@pytest.mark.asyncio
async def test_an_erasure_cut_short_between_two_of_them_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "_SEGMENTS_MAX", 5)
    log, intents = await filled(tmp_path)

    def cut(_seconds: float) -> None:
        raise sqlite3.OperationalError("power cut")

    with monkeypatch.context() as here:
        here.setattr(erasure, "time", SimpleNamespace(sleep=cut, monotonic=time.monotonic))
        with pytest.raises(sqlite3.OperationalError):
            await erasures_of(log, SqliteBodies(log.file)).erase(intents, "x", "user:dpo")
    assert await erasures_of(log, SqliteBodies(log.file)).finish() == 2 * SEGMENTS - 5
    await log.close()
    assert verify_file(log.file).clean

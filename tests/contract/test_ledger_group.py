"""One writer, and natural group commit: what waits while one batch is written shares the next."""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite import writer as writer_module
from remit.adapters.sqlite.commit import Item
from remit.ports.ledger import Pending
from tests.contract.ledger_world import Place, draft
from tests.core.recording import action
from tests.eventually import WITHIN_S


class Watched(sqlite3.Connection):
    """A connection that notes the threads of its batches, and holds the first of them until it is let go."""

    threads: list[int] = []  # noqa: RUF012 - of each batch, over all connections
    go = threading.Event()
    reached = threading.Semaphore(0)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        mine = type(self)
        if arguments[0].startswith(("INSERT INTO batch ", "INSERT INTO full ")):
            mine.threads.append(threading.get_ident())
            if not mine.go.is_set():
                mine.reached.release()
            mine.go.wait(WITHIN_S)
        return super().execute(*arguments)


@pytest.mark.asyncio
async def test_what_waits_while_one_batch_is_written_shares_the_next(tmp_path: Path) -> None:
    class Slow(Watched):
        threads: list[int] = []  # noqa: RUF012
        go = threading.Event()

    Slow.go.set()
    ledger = Place(tmp_path).open(Slow)
    try:
        Slow.threads.clear()
        Slow.go.clear()
        first = [ledger.append(draft(action())) for _ in range(2)]
        await asyncio.to_thread(Slow.reached.acquire, timeout=WITHIN_S)
        waiting = [ledger.append(draft(action())) for _ in range(100)]
        durable = asyncio.gather(*(item.durable for item in [*first, *waiting]))
        await asyncio.sleep(0.05)
        assert len(Slow.threads) == 1, "one batch at a time"
        assert not durable.done()
        Slow.go.set()
        await durable
        assert len(Slow.threads) <= 5, "100 records in a few commits, and none of them waited for a clock"
        [writer] = set(Slow.threads)
        assert writer != threading.get_ident(), "one writer, and not the loop"
    finally:
        Slow.go.set()
        await ledger.close()


@pytest.mark.asyncio
async def test_a_lone_record_waits_for_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Counted(Watched):
        threads: list[int] = []  # noqa: RUF012
        go = threading.Event()

    Counted.go.set()
    monkeypatch.setattr(writer_module, "_SLOW_S", 1e9)
    ledger = Place(tmp_path).open(Counted)

    async def one() -> int:
        before = len(Counted.threads)
        await asyncio.wait_for(ledger.append(draft(action())).durable, WITHIN_S)
        [thread] = Counted.threads[before:]
        return thread

    try:
        loop = threading.get_ident()
        assert [await one() for _ in range(3)] == [loop] * 3, "it is committed where it is"
        monkeypatch.setattr(writer_module, "_SLOW_S", -1)
        assert await one() == loop
        assert loop not in [await one() for _ in range(3)], "a slow disk holds the loop once"
        monkeypatch.setattr(writer_module, "_SLOW_S", 1e9)
        assert [await one() == loop for _ in range(3)] == [False, True, True], "until it is quick again"
    finally:
        await ledger.close()


@pytest.mark.asyncio
async def test_a_burst_is_cut_into_batches_in_the_order_of_calls(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    pending = [ledger.append(draft(action())) for _ in range(1_200)]
    wide = [ledger.append(draft(action(arguments=b'"%s"' % (b"x" * 1_500_000)))) for _ in range(3)]
    receipts = await asyncio.gather(*(item.durable for item in [*pending, *wide]))
    assert [receipt.ref.seq for receipt in receipts] == list(range(2, 1_205))
    await ledger.close()
    conn = sqlite3.connect(place.file)
    counts = [count for (count,) in conn.execute("SELECT count FROM segment ORDER BY first")]
    conn.close()
    assert counts == [1, 512, 345, 173, 86, 64, 22, 1], "at most 512 and 4 MiB, and half of what is queued"
    assert verify_file(place.file).clean


class Meanwhile(deque[Item]):
    """A queue of the writer's that is found empty, and no longer is by the time he has heard so."""

    def __init__(self, queued: Callable[[], None]) -> None:
        super().__init__()
        self._queued = queued

    def __bool__(self) -> bool:
        found = len(self) > 0
        if not found and threading.current_thread() is not threading.main_thread():
            queued, self._queued = self._queued, lambda: None
            queued()
        return found


@pytest.mark.asyncio
async def test_what_is_queued_as_the_writer_finds_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    late: asyncio.Future[Pending] = loop.create_future()

    def queued() -> None:
        done = threading.Event()

        def append() -> None:
            late.set_result(ledger.append(draft(action())))
            done.set()

        loop.call_soon_threadsafe(append)
        done.wait(WITHIN_S)

    monkeypatch.setattr(writer_module, "deque", lambda: Meanwhile(queued))
    ledger = Place(tmp_path).open()
    try:
        for one in [ledger.append(draft(action())) for _ in range(2)]:
            await one.durable
        receipt = await asyncio.wait_for(asyncio.ensure_future((await late).durable), WITHIN_S)
        assert receipt.ref.seq == 4
    finally:
        await ledger.close()

"""One writer, and natural group commit: what waits while one batch is written shares the next."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.contract.ledger_world import Place, draft
from tests.core.recording import action


class Watched(sqlite3.Connection):
    """A connection that notes its commits, and holds the first of them until it is let go."""

    commits = 0
    threads: set[int] = set()  # noqa: RUF012 - counted over all connections
    go = threading.Event()
    reached = threading.Semaphore(0)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        mine = type(self)
        if arguments[0] == "COMMIT":
            mine.commits += 1
            mine.threads.add(threading.get_ident())
            if not mine.go.is_set():
                mine.reached.release()
            mine.go.wait(20)
        return super().execute(*arguments)


@pytest.mark.asyncio
async def test_what_waits_while_one_batch_is_written_shares_the_next(tmp_path: Path) -> None:
    class Slow(Watched):
        threads: set[int] = set()  # noqa: RUF012
        go = threading.Event()

    Slow.go.set()
    ledger = Place(tmp_path).open(Slow)
    try:
        before = Slow.commits
        Slow.threads.clear()
        Slow.go.clear()
        first = ledger.append(draft(action()))
        await asyncio.to_thread(Slow.reached.acquire, timeout=20)
        waiting = [ledger.append(draft(action())) for _ in range(100)]
        durable = asyncio.gather(first.durable, *(item.durable for item in waiting))
        await asyncio.sleep(0.05)
        assert Slow.commits == before + 1, "one batch at a time"
        assert not durable.done()
        Slow.go.set()
        await durable
        assert Slow.commits - before <= 5, "100 records in a few commits, and none of them waited for a clock"
        assert Slow.threads.isdisjoint({threading.get_ident()})
        assert len(Slow.threads) == 1, "one writer"
    finally:
        Slow.go.set()
        await ledger.close()


@pytest.mark.asyncio
async def test_a_lone_record_waits_for_nobody(tmp_path: Path) -> None:
    class Counted(Watched):
        threads: set[int] = set()  # noqa: RUF012
        go = threading.Event()

    Counted.go.set()
    ledger = Place(tmp_path).open(Counted)
    try:
        for _ in range(3):
            before = Counted.commits
            await asyncio.wait_for(ledger.append(draft(action())).durable, 20)
            assert Counted.commits == before + 1
    finally:
        await ledger.close()

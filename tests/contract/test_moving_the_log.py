"""In which steps the log is moved into the database beside the writer."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from remit.adapters.sqlite.checkpoint import Checkpointer


class Counting:
    """A worker that is only counted."""

    def __init__(self) -> None:
        self.woken = 0

    def start(self, serve: Callable[[], None]) -> None:
        del serve

    def wake(self) -> None:
        self.woken += 1

    def end(self) -> None:
        return

    def join(self) -> None:
        return


@pytest.mark.parametrize(("waiting", "woken"), [(0, 2), (15, 2), (16, 20), (500, 20)])
def test_the_steps_are_small_while_many_wait(tmp_path: Path, waiting: int, woken: int) -> None:
    """A large step would keep the next commit's sync waiting behind it; a small one is two syncs for little."""
    worker = Counting()
    conn = sqlite3.connect(tmp_path / "ledger.sqlite3")
    moving = Checkpointer(tmp_path / "ledger.sqlite3", conn, worker)
    for _ in range(100):
        moving.wrote(10, waiting)
    conn.close()
    assert worker.woken == woken


@pytest.mark.parametrize(("waiting", "due"), [(0, 1_800), (1, 12_000)])
def test_the_writer_moves_the_rest_itself_later_where_more_waits(tmp_path: Path, waiting: int, due: int) -> None:
    conn = sqlite3.connect(tmp_path / "ledger.sqlite3")
    moving = Checkpointer(tmp_path / "ledger.sqlite3", conn, Counting())
    frames = 0
    while not moving.due:
        moving.wrote(100, waiting)
        frames += 100
    conn.close()
    assert frames == due

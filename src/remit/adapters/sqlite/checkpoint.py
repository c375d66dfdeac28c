"""Moving the write-ahead log into the database, beside the writer and adapted to its load.

The log starts over only once all of it was moved and no reader needs it. At moderate load a
thread of its own moves it in small steps, so that no append waits long. At saturation the steps
are larger, for each costs the disk two syncs, and that thread is always a little behind; then,
past `_FRAMES_HARD`, the writer moves the small rest itself between two batches, when nothing is
added to it.
"""

import sqlite3
import threading
from pathlib import Path
from typing import Final

_FRAMES_SOFT: Final = 1_000
_FRAMES_BUSY: Final = 4_000
_FRAMES_HARD: Final = 12_000
_FRAMES_AGAIN: Final = 2_000


class Checkpointer:
    """Keeps the log of the database at `path` short. All but `close` is called by the writer alone."""

    def __init__(self, path: Path, writing: sqlite3.Connection) -> None:
        self._path = path
        self._writing = writing
        self._frames = 0
        self._asked_at = 0
        self._tried_at = 0
        self._stop = False
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remit-checkpoint", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    @property
    def due(self) -> bool:
        """Whether `move` would move something."""
        return self._frames >= _FRAMES_HARD and self._frames - self._tried_at >= _FRAMES_AGAIN

    def wrote(self, frames: int, *, busy: bool) -> None:
        """About `frames` pages were committed, `busy` when more waits."""
        self._frames += frames
        if self._frames - self._asked_at >= (_FRAMES_BUSY if busy else _FRAMES_SOFT):
            self._asked_at = self._frames
            self._asked.set()

    def move(self) -> None:
        """Checkpoint, if the log grew too long, between two batches: by the thread that writes them."""
        if self.due:
            self._tried_at = self._frames
            if _passive(self._writing):
                self._frames = self._asked_at = self._tried_at = 0

    def close(self) -> None:
        """End the thread."""
        self._stop = True
        self._asked.set()
        self._thread.join()

    def _run(self) -> None:
        conn = sqlite3.connect(self._path, isolation_level=None, timeout=1)
        try:
            while not self._stop:
                self._asked.wait()
                self._asked.clear()
                if self._stop:
                    return
                try:
                    _passive(conn)
                except sqlite3.Error:
                    # What fails here fails for the writer too, and it is the writer that says so.
                    continue
        finally:
            conn.close()


def _passive(conn: sqlite3.Connection) -> bool:
    """Move what no reader needs; whether the whole log was moved."""
    busy, log, moved = conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return not busy and log == moved

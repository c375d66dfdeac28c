"""Moving the write-ahead log into the database, beside the writer and adapted to its load.

The log starts over only once all of it was moved and no reader needs it. A worker of its own moves
it in steps. At moderate load they are as large as no append waits long for, since a page that is
written again and again is moved once. At saturation they are small: the next commit's sync waits
behind all that a step has yet to bring to the disk. That worker is always a little behind; so, past
`_FRAMES_HARD`, the writer moves the small rest itself between two batches, when nothing is added to
it; where little is written, already past `_FRAMES_CALM`.

Writing over what is there costs the disk half of what making a file longer does, since no metadata changes:
that is why the log starts with its length, and why it is made to start over before it needs more.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from remit.adapters.sqlite.worker import Worker

_FRAMES_SOFT: Final = 500
_FRAMES_CALM: Final = 1_800
_FRAMES_BUSY: Final = 50
_FRAMES_HARD: Final = 12_000
_FRAMES_AGAIN: Final = 500
_MANY: Final = 16
"""So many records that wait are a load at which the disk is never idle."""
_LENGTH_BYTES: Final = 8 * 1024 * 1024
"""Of a new log: above `_FRAMES_CALM`."""


class Checkpointer:
    """Keeps the log of the database at `path` short. All but `close` is called by the writer alone."""

    def __init__(self, path: Path, writing: sqlite3.Connection, worker: Worker) -> None:
        self._path = path
        self._writing = writing
        self._worker = worker
        self._own: sqlite3.Connection | None = None
        self._frames = 0
        self._asked_at = 0
        self._tried_at = 0
        self._calm = True
        self._stop = False

    def start(self) -> None:
        """Begin to serve. Nothing is being written yet."""
        with suppress(OSError):
            _lengthen(self._path.with_name(f"{self._path.name}-wal"))
        self._worker.start(self._serve)

    @property
    def due(self) -> bool:
        """Whether `move` would move something."""
        hard = _FRAMES_CALM if self._calm else _FRAMES_HARD
        return self._frames >= hard and self._frames - self._tried_at >= _FRAMES_AGAIN

    def wrote(self, frames: int, waiting: int) -> None:
        """About `frames` pages were committed; so many records are `waiting`."""
        self._frames += frames
        self._calm = not waiting
        if self._frames - self._asked_at >= (_FRAMES_BUSY if waiting >= _MANY else _FRAMES_SOFT):
            self._asked_at = self._frames
            self._worker.wake()

    def move(self) -> None:
        """Checkpoint, if the log grew too long, between two batches: by the thread that writes them."""
        if self.due:
            self._tried_at = self._frames
            if _passive(self._writing):
                self._frames = self._asked_at = self._tried_at = 0

    def close(self) -> None:
        """End the worker."""
        self._stop = True
        self._worker.end()
        self._worker.join()
        if self._own is not None:
            self._own.close()

    def _serve(self) -> None:
        if self._stop:
            return
        try:
            if self._own is None:
                self._own = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=1)
            _passive(self._own)
        except sqlite3.Error:
            # What fails here fails for the writer too, and it is the writer that says so.
            return


def _lengthen(log: Path) -> None:
    """Bring `log` to its length with zeros, which no frame consists of (SQLite file format, section 4.1).

    SQLite keeps no lock on this file, so that closing it here loses none. A disk without room for it keeps what room it
    has, for records.
    """
    with log.open("r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size >= _LENGTH_BYTES:
            return
        try:
            whole = file.write(bytes(_LENGTH_BYTES - size)) == _LENGTH_BYTES - size
            os.fdatasync(file.fileno())
        except OSError:
            whole = False
        if not whole:
            file.truncate(size)


def _passive(conn: sqlite3.Connection) -> bool:
    """Move what no reader needs; whether the whole log was moved."""
    busy, log, moved = conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return not busy and log == moved

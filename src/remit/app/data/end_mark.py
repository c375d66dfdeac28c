"""Writes down how far the ledger has come, and sees that its file is still the one that is written to."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from remit.adapters.sqlite.mark import last, mark, relative_names

PERIOD_S: Final = 1.0


class Marking:
    """Of the ledger at `path`, which is open; `fail` has it take no record any more.

    `signing`: the files that sign now. Raises `LedgerLost` where it cannot be read how far it was marked.
    """

    def __init__(self, path: Path, fail: Callable[[str], None], signing: Callable[[], Sequence[Path]]) -> None:
        self._path = path
        self._fail = fail
        self._signing = signing
        self._file = _file(path)
        self._mark = last(path)

    async def turn(self) -> None:
        """Look once. Raises `sqlite3.Error`, `OSError`."""
        if _file(self._path) != self._file:
            # What is written to a file without a name is gone with the process, and with it every stop.
            self._fail(f"{self._path} was removed or replaced")
        else:
            keys = relative_names(self._path, self._signing())
            self._mark = await asyncio.to_thread(mark, self._path, self._mark, keys)


def _file(path: Path) -> tuple[int, int] | None:
    """Which file `path` names, by device and number; None where it names none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino

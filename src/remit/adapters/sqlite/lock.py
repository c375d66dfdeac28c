"""One process per data folder, held by a lock that the operating system drops with the process."""

import fcntl
import os
from pathlib import Path
from typing import Final

from remit.adapters.sqlite.errors import DataInUse

_NAME: Final = "lock"


class FolderLock:
    """The exclusive hold of a data folder."""

    def __init__(self, folder: Path) -> None:
        """Take `folder`. Raises `DataInUse`."""
        self._file = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, 32).strip()
            os.close(self._file)
            pid = int(holder) if holder.isdigit() else None
            raise DataInUse(folder, pid) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode("ascii"), 0)

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes hold two of one name."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

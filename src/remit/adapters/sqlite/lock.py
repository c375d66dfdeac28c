"""One process per data folder, held by a lock that the operating system drops with the process."""

import fcntl
import os
from pathlib import Path
from typing import Final

from remit.adapters.private import naming
from remit.adapters.sqlite.errors import DataInUse

_NAME: Final = "lock"


def holder(folder: Path) -> int | None:
    """The id of the process that holds `folder` now; None where none does, or that cannot be known."""
    try:
        file = os.open(folder / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        content = os.read(file, 32).strip()
        return int(content) if content.isdigit() else None
    finally:
        os.close(file)
    return None


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
        try:
            with naming(folder / _NAME):
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, str(os.getpid()).encode("ascii"), 0)
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes hold two of one name."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

"""Temporary folders that no killed process leaves behind for good: whoever starts next removes them.

Laws
* A folder is in use for as long as its process holds the lock on the file `held` in it, and no longer: no id of a
  process is believed, which another may have by now.
* Nothing of anybody else is removed, nor what has no such file.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_HELD: Final = "held"
_MAKING: Final = "holding"
"""What the file is called until its lock is held."""


@contextmanager
def scratch(prefix: str) -> Generator[Path]:
    """An empty folder, readable by this user alone, until the block ends; those that were left with `prefix` go."""
    _sweep(prefix)
    root = Path(tempfile.mkdtemp(prefix=prefix))
    with (root / _MAKING).open("xb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            (root / _MAKING).rename(root / _HELD)
            (root / "in").mkdir()
            yield root / "in"
        finally:
            shutil.rmtree(root, ignore_errors=True)


def _sweep(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # What is gone by now, or cannot be opened, is somebody else's to remove.
        with suppress(OSError):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove `folder` where it is this user's and nobody holds it."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        return
    file = os.open(folder / _HELD, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(file)

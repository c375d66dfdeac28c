"""Files of the machine that discovery reads: never more than a bound, never waiting, and a named error for each.

Links are followed, as the program that owns the file follows them.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from remit.discover.sighting import clipped
from remit.ports.source import Trouble

_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_CODES: Final = {errno.EACCES: "unreadable", errno.EPERM: "unreadable", errno.ELOOP: "links"}
_WHY: Final = {
    "unreadable": "permission denied",
    "links": "its links lead in a circle",
}


class FileNotTaken(Exception):
    """A file that is there and cannot be taken."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.why)
        self.trouble = trouble


def read(path: Path, bytes_max: int, area: str = "file") -> bytes | None:
    """The bytes of the regular file at `path`, or None where there is nothing. Raises `FileNotTaken` (`area/…`)."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise FileNotTaken(Trouble(f"{area}/kind", clipped(str(path)), "it is no regular file"))
            with os.fdopen(handle, "rb", closefd=False) as opened:
                data = opened.read(bytes_max + 1)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise FileNotTaken(trouble_of(path, error, area)) from error
    except ValueError:
        # A path with a NUL in it.
        return None
    if len(data) > bytes_max:
        why = f"it is larger than {bytes_max} bytes"
        raise FileNotTaken(Trouble(f"{area}/size", clipped(str(path)), why))
    return data


def trouble_of(path: Path, error: OSError, area: str = "file") -> Trouble:
    """The trouble that `error` is."""
    name = _CODES.get(error.errno or 0, "read")
    why = _WHY.get(name) or (error.strerror or "unknown error").lower()
    return Trouble(f"{area}/{name}", clipped(str(path)), why)

"""Where a service speaks to whoever started it, who may have gone or may read no more.

Law: what is said waits for nobody longer than a moment and fails nowhere. A pipe that is full or has no reader takes
what it can, and the rest is lost: all of it that matters later is in `DATA/logs`.
"""

import io
import os
import select
import threading
from typing import Final

WAIT_S: Final = 1.0
"""How long a full pipe is waited for the first time; once it took nothing for so long, each time not at all."""


class _Lossy(io.RawIOBase):
    """Takes all that is written, and hands on to `file`, a descriptor, what that takes."""

    def __init__(self, file: int) -> None:
        super().__init__()
        self._file = file
        self._poll = select.poll()
        self._poll.register(file, select.POLLOUT)
        self._stuck = False
        self._one = threading.Lock()

    def fileno(self) -> int:
        """The descriptor."""
        return self._file

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: "memoryview | bytes | bytearray", /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Hand on `data`; how much it is."""
        left = memoryview(data)
        with self._one:
            while left and self._takes():
                try:
                    left = left[os.write(self._file, left[: select.PIPE_BUF]) :]
                except OSError:
                    break
        return len(data)

    def _takes(self) -> bool:
        """Whether `PIPE_BUF` bytes can be written without waiting."""
        self._stuck = not self._poll.poll(0 if self._stuck else WAIT_S * 1_000)
        return not self._stuck


def lossy(file: int) -> io.TextIOWrapper:
    """Text for `file`, line by line, that waits for no reader."""
    raw: io.RawIOBase = _Lossy(file)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)  # pyright: ignore[reportArgumentType]

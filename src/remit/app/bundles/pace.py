"""Long work in a thread beside the loop: it gives way every few milliseconds, and tells how far it is."""

import time
from collections.abc import Callable
from typing import Final

TURN_S: Final = 0.002
"""How long it may go on: Python itself lets others wait 5 ms for the interpreter, once for each thing they wait for."""
PAUSE_S: Final = 0.001


LINE_S: Final = 1.0
THOUSANDS: Final = 1_000
"""With fewer policies nobody has to be told how far it is."""


def progress(done: int, total: int) -> str:
    """How far it is, for people."""
    return f"  checked {done:,} of {total:,} policies …"


class ProgressReporter:
    """Called as `Pace` is, where somebody waits for the work: `say` is told now and then how far it is."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._last_s = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Tell, where a second is over."""
        if total >= THOUSANDS and done and time.monotonic() - self._last_s >= LINE_S:
            self._last_s = time.monotonic()
            self._say(progress(done, total))


class Pace:
    """Called after each step of the work, with how much is done and how much there is."""

    def __init__(self) -> None:
        self.done = 0
        self.total = 0
        self._since_s = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Take note, and give way when a turn is over."""
        self.done, self.total = done, total
        self.breathe()

    def breathe(self) -> None:
        """Give way when a turn is over."""
        if time.monotonic() - self._since_s >= TURN_S:
            time.sleep(PAUSE_S)
            self._since_s = time.monotonic()

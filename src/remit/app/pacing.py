"""Long work in a thread beside the loop: it gives way every few milliseconds, and tells how far it is."""

import time
from typing import Final

TURN_S: Final = 0.002
"""How long it may go on: Python itself lets others wait 5 ms for the interpreter, once for each thing they wait for."""
PAUSE_S: Final = 0.001


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

"""A service that ends with whoever started it: its standard input is a pipe that nobody else holds the other end of.

However the starter ends, killed included, the system closes that end.
"""

import os
import signal
import sys
import threading
import time
from typing import Final

_AGAIN_S: Final = 2.0
"""A service hurries at the second signal: nobody waits for what it still does."""


def end_with_standard_input() -> None:
    """Have this process asked to end once its standard input has."""
    threading.Thread(target=_follow, name="remit-following", daemon=True).start()


def _follow() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_AGAIN_S)

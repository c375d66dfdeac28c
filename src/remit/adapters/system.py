"""The machine's own time and chance, and how this process collects garbage."""

import gc
import secrets
import time
from typing import Final

_YOUNG_MAX: Final = 20_000


class SystemClock:
    """`ports.system.Clock` over the operating system's clocks."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()


class SystemEntropy:
    """`ports.system.Entropy` over the operating system's generator."""

    def token_bytes(self, count: int) -> bytes:
        """`count` bytes fit for keys, salts and nonces."""
        return secrets.token_bytes(count)


def settle_collector() -> None:
    """Tell the collector that what exists now stays, and to look at new objects in larger lots.

    For a service, once started: bundles and policies are then never walked again, and the objects
    of a thousand calls in flight are not walked over and over while the calls run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_MAX, 20, 20)

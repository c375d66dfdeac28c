"""The machine's own time and chance, and how this process collects garbage."""

import gc
import secrets
import time
from typing import Final

from remit.ports.system import Clock

_YOUNG_MAX: Final = 20_000


class SystemClock:
    """`ports.system.Clock` over the operating system's clocks."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()


class SteadyClock:
    """`ports.system.Clock` that is never behind `latest_ms`, nor goes back while the process runs.

    Where the system's is behind, time goes on from there at its pace: what was given until a moment ends in so long.
    """

    def __init__(self, latest_ms: int, system: Clock) -> None:
        self._system = system
        self._began_s = system.monotonic_s()
        self._least_ms = max(latest_ms, system.now_ms())

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, or more."""
        return max(self._system.now_ms(), self._floor_ms())

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back."""
        return self._system.monotonic_s()

    def ahead_ms(self) -> int:
        """How far it is ahead of the system's clock now."""
        return max(0, self._floor_ms() - self._system.now_ms())

    def _floor_ms(self) -> int:
        return self._least_ms + int((self._system.monotonic_s() - self._began_s) * 1_000)


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

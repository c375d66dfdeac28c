"""The machine's own time and chance."""

import secrets
import time


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

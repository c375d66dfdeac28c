"""A clock that shows what a test sets, as wall time and as monotonic time."""

from dataclasses import dataclass


@dataclass
class Clock:
    """`s` seconds."""

    s: float = 1000.0

    def now_ms(self) -> int:
        return int(self.s * 1000)

    def monotonic_s(self) -> float:
        return self.s

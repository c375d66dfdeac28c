"""A token bucket: how much one party may do now. Pure: the clock is a parameter."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Bucket:
    """Fills with `per_s` tokens a second up to `burst`; starts full at `at_s`.

    `at_s` is monotonic seconds. A clock that goes back fills nothing.
    """

    per_s: float
    burst: float
    at_s: float
    left: float = field(init=False)

    def __post_init__(self) -> None:
        """Start full."""
        self.left = self.burst

    def take(self, now_s: float, tokens: float = 1.0) -> float:
        """Take `tokens`, all of it at most: 0.0 when they were there, else after how many seconds they will be."""
        self._fill(now_s)
        tokens = min(tokens, self.burst)
        if self.left >= tokens:
            self.left -= tokens
            return 0.0
        return (tokens - self.left) / self.per_s

    def is_full(self, now_s: float) -> bool:
        """Whether it says no more than a new one would: it can be forgotten."""
        self._fill(now_s)
        return self.left >= self.burst

    def _fill(self, now_s: float) -> None:
        if now_s > self.at_s:
            self.left = min(self.burst, self.left + (now_s - self.at_s) * self.per_s)
            self.at_s = now_s

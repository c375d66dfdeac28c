"""A token bucket: how much one party may do now. Pure: the clock is a parameter."""

from dataclasses import dataclass, field
from typing import Final

_BUCKETS_MAX: Final = 1_000


@dataclass(slots=True)
class Bucket:
    """Fills with `per_s` tokens a second up to `burst`; starts full at `at_s`.

    `at_s` is monotonic seconds. A clock that goes back fills nothing.
    """

    per_s: float
    burst: float
    at_s: float
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        """Start full."""
        self.tokens = self.burst

    def take(self, now_s: float, tokens: float = 1.0) -> float:
        """Take `tokens`, all of it at most: 0.0 when they were there, else after how many seconds they will be."""
        self._fill(now_s)
        tokens = min(tokens, self.burst)
        if self.tokens >= tokens:
            self.tokens -= tokens
            return 0.0
        return (tokens - self.tokens) / self.per_s

    def spend(self, now_s: float, tokens: float) -> None:
        """Take `tokens` that are used already, there or not: what is missing is owed."""
        self._fill(now_s)
        self.tokens -= tokens

    def owes_s(self, now_s: float) -> float:
        """In how many seconds nothing is owed any more; 0.0 where nothing is."""
        self._fill(now_s)
        return max(0.0, -self.tokens / self.per_s)

    def is_full(self, now_s: float) -> bool:
        """Whether it says no more than a new one would: it can be forgotten."""
        self._fill(now_s)
        return self.tokens >= self.burst

    def _fill(self, now_s: float) -> None:
        if now_s > self.at_s:
            self.tokens = min(self.burst, self.tokens + (now_s - self.at_s) * self.per_s)
            self.at_s = now_s


class Buckets:
    """One bucket for each name. Beyond a thousand those that are full are forgotten."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._buckets: dict[str, Bucket] = {}

    def of(self, name: str, now_s: float) -> Bucket:
        """The bucket of `name`."""
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= _BUCKETS_MAX:
                self._buckets = {name: one for name, one in self._buckets.items() if not one.is_full(now_s)}
            bucket = self._buckets[name] = Bucket(self._per_s, self._burst, now_s)
        return bucket

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

    def spend(self, now_s: float, tokens: float) -> None:
        """Take `tokens` that are used already, there or not: what is missing is owed."""
        self._fill(now_s)
        self.left -= tokens

    def owes_s(self, now_s: float) -> float:
        """In how many seconds nothing is owed any more; 0.0 where nothing is."""
        self._fill(now_s)
        return max(0.0, -self.left / self.per_s)

    def is_full(self, now_s: float) -> bool:
        """Whether it says no more than a new one would: it can be forgotten."""
        self._fill(now_s)
        return self.left >= self.burst

    def _fill(self, now_s: float) -> None:
        if now_s > self.at_s:
            self.left = min(self.burst, self.left + (now_s - self.at_s) * self.per_s)
            self.at_s = now_s


class Buckets:
    """One bucket for each name. Beyond a thousand those that are full are forgotten."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._known: dict[str, Bucket] = {}

    def of(self, name: str, now_s: float) -> Bucket:
        """The bucket of `name`."""
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= _BUCKETS_MAX:
                self._known = {name: one for name, one in self._known.items() if not one.is_full(now_s)}
            found = self._known[name] = Bucket(self._per_s, self._burst, now_s)
        return found

"""What a breaker counts: samples of the last seconds, bounded in number, each at constant cost."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from remit.facts.breaker import SAMPLES_MAX

TOLD_MAX: Final = 20
"""How many records a trip names."""


class Sample(NamedTuple):
    """Something at `at_s` (monotonic): what it was, whose, by which record."""

    at_s: float
    what: int
    agent: str
    record: str


@dataclass(slots=True)
class Samples:
    """The samples of one breaker of one agent, server or tool."""

    within_s: float
    kept: deque[Sample] = field(default_factory=deque[Sample])
    counts: Counter[int] = field(default_factory=Counter[int])

    def add(self, sample: Sample) -> None:
        """Count one more."""
        if len(self.kept) >= SAMPLES_MAX:
            self._drop()
        self.kept.append(sample)
        self.counts[sample.what] += 1

    def count(self, what: int, now_s: float) -> int:
        """How many of `what` there were within the window."""
        self.prune(now_s)
        return self.counts.get(what, 0)

    def prune(self, now_s: float) -> None:
        """Forget what is older than the window."""
        since_s = now_s - self.within_s
        while self.kept and self.kept[0].at_s <= since_s:
            self._drop()

    def records(self, what: int) -> list[str]:
        """The last records of `what`, the oldest first."""
        return [one.record for one in self.kept if one.what == what and one.record][-TOLD_MAX:]

    def agents(self, what: int | None = None) -> set[str]:
        """Whose samples they are, of `what` alone or of all."""
        return {one.agent for one in self.kept if what is None or one.what == what}

    def _drop(self) -> None:
        what = self.kept.popleft().what
        self.counts[what] -= 1
        if not self.counts[what]:
            del self.counts[what]

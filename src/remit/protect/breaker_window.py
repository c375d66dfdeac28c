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
class BreakerSamples:
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

    def records(self, what: int, agent: str | None = None) -> list[str]:
        """The last records of `what`, of `agent` alone or of all, the oldest first."""
        found = (one for one in self.kept if one.what == what and agent in {None, one.agent})
        return [one.record for one in found if one.record][-TOLD_MAX:]

    def by_agent(self, what: int) -> dict[str, tuple[int, int]]:
        """Of each agent, how many of `what` there are, and how many of all."""
        found: dict[str, tuple[int, int]] = {}
        for one in self.kept:
            some, every = found.get(one.agent, (0, 0))
            found[one.agent] = some + (one.what == what), every + 1
        return found

    def forget(self, agent: str) -> None:
        """Drop what is of `agent`."""
        self.kept = deque(one for one in self.kept if one.agent != agent)
        self.counts = Counter(one.what for one in self.kept)

    def _drop(self) -> None:
        what = self.kept.popleft().what
        self.counts[what] -= 1
        if not self.counts[what]:
            del self.counts[what]

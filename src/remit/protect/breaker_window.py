"""What a breaker counts: samples of the last seconds, bounded in number, each at constant cost."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from remit.facts.breaker import SAMPLES_MAX

RECORDS_NAMED_MAX: Final = 20
"""How many records a trip names."""


class Sample(NamedTuple):
    """Something at `at_s` (monotonic): what it was, whose, by which record."""

    at_s: float
    event: int
    agent: str
    record: str


@dataclass(slots=True)
class BreakerSamples:
    """The samples of one breaker of one agent, server or tool."""

    within_s: float
    samples: deque[Sample] = field(default_factory=deque[Sample])
    counts: Counter[int] = field(default_factory=Counter[int])

    def add(self, sample: Sample) -> None:
        """Count one more."""
        if len(self.samples) >= SAMPLES_MAX:
            self._drop()
        self.samples.append(sample)
        self.counts[sample.event] += 1

    def count(self, event: int, now_s: float) -> int:
        """How many of `event` there were within the window."""
        self.prune(now_s)
        return self.counts.get(event, 0)

    def prune(self, now_s: float) -> None:
        """Forget what is older than the window."""
        since_s = now_s - self.within_s
        while self.samples and self.samples[0].at_s <= since_s:
            self._drop()

    def records(self, event: int, agent: str | None = None) -> list[str]:
        """The last records of `event`, of `agent` alone or of all, the oldest first."""
        samples = (sample for sample in self.samples if sample.event == event and agent in {None, sample.agent})
        return [sample.record for sample in samples if sample.record][-RECORDS_NAMED_MAX:]

    def by_agent(self, event: int) -> dict[str, tuple[int, int]]:
        """Of each agent, how many of `event` there are, and how many of all."""
        counts: dict[str, tuple[int, int]] = {}
        for sample in self.samples:
            matching, total = counts.get(sample.agent, (0, 0))
            counts[sample.agent] = matching + (sample.event == event), total + 1
        return counts

    def forget(self, agent: str) -> None:
        """Drop what is of `agent`."""
        self.samples = deque(sample for sample in self.samples if sample.agent != agent)
        self.counts = Counter(sample.event for sample in self.samples)

    def _drop(self) -> None:
        event = self.samples.popleft().event
        self.counts[event] -= 1
        if not self.counts[event]:
            del self.counts[event]

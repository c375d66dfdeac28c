"""What is counted while calls pass: plain integers, read when somebody asks for metrics.

Every label is from a closed set: a kind, a verdict, a status, a stage, a reason code of ours. No
name, argument or text of an agent or a server is among them, so their number is bounded.
"""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from remit.ports.system import Clock
from remit.trace.bodies import ActionBody, Body, OutcomeBody, Status

SECONDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Upper bounds of the buckets of every duration."""
SAMPLED: Final = 8
"""Watching a record become durable costs the loop a callback, so one in so many is watched."""


class CallStage(StrEnum):
    """Where the time of one action goes.

    `decide`: judging. `durable`: waiting for a record to be on disk. `upstream`: from forwarding to
    the answer. `total`: all of an MCP request, people's time included.
    """

    DECIDE = "decide"
    DURABLE = "durable"
    UPSTREAM = "upstream"
    TOTAL = "total"


@dataclass(slots=True)
class Histogram:
    """How many values fell at or under each of `bounds`, and beyond the last; and their sum."""

    bounds: tuple[float, ...] = SECONDS
    counts: list[int] = field(default_factory=list[int])
    total: float = 0.0

    def __post_init__(self) -> None:
        """Count nothing yet."""
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(slots=True)
class Tally:
    """The counts of one service since it started. Written on the event loop, read from anywhere."""

    decisions: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    outcomes: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    stages: dict[CallStage, Histogram] = field(default_factory=lambda: {stage: Histogram() for stage in CallStage})
    records: int = 0

    def recorded(self, body: Body) -> None:
        """A record was queued."""
        self.records += 1
        if isinstance(body, ActionBody):
            self.decisions[body.kind, body.verdict] += 1
        elif isinstance(body, OutcomeBody):
            self.outcomes[body.status] += 1
            if body.status is not Status.NOT_SENT:
                self.stages[CallStage.UPSTREAM].add(body.elapsed_ms / 1000)

    def settles(self, durable: Awaitable[object], clock: Clock) -> None:
        """A record waits to be durable: note how long it takes, of one record in `SAMPLED`."""
        if self.records % SAMPLED == 1 and isinstance(durable, asyncio.Future):
            start_s, stage = clock.monotonic_s(), self.stages[CallStage.DURABLE]
            durable.add_done_callback(lambda _: stage.add(clock.monotonic_s() - start_s))

    def refuse(self, code: str) -> None:
        """A limit of ours refused something; `code` says which."""
        self.refused[code] += 1

    def took(self, stage: CallStage, seconds: float) -> None:
        """`stage` of one action took so long."""
        self.stages[stage].add(seconds)

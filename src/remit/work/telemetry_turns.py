"""Whose telemetry discovery's thread works on now.

Laws
* Exports of one agent, and of all people together, are worked on one after the other, each in steps between which
  others have their turn: whoever sends much keeps nobody else waiting for all of it.
* What counts is the time that the thread took, whatever it was for: an agent that used more than its share is refused
  (429) until that is made up for, before its next export is looked at. People's collectors have no share.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Generator
from typing import Generic, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from remit.facts.bucket import Bucket, Buckets
from remit.facts.limits import Limits
from remit.ports.system import Clock
from remit.ports.telemetry import TelemetryRefused

_T = TypeVar("_T")
Steps: TypeAlias = Generator[None, None, _T]
"""Work that lets others in wherever it yields; what it returns is its result."""
Run: TypeAlias = Callable[[Callable[[], bool]], Awaitable[bool]]
"""Does one step in the thread."""


class TelemetryTurns:
    """Who is worked for, and what each agent has used. On the event loop alone; `refused` is told each reason code."""

    def __init__(self, limits: Limits, clock: Clock, refused: Callable[[str], None]) -> None:
        self._share = limits.telemetry_share_max
        self._clock = clock
        self._refused = refused
        self._turns = WeakValueDictionary[str | None, asyncio.Lock]()
        self._buckets = Buckets(limits.telemetry_share_max, limits.telemetry_burst_s_max)

    async def work(self, agent: str | None, steps: Steps[_T], run: Run) -> _T:
        """What `steps` for `agent`, None for people, return, once it is its turn. Raises `TelemetryRefused`."""
        async with self._turns.setdefault(agent, asyncio.Lock()):
            bucket = None if agent is None else self._paid_off(agent)
            timed = _Timed(steps, self._clock)
            try:
                while not await run(timed.step):
                    pass
            finally:
                if bucket is not None:
                    bucket.spend(self._clock.monotonic_s(), timed.used_s)
            return timed.result

    def _paid_off(self, agent: str) -> Bucket:
        """The bucket of `agent`, which owes nothing."""
        now_s = self._clock.monotonic_s()
        bucket = self._buckets.of(agent, now_s)
        if owes_s := bucket.owes_s(now_s):
            self._refused("limit/telemetry")
            raise TelemetryRefused(
                "limit/telemetry",
                f"telemetry of {agent} took more than {self._share:g} s of each second (telemetry_share_max)",
                status=429,
                retry_s=math.ceil(owes_s),
            )
        return bucket


class _Timed(Generic[_T]):
    """Steps, how long they took, and what they came to."""

    def __init__(self, steps: Steps[_T], clock: Clock) -> None:
        self._steps = steps
        self._clock = clock
        self.used_s = 0.0
        self.result: _T

    def step(self) -> bool:
        """Go on to where others may have their turn; whether that is the end."""
        began_s = self._clock.monotonic_s()
        try:
            next(self._steps)
        except StopIteration as end:
            self.result = end.value
            return True
        finally:
            self.used_s += self._clock.monotonic_s() - began_s
        return False

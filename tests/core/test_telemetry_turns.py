"""Agents take turns at telemetry, and who used more than his share of the thread comes back later."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from remit.facts.limits import DEFAULT
from remit.ports.telemetry import TelemetryRefused
from remit.work.telemetry_turns import Steps, TelemetryTurns
from tests.set_clock import Clock

pytestmark = pytest.mark.asyncio


class Thread:
    """Does a step at a time, in the order in which they were asked for, as the thread of discovery."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.did: list[str] = []
        self.refused = Counter[str]()
        limits = replace(DEFAULT, telemetry_share_max=0.5, telemetry_burst_s_max=4.0)
        self.turns = TelemetryTurns(limits, self.clock, lambda code: self.refused.update([code]))
        self._one = asyncio.Lock()

    async def run(self, step: Callable[[], bool]) -> bool:
        async with self._one:
            await asyncio.sleep(0)
            return step()

    def steps(self, name: str, count: int, each_s: float = 0.0) -> Steps[str]:
        for number in range(count):
            self.did.append(f"{name}{number}")
            self.clock.s += each_s
            yield
        return name

    async def work(self, agent: str | None, name: str, count: int = 1, each_s: float = 0.0) -> str:
        return await self.turns.work(agent, self.steps(name, count, each_s), self.run)


async def test_an_export_waits_for_its_agents_others_and_for_a_step_of_everybody_elses() -> None:
    thread = Thread()
    asked = (("clerk", "a", 3), ("clerk", "b", 3), (None, "c", 2), ("helper", "d", 1))
    assert await asyncio.gather(*(thread.work(*one) for one in asked)) == ["a", "b", "c", "d"]
    assert thread.did.index("c1") < thread.did.index("a2")
    assert thread.did.index("d0") < thread.did.index("a1")
    assert [one for one in thread.did if one[0] in "ab"] == ["a0", "a1", "a2", "b0", "b1", "b2"]


async def test_who_used_more_than_his_share_is_refused_unlooked_at_until_that_is_made_up_for() -> None:
    thread = Thread()
    assert await thread.work("clerk", "a", 5, each_s=1.0) == "a"
    with pytest.raises(TelemetryRefused, match="telemetry_share_max") as found:
        await thread.work("clerk", "b")
    assert (found.value.status, found.value.code) == (429, "limit/telemetry")
    assert found.value.retry_s == 2
    assert thread.refused == {"limit/telemetry": 1}
    assert await thread.work("helper", "c") == "c"
    assert await thread.work(None, "d", 50, each_s=1.0) == "d", "people's collectors have no share"
    assert await thread.work(None, "e") == "e"
    thread.clock.s += 2.0
    assert await thread.work("clerk", "f") == "f"
    assert "b0" not in thread.did


async def test_what_fails_counts_too() -> None:
    thread = Thread()

    def torn() -> Steps[str]:
        thread.clock.s += 9.0
        raise TelemetryRefused("otlp/protobuf", "it ends early")
        yield

    with pytest.raises(TelemetryRefused, match="ends early"):
        await thread.turns.work("clerk", torn(), thread.run)
    with pytest.raises(TelemetryRefused, match="telemetry of clerk took more"):
        await thread.work("clerk", "a")

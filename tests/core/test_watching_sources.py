"""A source is looked at again and again: sooner after a failure, ever later while it fails, and its health is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remit.discover.sighting import Kind, Sighting, SourceConfidence, Subject
from remit.ports.source import SourceBatch, SourceFailed, Trouble
from remit.work.sources import FIRST_S, LAST_S, SourceHealth, watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ONE = Sighting(Subject(Kind.AGENT, "a"), "host:box", "x", 0, 0, SourceConfidence.DECLARED)


class Scripted:
    """Looks as its script says: a batch, or the reason why it fails. The script's end ends the watch."""

    name = "scripted"

    def __init__(self, *script: SourceBatch | str) -> None:
        self.script = [*script]

    async def look(self) -> AsyncIterator[SourceBatch]:
        if not self.script:
            raise asyncio.CancelledError
        step = self.script.pop(0)
        if isinstance(step, str):
            raise SourceFailed(step)
        yield step


def watched(
    source: Scripted, every_s: float, refuse: int = 0
) -> tuple[list[SourceHealth], list[float], list[SourceBatch]]:
    healths: list[SourceHealth] = []
    waits: list[float] = []
    taken: list[SourceBatch] = []

    async def take(found: SourceBatch) -> None:
        taken.append(found)
        if len(taken) <= refuse:
            raise SourceFailed("nobody takes it")

    def told(health: SourceHealth, wait_s: float) -> None:
        healths.append(replace(health))
        waits.append(wait_s)

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch(source, every_s, take, told, sleep))
    return healths, waits, taken


def test_health_and_waits() -> None:
    whole = SourceBatch((ONE, ONE), (Trouble("config/syntax", "x", "y"),))
    healths, waits, taken = watched(Scripted(whole, "gone", "gone", "gone", whole), 60)
    assert waits == [60, FIRST_S, FIRST_S * 2, FIRST_S * 4, 60]
    assert [(one.looked, one.failures, one.why) for one in healths] == [
        (1, 0, ""),
        (2, 1, "gone"),
        (3, 2, "gone"),
        (4, 3, "gone"),
        (5, 0, ""),
    ]
    assert (healths[1].sightings, healths[1].troubles) == (2, 1)
    assert taken == [whole, whole]


def test_waits_are_bounded() -> None:
    assert SourceHealth(failures=60).wait_s(10) == LAST_S
    assert SourceHealth(failures=60).wait_s(LAST_S * 2) == LAST_S * 2


def test_what_cannot_be_handed_on_fails_the_look() -> None:
    healths, waits, _ = watched(Scripted(SourceBatch((ONE,)), SourceBatch((ONE,))), 60, refuse=1)
    assert [one.why for one in healths] == ["nobody takes it", ""]
    assert waits == [FIRST_S, 60]

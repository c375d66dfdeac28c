"""The loop goes on after a failed turn, and ends when it is cancelled."""

import asyncio

import pytest

from remit.work.loop import every


@pytest.mark.asyncio
async def test_a_failed_turn_is_told_and_the_next_one_comes() -> None:
    turns: list[int] = []
    told: list[Exception] = []
    third = asyncio.Event()

    async def step() -> None:
        turns.append(len(turns))
        if len(turns) == 1:
            raise ValueError("the first turn")
        if len(turns) == 3:
            third.set()

    task = asyncio.create_task(every(0.001, step, told.append))
    await asyncio.wait_for(third.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [str(error) for error in told] == ["the first turn"]

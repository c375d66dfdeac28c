"""The loop goes on after a failed turn, and ends when it is cancelled."""

import asyncio

import pytest

from remit.work.loop import every, guarded
from tests.eventually import WITHIN_S


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
    await asyncio.wait_for(third.wait(), WITHIN_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [str(error) for error in told] == ["the first turn"]


@pytest.mark.asyncio
async def test_a_loop_ends_though_its_step_raises_in_place_of_being_cancelled() -> None:
    told: list[Exception] = []
    begun = asyncio.Event()

    async def fails() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("no space left on the device")

    async def step() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            begun.set()

    task = asyncio.create_task(every(0.001, step, told.append))
    await asyncio.wait_for(begun.wait(), WITHIN_S)
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=WITHIN_S)
    assert done
    assert task.cancelled()
    assert [type(error) for error in told] == [ExceptionGroup]


@pytest.mark.asyncio
async def test_what_goes_on_after_a_step_does_not_where_the_step_kept_its_being_cancelled_to_itself() -> None:
    begun, after = asyncio.Event(), False

    async def step() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    async def steps() -> None:
        nonlocal after
        await guarded(step, lambda _: None)
        after = True

    task = asyncio.create_task(steps())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not after

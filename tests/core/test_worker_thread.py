"""A thread beside the loop: one piece of work of each agent at a time, and bounded."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from remit.pep.worker_thread import AGENT_SHARE, BYTES_MAX, WorkerThread

WAIT_S = 20.0


@pytest.mark.asyncio
async def test_agents_take_turns() -> None:
    aside, go, done = WorkerThread(), threading.Event(), list[str]()

    def work(name: str) -> str:
        assert go.wait(WAIT_S)
        done.append(name)
        return name

    asked = [("ada", "ada 1"), ("ada", "ada 2"), ("ada", "ada 3"), ("bob", "bob 1")]
    tasks = [asyncio.ensure_future(aside.run(agent, 1, partial(work, name))) for agent, name in asked]
    await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(*tasks) == [name for _, name in asked]
    assert done == ["ada 1", "bob 1", "ada 2", "ada 3"]


@pytest.mark.asyncio
async def test_what_waits_is_bounded_for_each_agent_and_in_all() -> None:
    aside, go, share = WorkerThread(), threading.Event(), BYTES_MAX // AGENT_SHARE
    wait = partial(go.wait, WAIT_S)
    assert aside.has_room("ada", 2 * BYTES_MAX), "where nothing waits"
    tasks = [asyncio.ensure_future(aside.run("ada", share, wait))]
    await asyncio.sleep(0)
    assert not aside.has_room("ada", 1)
    assert aside.has_room("bob", share)
    tasks += [asyncio.ensure_future(aside.run(f"a{number}", share - 1, wait)) for number in range(AGENT_SHARE - 1)]
    tasks.append(asyncio.ensure_future(aside.run("bob", 1, wait)))
    await asyncio.sleep(0)
    assert (aside.has_room("bob", 2), aside.has_room("bob", 3)) == (True, False)
    tasks[-1].cancel()
    await asyncio.wait(tasks[-1:])
    assert not aside.has_room("bob", share), "the thread has still to do it"
    go.set()
    assert isinstance((await asyncio.gather(*tasks, return_exceptions=True))[-1], asyncio.CancelledError)
    await aside.run("zoe", 1, lambda: None)
    assert aside.has_room("ada", share), "nothing is left of what was done or cancelled"
    assert aside.has_room("bob", share)


@pytest.mark.asyncio
async def test_what_fails_fails_where_it_is_waited_for() -> None:
    aside = WorkerThread()
    with pytest.raises(ZeroDivisionError):
        await aside.run("ada", 1, lambda: 1 // 0)
    assert await aside.run("ada", 1, lambda: 7) == 7

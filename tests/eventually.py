"""Waiting in tests, for what tells nobody that it happened: always with an end, which says what was seen last.

The end is for what never comes. It is no measure of how long something may take.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, overload

WITHIN_S: Final = 60.0
_PERIOD_S: Final = 0.02
T = TypeVar("T")


@overload
async def eventually(check: Callable[[], Awaitable[T | None]], within_s: float = WITHIN_S) -> T: ...
@overload
async def eventually(check: Callable[[], T | None], within_s: float = WITHIN_S) -> T: ...
async def eventually(check: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    """What `check` gives, once that is true; `AssertionError` with the last that it gave after `within_s` seconds."""
    end_s = time.monotonic() + within_s
    while True:
        given = check()
        found = await given if inspect.isawaitable(given) else given
        if found:
            return found
        assert time.monotonic() < end_s, f"not within {within_s} s; seen last: {found!r}"
        await asyncio.sleep(_PERIOD_S)


def awaited(check: Callable[[], T | None], within_s: float = WITHIN_S) -> T:
    """`eventually`, where no loop runs."""
    end_s = time.monotonic() + within_s
    while not (found := check()):
        assert time.monotonic() < end_s, f"not within {within_s} s; seen last: {found!r}"
        time.sleep(_PERIOD_S)
    return found

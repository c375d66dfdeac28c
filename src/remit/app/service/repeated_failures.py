"""What a loop in the background fails with: said when it begins, then as a count by the minute, and when it is over.

A disk that is full fails every turn of every loop: a line for each would be what fills it.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from remit.app.terminal.output import say
from remit.facts.text import escaped
from remit.pep.fault import fault
from remit.ports.system import Clock

_LOG: Final = logging.getLogger(__name__)
AGAIN_S: Final = 60.0
"""How often what goes on is counted, and how long a loop has to go well until it is told to."""
KINDS_MAX: Final = 8
"""Errors of so many types and places are each said at once; what differs by more is counted."""


class RepeatedFailures:
    """Of the loop called `name`."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._told: set[tuple[str, ...]] = set()
        self._count = 0
        self._said_s = self._last_s = float("-inf")

    async def turn(self, step: Callable[[], Awaitable[object]]) -> None:
        """Await `step()`, and say what is new of how it goes."""
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - what died silently would be worse
            self.failed(error)
        else:
            self.went()

    def failed(self, error: Exception) -> None:
        """Say `error` where it is new, or how many there were of late."""
        now_s, place = self._clock.monotonic_s(), fault(error)
        if now_s - self._last_s >= AGAIN_S:
            self._over()
        self._last_s = now_s
        what = tuple(place.values())
        if what not in self._told and len(self._told) < KINDS_MAX:
            self._said_s = self._said_s if self._told else now_s
            self._told.add(what)
            tell(error, self._name)
            return
        self._count += 1
        if now_s - self._said_s >= AGAIN_S:
            more = {"code": self._name, "count": self._count}
            _LOG.error("a task in the background still fails", extra=place | more)
            self._count, self._said_s = 0, now_s

    def went(self) -> None:
        """It went well this time."""
        if self._told and self._clock.monotonic_s() - self._last_s >= AGAIN_S:
            _LOG.warning("a task in the background goes on again", extra={"code": self._name})
            self._over()

    def _over(self) -> None:
        self._told.clear()
        self._count = 0


def tell(error: Exception, name: str = "start") -> None:
    """Tell people of an error that no request waits for, of the loop called `name`."""
    _LOG.error("a task in the background failed", extra=fault(error) | {"code": name})
    say(f"in the background: {type(error).__name__}: {escaped(str(error))}")

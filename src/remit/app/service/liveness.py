"""Says once, in the log, that a server does not answer any more, and once that it does again.

Level, not edge: looked at by the second. A server that comes and goes is told of as gone until it stays.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from remit.app.service.fleet import Fleet
from remit.ports.system import Clock
from remit.ports.upstream import ServerHealth

_LOG: Final = logging.getLogger(__name__)
PERIOD_S: Final = 1.0
STAYS_S: Final = 3.0
"""For how long a server has to be well until it is told to be."""


@dataclass(slots=True)
class _Gone:
    """Since when, and since when it is well again."""

    since_s: float
    well_s: float | None = None


class Liveness:
    """Of the servers in `fleet`."""

    def __init__(self, fleet: Fleet, clock: Clock) -> None:
        self._fleet = fleet
        self._clock = clock
        self._gone: dict[str, _Gone] = {}

    async def turn(self) -> None:
        """Have those asked that leave calls waiting, and say what has changed."""
        self._fleet.look()
        self.tell(self._fleet.health)

    def tell(self, health: Mapping[str, ServerHealth]) -> None:
        """Say what has changed since the last time."""
        now_s = self._clock.monotonic_s()
        for name in self._gone.keys() - health.keys():
            del self._gone[name]
        for name, state in health.items():
            gone = self._gone.get(name)
            if not state.is_well:
                if gone is None:
                    gone = self._gone[name] = _Gone(now_s)
                    fields = {"server": name, "code": state.cause or state.state}
                    _LOG.warning("a server does not answer; next: remit describe server NAME", extra=fields)
                gone.well_s = None
            elif gone is not None:
                gone.well_s = now_s if gone.well_s is None else gone.well_s
                if now_s - gone.well_s >= STAYS_S:
                    del self._gone[name]
                    away_ms = round((gone.well_s - gone.since_s) * 1000)
                    _LOG.warning("a server answers again", extra={"server": name, "ms": away_ms})

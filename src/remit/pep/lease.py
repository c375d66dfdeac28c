"""What is stopped is known for a moment only: the lease on it, and what is left for a service that did not answer.

Laws
* Nothing is judged, sent or released on a lease older than `LEASE_S`, by a clock that goes on while the process
  stands still: it is renewed first, in the same step. INVARIANT(stop-wins)
* A lease that cannot be renewed stops everything until it can. INVARIANT(deny-on-error)
* A halt that was left is in force once it is read, and is taken away once it is on the ledger.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from remit.facts.record import Receipt
from remit.facts.stop import EVERYTHING, Stop
from remit.ports.halts import HaltInbox
from remit.ports.ledger import LedgerUnwritable, Pending
from remit.ports.system import Clock

LEASE_S: Final = 0.5
RENEW_S: Final = 0.2
"""How often it is renewed while nothing asks: what is under way is cut off no later."""


class Lease:
    """On what `left` says; `halt` puts one of them in force and queues its record."""

    def __init__(self, clock: Clock, inbox: HaltInbox, halt: Callable[[Stop], Pending]) -> None:
        self._clock = clock
        self._inbox = inbox
        self._halt = halt
        self._read_s: float | None = None
        self._unread: Stop | None = None
        self._recorded: dict[str, asyncio.Future[Receipt]] = {}

    def __call__(self) -> Stop | None:
        """What stops everything, where a lease cannot be had."""
        if self._read_s is None or self._clock.monotonic_s() - self._read_s >= LEASE_S:
            self.renew()
        return self._unread

    async def turn(self) -> None:
        """Renew it, for a loop."""
        self.renew()

    def renew(self) -> None:
        """Read what was left, put it in force, take away what is on the ledger."""
        self._read_s = self._clock.monotonic_s()
        try:
            stops_left = self._inbox.read()
            for name, stop in stops_left.items():
                if name not in self._recorded:
                    self._recorded[name] = asyncio.ensure_future(self._halt(stop).durable)
            for name, durable in tuple(self._recorded.items()):
                if durable.done() and durable.exception() is None:
                    self._inbox.take(name)
                    del self._recorded[name]
            self._unread = None
        except (OSError, LedgerUnwritable) as error:
            text = f"what was left to be halted cannot be read ({error}); next: remit doctor"
            self._unread = Stop(*EVERYTHING, "remit", self._clock.now_ms(), text)

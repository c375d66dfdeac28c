"""Whether a server answers: what it was asked, and when it was last heard.

A call may take as long as it takes. What Remit asks on its own account (who the server is, what it lists, a ping) any
server answers at once: one that lets such a question wait for `SILENT_S`, and says nothing else meanwhile, is silent
until it is heard again. While calls wait and nothing is heard, `due` says when such a question is to be asked, and now
and then where nobody calls.
"""

from typing import Final

from remit.adapters.upstreams.messages import Ear
from remit.ports.system import Clock

LOOK_S: Final = 2.0
"""How long a call waits before it is asked whether the server answers at all."""
SILENT_S: Final = 4.0
AGAIN_S: Final = 5.0
AWAY_S: Final = 15.0
"""How often a server is looked for that was down."""
IDLE_S: Final = 60.0
"""How often one is asked that nobody calls: else only the next caller would find out that it hangs."""


class Pulse:
    """Of one server, over all its connections."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard_s = self._looked_s = float("-inf")
        self._since_s: float | None = None
        self._calls: dict[object, float] = {}
        self._asides: dict[object, float] = {}

    def begins(self, ear: Ear | None) -> object:
        """A request leaves: `ear` is who hears of it, None where it opens a session. What is to be given to `ends`."""
        key = object() if ear is None else ear
        if ear is None or ear.watch is None:  # a watch may wait for good
            (self._asides if ear is None or ear.aside else self._calls)[key] = self._clock.monotonic_s()
        return key

    def ends(self, key: object) -> None:
        """It is over, answered or not."""
        if self._calls.pop(key, None) is None and (asked_s := self._asides.pop(key, None)) is not None:
            self._judge(asked_s)

    def heard(self) -> None:
        """It said something."""
        self._heard_s, self._since_s = self._clock.monotonic_s(), None

    def heard_within(self, seconds: float) -> bool:
        """Whether it said something in the last `seconds`."""
        return self._clock.monotonic_s() - self._heard_s < seconds

    @property
    def silent_s(self) -> float | None:
        """For how long it has answered nothing; None where it answers."""
        for asked_s in self._asides.values():
            self._judge(asked_s)
        return None if self._since_s is None else self._clock.monotonic_s() - self._since_s

    def due(self, *, down: bool, there: bool = False) -> bool:
        """Whether to ask now; `down` where nothing may wait and it was not reached, `there` where it was."""
        now_s = self._clock.monotonic_s()
        waits = min(self._calls.values(), default=now_s) <= now_s - LOOK_S and not self.heard_within(LOOK_S)
        again_s = AGAIN_S if self.silent_s is not None or (waits and not self._asides) else AWAY_S if down else None
        if again_s is None and there and not self.heard_within(IDLE_S):
            again_s = IDLE_S
        if again_s is None or now_s - self._looked_s < again_s:
            return False
        self._looked_s = now_s
        return True

    def _judge(self, asked_s: float) -> None:
        if self._since_s is None and self._heard_s < asked_s <= self._clock.monotonic_s() - SILENT_S:
            self._since_s = asked_s

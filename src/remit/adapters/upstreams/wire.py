"""One connection to a server, as both transports give it to `transport`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from remit.adapters.upstreams.failures import Unusable
from remit.adapters.upstreams.frames import ErrorFrame, Outcome
from remit.adapters.upstreams.messages import Ear, Hearing
from remit.adapters.upstreams.replies import introduction
from remit.adapters.upstreams.requests import DISCOVER, LEVELS, UpstreamRequest, ask_request
from remit.facts.canonical import Json
from remit.ports.system import Clock
from remit.ports.upstream import Era, Introduction, UpstreamContext


class Wire(Protocol):
    """A stateless HTTP address, a session of the `initialize` era with one, or a stdio child."""

    @property
    def hearing(self) -> Hearing:
        """What is in flight here, and who waits for changes."""
        ...

    @property
    def profile(self) -> "ServerProfile":
        """What the server said of itself."""
        ...

    @property
    def era(self) -> Era:
        """Which era is spoken."""
        ...

    async def ask(self, call: UpstreamRequest, ear: Ear) -> Outcome:
        """One request; sets `ear.ident` as it leaves. Cancelling it cancels upstream. Never raises else."""
        ...

    async def answer(self, body: bytes) -> bool:
        """Send our answer to a question of the server's; whether it arrived."""
        ...

    async def stand(self) -> None:
        """Hear what comes outside of calls, from the return on as far as the server lets."""
        ...

    def sit(self) -> None:
        """Stop that, if no watch is left."""
        ...


@dataclass(slots=True)
class ServerProfile:
    """What the server said of itself, and since when; the level of logs it was set to."""

    introduction: Introduction | None = None
    said_s: float = float("-inf")
    level: str | None = None

    def take(self, result: Mapping[str, Json], now_s: float) -> None:
        """Keep what a `server/discover` or `initialize` result says."""
        self.introduction, self.said_s = introduction(result), now_s


async def introduction_of(wire: Wire, clock: Clock, age_s: float) -> Introduction:
    """What the server says of itself; a stateless one is asked again after `age_s`. Raises `Unusable`."""
    known, now_s = wire.profile, clock.monotonic_s()
    if known.introduction is None or (wire.era is Era.STATELESS and now_s - known.said_s > age_s):
        outcome = await wire.ask(DISCOVER, Ear(aside=True))
        if isinstance(outcome, ErrorFrame):
            raise Unusable(outcome.failure)
        known.take(outcome.result, now_s)
    assert known.introduction is not None  # noqa: S101 - just taken
    return known.introduction


async def level(wire: Wire, context: UpstreamContext) -> None:
    """Have a session of the `initialize` era log as much as `context` asks for; it is never set to less."""
    known, least = wire.profile, context.log_level
    if wire.era is Era.STATELESS or least not in LEVELS or known.introduction is None:
        return
    if "logging" not in known.introduction.capabilities:
        return
    if known.level is None or LEVELS.index(least) < LEVELS.index(known.level):
        known.level = least
        await wire.ask(ask_request("logging/setLevel", {"level": least}), Ear(aside=True))

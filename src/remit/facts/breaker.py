"""A breaker: what of an agent, a server or a tool is too much, and for how long it then rests.

Laws
* `MOVES` is all there is: closed, it counts; open, it lets nothing pass; half-open, it lets a few trials pass and
  closes once they went well.
* Time is monotonic seconds: a clock that is set opens and closes nothing. After a restart an open one rests anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from remit.facts.canonical import Json


class On(StrEnum):
    """What trips it."""

    ERRORS = "errors"
    SLOW = "slow"
    DENIALS = "denials"
    IDENTICAL = "identical"
    DEPTH = "depth"
    CYCLES = "cycles"
    FAN_OUT = "fan-out"
    CASCADE = "cascade"


class BreakerSubject(StrEnum):
    """What rests once it has tripped. An agent's is over whatever is delegated from it too."""

    AGENT = "agent"
    SERVER = "server"
    TOOL = "tool"


class BreakerState(StrEnum):
    """Where it stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class BreakerMove(StrEnum):
    """What becomes of it."""

    TRIP = "trip"
    REST = "rest"
    SUCCEED = "succeed"
    RESET = "reset"


MOVES: Final[Mapping[tuple[BreakerState, BreakerMove], BreakerState]] = {
    (BreakerState.CLOSED, BreakerMove.TRIP): BreakerState.OPEN,
    (BreakerState.OPEN, BreakerMove.REST): BreakerState.HALF_OPEN,
    (BreakerState.OPEN, BreakerMove.RESET): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, BreakerMove.TRIP): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, BreakerMove.SUCCEED): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, BreakerMove.RESET): BreakerState.CLOSED,
}
"""REST: it has been open for `open_s`. SUCCEED: the last of its trials went well. RESET: a person says so."""

SAMPLES_MAX: Final = 1_000
"""How many samples one keeps; of more, the latest."""
AT_ONCE: Final = frozenset({On.IDENTICAL, On.DEPTH, On.CYCLES, On.FAN_OUT})
"""What is seen before an action runs: the action that trips it is denied already."""
OF_AGENTS: Final = AT_ONCE | {On.DENIALS}
"""What is an agent's own doing."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Trips at `limit`, of what `on` says, within `within_s` seconds; then what it is over rests for `open_s`.

    `limit` is a share in per cent of `errors` and `slow`, once there were `of_least` calls; how many of the others.
    `of` is the one that it is over; None: each has one of its own. `slow_ms` is longer than which a call is slow.
    """

    name: str
    on: On
    subject: BreakerSubject
    of: str | None
    limit: int
    within_s: float = 60.0
    open_s: float = 30.0
    trials: int = 1
    of_least: int = 10
    slow_ms: float = 10_000.0

    @property
    def policy(self) -> str:
        """How reasons name it."""
        return f"breaker:{self.name}"

    def to_json(self) -> dict[str, Json]:
        """As YAML spells it."""
        members: dict[str, Json] = {"on": self.on.value, "over": self.subject.value, "limit": self.limit}
        members |= {"within_s": self.within_s, "open_s": self.open_s, "trials": self.trials}
        if self.on in {On.ERRORS, On.SLOW}:
            members["of_least"] = self.of_least
        if self.on is On.SLOW:
            members["slow_ms"] = self.slow_ms
        return members if self.of is None else {**members, "of": self.of}

    def key(self, whose: str) -> str:
        """The name of the one over `whose`."""
        return f"{self.name} {self.subject.value}:{whose}"


class Trip(NamedTuple):
    """That the breaker `key` tripped at `at_ms`, with its evidence."""

    at_ms: int
    evidence: Mapping[str, Json]

    @property
    def text(self) -> str:
        """Why, as people say it."""
        return str(self.evidence.get("text", ""))

    @property
    def records(self) -> list[str]:
        """The records by which it tripped."""
        records = self.evidence.get("records")
        return [str(one) for one in records] if isinstance(records, list) else []


class Broken(NamedTuple):
    """A breaker that does not let an action pass: in which `state`, why, and with `evidence` where this trips it.

    From now on it lets nothing pass for `rests_s` seconds.
    """

    breaker: Breaker
    key: str
    state: BreakerState
    text: str
    evidence: Mapping[str, Json] | None = None
    rests_s: float = 0.0


_ALONE: Final = " by agent:"


def alone(key: str, agent: str) -> str:
    """The breaker `key`, of a server or tool, for what is done for `agent` alone: by it, or delegated from it."""
    return f"{key}{_ALONE}{agent}"


def shared(key: str) -> tuple[str, str]:
    """The breaker that `key` is of one agent alone, and which; "" where it is everybody's."""
    breaker, _, agent = key.partition(_ALONE)
    return breaker, agent


def name_of(key: str) -> str:
    """The name of the breaker of `key`."""
    return key.partition(" ")[0]


def whose(key: str) -> str:
    """Whose the breaker of `key` is: `agent clerk`, `server shop`, `server shop by agent clerk`."""
    return " ".join(part.replace(":", " ", 1) for part in key.split(" ")[1:])

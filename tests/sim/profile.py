"""What a seed is like: how many processes, how bad a day, what its agents are about, and what happens at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from tests.sim.realm import STRICT
from tests.sim.servers import WAYS
from tests.sim.trades import GATED, SHIPPING, TRADES

if TYPE_CHECKING:
    from tests.sim.trades import Trade


@dataclass(frozen=True, slots=True)
class Profile:
    """Of one seed, and by it alone.

    `trade` is what agents call, `actions` how often. Of clients, `impatience` is how often they leave before the
    answer; of people, `diligence` how often they decide when they look; `restless` is how often something befalls the
    service; of servers, `oddness` is how often they do not just answer, but in one of `ways`. Clocks `jumps`, disks are
    `failing` or `slow`; `halted`: people halt; `proved`: the ledger is signed, proved and erased;
    `told`: channels hear what waits, and people decide by the page too.
    """

    processes: int
    impatience: float
    trade: Trade
    actions: int
    diligence: float
    restless: float
    jumps: bool
    failing: bool
    slow: float
    ways: tuple[str, ...]
    oddness: float
    halted: bool
    proved: bool
    told: bool
    starts_with: int
    """Which of `realm.variants` runs first."""


def profile_of(seed: int) -> Profile:
    """The profile of `seed`."""
    chance = Random(f"{seed}/profile")
    trade = chance.choice(TRADES)
    # People need some calm to let anything pass.
    calm = 0.1 if trade is GATED else 1.0
    made = Profile(
        processes=chance.choice((1, 2, 3, 4)),
        impatience=chance.choice((0.0, 0.05, 0.3)),
        trade=trade,
        actions=chance.randint(4, 12),
        diligence=chance.choice((0.2, 0.5, 0.9)),
        restless=calm * chance.choice((0.1, 0.5, 2.0)),
        jumps=chance.random() < 0.4,
        failing=chance.random() < 0.3,
        slow=chance.choice((0.0, 0.1, 0.5)),
        ways=tuple(way for way in WAYS if chance.random() < 0.6) or ("answers",),
        oddness=chance.choice((0.1, 0.4, 0.8)),
        halted=chance.random() < 0.4,
        proved=chance.random() < 0.3,
        starts_with=STRICT if trade is GATED and chance.random() < 0.5 else 0,
        told=False,
    )
    if chance.random() < 0.15:
        made = replace(made, trade=SHIPPING, restless=made.restless / calm * 0.5)
    return replace(made, told=chance.random() < (0.6 if trade is GATED else 0.2))

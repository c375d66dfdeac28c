"""Who stands beside one process of the service: people, whoever runs it, and the product's own loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tests.sim.answers import Page
from tests.sim.halting import Warden
from tests.sim.origins import Harness
from tests.sim.people import Operator, People
from tests.sim.proofs import Scribe
from tests.sim.telling import Teller
from tests.sim.trades import SHIPPING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from remit.adapters.sqlite import SqliteLedger
    from remit.pep.driver import Driver
    from tests.sim.world import World


class Runs(Protocol):
    """Whoever goes on until he is told to stop."""

    async def run(self) -> None:
        """Go on."""
        ...


@dataclass(frozen=True, slots=True)
class Beside:
    """All of them; `acting` are done when the agents are, `teller` tells until the process ends."""

    acting: Sequence[Runs]
    scribe: Scribe | None
    page: Page | None
    teller: Teller | None


def beside(world: World, driver: Driver, ledger: SqliteLedger, number: int) -> Beside:
    """Those of process `number`, each with a generator of his own, as the profile has them."""
    like, laws, tell, life = world.profile, world.laws, world.tell, world.life

    def chance(name: str) -> Random:
        return world.draw(f"{name}-{number}")

    page = scribe = teller = None
    if world.answers is not None:
        page = Page(chance("page"), world.answers, driver, ledger, life, tell)
    if world.proofs is not None:
        scribe = Scribe(chance("scribe"), world.proofs, driver, ledger, life, world.loop, tell)
    if world.told is not None:
        teller = Teller(chance("teller"), world.told, ledger, life, tell)
    operator = Operator(
        chance("operator"),
        laws,
        driver,
        world.agents,
        world.servers,
        world.clock,
        tell,
        lambda: world.after.beside(life.path, ledger),
        like.restless,
        like.jumps,
    )
    origins = world.origins if like.trade is SHIPPING else None
    acting: list[Runs | None] = [
        People(chance("people"), laws, driver, ledger, tell, like.diligence, page),
        operator,
        Harness(chance("harness"), origins, world.growing, driver, ledger, world.agents, tell),
        page,
        None if world.stops is None else Warden(chance("warden"), driver, world.agents, world.stops, world.loop, tell),
        scribe,
    ]
    return Beside([one for one in acting if one is not None], scribe, page, teller)

"""One seed: its profile, its processes one after another, and what is checked between and after them."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from remit.adapters.sqlite import LedgerDamaged, SqliteLedger, open_ledger
from remit.pep.driver import Driver
from remit.ports.ledger import LedgerUnwritable
from remit.trace.bodies import AdminBody, Event
from tests.sim.after import After
from tests.sim.agents import Agent, Agents
from tests.sim.answers import Answers
from tests.sim.beside import beside
from tests.sim.duties import Duties
from tests.sim.halting import Folder, Stops
from tests.sim.laws import Broken, Laws
from tests.sim.life import Fate, Hired, Life, disk_of
from tests.sim.loop import Loop, Stuck
from tests.sim.origins import Growing, Origins
from tests.sim.past import Past
from tests.sim.people import Clock
from tests.sim.profile import profile_of
from tests.sim.proofs import Proofs, Seal
from tests.sim.realm import SERVERS, STAFF, variants
from tests.sim.servers import Server
from tests.sim.telling import Told
from tests.sim.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Coroutine
TMPFS: Final = Path("/dev/shm")
STUCK_S: Final = 3_000.0
SETTLED_S: Final = 400.0
"""After so long every round and task has come to its end by itself."""


@dataclass(slots=True)
class Story:
    """What came of one seed."""

    seed: int
    broken: tuple[str, str] | None
    lines: list[str]
    counts: dict[str, int]


class Entropy:
    """Bytes by the seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def token_bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)


class World:
    """Everything of one seed. Each thing draws from a generator of its own, so that one does not change another."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.lines: list[str] = []
        self.loop = Loop(self.draw("loop"))
        self.profile = like = profile_of(seed)
        self.clock = Clock(self.loop.time)
        self.witness = Witness(self.tell)
        known = variants()
        self.laws = Laws(
            self.witness, self.clock, self.tell, known[like.starts_with], {one.bundle.digest: one for one in known}
        )
        self.agents = Agents(
            self.draw("agents"), self.laws, self.clock.now_ms, self.tell, impatience=like.impatience, trade=like.trade
        )
        self.origins = Origins(self.laws, STAFF)
        self.growing = Growing(self.laws)
        where = (lambda: self.life), self.tell, self._mark, self.origins.lists
        self.servers = {
            name: Server(name, self.draw(name), self.laws, *where, like.oddness, like.ways) for name in SERVERS
        }
        self.stops = Stops(self.laws, Folder(self.loop.time)) if like.halted else None
        self.proofs = Proofs(self.laws, Seal(self.draw("seal"))) if like.proved else None
        self.told = Told(self.laws, self.draw("receivers"), like.jumps) if like.told else None
        self.answers = Answers(self.laws, self.draw("devices")) if like.told else None
        checked = (
            self.origins,
            Past(self.laws, jumps=like.jumps),
            Duties(self.laws),
            self.stops,
            self.proofs,
            self.told,
            self.answers,
        )
        self.laws.also = tuple(one for one in checked if one is not None)
        self.after = After(self.laws)
        self._marks = 0
        self.life: Life
        self.over: asyncio.Future[None]

    def draw(self, name: str) -> Random:
        """A generator of its own for `name`."""
        return Random(f"{self.seed}/{name}")

    def tell(self, text: str) -> None:
        self.lines.append(f"{self.loop.time():10.4f} {text}")

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def _mark(self) -> int:
        self._marks += 1
        return self._marks

    # --- the run

    async def run(self) -> None:
        """All processes, and what must hold when the last of them has ended."""
        self.over = self.loop.create_future()
        self.laws.on_broken = self._end
        for names in (("clerk",), ("clerk",), ("helper",), ("watcher",), ("guest",)):
            self.agents.enter(*names)
        clerk, *_, watcher, guest = self.agents.all
        for name, of in (("helper", clerk), ("clerk", watcher), ("clerk", guest), ("watcher", clerk)):
            self.agents.enter(name, of=of)
        entropy = Entropy(self.draw("entropy"))
        for number in range(1, self.profile.processes + 1):
            self.life = self._born(number, last=number == self.profile.processes)
            try:
                ledger = open_ledger(
                    self.life.path, self.clock, entropy, disk_of(self.life), lambda _name: Hired(self.life)
                )
            except LedgerUnwritable as error:
                self.tell(f"the service does not start: {error}")
                self.life.die("it could not start")
                await self._drop()
                continue
            except LedgerDamaged as error:
                self.laws.break_("chain-links", f"the ledger is not opened again: {error}")
                return
            await self._live(ledger, number, entropy)
        self.after.all(self.life.path, () if self.proofs is None else self.proofs.kept())

    def _born(self, number: int, *, last: bool) -> Life:
        chance = self.draw(f"fate-{number}")
        fate = Fate(slow=self.profile.slow)
        if not last:
            fate.ends_at = chance.choice((0, chance.randint(1, 60), chance.randint(1, 400)))
            fate.torn = chance.random() < 0.5
        if self.profile.failing and not last:
            fate.fails_at = chance.randint(2, 120)
            fate.fails_done = chance.random() < 0.5
        folder, following = (self.folder / f"life-{at}" for at in (number, number + 1))
        folder.mkdir(exist_ok=True)
        return Life(self.loop, self.draw(f"life-{number}"), folder, following, fate, self.tell, self._failing)

    def _failing(self) -> None:
        self.witness.read()
        self.witness.refusing = True

    async def _live(self, ledger: SqliteLedger, number: int, entropy: Entropy) -> None:
        """One process from its start to its end."""
        lost = self.witness.open(self.life.path)
        if lost:
            self.laws.break_("chain-links", f"what was on disk is gone or changed: {lost[:3]}")
        self.tell(f"process {number} begins, chain {ledger.chain}")
        for law in self.laws.also:
            law.begins()
        driver = Driver(ledger, self.clock, lambda: self.laws.running.bundle, self.servers, entropy=entropy)
        work: list[asyncio.Task[Any]] = []
        main = self.loop.create_task(self._served(driver, ledger, number, work))
        await asyncio.wait({main, self.life.death, self.over}, return_when=asyncio.FIRST_COMPLETED, timeout=STUCK_S)
        ended = main.done()
        if not ended and not self.life.death.done() and not self.over.done():
            self.tell("nobody goes on")
            self.laws.broken = self.laws.broken or ("goes-on", f"after {STUCK_S:.0f} s somebody still waits")
        self.life.alive = self.life.alive and ended
        with suppress(Broken):
            if ended:
                main.result()
        await self._drop()
        if not ended:
            _release(ledger)
        if self.laws.broken is not None:
            raise Broken
        if ended:
            self.life.keep(self.life.files())
        self.laws.open.clear()
        self.witness.close()

    async def _drop(self) -> None:
        """All that ran in the process is gone."""
        for one in self.life.hired:
            one.dismiss()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in sorted(rest, key=lambda task: int(task.get_name().rpartition("-")[2])):
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for close in self.life.opened:
            close()
        self.loop.forget()

    async def _served(self, driver: Driver, ledger: SqliteLedger, number: int, work: list[asyncio.Task[Any]]) -> None:
        await self.after.doubts(ledger)
        await self.growing.look(ledger)
        await driver.authorization.load()
        there = beside(self, driver, ledger, number)
        if there.scribe is not None:
            await there.scribe.begin()
        await self._quietly(
            driver.authorization.record(
                AdminBody(Event.BUNDLE, "the service", self.laws.running.bundle.digest, {"at": "start"})
            )
        )
        if there.page is not None:
            await self._quietly(there.page.begin())
        aside = [self.loop.create_task(self._beside(one.run())) for one in there.acting]
        telling = None if there.teller is None else self.loop.create_task(self._beside(there.teller.run()))
        mine = self.draw(f"who-{number}")
        chosen = [self._agent(driver, number, place) for place in mine.sample(range(len(self.agents.all)), 7)]
        for task in [self.loop.create_task(self._quietly(agent.run(self.profile.actions))) for agent in chosen]:
            await task
        for task in aside:
            task.cancel()
        if there.teller is not None:
            there.teller.calm = True
        await asyncio.sleep(SETTLED_S)
        if there.teller is not None and telling is not None:
            telling.cancel()
            await there.teller.end()
        await driver.close()
        if ledger.unwritable() is None:
            await asyncio.sleep(1.0)
            if there.scribe is not None:
                await there.scribe.end()
            await self.after.fresh(driver, ledger)
            await self.growing.look(ledger)
        await ledger.close()

    def _agent(self, driver: Driver, number: int, place: int) -> Agent:
        authority = self.agents.all[place]
        return Agent(self.agents, authority, driver, self.life, self.draw(f"{authority.acting.sid}-{number}"))

    async def _quietly(self, work: Coroutine[Any, Any, Any]) -> None:
        """`work`, which may find that nothing can be recorded any more, or that a law is broken."""
        with suppress(LedgerUnwritable, Broken):
            await work

    async def _beside(self, work: Coroutine[Any, Any, Any]) -> None:
        """`work` that nobody waits for: where it fails, the simulator does."""
        try:
            await self._quietly(work)
        except Exception as error:
            if self.life.alive:
                self.lines += traceback.format_exception(error)
                self.laws.broken = self.laws.broken or (
                    "simulator",
                    f"it failed itself: {type(error).__name__}: {error}",
                )
                self._end()
            raise


def _release(ledger: SqliteLedger) -> None:
    """Close what a process that is gone held open, as its system would: nothing is drained."""
    held: dict[str, Any] = vars(ledger)
    held["_readers"].close()
    with suppress(sqlite3.Error):
        held["_conn"].close()
    held["_lock"].release()


def play(seed: int, folder: Path | None = None) -> Story:
    """Run `seed`; what came of it. The same every time."""
    under = folder or (TMPFS if TMPFS.is_dir() else None)
    place = Path(tempfile.mkdtemp(prefix=f"remit-sim-{seed}-", dir=under))
    try:
        world = World(seed, place)
        try:
            world.loop.run_until_complete(world.run())
        except Broken:
            pass
        except Stuck:
            world.laws.broken = world.laws.broken or ("goes-on", "everybody waits, and for nothing that will happen")
        except Exception as error:  # noqa: BLE001 - a seed that nobody could look at again would be lost
            world.lines += traceback.format_exception(error)
            world.laws.broken = ("simulator", f"it failed itself: {type(error).__name__}: {error}")
        finally:
            world.witness.close()
            world.loop.close()
        return Story(seed, world.laws.broken, world.lines, dict(world.laws.counts))
    finally:
        shutil.rmtree(place, ignore_errors=True)

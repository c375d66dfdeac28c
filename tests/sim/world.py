"""One seed: its profile, its processes one after another, and what is checked between and after them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from remit.adapters.sqlite import LedgerDamaged, SqliteLedger, open_ledger, verify_file
from remit.facts.record import Ref
from remit.pep.driver import Driver
from remit.pep.memory import Memory
from remit.ports.ledger import LedgerUnwritable
from remit.trace.bodies import AdminBody, Event
from tests.sim.agents import Agent, Agents
from tests.sim.laws import Broken, Laws
from tests.sim.life import Fate, Hired, Life, disk_of
from tests.sim.loop import Loop, Stuck
from tests.sim.people import Clock, Operator, People
from tests.sim.realm import variants
from tests.sim.servers import WAYS, Server
from tests.sim.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from remit.trace.report import Report

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
        chance = self.draw("profile")
        self.clock = Clock(self.loop.time)
        self.witness = Witness(self.tell)
        known = variants()
        self.laws = Laws(self.witness, self.clock, self.tell, known[0], {one.bundle.digest: one for one in known})
        self.processes = chance.choice((1, 2, 3, 4))
        self.agents = Agents(
            self.draw("agents"),
            self.laws,
            self.clock.now_ms,
            self.tell,
            impatience=chance.choice((0.0, 0.05, 0.3)),
            gated=chance.random() < 0.4,
        )
        self.actions = chance.randint(4, 12)
        self.diligence = chance.choice((0.2, 0.5, 0.9))
        self.restless = chance.choice((0.1, 0.5, 2.0))
        self.jumps = chance.random() < 0.4
        self.failing = chance.random() < 0.3
        self.slow = chance.choice((0.0, 0.1, 0.5))
        ways = tuple(way for way in WAYS if chance.random() < 0.6) or ("answers",)
        oddness = chance.choice((0.1, 0.4, 0.8))
        self.servers = {
            name: Server(name, self.draw(name), self.laws, lambda: self.life, self.tell, self._mark, oddness, ways)
            for name in ("shop", "vault", "attic")
        }
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
        for number in range(1, self.processes + 1):
            self.life = self._born(number, last=number == self.processes)
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
            await self._live(ledger, number)
        self._verify()

    def _born(self, number: int, *, last: bool) -> Life:
        chance = self.draw(f"fate-{number}")
        fate = Fate(slow=self.slow)
        if not last:
            fate.ends_at = chance.choice((0, chance.randint(1, 60), chance.randint(1, 400)))
            fate.torn = chance.random() < 0.5
        if self.failing and not last:
            fate.fails_at = chance.randint(2, 120)
            fate.fails_done = chance.random() < 0.5
        folder, following = (self.folder / f"life-{at}" for at in (number, number + 1))
        folder.mkdir(exist_ok=True)
        return Life(self.loop, self.draw(f"life-{number}"), folder, following, fate, self.tell, self._failing)

    def _failing(self) -> None:
        self.witness.read()
        self.witness.refusing = True

    async def _live(self, ledger: SqliteLedger, number: int) -> None:
        """One process from its start to its end."""
        lost = self.witness.open(self.life.path)
        if lost:
            self.laws.break_("chain-links", f"what was on disk is gone or changed: {lost[:3]}")
        self.tell(f"process {number} begins, chain {ledger.chain}")
        driver = Driver(ledger, self.clock, lambda: self.laws.running.bundle, self.servers)
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
        self.loop.forget()

    async def _served(self, driver: Driver, ledger: SqliteLedger, number: int, work: list[asyncio.Task[Any]]) -> None:
        await self._doubts(ledger)
        await driver.load()
        await self._quietly(
            driver.record(AdminBody(Event.BUNDLE, "the service", self.laws.running.bundle.digest, {"at": "start"}))
        )
        people = People(self.draw(f"people-{number}"), self.laws, driver, ledger, self.tell, self.diligence)
        chance = self.draw(f"operator-{number}")
        operator = Operator(
            chance,
            self.laws,
            driver,
            self.agents,
            self.servers,
            self.clock,
            self.tell,
            self._verified,
            self.restless,
            self.jumps,
        )
        aside = [self.loop.create_task(self._quietly(one.run())) for one in (people, operator)]
        mine = self.draw(f"who-{number}")
        chosen = [self._agent(driver, number, place) for place in mine.sample(range(len(self.agents.all)), 7)]
        for task in [self.loop.create_task(self._quietly(agent.run(self.actions))) for agent in chosen]:
            await task
        for task in aside:
            task.cancel()
        await asyncio.sleep(SETTLED_S)
        await driver.close()
        if ledger.unwritable() is None:
            await asyncio.sleep(1.0)
            await self._fresh(driver, ledger)
        await ledger.close()

    def _agent(self, driver: Driver, number: int, place: int) -> Agent:
        authority = self.agents.all[place]
        return Agent(self.agents, authority, driver, self.life, self.draw(f"{authority.acting.sid}-{number}"))

    async def _quietly(self, work: Coroutine[Any, Any, Any]) -> None:
        """`work`, which may find that nothing can be recorded any more, or that a law is broken."""
        with suppress(LedgerUnwritable, Broken):
            await work

    # --- what must hold

    async def _doubts(self, ledger: SqliteLedger) -> None:
        """After a start: what is in doubt is what has an intent and no outcome on disk, no more and no less."""
        listed = {str(one.ref) for one in await ledger.in_doubt()}
        expected = self.witness.doubtful(ledger.chain)
        if listed != expected:
            text = f"listed {sorted(listed - expected)} too many, {sorted(expected - listed)} are missing"
            self.laws.break_("in-doubt-exact", text)
        for ref in sorted(listed):
            self.tell(f"in doubt {ref}")
        await self._labels(ledger)

    async def _labels(self, ledger: SqliteLedger) -> None:
        """What clients have read is in the labels of their sessions."""
        for sid, labels in self.laws.seen.items():
            session = await ledger.session(sid)
            held = frozenset[str]() if session is None else session.labels
            if not labels <= held:
                self.laws.break_(
                    "label-before-data", f"{sid} has read {sorted(labels)}, its session has {sorted(held)}"
                )

    async def _fresh(self, driver: Driver, ledger: SqliteLedger) -> None:
        """What the driver holds in memory is what somebody finds who reads it afresh."""
        memory = driver._memory  # pyright: ignore[reportPrivateUsage]
        fresh = Memory(ledger)
        await fresh.load()
        for sid, held in memory._sessions.items():  # pyright: ignore[reportPrivateUsage]
            session = await ledger.session(sid)
            if held.session != session:
                self.laws.break_("state-is-a-fold", f"in memory {held.session}, on disk {session}")
        for ours, theirs in ((memory.approvals(), fresh.approvals()),):
            mine, his = ({one.ident: one for one in some if one.state.value in _OPEN} for some in (ours, theirs))
            if mine != his:
                self.laws.break_("state-is-a-fold", f"approvals in memory {sorted(mine)}, on disk {sorted(his)}")
        await self._labels(ledger)
        self.witness.read()
        known = {ref for ref, one in self.witness.by_ref.items() if one.ref.chain == ledger.chain and not one.ended}
        if known:
            self.laws.break_("goes-on", f"{sorted(known)} have no outcome though nobody waits any more")

    def _verify(self) -> None:
        """The whole file, by the product's own verification, and against what was seen of it."""
        path = self.life.path
        lost = self.witness.open(path)
        if lost:
            self.laws.break_("chain-links", f"what was on disk is gone or changed: {lost[:3]}")
        self._complete(self._verified())
        self.witness.close()

    def _verified(self) -> Report:
        """`remit ledger verify`, beside the service or after it, finds nothing."""
        report = verify_file(self.life.path)
        for finding in report.findings:
            self.laws.break_(_INVARIANTS.get(finding.invariant, finding.invariant), str(finding))
        if report.uncompared is not None:
            self.laws.break_("state-is-a-fold", f"it could not be compared: {report.uncompared}")
        return report

    def _complete(self, report: Report) -> None:
        listed = {str(ref) for ref in (*report.in_doubt, *report.open)}
        if listed != self.witness.under_way():
            self.laws.break_("in-doubt-exact", f"verification lists {sorted(listed)} without an outcome")
        for ref, bundle in self.witness.bundles.items():
            if bundle not in self.laws.by_digest:
                self.laws.break_("bundle-in-every-record", f"{ref} names {bundle!r}, which never ran")
        assert Ref.parse(str(report.heads[-1].ref))


_OPEN: Final = frozenset({"pending", "approved"})
_INVARIANTS: Final = {"state": "state-is-a-fold"}


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

"""Halts and quarantine: who orders them, by command or by what is left in a folder, and that nothing escapes them.

Laws
* INVARIANT(stop-wins): from the moment of the order on nothing that it is over is done, and no answer of it is given.
* What was left in the folder is obeyed once the lease on it must have been renewed; a folder that nobody can read
  stops everything by then. A process that stood still is no exception.
* What is on disk is in force again after a crash, until somebody lets it act again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from remit.facts.action import ActionKind
from remit.facts.stop import EVERYTHING, Stop, StopKind, StopScope, StopTarget, read_subject, subject
from remit.facts.tool import Effect, Sink
from remit.pep.answer import Failed, Refused, Released
from remit.pep.lease import LEASE_S, RENEW_S
from remit.ports.ledger import LedgerUnwritable
from remit.trace.bodies import Event
from tests.sim.laws import Law
from tests.sim.realm import SERVERS, STAFF, TOOLS, USERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from remit.facts.agent import Authority
    from remit.pep.answer import Answer
    from remit.pep.driver import Driver
    from remit.pep.lease import Lease
    from tests.sim.agents import Agents
    from tests.sim.laws import Laws
    from tests.sim.loop import Loop
    from tests.sim.witness import Key

STOOD_STILL_S: Final = 5.0


@dataclass(slots=True)
class Folder:
    """Where halts are left for a service that does not answer (`ports.halts.HaltInbox`). It outlives the process."""

    now_s: Callable[[], float]
    lying: dict[str, tuple[Stop, float]] = field(default_factory=dict[str, tuple[Stop, float]])
    unreadable_s: float | None = None
    """Since when nobody can read it."""
    taken: Callable[[Stop], None] = lambda _: None
    _left: int = 0

    def leave(self, stop: Stop) -> None:
        """Put one into it."""
        self._left += 1
        self.lying[f"{self._left}.json"] = (stop, self.now_s())

    def read(self) -> Mapping[str, Stop]:
        """What lies in it."""
        if self.unreadable_s is not None:
            raise OSError("the folder cannot be read")
        return {name: stop for name, (stop, _) in self.lying.items()}

    def take(self, name: str) -> None:
        """It is on the ledger."""
        stop, _ = self.lying.pop(name)
        self.taken(stop)


@dataclass(slots=True)
class Stops(Law):
    """The law of halts: what is in force by order, by what is on disk, and by what was left."""

    laws: Laws
    folder: Folder
    in_force: dict[StopTarget, StopScope] = field(default_factory=dict[StopTarget, StopScope])

    def __post_init__(self) -> None:
        self.folder.taken = self.order

    def order(self, stop: Stop) -> None:
        """`stop` is in force from now on."""
        self.in_force[stop.target] = stop.scope

    def begins(self) -> None:
        """A process begins: what is on disk is in force."""
        self.in_force.clear()
        for _, body in self.laws.witness.admins.values():
            what = read_subject(body.subject)
            if body.event is Event.HALT and what is not None:
                self.in_force[what] = StopScope(str(body.data.get("holds", StopScope.ALL.value)))
            elif body.event is Event.RESUME and what is not None:
                self.in_force.pop(what, None)

    def effect(self, key: Key) -> None:
        """Nothing is done that something in force is over."""
        self._none(key, "was done")

    def gives(self, authority: Authority, key: Key, answer: Answer) -> None:
        """No answer is given either; of what is still under way nothing to those who are stopped themselves."""
        if isinstance(answer, Released | Failed):
            self._none(key, "was answered")
        elif not isinstance(answer, Refused):
            self._none((*key[:1], "", "", *key[3:]), "goes on")

    def _none(self, key: Key, what: str) -> None:
        kind, server, name, _, links = key
        authority = self.laws.authorities[links[-1][1]]
        for stopped, holds in self._now().items():
            if _is_over(stopped, authority, server, name) and holds in (StopScope.ALL, _holds(kind, server, name)):
                text = f"{server}/{name} {what} for {authority.acting.sid} though {subject(stopped)} was stopped"
                self.laws.break_("stop-wins", f"{text} ({holds.value})")

    def _now(self) -> Mapping[StopTarget, StopScope]:
        """What is in force; all that was left so long ago that the lease on it must have been renewed."""
        due_s = self.folder.now_s() - LEASE_S
        if self.folder.unreadable_s is not None and self.folder.unreadable_s <= due_s:
            return {EVERYTHING: StopScope.ALL}
        return self.in_force | {stop.target: stop.scope for stop, at_s in self.folder.lying.values() if at_s <= due_s}


def _is_over(what: StopTarget, authority: Authority, server: str, name: str) -> bool:
    over, named = what
    match over:
        case StopKind.AGENT:
            return named in authority.agents
        case StopKind.SESSION:
            return named in authority.sids
        case StopKind.USER:
            return named == authority.user
        case StopKind.GROUP:
            staff = named == "staff" and not STAFF.isdisjoint(authority.agents)
            return staff or named in USERS.get(authority.user or "", ())
        case StopKind.SERVER:
            return named == server
        case StopKind.TOOL | StopKind.RESOURCE:
            return named == f"{server}/{name}"
        case StopKind.EVERYTHING:
            return True


def _holds(kind: str, server: str, name: str) -> StopScope:
    """Which quarantine is over it: what changes something, or tells somebody outside, acts."""
    if kind != ActionKind.CALL_TOOL.value or not server:
        return StopScope.READING if server else StopScope.ALL
    effect, sink, _ = TOOLS[server, name]
    return StopScope.READING if effect is Effect.READ and sink is not Sink.EXTERNAL else StopScope.ACTING


@dataclass(slots=True)
class Warden:
    """Whoever halts and lets act again; and what befalls the process meanwhile."""

    random: Random
    driver: Driver
    agents: Agents
    stops: Stops
    loop: Loop
    tell: Callable[[str], None]

    async def run(self) -> None:
        """Now and then stop something for a while."""
        folder = self.stops.folder
        renewing = self.loop.create_task(self._renew(self.driver.halts.leased(folder)))
        try:
            while True:
                await asyncio.sleep(self.random.uniform(0.2, 5.0))
                with suppress(LedgerUnwritable):
                    await self._act()
                folder.unreadable_s = None
        finally:
            renewing.cancel()

    @staticmethod
    async def _renew(lease: Lease) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            await lease.turn()

    async def _act(self) -> None:
        stop = self._chosen()
        match self.random.randrange(6):
            case 0 if stop.scope is StopScope.ALL:
                self.tell(f"left to be halted: {subject(stop.target)}")
                self.stops.folder.leave(stop)
            case 1 if stop.scope is StopScope.ALL:
                self.tell(f"the process stands still for {STOOD_STILL_S:.0f} s; left meanwhile: {subject(stop.target)}")
                self.stops.folder.leave(stop)
                self.loop.stand(STOOD_STILL_S)
            case 2:
                self.tell("the folder of halts cannot be read")
                self.stops.folder.unreadable_s = self.loop.time()
            case _:
                self.tell(f"{stop}")
                self.stops.order(stop)
                try:
                    await self.driver.halts.halt(stop.target, stop.by, stop.reason, stop.scope)
                except LedgerUnwritable:
                    # It was said that it could not be done.
                    self.stops.in_force.pop(stop.target, None)
                    raise
        await asyncio.sleep(self.random.uniform(0.0, 4.0))
        await self._resume()

    async def _resume(self) -> None:
        lying = {stop.target for stop, _ in self.stops.folder.lying.values()}
        for what in [one for one in self.stops.in_force if one not in lying]:
            self.tell(f"may act again: {subject(what)}")
            del self.stops.in_force[what]
            await self.driver.halts.resume(what, "ann")

    def _chosen(self) -> Stop:
        someone = self.random.choice(self.agents.all)
        tool = "/".join(self.random.choice([*TOOLS]))
        whats: tuple[StopTarget, ...] = (
            (StopKind.AGENT, self.random.choice(someone.agents)),
            (StopKind.SESSION, self.random.choice(someone.sids)),
            (StopKind.USER, self.random.choice([*USERS])),
            (StopKind.GROUP, self.random.choice(("staff", "finance"))),
            (StopKind.SERVER, self.random.choice(SERVERS)),
            (StopKind.TOOL, tool),
            EVERYTHING,
        )
        what = self.random.choice(whats)
        holds = self.random.choice((StopScope.ALL, StopScope.ALL, StopScope.ACTING, StopScope.READING))
        return Stop(*what, "ann", 0, "to be sure", holds)

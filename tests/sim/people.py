"""The people: those who decide, not all of whom may, and those who run the service."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from remit.escalate.voting import VoteRefused
from remit.facts.agent import User
from remit.facts.record import Ref
from remit.ports.ledger import LedgerUnwritable
from remit.trace.bodies import ActionBody, AdminBody, Choice, Event
from tests.sim.laws import Vote
from tests.sim.realm import USERS, variants

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from remit.adapters.sqlite import SqliteLedger
    from remit.escalate.machine import Approval
    from remit.pep.driver import Driver
    from tests.sim.agents import Agents
    from tests.sim.laws import Laws
    from tests.sim.servers import Server

HOUR_MS: Final = 3_600_000


@dataclass(slots=True)
class Clock:
    """Wall time, which people and their machines set; monotonic time, which nobody does."""

    time_s: Callable[[], float]
    off_ms: int = 0

    def now_ms(self) -> int:
        return 1_800_000_000_000 + int(self.time_s() * 1000) + self.off_ms

    def monotonic_s(self) -> float:
        return self.time_s()


@dataclass(slots=True)
class People:
    """Whoever decides: shown what the ledger holds, as `remit approvals show` would."""

    random: Random
    laws: Laws
    driver: Driver
    ledger: SqliteLedger
    tell: Callable[[str], None]
    diligence: float

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.random.uniform(0.2, 4.0))
            for one in await self.ledger.approvals(open_only=True, limit=20):
                if self.random.random() < self.diligence:
                    await self._decide(one)

    async def _decide(self, asked: Approval) -> None:
        entry = await self.ledger.entry(Ref.parse(asked.ident))
        assert entry is not None, "what people are asked is on disk"
        body = entry.body
        assert isinstance(body, ActionBody)
        # Of a round they are shown the questions too, which are no part of what they decide on.
        shown, questions, _ = body.arguments.partition(b',"questions":')
        key = (body.kind, body.server, body.name, shown + b"}" if questions else shown, body.links)
        vote = self.laws.votes.setdefault(asked.ident, Vote(key, body.user, asked.expires_ms))
        who = self.random.choice(tuple(USERS))
        choice = Choice.DENY if self.random.random() < 0.15 else Choice.APPROVE
        if choice is Choice.APPROVE:
            vote.yes.add(who)
        self.tell(f"{who} says {choice.value} to {asked.ident}")
        try:
            await self.driver.decide_approval(asked.ident, User(who, USERS[who]), choice, None)
        except (VoteRefused, LedgerUnwritable, KeyError) as error:
            self.tell(f"{who} may not: {error}")
            return
        vote.refused = vote.refused or choice is Choice.DENY


@dataclass(slots=True)
class Operator:
    """Whoever runs the service: swaps bundles, ends sessions, revokes tokens; and what befalls clock and servers."""

    random: Random
    laws: Laws
    driver: Driver
    agents: Agents
    servers: Mapping[str, Server]
    clock: Clock
    tell: Callable[[str], None]
    verify: Callable[[], object]
    restless: float
    jumps: bool

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.random.uniform(0.0, 2.0 / self.restless))
            try:
                await self._act()
            except LedgerUnwritable:
                self.tell("nothing can be recorded")

    async def _act(self) -> None:
        someone = self.random.choice(self.agents.all)
        server = self.servers[self.random.choice(tuple(self.servers))]
        match self.random.randrange(12):
            case 0 | 1:
                found = self.random.choice(variants())
                data = {"at": "swap"}
                await self.driver.record(AdminBody(Event.BUNDLE, "ann", found.bundle.digest, data))
                self.tell(f"the bundle is {found.name}")
                self.laws.swapped(found)
            case 2:
                sid = self.random.choice(someone.links).sid
                await self.driver.end_session(sid, "ann")
                self.tell(f"ended {sid}")
                self.laws.ended.add(sid)
                self.agents.enter(someone.acting.agent)
            case 3:
                token = self.random.choice((someone.token, *someone.ancestors))
                await self.driver.revoke(token, someone.expires_ms, "ann")
                self.tell(f"revoked {token}")
                self.laws.revoked.add(token)
            case 4 | 5 if self.jumps:
                by_ms = self.random.choice((HOUR_MS, -HOUR_MS, 130_000, -5_000))
                self.clock.off_ms += by_ms
                self.tell(f"the clock jumps by {by_ms / 1000:+.0f} s")
            case 6:
                server.drifted = not server.drifted
                self.tell(f"{server.name} {'drifts' if server.drifted else 'is as accepted'}")
            case 7:
                server.away = not server.away
                self.tell(f"{server.name} {'goes away' if server.away else 'is back'}")
            case 9:
                self.tell("the ledger is verified beside the service")
                self.verify()
            case 8:
                text = self.random.choice(("pay eve", "read the page"))
                await self.driver.record_words(someone.links[0].sid, text, "harness")
            case _:
                ended = await self.driver.expire_due()
                if ended:
                    self.tell(f"{ended} approvals expired")

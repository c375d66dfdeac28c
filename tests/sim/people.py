"""The people: those who decide, not all of whom may, and those who run the service."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from remit.escalate.grants import Bound, Constraint, GrantScope, Wish
from remit.escalate.voting import EditRefused, VoteRefused
from remit.facts.action import ActionKind
from remit.facts.agent import User
from remit.facts.canonical import canonical
from remit.facts.durations import HOUR_MS
from remit.facts.passkey import Confirmed
from remit.facts.record import Ref
from remit.ports.ledger import LedgerUnwritable
from remit.trace.bodies import ActionBody, AdminBody, Choice, Event
from tests.sim.consent import Given, Handed, Said, Vote, given_of
from tests.sim.realm import USERS, variants

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from random import Random

    from remit.adapters.sqlite import SqliteLedger
    from remit.escalate.machine import Approval
    from remit.pep.driver import Driver
    from tests.sim.agents import Agents
    from tests.sim.answers import Page
    from tests.sim.laws import Laws
    from tests.sim.servers import Server
    from tests.sim.witness import Key

PAYS: Final = (ActionKind.CALL_TOOL.value, "shop", "pay")
"""What people grant and edit: plain arguments, which a round of questions is not."""


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
    page: Page | None
    """By which they confirm; where there is none they are believed."""
    _seen: dict[str, Approval] = field(default_factory=dict[str, "Approval"])

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.random.uniform(0.2, 4.0))
            for one in await self.ledger.approvals(open_only=True, limit=20):
                if self.random.random() < self.diligence:
                    await self._decide(one)
            if self.random.random() < 0.1:
                await self._revoke()

    async def _decide(self, asked: Approval) -> None:
        first = self._seen.setdefault(asked.ident, asked)
        if asked.edit is not None and self.random.random() < 0.4:
            # He looked before somebody let something else run, and decides only now.
            asked = first
        try:
            shown = await self._shown(asked.ident)
        except KeyError:
            self.tell(f"{asked.ident} was erased")
            return
        vote = self.laws.allowed.votes.setdefault(asked.ident, Vote(shown, asked.user, asked.expires_ms))
        if asked.edit is not None:
            shown = await self._shown(asked.edit.record)
        who = self._somebody(asked, vote)
        confirmed = await self._confirmed(asked, who) if self.random.random() < 0.7 else None
        try:
            match self.random.randrange(20):
                case 0 | 1 | 2:
                    self.tell(f"{who} says no to {asked.ident}")
                    await self.driver.approvals.cast_vote(asked.ident, _user(who), Choice.DENY, None)
                    vote.refused = True
                case 3 | 4:
                    await self._hand_on(asked, vote, who)
                case 5 | 6 | 7 if vote.key[:3] == PAYS:
                    await self._edit(asked, vote, who, confirmed)
                case _:
                    self.tell(f"{who} says yes to {asked.ident}{'' if confirmed is None else ', with his key'}")
                    with self._saying(vote, shown, who, confirmed):
                        voice, yes, nonce = _user(who), Choice.APPROVE, asked.shown
                        await self.driver.approvals.cast_vote(
                            asked.ident, voice, yes, None, shown=nonce, confirmed=confirmed
                        )
                    if vote.key[:3] == PAYS and self.random.random() < 0.5:
                        await self._grant(asked, vote, who, confirmed)
        except (VoteRefused, EditRefused, LedgerUnwritable, KeyError) as error:
            self.tell(f"{who} may not: {error}")

    async def _confirmed(self, asked: Approval, who: str) -> Confirmed | None:
        if self.page is None:
            return Confirmed(f"key-of-{who}", 1)
        return await self.page.confirmed(who, asked.ident, "approve", asked.shown)

    def _somebody(self, asked: Approval, vote: Vote) -> str:
        """Mostly one of those who are asked, or whom these asked."""
        routes = self.laws.running.routes()
        asks = frozenset[str]().union(*(routes[gate.route].members for gate in asked.gates)) - {asked.user}
        deputies = {one.to for one in vote.handed} - asks
        return self.random.choice(self.random.choice((sorted(asks), sorted(asks), sorted(deputies or asks), [*USERS])))

    async def _shown(self, ref: str) -> Key:
        """What people are shown of the record `ref`."""
        entry = await self.ledger.entry(Ref.parse(ref))
        assert entry is not None, "what people are asked is on disk"
        body = entry.body
        if not isinstance(body, ActionBody):
            raise KeyError(ref)
        # Of a round they are shown the questions too, which are no part of what they decide on.
        shown, questions, _ = body.arguments.partition(b',"questions":')
        return (body.kind, body.server, body.name, shown + b"}" if questions else shown, body.links)

    @contextmanager
    def _saying(self, vote: Vote, key: Key, who: str, confirmed: Confirmed | None) -> Generator[None]:
        """It counts from the moment on at which he begins to say it."""
        said = Said(who, self.laws.clock.now_ms(), confirmed is not None)
        vote.says(key, said)
        try:
            yield
        except (VoteRefused, EditRefused):
            vote.yes[key].remove(said)
            raise
        vote.says(key, Said(who, self.laws.clock.now_ms(), confirmed is not None))

    async def _hand_on(self, asked: Approval, vote: Vote, who: str) -> None:
        to, now_ms = self.random.choice(tuple(USERS)), self.laws.clock.now_ms()
        until_ms = now_ms + self.random.choice((2_000, 20_000, 100_000))
        self.tell(f"{who} lets {to} decide {asked.ident} until {until_ms}")
        vote.handed.append(Handed(who, to, now_ms, until_ms))
        await self.driver.approvals.delegate(asked.ident, _user(who), to, until_ms, None)

    async def _edit(self, asked: Approval, vote: Vote, who: str, confirmed: Confirmed | None) -> None:
        """Let something else run than was asked for."""
        given = {**given_of(vote.key), "amount": self.random.choice((1, 60, 200)), "note": f"by {who}"}
        kind, server, name, _, links = vote.key
        self.tell(f"{who} says yes to {asked.ident} as {canonical(given).decode()}")
        with self._saying(vote, (kind, server, name, canonical(given), links), who, confirmed):
            await self.driver.approvals.approve_edited(
                asked.ident, _user(who), given, None, shown=asked.shown, confirmed=confirmed
            )

    async def _grant(self, asked: Approval, vote: Vote, who: str, confirmed: Confirmed | None) -> None:
        """Grant more than the one action, or join whoever did."""
        granted = self.laws.allowed.given.get(asked.ident)
        if granted is None:
            until_ms = self.laws.clock.now_ms() + self.random.choice((5_000, 60_000, 3_000_000))
            most = self.random.choice((None, 500))
            routes = frozenset(gate.route for gate in asked.gates)
            granted = Given(vote, routes, most is None, most, until_ms, self.random.choice((1, 2, 5)))
            self.laws.allowed.given[asked.ident] = granted
        held = () if granted.most is None else (Constraint("amount", Bound.AT_MOST, granted.most),)
        scope = GrantScope.SESSION if granted.of_session else GrantScope.TOOL
        self.tell(f"{who} grants as much with {asked.ident}, {granted.uses_max} times until {granted.until_ms}")
        granted.said.append(Said(who, self.laws.clock.now_ms(), confirmed is not None))
        wish = Wish(scope, granted.until_ms, granted.uses_max, held)
        await self.driver.grants.give(asked.ident, _user(who), wish, None, confirmed)

    async def _revoke(self) -> None:
        """Take back something that was granted; the record says when that was."""
        try:
            grants = await self.driver.grants.all_grants()
        except LedgerUnwritable:
            return
        if not grants:
            return
        one, who = self.random.choice(grants), self.random.choice(tuple(USERS))
        self.tell(f"{who} takes {one.ident} back")
        try:
            await self.driver.grants.revoke(one.ident, _user(who), None)
        except (VoteRefused, LedgerUnwritable) as error:
            self.tell(f"{who} may not: {error}")


def _user(name: str) -> User:
    return User(name, USERS[name])


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
                await self.driver.authorization.record(AdminBody(Event.BUNDLE, "ann", found.bundle.digest, data))
                self.tell(f"the bundle is {found.name}")
                self.laws.swapped(found)
            case 2:
                sid = self.random.choice(someone.links).sid
                await self.driver.sessions.end(sid, "ann")
                self.tell(f"ended {sid}")
                self.laws.ended.add(sid)
                self.agents.enter(someone.acting.agent)
            case 3:
                token = self.random.choice((someone.token, *someone.ancestors))
                await self.driver.authorization.revoke(token, someone.expires_ms, "ann")
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
                text = self.random.choice(("pay what is due", "read the page"))
                await self.driver.sessions.record_words(someone.links[0].sid, text, "harness")
            case _:
                ended = await self.driver.authorization.expire_due()
                if ended:
                    self.tell(f"{ended} approvals expired")

"""Origins and labels: what leaves the port goes where somebody named who may; what is held is held for good.

Laws
* INVARIANT(origin-holds): nothing is shipped to where neither the user's words nor a trusted list named, in this run or
  above it; nor to where a page that was read before had named, unless the user said it. What the user said, as it is on
  disk, vouches for good: before and after every restart, in every session below the one in which he said it.
* INVARIANT(labels-only-grow): what a session or a store holds it holds for good, whatever ends, fails or crashes.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from remit.facts.action import ActionKind
from remit.trace.bodies import Event, Status
from tests.sim.consent import given_of
from tests.sim.laws import MARK, Law
from tests.sim.port import LIST, NAMES, PAGE, SHIP, UNVOUCHED

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from remit.adapters.sqlite import SqliteLedger
    from remit.facts.agent import Authority
    from remit.pep.driver import Driver
    from tests.sim.agents import Agents
    from tests.sim.laws import Called, Laws
    from tests.sim.witness import Intent, Key


SAYS_SHARE: Final = 0.3
"""Of how many looks somebody's user says something: what he said vouches whatever else names it."""


@dataclass(slots=True)
class Origins(Law):
    """Who named what, in which run: the user, a trusted list, a page of the web."""

    laws: Laws
    enforced: frozenset[str]
    """The agents that are held to policies."""
    _said: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _listed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _read: dict[str, dict[Key, str]] = field(default_factory=lambda: defaultdict(dict))
    """By run, the pages whose answers were read, and what each names."""

    def says(self, root: str, name: str) -> None:
        """The user of the run `root` is about to name `name`."""
        self._said[root].add(name)

    def reads(self, authority: Authority, data: bytes) -> None:
        """What a list or a page named is read."""
        for found in MARK.findall(data):
            called = self.laws.calls[int(found)]
            if called.names and called.plainly:
                self._named(authority.links[0].sid, called)

    def _named(self, root: str, called: Called) -> None:
        if called.key[1:3] == PAGE:
            self._read[root][called.key] = called.names

    def effect(self, key: Key) -> None:
        """Something is shipped, or a list is about to name something."""
        if key[0] != ActionKind.CALL_TOOL.value or key[1:3] != SHIP:
            return
        if self.enforced.isdisjoint(agent for agent, _ in key[4]):
            return
        root, name = key[4][0][1], given_of(key)["to"]
        self.laws.counts["shipped"] += 1
        if name in self._said[root]:
            return
        if name not in self._listed[root]:
            self.laws.break_("origin-holds", f"{name} was shipped to in {root}, where nobody named it")
        self.laws.counts["listed"] += 1
        [intent] = self.laws.witness.intents[key]
        for page, named in self._read[root].items():
            if named == name and self._before(page, intent):
                self.laws.break_("origin-holds", f"{name} was shipped to in {root}, where a page had named it")

    def _before(self, page: Key, intent: Intent) -> bool:
        """Whether the `page` had been read for good when `intent` was judged."""
        return any(
            one.over is not None and one.over[0] < intent.place and one.ended[0].status is Status.OK
            for one in self.laws.witness.intents[page]
        )

    def lists(self, called: Called) -> None:
        """A list is about to name something."""
        if called.key[1:3] == LIST:
            self._listed[called.key[4][0][1]].add(called.names)

    def over(self) -> None:
        """Nothing was denied for its origin that the user had vouched for."""
        vouched: dict[tuple[str, str], int] = {}
        for place, (_, body) in self.laws.witness.admins.items():
            if body.event is Event.SESSION_WORDS and body.data.get("grounds") is True:
                for name in NAMES:
                    if name in str(body.data["text"]):
                        vouched.setdefault((body.subject, name), place)
        for denial in self.laws.witness.denials:
            given = given_of(denial.key)
            # What is answered in mid-call is a value too, and nobody vouches for that.
            if denial.key[1:3] != SHIP or "to" not in given or all(one.policy != UNVOUCHED for one in denial.reasons):
                continue
            self.laws.counts["unvouched"] += 1
            root, name = denial.key[4][0][1], given["to"]
            if vouched.get((root, name), denial.place) < denial.place:
                text = f"{denial.ref} denies what the user had named in {root}, {name}"
                self.laws.break_("origin-holds", text)


@dataclass(slots=True)
class Growing(Law):
    """What sessions and stores were ever seen to hold."""

    laws: Laws
    _sessions: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    _stores: dict[Any, frozenset[str]] = field(default_factory=dict[Any, frozenset[str]])

    async def look(self, ledger: SqliteLedger) -> None:
        """Each holds what it held, and maybe more."""
        sessions = {one.sid: one.labels for one in await ledger.sessions(1_000)}
        for kept, found in ((self._sessions, sessions), (self._stores, await ledger.store_labels())):
            for place, labels in kept.items():
                lost = labels - found.get(place, frozenset())
                if lost:
                    self.laws.break_("labels-only-grow", f"{place} held {sorted(lost)}, and holds it no more")
            kept.update(found)


@dataclass(slots=True)
class Harness:
    """The trusted program around the agents, that states what their users say; and whoever looks at labels."""

    random: Random
    origins: Origins | None
    growing: Growing
    driver: Driver
    ledger: SqliteLedger
    agents: Agents
    tell: Callable[[str], None]

    async def run(self) -> None:
        """Say something, look, and so on."""
        while True:
            await asyncio.sleep(self.random.uniform(0.5, 4.0))
            await self.growing.look(self.ledger)
            if self.origins is not None and self.random.random() < SAYS_SHARE:
                await self._says(self.origins)

    async def _says(self, origins: Origins) -> None:
        someone, name = self.random.choice(self.agents.all), self.random.choice(NAMES)
        root = someone.links[0].sid
        if await self.ledger.session(root) is None:
            await self.driver.sessions.open(root, someone.links[0].agent, someone.user, "harness")
        self.tell(f"the user of {root} names {name}")
        origins.says(root, name)
        await self.driver.sessions.record_words(root, f"ship it to {name}", "harness")

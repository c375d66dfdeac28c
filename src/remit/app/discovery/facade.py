"""Discovery as the control API sees it: the protocol `api.interfaces.discovery.DiscoveryControl`, over what runs."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

from remit.api.interfaces.discovery import CoverageCount, InventoryListing
from remit.app.discovery.drift import Drifts
from remit.app.discovery.source_watch import SourceWatcher
from remit.discover.conditions import ACCEPTED, ConditionFacts
from remit.discover.drift import Drift, DriftMemory, candidate, of_settled_agents, widened_scopes
from remit.discover.entry import ConditionStatus, InventoryEntry
from remit.discover.health import SourceState, failing, unseen, well
from remit.discover.inventory import InventoryChange
from remit.discover.ledger_sightings import SOURCE
from remit.discover.memory import REPORTED_DRIFT, SCOPES, pairs_from, pairs_text, scopes_from, scopes_text
from remit.discover.reconcile import PassageCounts
from remit.discover.registrations import known, natures, sightings
from remit.discover.sighting import Edge, Kind, Sighting, SourceConfidence, Subject, Trait, Verb
from remit.discover.spans import Span
from remit.discover.view import View, governable
from remit.facts.durations import DAY_MS
from remit.facts.limits import DEFAULT, Limits
from remit.pdp.listing import visible_tools
from remit.pep.fault import fault
from remit.policy.bundle import Bundle
from remit.policy.schema import EVERYONE
from remit.ports.sightings import Sightings
from remit.ports.source import SightingSource, SourceBatch, SourceFailed
from remit.ports.system import Clock
from remit.ports.telemetry import TelemetryExport
from remit.work.discovery import Discovery

_LOG: Final = logging.getLogger(__name__)
FILE: Final = "sightings.db"
START_S: Final = 30.0
"""How long a question waits for discovery to have started."""
LAST_READ_S: Final = 2.0
"""How long an end takes to read what was recorded since the last turn."""
WINDOW_DAYS: Final = 7
"""How far back conditions look for actions."""


class Discoverer:
    """Answers about the inventory. `bundle` gives the running one; `ledger` is where the enforcement points record.

    `doors` are the addresses at which they answer.
    """

    def __init__(
        self,
        discovery: Discovery,
        bundle: Callable[[], Bundle],
        clock: Clock,
        ledger: Path,
        drifts: Drifts,
        doors: frozenset[str] = frozenset(),
    ) -> None:
        self.discovery = discovery
        self._drifts = drifts
        self._drifting = DriftMemory()
        self._scopes: Mapping[str, frozenset[str]] | None = None
        self.forward: Callable[[TelemetryExport], None] | None = None
        """Passes telemetry that was taken in on to the user's own backend."""
        self._ledger: SightingSource | None = None
        self._watching = SourceWatcher(discovery, clock)
        self._ledger_path = ledger
        self._doors = doors
        self._bundle = bundle
        self._clock = clock
        self._of: Bundle | None = None
        self._facts = ConditionFacts(0)
        self._started = asyncio.Event()

    async def start(self) -> None:
        """Load what was kept, and take in what is registered."""
        await self.discovery.start()
        self._drifting = DriftMemory(pairs_from(self.discovery.mark(REPORTED_DRIFT)))
        self._scopes = scopes_from(self.discovery.mark(SCOPES))
        self._started.set()
        await self.follow()

    async def receive(self, export: TelemetryExport) -> bytes:
        """Take one export in: `ports.telemetry.Receiver`."""
        await asyncio.wait_for(self._started.wait(), START_S)
        answered = await self.discovery.receive(export)
        if self.forward is not None:
            self.forward(export)
        return answered

    async def turn(self) -> None:
        """What is done again and again."""
        await self.follow()
        if self._ledger is None:
            self._ledger = await asyncio.to_thread(self._open_ledger)
        await self._read(self._ledger)
        await self._tell(await self.discovery.turn())

    async def _read(self, ledger: SightingSource) -> None:
        """Take in what was recorded. A ledger that cannot be read holds up nothing else."""
        name = ledger.name
        before = self.discovery.states.get(name)
        try:
            async for batch in ledger.look():
                await self.discovery.take(name, batch)
        except SourceFailed as error:
            self.discovery.states[name] = failing(name, str(error), before and before.at_ms)
            if before is None or before.status is not ConditionStatus.FALSE:
                _LOG.warning("the ledger cannot be read for discovery", extra=fault(error))
        else:
            self.discovery.states[name] = well(name, self._clock.now_ms(), "read up to its end", 0)

    def states(self) -> Sequence[SourceState]:
        """How every source does: the ledger, telemetry by who sends it, and Source resources."""
        others = dict(self.discovery.states)
        ledger = others.pop(SOURCE, None) or unseen(SOURCE, "it was not read yet")
        otlp = others.pop("otlp", None) or unseen("otlp", "nobody sent telemetry without an agent's token yet")
        return [ledger, otlp, *(others[name] for name in sorted(others)), *self.watched.values()]

    @property
    def watched(self) -> Mapping[str, SourceState]:
        """How each Source resource does, by its name."""
        return self._watching.states

    async def _tell(self, changes: Sequence[InventoryChange]) -> None:
        """Put on record what changed. What was not recorded, or not kept as recorded, is told again the next time."""
        within, drifting = self._facts.scopes, self._drifting
        same = self._scopes is None or self._scopes is within
        wider = [] if same else list(widened_scopes(self._scopes or {}, within, self._clock.now_ms()))
        memory: dict[str, str] = {} if self._scopes is within else {SCOPES: scopes_text(within)}
        if wider or any(candidate(change, self.discovery.known.agents) for change in changes):
            drifting = DriftMemory(self._drifting.reported)
            drifts = await self.discovery.run(lambda: self._new_drifts(drifting, changes, wider))
            memory |= {REPORTED_DRIFT: pairs_text(drifting.reported)} if drifts else {}
            await self._drifts.tell(changes, drifts)
        elif changes:
            await self._drifts.tell(changes, ())
        self._scopes, self._drifting = within, drifting
        if changes or memory:
            await self.discovery.told(memory)

    async def close(self) -> None:
        """Keep what is left, once the ledger accounts for what it can."""
        await self._watching.close()
        if self._started.is_set():
            if self._ledger is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._read(self._ledger), LAST_READ_S)
            await self.discovery.close()

    async def follow(self) -> None:
        """Take in what the running bundle registers, where it is another one than before."""
        await asyncio.wait_for(self._started.wait(), START_S)
        bundle = self._bundle()
        if bundle is self._of:
            return
        catalog = bundle.catalog
        registry, now_ms = known(catalog), self._clock.now_ms()
        scopes = {
            agent: frozenset(f"{tool.server}/{tool.name}" for tool in visible_tools(bundle, [agent]))
            for agent in catalog.agents
        }
        people = frozenset(catalog.users) | (catalog.groups - {EVERYONE})
        self._facts = ConditionFacts(now_ms, natures(catalog), scopes, people, self._doors, socket.gethostname())
        self._of = bundle
        self._watching.follow(catalog.sources)
        self.discovery.known = registry
        # Whoever asks may give up before its turn comes: it is taken in all the same.
        await asyncio.shield(self._register(bundle, SourceBatch(tuple(sightings(catalog, now_ms)))))

    async def _register(self, bundle: Bundle, batch: SourceBatch) -> None:
        """Take in what `bundle` registers; what was not is taken by whoever asks next."""
        try:
            await self.discovery.take("workspace", batch)
        except BaseException:
            if self._of is bundle:
                self._of = None
            raise

    async def listed(self, kind: Kind | None, limit: int) -> InventoryListing:
        """Entries in order of names."""
        await self.follow()
        discovery = self.discovery

        def look() -> InventoryListing:
            entries = self._view().entries(kind)
            items = list(islice(entries, limit))
            return InventoryListing(
                items, len(items) + sum(1 for _ in entries), dict(discovery.refused), tuple(discovery.troubles.values())
            )

        return await discovery.run(look)

    async def entry(self, subject: Subject) -> InventoryEntry | None:
        """The entry that `subject` is a name of."""
        await self.follow()
        return await self.discovery.run(lambda: self._view().find(subject))

    async def coverage(self, by: str, days: int) -> Sequence[CoverageCount]:
        """By `agent`, `team` or `day`, over the last `days`."""
        await self.follow()
        return await self.discovery.run(lambda: self._coverage(by, days))

    async def claim(self, one: Subject, other: Subject, verb: Verb, by: str) -> None:
        """A person says that two names are one, or are not."""
        await self.follow()
        for subject in (one, other):
            if not await self.discovery.run(lambda subject=subject: subject in self.discovery.inventory):
                raise KeyError(str(subject))
        await self.discovery.take(by, SourceBatch((self._statement(one, by, Edge(verb, other)),)))

    async def adopt(self, subject: Subject, name: str, by: str) -> None:
        """A person registered what was found as the agent `name`, which need not run yet."""
        await self.discovery.take(
            by, SourceBatch((self._statement(subject, by, Edge(Verb.SAME, Subject(Kind.AGENT, name))),))
        )

    async def accept(self, subject: Subject, by: str) -> None:
        """A person accepts what an agent does now."""
        now_ms = self._clock.now_ms()
        accepted = (Trait(ACCEPTED, by),)
        stated = Sighting(subject, by, f"{by} accepted it", now_ms, now_ms, SourceConfidence.STATED, traits=accepted)
        await self.discovery.take(by, SourceBatch((stated,)))

    async def take(self, sightings: Sequence[Sighting], by: str) -> None:
        """Fold in what a source outside of the service saw."""
        await self.discovery.take(by, SourceBatch(tuple(sightings)))

    def _statement(self, subject: Subject, by: str, *edges: Edge) -> Sighting:
        now_ms = self._clock.now_ms()
        return Sighting(subject, by, f"{by} says so", now_ms, now_ms, SourceConfidence.STATED, edges=edges)

    def _open_ledger(self) -> SightingSource:
        from remit.adapters.sources.ledger import LedgerSource

        return LedgerSource(self._ledger_path, lambda: self.discovery.mark(SOURCE))

    def _new_drifts(
        self, drifting: DriftMemory, changes: Sequence[InventoryChange], wider: Sequence[Drift]
    ) -> list[Drift]:
        view = self._view()
        return [*of_settled_agents(wider, view), *drifting.drifts(changes, view)]

    def _view(self) -> View:
        now_ms = self._clock.now_ms()
        facts = replace(self._facts, now_ms=now_ms)
        discovery = self.discovery
        since_day = now_ms // DAY_MS - WINDOW_DAYS + 1
        return View(discovery.inventory, discovery.known, discovery.reconciler.counts, facts, since_day)

    def _coverage(self, by: str, days: int) -> list[CoverageCount]:
        discovery, first_day = self.discovery, self._clock.now_ms() // DAY_MS - days + 1
        identities = self._view().identities
        counted: dict[str, PassageCounts] = {}
        models: dict[str, int] = {}
        agents: dict[str, set[Subject]] = {}
        for (agent, called, day), counts in discovery.reconciler.counts.items():
            if day < first_day:
                continue
            one = identities.of(agent)
            for name in _named(one, day, by, discovery):
                so_far = counted.setdefault(name, PassageCounts())
                if governable(called):
                    counted[name] = PassageCounts(so_far.passed + counts.passed, so_far.observed + counts.observed)
                else:
                    models[name] = models.get(name, 0) + counts.passed + counts.observed
                agents.setdefault(name, set()).add(one)
        return [CoverageCount(name, counted[name], len(agents[name]), models.get(name, 0)) for name in sorted(counted)]


def open_discovery(
    data: Path, clock: Clock, limits: Limits = DEFAULT, refused: Callable[[str], None] = lambda _code: None
) -> Discovery:
    """Discovery over the data folder; what it needs is imported when it starts, or when something is sent.

    `refused` is told the reason code of what a limit refuses.
    """

    def store() -> Sightings:
        from remit.adapters.sqlite.sightings import SqliteSightings

        return SqliteSightings(data / FILE)

    def decode(kind: str, encoding: str, body: bytes) -> Iterable[Span]:
        from remit.adapters.sources.otlp import Export

        return Export(kind, encoding, body)

    def answer(kind: str, rejected: int, why: str) -> bytes:
        from remit.adapters.sources.otlp import answer

        return answer(kind, rejected, why)

    return Discovery(store, clock, decode, answer, limits, refused)


def _named(agent: Subject, day: int, by: str, discovery: Discovery) -> Sequence[str]:
    match by:
        case "agent":
            return (str(agent),)
        case "day":
            from remit.api.moments import instant

            return (instant(day * DAY_MS)[:10],)
        case _:
            registered = None if agent.space else discovery.known.agents.get(agent.name)
            groups = () if registered is None else sorted(registered.groups)
            return groups or ("(no team)",)

"""Incidents at work: the ledger is followed, what people should look at is gathered, and both are put on record.

Laws
* Nothing here is on an action's way: the ledger is read after it was committed, by a thread of its own.
* What an incident is follows from records alone. One that a crash had recorded twice is the same one (`pdp.findings`).
* A person's word is on record before it counts; what is gathered meanwhile takes nothing of it back.
* How often it happened again is on record when it doubled, when it is worse or wider, or a minute after the last time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from remit.facts.durations import DAY_MS, MINUTE_MS
from remit.facts.record import Receipt, Ref
from remit.pdp.findings import after, assigning, closing, finding, opening, seeing
from remit.ports.incidents import Incidents
from remit.ports.ledger import Entry, Ledger
from remit.ports.system import Clock
from remit.ports.tail import Tail
from remit.protect.incidents import (
    MOVES,
    Incident,
    IncidentMove,
    IncidentOver,
    IncidentState,
    OpenIncidents,
    Resolution,
    merge,
)
from remit.trace.bodies import AdminBody, Event

PERIOD_S: Final = 1.0
KEPT_MAX: Final = 10_000
"""Incidents that nobody closed and that are in memory."""
RECENT_MS: Final = DAY_MS
"""What happened longer ago, when the ledger is first followed, is nobody's incident any more."""
AGAIN_MS: Final = MINUTE_MS
BY: Final = "incidents"
ALIVE: Final = (IncidentState.OPEN, IncidentState.ASSIGNED)
_EVENTS: Final = frozenset({Event.INCIDENT_OPENED, Event.INCIDENT_SEEN, Event.INCIDENT_ASSIGNED, Event.INCIDENT_CLOSED})
_T = TypeVar("_T")


class Handling:
    """Owns incidents; lives on the loop. `record` puts an `admin` body on the ledger, `store` opens the projection."""

    def __init__(
        self,
        tail: Tail,
        store: Callable[[], Incidents],
        ledger: Ledger,
        record: Callable[[AdminBody], Awaitable[Receipt]],
        clock: Clock,
    ) -> None:
        self._tail = tail
        self._open = store
        self._ledger = ledger
        self._record = record
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "remit-incidents")
        self._starting = asyncio.Lock()
        self._taking = asyncio.Lock()
        self._store: Incidents | None = None
        self._mark = ""
        self._saved_mark = ""
        """The mark that is kept with what came of the ledger up to it."""
        self._gathering = OpenIncidents()
        self._notified: dict[str, tuple[Incident, int]] = {}
        """Incidents as they were put on record, and when."""
        self._unsaid: dict[str, Incident] = {}
        self._changed: dict[str, Incident] = {}
        """What was gathered since the ledger was last followed to its end."""

    async def turn(self) -> None:
        """Follow the ledger to its end, and put on record what came of it."""
        await self._started()
        more = True
        while more:
            page = await self._tail.after(self._mark)
            more = page.more
            async with self._taking:
                await self._fold(page.entries)
                self._mark = page.mark
                if not more and page.mark != self._saved_mark:
                    await self._settle(page.mark)
        async with self._taking:
            await self._say([one for one in self._unsaid.values() if self._worth(one)])

    async def in_states(self, states: Sequence[IncidentState], limit: int) -> Sequence[Incident]:
        """Incidents in one of `states`, the last changed first."""
        await self._started()
        return await self._ask(lambda store: store.in_states(states, limit))

    async def changed_after(self, after: tuple[int, str], limit: int) -> Sequence[Incident]:
        """Those that changed after that moment, or in it and have a later name, the first changed first."""
        await self._started()
        return await self._ask(lambda store: store.changed_after(after, limit))

    async def find(self, ident: str) -> Incident | None:
        """The incident `ident`."""
        await self._started()
        return await self._ask(lambda store: store.find(ident))

    async def of_record(self, record: str) -> Incident | None:
        """The last changed one that names `record`."""
        await self._started()
        return await self._ask(lambda store: store.of_record(record))

    async def of_session(self, sid: str) -> Incident | None:
        """The last changed one that names session `sid`."""
        await self._started()
        return await self._ask(lambda store: store.of_session(sid))

    async def assign(self, ident: str, to: str, by: str) -> Incident:
        """Give it to `to`. Raises `KeyError` for one that there is not, and `IncidentOver`."""
        return await self._act(ident, IncidentMove.ASSIGN, assigning(ident, to, by))

    async def end(self, ident: str, resolution: Resolution, note: str, by: str) -> Incident:
        """Close it. Raises as `assign` does."""
        return await self._act(ident, IncidentMove.CLOSE, closing(ident, resolution, note, by))

    async def close(self) -> None:
        """Release the file."""
        if self._store is not None:
            await self._ask(lambda store: store.close())
        self._thread.shutdown()

    async def _act(self, ident: str, move: IncidentMove, body: AdminBody) -> Incident:
        await self._started()
        async with self._taking:
            incident = await self.find(ident)
            if incident is None:
                raise KeyError(ident)
            if (incident.state, move) not in MOVES:
                raise IncidentOver(ident)
            receipt = await self._record(body)
            entry = await self._ledger.entry(receipt.ref)
            await self._fold(() if entry is None else (entry,))
            return await self.find(ident) or incident

    async def _fold(self, entries: Sequence[Entry]) -> None:
        """Take in what `entries` say of incidents, and gather what they give people to look at."""
        recent_ms = self._clock.now_ms() - RECENT_MS
        changed: dict[str, Incident] = {}
        for entry in entries:
            body, record = entry.body, entry.record
            if isinstance(body, AdminBody) and body.event in _EVENTS:
                incident = after(await self._current(body.subject, changed), record.at, body)
                if incident is not None:
                    changed[incident.ident] = incident
                    self._now(incident)
            elif body is not None:
                new_finding = finding(Ref(record.chain, record.seq), record.at, record.kind, body)
                incident = (
                    self._gathering.take(new_finding)
                    if new_finding is not None and new_finding.at >= recent_ms
                    else None
                )
                if incident is not None:
                    self._changed[incident.ident] = incident
        if changed:
            await self._ask(lambda store: store.save(changed.values()))

    async def _current(self, ident: str, changed: Mapping[str, Incident]) -> Incident | None:
        """The incident `ident` with what was gathered before the record that is taken in, and is kept nowhere yet."""
        stored, changed_here = changed.get(ident) or await self.find(ident), self._changed.get(ident)
        return stored or changed_here if stored is None or changed_here is None else merge(stored, changed_here)

    async def _settle(self, mark: str) -> None:
        """Keep what was gathered, and say it; where it raises, both are done the next time."""
        merged: list[Incident] = []
        for ident, one in self._changed.items():
            known = await self.find(ident)
            if known is not None and ident not in self._notified:
                self._notified[ident] = (known, known.last_ms)
            merged.append(one if known is None else merge(known, one))
        await self._say([one for one in merged if one.state is not IncidentState.CLOSED and self._worth(one)])
        await self._ask(lambda store: store.save(merged, mark))
        for one in merged:
            self._now(one)
        self._changed.clear()
        self._saved_mark = mark

    def _now(self, incident: Incident) -> None:
        """It is so now."""
        self._gathering.put(incident)
        if incident.state is IncidentState.CLOSED:
            self._notified.pop(incident.ident, None)
            self._unsaid.pop(incident.ident, None)

    def _worth(self, incident: Incident) -> bool:
        """Whether it is to be put on record now; if not, it is remembered."""
        notified = self._notified.get(incident.ident)
        if notified is None:
            return True
        before, at_ms = notified
        wider = (before.severity, before.causes, before.sids) != (incident.severity, incident.causes, incident.sids)
        if wider or incident.count >= 2 * before.count:
            return True
        if incident.count > before.count:
            self._unsaid[incident.ident] = incident
        return incident.count > before.count and self._clock.now_ms() - at_ms >= AGAIN_MS

    async def _say(self, incidents: Sequence[Incident]) -> None:
        for incident in incidents:
            notified = self._notified.get(incident.ident)
            await self._record(opening(incident, BY) if notified is None else seeing(incident, BY, notified[0]))
            self._notified[incident.ident] = (incident, self._clock.now_ms())
            self._unsaid.pop(incident.ident, None)
            while len(self._notified) > KEPT_MAX:
                self._notified.pop(next(iter(self._notified)))

    async def _started(self) -> None:
        async with self._starting:
            if self._store is None:
                loop = asyncio.get_running_loop()
                store = await loop.run_in_executor(self._thread, self._open)
                self._mark = self._saved_mark = await loop.run_in_executor(self._thread, store.mark)
                alive = await loop.run_in_executor(self._thread, lambda: store.in_states(ALIVE, KEPT_MAX))
                self._gathering = OpenIncidents(alive)
                self._notified = {one.ident: (one, one.last_ms) for one in alive}
                self._store = store

    async def _ask(self, question: Callable[[Incidents], _T]) -> _T:
        store = self._store
        if store is None:
            raise AssertionError("incidents are asked for once they are loaded")
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: question(store))

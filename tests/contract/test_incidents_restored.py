"""After a restore incidents stand as they stood at the backup; what came later, and what was closed, makes no other."""

import asyncio
from pathlib import Path

from remit.adapters.sqlite.backup import back_up
from remit.adapters.sqlite.incidents import SqliteIncidents
from remit.adapters.sqlite.ledger import SqliteLedger
from remit.adapters.sqlite.tail import LedgerTail
from remit.app.data.restoration import restore
from remit.app.settings import INCIDENTS
from remit.facts.record import Receipt, RecordKind
from remit.protect.incidents import DENIALS_MIN, Incident, IncidentState, Resolution
from remit.trace.bodies import AdminBody
from remit.work.incidents import Handling
from tests.contract.ledger_world import Place, draft
from tests.core.recording import action


class Desk:
    """Incidents of the ledger in one data folder, for as long as it is open."""

    def __init__(self, place: Place) -> None:
        self.ledger: SqliteLedger = place.open()
        self._clock = place.clock
        tail = LedgerTail(place.file, (RecordKind.ADMIN, RecordKind.PROPOSAL), whole=True)
        store = place.folder / INCIDENTS
        self.handling = Handling(tail, lambda: SqliteIncidents(store), self.ledger, self._record, place.clock)

    async def _record(self, body: AdminBody) -> Receipt:
        return await self.ledger.append(draft(body, RecordKind.ADMIN, "", self._clock.now_ms())).durable

    async def denied(self, times: int) -> list[Incident]:
        """What stands once the agent bot was denied so often."""
        body = action(links=[("bot", "s1")], verdict="deny")
        for _ in range(times):
            await self.ledger.append(draft(body, RecordKind.PROPOSAL, at=self._clock.now_ms())).durable
        return await self.all()

    async def all(self) -> list[Incident]:
        await self.handling.turn()
        return sorted(await self.handling.in_states(tuple(IncidentState), 100), key=lambda one: one.opened_ms)

    async def close(self) -> None:
        await self.handling.close()
        await self.ledger.close()


def test_after_a_restore_incidents_stand_as_they_stood_at_the_backup(tmp_path: Path) -> None:
    place, backup = Place(tmp_path / "data"), tmp_path / "backup"
    place.folder.mkdir()

    async def run() -> None:
        desk = Desk(place)
        [first] = await desk.denied(DENIALS_MIN)
        # Not worth a record of its own yet: it is in the ledger all the same.
        [first] = await desk.denied(2)
        await desk.handling.end(first.ident, Resolution.EXPECTED, "a load test", "user:ann")
        [first, second] = await desk.denied(DENIALS_MIN)
        await desk.handling.assign(second.ident, "ben", "user:ann")
        stood = await desk.denied(1)
        await asyncio.to_thread(back_up, place.file, backup)
        later = await desk.denied(20)
        await desk.handling.end(second.ident, Resolution.RESOLVED, "", "user:ann")
        assert len(later) == 2
        await desk.denied(DENIALS_MIN)
        assert len(await desk.all()) == 3
        await desk.close()

        await asyncio.to_thread(restore, backup, place.file)
        desk = Desk(place)
        assert await desk.all() == stood
        assert [one.state for one in stood] == [IncidentState.CLOSED, IncidentState.ASSIGNED]
        before = await desk.ledger.count()
        await desk.all()
        assert await desk.ledger.count() == before, "nothing of it is recorded once more"
        await desk.close()

    asyncio.run(run())

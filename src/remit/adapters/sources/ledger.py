"""The enforcement points as a source: what the ledger holds of actions that were about to be forwarded.

It is read after it was committed, a page at a time, by a connection that cannot write; nothing of it is on an action's
way. A look ends with the first page that is not full: beside steady traffic there is always something more. How far it
was read is kept with what came of it, so that each action is counted once. The last before that are read again at a
start, for what telemetry tells of late.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from remit.adapters.sqlite.reads import open_readonly, stored_after, stored_before
from remit.adapters.sqlite.segment import SegmentTorn, Stored
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.adapters.sqlite.tiles import origin_of
from remit.discover.ledger_sightings import SOURCE, Intent, LedgerSightings
from remit.facts.action import ActionKind
from remit.facts.record import Ref
from remit.ports.source import SourceBatch, SourceFailed
from remit.trace.encoding import decode_record
from remit.trace.glance import acted
from remit.trace.members import Undecodable

PAGE: Final = 250
"""Records in one page: some two milliseconds of work."""
SEGMENTS_MAX: Final = 100_000
"""How many batches back the first look at a ledger goes."""
RECALLED: Final = 10_000
"""Records before the mark that are read again at a start."""
_INTENT: Final = b',"intent",'
_BREATH_S: Final = 0.003
_BREATHE_EVERY: Final = 25
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


class LedgerSource:
    """The ledger at `path`; `mark` gives how far it was read by an earlier process."""

    def __init__(self, path: Path, mark: Callable[[], str]) -> None:
        self._path = path
        self._mark = mark
        self._after: int | None = None
        self._origin = ""

    @property
    def name(self) -> str:
        """The `source` of its sightings."""
        return SOURCE

    async def look(self) -> AsyncIterator[SourceBatch]:
        """What was recorded since it was looked at last."""
        more = True
        while more:
            try:
                batch, more = await asyncio.to_thread(self._page)
            except (sqlite3.Error, SegmentTorn, Undecodable) as error:
                raise SourceFailed(f"the ledger cannot be read: {error}", "remit ledger verify") from error
            if batch is not None:
                yield batch

    def _page(self) -> tuple[SourceBatch | None, bool]:
        """What the next page holds, and whether it was full."""
        with closing(open_readonly(self._path)) as conn:
            recalled: list[Stored] = []
            if self._after is None:
                self._origin = origin_of(conn)
                self._after, counted = self._begin(conn)
                recalled = stored_before(conn, self._after + 1, 0, RECALLED) if counted else []
            stored = [] if recalled else stored_after(conn, self._after, PAGE)
            chains: dict[int, str] = dict(conn.execute("SELECT no, name FROM chain"))
        if recalled:
            return SourceBatch(recalled=tuple(_sightings_of(recalled, chains).passages)), True
        if not stored:
            return None, False
        sightings = _sightings_of(stored, chains)
        self._after = stored[-1].id
        batch = SourceBatch(
            tuple(sightings.sightings()), (), tuple(sightings.passages), f"{self._origin} {self._after}"
        )
        return batch, len(stored) == PAGE

    def _begin(self, conn: sqlite3.Connection) -> tuple[int, bool]:
        """After which record to go on, and whether what is before it was counted."""
        origin, _, after = self._mark().partition(" ")
        if origin == self._origin and after.isdecimal():
            return int(after), True
        # Another ledger than before, or none before.
        row = conn.execute("SELECT first FROM segment ORDER BY first DESC LIMIT 1 OFFSET ?", (SEGMENTS_MAX,)).fetchone()
        return 0 if row is None else int(row[0]), False


def _sightings_of(stored: Sequence[Stored], chains: Mapping[int, str]) -> LedgerSightings:
    sightings = LedgerSightings()
    for number, record in enumerate(stored):
        if number % _BREATHE_EVERY == 0:
            time.sleep(_BREATH_S)
        intent = _intent(record, chains)
        if intent is not None:
            sightings.add(intent)
    return sightings


def _intent(stored: Stored, chains: Mapping[int, str]) -> Intent | None:
    if stored.body is None or _INTENT not in stored.record:
        return None
    body = acted(stored.body)
    if not body.agents:
        return None
    ref = Ref(chains[stored.id >> SEQ_BITS], stored.id & _SEQ_MASK)
    at = decode_record(stored.record).at
    return Intent(str(ref), at, ActionKind(body.kind), body.server, body.name, body.agents, body.trace)

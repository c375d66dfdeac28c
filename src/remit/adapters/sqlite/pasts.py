"""What monitors and guarantees keep, as the owner of the state tables changes it: slots are read when first marked."""

import sqlite3
from typing import Final

from remit.adapters.sqlite import rows
from remit.facts.mark import Place
from remit.pdp.past_deltas import PastCarried, PastMarked
from remit.protect.past import KeyedCells

_CACHED_MAX: Final = 20_000


class Pasts:
    """The slots that were marked of late, and which of them changed since `take`."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._slots: dict[Place, KeyedCells] = {}
        self._changed: dict[Place, KeyedCells] = {}

    def change(self, delta: PastMarked | PastCarried) -> None:
        """Change by it."""
        if isinstance(delta, PastCarried):
            self._slots[delta.place] = self._changed[delta.place] = delta.slot
            return
        scope, mark, at_ms = delta
        place = scope, mark.ident, mark.slot
        slot = self._slots.get(place)
        if slot is None:
            slot = self._slots[place] = rows.read_past(self._conn, place)
        slot.take(mark, at_ms)
        self._changed[place] = slot

    def take(self) -> list[rows.Row]:
        """The rows that changed since the last time; they are in the file before the next mark."""
        changed = [rows.past_row(place, slot) for place, slot in self._changed.items()]
        self._changed.clear()
        if len(self._slots) > _CACHED_MAX:
            self._slots.clear()
        return changed

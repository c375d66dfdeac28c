"""What monitors and guarantees keep of what happened: cells that take the same work for each event.

Laws
* A cell is a fold of `Mark`s in the order of the ledger; the same marks give the same cells, wherever and in however
  many pieces they are folded.
* Nothing grows without end: a window has at most `steps + 1` steps, a slot `WAYS` keys. Where a slot is full of keys
  that still count, a further one is not taken in, and until they are over it is not known what it did.
* A clock that is set back makes nothing count for shorter; one that is set forward ends windows early.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never, cast

from remit.facts.canonical import Json
from remit.facts.mark import FLEET, Does, Mark, Who
from remit.facts.monitor import WAYS, Window

UNITS_MAX: Final = 2**63 - 1
"""A sum stays at this."""


@dataclass(slots=True)
class Cell:
    """One key's state.

    `units` where nothing expires, else `parts` by number of the step; `reset_ms` before which nothing counts any more,
    `latest_ms` the latest event, `who` did the last. `summed` is what `parts` come to, as of a floor.
    """

    units: int = 0
    parts: dict[int, int] = field(default_factory=dict[int, int])
    reset_ms: int = -1
    latest_ms: int = -1
    who: Who | None = None
    summed: tuple[int, int] | None = field(default=None, compare=False)

    def take(self, mark: Mark) -> None:
        """Change by `mark`."""
        match mark.does:
            case Does.ADD | Does.BITS:
                self._add(mark)
            case Does.BACK:
                self._back(mark)
                return
            case Does.RESET:
                self.units, self.reset_ms = 0, max(mark.at_ms, self.latest_ms, self.reset_ms)
                self.parts.clear()
                self.summed = None
            case Does.LAST:
                self.who = (mark.agent, mark.user)
            case _:
                assert_never(mark.does)
        self.latest_ms = max(self.latest_ms, mark.at_ms)

    def _add(self, mark: Mark) -> None:
        bits = mark.does is Does.BITS
        if not mark.step_ms:
            self.units = self.units | mark.units if bits else min(self.units + mark.units, UNITS_MAX)
            return
        number, parts = mark.at_ms // mark.step_ms, self.parts
        before = parts.get(number)
        if before is None:
            if len(parts) > mark.steps:
                floor = max(number, *parts) - mark.steps
                for old in [one for one in parts if one < floor]:
                    del parts[old]
            self.summed = None
            parts[number] = mark.units
        else:
            parts[number] = before | mark.units if bits else min(before + mark.units, UNITS_MAX)
        if self.summed is not None:
            floor, total = self.summed
            # A step that no window reaches any more is not in the sum.
            self.summed = (floor, min(total + mark.units, UNITS_MAX)) if number >= floor and not bits else None

    def _back(self, mark: Mark) -> None:
        if mark.at_ms <= self.reset_ms:
            return
        self.summed = None
        if not mark.step_ms:
            self.units = max(0, self.units - mark.units)
            return
        number = mark.at_ms // mark.step_ms
        left = self.parts.get(number, 0) - mark.units
        if left > 0:
            self.parts[number] = left
        else:
            self.parts.pop(number, None)

    def total(self, window: Window, now_ms: int) -> int:
        """What its units come to at `now_ms`."""
        if not window.step_ms:
            return self.units
        floor = window.floor(now_ms)
        if self.summed is not None and self.summed[0] == floor:
            return self.summed[1]
        total = min(sum([units for number, units in self.parts.items() if number >= floor]), UNITS_MAX)
        self.summed = (floor, total)
        return total

    def bits(self, window: Window, now_ms: int) -> int:
        """All that was done, as of `now_ms`."""
        if not window.step_ms:
            return self.units
        floor, found = window.floor(now_ms), 0
        for number, bits in self.parts.items():
            if number >= floor:
                found |= bits
        return found

    def last(self, window: Window, now_ms: int) -> Who | None:
        """Who did the last, where it is in the window."""
        if window.step_ms and self.latest_ms // window.step_ms < window.floor(now_ms):
            return None
        return self.who

    def over(self, window: Window, at_ms: int) -> bool:
        """Whether nothing of it counts any more."""
        return bool(window.step_ms) and self.latest_ms // window.step_ms < window.floor(at_ms)

    def to_json(self) -> list[Json]:
        """As it is kept."""
        parts: list[Json] = [[number, units] for number, units in sorted(self.parts.items())]
        who: Json = None if self.who is None else [*self.who]
        return [self.units, self.reset_ms, self.latest_ms, who, parts]


EMPTY: Final = Cell()
"""Of a key of which nothing is known; nobody changes it."""


@dataclass(slots=True)
class Slot:
    """The cells of some keys. `full_ms` is when a key last had no room."""

    cells: dict[str, Cell] = field(default_factory=dict[str, Cell])
    full_ms: int = -1

    def take(self, mark: Mark) -> None:
        """Change by `mark`."""
        cell = self.cells.get(mark.key)
        if cell is None:
            if mark.does is Does.BACK:
                return
            if len(self.cells) >= WAYS and not self._room(Window(mark.step_ms, mark.steps), mark.at_ms):
                self.full_ms = max(self.full_ms, mark.at_ms)
                return
            cell = self.cells[mark.key] = Cell()
        cell.take(mark)

    def _room(self, window: Window, at_ms: int) -> bool:
        """Let go all that counts no more, whichever is first in memory; whether anything was."""
        for key in [key for key, cell in self.cells.items() if cell.over(window, at_ms)]:
            del self.cells[key]
        return len(self.cells) < WAYS

    def cell(self, key: str, window: Window, now_ms: int) -> Cell | None:
        """The cell of `key`; None where it may have had no room."""
        found = self.cells.get(key)
        if found is not None:
            return found
        if self.full_ms < 0 or (window.step_ms and self.full_ms // window.step_ms < window.floor(now_ms)):
            return EMPTY
        return None

    def to_json(self) -> Mapping[str, Json]:
        """As it is kept."""
        return {"full": self.full_ms, "cells": {key: self.cells[key].to_json() for key in sorted(self.cells)}}


def slot_from(kept: Mapping[str, object]) -> Slot:
    """The slot that `to_json` made."""
    slot = Slot(full_ms=cast("int", kept["full"]))
    for key, one in cast("dict[str, list[object]]", kept["cells"]).items():
        units, reset, latest, who, parts = one
        cell = Cell(cast("int", units), reset_ms=cast("int", reset), latest_ms=cast("int", latest))
        cell.parts.update(cast("list[tuple[int, int]]", parts))
        if who is not None:
            agent, user = cast("list[str | None]", who)
            cell.who = (cast("str", agent), user)
        slot.cells[key] = cell
    return slot


class Past:
    """The slots of the fleet, and those of the root sessions that are in memory: of all of them where it is `whole`."""

    def __init__(self, fleet: Mapping[str, Slot] | None = None, *, whole: bool = False) -> None:
        self._whole = whole
        self._scopes: dict[str, dict[str, Slot]] = {FLEET: dict(fleet or {})}

    def load(self, sid: str, slots: Mapping[str, Slot]) -> None:
        """Have the slots of root session `sid`."""
        self._scopes[sid] = dict(slots)

    def forget(self, sid: str) -> None:
        """Drop those of `sid`, which can be loaded again."""
        self._scopes.pop(sid, None)

    def take(self, place: str, mark: Mark) -> None:
        """Change by `mark` at `place`; nothing of a session that is not in memory."""
        scope = self._scopes.get(place.partition(" ")[0])
        if scope is None:
            if not self._whole:
                return
            scope = self._scopes[place.partition(" ")[0]] = {}
        slot = scope.get(place)
        if slot is None:
            slot = scope[place] = Slot()
        slot.take(mark)

    def kept(self, ident: str) -> int:
        """Of how many sessions and values something is kept, as far as it is in memory."""
        middle = f" {ident} "
        return sum(
            len(slot.cells) for slots in self._scopes.values() for place, slot in slots.items() if middle in place
        )

    def cell(self, scope: str, ident: str, slot: int, key: str, window: Window, now_ms: int) -> Cell | None:
        """The cell of `key`; None where what it did is not known."""
        slots = self._scopes.get(scope)
        found = None if slots is None else slots.get(f"{scope} {ident} {slot}")
        return EMPTY if found is None else found.cell(key, window, now_ms)


NOTHING: Final = Past()
"""Nothing happened; nobody changes it."""

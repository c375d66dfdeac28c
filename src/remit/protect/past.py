"""What monitors and guarantees keep of what happened: cells that take the same work for each event.

Laws
* A cell is a fold of `Mark`s in the order of the ledger; the same marks give the same cells, wherever and in however
  many pieces they are folded.
* Nothing grows without end: a window has at most `steps + 1` steps, a slot `WAYS` keys, of which one agent fills at
  most `SHARE` times what is free. What would need another is asked for `room` and denied before it runs. Where a slot
  is full all the same, by what was under way, a further key is not taken in, and until others are over it is not known
  what it did.
* A clock that is set back makes nothing count for shorter; one that is set forward ends windows early.
* An action under way is asked about without its own marks: it reads what it would if it had made none. For that, what
  a mark forgets or replaces is kept aside until the next one does; in memory alone, as what is under way is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, assert_never, cast

from remit.facts.action import Own
from remit.facts.canonical import Json
from remit.facts.mark import FLEET, Mark, MarkOp, Place, Who
from remit.facts.monitor import SHARE, WAYS, Cells, Window

UNITS_MAX: Final = 2**63 - 1
"""A sum is told as no more than this. What is kept is exact, so that taking back takes no more than was added."""


@dataclass(slots=True)
class Cell:
    """One key's state.

    `units` are what it comes to; in a window, all its `parts`, by the number of their step and in that order.
    `reset_ms` before which nothing counts any more, `latest_ms` the latest event, `who` did the last, `by` for whom it
    was begun. `turn` is when
    it began, forgot or replaced something last, `before` the cell as if it had not then.
    """

    units: int = 0
    parts: dict[int, int] = field(default_factory=dict[int, int])
    reset_ms: int = -1
    latest_ms: int = -1
    who: Who | None = None
    by: str = ""
    turn: int = field(default=0, compare=False)
    before: "Cell | None" = field(default=None, compare=False)

    def take(self, mark: Mark, at_ms: int, turn: int = 0) -> None:
        """Change by `mark`, of what happened `at_ms`. Without a `turn` nothing is kept aside."""
        match mark.op:
            case MarkOp.ADD | MarkOp.BITS:
                self._add(mark, at_ms)
            case MarkOp.BACK:
                if at_ms > self.reset_ms:
                    self.back(mark, at_ms)
            case MarkOp.RESET:
                self._aside(turn)
                self.units, self.reset_ms = 0, max(at_ms, self.latest_ms, self.reset_ms)
                self.parts.clear()
            case MarkOp.LAST:
                self._aside(turn)
                self.who = (mark.agent, mark.user)
            case _:
                assert_never(mark.op)
        if mark.op is not MarkOp.BACK:
            self.latest_ms = max(self.latest_ms, at_ms)
        if self.before is not None and mark.op in _ADDS_UP:
            self.before.take(mark, at_ms)

    def without(self, own: Own, ident: str, key: str) -> "Cell":
        """The cell as if the action under way that `own` is of had marked nothing; it is `key`'s of `ident`."""
        own_marks = [mark for mark in own.marks if mark.ident == ident and mark.key == key]
        if not own_marks or self.turn > own.until:
            # What was forgotten or replaced since then is so without it as well.
            return self
        base = (self.before if self.turn > own.since else None) or self
        cell = base.copy()
        for mark in own_marks:
            if mark.op is MarkOp.ADD:
                cell.back(mark, own.at_ms)
        return cell

    def copy(self) -> "Cell":
        """Another as it is now."""
        return Cell(self.units, dict(self.parts), self.reset_ms, self.latest_ms, self.who)

    def _aside(self, turn: int) -> None:
        if turn:
            self.turn, self.before = turn, self.copy()

    def _add(self, mark: Mark, at_ms: int) -> None:
        bits = mark.op is MarkOp.BITS
        if not mark.step_ms:
            self.units = self.units | mark.units if bits else self.units + mark.units
            return
        number, parts = at_ms // mark.step_ms, self.parts
        before = parts.get(number)
        if before is None:
            self._expire(number - mark.steps)
            late = bool(parts) and number < next(reversed(parts))
            parts[number] = mark.units
            self.units += mark.units
            if late:
                self._in_order(mark.steps, bits=bits)
            return
        parts[number] = now = before | mark.units if bits else before + mark.units
        self.units += now - before

    def _expire(self, floor: int) -> None:
        """Let go of the steps before `floor`, each of which came once."""
        parts = self.parts
        while parts:
            number = next(iter(parts))
            if number >= floor:
                return
            self.units -= parts.pop(number)

    def _in_order(self, steps: int, *, bits: bool) -> None:
        """After the clock was set back: what there is no room for counts with the step that follows it, for longer."""
        (first, units), *rest = sorted(self.parts.items())
        if len(rest) > steps:
            (first, more), *rest = rest
            units = units | more if bits else units + more
        self.parts = {first: units, **dict(rest)}
        self.units = sum(self.parts.values())

    def back(self, mark: Mark, at_ms: int) -> None:
        """Take back what happened `at_ms`, of which nothing was forgotten since."""
        if not mark.step_ms:
            self.units = max(0, self.units - mark.units)
            return
        number = at_ms // mark.step_ms
        before = self.parts.get(number)
        if before is None:
            return
        units_back = min(before, mark.units)
        self.units -= units_back
        if units_back < before:
            self.parts[number] = before - units_back
        else:
            del self.parts[number]

    def total(self, window: Window, now_ms: int) -> int:
        """What its units come to at `now_ms`."""
        units, step_ms = self.units, window.step_ms
        if step_ms:
            floor = now_ms // step_ms - window.steps
            for number in self.parts:
                if number >= floor:
                    break
                units -= self.parts[number]
        # Asked many times for an action: a call of `min` takes as long as the rest.
        return units if units < UNITS_MAX else UNITS_MAX  # noqa: FURB136

    def bits(self, window: Window, now_ms: int) -> int:
        """All that was done, as of `now_ms`."""
        if not window.step_ms:
            return self.units
        floor, bits = window.floor(now_ms), 0
        for number, step_bits in self.parts.items():
            if number >= floor:
                bits |= step_bits
        return bits

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
        parts: list[Json] = [[number, _json_units(units)] for number, units in sorted(self.parts.items())]
        who: Json = None if self.who is None else [*self.who]
        members: list[Json] = [0 if parts else _json_units(self.units), self.reset_ms, self.latest_ms, who, parts]
        return [*members, self.by] if self.by else members


def _json_units(units: int) -> Json:
    """As a number as long as JSON has one for it."""
    return units if units <= UNITS_MAX else str(units)


_ADDS_UP: Final = frozenset({MarkOp.ADD, MarkOp.BITS, MarkOp.BACK})

EMPTY: Final = Cell()
"""Of a key of which nothing is known; nobody changes it."""


@dataclass(slots=True)
class KeyedCells:
    """The cells of some keys. `full_ms` is when a key last had no room."""

    cells: dict[str, Cell] = field(default_factory=dict[str, Cell])
    full_ms: int = -1

    def take(self, mark: Mark, at_ms: int, turn: int = 0) -> None:
        """Change by `mark`, whose record is of `at_ms`, at that turn."""
        cell = self.cells.get(mark.key)
        if mark.at_ms is not None:
            at_ms = mark.at_ms
        if cell is None:
            if mark.op is MarkOp.BACK:
                return
            if len(self.cells) >= WAYS and not self._room(Window(mark.step_ms, mark.steps), at_ms):
                self.full_ms = max(self.full_ms, at_ms)
                return
            cell = self.cells[mark.key] = Cell(by=mark.by, turn=turn)
        cell.take(mark, at_ms, turn)

    def room(self, mark: Mark, now_ms: int) -> bool:
        """Whether the key of `mark` has room here, within the share of whom it is for."""
        if mark.key in self.cells:
            return True
        window = Window(mark.step_ms, mark.steps)
        live = [cell.by for cell in self.cells.values() if not cell.over(window, now_ms)]
        # A dynamic threshold (Choudhury and Hahne, 1998): what is free shrinks the share of those who hold most.
        return live.count(mark.by) < SHARE * (WAYS - len(live))

    def _room(self, window: Window, at_ms: int) -> bool:
        """Let go all that counts no more, whichever is first in memory; whether anything was."""
        for key in [key for key, cell in self.cells.items() if cell.over(window, at_ms)]:
            del self.cells[key]
        return len(self.cells) < WAYS

    def cell(self, key: str, window: Window, now_ms: int) -> Cell | None:
        """The cell of `key`; None where it may have had no room."""
        cell = self.cells.get(key)
        if cell is not None:
            return cell
        if self.full_ms < 0 or (window.step_ms and self.full_ms // window.step_ms < window.floor(now_ms)):
            return EMPTY
        return None

    def to_json(self) -> Mapping[str, Json]:
        """As it is kept."""
        return {"full": self.full_ms, "cells": {key: self.cells[key].to_json() for key in sorted(self.cells)}}


def slot_from(kept: Mapping[str, object]) -> KeyedCells:
    """The slot that `to_json` made."""
    slot = KeyedCells(full_ms=cast("int", kept["full"]))
    for key, one in cast("dict[str, list[object]]", kept["cells"]).items():
        units, reset, latest, who, parts, *by = one
        cell = Cell(int(cast("int | str", units)), reset_ms=cast("int", reset), latest_ms=cast("int", latest))
        cell.parts.update((number, int(more)) for number, more in cast("list[tuple[int, int | str]]", parts))
        if cell.parts:
            cell.units = sum(cell.parts.values())
        if who is not None:
            agent, user = cast("list[str | None]", who)
            cell.who = (cast("str", agent), user)
        cell.by = cast("str", by[0]) if by else ""
        slot.cells[key] = cell
    return slot


Slots: TypeAlias = dict[tuple[str, int], KeyedCells]
"""By what is kept in them, and their number."""


class Past:
    """The slots of the fleet, and those of the root sessions that are in memory: of all of them where it is `whole`."""

    def __init__(self, fleet: Mapping[Place, KeyedCells] | None = None, *, whole: bool = False) -> None:
        self._whole = whole
        self._fleet = _by_slot(fleet or {})
        self._roots: dict[str, Slots] = {}
        self.turn = 0
        """How many marks it took since it was read."""

    def load(self, sid: str, slots: Mapping[Place, KeyedCells]) -> None:
        """Have the slots of root session `sid`."""
        self._roots[sid] = _by_slot(slots)

    def forget(self, sid: str) -> None:
        """Drop those of `sid`, which can be loaded again."""
        self._roots.pop(sid, None)

    def take(self, scope: str, mark: Mark, at_ms: int) -> None:
        """Change by `mark`, whose record is of `at_ms`; nothing of a session that is not in memory."""
        self.turn += 1
        slots = self._of(scope)
        if slots is None:
            return
        where = mark.ident, mark.slot
        slot = slots.get(where)
        if slot is None:
            slot = slots[where] = KeyedCells()
        slot.take(mark, at_ms, 0 if self._whole else self.turn)

    def put(self, place: Place, slot: KeyedCells) -> None:
        """Have `slot` stand at `place`; nothing of a session that is not in memory."""
        scope, ident, number = place
        slots = self._of(scope)
        if slots is not None:
            slots[ident, number] = slot

    def _of(self, scope: str) -> Slots | None:
        slots = self._fleet if scope == FLEET else self._roots.get(scope)
        if slots is None and self._whole:
            slots = self._roots[scope] = {}
        return slots

    def count(self, ident: str) -> int:
        """Of how many sessions and values something is kept, as far as it is in memory."""
        scopes = (self._fleet, *self._roots.values())
        return sum(len(slot.cells) for slots in scopes for (of, _), slot in slots.items() if of == ident)

    def room(self, mark: Mark, now_ms: int) -> bool:
        """Whether what is kept of everybody has room for the key of `mark`."""
        slot = self._fleet.get((mark.ident, mark.slot))
        return slot is None or slot.room(mark, now_ms)

    def cell(self, cells: Cells, sid: str, key: str, now_ms: int) -> Cell | None:
        """The cell of `key` for an action whose root session is `sid`; None where what it did is not known."""
        slots = self._fleet if cells.fleet else self._roots.get(sid)
        slot = None if slots is None else slots.get((cells.ident, cells.slot(key) if key else 0))
        if slot is None:
            return EMPTY
        # Most are there, and this is asked for every action.
        return slot.cells.get(key) or slot.cell(key, cells.window, now_ms)


def _by_slot(slots: Mapping[Place, KeyedCells]) -> Slots:
    return {(ident, number): slot for (_, ident, number), slot in slots.items()}


NOTHING: Final = Past()
"""Nothing happened; nobody changes it."""

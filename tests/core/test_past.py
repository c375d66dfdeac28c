"""What monitors keep: the same as a list of all events says, in a bounded room, wherever it is folded."""

from types import MappingProxyType

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.mark import FLEET, Mark, MarkOp, named, place_of
from remit.facts.monitor import WAYS, Cells, EventAggregate, Window
from remit.protect.past import NOTHING, UNITS_MAX, Cell, KeyedCells, Past, slot_from
from tests.core.plain_past import Told, said

IDENT = "m~0"
WINDOWS = (Window(), Window(1_000, 1), Window(10, 60), Window(60_000, 5))


def mark(does: MarkOp, at_ms: int, window: Window = WINDOWS[0], key: str = "", units: int = 1, agent: str = "") -> Mark:
    return Mark(IDENT, True, 0, key, does, at_ms, units, window.step_ms, window.steps, agent, None)


def take(into: KeyedCells, made: Mark) -> None:
    """Have it say when it was, whatever its record does."""
    into.take(made, 10**15)


def change(cell: Cell, made: Mark) -> None:
    """As its slot does."""
    assert made.at_ms is not None
    cell.take(made, made.at_ms)


@st.composite
def histories(draw: st.DrawFn) -> tuple[EventAggregate, Window, list[Told], int]:
    """Events whose clock goes on, or stands; what is taken back was there, and is taken back once."""
    op = draw(st.sampled_from(list(EventAggregate)))
    window = draw(st.sampled_from(WINDOWS))
    events: list[Told] = []
    open_: list[int] = []
    now = draw(st.integers(0, 10_000))
    span = max(window.ms, 1_000)
    for _ in range(draw(st.integers(0, 40))):
        now += draw(st.one_of(st.just(0), st.integers(1, 20), st.integers(0, span)))
        key = draw(st.sampled_from("abc"))
        kinds = (
            ["last"]
            if op is EventAggregate.PREVIOUS
            else ["add", "add", "back", *(["reset"] if op is EventAggregate.SINCE else [])]
        )
        does = draw(st.sampled_from(kinds))
        if does == "back":
            if not open_:
                continue
            back = open_.pop(draw(st.integers(0, len(open_) - 1)))
            was = events[back]
            events.append(Told("back", was.at_ms, was.key, was.units, back=back))
            continue
        if does == "add":
            open_.append(len(events))
        if does == "reset":
            # Within one millisecond it is not told apart what came before: the next event comes later.
            now += 1
            events.append(Told(does, now, key))
            now += 1
            continue
        events.append(Told(does, now, key, draw(st.integers(1, 5)), draw(st.sampled_from(("ada", "bot")))))
    return op, window, events, now + draw(st.one_of(st.just(0), st.integers(0, span)))


def folded(window: Window, events: list[Told], *, again: bool) -> KeyedCells:
    """The slot; `again`: kept and read back after each event, as over many restarts."""
    slot = KeyedCells()
    for event in events:
        take(slot, mark(MarkOp(event.does), event.at_ms, window, event.key, event.units, event.agent))
        if again:
            slot = slot_from(orjson.loads(orjson.dumps(slot.to_json())))
    return slot


@given(histories())
def test_monitors_say_what_a_list_of_all_events_says(told: tuple[EventAggregate, Window, list[Told], int]) -> None:
    op, window, events, now = told
    slot, restarted = folded(window, events, again=False), folded(window, events, again=True)
    assert restarted.to_json() == slot.to_json()
    assert restarted == slot
    for key in "abcd":
        naive = said(op, window, events, key, now)
        for found in (slot, restarted):
            cell = found.cell(key, window, now)
            assert cell is not None
            if op is EventAggregate.PREVIOUS:
                assert cell.last(window, now) == (None if naive is None else (naive, None))
            else:
                assert cell.total(window, now) == naive
                assert cell.total(window, now) == naive


@given(st.sampled_from(WINDOWS[1:]), st.lists(st.integers(0, 200_000), max_size=60), st.integers(0, 400_000))
def test_a_window_never_counts_too_little_and_at_most_one_step_too_long(
    window: Window, gaps: list[int], later: int
) -> None:
    slot, now, times = KeyedCells(), 0, list[int]()
    for gap in gaps:
        now += gap
        times.append(now)
        take(slot, mark(MarkOp.ADD, now, window))
    now += later
    cell = slot.cell("", window, now)
    assert cell is not None
    found = cell.total(window, now)
    assert found >= sum(1 for at in times if at > now - window.ms)
    assert found <= sum(1 for at in times if at > now - window.ms - window.step_ms)


def test_a_window_keeps_as_many_steps_as_it_has_and_one() -> None:
    window, cell = Window(10, 60), Cell()
    for at in range(0, 100_000, 7):
        change(cell, mark(MarkOp.ADD, at, window))
        assert len(cell.parts) <= window.steps + 1
    assert cell.total(window, 100_000) == len([at for at in range(0, 100_000, 7) if at // 10 >= 10_000 - 60])


def test_a_slot_that_is_full_says_that_it_does_not_know() -> None:
    window, slot = Window(1_000, 2), KeyedCells()
    for number in range(WAYS):
        take(slot, mark(MarkOp.ADD, 10, window, key=str(number)))
    take(slot, mark(MarkOp.ADD, 20, window, key="late"))
    take(slot, mark(MarkOp.BACK, 20, window, key="late"))
    assert slot.cell("late", window, 20) is None
    assert slot.cell("another", window, 2_999) is None
    known = slot.cell("3", window, 20)
    assert known is not None
    assert known.total(window, 20) == 1
    assert slot_from(orjson.loads(orjson.dumps(slot.to_json()))) == slot
    # Once the window is over there is room again, and nothing unknown.
    free = slot.cell("late", window, 3_000)
    assert free is not None
    assert free.total(window, 3_000) == 0
    take(slot, mark(MarkOp.ADD, 3_500, window, key="late"))
    assert sorted(slot.cells) == ["late"]


def test_what_never_expires_leaves_no_room() -> None:
    slot = KeyedCells()
    for number in range(WAYS + 1):
        take(slot, mark(MarkOp.BITS, 10, key=str(number), units=2))
    assert slot.cell(str(WAYS), Window(), 10**12) is None


def test_bits_unite_and_expire() -> None:
    window, cell = Window(1_000, 2), Cell()
    change(cell, mark(MarkOp.BITS, 0, window, units=1))
    change(cell, mark(MarkOp.BITS, 500, window, units=4))
    change(cell, mark(MarkOp.BITS, 1_500, window, units=2))
    assert [cell.bits(window, now) for now in (1_500, 3_000, 4_000)] == [7, 2, 0]
    forever = Cell()
    change(forever, mark(MarkOp.BITS, 0, units=1))
    change(forever, mark(MarkOp.BITS, 0, units=2))
    assert forever.bits(Window(), 10**15) == 3


def test_a_clock_that_is_set_back_makes_nothing_count_for_shorter() -> None:
    window, cell = Window(1_000, 2), Cell()
    change(cell, mark(MarkOp.ADD, 10_000, window))
    assert cell.total(window, 3_000) == 1
    change(cell, mark(MarkOp.ADD, 3_000, window))
    assert cell.total(window, 3_000) == 2
    assert cell.total(window, 12_000) == 1


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from((MarkOp.ADD, MarkOp.ADD, MarkOp.BITS))), max_size=40),
    st.integers(1, 4),
)
def test_a_clock_that_jumps_about_makes_nothing_count_for_shorter_in_the_same_room(
    told: list[tuple[int, MarkOp]], steps: int
) -> None:
    window, cells = Window(10, steps), {MarkOp.ADD: Cell(), MarkOp.BITS: Cell()}
    left: dict[MarkOp, list[tuple[int, int]]] = {MarkOp.ADD: [], MarkOp.BITS: []}
    for step, does in told:
        cell, units = cells[does], 1 << step % 3
        change(cell, mark(does, step * 10, window, units=units))
        # What an event finds to be over is over for good.
        left[does] = [*((at, more) for at, more in left[does] if at >= step - steps), (step, units)]
        assert len(cell.parts) <= steps + 1
        assert list(cell.parts) == sorted(cell.parts)
        assert slot_from(orjson.loads(orjson.dumps(KeyedCells({"": cell}).to_json()))) == KeyedCells({"": cell})
        counting = [more for at, more in left[does] if at >= step - steps]
        if does is MarkOp.ADD:
            assert cell.total(window, step * 10) >= sum(counting)
        else:
            assert all(cell.bits(window, step * 10) & more for more in counting)


def test_what_is_taken_back_of_before_a_reset_takes_nothing_from_after_it() -> None:
    cell = Cell()
    change(cell, mark(MarkOp.ADD, 10))
    change(cell, mark(MarkOp.RESET, 11))
    change(cell, mark(MarkOp.ADD, 12))
    change(cell, mark(MarkOp.BACK, 10))
    assert cell.total(Window(), 12) == 1
    change(cell, mark(MarkOp.BACK, 12))
    assert cell.total(Window(), 12) == 0


def test_what_is_taken_back_of_a_step_that_is_over_takes_nothing_from_another() -> None:
    window, cell = Window(1_000, 2), Cell()
    for at, does in ((0, MarkOp.ADD), (9_000, MarkOp.ADD), (0, MarkOp.BACK)):
        change(cell, mark(does, at, window))
    assert cell.total(window, 9_000) == 1
    change(cell, mark(MarkOp.BACK, 9_000, window))
    assert (cell.total(window, 9_000), cell.parts) == (0, {})


@pytest.mark.parametrize("window", [Window(), Window(1_000, 2)])
def test_a_sum_stays_at_its_most(window: Window) -> None:
    cell = Cell()
    for at in (10, 10, 1_500):
        change(cell, mark(MarkOp.ADD, at, window, units=UNITS_MAX))
        assert cell.total(window, at) == UNITS_MAX
    # What is taken back takes along nothing else of what was added to it.
    (read,) = slot_from(orjson.loads(orjson.dumps(KeyedCells({"": cell}).to_json()))).cells.values()
    for kept in (cell, read):
        change(kept, mark(MarkOp.ADD, 1_500, window, units=5))
        for at in (10, 10, 1_500):
            change(kept, mark(MarkOp.BACK, at, window, units=UNITS_MAX))
        assert kept.total(window, 1_500) == 5


def test_sessions_are_apart_and_what_is_not_in_memory_takes_nothing() -> None:
    past = Past(MappingProxyType({}))
    here, fleet = mark(MarkOp.ADD, 5)._replace(fleet=False, at_ms=None), mark(MarkOp.ADD, 5)
    assert [one.scope("s1") for one in (here, fleet)] == ["s1", FLEET]
    past.take("s1", here, 5)
    past.load("s1", {("s1", "other~0", 0): KeyedCells({"": Cell(7)})})
    past.take("s1", here, 5)
    past.take(FLEET, fleet, 10**15)

    def total(of: Past, sid: str, ident: str = IDENT, *, fleet: bool = False) -> int:
        cell = of.cell(Cells(ident, fleet, 1, Window()), sid, "", 5)
        assert cell is not None
        return cell.total(Window(), 5)

    assert [total(past, sid) for sid in ("s1", "s2")] == [1, 0]
    assert [total(past, "s2", fleet=True), total(past, "s1", "other~0")] == [1, 7]
    past.forget("s1")
    assert total(past, "s1") == 0
    whole = Past(whole=True)
    whole.take("s9", here, 5)
    assert total(whole, "s9") == 1
    assert total(NOTHING, "s9") == 0


def test_a_place_is_read_back_from_its_name() -> None:
    for place in ((FLEET, IDENT, 0), ("s1", "guarantee/apart~1", 249)):
        assert place_of(named(place)) == place


def test_how_much_is_kept_of_one_monitor() -> None:
    past = Past(whole=True)
    for sid, key in (("s1", "a"), ("s1", "b"), ("s2", "a")):
        past.take(sid, mark(MarkOp.ADD, 5, key=key), 5)
    past.take("s1", mark(MarkOp.ADD, 5)._replace(ident="m~01"), 5)
    assert [past.count(ident) for ident in (IDENT, "m~01", "other")] == [3, 1, 0]


def test_a_slot_is_put_where_something_is_kept_and_nowhere_else() -> None:
    past, slot = Past(), KeyedCells()
    past.put((FLEET, "few", 0), slot)
    past.put(("s1", "few", 0), slot)
    slot.take(Mark("few", fleet=True, slot=0, key="", op=MarkOp.ADD), 5)
    assert past.count("few") == 1, "the session is not in memory"
    whole = Past(whole=True)
    whole.put(("s1", "few", 0), slot)
    assert whole.count("few") == 1

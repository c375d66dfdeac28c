"""What monitors keep: the same as a list of all events says, in a bounded room, wherever it is folded."""

from types import MappingProxyType

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.mark import FLEET, Does, Mark, place_of
from remit.facts.monitor import WAYS, Op, Window
from remit.protect.past import NOTHING, UNITS_MAX, Cell, Past, Slot, slot_from
from tests.core.plain_past import Told, said

IDENT = "m~0"
WINDOWS = (Window(), Window(1_000, 1), Window(10, 60), Window(60_000, 5))


def mark(does: Does, at_ms: int, window: Window = WINDOWS[0], key: str = "", units: int = 1, agent: str = "") -> Mark:
    return Mark(IDENT, True, 0, key, does, at_ms, units, window.step_ms, window.steps, agent, None)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Op, Window, list[Told], int]:
    """Events whose clock goes on, or stands; what is taken back was there, and is taken back once."""
    op = draw(st.sampled_from(list(Op)))
    window = draw(st.sampled_from(WINDOWS))
    events: list[Told] = []
    open_: list[int] = []
    now = draw(st.integers(0, 10_000))
    span = max(window.ms, 1_000)
    for _ in range(draw(st.integers(0, 40))):
        now += draw(st.one_of(st.just(0), st.integers(1, 20), st.integers(0, span)))
        key = draw(st.sampled_from("abc"))
        kinds = ["last"] if op is Op.PREVIOUS else ["add", "add", "back", *(["reset"] if op is Op.SINCE else [])]
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


def folded(window: Window, events: list[Told], *, again: bool) -> Slot:
    """The slot; `again`: kept and read back after each event, as over many restarts."""
    slot = Slot()
    for event in events:
        slot.take(mark(Does(event.does), event.at_ms, window, event.key, event.units, event.agent))
        if again:
            slot = slot_from(orjson.loads(orjson.dumps(slot.to_json())))
    return slot


@given(histories())
def test_monitors_say_what_a_list_of_all_events_says(told: tuple[Op, Window, list[Told], int]) -> None:
    op, window, events, now = told
    slot, restarted = folded(window, events, again=False), folded(window, events, again=True)
    assert restarted.to_json() == slot.to_json()
    assert restarted == slot
    for key in "abcd":
        naive = said(op, window, events, key, now)
        for found in (slot, restarted):
            cell = found.cell(key, window, now)
            assert cell is not None
            if op is Op.PREVIOUS:
                assert cell.last(window, now) == (None if naive is None else (naive, None))
            else:
                assert cell.total(window, now) == naive
                assert cell.total(window, now) == naive


@given(st.sampled_from(WINDOWS[1:]), st.lists(st.integers(0, 200_000), max_size=60), st.integers(0, 400_000))
def test_a_window_never_counts_too_little_and_at_most_one_step_too_long(
    window: Window, gaps: list[int], later: int
) -> None:
    slot, now, times = Slot(), 0, list[int]()
    for gap in gaps:
        now += gap
        times.append(now)
        slot.take(mark(Does.ADD, now, window))
    now += later
    cell = slot.cell("", window, now)
    assert cell is not None
    found = cell.total(window, now)
    assert found >= sum(1 for at in times if at > now - window.ms)
    assert found <= sum(1 for at in times if at > now - window.ms - window.step_ms)


def test_a_window_keeps_as_many_steps_as_it_has_and_one() -> None:
    window, cell = Window(10, 60), Cell()
    for at in range(0, 100_000, 7):
        cell.take(mark(Does.ADD, at, window))
        assert len(cell.parts) <= window.steps + 1
    assert cell.total(window, 100_000) == len([at for at in range(0, 100_000, 7) if at // 10 >= 10_000 - 60])


def test_a_slot_that_is_full_says_that_it_does_not_know() -> None:
    window, slot = Window(1_000, 2), Slot()
    for number in range(WAYS):
        slot.take(mark(Does.ADD, 10, window, key=str(number)))
    slot.take(mark(Does.ADD, 20, window, key="late"))
    slot.take(mark(Does.BACK, 20, window, key="late"))
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
    slot.take(mark(Does.ADD, 3_500, window, key="late"))
    assert sorted(slot.cells) == ["late"]


def test_what_never_expires_leaves_no_room() -> None:
    slot = Slot()
    for number in range(WAYS + 1):
        slot.take(mark(Does.BITS, 10, key=str(number), units=2))
    assert slot.cell(str(WAYS), Window(), 10**12) is None


def test_bits_unite_and_expire() -> None:
    window, cell = Window(1_000, 2), Cell()
    cell.take(mark(Does.BITS, 0, window, units=1))
    cell.take(mark(Does.BITS, 500, window, units=4))
    cell.take(mark(Does.BITS, 1_500, window, units=2))
    assert [cell.bits(window, now) for now in (1_500, 3_000, 4_000)] == [7, 2, 0]
    forever = Cell()
    forever.take(mark(Does.BITS, 0, units=1))
    forever.take(mark(Does.BITS, 0, units=2))
    assert forever.bits(Window(), 10**15) == 3


def test_a_clock_that_is_set_back_makes_nothing_count_for_shorter() -> None:
    window, cell = Window(1_000, 2), Cell()
    cell.take(mark(Does.ADD, 10_000, window))
    assert cell.total(window, 3_000) == 1
    cell.take(mark(Does.ADD, 3_000, window))
    assert cell.total(window, 3_000) == 2
    assert cell.total(window, 12_000) == 1


def test_what_is_taken_back_of_before_a_reset_takes_nothing_from_after_it() -> None:
    cell = Cell()
    cell.take(mark(Does.ADD, 10))
    cell.take(mark(Does.RESET, 11))
    cell.take(mark(Does.ADD, 12))
    cell.take(mark(Does.BACK, 10))
    assert cell.total(Window(), 12) == 1
    cell.take(mark(Does.BACK, 12))
    assert cell.total(Window(), 12) == 0


@pytest.mark.parametrize("window", [Window(), Window(1_000, 2)])
def test_a_sum_stays_at_its_most(window: Window) -> None:
    cell = Cell()
    for _ in range(3):
        cell.take(mark(Does.ADD, 10, window, units=UNITS_MAX))
        assert cell.total(window, 10) == UNITS_MAX


def test_sessions_are_apart_and_what_is_not_in_memory_takes_nothing() -> None:
    past = Past(MappingProxyType({}))
    here, fleet = mark(Does.ADD, 5)._replace(fleet=False), mark(Does.ADD, 5)
    assert here.place("s1") == place_of("s1", IDENT, 0)
    past.take(here.place("s1"), here)
    past.load("s1", {})
    past.take(here.place("s1"), here)
    past.take(fleet.place("s1"), fleet)

    def total(of: Past, scope: str) -> int:
        cell = of.cell(scope, IDENT, 0, "", Window(), 5)
        assert cell is not None
        return cell.total(Window(), 5)

    assert [total(past, scope) for scope in ("s1", "s2", FLEET)] == [1, 0, 1]
    past.forget("s1")
    assert total(past, "s1") == 0
    whole = Past(whole=True)
    whole.take(here.place("s9"), here)
    assert total(whole, "s9") == 1
    assert total(NOTHING, "s9") == 0


def test_how_much_is_kept_of_one_monitor() -> None:
    past = Past(whole=True)
    past.take("s1 m 0", mark(Does.ADD, 5, key="a"))
    past.take("s1 n 0", mark(Does.ADD, 5, key="a"))
    assert past.kept("m") == past.kept("n")
    assert past.kept("other") == 0

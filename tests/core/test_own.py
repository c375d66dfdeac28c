"""An action under way is not held against itself: its rounds are judged without what it marked, took and counted."""

from dataclasses import dataclass, field, replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.facts.action import Action, Own, Within
from remit.facts.budget import Budget, Measure, Per
from remit.facts.impact import Impact
from remit.facts.mark import FLEET, Mark, MarkOp
from remit.facts.monitor import Cells, EventAggregate, Monitor, MonitorScope, Window
from remit.pdp.decide import decide
from remit.pdp.decision import Decision
from remit.policy.verdict import Permit
from remit.protect.budgets import Accounts, BudgetIndex, charges_of
from remit.protect.past import Cell, KeyedCells, Past, slot_from
from tests.core.deciding import action, body, bundle, snapshot
from tests.core.plain_past import Told, said
from tests.core.watching import World, event, watched

IDENT = "m~0"
WINDOWS = (Window(), Window(1_000, 1), Window(10, 6))
KEYS = ("", "a", "b")
DOES = {
    EventAggregate.COUNT: [("add",), ("add", "add")],
    EventAggregate.SINCE: [("add",), ("reset",), ("add", "reset"), ("reset", "add")],
    EventAggregate.PREVIOUS: [("last",)],
}


@dataclass
class Calls:
    """Actions that begin, ask back and end as they like, told to cells and to a list of all events."""

    op: EventAggregate
    window: Window
    now: int = 0
    past: Past = field(default_factory=Past)
    told: list[tuple[int, Told]] = field(default_factory=list[tuple[int, Told]])
    open: dict[int, tuple[str, Own]] = field(default_factory=dict[int, "tuple[str, Own]"])
    begun: int = 0

    def begin(self, does: tuple[str, ...], key: str, agent: str) -> None:
        """Let one through."""
        self.begun += 1
        since, marks = self.past.turn, list[Mark]()
        for one in does:
            self.told.append((self.begun, Told(one, self.now, key, len(marks) + 1, agent)))
            who = agent if one == "last" else ""
            made = Mark(IDENT, True, 0, key, MarkOp(one), None, len(marks) + 1, self.window.step_ms, self.window.steps)
            marks.append(made._replace(agent=who))
            self.past.take(FLEET, marks[-1], self.now)
        self.open[self.begun] = key, Own(self.now, tuple(marks), since, self.past.turn)

    def end(self, which: int, *, happened: bool) -> None:
        """Its outcome; what did not happen is taken back."""
        _, own = self.open.pop(which)
        if happened or any(mark.op is not MarkOp.ADD for mark in own.marks):
            return
        first = next(at for at, (of, _) in enumerate(self.told) if of == which)
        for number, mark in enumerate(own.marks, start=first):
            self.told.append((which, Told("back", own.at_ms, mark.key, mark.units, back=number)))
            self.past.take(FLEET, mark._replace(op=MarkOp.BACK, at_ms=own.at_ms), self.now)

    def restart(self) -> None:
        """Only what is on disk is left, and nobody goes on with what was under way."""
        slot = KeyedCells()
        for key in KEYS:
            cell = self.cell(key)
            if cell != Cell():
                slot.cells[key] = cell
        kept = orjson.loads(orjson.dumps(slot.to_json()))
        self.past, self.open = Past({(FLEET, IDENT, 0): slot_from(kept)}), {}

    def cell(self, key: str) -> Cell:
        found = self.past.cell(Cells(IDENT, True, 1, self.window), "s", key, self.now)
        assert found is not None
        return found

    def check(self) -> None:
        """What is asked for a new action counts all, and for a round all but its own."""
        for key in KEYS:
            assert self.says(self.cell(key)) == said(self.op, self.window, self.events(), key, self.now)
        for which, (key, own) in self.open.items():
            without = self.says(self.cell(key).without(own, IDENT, key))
            assert without == said(self.op, self.window, self.events(without=which), key, self.now)
            other = next(one for one in KEYS if one != key)
            assert self.cell(other).without(own, IDENT, other) == self.cell(other)

    def says(self, cell: Cell) -> int | str | None:
        if self.op is EventAggregate.PREVIOUS:
            who = cell.last(self.window, self.now)
            return None if who is None else who[0]
        return cell.total(self.window, self.now)

    def events(self, without: int = 0) -> list[Told]:
        # In their places, since what is taken back is named by its own.
        return [replace(one, does="none") if of == without else one for of, one in self.told]


@settings(max_examples=300)
@given(st.data())
def test_rounds_are_judged_without_their_own_marks_however_calls_interleave(data: st.DataObject) -> None:
    op = data.draw(st.sampled_from(list(DOES)))
    calls = Calls(op, data.draw(st.sampled_from(WINDOWS)), data.draw(st.integers(0, 5_000)))
    for _ in range(data.draw(st.integers(1, 25))):
        calls.now += data.draw(st.one_of(st.just(0), st.integers(0, 30), st.integers(0, calls.window.ms or 100)))
        match data.draw(st.sampled_from(["begin", "begin", "begin", "end", "end", "restart"])):
            case "begin":
                does = data.draw(st.sampled_from(DOES[op]))
                # Within one millisecond it is not told apart what a later end takes back of before a reset.
                calls.now += "reset" in does
                calls.begin(does, data.draw(st.sampled_from(KEYS)), data.draw(st.sampled_from(("ada", "bot"))))
                calls.now += "reset" in does
            case "end" if calls.open:
                calls.end(data.draw(st.sampled_from(sorted(calls.open))), happened=data.draw(st.booleans()))
            case "restart":
                calls.restart()
            case _:
                pass
        calls.check()


HOUR = Window(60_000, 60)
UNTOLD = Impact(reversible=True, external=False)
DAY_9 = 86_400_000 * 9
EXPORTS = Monitor("exports", EventAggregate.COUNT, (event("web/fetch"),), MonitorScope.FLEET, HOUR)
FETCH = action("web/fetch", {"url": "u"})


def world(condition: str, *monitors: Monitor) -> World:
    forbid = f'@id("f") forbid (principal, action == Remit::Action::"web___fetch", resource) when {{ {condition} }};'
    return World(bundle(watched(forbid, monitors=monitors)), past=Past())


def let_through(here: World) -> Own:
    """What one that was let through is not held against."""
    since = here.past.turn
    made = body(here.do(FETCH))
    assert made.verdict == "permit"
    return Own(here.now_ms, made.marks, since, here.past.turn, made.charges, 1, int(made.irreversible))


def answered(own: Own, number: int = 1) -> Action:
    """The same action with answers."""
    return replace(FETCH, within=Within("r.1", None, number, b"{}", b"{}", bare=True, own=own))


def permitted(decision: Decision) -> bool:
    return isinstance(decision.verdict, Permit)


def test_the_third_export_a_day_gets_its_own_answer() -> None:
    here = world("context.past.exports >= 3", EXPORTS)
    owns = [let_through(here) for _ in range(3)]
    assert not permitted(here.ask(FETCH))
    assert all(permitted(here.ask(answered(own, number))) for own in owns for number in (1, 2))
    # Of another action it is one more.
    assert not permitted(here.ask(answered(Own())))


def test_a_payment_that_needs_a_check_of_its_own_gets_its_answer() -> None:
    checked = Monitor("checked", EventAggregate.SINCE, (event("web/check"),), unless=(event("web/fetch"),))
    here = world("!context.past.checked", checked)
    here.past.load("s-0-ada", {})
    here.run(action("web/check", {}))
    here.now_ms += 1
    own = let_through(here)
    assert not permitted(here.ask(FETCH))
    assert permitted(here.ask(answered(own)))


def test_who_did_it_before_is_not_oneself() -> None:
    last = Monitor("last", EventAggregate.PREVIOUS, (event("web/fetch"),), MonitorScope.FLEET, HOUR)
    here = world("context.past has last && context.past.last.agent == principal", last)
    own = let_through(here)
    assert not permitted(here.ask(FETCH))
    assert permitted(here.ask(answered(own)))


@pytest.mark.parametrize("counter", ["calls", "irreversibleCalls"])
def test_a_session_does_not_count_the_call_itself(counter: str) -> None:
    here = world(f"context.session.{counter} >= 1")

    def passes(asked: Action) -> bool:
        plain = snapshot(here.bundle, asked)
        counted = replace(plain.sessions[0], calls=1, irreversible_calls=1)
        return permitted(decide(replace(plain, sessions=(counted,)), asked, here.now_ms))

    assert not passes(FETCH)
    assert passes(answered(Own(calls=1, irreversible=1)))


def test_a_budget_is_drawn_on_as_if_the_action_had_not() -> None:
    per_day = Budget("b", Measure.CALLS, Per.FLEET, None, 3, 86_400)
    tokens = Budget("t", Measure.TOKENS, Per.FLEET, None, 10**6, 86_400, result_tokens_max=10)
    running = bundle(replace(watched(), budgets={"b": per_day, "t": tokens}))
    plan, accounts, tool = BudgetIndex(running.catalog), Accounts(), running.catalog.tools["web", "fetch"]

    def draws(asked: Action) -> list[tuple[int, int | None]]:
        made = plan.draws(asked, tool, lambda: UNTOLD, accounts, DAY_9)
        return [(draw.spent, draw.units) for draw in made]

    first = draws(FETCH)
    charges = charges_of(plan.draws(FETCH, tool, lambda: UNTOLD, accounts, DAY_9))
    for charge in charges:
        accounts.charge(charge.account, charge.since_ms, charge.units)
    assert draws(FETCH) != first
    assert draws(answered(Own(charges=charges))) == first
    # What another spent stays spent, and so does what was taken in a window that is over.
    accounts.charge(charges[0].account, charges[0].since_ms, 1)
    assert draws(answered(Own(charges=charges)))[0] == (1, 1)
    later = tuple(charge._replace(since_ms=0) for charge in charges)
    assert draws(answered(Own(charges=later)))[0] == (2, 1)

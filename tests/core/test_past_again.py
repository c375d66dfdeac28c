"""The ledger judged again: what monitors said is what the records before it made them say."""

from dataclasses import replace

from remit.assure.before import Before
from remit.assure.history import HistoryReplay
from remit.facts.budget import Budget, Measure, Per
from remit.facts.canonical import Json
from remit.facts.mark import Mark, MarkOp
from remit.facts.monitor import EventAggregate, Monitor, MonitorScope, Window
from remit.facts.record import RecordKind, Ref
from remit.pdp.apply import apply_budget
from remit.pdp.decide import decide
from remit.pdp.deltas import BudgetReset, Charged
from remit.pdp.fold import fold
from remit.pdp.past_deltas import reversals
from remit.pdp.purse import Purse
from remit.protect.budgets import Accounts
from remit.protect.past import KeyedCells
from remit.trace.bodies import ActionBody, AdminBody, Event
from tests.core.deciding import NOW, action, body, bundle, snapshot
from tests.core.watching import World, event, watched

HOUR = Window(60_000, 60)
LIMIT = """@id("f") forbid (principal, action == Remit::Action::"web___fetch", resource)
when { context.past.exports >= 3 };"""


def test_what_was_denied_for_what_happened_before_is_denied_again() -> None:
    exports = Monitor("exports", EventAggregate.COUNT, (event("web/fetch"),), MonitorScope.FLEET, HOUR)
    running = bundle(watched(LIMIT, monitors=(exports,)))
    here, again = World(running), HistoryReplay(running)
    verdicts: list[object] = []
    for number in range(5):
        made = body(here.do(action("web/fetch", {"url": "u"})))
        relived = again.take(f"r1-1.{number + 2}", here.now_ms, running.digest, made)
        assert relived is not None
        assert relived.replayed is not None
        assert relived.same, (relived.recorded, relived.replayed)
        verdicts.append(relived.replayed["verdict"])
    assert verdicts == ["permit", "permit", "permit", "deny", "deny"]


def test_what_did_not_happen_is_not_held_against_what_is_judged_again() -> None:
    exports = Monitor("exports", EventAggregate.COUNT, (event("web/fetch"),), MonitorScope.FLEET, HOUR)
    running = bundle(watched(LIMIT, monitors=(exports,)))
    here, again = World(running), HistoryReplay(running)
    made = [body(here.do(action("web/fetch", {"url": "u"}))) for _ in range(3)]
    for number, one in enumerate(made, start=2):
        assert again.take(f"r1-1.{number}", here.now_ms, running.digest, one) is not None
    backs = reversals(made[-1].marks, here.now_ms)
    data: dict[str, Json] = {"happened": False, "why": "x", "root": "s", "marks": backs}
    settled = AdminBody(Event.INTENT_SETTLED, "admin", "r1-1.4", data)
    here.fold(RecordKind.ADMIN, settled)
    again.take("r1-2.1", here.now_ms, running.digest, settled)
    relived = again.take("r1-2.2", here.now_ms, running.digest, body(here.do(action("web/fetch", {"url": "u"}))))
    assert relived is not None
    assert relived.replayed is not None
    assert (relived.same, relived.replayed["verdict"]) == (True, "permit")


def test_what_lies_before_the_days_that_are_judged_counts_and_is_not_judged() -> None:
    exports = Monitor("exports", EventAggregate.COUNT, (event("web/fetch"),), MonitorScope.FLEET, HOUR)
    running = bundle(watched(LIMIT, monitors=(exports,)))
    here = World(running)
    again = HistoryReplay(running, since_ms=here.now_ms + 3)
    found: list[object] = []
    for number in range(4):
        made = body(here.do(action("web/fetch", {"url": "u"})))
        relived = again.take(f"r1-1.{number + 2}", here.now_ms + number, running.digest, made)
        found.append(None if relived is None or relived.replayed is None else relived.replayed["verdict"])
    # The fourth is denied for the three that were let through before.
    assert found == [None, None, None, "deny"]


def test_what_was_denied_for_what_was_spent_is_denied_again_and_reset_when_it_was() -> None:
    calls = Budget("b", Measure.CALLS, Per.FLEET, None, 2, 86_400)
    running = bundle(replace(watched(), budgets={"b": calls}))
    again, accounts, purse, asked = HistoryReplay(running), Accounts(), Purse(), action("web/fetch", {"url": "u"})
    found: list[tuple[bool, object]] = []

    def follow(ref: Ref, kind: RecordKind, made: ActionBody | AdminBody) -> None:
        for delta in fold(ref, NOW, kind, made):
            if isinstance(delta, Charged | BudgetReset):
                apply_budget(accounts, delta)

    for number in range(2, 7):
        draws = purse.draws(running, accounts, asked, running.catalog.tools["web", "fetch"], NOW)
        made = body(decide(replace(snapshot(running, asked), draws=draws), asked, NOW))
        relived = again.take(f"r1-1.{number}", NOW, running.digest, made)
        assert relived is not None
        assert relived.replayed is not None
        found.append((relived.same, relived.replayed["verdict"]))
        follow(Ref("r1-1", number), RecordKind.INTENT if made.verdict == "permit" else RecordKind.PROPOSAL, made)
        if number == 4:
            reset = AdminBody(Event.BUDGET_RESET, "admin", "b calls 86400 fleet:", {"why": "x"})
            again.take("r1-1.9", NOW, running.digest, reset)
            follow(Ref("r1-1", 9), RecordKind.ADMIN, reset)
    assert found == [(True, verdict) for verdict in ("permit", "permit", "deny", "permit", "permit")]


def test_of_what_is_erased_and_of_what_people_decide_nothing_follows() -> None:
    before = Before(bundle(watched()))
    slot = KeyedCells()
    slot.take(Mark("m~1", fleet=True, slot=0, key="", op=MarkOp.ADD), 5)
    before.take(Ref("r1-1", 2), 9, None)
    before.take(Ref("r1-1", 3), 9, AdminBody(Event.PAST_CARRIED, "remit", "* m~1 0", {"slot": dict(slot.to_json())}))
    assert before.past.count("m~1") == 1

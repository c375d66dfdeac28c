"""The ledger judged again: what monitors said is what the records before it made them say."""

from remit.assure.history import History
from remit.facts.canonical import Json
from remit.facts.monitor import Monitor, Op, Scope, Window
from remit.facts.record import RecordKind
from remit.pdp.kept import taken_back
from remit.trace.bodies import AdminBody, Event
from tests.core.deciding import action, body, bundle
from tests.core.watching import World, event, watched

HOUR = Window(60_000, 60)
LIMIT = """@id("f") forbid (principal, action == Remit::Action::"web___fetch", resource)
when { context.past.exports >= 3 };"""


def test_what_was_denied_for_what_happened_before_is_denied_again() -> None:
    exports = Monitor("exports", Op.COUNT, (event("web/fetch"),), Scope.FLEET, HOUR)
    running = bundle(watched(LIMIT, monitors=(exports,)))
    here, again = World(running), History(running)
    verdicts: list[object] = []
    for number in range(5):
        made = body(here.do(action("web/fetch", {"url": "u"})))
        relived = again.take(f"r1-1.{number + 2}", here.now_ms, running.digest, made)
        assert relived is not None
        assert relived.now is not None
        assert relived.same, (relived.was, relived.now)
        verdicts.append(relived.now["verdict"])
    assert verdicts == ["permit", "permit", "permit", "deny", "deny"]


def test_what_did_not_happen_is_not_held_against_what_is_judged_again() -> None:
    exports = Monitor("exports", Op.COUNT, (event("web/fetch"),), Scope.FLEET, HOUR)
    running = bundle(watched(LIMIT, monitors=(exports,)))
    here, again = World(running), History(running)
    made = [body(here.do(action("web/fetch", {"url": "u"}))) for _ in range(3)]
    for number, one in enumerate(made, start=2):
        assert again.take(f"r1-1.{number}", here.now_ms, running.digest, one) is not None
    backs = taken_back(made[-1].marks, here.now_ms)
    data: dict[str, Json] = {"happened": False, "why": "x", "root": "s", "marks": backs}
    settled = AdminBody(Event.INTENT_SETTLED, "admin", "r1-1.4", data)
    here.fold(RecordKind.ADMIN, settled)
    again.take("r1-2.1", here.now_ms, running.digest, settled)
    relived = again.take("r1-2.2", here.now_ms, running.digest, body(here.do(action("web/fetch", {"url": "u"}))))
    assert relived is not None
    assert relived.now is not None
    assert (relived.same, relived.now["verdict"]) == (True, "permit")


def test_what_lies_before_the_days_that_are_judged_counts_and_is_not_judged() -> None:
    exports = Monitor("exports", Op.COUNT, (event("web/fetch"),), Scope.FLEET, HOUR)
    running = bundle(watched(LIMIT, monitors=(exports,)))
    here = World(running)
    again = History(running, since_ms=here.now_ms + 3)
    found: list[object] = []
    for number in range(4):
        made = body(here.do(action("web/fetch", {"url": "u"})))
        relived = again.take(f"r1-1.{number + 2}", here.now_ms + number, running.digest, made)
        found.append(None if relived is None or relived.now is None else relived.now["verdict"])
    # The fourth is denied for the three that were let through before.
    assert found == [None, None, None, "deny"]

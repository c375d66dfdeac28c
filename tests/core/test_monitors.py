"""Policies on what happened before: each kind of monitor from an action to the next one's verdict."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from remit.facts.action import Action, ActionKind
from remit.facts.canonical import Json
from remit.facts.feed import CHAINS_MAX, Feed
from remit.facts.mark import FLEET, MarkOp
from remit.facts.monitor import (
    WAYS,
    Cells,
    EventAggregate,
    Happening,
    Monitor,
    MonitorScope,
    Selector,
    When,
    Window,
)
from remit.facts.tool import Effect
from remit.policy.compile import compile_bundle
from remit.policy.verdict import Deny, Permit
from remit.protect.monitors import EndedAction, MonitoredAction, end_marks, key_of, start_marks
from remit.protect.past import Past
from remit.trace.bodies import Status
from tests.core.deciding import action, body, bundle, codes, problems, schema, tool
from tests.core.watching import ALONE, World, event, structured, watched

HOUR = Window(60_000, 60)
FAILED = Monitor("checkFailed", EventAggregate.ONCE, (event("web/check", when=When.FAILED, path="$.ok", equals=False),))
NO_PAY = '@id("np") forbid (principal, action == Remit::Action::"web___pay", resource) when { context.past.M };'
PAY = action("web/pay", {"amount": 5})
CHECK = action("web/check", {})


def world(*policies: str, monitors: Iterable[Monitor]) -> World:
    return World(bundle(watched(*policies, monitors=monitors)))


def forbid(tool: str, condition: str) -> str:
    return f'@id("f") forbid (principal, action == Remit::Action::"{tool}", resource) when {{ {condition} }};'


def permitted(of: World, asked: Action) -> bool:
    return isinstance(of.ask(asked).verdict, Permit)


@pytest.mark.parametrize(
    ("status", "result", "failed"),
    [
        (Status.OK, structured(ok=True), False),
        (Status.OK, structured(ok=False), True),
        (Status.OK, structured(other=1), True),
        (Status.OK, {"content": [{"type": "text", "text": '{"ok": true}'}]}, False),
        (Status.OK, {"content": [{"type": "text", "text": '{"ok": false}'}]}, True),
        (Status.OK, {"content": [{"type": "text", "text": "no JSON"}]}, True),
        (Status.OK, {"content": [{"type": "image", "data": ""}]}, True),
        (Status.OK, {"content": "odd"}, True),
        (Status.OK, structured(ok=0), False),
        (Status.OK, None, True),
        (Status.TOOL_ERROR, structured(ok=True), True),
        (Status.TIMEOUT, {}, True),
        (Status.NOT_SENT, {}, False),
    ],
)
def test_no_payment_after_a_failed_identity_check(status: Status, result: Json, *, failed: bool) -> None:
    here = world(NO_PAY.replace("M", "checkFailed"), monitors=(FAILED,))
    assert permitted(here, PAY)
    under_way = here.do(CHECK)
    # It may fail: until it is known, it counts.
    assert not permitted(here, PAY)
    here.end(CHECK, under_way, status, result)
    assert permitted(here, PAY) is not failed
    denied = here.ask(PAY)
    assert body(denied).context["past"] == {"checkFailed": failed}
    # Another session is another run.
    assert permitted(here, action("web/pay", {"amount": 5}, chain=("eve",)))


def test_a_success_that_is_still_to_come_opens_nothing() -> None:
    passed = Monitor(
        "passed",
        EventAggregate.ONCE,
        (event("web/check", when=When.SUCCEEDED, path="$.ok", equals=True),),
        awaited=True,
    )
    here = world(forbid("web___pay", "!context.past.passed"), monitors=(passed,))
    under_way = here.do(CHECK)
    assert not permitted(here, PAY)
    here.end(CHECK, under_way, Status.OK, structured(ok="yes"))
    assert not permitted(here, PAY)
    here.run(CHECK, Status.OK, structured(ok=True))
    assert permitted(here, PAY)


def test_since_is_forgotten_by_what_is_sure() -> None:
    bad = Monitor(
        "bad",
        EventAggregate.SINCE,
        (event("web/check", when=When.FAILED),),
        unless=(event("web/check", when=When.SUCCEEDED),),
    )
    here = world(forbid("web___pay", "context.past.bad"), monitors=(bad,))
    here.run(CHECK, Status.TOOL_ERROR)
    assert not permitted(here, PAY)
    here.now_ms += 1
    under_way = here.do(CHECK)
    assert not permitted(here, PAY)
    here.end(CHECK, under_way)
    assert permitted(here, PAY)
    here.now_ms += 1
    here.run(CHECK, Status.TOOL_ERROR)
    assert not permitted(here, PAY)


def test_draft_and_release_by_different_agents() -> None:
    drafter = Monitor(
        "drafter", EventAggregate.PREVIOUS, (event("shop/draft"),), MonitorScope.FLEET, HOUR, by="id",
        aliases=(("shop/release", "doc"),), awaited=True,
    )  # fmt: skip
    same = "context.past has drafter && context.past.drafter.agent == principal"
    here = world(forbid("shop___release", same), monitors=(drafter,))
    here.run(action("shop/draft", {"id": "d1"}, chain=("ada",)))
    here.run(action("shop/draft", {"id": "d2"}, chain=("bot",), user=None))

    def release(document: str, *chain: str) -> bool:
        return permitted(here, action("shop/release", {"doc": document}, chain=chain))

    assert [release("d1", "ada"), release("d1", "bot"), release("d2", "ada"), release("d2", "bot")] == [
        False,
        True,
        True,
        False,
    ]
    assert release("d3", "ada")
    assert not release("d1", "eve", "ada")
    told = body(here.ask(action("shop/release", {"doc": "d1"}, chain=("bot",)))).context["past"]
    assert told == {"drafter": {"agent": "ada", "user": "uma"}}
    assert body(here.ask(action("shop/release", {"doc": "d2"}))).context["past"] == {"drafter": {"agent": "bot"}}
    here.now_ms += HOUR.ms + HOUR.step_ms
    assert release("d1", "ada")


def test_an_argument_that_is_left_out_is_what_its_schema_says_it_then_is() -> None:
    fetched = Monitor("fetched", EventAggregate.COUNT, (event("web/fetch"),), MonitorScope.FLEET, HOUR, by="url")
    made = watched(forbid("web___fetch", "context.past.fetched >= 1"), monitors=(fetched,))
    said = tool("web", "fetch", schema(url={"type": "string", "default": "http://a.example"}, more={}))
    here = World(bundle(replace(made, tools={**made.tools, ("web", "fetch"): said})))
    assert isinstance(here.do(action("web/fetch", {})).verdict, Permit)
    assert not permitted(here, action("web/fetch", {"url": "http://a.example"}))
    assert not permitted(here, action("web/fetch", {"more": 1}))
    assert permitted(here, action("web/fetch", {"url": "http://b.example"}))


def test_at_most_three_exports_an_hour_anywhere() -> None:
    exports = Monitor("exports", EventAggregate.COUNT, (event("web/fetch"),), MonitorScope.FLEET, HOUR)
    here = world(forbid("web___fetch", "context.past.exports >= 3"), monitors=(exports,))
    verdicts = [
        isinstance(here.do(action("web/fetch", {"url": "u"}, chain=chain)).verdict, Permit)
        for chain in (("ada",), ("bot",), ("ada", "bot"), ("eve",))
    ]
    # In flight as they are.
    assert verdicts == [True, True, True, False]
    here.now_ms += HOUR.ms + HOUR.step_ms
    assert permitted(here, action("web/fetch", {"url": "u"}))


def test_a_sub_agent_acts_in_the_session_of_its_root() -> None:
    fetched = Monitor("fetched", EventAggregate.COUNT, (event("web/fetch"),))
    here = world(forbid("web___fetch", "context.past.fetched >= 1"), monitors=(fetched,))
    here.run(action("web/fetch", {"url": "u"}, chain=("ada", "bot")))
    assert not permitted(here, action("web/fetch", {"url": "u"}, chain=("ada",)))
    assert not permitted(here, action("web/fetch", {"url": "u"}, chain=("ada", "eve")))
    assert permitted(here, action("web/fetch", {"url": "u"}, chain=("bot",)))


def test_amounts_add_up_exactly_or_are_denied() -> None:
    paid = Monitor("paid", EventAggregate.SUM, (event("web/pay"),), MonitorScope.FLEET, HOUR, measure="amount")
    limit = 'context.past.paid.greaterThan(decimal("10.0"))'
    here = world(forbid("web___pay", limit), monitors=(paid,))
    for amount in (5, 5.5):
        here.run(action("web/pay", {"amount": amount}))
    denied = here.ask(PAY)
    assert isinstance(denied.verdict, Deny)
    assert body(denied).context["past"] == {"paid": "10.5"}
    inexact = here.ask(action("web/pay", {"amount": 0.00001}))
    assert codes(inexact) == {"arg/inexact"}
    assert "adds up the amount" in inexact.reasons[0].text


def test_records_add_up_as_a_whole_number() -> None:
    seen = Monitor("seen", EventAggregate.SUM, (event("web/pay"),), measure="records")
    here = world(forbid("web___pay", "context.past.seen > 1"), monitors=(seen,))
    assert codes(here.ask(PAY)) == {"arg/inexact"}


def test_denials_are_events_too() -> None:
    refused = Monitor("refused", EventAggregate.COUNT, (event("web/fetch", when=When.DENIED),))
    fetch = forbid("web___fetch", "true").replace('"f"', '"g"')
    here = world(fetch, forbid("web___pay", "context.past.refused >= 2"), monitors=(refused,))
    for verdict in (True, True, False):
        assert permitted(here, PAY) is verdict
        here.run(action("web/fetch", {"url": "u"}))


def test_events_of_some_agents_alone() -> None:
    happening = Happening(Selector(frozenset({"web/*"})), agents=frozenset({"eve"}), groups=frozenset({"ops"}))
    some = Monitor("some", EventAggregate.COUNT, (happening,), MonitorScope.FLEET)
    here = world(forbid("shop___look", "context.past.some > 1"), monitors=(some,))
    look = action("shop/look", {})
    for chain, allowed in (("ada", True), ("eve", True), ("bot", False)):
        here.run(action("web/fetch", {"url": "u"}, chain=(chain,)))
        assert permitted(here, look) is allowed


@pytest.mark.parametrize(
    ("selector", "counted"),
    [
        (Selector(effects=frozenset({"irreversible"})), ["shop/refund", "web/pay"]),
        (Selector(sinks=frozenset({"external"})), ["web/fetch"]),
        (Selector(tags=frozenset({"money", "x"})), ["shop/refund"]),
        (Selector(frozenset({"shop/*"}), frozenset({"read"})), ["shop/look"]),
    ],
)
def test_tools_are_meant_by_what_the_catalog_says(selector: Selector, counted: list[str]) -> None:
    seen = Monitor("seen", EventAggregate.COUNT, (Happening(selector),))
    here = world(monitors=(seen,))
    asked = {"shop/refund": None, "web/pay": {"amount": 1}, "web/fetch": {"url": "u"}, "shop/look": {}}
    assert [name for name, given in asked.items() if body(here.ask(action(name, given))).marks] == counted


def test_no_policy_asks_no_monitor_is_read() -> None:
    quiet, loud = (Monitor(name, EventAggregate.COUNT, (event("web/fetch"),)) for name in ("quiet", "loud"))
    here = world(forbid("web___fetch", "context.past.loud > 5"), monitors=(quiet, loud))
    assert body(here.ask(action("web/fetch", {"url": "u"}))).context["past"] == {"loud": 0}
    assert "past" not in body(here.ask(PAY)).context


def test_the_whole_past_may_be_looked_at() -> None:
    one = Monitor("one", EventAggregate.COUNT, (event("web/fetch"),))
    two = Monitor("two", EventAggregate.PREVIOUS, (event("web/fetch"),), awaited=True)
    here = world(forbid("web___fetch", "context.past == context.past && context.past has two"), monitors=(one, two))
    fetch = action("web/fetch", {"url": "u"})
    assert permitted(here, fetch)
    here.run(fetch)
    told = body(here.ask(fetch))
    assert told.context["past"] == {"one": 1, "two": {"agent": "ada", "user": "uma"}}
    assert told.verdict == "deny"


def test_other_actions_are_asked_about_the_past_too() -> None:
    failed = forbid("delegate", "context.past.checkFailed")
    here = world(failed, monitors=(FAILED,))
    delegate = action("bot", {}, kind=ActionKind.DELEGATE)
    assert permitted(here, delegate)
    here.run(CHECK, Status.TOOL_ERROR)
    assert not permitted(here, delegate)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (forbid("web___pay", "context.past.checkFaild"), "checkFaild"),
        (forbid("web___pay", "context.past has chekFailed"), "chekFailed"),
        (forbid("web___pay", "context.past.checkFailed > 1"), "expected Long"),
        (forbid("shop___look", "context.past.drafts > 1"), "drafts"),
    ],
)
def test_a_misspelt_monitor_is_a_validation_error(policy: str, words: str) -> None:
    drafts = Monitor("drafts", EventAggregate.COUNT, (event("shop/draft"),), MonitorScope.FLEET, HOUR, by="id")
    (problem,) = problems(watched(policy, monitors=(FAILED, drafts)))
    assert words in problem.text
    assert problem.policy_id == "f"


def test_generated_code_and_cedar_are_told_the_same() -> None:
    paid = Monitor("paid", EventAggregate.SUM, (event("web/pay"),), MonitorScope.FLEET, HOUR, measure="amount")
    who = Monitor("who", EventAggregate.PREVIOUS, (event("web/pay"),), MonitorScope.FLEET, awaited=True)
    condition = (
        'context.past.paid.greaterThan(decimal("7.0")) && context.past has who && context.past.who has user '
        '&& context.past.who.user == Remit::User::"uma" && !context.past.checkFailed'
    )
    made = watched(forbid("web___pay", condition), monitors=(paid, who, FAILED))
    compiled = compile_bundle(made, shadow_every=1).result
    assert not isinstance(compiled, tuple)
    here = World(compiled)
    for allowed in (True, True, False):
        assert permitted(here, PAY) is allowed
        here.run(PAY)
    assert compiled.shadow.difference is None


def full(monitor: Monitor, value: str) -> Past:
    """A past in which there is no room for `value`."""
    past, key = Past(whole=True), key_of(monitor.cells("shop/draft"), {"id": value})
    here = World(bundle(watched(monitors=(monitor,))))
    (mark,) = body(here.ask(action("shop/draft", {"id": value}))).marks
    assert (mark.key, mark.slot) == (key, monitor.cells("shop/draft").slot(key))
    for number in range(WAYS):
        past.take(FLEET, mark._replace(key=str(number)), here.now_ms)
    past.take(FLEET, mark, here.now_ms)
    return past


@pytest.mark.parametrize(("value", "same"), [("7", True), (" 7 ", True), ("07", False), (8, False), (True, False)])
def test_a_number_and_its_text_are_one_value(value: Json, *, same: bool) -> None:
    cells = Cells("m~1", fleet=True, slots=1, window=HOUR, argument="id")
    assert (key_of(cells, {"id": value}) == key_of(cells, {"id": 7})) is same


@pytest.mark.parametrize(("value", "same"), [(" d1", True), ("d\u200b1", True), ("D1", False), (["d1"], False)])
def test_what_nobody_sees_makes_no_other_value(value: Json, *, same: bool) -> None:
    cells = Cells("m~1", fleet=True, slots=1, window=HOUR, argument="id")
    assert (key_of(cells, {"id": value}) == key_of(cells, {"id": "d1"})) is same


def test_what_there_is_no_room_for_is_denied_not_taken_for_nothing() -> None:
    drafts = Monitor("drafts", EventAggregate.COUNT, (event("shop/draft"),), MonitorScope.FLEET, HOUR, by="id", keys=1)
    here = world(forbid("shop___draft", "context.past.drafts > 9"), monitors=(drafts,))
    here.past = full(drafts, "d1")
    denied = here.ask(action("shop/draft", {"id": "d1"}))
    assert codes(denied) == {"monitor/full"}
    assert "no room for more values of id" in denied.reasons[0].text
    here.now_ms += HOUR.ms + HOUR.step_ms
    assert permitted(here, action("shop/draft", {"id": "d1"}))


def test_denials_of_one_agent_take_no_room_from_others() -> None:
    refused = Monitor(
        "refused",
        EventAggregate.COUNT,
        (event("shop/draft", when=When.DENIED),),
        MonitorScope.FLEET,
        HOUR,
        by="id",
        keys=4,
    )
    nothing = '@id("eve") forbid (principal == Remit::Agent::"eve", action, resource);'
    here = world(nothing, forbid("shop___draft", "context.past.refused >= 2"), monitors=(refused,))
    for number in range(WAYS + 4):
        here.run(action("shop/draft", {"id": f"junk{number}"}, chain=("eve",)))
    assert here.past.count(refused.ident) == ALONE
    document = action("shop/draft", {"id": "d"})
    assert permitted(here, document)
    for chain in ("eve", "ada", "eve"):
        here.run(action("shop/draft", {"id": "junk0"}, chain=(chain,)))
    assert not permitted(here, action("shop/draft", {"id": "junk0"}))
    assert permitted(here, document)


def test_what_waits_for_its_outcome_has_its_room_asked_for_before() -> None:
    drafted = Monitor(
        "drafted",
        EventAggregate.PREVIOUS,
        (event("shop/draft", when=When.SUCCEEDED),),
        MonitorScope.FLEET,
        HOUR,
        by="id",
        keys=4,
        awaited=True,
    )
    here = world(monitors=(drafted,))
    for number in range(ALONE):
        assert isinstance(here.run(action("shop/draft", {"id": str(number)})).verdict, Permit)
    assert codes(here.ask(action("shop/draft", {"id": "late"}))) == {"monitor/full"}
    assert permitted(here, action("shop/draft", {"id": "late"}, chain=("bot",)))


def test_state_outlives_a_change_of_events_and_of_nothing_else() -> None:
    one = Monitor("m", EventAggregate.COUNT, (event("web/fetch"),), MonitorScope.FLEET, HOUR)
    assert replace(one, events=(event("web/pay"),)).ident == one.ident
    changes: list[Mapping[str, object]] = [
        {"op": EventAggregate.ONCE},
        {"scope": MonitorScope.SESSION},
        {"window": Window(60_000, 61)},
        {"by": "url"},
        {"name": "n"},
    ]
    assert all(replace(one, **change).ident != one.ident for change in changes)  # type: ignore[arg-type]


def test_a_keyed_monitor_stands_only_where_its_argument_does() -> None:
    secret = tool("shop", "hidden", schema(id={"type": "string"}), effect=Effect.READ)
    by = Monitor("by", EventAggregate.COUNT, (event("shop/draft"),), MonitorScope.FLEET, HOUR, by="id")
    made = watched(forbid("shop___draft", "context.past.by > 1"), monitors=(by,))
    assert secret.name == "hidden"
    here = World(bundle(made))
    here.run(action("shop/draft", {}))
    here.run(action("shop/draft", {}))
    # What is left out is a value of its own.
    assert not permitted(here, action("shop/draft", {}))
    assert permitted(here, action("shop/draft", {"id": "d"}))


def test_what_was_not_let_through_after_all_is_taken_back_and_an_unknown_amount_is_none() -> None:
    counted = Feed(Cells("m", fleet=False, slots=1, window=HOUR), Happening(Selector()), MarkOp.ADD, provisional=True)
    doing = MonitoredAction("ada", (), ("ada",), "uma", {})
    back = end_marks((counted,), doing, 5, EndedAction(sent=False, ok=False, result=None))
    assert [(one.op, one.at_ms) for one in back] == [(MarkOp.BACK, 5)]
    others = Happening(Selector(), agents=frozenset({"eve"}))
    assert (
        end_marks((counted._replace(happening=others),), doing, 5, EndedAction(sent=True, ok=True, result=None)) == ()
    )
    [summed] = start_marks((counted._replace(measure="amount"),), doing)
    assert summed.units == 0


def test_what_was_not_sent_is_taken_back_from_the_step_of_its_intent() -> None:
    fetched = Monitor(
        "fetched", EventAggregate.COUNT, (event("web/fetch", when=When.SUCCEEDED),), MonitorScope.FLEET, HOUR
    )
    here = world(forbid("web___fetch", "context.past.fetched >= 1"), monitors=(fetched,))
    fetch = action("web/fetch", {"url": "u"})
    under_way = here.do(fetch)
    here.now_ms += 3 * HOUR.step_ms
    assert not permitted(here, fetch)
    here.end(fetch, under_way, Status.NOT_SENT)
    assert permitted(here, fetch)


@pytest.mark.parametrize("status", [Status.LOST, Status.TIMEOUT, Status.UPSTREAM_ERROR])
def test_what_ended_in_doubt_stays_counted_and_clears_nothing(status: Status) -> None:
    paid = Monitor("paid", EventAggregate.COUNT, (event("web/pay", when=When.SUCCEEDED),), MonitorScope.FLEET, HOUR)
    lost = Monitor(
        "lost", EventAggregate.PREVIOUS, (event("web/pay", when=When.FAILED),), MonitorScope.FLEET, HOUR, awaited=True
    )
    owed = Monitor("owed", EventAggregate.SINCE, (event("web/check"),), unless=(event("web/pay", when=When.FAILED),))
    said = forbid("shop___look", "context.past has lost && context.past.owed").replace('"f"', '"g"')
    here = world(forbid("web___pay", "context.past.paid >= 3"), said, monitors=(paid, lost, owed))
    here.run(CHECK)
    here.now_ms += 1
    for allowed in (True, True, True, False):
        assert isinstance(here.run(PAY, status).verdict, Permit) is allowed
        assert permitted(here, action("shop/look", {})) is False
    here.now_ms += HOUR.ms + HOUR.step_ms
    for _ in range(3):
        assert isinstance(here.run(PAY, Status.TOOL_ERROR).verdict, Permit)
    assert permitted(here, PAY)
    assert permitted(here, action("shop/look", {}))


def test_a_huge_amount_that_fails_takes_no_other_out_of_a_sum() -> None:
    paid = Monitor(
        "paid", EventAggregate.SUM, (event("web/pay", when=When.SUCCEEDED),), MonitorScope.FLEET, HOUR, measure="amount"
    )
    limit = 'context.past.paid.greaterThanOrEqual(decimal("1000.0"))'
    here = world(forbid("web___pay", limit), monitors=(paid,))
    for allowed in (True, True, False):
        assert isinstance(here.run(action("web/pay", {"amount": 900})).verdict, Permit) is allowed
        here.run(action("web/pay", {"amount": 922337203685477}), Status.TOOL_ERROR)


def test_marks_of_a_chain_are_made_once_and_follow_who_acts() -> None:
    some = Monitor(
        "some", EventAggregate.COUNT, (Happening(Selector(frozenset({"web/*"})), agents=frozenset({"eve"})),)
    )
    here = world(monitors=(some,))

    def marks(*chain: str) -> int:
        return len(body(here.ask(action("web/fetch", {"url": "u"}, chain=chain))).marks)

    assert [marks("eve"), marks("ada"), marks("eve", "ada"), marks("ada", "eve"), marks("eve")] == [1, 0, 0, 1, 1]
    feeding = here.bundle.destination(here.bundle.tools["web", "fetch"]).feeds.started
    assert sorted(feeding.marks) == [("ada",), ("ada", "eve"), ("eve",), ("eve", "ada")]
    for number in range(CHAINS_MAX):
        feeding.remember((str(number),), ())
    assert len(feeding.marks) <= CHAINS_MAX

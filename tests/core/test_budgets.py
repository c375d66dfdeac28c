"""Budgets: what is denied and what asks people; never overspent, whatever edits and clocks do."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.action import Action, ActionKind, Within
from remit.facts.agent import Agent, Mode, User
from remit.facts.budget import (
    Balance,
    Budget,
    Charge,
    Measure,
    Per,
    Refund,
    carried_balance,
    charged,
    left_of,
    refunded,
    refunds_at_end,
    result_bytes_max,
    spent_since,
    tokens,
    whose,
)
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.facts.impact import PLACES, Extractor, ImpactMeasure
from remit.facts.moment import instant
from remit.facts.record import RecordKind, Ref
from remit.facts.tool import Tool
from remit.pdp.apply import apply_budget
from remit.pdp.decide import decide
from remit.pdp.decision import Decision, Reshape
from remit.pdp.deltas import BudgetReset, Charged, Refunded
from remit.pdp.fold import fold
from remit.pdp.offline import decide_offline
from remit.pdp.purse import Purse
from remit.pdp.snapshot import Lift
from remit.policy.bundle import Bundle
from remit.policy.verdict import Code, Deny, Escalate, Gate, Permit
from remit.protect import budgets
from remit.protect.budgets import Accounts, charges_of
from remit.trace.bodies import AdminBody, Body, Event
from remit.trace.spent import Spent
from tests.core.deciding import NOW, action, body, bundle, catalog, codes, problems, schema, snapshot
from tests.core.recording import action as recorded
from tests.core.recording import outcome

PERMIT = '@id("all") permit (principal, action, resource);'
LOOKS = (
    '@id("looks") forbid (principal, action, resource) '
    "when { context.budget has few && context.budget.few.percent > 101 };"
)
DAY = 86_400
AMOUNT = {"amount": Extractor("$.amount", ImpactMeasure.NUMBER), "records": Extractor("$.count", ImpactMeasure.NUMBER)}


def budget(name: str = "few", measure: Measure = Measure.CALLS, per: Per = Per.FLEET, **more: object) -> Budget:
    said = {"of": None, "hard": 3, "window_s": DAY, **more}
    return Budget(name, measure, per, **said)  # type: ignore[arg-type]


def world(*budgets: Budget, policies: Iterable[str] = (PERMIT,), made: Catalog | None = None) -> Bundle:
    found = made or catalog(*policies)
    tools = {key: replace(tool, impact=AMOUNT) if tool.name == "refund" else tool for key, tool in found.tools.items()}
    return bundle(replace(found, tools=tools, budgets={one.name: one for one in budgets}))


class Till:
    """Decides as enforcement does, and keeps the accounts."""

    def __init__(self, running: Bundle) -> None:
        self.running, self.accounts, self.purse = running, Accounts(), Purse()

    def judged(self, asked: Action, now_ms: int = NOW, lift: Lift | None = None) -> Decision:
        tool = self.running.catalog.tools.get((asked.server, asked.name))
        draws = self.purse.draws(self.running, self.accounts, asked, tool, now_ms)
        seen = snapshot(self.running, asked, lift=lift, age_ms=NOW - now_ms + 1_000)
        return decide(replace(seen, draws=draws), asked, now_ms)

    def decide(self, asked: Action, now_ms: int = NOW, lift: Lift | None = None) -> Decision:
        made = decide_offline(lambda one: self.judged(one, now_ms, lift), asked)
        for charge in body(made).charges:
            self.accounts.charge(charge.account, charge.since_ms, charge.units)
        return made


def said(decision: Decision) -> str:
    return decision.reasons[0].text


def test_what_is_spent_is_denied_whatever_policy_says_and_it_says_how_much_is_left() -> None:
    till = Till(world(budget(hard=2), policies=()))
    till.running = world(budget(hard=2))
    assert [type(till.decide(action()).verdict) for _ in range(3)] == [Permit, Permit, Deny]
    denied = till.decide(action())
    assert codes(denied) == {Code.BUDGET_SPENT.value}
    assert said(denied) == (
        f"the budget few of fleet has 0 of 2 calls left until {instant(NOW - NOW % (DAY * 1000) + DAY * 1000)}, "
        "when its window of 86,400 s is over, and this takes 1"
    )
    assert body(denied).charges == ()
    assert isinstance(till.decide(action(), NOW + DAY * 1000).verdict, Permit)


@pytest.mark.parametrize("mode", list(Mode))
def test_what_an_obligation_makes_smaller_spends_what_it_then_is(mode: Mode) -> None:
    capped = '@id("capped") @obligation("cap:amount:50") permit (principal, action, resource);'
    made = catalog(capped, LOOKS)
    made = replace(made, agents={name: replace(one, mode=mode) for name, one in made.agents.items()})
    till = Till(world(budget("few", Measure.AMOUNT, hard=100 * PLACES), made=made))
    asked = action(arguments={"order_id": "1", "to": "x", "amount": 600})
    assert [[charge.units for charge in body(till.decide(asked)).charges] for _ in range(2)] == [[50 * PLACES]] * 2
    denied = till.decide(asked)
    assert codes(denied) == {Code.BUDGET_SPENT.value}
    assert said(denied).endswith("and this takes 50")
    # Nothing of it is recorded before it is what runs, and what nothing changes is denied at once.
    assert isinstance(till.judged(asked).effects[0], Reshape)
    till.running = world(budget("few", Measure.AMOUNT, hard=100 * PLACES))
    assert said(till.judged(asked)).endswith("and this takes 600")


def test_an_amount_below_zero_counts_by_its_size_and_that_is_said() -> None:
    till = Till(world(budget("few", Measure.AMOUNT, hard=100 * PLACES, soft=10 * PLACES, route="finance")))
    below: Mapping[str, Json] = {"order_id": "1", "to": "x", "amount": -600}
    assert said(till.decide(action(arguments=below))).endswith(
        "and this takes 600 (below zero: an amount counts by its size)"
    )
    asked = till.decide(action(arguments={**below, "amount": -60}))
    assert (type(asked.verdict), said(asked).endswith("people decide (below zero: an amount counts by its size)")) == (
        Escalate,
        True,
    )
    assert said(till.decide(action(arguments={**below, "amount": 600}))).endswith("and this takes 600")


def test_each_measure_counts_what_it_says() -> None:
    refund: Mapping[str, Json] = {"order_id": "1", "to": "x", "amount": 12.5, "count": 7}
    size = action(arguments=refund).size
    for measure, units in (
        (Measure.CALLS, 1),
        (Measure.IRREVERSIBLE, 1),
        (Measure.AMOUNT, 125_000),
        (Measure.RECORDS, 7),
        (Measure.TOKENS, tokens(size) + 10),
    ):
        till = Till(world(budget("b", measure, hard=1_000_000, result_tokens_max=10)))
        [charge] = body(till.decide(action(arguments=refund))).charges
        assert (charge.account, charge.units, charge.hard) == (f"b {measure.value} 86400 fleet:", units, 1_000_000)
        read = body(till.decide(action("shop/look", {}))).charges
        assert bool(read) is (measure in {Measure.CALLS, Measure.TOKENS}), measure


def test_what_else_is_done_counts_as_calls_and_tokens_where_no_tool_is_named() -> None:
    till = Till(
        world(
            budget("a"), budget("t", Measure.TOKENS, hard=10**6), budget("m", Measure.AMOUNT),
            budget("shop", tools=frozenset({"shop"})), budget("each", per=Per.TOOL),
        )
    )  # fmt: skip
    for kind in (ActionKind.READ_RESOURCE, ActionKind.GET_PROMPT):
        read = body(till.decide(action("shop/x", {}, kind=kind)))
        assert [charge.account.split()[0] for charge in read.charges] == ["a", "t"]
    for free in (
        replace(action("shop/", {}), kind=ActionKind.GET_PROMPT),
        replace(action("bot", {}), kind=ActionKind.DELEGATE),
        replace(action(), within=Within("r1-1.1", None, 1, b"{}", b"{}", bare=True)),
    ):
        assert till.purse.draws(till.running, till.accounts, free, None, NOW) == ()


def test_a_number_that_the_arguments_do_not_say_exactly_is_denied() -> None:
    till = Till(world(budget("money", Measure.AMOUNT, hard=10**9)))
    for amount in ({}, {"amount": 0.00001}):
        denied = till.decide(action(arguments={"order_id": "1", "to": "x", **amount}))
        assert codes(denied) == {Code.BUDGET_UNMEASURED.value}
    till = Till(world(budget("many", Measure.RECORDS, hard=10**9)))
    assert "number of records" in said(till.decide(action()))
    with pytest.raises(ValueError, match="does not allow"):
        charges_of(till.purse.draws(till.running, till.accounts, action(), _refund(till.running), NOW))


def _refund(running: Bundle) -> Tool:
    return running.catalog.tools["shop", "refund"]


def test_an_amount_that_is_left_out_is_charged_as_its_schema_says_it_then_is() -> None:
    made = catalog(PERMIT)
    refund = made.tools["shop", "refund"]
    usual = schema(order_id={"type": "string"}, to={"type": "string"}, amount={"type": "number", "default": 60})
    changed = replace(refund, definition=replace(refund.definition, input_schema=usual))
    tools = {**made.tools, ("shop", "refund"): changed}
    till = Till(world(budget("money", Measure.AMOUNT, hard=100 * 10_000), made=replace(made, tools=tools)))
    asked = action(arguments={"order_id": "1", "to": "x"})
    assert [type(till.decide(asked).verdict) for _ in range(2)] == [Permit, Deny]
    assert "this takes 60" in said(till.decide(asked))


def whose_accounts(found: Bundle, asked: Action) -> set[str]:
    return {whose(charge.account) for charge in body(Till(found).decide(asked)).charges}


def test_every_link_of_a_chain_and_every_name_of_a_person_spends() -> None:
    made = catalog(PERMIT)
    made = replace(made, users={**made.users, "uma-2": User("uma-2", frozenset(), "uma")})
    found = world(
        budget("agents", per=Per.AGENT), budget("ada", per=Per.AGENT, of="ada"), budget("users", per=Per.USER),
        budget("uma", per=Per.USER, of="uma-2"), budget("max", per=Per.USER, of="max"),
        budget("ops", per=Per.GROUP, of="ops"), budget("none", per=Per.GROUP, of="nobody"),
        budget("tools", per=Per.TOOL), budget("look", per=Per.TOOL, of="shop/look"), made=made,
    )  # fmt: skip
    asked = action(chain=("ada", "eve"), user="uma-2")
    assert whose_accounts(found, asked) == {"agent ada", "agent eve", "user uma", "group ops", "tool shop/refund"}
    assert whose_accounts(found, action(chain=("eve",), user=None)) == {"agent eve", "no user", "tool shop/refund"}
    assert whose_accounts(found, action(chain=("bot",), user=None)) == {
        "agent bot", "group ops", "no user", "tool shop/refund",
    }  # fmt: skip


def test_tools_that_are_named_alone_count() -> None:
    found = world(budget("one", tools=frozenset({"shop/refund"})), budget("all", tools=frozenset({"web"})))
    assert [charge.account.split()[0] for charge in body(Till(found).decide(action())).charges] == ["one"]


def test_a_soft_threshold_asks_people_and_a_hard_one_they_cannot_lift() -> None:
    soft = budget("few", hard=3, soft=1, route="finance")
    till = Till(world(soft))
    assert isinstance(till.decide(action()).verdict, Permit)
    asked = till.decide(action())
    gate = Gate("budget:few", "finance", soft.text_hash)
    assert asked.verdict == Escalate((gate,), ())
    assert said(asked) == "with this, fleet has spent 2 of the 3 calls of the budget few: beyond 1 people decide"
    bound = action().hash(till.running.catalog.tools["shop", "refund"].pin)
    lift = Lift("r1-1.1", bound, frozenset({gate}), NOW + 1)
    assert isinstance(till.decide(action(), lift=lift).verdict, Permit)
    assert isinstance(till.decide(action(), lift=lift).verdict, Permit)
    denied = till.decide(action(), lift=lift)
    assert (denied.verdict, codes(denied)) == (Deny(), {Code.BUDGET_SPENT.value})
    # Edited, it is another gate.
    edited = replace(soft, hard=9)
    till.running = world(edited)
    assert isinstance(till.decide(action(), lift=lift).verdict, Escalate)


def test_gates_of_budgets_and_of_policies_unite_and_a_denial_stays_one() -> None:
    gated = '@id("g") @gate("owner") forbid (principal, action, resource);'
    soft = budget("few", hard=3, soft=0, route="finance")
    verdict = Till(world(soft, policies=(PERMIT, gated))).decide(action()).verdict
    assert isinstance(verdict, Escalate)
    assert [gate.policy for gate in verdict.gates] == ["budget:few", "g"]
    never = '@id("n") forbid (principal, action, resource);'
    denied = Till(world(soft, policies=(PERMIT, never))).decide(action())
    assert (denied.verdict, codes(denied)) == (Deny(), {Code.POLICY.value})


def test_observing_overrides_a_soft_threshold_and_no_hard_one() -> None:
    made = catalog(PERMIT, agents=(Agent("obs", "uma", "is new", mode=Mode.OBSERVE),))
    till = Till(world(budget("few", hard=1, soft=0, route="owner"), made=made))
    passed = till.decide(action(chain=("obs",)))
    assert isinstance(passed.verdict, Permit)
    assert isinstance(passed.observed, Escalate)
    assert codes(till.decide(action(chain=("obs",)))) == {Code.BUDGET_SPENT.value}
    till = Till(world(budget("few", hard=1, soft=0, route="owner"), made=made))
    assert isinstance(till.decide(action(chain=("obs", "ada"))).verdict, Escalate)


def test_policies_read_budgets_and_the_record_keeps_them() -> None:
    few = "context.budget has few && context.budget.few.percent > 50"
    halves = f'@id("h") forbid (principal, action, resource) when {{ {few} }};'
    rich = (
        '@id("r") forbid (principal, action == Remit::Action::"shop___refund", resource) when '
        '{ context.budget has money && context.budget.money.left.lessThan(decimal("50.0")) };'
    )
    till = Till(world(budget(hard=4), budget("money", Measure.AMOUNT, hard=1_000_000), policies=(PERMIT, halves, rich)))
    refund = action(arguments={"order_id": "1", "to": "x", "amount": 60})
    made = till.decide(refund)
    assert isinstance(made.verdict, Permit)
    assert body(made).context["budget"] == {
        "few": {"left": "4", "percent": 25, "soft": False},
        "money": {"left": "100", "percent": 60, "soft": False},
    }
    cheap = action(arguments={"order_id": "1", "to": "x", "amount": 1})
    denied = till.decide(cheap)
    assert [reason.policy for reason in denied.reasons] == ["r"]
    assert isinstance(till.decide(action("shop/look", {})).verdict, Permit)
    assert [reason.policy for reason in till.decide(action("shop/look", {})).reasons] == ["h"]


def test_of_several_accounts_of_a_budget_the_nearest_to_its_end_is_told() -> None:
    till = Till(world(budget("few", per=Per.AGENT, hard=4), policies=(PERMIT, LOOKS)))
    till.decide(action(chain=("eve",)))
    told = body(till.decide(action(chain=("ada", "eve")))).context["budget"]
    assert told == {"few": {"left": "3", "percent": 50, "soft": False}}


def test_a_budget_that_no_catalog_has_is_a_validation_error() -> None:
    for read in ("context.budget has fwe", "context.budget.few.percent > 1 && false", "context.past.x"):
        policy = f'@id("x") forbid (principal, action, resource) when {{ {read} }};'
        found = catalog(PERMIT, policy)
        if read.startswith("context.budget.few"):
            found = replace(found, budgets={"few": budget(tools=frozenset({"web"}))})
        assert problems(found)


def test_percent_is_rounded_up_and_a_budget_of_nothing_is_used_up() -> None:
    till = Till(world(budget("few", hard=3), budget("none", Measure.AMOUNT, hard=0), policies=(PERMIT, LOOKS)))
    free = action(arguments={"order_id": "1", "to": "x", "amount": 0})
    told = body(till.decide(free)).context["budget"]
    assert told == {
        "few": {"left": "3", "percent": 34, "soft": False},
        "none": {"left": "0", "percent": 100, "soft": False},
    }
    assert [charge.account.split()[0] for charge in body(till.decide(free)).charges] == ["few"]
    denied = till.decide(action(arguments={"order_id": "1", "to": "x", "amount": 1}))
    told = body(denied).context.get("budget")
    assert (codes(denied), told) == ({Code.BUDGET_SPENT.value}, None)
    [_, draw] = till.purse.draws(
        till.running, till.accounts, action(arguments={"order_id": "1", "to": "x", "amount": 1}),
        till.running.catalog.tools["shop", "refund"], NOW,
    )  # fmt: skip
    assert (draw.percent, draw.exceeds, draw.escalates) == (101, True, False)


def test_what_was_not_sent_is_given_back_and_of_tokens_what_a_result_did_not_take() -> None:
    calls, took = Charge("b calls 60 fleet:", 0, 1, 9), Charge("t tokens 60 fleet:", 0, 30, 99)
    assert refunds_at_end((calls, took), sent=False, argument_bytes=40, result_bytes=0) == (
        Refund(calls.account, 0, 1),
        Refund(took.account, 0, 30),
    )
    assert refunds_at_end((calls, took), sent=True, argument_bytes=40, result_bytes=9) == (Refund(took.account, 0, 17),)
    assert refunds_at_end((calls, took), sent=True, argument_bytes=40, result_bytes=80) == ()
    assert left_of((calls, took), (Refund(took.account, 0, 17),)) == (calls, took._replace(units=13))
    assert left_of((calls, took), (Refund(took.account, 0, 30), Refund(took.account, 5, 1))) == (calls,)
    assert result_bytes_max((calls, took), 40) == 80
    assert result_bytes_max((calls,), 40) is None


def test_a_clock_that_jumps_reopens_no_window() -> None:
    till = Till(world(budget(hard=1)))
    ahead = NOW + 10 * DAY * 1000
    assert isinstance(till.decide(action(), NOW).verdict, Permit)
    assert isinstance(till.decide(action(), ahead).verdict, Permit)
    # Set back, the later window goes on: it had its share.
    for back in (NOW, NOW + DAY * 1000, ahead):
        assert codes(till.decide(action(), back)) == {Code.BUDGET_SPENT.value}
    assert isinstance(till.decide(action(), ahead + DAY * 1000).verdict, Permit)


def test_a_budget_edited_while_something_is_reserved() -> None:
    till = Till(world(budget(hard=3)))
    made = [till.decide(action()) for _ in range(3)]
    [charge] = body(made[0]).charges
    till.running = world(budget(hard=1))
    assert codes(till.decide(action())) == {Code.BUDGET_SPENT.value}
    # What one of the three gives back is not to be had while the two others are more than the new limit.
    till.accounts.refund(charge.account, charge.since_ms, charge.units)
    assert codes(till.decide(action())) == {Code.BUDGET_SPENT.value}
    till.running = world(budget(hard=4))
    assert isinstance(till.decide(action()).verdict, Permit)
    # Another window is another account.
    till.running = world(budget(hard=1, window_s=60))
    assert isinstance(till.decide(action()).verdict, Permit)
    till.accounts.begin("few calls 60 fleet:", None)
    assert isinstance(till.decide(action()).verdict, Permit)
    assert till.accounts.refund("nobody's", 0, 1) is None


def test_accounts_go_on_and_never_back() -> None:
    assert charged(None, 10, 2) == Balance(10, 2)
    assert charged(Balance(10, 2), 10, 3) == Balance(10, 5)
    assert charged(Balance(10, 2), 20, 3) == Balance(20, 3)
    assert charged(Balance(10, 2), 5, 3) == Balance(10, 5)
    assert refunded(Balance(10, 2), 5, 1) == Balance(10, 2)
    assert refunded(Balance(10, 2), 10, 3) == Balance(10, 0)
    assert spent_since(None, Balance(10, 2)) == Balance(10, 2)
    assert spent_since(Balance(5, 9), Balance(10, 2)) == Balance(10, 2)
    assert spent_since(Balance(10, 1), Balance(10, 2)) == Balance(10, 1)
    assert spent_since(Balance(10, 2), Balance(10, 2)) is None
    assert spent_since(Balance(20, 2), Balance(10, 9)) is None
    assert carried_balance({"since_ms": 5, "units": 7}) == (5, 7)
    assert carried_balance({"since_ms": 5, "units": True}) == carried_balance({"since_ms": "x", "units": 1}) == (0, 0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("call", "refund", "hard", "clock")), st.integers(0, 4), st.integers(-3 * DAY, 3 * DAY)
        ),
        max_size=40,
    )
)
def test_never_overspent(steps: list[tuple[str, int, int]]) -> None:
    """INVARIANT(budget-never-overspent): in each window what was taken and not given back is at most what was there."""
    few = budget(hard=3)
    till, now_ms = Till(world(few)), NOW
    running = {hard: world(replace(few, hard=hard)) for hard in range(5)}
    spent: dict[int, int] = {}
    open_: list[Charge] = []
    hard = 3
    for what, number, seconds in steps:
        match what:
            case "hard":
                hard, till.running = number, running[number]
            case "clock":
                now_ms += seconds * 1000
            case "refund" if open_:
                charge = open_.pop(number % len(open_))
                till.accounts.refund(charge.account, charge.since_ms, charge.units)
                spent[charge.since_ms] -= charge.units
            case _:
                for charge in body(till.decide(action(), now_ms)).charges:
                    open_.append(charge)
                    spent[charge.since_ms] = spent.get(charge.since_ms, 0) + charge.units
                    assert spent[charge.since_ms] <= hard == charge.hard
                    assert charge.since_ms == max(spent)


def test_accounts_follow_the_records() -> None:
    taken, more = Charge("few calls 60 fleet:", 0, 2, 3), {"since_ms": 0, "units": 4}
    steps: list[tuple[RecordKind, Body, Balance | None]] = [
        (RecordKind.INTENT, recorded(charges=(taken,)), Balance(0, 2)),
        (RecordKind.OUTCOME, replace(outcome("r1-1.1"), refunds=(Refund(taken.account, 0, 1),)), Balance(0, 1)),
        (
            RecordKind.ADMIN,
            AdminBody(Event.BUDGET_CARRIED, "x", taken.account, more),
            Balance(0, 5),
        ),
        (RecordKind.ADMIN, AdminBody(Event.BUDGET_CARRIED, "x", taken.account, {}), Balance(0, 5)),
        (RecordKind.ADMIN, AdminBody(Event.BUDGET_RESET, "x", taken.account, {"since_ms": 7}), Balance(7, 0)),
        (RecordKind.INTENT, recorded(charges=(taken._replace(since_ms=7),)), Balance(7, 2)),
        # What was taken before gives nothing back.
        (RecordKind.OUTCOME, replace(outcome("r1-1.1"), refunds=(Refund(taken.account, 0, 1),)), Balance(7, 2)),
        (RecordKind.ADMIN, AdminBody(Event.BUDGET_RESET, "x", taken.account, {"since_ms": True}), None),
        (RecordKind.ADMIN, AdminBody(Event.BUDGET_RESET, "x", taken.account), None),
    ]
    accounts = Accounts()
    for kind, said_, held in steps:
        for delta in fold(Ref("r1-1", 1), 5, kind, said_):
            if isinstance(delta, Charged | Refunded | BudgetReset):
                apply_budget(accounts, delta)
        assert accounts.balances.get(taken.account) == held


def test_verification_gives_nothing_back_to_an_account_that_began_anew_at_a_moment() -> None:
    taken, spent = (Charge("few calls 60 fleet:", 0, 2, 3),), Spent()
    assert list(spent.intent(taken)) == []
    spent.said(AdminBody(Event.BUDGET_RESET, "x", taken[0].account, {"since_ms": 9}))
    since = (taken[0]._replace(since_ms=9),)
    assert list(spent.intent(since)) == []
    assert list(spent.outcome(taken, (Refund(taken[0].account, 0, 2),))) == []
    assert list(spent.intent(since)) == ["few calls 60 fleet:: 4 are spent of 3"]


def test_verification_knows_an_account_that_began_anew_while_something_was_under_way() -> None:
    taken, spent = (Charge("few calls 60 fleet:", 0, 2, 3),), Spent()
    assert list(spent.intent(taken)) == []
    spent.said(AdminBody(Event.BUDGET_RESET, "x", taken[0].account))
    spent.said(AdminBody(Event.BUDGET_CARRIED, "x", taken[0].account, {}))
    spent.said(AdminBody(Event.EPOCH, "x", taken[0].account))
    assert list(spent.outcome(taken, (Refund(taken[0].account, 0, 2),))) == []
    assert list(spent.intent((Charge(taken[0].account, 0, 3, 3),))) == []
    assert list(spent.outcome(taken, (Refund(taken[0].account, 0, 3),))) == [
        "few calls 60 fleet: is given back 3 that its intent did not take"
    ]
    assert list(spent.outcome(taken, (Refund(taken[0].account, 0, 1),))) == []
    assert list(spent.intent(taken)) == ["few calls 60 fleet:: 4 are spent of 3"]
    assert list(spent.intent((Charge(taken[0].account, -60_000, 1, 9),))) == [
        "few calls 60 fleet: is charged for a window that is over"
    ]
    spent.said(AdminBody(Event.BUDGET_CARRIED, "x", taken[0].account, {"since_ms": 0, "units": 9}))


def test_what_is_remembered_of_who_draws_on_what_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "_FOUND_MAX", 1)
    till = Till(world(budget("few", per=Per.AGENT, hard=2)))
    assert [type(till.decide(action(chain=(agent,))).verdict) for agent in ("ada", "bot", "ada", "ada")] == [
        Permit,
        Permit,
        Permit,
        Deny,
    ]


def test_of_a_chain_policy_sees_the_account_that_is_nearest_to_its_end() -> None:
    till = Till(world(budget(per=Per.AGENT, hard=3), policies=(PERMIT, LOOKS)))
    for _ in range(2):
        till.decide(action(chain=("ada",)))
    made = till.decide(action(chain=("ada", "bot")))
    assert body(made).context["budget"] == {"few": {"left": "1", "percent": 100, "soft": False}}

"""Replay: recorded sessions through `decide` and `judge_result`."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remit.assure.approvals import approved
from remit.assure.recording import (
    MalformedSession,
    RecordedCall,
    RecordedResult,
    RecordedSession,
    RecordedWords,
    recorded,
)
from remit.assure.replay import CallVerdict, Cast, replay
from remit.escalate.grants import GrantScope
from remit.facts.action import Action
from remit.facts.budget import Budget, Measure, Per
from remit.facts.monitor import EventAggregate, Happening, Monitor, Selector, When, Window
from remit.facts.origin import Role
from remit.facts.tool import Argument, Effect
from remit.pdp.decision import Decision
from remit.pdp.effects import Ruling, decision_of
from remit.pdp.snapshot import Snapshot
from remit.policy.bundle import Bundle
from remit.policy.verdict import Code
from tests.core.deciding import bundle, catalog, schema, tool
from tests.core.declaring import json_values, texts

PERMIT = '@id("all") permit (principal, action, resource);'
GATED = (
    '@id("gated") @gate("owner") forbid (principal, action, resource)'
    ' when { context.session.labels.contains(Remit::Label::"untrusted") };'
)
TRACED = '@id("traced") @gate("owner") forbid (principal, action, resource) when { context.targets.strangers > 0 };'
FINAL = '@id("final") forbid (principal, action, resource) when { context.session.irreversibleCalls > 0 };'


def called(turn: float, call_id: str, tool: str, args: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "tool_call", "turn": turn, "call_id": call_id, "tool": tool, "args": args}


def answered(turn: float, call_id: str, result: Any, error: str | None = None) -> dict[str, Any]:
    return {"type": "tool_result", "turn": turn, "call_id": call_id, "tool": "x", "result": result, "error": error}


def line(*events: Mapping[str, Any], suite: str = "shop", agent: str = "ada") -> bytes:
    return json.dumps({"session": "one", "suite": suite, "agent": agent, "events": events}).encode()


FETCH = called(1, "c1", "fetch", {"url": "http://a.example"})
REFUND = {"order_id": "1", "to": "x"}


def verdicts(found: tuple[CallVerdict, ...]) -> list[tuple[str, str]]:
    return [(one.call_id, one.verdict) for one in found]


def test_a_call_sees_the_results_of_earlier_turns_alone() -> None:
    events = (FETCH, answered(1, "c1", "hello"), called(1, "c2", "refund", REFUND), called(1.5, "c3", "refund", REFUND))
    found = replay(bundle(PERMIT, GATED), recorded(line(*events)))
    assert verdicts(found) == [("c1", "permit"), ("c2", "permit"), ("c3", "escalate")]


def test_recorded_results_are_taken_in_after_a_denial_and_after_an_error() -> None:
    no_fetch = '@id("no") forbid (principal, action == Remit::Action::"web___fetch", resource);'
    for result, error in (("hello", None), ("", "no such page")):
        events = (FETCH, answered(1, "c1", result, error), called(2, "c2", "refund", REFUND))
        found = replay(bundle(PERMIT, GATED, no_fetch), recorded(line(*events)))
        assert verdicts(found) == [("c1", "deny"), ("c2", "escalate")]


def test_what_is_permitted_counts_as_it_would_in_the_service() -> None:
    events = (called(1, "c1", "refund", REFUND), called(2, "c2", "refund", REFUND))
    assert verdicts(replay(bundle(PERMIT, FINAL), recorded(line(*events)))) == [("c1", "permit"), ("c2", "deny")]


def test_every_call_has_a_verdict_and_what_is_unknown_is_denied_with_its_reason() -> None:
    events = (called(1, "c1", "nothing", {}), answered(1, "c1", "x"), called(2, "c2", "refund", REFUND))
    found = replay(bundle(PERMIT, GATED), recorded(line(*events)))
    assert verdicts(found) == [("c1", "deny"), ("c2", "escalate")], "what an unknown tool says is untrusted"
    assert "there is no tool shop/nothing" in found[0].reasons[0].text
    (strange,) = replay(bundle(PERMIT), recorded(line(called(1, "c1", "nothing", {}), suite="elsewhere")))
    assert (strange.verdict, strange.reasons[0].code) == ("deny", "server/unknown")
    (nobody,) = replay(bundle(PERMIT), recorded(line(called(1, "c1", "refund", REFUND), agent="zoe")))
    assert (nobody.verdict, nobody.reasons[0].code) == ("deny", "agent/unknown")


def test_another_agent_may_stand_for_one_that_is_unknown_and_for_no_other() -> None:
    only_bot = '@id("bot") permit (principal == Remit::Agent::"bot", action, resource);'
    for agent, verdict in (("zoe", "permit"), ("ada", "deny")):
        text = line(called(1, "c1", "refund", REFUND), agent=agent)
        (found,) = replay(bundle(only_bot), recorded(text), Cast("bot", "uma"))
        assert found.verdict == verdict


def test_a_line_of_output_holds_what_a_reader_needs_in_a_fixed_order() -> None:
    events = (FETCH, answered(1, "c1", "hello"), called(2, "c2", "refund", REFUND))
    found = replay(bundle(PERMIT, GATED), recorded(line(*events)))[1].line()
    assert list(found) == ["session", "call_id", "verdict", "policies", "reasons", "origins"]
    assert (found["session"], found["policies"]) == ("one", ["gated", "all"])


def test_what_is_granted_with_a_yes_counts_from_then_on_and_the_yes_stays_an_ask() -> None:
    calls = [called(turn, f"c{turn}", "refund", REFUND) for turn in (2, 3, 4)]
    events = (FETCH, answered(1, "c1", "order 1 to x"), *calls)
    text, running = recorded(line(*events)), bundle(PERMIT, GATED)
    asks = ["permit", "escalate", "escalate", "escalate"]
    assert [one.verdict for one in replay(running, text)] == asks
    first = {("one", "c2"): GrantScope.SESSION}
    found = replay(running, text, approvals=first)
    assert [one.verdict for one in found] == ["permit", "escalate", "permit", "permit"]
    assert found[2].reasons[-1].text.startswith("lifted by the grant c2")
    for nothing in (
        {("two", "c2"): GrantScope.SESSION},
        {("one", "c1"): GrantScope.SESSION},
        {("one", "c4"): GrantScope.TOOL},
    ):
        assert [one.verdict for one in replay(running, text, approvals=nothing)] == asks


def test_how_sure_the_agent_is_said_to_be_counts_from_then_on() -> None:
    low = f'@id("low") @gate("owner") forbid (principal, action, resource) when {{ {HAS} && {LOW} }};'
    sure = {"type": "confidence", "turn": 1, "source": "agent", "value": 0.25}
    calls = [called(turn, f"c{turn}", "refund", REFUND) for turn in (1, 2)]
    found = replay(bundle(PERMIT, low), recorded(line(calls[0], sure, calls[1])))
    assert [one.verdict for one in found] == ["permit", "escalate"]


HAS = "context.session has confidence"
LOW = 'context.session.confidence.value.lessThan(decimal("0.5"))'


def test_what_a_session_did_is_new_to_its_agent_no_more() -> None:
    new = '@id("new") @gate("owner") forbid (principal, action, resource) when { context.novelty.tool };'
    calls = [called(turn, f"c{turn}", "refund", REFUND) for turn in (1, 2)]
    assert [one.verdict for one in replay(bundle(PERMIT, new), recorded(line(*calls)))] == ["escalate", "escalate"]
    late = new.replace("context.novelty.tool", "context.novelty.target && context.session.calls > 0")
    again = replay(bundle(PERMIT, late), recorded(line(*calls, called(3, "c3", "look", {"order_id": "1"}))))
    assert [one.verdict for one in again] == ["permit", "permit", "escalate"]


@pytest.mark.parametrize("scope", ["once", "session", "tool"])
def test_a_line_says_yes_to_one_call(scope: str) -> None:
    said = approved(json.dumps({"session": "s", "call_id": "c", "scope": scope}).encode())
    assert said == (("s", "c"), None if scope == "once" else GrantScope(scope))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{", "json/malformed"),
        (b"[]", "it is not"),
        (b'{"session": "s", "call_id": "c", "scope": "once", "policy": "x"}', "it is not"),
        (b'{"session": 1, "call_id": "c", "scope": "once"}', "are text"),
        (b'{"session": "s", "call_id": 1, "scope": "once"}', "are text"),
        (b'{"session": "s", "call_id": "c", "scope": 1}', "scope is none of once, session, tool"),
        (b'{"session": "s", "call_id": "c", "scope": "all"}', "scope is none of once, session, tool"),
    ],
)
def test_a_line_that_says_yes_to_nothing_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(MalformedSession, match=why):
        approved(text)


def test_the_models_own_words_are_nothing() -> None:
    events = ({"type": "user", "turn": 0, "text": "do"}, {"type": "assistant", "turn": 1, "text": "I may"}, FETCH)
    assert [type(event) for event in recorded(line(*events, answered(1, "c1", None))).events] == [
        RecordedWords,
        RecordedCall,
        RecordedResult,
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"[]", "not a JSON object"),
        (b'{"a":1,"a":2}', "json/duplicate-key"),
        (b"{", "json/malformed"),
        (b"\xff{}", "json/encoding"),
        (b'{"events": 1}', "events is not a list"),
        (b'{"events": [1]}', "event 1 is not an object"),
        (b'{"events": [], "session": 1}', "session is not text"),
        (b'{"events": [], "session": "s", "suite": "x"}', "agent is not text"),
        (line({"type": "user", "turn": True, "text": "x"}), "event 1: turn is not a number"),
        (line({"type": "user", "turn": 10**400, "text": "x"}), "event 1: turn is not a number"),
        (line(FETCH, answered(1, "c1", {"id": 0})).replace(b'"id": 0', b'"id": ' + b"9" * 4_301), "4,300 digits"),
        (line(FETCH, answered(1, "c1", {"id": 0})).replace(b'"id": 0', b'"id": 1e999'), "too large to represent"),
        (line({"type": "user", "turn": 0}), "event 1: text is not text"),
        (line({"type": "system", "turn": 0}), "event 1: no event is of type 'system'"),
        (line({**FETCH, "args": []}), "event 1: args is not an object"),
        (line(FETCH, FETCH), "event 2: the call 'c1' stands twice"),
        (line({"type": "confidence", "turn": 1, "source": "agent", "value": 2}), "a value from 0 to 1"),
        (line({"type": "confidence", "turn": 1, "source": "uma", "value": 1}), "of agent or harness"),
        (line(answered(1, "c1", "x")), "event 1 answers 'c1', which was not called before"),
        (line(FETCH, {**answered(1, "c1", "x"), "error": 1}), "event 2: error is neither text nor null"),
    ],
)
def test_a_line_that_is_no_session_is_refused_with_its_reason(text: bytes, why: str) -> None:
    with pytest.raises(MalformedSession, match=why):
        recorded(text)


SHOP = bundle(PERMIT, TRACED)
IDS = st.sampled_from(["a", "b", "", "\0", "\u00e9"])
TURNS: st.SearchStrategy[Any] = st.one_of(st.integers(-2, 5), st.sampled_from([0.5, 1e308, -0.0]), json_values)
ARGS = st.dictionaries(st.sampled_from(["order_id", "to", "\u00fc", "x.y", "$", ""]), json_values, max_size=3)
TOOLS = st.sampled_from(["refund", "none", ""])
ERRORS = st.sampled_from([None, "", "no order of eve@x.example"])
EVENTS: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries({"type": st.just("user"), "turn": TURNS, "text": texts}),
    st.builds(called, TURNS, IDS, TOOLS, ARGS),
    st.builds(answered, TURNS, IDS, json_values, ERRORS),
    json_values,
)


@given(st.lists(EVENTS, max_size=6), st.sampled_from(["shop", ""]), st.sampled_from(["ada", "nobody"]), st.booleans())
@example(
    [called(1, "a", "refund", {"order_id": "1"}), answered(1, "a", None), answered(0, "a", [])], "shop", "ada", False
)
def test_a_line_is_refused_with_its_reason_or_each_of_its_calls_has_a_verdict(
    events: list[Any], suite: str, agent: str, cut: bool
) -> None:
    text = line(*events, suite=suite, agent=agent)
    try:
        session = recorded(text[: len(text) * 2 // 3] if cut else text)
    except MalformedSession:
        return
    judged = replay(SHOP, session)
    calls = [event.call_id for event in session.events if isinstance(event, RecordedCall)]
    assert [one.call_id for one in judged] == calls
    assert replay(SHOP, session) == judged


def test_what_the_recorded_tool_refused_itself_has_the_verdict_of_policy() -> None:
    refused = (called(1, "c1", "refund", {"order_id": "1"}), answered(1, "c1", "", "to is missing"))
    (found,) = replay(bundle(PERMIT), recorded(line(*refused)))
    assert (found.verdict, [reason.code for reason in found.reasons]) == ("permit", ["policy", "arg/invalid"])
    (denied,) = replay(bundle(PERMIT), recorded(line(refused[0])))
    assert (denied.verdict, [reason.code for reason in denied.reasons]) == ("deny", ["arg/invalid"])


def test_the_users_words_ground_and_results_do_not() -> None:
    strangers = '@id("s") forbid (principal, action, resource) when { context.targets.strangers > 0 };'
    said = {"type": "user", "turn": 0, "text": "refund order 17 to ann"}
    for result in ("to bob", {"to": "bob"}, ["bob"]):
        events = (said, called(1, "c1", "look", {"order_id": "17"}), answered(1, "c1", result))
        for to, verdict, origin in (("ann", "permit", "grounded"), ("bob", "deny", "untrusted")):
            web = called(1, "c0", "fetch", {"url": "http://a.example"})
            call = called(2, "c2", "refund", {"order_id": "17", "to": to})
            found = replay(bundle(PERMIT, strangers), recorded(line(web, answered(1, "c0", result), *events, call)))[-1]
            assert (found.verdict, found.origins["$.to"]) == (verdict, origin)


def test_what_a_call_under_way_hands_on_is_vouched_for_by_nothing_that_comes_before_it_ends() -> None:
    roles = {"to": Argument(role=Role.TARGET)}
    note, send, house = (
        replace(tool("shop", name, schema(to={"type": "string"}), effect=effect, source=()), arguments=roles)
        for name, effect in (("note", Effect.WRITE), ("send", Effect.WRITE), ("house", Effect.READ))
    )
    reads = PERMIT + ' @id("o") forbid (principal, action, resource) when { context.targets.count > 9 };'
    shop = bundle(catalog(reads, tools=(note, send, house)))
    kept = called(1, "n", "note", {"to": "eve@x.example"})
    found = answered(1, "h", "eve@x.example and bob@x.example")
    after = [
        called(number, f"s{number}", "send", {"to": f"{who}@x.example"}) for number, who in ((2, "eve"), (3, "bob"))
    ]
    look, done = called(1, "h", "house", {}), answered(2, "n", "done")

    def origins(*events: Mapping[str, Any]) -> list[str]:
        judged = replay(shop, recorded(line({"type": "user", "turn": 0, "text": "go on"}, *events)))
        return [origin for one in judged[-len(after) :] for origin in one.origins.values()]

    assert origins(kept, look, found, done, *after) == ["unseen", "trusted"]
    assert origins(kept, look, found, *after, done) == ["unseen", "trusted"]
    again = {**look, "call_id": "h2"}, {**found, "call_id": "h2"}
    assert origins(kept, look, found, *again, done, *after) == ["unseen", "trusted"]
    assert origins(kept, look, found, *after) == ["trusted", "trusted"], "what has no result was not executed"
    assert origins(look, found, {**kept, "turn": 2}, done, *after[1:], {**after[0], "turn": 4}) == [
        "trusted",
        "trusted",
    ]


@pytest.mark.parametrize("number", ["9007199254740992", "-9007199254740993", "9" * 4_300, "1e17"])
def test_a_number_that_no_agent_may_send_ends_no_replay_and_is_taken_in_where_a_server_answered_it(number: str) -> None:
    refund = called(2, "c2", "refund", REFUND)
    events = (FETCH, answered(1, "c1", {"id": 0}), refund, called(3, "c3", "refund", {**REFUND, "order_id": 0}))
    text = line(*events, answered(3, "c3", "done"), {**refund, "call_id": "c4", "turn": 4})
    for name in ("id", "order_id"):
        text = text.replace(f'"{name}": 0'.encode(), f'"{name}": {number}'.encode())
    found = replay(bundle(PERMIT, GATED), recorded(text))
    assert verdicts(found) == [("c1", "permit"), ("c2", "escalate"), ("c3", "deny"), ("c4", "escalate")]
    assert [reason.code for reason in found[2].reasons] == [Code.ARG_INVALID]
    assert "beyond" in found[2].reasons[0].text


def test_what_a_result_with_longer_integers_takes_of_a_budget_is_its_text() -> None:
    words = Budget("t", Measure.TOKENS, Per.FLEET, None, 1_050, 86_400, result_tokens_max=1_000)
    for number in (b"7", b"9007199254740993"):
        events = (FETCH, answered(1, "c1", {"id": 0, "ids": "x" * 400}), called(2, "c2", "fetch", FETCH["args"]))
        text = line(*events).replace(b'"id": 0', b'"id": ' + number)
        found = replay(counted(budgets=[words]), recorded(text))
        assert verdicts(found) == [("c1", "permit"), ("c2", "deny")]
        small = line(FETCH, answered(1, "c1", {"id": 0}), events[2]).replace(b'"id": 0', b'"id": ' + number)
        assert verdicts(replay(counted(budgets=[words]), recorded(small)))[1] == ("c2", "permit")


def test_a_secret_is_judged_as_in_the_service_and_told_nowhere() -> None:
    login = replace(
        tool("shop", "login", schema(("pin",), pin={"type": "string"})), arguments={"pin": Argument(secret=True)}
    )
    only = 'principal, action == Remit::Action::"shop___login", resource'
    no = f'@id("no") forbid ({only}) when {{ context.input.pin == "1" }};'
    running = bundle(catalog(PERMIT, no, tools=[login]))
    events = (called(1, "c1", "login", {"pin": "1"}), called(1, "c2", "login", {"pin": "2"}))
    assert verdicts(replay(running, recorded(line(*events)))) == [("c1", "deny"), ("c2", "permit")]


def counted(*policies: str, budgets: Iterable[Budget] = (), monitors: Iterable[Monitor] = ()) -> Bundle:
    made = catalog(PERMIT, *policies)
    return bundle(
        replace(made, budgets={one.name: one for one in budgets}, monitors={one.name: one for one in monitors})
    )


def refunds(count: int, *, failing: Collection[int] = ()) -> RecordedSession:
    events: list[Mapping[str, Any]] = []
    for number in range(count):
        events.append(called(number, f"c{number}", "refund", REFUND))
        events.append(answered(number, f"c{number}", "done", "no" if number in failing else None))
    return recorded(line(*events))


LATE = '@id("late") forbid (principal, action == Remit::Action::"shop___refund", resource) when { CONDITION };'


def test_monitors_count_what_was_permitted_before_in_simulated_time() -> None:
    few = Monitor(
        "few", EventAggregate.COUNT, (Happening(Selector(frozenset({"shop/refund"}))),), window=Window(1_000, 4)
    )
    found = replay(counted(LATE.replace("CONDITION", "context.past.few >= 2"), monitors=[few]), refunds(6))
    # An event takes a second, a call and its answer two: the first is over when the fourth is asked for.
    assert [one.verdict for one in found] == ["permit", "permit", "deny", "permit", "permit", "deny"]


def test_how_calls_ended_is_known_to_those_that_follow() -> None:
    went = Happening(Selector(frozenset({"shop/refund"})), When.SUCCEEDED)
    well = Monitor("well", EventAggregate.COUNT, (went,))
    found = replay(
        counted(LATE.replace("CONDITION", "context.past.well >= 2"), monitors=[well]), refunds(5, failing=[0, 1])
    )
    assert [one.verdict for one in found] == ["permit"] * 4 + ["deny"]


def test_budgets_are_spent_and_asked_for_beyond_their_soft_threshold() -> None:
    calls = Budget("b", Measure.CALLS, Per.AGENT, None, 3, 86_400, soft=2, route="owner")
    found = replay(counted(budgets=[calls]), refunds(4))
    # What is asked about is not done, and takes nothing.
    assert [one.verdict for one in found] == ["permit", "permit", "escalate", "escalate"]
    assert "budget:b" in found[2].line()["policies"]  # type: ignore[operator]
    hard = replay(counted(budgets=[replace(calls, soft=None, route=None)]), refunds(4))
    assert [one.verdict for one in hard] == ["permit", "permit", "permit", "deny"]
    assert hard[-1].reasons[0].code == "budget/spent"


def test_what_a_result_did_not_take_of_tokens_is_given_back() -> None:
    words = Budget("t", Measure.TOKENS, Per.FLEET, None, 1_050, 86_400, result_tokens_max=1_000)
    assert [one.verdict for one in replay(counted(budgets=[words]), refunds(3))] == ["permit", "permit", "deny"]
    all_at_once = recorded(line(*(called(1, f"c{number}", "refund", REFUND) for number in range(2))))
    assert [one.verdict for one in replay(counted(budgets=[words]), all_at_once)] == ["permit", "deny"]


def test_no_record_is_made_where_nothing_looks_at_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def record(snapshot: Snapshot, action: Action, ruling: Ruling, now_ms: int) -> Decision:
        made.append(action.name)
        return decision_of(snapshot, action, ruling, now_ms)

    monkeypatch.setattr("remit.assure.judgement.decision_of", record)
    replay(bundle(PERMIT), refunds(2))
    assert made == []
    calls = Budget("b", Measure.CALLS, Per.AGENT, None, 3, 86_400)
    replay(counted(budgets=[calls]), refunds(2))
    assert made == ["refund"] * 2

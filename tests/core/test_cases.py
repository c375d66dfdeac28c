"""Cases: what they may say, what comes of them, what they touch, and which changes of policies they notice."""

from dataclasses import replace

import pytest

from remit.assure.cases import MalformedCases, cases
from remit.assure.coverage import CaseCoverage, gaps, shares, with_coverage
from remit.assure.mutants import MutantResult, fates
from remit.assure.trials import failures
from remit.facts.budget import Budget, Measure, Per
from remit.facts.canonical import Json
from remit.facts.store import Store
from remit.facts.tool import Tool
from remit.policy.bundle import Bundle
from tests.core.deciding import bundle, catalog, schema, tool

PERMIT = '@id("may") permit (principal in Remit::Group::"support", action, resource);'
OUT = """@id("out") @gate("owner") forbid (principal, action == Remit::Action::"web___fetch", resource)
when { context.session.labels.contains(Remit::Label::"untrusted") && context.session.calls > 1 };"""
MASK = """@id("mask") @obligation("redact:pii") permit (principal, action == Remit::Action::"shop___look", resource);"""
DEEP = """@id("deep") forbid (principal, action == Remit::Action::"shop___refund", resource)
when { context.delegation.depth > 0 };"""


def shop(*policies: str, tools: tuple[Tool, ...] = ()) -> Bundle:
    return bundle(catalog(*policies, tools=tools))


def wrong(running: Bundle, *events: Json, agent: str = "ada") -> tuple[str, ...]:
    (case,) = cases([{"name": "n", "agent": agent, "user": "uma", "events": list(events)}])
    return failures(running, case)


def test_a_case_holds_or_says_what_is_otherwise() -> None:
    running = shop(PERMIT, OUT)
    fetch: dict[str, Json] = {"call": "web/fetch", "args": {"url": "http://a.example"}}
    assert wrong(running, {**fetch, "expect": "permit"}) == ()
    assert "is permit, not deny" in wrong(running, {**fetch, "expect": "deny"})[0]
    assert "without a word of out" in wrong(running, {**fetch, "expect": "permit", "by": "out"})[0]
    before: Json = {**fetch, "expect": "permit", "times": 2, "back": "anything"}
    assert wrong(running, before, {**fetch, "expect": "escalate", "by": ["out"]}) == ()
    assert wrong(running, {**fetch, "expect": "deny"}, agent="eve") == ()


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"call": "shop/delete_everything"}, "tool/unknown"),
        ({"call": "web/fetch", "args": {"url": "u"}, "as": "adda"}, "agent/unknown"),
        ({"call": "web/fetch", "args": {"uri": "u"}}, "arg/invalid"),
        ({"read": "file:///a", "server": "shopp"}, "server/unknown"),
        ({"delegate": "bott"}, "agent/unknown"),
    ],
)
def test_what_the_workspace_lacks_holds_by_no_accident(event: dict[str, Json], code: str) -> None:
    running = shop(PERMIT)
    text = wrong(running, {**event, "expect": "deny"})[-1]
    assert text.endswith(f"; a case that means that says: by: {code}")
    assert wrong(running, {**event, "expect": "deny", "by": code}) == ()
    assert "without a word of halted" in wrong(running, {**event, "expect": "deny", "by": [code, "halted"]})[0]


def test_an_argument_that_no_schema_names_fails_where_nothing_says_that_others_may_come() -> None:
    closed = tool("web", "post", {"type": "object", "properties": {"url": {}}, "additionalProperties": False})
    free = tool("web", "form", {"type": "object", "properties": {"url": {}}, "additionalProperties": True})
    running = shop(PERMIT, tools=(closed, free, tool("web", "any", {"type": "object"})))
    misspelt: dict[str, Json] = {"args": {"url": "u", "uri": "u"}}
    fetch: Json = {"call": "web/fetch", **misspelt, "expect": "permit"}
    assert wrong(running, fetch) == ("n: event 1 (web/fetch) gives uri, which the schema of the tool does not name",)
    assert "by: arg/invalid" in wrong(running, {"call": "web/post", **misspelt, "expect": "deny"})[-1]
    for name in ("form", "any"):
        assert wrong(running, {"call": f"web/{name}", **misspelt, "expect": "permit"}) == ()


def test_a_session_may_be_given_what_it_holds() -> None:
    running = shop(PERMIT, OUT)
    given: Json = {"given": {"labels": ["untrusted:web"], "calls": 2, "irreversible_calls": 1, "age_s": 60}}
    assert wrong(running, given, {"call": "fetch", "args": {"url": "u"}, "expect": "escalate"}) == ()
    old: Json = {"given": {"age_s": 90_000}}
    assert wrong(running, old, {"call": "fetch", "args": {"url": "u"}, "expect": "deny"}) == ()


def test_obligations_are_compared_whole() -> None:
    running = shop(PERMIT, MASK)
    assert wrong(running, {"call": "look", "expect": "permit", "obligations": ["redact:pii"]}) == ()
    assert "owes redact:pii, not nothing" in wrong(running, {"call": "look", "expect": "permit", "obligations": []})[0]


def test_a_chain_of_delegation_and_other_actions() -> None:
    running = shop(PERMIT, DEEP)
    refund: dict[str, Json] = {"call": "refund", "args": {"order_id": "1", "to": "x"}}
    assert wrong(running, {"delegate": "bot", "expect": "permit"}, {**refund, "expect": "permit"}) == ()
    assert wrong(running, {**refund, "as": "ada/bot", "expect": "deny", "by": "deep"}) == ()
    assert wrong(running, {**refund, "as": "ada/eve", "expect": "deny"}) == ()
    assert wrong(running, {"read": "file:///a", "server": "shop", "expect": "permit"}) == ()
    assert wrong(running, {"prompt": "p", "server": "shop", "expect": "permit", "as": "eve"})[0].endswith(
        "(no policy permits eve to get the prompt p)"
    )


def test_labels_follow_data_through_stores_to_other_sessions() -> None:
    save = replace(tool("shop", "save", schema(text={"type": "string"})), store=Store("notes", reads=False))
    load = replace(tool("shop", "load", schema()), store=Store("notes", writes=False))
    running = shop(PERMIT, OUT, tools=(save, load))
    events: list[Json] = [
        {"call": "fetch", "args": {"url": "u"}, "expect": "permit", "back": "anything"},
        {"call": "save", "expect": "permit"},
        {"call": "load", "as": "bot", "expect": "permit", "times": 2, "back": "anything"},
        {"call": "fetch", "as": "bot", "args": {"url": "u"}, "expect": "escalate", "by": "out"},
        {"call": "fetch", "as": "bot#2", "args": {"url": "u"}, "expect": "permit"},
    ]
    assert wrong(running, *events) == ()


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"call": "look", "expect": "permit", "odd": 1}, "an unknown odd"),
        ({"call": "look", "expect": "permit", "args": 1}, "args of event 1"),
        ({"read": "u", "expect": "permit"}, "does not name its server"),
        ({"call": "look", "expect": "permit", "back": "x"}, "is not anything"),
        ({"call": "look", "expect": "permit", "by": 1}, "no list of names"),
        ({"call": "look", "expect": "permit", "as": "ada//b"}, "who acts"),
        ({"call": "look", "delegate": "bot", "expect": "permit"}, "neither user nor call"),
        ({"given": {"labels": ["x"]}}, "is no label"),
        ({"given": {"calls": -1}}, "whole numbers"),
        ({"given": {"odd": 1}}, "given no odd"),
        ({"given": {"used": 1}}, "used is true or false"),
    ],
)
def test_what_is_no_event_is_refused(event: Json, why: str) -> None:
    with pytest.raises(MalformedCases, match=why):
        cases([{"name": "n", "agent": "ada", "events": [event]}])
    with pytest.raises(MalformedCases, match="a case has no odd"):
        cases([{"name": "n", "odd": 1, "events": []}])


def test_what_no_case_touches_is_told() -> None:
    running = shop(PERMIT, OUT, DEEP)
    touched = CaseCoverage()
    watching = with_coverage(running, touched)
    fetch: Json = {"call": "fetch", "args": {"url": "u"}, "expect": "permit", "back": "anything", "times": 2}
    assert wrong(watching, fetch) == ()
    found = {(gap.kind, gap.name): gap.text for gap in gaps(running, touched)}
    assert found["policy", "out"] == "no case makes it speak"
    assert found["condition", "out"].startswith("never true: context.session.calls > 1")
    assert found["condition", "deep"].startswith("never looked at: context.delegation.depth > 0")
    assert found["tool", "shop/refund"] == "no case calls it"
    assert ("tool", "web/fetch") not in found
    assert ("policy", "may") not in found
    assert shares(running, touched) == {"policies": (1, 3), "conditions": (1, 3), "tools": (1, 3)}
    assert wrong(watching, {**fetch, "times": 3}) != ()
    assert shares(running, touched)["conditions"] == (2, 3)


def fate(found: list[MutantResult | None], ident: str, change: str) -> MutantResult:
    (one,) = [one for one in found if one is not None and one.mutant.ident == ident and one.mutant.change == change]
    return one


def test_a_changed_policy_is_noticed_by_a_case_or_told() -> None:
    running = shop(PERMIT, OUT)
    fetch: Json = {"call": "fetch", "args": {"url": "u"}, "expect": "permit", "back": "anything", "times": 2}
    third: Json = {"call": "fetch", "args": {"url": "u"}, "expect": "escalate"}
    given = cases([{"name": "third", "agent": "ada", "user": "uma", "events": [fetch, third]}])
    found = list(fates(running, given))
    label = 'context.session.labels.contains(Remit::Label::"untrusted")'
    assert fate(found, "out", "left out").killer == "third"
    assert fate(found, "out", "without its gate").killer == "third"
    assert fate(found, "out", "without when context.session.calls > 1").killer == "third"
    assert fate(found, "out", f"without when {label}").killer is None
    assert fate(found, "may", "left out").killer == "third"
    assert fate(found, "may", "for every agent").killer is None
    clean: Json = {"call": "fetch", "args": {"url": "u"}, "expect": "permit", "times": 3}
    given += cases([{"name": "clean", "agent": "ada", "user": "uma", "events": [clean]}])
    assert fate(list(fates(running, given)), "out", f"without when {label}").killer == "clean"


def test_a_policy_that_is_for_one_action_less_is_noticed_by_a_case_or_told() -> None:
    actions = 'Remit::Action::"effect:read", Remit::Action::"effect:write"'
    both = f'@id("two") forbid (principal, action in [{actions}], resource);'
    running = shop(PERMIT, both)
    given = cases([{"name": "look", "agent": "ada", "user": "uma", "events": [{"call": "look", "expect": "deny"}]}])
    found = list(fates(running, given))
    assert fate(found, "two", 'not for Remit::Action::"effect:read"').killer == "look"
    assert fate(found, "two", 'not for Remit::Action::"effect:write"').killer is None
    assert not [
        one for one in found if one is not None and one.mutant.ident == "may" and "not for" in one.mutant.change
    ]


def test_what_calls_take_from_budgets_counts() -> None:
    budget = Budget("looks", Measure.CALLS, Per.AGENT, None, 2, 3_600, tools=frozenset({"shop/look"}))
    running = bundle(replace(catalog(PERMIT), budgets={"looks": budget}))
    assert wrong(running, {"call": "look", "expect": "permit", "times": 2}, {"call": "look", "expect": "deny"}) == ()

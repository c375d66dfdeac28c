"""Chains: what is found, told, cut and written as a case; what is bounded and assumed is said."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from remit.assure.cases import cases
from remit.assure.chains import chain_search
from remit.assure.chains.arguments import variants
from remit.assure.chains.chain_search import chains
from remit.assure.chains.cut import Declare, Forbid, cut
from remit.assure.chains.drawing import drawing
from remit.assure.chains.goals import DUTIES, OUTSIDE
from remit.assure.chains.literals import literals
from remit.assure.chains.patterns import literal, pattern_of, samples
from remit.assure.chains.results import FoundChain, SearchResult
from remit.assure.chains.search import SearchLimits
from remit.assure.chains.space import Space, each, subsets
from remit.assure.chains.written import chain_json, story, title
from remit.assure.trials import failures
from remit.facts.action import ActionKind
from remit.facts.agent import User
from remit.facts.budget import Budget, Measure, Per
from remit.facts.canonical import Json
from remit.facts.monitor import EventAggregate, Happening, Monitor, Selector
from remit.facts.store import Store
from remit.facts.tool import Effect, Sink, Tool
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.policy.form import json_of
from tests.core.chained import kind, world
from tests.core.deciding import schema

PAY = kind("one/pay_list", source=["confidential:pay"])
MAIL = kind("two/mail", effect=Effect.WRITE, sink=Sink.EXTERNAL)
WEB = kind("two/web", source=["untrusted:web"])
WIPE = kind("two/wipe", effect=Effect.IRREVERSIBLE)
SAVE = kind("one/save", effect=Effect.WRITE, store=Store("box", reads=False))
LOAD = kind("one/load", store=Store("box", writes=False))
ALL = '@id("all") permit (principal, action, resource);'
SEALED = """@id("sealed") forbid (principal, action in Remit::Action::"sink:external", resource)
when { context.session.labels.contains(Remit::Label::"confidential") };"""
CALM = """@id("calm") @gate("owner") forbid (principal, action in Remit::Action::"effect:irreversible", resource)
when { context.session.labels.contains(Remit::Label::"untrusted") };"""


def made(
    *policies: str, tools: tuple[Tool, ...] = (PAY, MAIL, WEB, WIPE), agents: dict[str, list[str]] | None = None
) -> Bundle:
    result = compile_bundle(world(agents or {"ada": ["g"]}, tools, *policies), shadow_every=0).result
    assert isinstance(result, Bundle), result
    return result


def only(result: SearchResult) -> FoundChain:
    (one,) = result.unattended
    return one


def names(chain: FoundChain) -> list[str]:
    return [f"{'/'.join(step.chain)} {step.doing.name}" for step in chain.steps]


def test_confidential_data_to_a_sink_outside() -> None:
    running = made(ALL, CALM)
    chain = only(result := chains(running))
    assert (chain.goal, chain.tool) == (OUTSIDE, "two/mail")
    assert names(chain) == ["ada pay_list", "ada mail"]
    assert [step.policies for step in chain.steps] == [("all",), ("all",)]
    assert chain.suspects == ()
    assert list(story(chain))[1] == (
        "2. ada calls two/mail {}: permitted by all; it holds confidential, confidential:pay"
    )
    found = cut(running, result, chains)
    (remedy,) = found.remedies
    assert found.whole
    assert isinstance(remedy, Forbid)
    assert 'action == Remit::Action::"two___mail"' in remedy.text
    assert "principal == " not in remedy.text
    (case,) = cases([chain_json(chain)["case"]])
    assert "is permit, not deny" in failures(running, case)[0]
    assert found.bundle is not None
    assert failures(found.bundle, case) == ()


def test_what_strangers_wrote_to_what_cannot_be_undone_and_who_is_asked() -> None:
    result = chains(made(ALL, SEALED))
    assert names(only(result)) == ["ada web", "ada wipe"]
    assert only(result).suspects == ()
    result = chains(made(ALL, SEALED, CALM))
    assert result.unattended == ()
    (asking,) = result.attended
    assert asking.escalates
    assert asking.steps[-1].gates == (("calm", "owner"),)
    assert "once owner says yes (calm)" in list(story(asking))[-1]


def test_a_clean_workspace_has_no_chain() -> None:
    hard = CALM.replace('@gate("owner") ', "")
    result = chains(made(ALL, SEALED, hard))
    assert (result.unattended, result.attended, result.failing) == ((), (), ())
    assert result.account.stopped is None
    assert result.account.states > 0
    assert result.account.labels == ("confidential", "untrusted")


def test_a_power_that_no_single_agent_has() -> None:
    reader = '@id("reader") permit (principal == Remit::Agent::"ada", action in Remit::Action::"server:one", resource);'
    sender = '@id("sender") permit (principal == Remit::Agent::"bob", action in Remit::Action::"call_tool", resource)'
    sender += ' unless { context.input has mode && context.input.mode == "a" };'
    shut = '@id("shut") forbid (principal == Remit::Agent::"bob", action == Remit::Action::"one___pay_list", resource);'
    both = {"ada": ["g"], "bob": ["h"]}
    tools = (PAY, MAIL, SAVE, LOAD)
    running = made(reader, sender, shut, tools=tools, agents=both)
    chain = only(result := chains(running))
    assert chain.together
    assert "which no agent can do alone" in title(chain)
    assert names(chain) == ["ada pay_list", "ada save", "bob load", "bob mail"]
    assert (chain.steps[1].leaves, chain.steps[2].picks) == ("box", "box")
    assert chain.steps[3].doing.args in ({"mode": "b"}, {})
    found = cut(running, result, chains)
    assert found.whole
    assert 'principal == Remit::Agent::"bob"' in found.remedies[0].text


def test_duties_that_are_to_be_apart() -> None:
    order = kind("one/order", effect=Effect.WRITE, tags=["duty-pay"])
    release = kind("two/release", effect=Effect.WRITE, tags=["duty-pay"])
    both_of_bob = 'action in [Remit::Action::"two___release", Remit::Action::"one___load"]'
    apart = (
        '@id("a") permit (principal == Remit::Agent::"ada", action in Remit::Action::"server:one", resource);',
        f'@id("b") permit (principal == Remit::Agent::"bob", {both_of_bob}, resource);',
    )
    both = {"ada": ["g"], "bob": ["h"]}
    alone = apart[1].replace(', Remit::Action::"one___load"', "")
    running = made(apart[0], alone, tools=(order, release), agents=both)
    assert chains(running).unattended == ()
    running = made(*apart, tools=(order, release, SAVE, LOAD), agents=both)
    result = chains(running)
    chain = only(result)
    assert (chain.goal, chain.together) == (DUTIES, True)
    assert names(chain) == ["ada order", "ada save", "bob load", "bob release"]
    found = cut(running, result, chains)
    assert found.whole
    assert "one___load" in found.remedies[0].text
    result = chains(made(ALL, tools=(order, release), agents=both))
    assert len(result.unattended) == 2
    assert not any(one.together for one in result.unattended)


def test_delegation_that_grows() -> None:
    deep = SEALED.replace("when {", "when { context.delegation.depth == 0 &&")
    running = made(ALL, deep, tools=(PAY, MAIL), agents={"ada": ["g"], "bob": ["h"]})
    chain = only(result := chains(running))
    assert names(chain)[-1] == "ada/bob mail"
    assert chain.suspects == ("sealed",)
    assert cut(running, result, chains).whole


def test_no_agent_stands_in_a_chain_of_delegation_twice() -> None:
    deep = SEALED.replace("when {", "when { context.delegation.depth == 0 &&")
    assert chains(made(ALL, deep, tools=(PAY, MAIL), agents={"ada": ["g"]})).unattended == ()
    chain = only(chains(made(ALL, deep, tools=(PAY, MAIL), agents={"ada": ["g"], "eve": ["g"]})))
    assert names(chain)[-1] == "ada/eve mail"


def test_counters_that_open_a_gate() -> None:
    much = SEALED.replace("when {", "when { context.session.calls < 500 &&")
    chain = only(chains(made(ALL, much, tools=(PAY, MAIL))))
    assert max(step.times for step in chain.steps) >= 498
    old = SEALED.replace("when {", "when { context.session.ageSeconds < 600 &&")
    chain = only(chains(made(ALL, old, tools=(PAY, MAIL))))
    assert chain.steps[-1].age_s >= 600
    (case,) = cases([chain_json(chain)["case"]])
    assert "is permit, not deny" in failures(made(ALL, old, tools=(PAY, MAIL)), case)[0]


def test_a_permit_that_names_such_data_is_meant() -> None:
    meant = """@id("meant") permit (principal, action == Remit::Action::"two___mail", resource)
    when { context.session.labels.contains(Remit::Label::"confidential:pay") };"""
    reads = '@id("reads") permit (principal, action in Remit::Action::"effect:read", resource);'
    assert chains(made(reads, meant, tools=(PAY, MAIL))).unattended == ()
    assert chains(made(reads, ALL, meant, tools=(PAY, MAIL))).unattended == ()


def test_data_that_loses_its_label_by_what_the_catalog_leaves_unsaid() -> None:
    silent = replace(LOAD, store=None)
    running = made(ALL, SEALED, tools=(PAY, MAIL, SAVE, silent))
    chain = only(result := chains(running))
    assert chain.hidden
    assert names(chain) == ["ada pay_list", "ada save", "ada#2 load", "ada#2 mail"]
    assert any("one/load may read box" in text for text in result.account.assumed)
    found = cut(running, result, chains)
    assert found.remedies == (Declare("one", "load", "box", None),)
    assert found.whole
    half = kind("one/search", store=Store("box", writes=False), source=["confidential"])
    running = made(ALL, SEALED, tools=(MAIL, LOAD, half))
    chain = only(result := chains(running))
    assert chain.hidden
    assert cut(running, result, chains).remedies == (Declare("one", "load", None, "confidential"),)


@pytest.mark.parametrize("asks", ["get_prompt", "read_resource", "one___raw"])
def test_what_is_left_in_a_store_is_taken_up_by_whatever_reaches_it(asks: str) -> None:
    # Nobody said what this tool does, so that it may reach all that its server keeps.
    raw = replace(
        kind("one/raw", effect=Effect.IRREVERSIBLE, sink=Sink.EXTERNAL, source=["untrusted"]), catalogued=False
    )
    in_one = 'action in [Remit::Action::"one___pay_list", Remit::Action::"one___save"]'
    in_two = f'action in [Remit::Action::"{asks}", Remit::Action::"two___mail"]'
    apart = (
        f'@id("a") permit (principal == Remit::Agent::"ada", {in_one}, resource);',
        f'@id("b") permit (principal == Remit::Agent::"bob", {in_two}, resource);',
    )
    result = chains(made(*apart, tools=(PAY, MAIL, SAVE, LOAD, raw), agents={"ada": ["g"], "bob": ["h"]}))
    found = next(one for one in result.unattended if (one.goal, one.tool) == (OUTSIDE, "two/mail"))
    assert (found.together, [step.picks for step in found.steps]) == (True, [None, None, "box", None])


def of_users(*policies: str) -> Bundle:
    people = {
        "eve": User("eve", frozenset({"g"})),
        "max": User("max", frozenset({"h"})),
        "uma": User("uma", frozenset({"h"})),
    }
    result = compile_bundle(replace(world({"ada": ["g"]}, (PAY, MAIL), *policies), users=people), shadow_every=0).result
    assert isinstance(result, Bundle), result
    return result


OF_H = """@id("h") permit (principal, action, resource)
when { context has onBehalfOf && context.onBehalfOf in Remit::Group::"h" };"""


def test_what_may_be_done_for_some_users_alone_is_a_chain() -> None:
    running = of_users(OF_H)
    chain = only(result := chains(running))
    assert (chain.user, names(chain)) == ("max", ["ada pay_list", "ada mail"])
    assert title(chain).endswith(" by two/mail, for max")
    assert chains(running, user="eve").unattended == ()
    assert cut(running, result, chains).whole
    (case,) = cases([chain_json(chain)["case"]])
    assert "is permit, not deny" in failures(running, case)[0]


def test_a_user_whom_a_policy_names_is_a_kind_of_its_own() -> None:
    named = OF_H.replace('in Remit::Group::"h"', '== Remit::User::"uma"')
    assert only(chains(of_users(named))).user == "uma"
    # For nobody it needs nobody's yes, so that it is told once and not again as what people are asked about.
    asked = '@id("ask") @gate("owner") forbid (principal, action, resource) when { context has onBehalfOf };'
    result = chains(of_users(ALL, asked))
    assert (only(result).user, result.attended) == (None, ())


def test_more_kinds_of_users_than_are_looked_at_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_search, "USERS_MAX", 1)
    result = chains(of_users(OF_H))
    assert result.unattended == ()
    assert result.account.omissions == ("1 kinds of users beyond the first 16",)


@pytest.mark.parametrize("what", ["tool", "target"])
def test_what_is_asked_about_what_is_new_is_not_asked_for_ever(what: str) -> None:
    new = f'@id("new") @gate("owner") forbid (principal, action, resource) when {{ context.novelty.{what} }};'
    running = made(ALL, new, tools=(PAY, MAIL))
    chain = only(result := chains(running))
    assert names(chain) == ["ada pay_list", "ada mail"]
    assert "calls one/pay_list {}, as it did before: permitted by all" in next(story(chain))
    assert [one for one in result.account.assumed if one.startswith("whatever an agent does may be new to it")]
    (case,) = cases([chain_json(chain)["case"]])
    assert "is permit, not deny" in failures(running, case)[0]
    found = cut(running, result, chains)
    assert found.bundle is not None
    assert failures(found.bundle, case) == ()


def test_what_has_to_be_new_and_what_must_not_be() -> None:
    once = '@id("once") permit (principal, action, resource) when { context.novelty.tool };'
    assert not only(chains(made(once, tools=(PAY, MAIL)))).steps[0].precedent
    mixed = (
        '@id("a") permit (principal, action in Remit::Action::"server:one", resource) unless { context.novelty.tool };',
        '@id("b") permit (principal, action in Remit::Action::"server:two", resource) when { context.novelty.tool };',
    )
    chain = only(chains(running := made(*mixed, tools=(PAY, MAIL))))
    assert [step.precedent for step in chain.steps] == [True, False]
    (case,) = cases([chain_json(chain)["case"]])
    assert "is permit, not deny" in failures(running, case)[0]


def test_what_is_permitted_by_a_budget_alone_is_not_green() -> None:
    left = """@id("left") permit (principal, action, resource)
    when { context.budget has few && context.budget.few.left > 1 };"""
    spent = left.replace("permit", "forbid")
    few = Budget("few", Measure.CALLS, Per.FLEET, None, hard=10, window_s=60)
    for policies, seen in (((left,), False), ((ALL, spent), True)):
        running = compile_bundle(replace(world({"ada": ["g"]}, (PAY, MAIL), *policies), budgets={"few": few})).result
        assert isinstance(running, Bundle)
        result = chains(running)
        assert bool(result.unattended) is seen
        assert (result.account.unseen == ()) is seen
        assert seen or "two___mail: a permit looks at budgets, and a search has none" in result.account.omissions


def test_a_policy_that_errs_is_told() -> None:
    wrong = '@id("wrong") forbid (principal, action == Remit::Action::"two___mail", resource)'
    wrong += " when { context.session.calls + 9223372036854775807 + 1 > 0 };"
    result = chains(made(ALL, wrong, tools=(PAY, MAIL)))
    (erring,) = result.failing or (None,)
    assert erring is not None
    assert (erring.policy, erring.action) == ("wrong", "two___mail")
    assert "overflow" in erring.why


PAGES = Monitor("pages", EventAggregate.COUNT, (Happening(Selector(frozenset({"two/mail"}))),))
CHECKED = Monitor("checked", EventAggregate.ONCE, (Happening(Selector(frozenset({"two/web"}))),))
LAST = Monitor("last", EventAggregate.PREVIOUS, (Happening(Selector(frozenset({"two/web"}))),))
SPENT = Monitor("spent", EventAggregate.SUM, (Happening(Selector(frozenset({"two/web"}))),), measure="amount")


def watched(*policies: str, monitors: tuple[Monitor, ...]) -> Bundle:
    catalog = world({"ada": ["g"]}, (PAY, MAIL), *policies)
    catalog = replace(catalog, monitors={one.name: one for one in monitors})
    result = compile_bundle(catalog, shadow_every=0).result
    assert isinstance(result, Bundle), result
    return result


@pytest.mark.parametrize(
    ("monitor", "condition", "past", "said"),
    [
        (PAGES, "context.past.pages < 3", {}, "calls two/mail {}: permitted"),
        (PAGES, "context.past.pages == 7", {"pages": 7}, "calls two/mail {} when the monitor pages is 7:"),
        (CHECKED, "context.past.checked", {"checked": True}, "calls two/mail {} when the monitor checked is true:"),
        (
            LAST,
            "context.past has last && context.past.last.agent != principal",
            {"last": {"agent": "somebody-else"}},
            'calls two/mail {} when the monitor last is {"agent":"somebody-else"}:',
        ),
        (
            SPENT,
            'context.past.spent.greaterThan(decimal("2.5"))',
            {"spent": "2.5001"},
            "calls two/mail {} when the monitor spent is 2.5001:",
        ),
    ],
)
def test_what_monitors_say_is_tried_each_way(
    monitor: Monitor, condition: str, past: dict[str, Json], said: str
) -> None:
    rest = '@id("rest") permit (principal, action == Remit::Action::"one___pay_list", resource);'
    mail = f'@id("mail") permit (principal, action == Remit::Action::"two___mail", resource) when {{ {condition} }};'
    running = watched(rest, mail, monitors=(monitor,))
    chain = only(result := chains(running))
    assert result.failing == ()
    assert chain.steps[-1].past == past
    assert said in list(story(chain))[1]
    assert any("monitors may say" in one for one in result.account.assumed)
    (case,) = cases([chain_json(chain)["case"]])
    assert "is permit, not deny" in failures(running, case)[0]
    found = cut(running, result, chains)
    assert found.whole
    assert found.bundle is not None
    assert failures(found.bundle, case) == ()


def test_a_monitor_that_nobody_could_satisfy_lets_no_chain_through_and_handing_on_asks_them_too() -> None:
    never = '@id("never") permit (principal, action, resource) when { context.past.pages < 0 };'
    assert chains(watched(never, monitors=(PAGES,))).unattended == ()
    hand = '@id("hand") permit (principal, action == Remit::Action::"delegate", resource)'
    hand += " when { context.past.checked };"
    read = '@id("read") permit (principal == Remit::Agent::"ada", action == Remit::Action::"one___pay_list", resource);'
    send = '@id("send") permit (principal, action == Remit::Action::"two___mail", resource)'
    send += " when { context.delegation.depth == 1 };"
    both = '@id("both") permit (principal == Remit::Agent::"bob", action == Remit::Action::"one___pay_list", resource);'
    catalog = world({"ada": ["g"], "bob": ["h"]}, (PAY, MAIL), hand, read, both, send)
    catalog = replace(catalog, monitors={"checked": CHECKED})
    result = compile_bundle(catalog, shadow_every=0).result
    assert isinstance(result, Bundle), result
    chain = only(chains(result))
    assert [step.past for step in chain.steps if step.doing.kind is ActionKind.DELEGATE] == [{"checked": True}]


def test_monitors_that_come_out_in_too_many_ways_are_tried_one_by_one_and_that_is_said() -> None:
    many = tuple(replace(CHECKED, name=f"m{at}") for at in range(7))
    some = " && ".join(f"context.past.m{at}" for at in range(7))
    mail = f'@id("mail") permit (principal, action, resource) when {{ {some} }};'
    rest = '@id("rest") permit (principal, action == Remit::Action::"one___pay_list", resource);'
    result = chains(watched(rest, mail, monitors=many))
    assert len(only(result).steps[-1].past) == 7
    assert any(
        one == "two___mail: what monitors say can come out in more ways than were tried"
        for one in result.account.omissions
    )


@pytest.mark.parametrize(
    ("past", "wrong"),
    [
        ({"pages": 3}, ()),
        ({"pages": 2}, ("is permit, not deny",)),
        ({"pages": True}, ("the monitor pages: it cannot say true",)),
        ({"pages": -1}, ("the monitor pages: it cannot say -1",)),
        ({"spent": "2.5"}, ("is permit, not deny",)),
        ({"spent": "two"}, ("the monitor spent: it cannot say",)),
        ({"last": {"agent": "ada", "user": 1}}, ("the monitor last: it cannot say",)),
        ({"last": {"agent": "ada", "user": "uma"}}, ("is permit, not deny",)),
        ({"gone": 1}, ("the monitor gone: there is no such monitor",)),
    ],
)
def test_a_case_says_what_monitors_say(past: Json, wrong: tuple[str, ...]) -> None:
    full = '@id("full") forbid (principal, action, resource) when { context.past.pages > 2 };'
    running = watched(ALL, full, monitors=(PAGES, SPENT, LAST))
    events: list[Json] = [{"given": {"past": past}}, {"call": "two/mail", "args": {"mode": "a"}, "expect": "deny"}]
    (case,) = cases([{"name": "one", "agent": "ada", "events": events}])
    found = failures(running, case)
    assert all(text in found[0] for text in wrong)
    assert bool(found) == bool(wrong)


def test_more_kinds_of_agents_than_a_company_has_are_looked_at_and_what_is_beyond_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = [f"a{number:02}" for number in range(40)]
    nothing = [
        f'@id("{name}") permit (principal == Remit::Agent::"{name}", action == Remit::Action::"two___web", resource);'
        for name in many
    ]
    last = '@id("open") permit (principal == Remit::Agent::"zz", action, resource);'
    running = made(*nothing, last, tools=(PAY, MAIL, WEB), agents={name: [] for name in (*many, "zz")})
    assert only(chains(running)).agents == ("zz",)
    monkeypatch.setattr(chain_search, "AGENTS_MAX", 32)
    assert chains(running).account.unseen == ("not looked at: 9 kinds of agents beyond the first 32",)


def test_a_reference_inside_a_schema_is_followed() -> None:
    one: dict[str, Json] = {"type": "object", "properties": {"mode": {"$ref": "#/$defs/mode"}}, "required": ["mode"]}
    mail = kind("two/mail", sink=Sink.EXTERNAL, arguments={**one, "$defs": {"mode": {"enum": ["loud", "low"]}}})
    result = chains(made(ALL, tools=(PAY, mail)))
    assert only(result).steps[-1].doing.args == {"mode": "loud"}
    assert result.account.unseen == ()


def test_a_search_past_its_bound_says_where_it_stopped() -> None:
    running = made(ALL)
    stopped = chains(running, SearchLimits(states_max=2)).account.stopped
    assert stopped is not None
    assert "states" in stopped
    short = chains(running, SearchLimits(steps_max=1))
    assert short.unattended == ()
    assert short.account.stopped is not None
    timed = chains(running, SearchLimits(stop=lambda: True)).account.stopped
    assert timed is not None
    assert "time was over" in timed
    many = tuple(kind(f"one/t{number}", source=[f"untrusted:l{number}"]) for number in range(20))
    told_apart = [
        f'@id("p{number}") forbid (principal, action, resource) when {{ '
        f'context.session.labels.contains(Remit::Label::"untrusted:l{number}") }};'
        for number in range(20)
    ]
    result = chains(made(ALL, *told_apart, tools=many))
    assert result.account.stopped is not None
    assert "labels apart" in result.account.stopped


def test_a_workspace_of_thousands_of_tools_is_searched_for_as_long_as_it_may() -> None:
    many = tuple(kind(f"one/t{number}", source=["untrusted:web"]) for number in range(2_000))
    running = made(ALL, SEALED, tools=(*many, PAY, MAIL))
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2_100

    result = chains(running, SearchLimits(stop=stop))
    assert result.account.stopped is not None
    assert asked < 2_200
    at_once = chains(running, SearchLimits(stop=lambda: True))
    assert any("before the search began" in text for text in at_once.account.omissions)


def test_conditions_that_nothing_satisfies_and_tools_that_cannot_be_called() -> None:
    never = SEALED.replace("when {", "when { context.session.calls < 0 ||")
    assert chains(made(ALL, never, tools=(PAY, MAIL))).unattended == ()
    odd = kind("two/odd", arguments=schema(("x",), x={"type": "string", "minLength": 3, "maxLength": 2}))
    result = chains(made(ALL, SEALED, tools=(PAY, MAIL, odd)))
    assert result.account.omissions == ("two/odd: no arguments were found that its schema takes",)


@pytest.mark.parametrize(
    ("patterns", "count"),
    [(["a*"], 2), (["a*", "*b"], 4), (["a*", "ab*"], 3), (["*a*", "*b*", "*c*"], 8), (["a", "b"], 3), (["*"], 1)],
)
def test_there_is_a_text_for_each_combination_of_patterns(patterns: list[str], count: int) -> None:
    from fnmatch import fnmatchcase

    read = [pattern_of([{"Literal": char} if char != "*" else "Wildcard" for char in one]) for one in patterns]
    found = {tuple(fnmatchcase(text, one) for one in patterns) for text in samples(read).texts}
    assert len(found) == count
    assert samples([literal("ab")]).texts[-1] == "ab"


def test_texts_are_as_long_as_they_have_to_be_for_each_combination() -> None:
    from fnmatch import fnmatchcase

    given = ["ab*", "*ba", "a*a"]
    read = [pattern_of([{"Literal": char} if char != "*" else "Wildcard" for char in one]) for one in given]
    every = {tuple(fnmatchcase(text, one) for one in given) for text in samples(read).texts}
    longer, whole = samples(read, 6)
    assert whole
    assert min(map(len, longer)) >= 6
    assert {tuple(fnmatchcase(text, one) for one in given) for text in longer} == every
    assert samples([], 3) == (("xxx",), True)


def test_patterns_that_overlap_in_more_ways_than_are_looked_at_are_told() -> None:
    read = [
        pattern_of(["Wildcard", *({"Literal": char} for char in f"{number:04b}"), "Wildcard"]) for number in range(16)
    ]
    assert not samples(read).whole


def test_a_limit_behind_a_schema_is_tried_and_what_is_not_tried_is_told() -> None:
    odd = """@id("odd") forbid (principal, action == Remit::Action::"two___mail", resource)
    unless { context.input.to like "*@corp.example" };"""
    calls = '@id("calls") permit (principal, action in Remit::Action::"call_tool", resource);'

    def mail(**said: str | int) -> Tool:
        to: dict[str, Json] = {"type": "string", **said}
        return kind("two/mail", sink=Sink.EXTERNAL, arguments=schema(("to",), to=to))

    result = chains(made(calls, odd, tools=(PAY, mail(minLength=20))))
    assert len(str(only(result).steps[-1].doing.args["to"])) == 20
    assert result.account.omissions == ()
    result = chains(made(calls, odd, tools=(PAY, mail(pattern="^[a-z]+@[a-z.]+$"))))
    assert only(result).steps[-1].doing.args == {"to": "x@corp.example"}
    assert result.account.omissions == ()
    result = chains(made(calls, odd, tools=(PAY, mail(pattern=r"^[a-z]+\b@[a-z.]+$"))))
    assert only(result).steps[-1].doing.args == {"to": "x@corp.example"}
    assert result.account.omissions == ("two/mail: it can be called in more ways than were tried",)
    many = " || ".join(f'context.input.to like "*{number:07b}*"' for number in range(70))
    each_ = f'@id("many") forbid (principal, action == Remit::Action::"two___mail", resource) when {{ {many} }};'
    result = chains(made(calls, each_, tools=(PAY, mail())))
    assert result.account.omissions == ("two/mail: it can be called in more ways than were tried",)


def test_arguments_for_each_way_in_which_conditions_come_out() -> None:
    text = """@id("p") permit (principal, action == Remit::Action::"two___mail", resource)
    when { context.input.to like "*@a.example" && context.input has n && context.input.n > 10 };"""
    to = kind(
        "two/mail",
        arguments=schema(
            ("to",), to={"type": "string", "minLength": 3}, n={"type": "integer"}, free={"type": "string"}
        ),
    )
    running = made(text, tools=(to,))
    part = running.slice_of(running.catalog.tools["two", "mail"])
    found, whole = variants(
        running.tools["two", "mail"], part, literals([json_of(one.statement) for one in part.ordered])
    )
    assert whole
    ways = {(str(one["to"]).endswith("@a.example"), isinstance(n := one.get("n"), int) and n > 10) for one in found}
    assert ways == {(True, True), (True, False), (False, True), (False, False)}
    assert all("free" not in one and len(str(one["to"])) >= 3 for one in found)


def test_numbers_that_no_action_holds_are_not_tried() -> None:
    much = """@id("much") forbid (principal, action == Remit::Action::"two___mail", resource)
    when { context.input has n && context.input.n > 9223372036854775806 };"""
    mail = kind("two/mail", sink=Sink.EXTERNAL, arguments=schema(n={"type": "integer"}))
    assert only(chains(made(ALL, much, tools=(PAY, mail)))).tool == "two/mail"


def test_a_space_adds_labels_to_all_states_at_once() -> None:
    space = Space(("a", "b", "c"))
    assert [f"{state:03b}" for state in each(space.held[1])] == ["010", "011", "110", "111"]
    assert list(each(space.adding(0b1, 0b101))) == [0b101]
    assert list(each(space.before(1 << 0b101, 0b101))) == [0, 1, 4, 5]
    assert list(subsets(0b101)) == [0, 1, 4, 5]
    assert list(each(space.cube(0b011, 0b001))) == [0b001, 0b101]


def test_a_drawing_is_one_svg_whose_texts_are_texts() -> None:
    result = chains(made(ALL, CALM))
    odd = replace(result.unattended[0].steps[0], labels=("<b>&\x00",))
    one = replace(result.unattended[0], steps=(odd, result.unattended[0].steps[1]))
    root = ET.fromstring(drawing([one, *result.attended]))
    texts = [each_.text for each_ in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "<b>&�" in texts
    assert "two/mail" in texts
    assert "no chain was found" in drawing([])

"""Guarantees as goals of chains: what policies alone would let break one, what cuts it, and what is left to it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from remit.app.admission.judgement import breaches_of
from remit.assure.cases import MalformedCases, cases
from remit.assure.chains.chain_search import chains
from remit.assure.chains.cut import Declare, Forbid, cut
from remit.assure.chains.results import FoundChain, SearchResult
from remit.assure.chains.written import chain_json, story, title
from remit.assure.trials import failures
from remit.facts.action import ActionKind
from remit.facts.budget import Budget, Measure, Per
from remit.facts.guarantee import Guarantee, GuaranteeRule, NoFlow, Powers, Rate, Separation
from remit.facts.monitor import MonitorScope, Selector, Window
from remit.facts.store import Store
from remit.facts.tool import Effect, Sink, Tool
from remit.pdp.guarantees import unguarded
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from tests.core.chained import kind, world
from tests.core.deciding import schema

PAY = kind("one/pay_list", sink=Sink.NONE, source=["confidential:pay"])
CARD = kind("one/card", sink=Sink.NONE, source=["confidential:card"])
MAIL = kind("two/mail", effect=Effect.WRITE, sink=Sink.EXTERNAL)
NOTE = kind("two/note", effect=Effect.WRITE, sink=Sink.INTERNAL)
SAVE = kind("one/save", effect=Effect.WRITE, sink=Sink.NONE, store=Store("box", reads=False))
LOAD = kind("one/load", sink=Sink.NONE, store=Store("box", writes=False))
ALL = '@id("all") permit (principal, action, resource);'
SEALED = """@id("sealed") forbid (principal, action in Remit::Action::"sink:external", resource)
when { context.session.labels.contains(Remit::Label::"confidential") };"""
HOUR = Window(60_000, 60)


def tools(*names: str) -> Selector:
    return Selector(frozenset(names))


def made(
    held: GuaranteeRule,
    *policies: str,
    using: tuple[Tool, ...],
    agents: Mapping[str, list[str]] | None = None,
    budgets: Mapping[str, Budget] | None = None,
) -> Bundle:
    catalog = world(agents or {"ada": ["g"]}, using, *policies)
    guarantees = {"held": Guarantee("held", "uma", held)}
    result = compile_bundle(replace(catalog, guarantees=guarantees, budgets=budgets or {}), shadow_every=0).result
    assert isinstance(result, Bundle), result
    return result


def only(result: SearchResult) -> FoundChain:
    (one,) = result.unattended
    assert one.goal.name == "guarantee/held"
    return one


def names(chain: FoundChain) -> list[str]:
    return [f"{'/'.join(step.chain)} {step.doing.name}" for step in chain.steps]


def cut_and_kept(running: Bundle, result: SearchResult) -> str:
    """The policy that cuts the only chain, by which its case holds."""
    found = cut(running, result, chains)
    assert found.whole
    assert found.bundle is not None
    (case,) = cases([chain_json(only(result))["case"]])
    assert failures(running, case)
    assert failures(found.bundle, case) == ()
    (remedy,) = found.remedies
    assert isinstance(remedy, Forbid)
    return remedy.text


INSIDE = NoFlow(frozenset({"confidential"}), frozenset({"internal", "external"}))


@pytest.mark.parametrize(
    ("kind_", "said", "action_"),
    [
        (ActionKind.READ_RESOURCE, "reads remit://any of two", "read_resource"),
        (ActionKind.GET_PROMPT, "gets the prompt any of two", "get_prompt"),
    ],
)
def test_a_flow_by_what_a_server_is_asked_for_beside_its_tools(kind_: ActionKind, said: str, action_: str) -> None:
    only_so = f"""@id("so") permit (principal, action == Remit::Action::"{action_}", resource);"""
    pays = '@id("pays") permit (principal, action == Remit::Action::"one___pay_list", resource);'
    catalog = made(INSIDE, only_so, pays, using=(PAY, NOTE)).catalog
    outside = {**catalog.servers, "two": replace(catalog.servers["two"], declared_sink=Sink.EXTERNAL)}
    running = compile_bundle(replace(catalog, servers=outside), shadow_every=0).result
    assert isinstance(running, Bundle)
    result = chains(running)
    assert not any("beside its tools" in text for text in result.account.assumed)
    assert only(result).steps[-1].doing.kind is kind_
    assert said in list(story(only(result)))[-1]
    text = cut_and_kept(running, result)
    assert f'action == Remit::Action::"{action_}",\n  resource in Remit::Server::"two"' in text
    assert breaches_of(only(result))[0].tools[0] == "one/pay_list"
    assert len(breaches_of(only(result))[0].tools) == 2


def test_a_flow_that_policies_let_through_is_told_though_the_guarantee_would_deny_it() -> None:
    running = made(INSIDE, ALL, SEALED, using=(PAY, MAIL, NOTE))
    result = chains(running)
    chain = only(result)
    assert names(chain) == ["ada pay_list", "ada note"]
    assert title(chain) == "confidential data reaches a sink from which the guarantee held keeps it by two/note"
    assert "permitted by all" in list(story(chain))[-1]
    text = cut_and_kept(running, result)
    assert 'context.session.labels.contains(Remit::Label::"confidential")' in text
    assert result.account.omissions == ()


def test_a_flow_is_told_once_though_a_goal_of_everywhere_is_the_same() -> None:
    running = made(NoFlow(frozenset({"confidential"}), frozenset({"external"})), ALL, using=(PAY, MAIL))
    result = chains(running)
    assert names(only(result)) == ["ada pay_list", "ada mail"]
    assert result.account.omissions == ()


def test_a_flow_of_finer_labels_and_a_permit_that_means_it() -> None:
    finer = NoFlow(frozenset({"confidential:pay", "confidential:card"}), frozenset({"internal"}))
    meant = SEALED.replace('"sealed") forbid', '"meant") permit').replace("sink:external", "sink:internal")
    reads = '@id("reads") permit (principal, action in Remit::Action::"effect:read", resource);'
    running = made(finer, reads, meant, using=(CARD, PAY, NOTE))
    result = chains(running)
    assert names(only(result)) == ["ada card", "ada note"]
    assert 'containsAny([Remit::Label::"confidential:card", Remit::Label::"confidential:pay"])' in cut_and_kept(
        running, result
    )


def test_a_gate_is_what_the_guarantee_demands() -> None:
    gated = SEALED.replace("forbid", '@gate("owner") forbid').replace("sink:external", "call_tool")
    held = NoFlow(frozenset({"confidential"}), frozenset({"external"}))
    result = chains(made(held, ALL, gated, using=(PAY, MAIL)))
    assert result.unattended == ()
    assert [one.goal.name for one in result.attended] == ["confidential-outside"]


def test_data_that_lost_its_label_breaks_a_guarantee_of_its_family_and_no_finer_one_unsaid() -> None:
    silent = replace(LOAD, store=None)
    held = NoFlow(frozenset({"confidential"}), frozenset({"external"}))
    running = made(held, ALL, SEALED, using=(PAY, MAIL, SAVE, silent))
    result = chains(running)
    (chain,) = [one for one in result.unattended if one.goal.guarantee is not None]
    assert chain.hidden
    assert Declare("one", "load", "box", None) in cut(running, result, chains).remedies
    finer = replace(held, labels=frozenset({"confidential:pay"}))
    assumed = chains(made(finer, ALL, SEALED, using=(PAY, MAIL, SAVE, silent))).account.assumed
    assert "data that lost its label is not confidential:pay, which the guarantee held is about" in assumed


DRAFT = kind("one/draft", effect=Effect.WRITE, sink=Sink.NONE, arguments=schema(("id",), id={"type": "string"}))
RELEASE = kind("two/release", effect=Effect.WRITE, sink=Sink.NONE, arguments=schema(("doc",), doc={"type": "string"}))
APART = Separation((tools("one/draft"), tools("two/release")))


def test_duties_of_one_agent_whatever_sessions_it_does_them_in() -> None:
    once = '@id("once") forbid (principal, action in Remit::Action::"call_tool", resource)'
    once += " when { context.session.calls > 0 };"
    running = made(APART, ALL, once, using=(DRAFT, RELEASE), agents={"ada": ["g"], "eve": ["g"]})
    result = chains(running)
    chain = only(result)
    assert names(chain) == ["ada draft", "ada#2 release"]
    assert chain.agents == ("ada", "eve")
    assert not chain.together
    assert "two___release" in cut_and_kept(running, result)


def test_duties_of_two_agents_are_apart_and_those_of_one_who_hands_on_where_that_counts() -> None:
    mine = '@id("a") permit (principal == Remit::Agent::"ada", action == Remit::Action::"one___draft", resource);'
    yours = '@id("b") permit (principal, action == Remit::Action::"two___release", resource)'
    both = {"ada": ["g"], "bob": ["h"]}
    deep = f"{yours} when {{ context.delegation.depth > 0 }};"
    hand = '@id("c") permit (principal == Remit::Agent::"ada", action == Remit::Action::"delegate", resource);'
    assert chains(made(APART, mine, f"{yours};".replace("principal,", 'principal == Remit::Agent::"bob",'),
                       using=(DRAFT, RELEASE), agents=both)).unattended == ()  # fmt: skip
    assert chains(made(APART, mine, deep, hand, using=(DRAFT, RELEASE), agents=both)).unattended == ()
    chained = replace(APART, chain=True)
    chain = only(chains(made(chained, mine, deep, hand, using=(DRAFT, RELEASE), agents=both)))
    assert names(chain)[-1] == "ada#2/bob release"


def test_duties_within_one_session() -> None:
    once = '@id("once") forbid (principal, action in Remit::Action::"call_tool", resource)'
    once += " when { context.session.calls > 0 };"
    session = replace(APART, scope=MonitorScope.SESSION)
    running = made(session, ALL, using=(DRAFT, RELEASE))
    result = chains(running)
    # Whichever is done last: each is a chain of its own.
    assert sorted(names(one)[-1] for one in result.unattended) == ["ada draft", "ada release"]
    assert cut(running, result, chains).whole
    assert chains(made(session, ALL, once, using=(DRAFT, RELEASE))).unattended == ()
    handed = made(session, ALL, using=(DRAFT, RELEASE, SAVE, LOAD))
    assert {len(one.steps) for one in chains(handed).unattended} == {2}


@pytest.mark.parametrize("limit", ["", 'context.input.doc == "a"', 'context.input.doc like "b*"'])
def test_duties_towards_one_document(limit: str) -> None:
    held = replace(APART, by="id", aliases=(("two/release", "doc"),), window=HOUR)
    odd = '@id("odd") forbid (principal, action == Remit::Action::"two___release", resource)'
    chain = only(chains(made(held, ALL, *([f"{odd} unless {{ {limit} }};"] if limit else []), using=(DRAFT, RELEASE))))
    assert len(chain.steps) == 2
    assert chain.steps[0].doing.args["id"] == chain.steps[1].doing.args["doc"]


def test_duties_that_are_never_towards_one_document_are_no_chain() -> None:
    held = replace(APART, by="id", aliases=(("two/release", "doc"),), window=HOUR)
    odd = [
        f'@id("{name}") forbid (principal, action == Remit::Action::"{action}", resource) unless {{ {only_} }};'
        for name, action, only_ in (
            ("o1", "one___draft", 'context.input.id == "a"'),
            ("o2", "two___release", 'context.input.doc == "b"'),
        )
    ]
    result = chains(made(held, ALL, *odd, using=(DRAFT, RELEASE)))
    assert result.unattended == ()
    assert result.account.omissions == ("guarantee/held by two/release: a way was found that comes out otherwise",)


def test_powers_that_nobody_has_together() -> None:
    three = Powers((tools("one/pay_list"), tools("two/mail"), tools("one/draft")))
    two = '@id("two") forbid (principal, action == Remit::Action::"two___mail", resource);'
    assert chains(made(three, ALL, two, using=(PAY, MAIL, DRAFT))).unattended == ()
    running = made(three, ALL, SEALED, using=(PAY, MAIL, DRAFT))
    result = chains(running)
    chain = only(result)
    # Each by a session of its own: no limit of one session keeps them apart.
    assert sorted(step.doing.name for step in chain.steps) == ["draft", "mail", "pay_list"]
    assert len({step.chain for step in chain.steps}) == 3
    cut_and_kept(running, result)


def test_a_rate_is_left_to_its_guarantee_unless_policies_or_budgets_keep_it() -> None:
    rate = Rate(tools("two/mail"), 3, HOUR)
    result = chains(made(rate, ALL, using=(MAIL,)))
    assert result.unattended == ()
    (chain,) = result.deferred
    assert title(chain) == "more is done than the guarantee held allows by two/mail"
    assert [step.times for step in chain.steps] == [4]
    few = '@id("few") forbid (principal, action in Remit::Action::"call_tool", resource)'
    few += " when { context.session.calls > 1 };"
    (chain,) = chains(made(rate, ALL, few, using=(MAIL,))).deferred
    assert [(step.chain, step.times) for step in chain.steps] == [(("ada",), 2), (("ada#2",), 2)]
    assert chains(made(replace(rate, scope=MonitorScope.SESSION), ALL, few, using=(MAIL,))).deferred == ()
    budget = Budget("calls", Measure.CALLS, Per.FLEET, None, 3, 3_600, tools=frozenset({"two/mail"}))
    assert chains(made(rate, ALL, using=(MAIL,), budgets={"calls": budget})).deferred == ()
    assert chains(made(rate, '@id("no") permit (principal, action == Remit::Action::"delegate", resource);',
                       using=(MAIL,))).deferred == ()  # fmt: skip
    often = chains(made(replace(rate, at_most=10**6), ALL, using=(MAIL,)))
    assert often.deferred == ()
    assert often.account.omissions == ("guarantee/held: more calls than the 10000 that are tried",)


def test_policies_decide_alone_where_a_case_says_so() -> None:
    running = made(INSIDE, ALL, using=(PAY, NOTE))
    steps = [
        {"as": "ada", "call": "one/pay_list", "expect": "permit", "back": "anything"},
        {"as": "ada", "call": "two/note", "expect": "deny"},
    ]
    held, alone = cases([{"name": "held", "events": steps}, {"name": "alone", "guarantees": False, "events": steps}])
    assert failures(running, held) == ()
    assert "is permit, not deny" in failures(running, alone)[0]
    without = unguarded(running)
    assert unguarded(without) is without
    with pytest.raises(MalformedCases, match="guarantees is true or false"):
        cases([{"name": "odd", "guarantees": "no", "events": []}])

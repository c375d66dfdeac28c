"""Chains that end in what a server is asked for beside its tools, whose names carry data along."""

from dataclasses import replace

import pytest

from remit.assure.cases import cases
from remit.assure.chains.chain_search import chains
from remit.assure.chains.cut import Forbid, cut
from remit.assure.chains.goals import OUTSIDE
from remit.assure.chains.results import FoundChain, SearchResult
from remit.assure.chains.written import chain_json, story, title
from remit.assure.trials import failures
from remit.facts.action import ActionKind
from remit.facts.store import Store
from remit.facts.tool import Sink, Tool
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from tests.core.chained import kind, world

PAY = kind("one/pay_list", source=["confidential:pay"])
KINDS = (ActionKind.READ_RESOURCE, ActionKind.GET_PROMPT)
SAID = {
    ActionKind.READ_RESOURCE: "ada reads remit://any of two: permitted by asks",
    ActionKind.GET_PROMPT: "ada gets the prompt any of two: permitted by asks",
}


def made(asks: ActionKind, declared: Sink | None, *policies: str, tools: tuple[Tool, ...] = (PAY,)) -> Bundle:
    """Agents may call `tools` of server `one`, and ask servers, of which `two` is `declared`, for what `asks` says."""
    mine = '@id("mine") permit (principal, action in Remit::Action::"server:one", resource);'
    theirs = f"""@id("asks") permit (principal, action == Remit::Action::"{asks.value}", resource);"""
    catalog = world({"ada": ["g"]}, tools, mine, theirs, *policies)
    two = replace(catalog.servers["two"], declared_sink=declared, source=frozenset())
    result = compile_bundle(replace(catalog, servers={**catalog.servers, "two": two}), shadow_every=0).result
    assert isinstance(result, Bundle), result
    return result


def only(result: SearchResult) -> FoundChain:
    (one,) = result.unattended
    return one


def unseen(result: SearchResult) -> list[str]:
    return [text for text in result.account.assumed if "beside its tools" in text]


@pytest.mark.parametrize("asks", KINDS)
def test_confidential_data_to_a_server_that_is_declared_external(asks: ActionKind) -> None:
    running = made(asks, Sink.EXTERNAL)
    chain = only(result := chains(running))
    assert (chain.goal, chain.tool) == (OUTSIDE, f"{asks.value} of two")
    assert title(chain) == f"confidential data reaches a sink outside by {asks.value} of two"
    assert [step.doing.kind for step in chain.steps] == [ActionKind.CALL_TOOL, asks]
    assert SAID[asks] in list(story(chain))[-1]
    assert (unseen(result), result.account.omissions) == ([], ())
    found = cut(running, result, chains)
    assert found.whole
    assert found.bundle is not None
    (remedy,) = found.remedies
    assert isinstance(remedy, Forbid)
    assert f'action == Remit::Action::"{asks.value}",\n  resource in Remit::Server::"two"' in remedy.text
    assert 'context.session.labels.contains(Remit::Label::"confidential")' in remedy.text
    (case,) = cases([chain_json(chain)["case"]])
    assert "is permit, not deny" in failures(running, case)[0]
    assert failures(found.bundle, case) == ()


@pytest.mark.parametrize("asks", KINDS)
def test_a_server_that_declares_nothing_is_not_looked_at_and_said_so(asks: ActionKind) -> None:
    silent = chains(made(asks, None))
    assert (silent.unattended, silent.attended) == ((), ())
    (said,) = unseen(silent)
    assert said.startswith("confidential-outside does not look at what two is asked for beside its tools")


@pytest.mark.parametrize("asks", KINDS)
@pytest.mark.parametrize("declared", [Sink.NONE, Sink.INTERNAL])
def test_a_server_that_stays_inside_may_be_asked(asks: ActionKind, declared: Sink) -> None:
    inside = chains(made(asks, declared))
    assert (inside.unattended, inside.attended, unseen(inside)) == ((), (), [])


def test_nothing_is_said_of_servers_that_no_policy_lets_be_asked() -> None:
    tools_alone = '@id("tools") permit (principal, action in Remit::Action::"call_tool", resource);'
    catalog = world({"ada": ["g"]}, (PAY,), tools_alone)
    servers = {name: replace(one, declared_sink=None) for name, one in catalog.servers.items()}
    running = compile_bundle(replace(catalog, servers=servers), shadow_every=0).result
    assert isinstance(running, Bundle)
    assert unseen(chains(running)) == []


@pytest.mark.parametrize("asks", KINDS)
def test_a_permit_that_means_such_data_is_no_finding(asks: ActionKind) -> None:
    meant = f"""@id("meant") permit (principal, action == Remit::Action::"{asks.value}", resource)
    when {{ context.session.labels.contains(Remit::Label::"confidential") }};"""
    assert chains(made(asks, Sink.EXTERNAL, meant)).unattended == ()


@pytest.mark.parametrize("asks", KINDS)
def test_what_needs_nobody_is_not_told_again_where_people_are_asked_on_a_shorter_way(asks: ActionKind) -> None:
    late = """@id("late") @gate("owner") forbid (principal, action == Remit::Action::"one___pay_list", resource)
    unless { context.session.calls > 1 };"""
    result = chains(made(asks, Sink.EXTERNAL, late))
    assert len(only(result).steps) == 4
    assert SAID[asks] in list(story(only(result)))[-1]
    assert result.attended == ()


@pytest.mark.parametrize("asks", KINDS)
def test_whatever_a_server_is_asked_by_is_one_chain(asks: ActionKind) -> None:
    argument = "uri" if asks is ActionKind.READ_RESOURCE else "name"
    narrow = f"""@id("narrow") forbid (principal, action == Remit::Action::"{asks.value}", resource)
    unless {{ context.input.{argument} like "open*" }};"""
    wide = chains(made(asks, Sink.EXTERNAL))
    chain = only(chains(made(asks, Sink.EXTERNAL, narrow)))
    assert chain.steps[-1].doing.name.startswith("open")
    assert chain.tool == only(wide).tool


def test_data_that_lost_its_label_on_the_way_to_a_resource() -> None:
    save, load = kind("one/save", store=Store("box", reads=False)), kind("one/load")
    sealed = """@id("sealed") forbid (principal, action == Remit::Action::"read_resource", resource)
    when { context.session.labels.contains(Remit::Label::"confidential") };"""
    running = made(ActionKind.READ_RESOURCE, Sink.EXTERNAL, sealed, tools=(PAY, save, load))
    chain = only(chains(running))
    assert chain.hidden
    assert chain.suspects == ("sealed",)
    assert [step.doing.name for step in chain.steps] == ["pay_list", "save", "load", "remit://any"]

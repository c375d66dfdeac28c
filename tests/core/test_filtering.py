"""Listings: over 1,000 random bundles and enforced agents, no hidden tool has a permitting call."""

import random
from dataclasses import replace

import pytest

from remit.facts.agent import Agent, Mode
from remit.facts.canonical import Json
from remit.pdp.listing import reaches, visible_tools
from remit.policy.bundle import Bundle
from remit.policy.verdict import Deny, Escalate, Permit
from tests.core.deciding import OBSERVE, action, bundle, catalog, decided, tool

BUNDLES = 1_000
PER_TEST = 50
AGENTS: tuple[str, ...] = ("a0", "a1", "a2")
WHO = (
    "principal",
    'principal == Remit::Agent::"a0"',
    'principal == Remit::Agent::"a1"',
    'principal in Remit::Group::"support"',
    'principal in Remit::Group::"everyone"',
    "principal is Remit::Agent",
    'principal is Remit::Agent in Remit::Group::"ops"',
    'principal in Remit::Agent::"a2"',
)
WHAT = (
    "action",
    'action == Remit::Action::"shop___refund"',
    'action == Remit::Action::"web___fetch"',
    'action in Remit::Action::"effect:read"',
    'action in Remit::Action::"source:untrusted"',
    'action in [Remit::Action::"server:shop", Remit::Action::"delegate"]',
    'action in Remit::Action::"call_tool"',
)
WHERE = ("resource", "resource", 'resource == Remit::Server::"shop"', 'resource in Remit::Server::"web"')
HOW = (
    "",
    "",
    " when { true }",
    " unless { false }",
    " when { false }",
    " when { context.session.calls == 0 }",
    ' unless { context.session.labels.contains(Remit::Label::"untrusted") }',
    ' when { context has onBehalfOf && context.onBehalfOf == Remit::User::"uma" }',
)
KINDS = ("permit", "permit", "forbid", '@gate("owner") forbid')
CALLS: tuple[tuple[str, dict[str, Json]], ...] = (
    ("shop/refund", {"order_id": "1", "to": "x"}),
    ("shop/look", {}),
    ("web/fetch", {"url": "x"}),
)


def random_bundle(rng: random.Random) -> Bundle:
    agents = [
        Agent(name, "uma", "x", frozenset(group for group in ("support", "ops") if rng.random() < 0.5))
        for name in AGENTS
    ]
    agents.append(Agent("observer", "uma", "x", mode=Mode.OBSERVE))
    texts: list[str] = []
    while len(texts) < rng.randint(1, 5):
        what, where = rng.choice(WHAT), rng.choice(WHERE)
        if "delegate" not in what and not (what == WHAT[2] and "shop" in where):
            texts.append(
                f'@id("p{len(texts)}") {rng.choice(KINDS)} ({rng.choice(WHO)}, {what}, {where}){rng.choice(HOW)};'
            )
    return bundle(catalog(*texts, agents=agents))


@pytest.mark.parametrize("seed", range(BUNDLES // PER_TEST))
def test_no_hidden_tool_has_a_permitting_call(seed: int) -> None:
    rng = random.Random(seed)
    shown = hidden = 0
    for _ in range(PER_TEST):
        running = random_bundle(rng)
        chain = rng.choices(AGENTS, k=rng.choice([1, 1, 2]))
        if rng.random() < 0.2:
            chain.insert(rng.randrange(len(chain) + 1), "observer")
        listed = {f"{item.server}/{item.name}" for item in visible_tools(running, chain)}
        for name, arguments in CALLS:
            if name in listed:
                shown += 1
                continue
            hidden += 1
            for labels in ([], ["untrusted:web"]):
                for user in ("uma", None):
                    asked = action(name, arguments, chain=chain, user=user)
                    assert decided(running, asked, labels=labels).verdict == Deny()
    assert shown > 10
    assert hidden > 10


def test_a_condition_hides_nothing_and_a_gate_neither() -> None:
    running = bundle(
        (
            '@id("p") permit (principal, action == Remit::Action::"shop___look", resource) '
            "when { context.session.calls > 999 };"
        ),
        '@id("q") permit (principal, action == Remit::Action::"web___fetch", resource);',
        '@id("g") @gate("owner") forbid (principal, action, resource);',
        '@id("f") forbid (principal, action, resource) when { context.session.calls < 999 };',
    )
    assert [item.exposed for item in visible_tools(running, ("ada",))] == ["shop___look", "web___fetch"]


def test_an_unconditional_forbid_hides_also_where_it_says_true() -> None:
    permit = '@id("p") permit (principal, action, resource);'
    for how in ("", " when { true }", " unless { false }", " when { true } unless { false }"):
        forbid = f'@id("f") forbid (principal, action == Remit::Action::"shop___look", resource){how};'
        listed = visible_tools(bundle(permit, forbid), ("ada",))
        assert "shop___look" not in {item.exposed for item in listed}
    for how in (" when { false }", " unless { true }"):
        forbid = f'@id("f") forbid (principal, action == Remit::Action::"shop___look", resource){how};'
        listed = visible_tools(bundle(permit, forbid), ("ada",))
        assert "shop___look" in {item.exposed for item in listed}


def test_a_permit_for_another_kind_of_resource_offers_no_tool() -> None:
    running = bundle('@id("p") permit (principal, action, resource is Remit::Agent);')
    assert visible_tools(running, ("ada",)) == ()
    assert decided(running, action()).verdict == Deny()


def observing() -> Bundle:
    ada = replace(catalog().agents["ada"], mode=OBSERVE)
    return bundle(catalog(agents=[ada], tools=[tool("shop", "odd", {"$ref": "#"})]))


def test_a_chain_that_observes_throughout_sees_every_tool_that_runs() -> None:
    running = observing()
    assert {item.exposed for item in visible_tools(running, ("ada",))} == {
        "shop___refund",
        "shop___look",
        "web___fetch",
    }
    assert visible_tools(running, ("ada", "bot")) == ()
    assert decided(running, action()).verdict == Permit()


def test_strangers_see_nothing() -> None:
    running = observing()
    assert visible_tools(running, ("nobody",)) == ()
    assert visible_tools(running, ("ada", "nobody")) == ()
    assert visible_tools(running, ()) == ()


def test_a_gated_tool_escalates_when_it_is_called() -> None:
    running = bundle(
        '@id("q") permit (principal, action, resource);',
        '@id("g") @gate("owner") forbid (principal, action, resource);',
    )
    assert isinstance(decided(running, action()).verdict, Escalate)


@pytest.mark.parametrize(
    "what",
    [
        'action == Remit::Action::"shop___look", resource',
        'action == Remit::Action::"read_resource", resource in Remit::Server::"shop"',
        'action == Remit::Action::"get_prompt", resource == Remit::Server::"shop"',
    ],
)
def test_a_server_is_reached_by_any_tool_resource_or_prompt_of_it(what: str) -> None:
    running = bundle(f'@id("p") permit (principal == Remit::Agent::"ada", {what});')
    assert reaches(running, ("ada",), "shop")
    assert not reaches(running, ("ada",), "web")
    assert not reaches(running, ("bot",), "shop")
    assert not reaches(running, ("ada", "bot"), "shop"), "what one link may not see, the chain does not"


def test_nothing_is_reached_by_strangers_or_where_all_is_forbidden() -> None:
    permit = '@id("p") permit (principal, action, resource);'
    running = bundle(permit, '@id("f") forbid (principal, action, resource);')
    assert not reaches(running, ("ada",), "shop")
    running = bundle(permit)
    assert reaches(running, ("ada",), "shop")
    assert not reaches(running, ("ada", "nobody"), "shop")
    assert not reaches(running, (), "shop")
    assert not reaches(running, ("ada",), "nowhere")
    assert reaches(observing(), ("ada",), "shop"), "who observes is shown all of it"

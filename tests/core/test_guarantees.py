"""Guarantees: denied whatever policy says, and what scopes alone show of a bundle."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from remit.facts.action import Action, ActionKind, Within
from remit.facts.agent import Mode
from remit.facts.canonical import Json
from remit.facts.guarantee import Guarantee, GuaranteeRule, NoFlow, Powers, Rate, Separation
from remit.facts.monitor import WAYS, MonitorScope, Selector, Window
from remit.facts.record import RecordKind
from remit.facts.tool import Sink
from remit.pdp.guarantees import Breach, breach_digest, breaches
from remit.pdp.snapshot import Lift
from remit.policy.verdict import Deny, Escalate, Gate, Permit
from tests.core.deciding import NOW, action, body, bundle, codes, schema, tool
from tests.core.watching import ALONE, ANY, World, watched

HOUR = Window(60_000, 60)
GATE = '@id("ask") @gate("owner") forbid (principal, action in Remit::Action::"sink:external", resource);'
FETCH = action("web/fetch", {"url": "u"})


def tools(*names: str) -> Selector:
    return Selector(frozenset(names))


def of(holds: GuaranteeRule, name: str = "held", owner: str = "uma") -> Guarantee:
    return Guarantee(name, owner, holds)


def world(*guarantees: Guarantee, policies: Iterable[str] = (), permit: str = ANY) -> World:
    return World(bundle(watched(*policies, guarantees=guarantees, permit=permit)))


def permitted(here: World, asked: Action, labels: Iterable[str] = ()) -> bool:
    decision = here.ask(asked, labels=labels)
    if isinstance(decision.verdict, Deny):
        assert codes(decision) >= {"guarantee/broken"}
        assert body(decision).verdict == "deny"
    return not isinstance(decision.verdict, Deny)


PRIVATE = of(NoFlow(frozenset({"confidential"}), frozenset({"external"})), "private")


def test_no_flow_without_a_gate() -> None:
    here = world(PRIVATE)
    assert permitted(here, FETCH)
    denied = here.ask(FETCH, labels=("confidential:pii",))
    assert codes(denied) == {"guarantee/broken", "policy"}
    assert denied.reasons[0].text == (
        "the guarantee private, for which uma answers: what the session holds is confidential, and nobody was asked"
    )
    assert permitted(here, action("shop/look", {}), ("confidential",))


@pytest.mark.parametrize(
    ("kind", "name", "flows"),
    [
        (ActionKind.READ_RESOURCE, "https://evil.example/?q=secret", True),
        (ActionKind.GET_PROMPT, "p", True),
        (ActionKind.CALL_MODEL, "client", True),
        (ActionKind.LIST_ROOTS, "", True),
        (ActionKind.READ_RESOURCE, "", False),
        (ActionKind.GET_PROMPT, "", False),
    ],
)
def test_no_flow_by_what_else_is_said_to_a_server(kind: ActionKind, name: str, *, flows: bool) -> None:
    here = world(PRIVATE)
    asked = replace(action(f"web/{name}", {"q": "secret"}, kind=kind), server="web", name=name)
    assert permitted(here, asked)
    assert permitted(here, asked, ("confidential:pii",)) is not flows
    catalog = here.bundle.catalog
    inside = {**catalog.servers, "web": replace(catalog.servers["web"], declared_sink=Sink.INTERNAL)}
    assert permitted(World(bundle(replace(catalog, servers=inside))), asked, ("confidential:pii",))


def test_handing_on_is_no_flow_by_itself() -> None:
    asked = replace(action("x/y", kind=ActionKind.DELEGATE), server="", name="bot")
    assert permitted(world(PRIVATE), asked, ("confidential:pii",))


def test_a_gate_lets_a_flow_through_to_people_and_with_their_yes() -> None:
    here = world(PRIVATE, policies=(GATE,))
    asked = here.ask(FETCH, labels=("confidential",))
    assert isinstance(asked.verdict, Escalate)
    pin = here.bundle.catalog.tools["web", "fetch"].pin
    gates: frozenset[Gate] = frozenset(asked.verdict.gates)
    lift = Lift("r.1", FETCH.hash(pin), gates, NOW + 1_000)
    assert isinstance(here.ask(FETCH, labels=("confidential",), lift=lift).verdict, Permit)


def test_nothing_lifts_a_rate() -> None:
    here = world(of(Rate(tools("web/*"), 2, HOUR)), policies=(GATE,))
    pin = here.bundle.catalog.tools["web", "fetch"].pin
    asked = here.ask(FETCH)
    assert isinstance(asked.verdict, Escalate)
    lift = Lift("r.1", FETCH.hash(pin), frozenset(asked.verdict.gates), NOW + 10**9)
    for _ in range(2):
        made = here.ask(FETCH, lift=lift)
        assert isinstance(made.verdict, Permit)
        here.fold(RecordKind.INTENT, body(made))
    assert not permitted(here, FETCH)
    denied = here.ask(FETCH, lift=lift)
    assert isinstance(denied.verdict, Deny)
    assert "no more than 2 such calls within 3600 s" in denied.reasons[0].text
    here.now_ms += HOUR.ms + HOUR.step_ms
    assert permitted(here, FETCH)


def test_a_rate_over_a_session_is_each_sessions_own() -> None:
    here = world(of(Rate(tools("web/fetch"), 1, HOUR, MonitorScope.SESSION)))
    here.run(FETCH)
    assert not permitted(here, FETCH)
    assert permitted(here, action("web/fetch", {"url": "u"}, chain=("bot",)))


def test_an_observing_agent_is_held_as_well() -> None:
    made = watched(guarantees=(of(Rate(tools("web/fetch"), 0, HOUR)),))
    agents = dict(made.agents)
    agents["ada"] = replace(agents["ada"], mode=Mode.OBSERVE)
    assert not permitted(World(bundle(replace(made, agents=agents))), FETCH)


DUTIES = Separation(
    (tools("shop/draft"), tools("shop/release")), window=HOUR, by="id", aliases=(("shop/release", "doc"),)
)


def draft(document: str, *chain: str) -> Action:
    return action("shop/draft", {"id": document}, chain=chain)


def release(document: str, *chain: str) -> Action:
    return action("shop/release", {"doc": document}, chain=chain)


def test_separation_of_duties() -> None:
    here = world(of(DUTIES))
    here.run(draft("d1", "ada"))
    assert permitted(here, draft("d1", "ada"))
    assert not permitted(here, release("d1", "ada"))
    assert permitted(here, release("d2", "ada"))
    # Whoever delegated both did neither himself.
    here.run(draft("d3", "eve", "ada"))
    assert permitted(here, release("d3", "eve", "bot"))
    assert not permitted(here, release("d3", "bot", "ada"))
    here.now_ms += HOUR.ms + HOUR.step_ms
    assert permitted(here, release("d1", "ada"))


def test_an_argument_that_is_left_out_is_what_its_schema_says_it_then_is() -> None:
    made = watched(guarantees=(of(DUTIES),))
    said = tool("shop", "draft", schema(id={"type": "string", "default": "main"}))
    here = World(bundle(replace(made, tools={**made.tools, ("shop", "draft"): said})))
    here.run(action("shop/draft", {}, chain=("ada",)))
    assert not permitted(here, release("main", "ada"))
    assert permitted(here, release("d1", "ada"))


def test_separation_of_duties_along_a_chain_and_within_a_session() -> None:
    chain = world(of(replace(DUTIES, chain=True)))
    chain.run(draft("d3", "eve", "ada"))
    assert not permitted(chain, release("d3", "eve", "bot"))
    session = world(of(replace(DUTIES, scope=MonitorScope.SESSION, window=Window())))
    session.run(draft("d1", "eve", "ada"))
    assert not permitted(session, release("d1", "eve", "ada"))
    assert permitted(session, release("d1", "ada"))


POWERS = Powers((tools("web/fetch"), tools("web/pay"), tools("shop/refund")))


def test_no_agent_uses_three_powers() -> None:
    here = world(of(POWERS), of(replace(POWERS, chain=False), "acting"))
    here.run(FETCH)
    here.run(FETCH)
    here.run(action("web/pay", {"amount": 1}))
    assert permitted(here, action("web/pay", {"amount": 1}))
    refused = here.ask(action())
    assert "ada would have used all 3 powers" in refused.reasons[0].text
    # What it has others do for it is its own.
    assert not permitted(here, action(chain=("ada", "bot")))
    assert permitted(here, action(chain=("bot",)))
    acting = world(of(replace(POWERS, chain=False)))
    for asked in (FETCH, action("web/pay", {"amount": 1})):
        acting.run(replace(asked, authority=action(chain=("ada", "bot")).authority))
    assert permitted(acting, action(chain=("ada", "eve")))
    assert not permitted(acting, action(chain=("ada", "bot")))


def test_a_round_of_what_was_let_through_is_no_second_call() -> None:
    here = world(of(Rate(tools("web/fetch"), 1, HOUR)), PRIVATE)
    here.run(FETCH)
    again = replace(FETCH, within=Within("r.1", None, 1, b"{}", b"{}", bare=False))
    assert permitted(here, again)
    assert not permitted(here, again, ("confidential",))


@pytest.mark.parametrize(
    ("drafted", "released"),
    [
        (7, "7"),
        ("7", "+007.0"),
        (7.0, "7"),
        ("d1", " d1\n"),
        ("d1", "D1"),
        ("d\u200b1", "d\uff11"),
        (0.5, "0.5"),
        (None, None),
    ],
)
def test_duties_are_of_one_value_however_it_is_spelt(drafted: Json, released: Json) -> None:
    document = schema(("id",), id={})
    made = watched(guarantees=(of(DUTIES),))
    kept = {**made.tools, ("shop", "draft"): tool("shop", "draft", document)}
    kept["shop", "release"] = tool("shop", "release", schema(("doc",), doc={}))
    here = World(bundle(replace(made, tools=kept)))
    here.run(action("shop/draft", {"id": drafted}))
    assert not permitted(here, action("shop/release", {"doc": released}))
    for other in (8, "-7", "d2", True, "0.50"):
        assert permitted(here, action("shop/release", {"doc": other}))
    denied = here.ask(action("shop/release", {"doc": ["d2"]}))
    assert "doc holds several values" in denied.reasons[0].text
    assert codes(denied) >= {"guarantee/broken"}


@pytest.mark.parametrize("holds", [replace(DUTIES, scope=MonitorScope.SESSION), POWERS])
def test_what_there_is_no_room_for_is_denied(holds: GuaranteeRule) -> None:
    here = world(of(holds))
    asked = FETCH if holds is POWERS else draft("d1", "ada")
    (mark,) = body(here.ask(asked)).marks
    scope = mark.scope(asked.authority.links[0].sid)
    for number in range(WAYS):
        here.past.take(scope, mark._replace(key=str(number)), here.now_ms)
    here.past.take(scope, mark, here.now_ms)
    assert not permitted(here, asked)
    assert "not known" in here.ask(asked).reasons[0].text


def test_scopes_show_who_has_all_powers() -> None:
    made = bundle(
        watched(
            '@id("p") permit (principal == Remit::Agent::"bot", action == Remit::Action::"web___fetch", resource);',
            '@id("q") permit (principal in Remit::Group::"support", action == Remit::Action::"web___pay", resource);',
            '@id("r") permit (principal == Remit::Agent::"bot", action == Remit::Action::"shop___refund", resource)'
            " when { context.inputSize < 1 };",
            guarantees=(of(POWERS), of(Rate(tools("web/fetch"), 1, HOUR), "r"), PRIVATE),
            permit='@id("l") permit (principal, action == Remit::Action::"shop___look", resource);',
        )
    )
    (breach,) = breaches(made)
    assert (breach.guarantee, breach.agent) == ("held", "bot")
    assert breach.tools == ("web/fetch", "web/pay", "shop/refund")
    assert breach.text == "bot may call web/fetch, web/pay, shop/refund, which held keeps apart"


def test_scopes_show_who_has_two_duties_and_not_of_single_documents() -> None:
    plain = Separation((tools("shop/draft"), tools("shop/release"), tools("web/pay")))
    barred = (
        '@id("no") forbid (principal in Remit::Group::"support", action == Remit::Action::"shop___release", resource);'
    )
    made = bundle(
        watched(
            barred,
            guarantees=(of(plain), of(DUTIES, "by"), of(replace(plain, scope=MonitorScope.SESSION), "session")),
            permit=ANY.replace(
                "action,", 'action in [Remit::Action::"shop___draft", Remit::Action::"shop___release"],'
            ),
        )
    )
    assert [(breach.guarantee, breach.agent, breach.tools) for breach in breaches(made)] == [
        ("held", "eve", ("shop/draft", "shop/release"))
    ]


def test_a_sign_off_is_bound_to_what_is_broken() -> None:
    guarantee = of(POWERS)
    wide = bundle(watched(guarantees=(guarantee,)))
    found = breaches(wide)
    assert len(found) == 3
    assert breach_digest(guarantee, found) == breach_digest(guarantee, breaches(wide))
    assert breach_digest(guarantee, found[1:]) != breach_digest(guarantee, found)
    assert breach_digest(replace(guarantee, owner="max"), found) != breach_digest(guarantee, found)


def test_what_policy_denies_is_told_as_policys() -> None:
    here = world(PRIVATE, policies=('@id("no") forbid (principal, action, resource);',))
    assert codes(here.ask(FETCH, labels=("confidential",))) == {"policy"}


def test_a_breach_is_told_in_one_sentence() -> None:
    breach = Breach("held", "bot", ("shop/refund", "web/pay"))
    assert breach.text == "bot may call shop/refund, web/pay, which held keeps apart"


def test_one_agent_takes_no_room_for_documents_from_others() -> None:
    # Four slots, of which eve, whom she delegates to included, fills three quarters.
    here = world(of(replace(DUTIES, keys=16)))
    chains = (("eve",), ("eve", "bot"))
    done = [here.run(draft(f"junk{number}", *chains[number % 2])).verdict for number in range(200)]
    assert sum(isinstance(one, Permit) for one in done) == 4 * ALONE
    full = here.ask(draft("another", "eve"))
    assert codes(full) == {"monitor/full"}
    assert full.reasons[0].text == ("guarantee/held has no room for more values of id by eve until its window is over")
    assert permitted(here, draft("junk0", "eve"))
    assert [permitted(here, draft(f"d{n}", "ada")) for n in range(20)] == [True] * 20
    assert not permitted(here, release("junk0", "eve"))
    here.run(draft("d1", "ada"))
    assert not permitted(here, release("d1", "ada"))
    # Two who fill what they can leave one place of each slot: whoever comes third is not shut out.
    for number in range(100):
        here.run(draft(f"more{number}", "ada"))
    assert codes(here.ask(draft("yet another", "ada"))) == {"monitor/full"}
    third = [here.run(draft(f"third{number}", "bot")).verdict for number in range(100)]
    assert sum(isinstance(one, Permit) for one in third) == 4
    # All of it is full: what is new is denied, what is known is known, and nothing is in doubt.
    assert codes(here.ask(draft("yet another", "bot"))) == {"monitor/full"}
    assert permitted(here, draft("d1", "ada"))
    here.now_ms += HOUR.ms + HOUR.step_ms
    assert permitted(here, draft("another", "eve"))

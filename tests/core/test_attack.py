"""What is attempted: from the catalog alone, the same every time, with arguments that schemas take."""

from dataclasses import replace
from pathlib import Path

import pytest

from remit.app.assurance.replay import bundle_of
from remit.assure.attack.attempts import attempts, sampled
from remit.assure.attack.disguises import DOUBLES, WRITINGS
from remit.assure.attack.plan import Arrives, AttackKind, Bearer, Calls, Carrier, Gathers, Tampering, Tampers
from remit.assure.attack.questions import FLOOD
from remit.assure.attack.risks import TITLES, UNTRIED, Risk
from remit.assure.attack.seats import canary_of
from remit.assure.attack.untried_tools import untried
from remit.assure.attack.values import arguments, benign, holds
from remit.facts.canonical import Json
from remit.facts.tool import Effect, Sink
from remit.policy.bundle import Bundle
from tests.attacked import GATE, PERMIT, wide, write
from tests.core.deciding import bundle, catalog, tool

ALL = '@id("all") permit (principal, action, resource);'

SUITES = ("banking", "slack", "travel", "workspace")


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(write(tmp_path_factory.mktemp("mail"), PERMIT + GATE))


@pytest.fixture(scope="module")
def all_of_it(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(wide(tmp_path_factory.mktemp("wide")))


@pytest.mark.parametrize("suite", SUITES)
def test_every_call_of_every_attempt_is_one_that_the_schema_takes(suite: str) -> None:
    bundle = bundle_of(Path(__file__).parents[2] / "bench" / "dataflow" / suite)
    made = attempts(bundle)
    assert [one.ident for one in attempts(bundle)] == [one.ident for one in made]
    assert len({one.ident for one in made}) == len(made)
    assert {one.risk for one in made} <= TITLES.keys()
    for one in made:
        for step in one.steps:
            if isinstance(step, Calls):
                validator = bundle.tools[step.server, step.tool].validator
                assert validator is not None
                fits = validator.problem(step.arguments) is None
                assert fits == (one.kind is not AttackKind.MALFORMED), one.title
        if isinstance(one.goal, Arrives):
            assert any(isinstance(step, Calls) and holds(step.arguments, one.goal.mark) for step in one.steps)


def test_a_sample_holds_some_of_every_kind_spread_over_all(mail: Bundle) -> None:
    slack = attempts(bundle_of(Path(__file__).parents[2] / "bench" / "dataflow" / "slack"))
    for made in (attempts(mail), slack):
        chosen = sampled(made, 2)
        for kind in {one.kind for one in made}:
            mine = [one for one in made if one.kind is kind]
            assert [one for one in chosen if one.kind is kind] == [mine[0], mine[len(mine) // 2]][: len(mine)]
        order = list(AttackKind)
        assert [order.index(one.kind) for one in chosen] == sorted(order.index(one.kind) for one in chosen)
    assert sampled(slack, len(slack)) == sorted(slack, key=lambda one: list(AttackKind).index(one.kind))


def test_policies_change_nothing_of_what_is_attempted_but_what_is_shown(tmp_path: Path, mail: Bundle) -> None:
    without = bundle_of(write(tmp_path / "without", PERMIT))
    assert [one.title for one in attempts(without)] == [one.title for one in attempts(mail)]


def test_a_leak_carries_the_canary_of_its_source_and_a_hijack_an_address_of_the_attackers(mail: Bundle) -> None:
    made = attempts(mail)
    leak = next(one for one in made if one.title == "clerk reads mail/vault and puts it into mail/send")
    canary = canary_of(mail.tools["mail", "vault"].tool)
    [_, sent] = [step for step in leak.steps if isinstance(step, Calls)]
    assert canary in str(sent.arguments["text"])
    hijack = next(one for one in made if one.risk == "ASI01")
    [_, sent] = [step for step in hijack.steps if isinstance(step, Calls)]
    assert isinstance(hijack.goal, Arrives)
    assert hijack.goal.mark in str(sent.arguments["to"])


def test_every_kind_is_tried_where_there_is_something_to_try_it_with(all_of_it: Bundle) -> None:
    made = attempts(all_of_it)
    assert {one.kind for one in made} == set(AttackKind)
    assert {one.risk for one in made} == set(Risk) - set(UNTRIED)
    assert {step.how for one in made for step in one.steps if isinstance(step, Tampers)} == set(Tampering)
    carriers = {step.carrier for one in made for step in one.steps if isinstance(step, Calls)}
    assert carriers == set(Carrier)


def test_secrets_in_other_writings_are_not_found_by_looking_for_them(mail: Bundle) -> None:
    made = [one for one in attempts(mail) if one.kind is AttackKind.WRITING]
    canary = canary_of(mail.tools["mail", "vault"].tool)
    assert len(made) == len(WRITINGS)
    for one in made:
        last = one.steps[-1]
        assert isinstance(last, Calls)
        assert canary not in str(last.arguments)
        assert isinstance(one.goal, Arrives)
        assert one.goal.mark in str(last.arguments["text"])


def test_pieces_make_the_whole_and_doubles_are_other_texts(mail: Bundle) -> None:
    canary = canary_of(mail.tools["mail", "vault"].tool)
    pieces = [one for one in attempts(mail) if one.kind is AttackKind.PIECES]
    assert [one.title.rpartition(" in ")[2] for one in pieces] == ["two calls", "two arguments"]
    for one in pieces:
        assert isinstance(one.goal, Gathers)
        assert "".join(one.goal.marks) == canary
    named = [one for one in attempts(mail) if one.kind is AttackKind.LOOKALIKE]
    assert len(named) == len(DOUBLES)
    for one in named:
        assert isinstance(one.goal, Arrives)
        assert one.goal.mark not in one.words
        assert "aceo" in one.words.lower()


def test_each_wrong_credential_is_tried_and_a_flood_asks_for_something_else_each_time(all_of_it: Bundle) -> None:
    made = attempts(all_of_it)
    bearers = {step.bearer for one in made for step in one.steps if isinstance(step, Calls)}
    assert bearers == set(Bearer)
    flood = next(one for one in made if one.kind is AttackKind.FLOOD)
    asked = [str(step.arguments) for step in flood.steps if isinstance(step, Calls) and step.tool == "send"]
    assert len(set(asked)) == FLOOD


def test_benign_arguments_hold_nothing_of_an_attacker(mail: Bundle) -> None:
    send = mail.tools["mail", "send"]
    given, wanted = benign(send), arguments(send, "m1")
    assert given is not None
    assert wanted is not None
    assert "attacker" not in str(given)
    assert "m1" in str(wanted["to"])


def test_tools_that_nothing_is_tried_with_are_told_and_why() -> None:
    impossible: Json = {"type": "object", "properties": {"to": {"type": "string", "pattern": "^$"}}, "required": ["to"]}
    inside, none = Sink.INTERNAL, Sink.NONE
    tools = [
        *(tool("shop", f"news{n}", effect=Effect.READ, sink=none, source=("untrusted",)) for n in range(4)),
        tool("shop", "look", effect=Effect.READ, sink=none, source=()),
        tool("shop", "note", effect=Effect.WRITE, sink=inside, source=()),
        tool("shop", "burn", effect=Effect.IRREVERSIBLE, sink=inside, source=()),
        tool("shop", "odd", impossible, effect=Effect.WRITE, sink=inside, source=()),
    ]
    said = untried(bundle(catalog(ALL, tools=tools)))
    assert {one.tool: one.why for one in said} == {
        "shop/news3": "3 other tools that bring the same stand for it",
        "shop/look": "the catalog says that it reads, and that nothing untrusted or confidential comes of it",
        "shop/note": "the catalog says that what it does can be undone and stays inside",
        "shop/odd": "no arguments could be made that its schema takes",
    }
    shut = '@id("acts") permit (principal, action in Remit::Action::"effect:irreversible", resource);'
    acting = bundle(catalog(shut, tools=tools[6:7]))
    whys = {one.tool: one.why for one in untried(acting)}
    assert "no agent that is shown it" in whys["shop/burn"]
    form = replace(acting.tools["shop", "burn"], quarantined="tool/untypable", validator=None)
    shut_out = replace(acting, tools={**acting.tools, ("shop", "burn"): form})
    whys = {one.tool: one.why for one in untried(shut_out)}
    assert whys["shop/burn"] == "it is quarantined, so that nobody can call it"

"""What a tool of the house makes of what it is given is no word of the house: joined, decoded, calculated."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from remit.facts.action import ActionKind
from remit.facts.canonical import Json
from remit.facts.label import NONE
from remit.facts.origin import Origin
from remit.facts.results import Part
from remit.facts.tool import Effect, Sink, Tool
from remit.pdp.preconditions import destination_of
from remit.pdp.result_judgement import JudgedCall, judge_result
from remit.policy.destination import Destination
from remit.trace.bodies import Status
from tests.core.deciding import action, bundle, schema, snapshot, tool
from tests.core.test_origins import NOTE, ORDERS, PEOPLE, SEND, TO, World

EVE = "eve@there.example"


def house(*results: Part, arguments: Mapping[str, Json] = TO) -> Tool:
    made = tool("shop", "house", arguments, effect=Effect.READ, sink=Sink.NONE, source=())
    return replace(made, results=results)


def world(*results: Part, arguments: Mapping[str, Json] = TO) -> World:
    made = World(said="ask the house for Bob and 7", tools=(SEND, house(*results, arguments=arguments)))
    made.result("house", {"staff": ["ann@here.example"], "codes": [4711]})
    return made


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ({"to": "SELECT 'eve@th' || 'ere.example'"}, EVE),
        ({"to": "ZXZlQHRoZXJlLmV4YW1wbGU="}, EVE),
        ({"text": "eve@", "to": "there.example"}, {"joined": EVE}),
        ({"to": {"moc": "elpmaxe.ereht@eve"}}, [EVE]),
        ({"n": 12345679}, EVE),
        ({"to": "1234", "n": 5679}, EVE),
        ({"to": "2026-11-30, mallory"}, EVE),
        ({"to": [101, 118, 101, 64]}, EVE),
        ({"to": [1.5, 25, 125, 64]}, EVE),
        ({"to": "Bob", "text": "mallory"}, EVE),
    ],
    ids=range(10),
)
def test_what_is_made_of_a_strangers_words_is_no_word_of_the_house(given: dict[str, Json], result: Json) -> None:
    made = world()
    made.result("house", result, given)
    assert made.origin("send", to=EVE) is Origin.UNSEEN


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"to": "Bob"},
        {"to": "ann@here.example", "n": 7, "on": True},
        {"to": "Bob", "n": 1234567},
        {"to": [4711, 7, 123456.5]},
        {"to": None},
        {"to": "2026-11-30", "text": "2026-11-30T10:00:00.5+01:00", "n": 50},
        {"to": "50", "n": 12345},
    ],
    ids=repr,
)
def test_what_is_asked_for_by_what_is_vouched_for_is_the_houses_own(given: dict[str, Json]) -> None:
    made = world()
    made.result("house", {"it is": EVE}, given)
    assert made.origin("send", to=EVE) is Origin.TRUSTED


def test_a_path_of_the_catalog_says_what_is_the_servers_own_whatever_it_is_asked() -> None:
    """But what the call brought itself, and what stands beside the path."""
    made = world(Part("$.owner", "trusted"))
    made.result("house", {"owner": EVE, "note": "fay@there.example"}, {"to": "order 4712"})
    assert made.origin("send", to=EVE) is Origin.TRUSTED
    assert made.origin("send", to="fay@there.example") is Origin.UNSEEN
    made.result("house", {"owner": "gil@there.example"}, {"to": "gil@there.example"})
    assert made.origin("send", to="gil@there.example") is Origin.UNSEEN


def test_what_was_known_before_stays_what_it_was() -> None:
    made = world()
    made.result("house", "Bob, ann@here.example and eve@there.example", {"to": "mallory"})
    assert made.origin("send", to="Bob") is Origin.GROUNDED
    assert made.origin("send", to="ann@here.example") is Origin.TRUSTED
    assert made.origin("send", to=EVE) is Origin.UNSEEN


@pytest.mark.parametrize(("given", "origin"), [("newest", Origin.TRUSTED), ("eldest", Origin.UNSEEN)])
def test_what_the_accepted_schema_lists_is_peoples_own_word(given: str, origin: Origin) -> None:
    made = world(arguments=schema(to={"enum": ["newest", "oldest"]}, odd=True))
    made.result("house", EVE, {"to": given})
    assert made.origin("send", to=EVE) is origin


@pytest.mark.parametrize(
    ("answer", "origin"),
    [
        ({"action": "accept"}, Origin.TRUSTED),
        ({"action": "accept", "content": {"who": "Bob"}}, Origin.TRUSTED),
        ({"action": "accept", "content": {"who": "mallory"}}, Origin.UNSEEN),
        (None, Origin.TRUSTED),
    ],
    ids=repr,
)
def test_what_was_answered_in_mid_call_is_given_as_well(answer: Json, origin: Origin) -> None:
    made = world()
    asked = action("shop/house", {"to": "Bob"})
    call = JudgedCall("c1", asked, made.index, answers={"1": {"who": answer}})
    shown: Json = {"content": [{"type": "text", "text": EVE}]}
    judged = judge_result(made.bundle, made.reached("house", asked.input), "shop", (), Status.OK, shown, call=call)
    assert judged.origins is not None
    made.index.apply(judged.origins)
    assert made.origin("send", to=EVE) is origin


@pytest.mark.parametrize(("uri", "origin"), [("notes://bob", Origin.TRUSTED), ("join://eve@/there", Origin.UNSEEN)])
def test_a_resource_that_a_stranger_named_is_no_word_of_its_server(uri: str, origin: Origin) -> None:
    made = World(said="read notes://bob")
    servers = {name: replace(one, source=NONE) for name, one in made.bundle.catalog.servers.items()}
    made.bundle = bundle(replace(made.bundle.catalog, servers=servers))
    asked = replace(action("shop/it", {"uri": uri}, kind=ActionKind.READ_RESOURCE), name=uri)
    found = destination_of(snapshot(made.bundle, asked), asked)
    assert isinstance(found, Destination)
    call = JudgedCall("c1", asked, made.index)
    shown: Json = {"contents": [{"uri": uri, "text": EVE}]}
    judged = judge_result(made.bundle, found, "shop", (), Status.OK, shown, call=call)
    assert judged.origins is not None
    made.index.apply(judged.origins)
    assert made.origin("send", to=EVE) is origin


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ({"to": EVE}, f"the alias of the boss is {EVE}"),
        ({"text": f"the boss is {EVE}", "to": "Bob"}, [EVE]),
        ({"text": "mallory"}, ["mallory"]),
        ({"to": "eve%40there.example"}, EVE),
        ({"text": "a word " * 40 + EVE}, EVE),
        ({"n": 12345678}, [12345678]),
    ],
    ids=range(6),
)
def test_what_a_tool_was_handed_is_no_word_of_the_house_when_it_is_found_there(
    given: dict[str, Json], result: Json
) -> None:
    """Whoever keeps it says it back to a later call that brings nothing."""
    told: str | int = "mallory" if "mallory" in str(given) else 12345678 if "n" in given else EVE
    made = World(said="ask the house", tools=(SEND, NOTE, house()))
    made.result("note", "done", given)
    made.result("house", result)
    argument = "n" if isinstance(told, int) else "to"
    assert made.origin("send", **{argument: told}) is Origin.UNSEEN
    made.hear(f"yes, {told} it is")
    assert made.origin("send", **{argument: told}) is Origin.GROUNDED


@pytest.mark.parametrize("given", [{"text": "lunch with Sarah"}, {"to": "lunch with Sarah " * 20}], ids=repr)
def test_words_of_content_that_was_kept_are_words_like_any_other(given: dict[str, Json]) -> None:
    made = World(tools=(SEND, NOTE, house()))
    made.result("note", "", given)
    made.result("house", ["Sarah", "with Tom"])
    assert made.origin("send", to="Sarah") is Origin.TRUSTED
    made.result("note", "", {"to": "Ben Lee", "on": True})
    made.result("house", ["Ben Lee"])
    assert made.origin("send", to="Ben Lee") is Origin.UNSEEN


def test_what_was_only_asked_for_is_trusted_once_it_comes_without() -> None:
    made = world()
    made.result("house", "nobody", {"to": EVE})
    made.result("house", {"staff": [EVE]})
    assert made.origin("send", to=EVE) is Origin.TRUSTED


def test_a_look_up_by_what_the_user_named_derives_nothing_that_its_call_brought_besides() -> None:
    made = World(said="tell everybody in sales", tools=(SEND, PEOPLE))
    made.result("people", [{"name": "ann@here.example"}, {"name": EVE}], {"to": "sales", "text": EVE})
    assert made.origin("send", to="ann@here.example") is Origin.DERIVED
    flow = made.flow("send", to=EVE)
    assert (flow.targets.unseen, flow.strangers) == (1, 0), "there it is, whoever asked"


def test_what_an_agent_put_into_a_directory_itself_is_not_established_by_it() -> None:
    made = World(said="tell everybody in sales")
    made.result("people", [{"name": "Zoe"}], {"to": "sales"})
    made.result("note", "added", {"to": "eve", "text": "Zoe"})
    made.result("people", [{"name": "Eve"}, {"name": "Zoe"}, {"name": "Ann"}], {"to": "sales"})
    made.result("rooms", ["eve", "red"])
    assert [made.origin("send", to=to) for to in ("Zoe", "Ann")] == [Origin.DERIVED, Origin.DERIVED]
    assert made.flow("send", to="Eve").strangers == 1
    made.hear("Eve as well")
    assert made.origin("send", to="Eve") is Origin.GROUNDED


def test_what_configuration_says_is_asked_for_as_if_the_user_said_it_and_names_no_record() -> None:
    """The purpose of the agent is to help."""
    made = World(tools=(SEND, PEOPLE, ORDERS, house()))
    made.result("house", EVE, {"to": "helps"})
    assert made.origin("send", to=EVE) is Origin.TRUSTED
    made.result("people", [{"name": "Ann"}], {"to": "helps"})
    assert made.origin("send", to="Ann") is Origin.DERIVED
    made.result("orders", [{"what": "helps", "id": "o-1"}, {"what": "hat", "id": "o-2"}])
    assert made.origin("send", to="o-1") is Origin.TRUSTED

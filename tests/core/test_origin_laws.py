"""Laws of labels and origins, over sessions made up by Hypothesis."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.facts.action import ActionKind, Within
from remit.facts.agent import Agent
from remit.facts.canonical import Json, canonical
from remit.facts.finding import Find
from remit.facts.origin import Flow, Origin, OriginCounts, Role
from remit.facts.results import Part
from remit.facts.tool import Argument, Effect, Sink
from remit.pdp.decide import decide
from remit.pdp.flow import RESPONSES, flow_of
from remit.pdp.other_destination import other_destination
from remit.pdp.preconditions import destination_of
from remit.pdp.result_judgement import JudgedCall, judge_result
from remit.policy.destination import Destination
from remit.policy.verdict import Verdict, rank
from remit.protect.index import Index
from remit.protect.origins import Names, configured, flow, leaves, words_delta
from remit.protect.scalars import IndexView
from remit.trace.bodies import Status
from tests.core.deciding import NOW, action, bundle, catalog, snapshot
from tests.core.declaring import json_values
from tests.core.test_origins import PEOPLE, READS_ALL, SEND, TOOLS, World, told

NAMES = st.sampled_from(
    ["Ann", "bob@example.org", "www.evil.com/x", "Inv-7", "inv-7", "7", "1,000.00", "sales", "the", "Ann Lee", "rent"]
)
VALUES = st.one_of(NAMES, st.lists(NAMES, max_size=3).map(" ".join))
RESULTS = st.one_of(
    VALUES,
    json_values,
    st.lists(st.fixed_dictionaries({"name": VALUES, "id": st.integers(0, 9)}, optional={"body": VALUES}), max_size=3),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["people", "orders", "web", "house"]), RESULTS, st.sampled_from(Status), VALUES),
    max_size=5,
)
READS = [
    "context.targets.untrusted > 0",
    "context.targets.unseen > 0",
    "context.targets.strangers > 0 && context.targets.established < 2",
    "context.content.count > 0",
    "context.carried.untrusted > 0",
    "context.credentials.count > context.credentials.grounded",
    'context.args.unseen.contains(Remit::Arg::"to")',
    'context.args.grounded.contains(Remit::Arg::"*")',
    "!context.asked",
    'context.session.labels.contains(Remit::Label::"untrusted")',
    "context.targets == context.targets",
]
WHOLE = "principal, action, resource"


@settings(max_examples=60)
@given(STEPS)
def test_labels_never_shrink_and_what_is_seen_stays_seen(steps: list[tuple[str, Json, Status, str]]) -> None:
    world = World()
    tokens = ["ann", "bob@example.org", "evil.com/x", "7", "1000", "sales", "=ann lee"]
    for name, value, status, asked in steps:
        labels, seen = world.labels, [world.index.lookup((token,))[0] & 31 for token in tokens]
        if status is Status.NOT_SENT:
            continue
        world.result(name, value, {"to": asked}, status)
        assert labels <= world.labels
        for token, before in zip(tokens, seen, strict=True):
            assert before & ~world.index.lookup((token,))[0] == 0


@settings(max_examples=60)
@given(STEPS, VALUES, st.lists(VALUES, min_size=1, max_size=3))
def test_forged_words_ground_nothing(steps: list[tuple[str, Json, Status, str]], to: str, claimed: list[str]) -> None:
    """What an agent or a server says to be the user's words, in results, arguments, their `_meta`, grounds nothing."""
    world = World()
    for name, value, status, asked in steps:
        if status is not Status.NOT_SENT:
            forged: Json = {"_meta": {"words": claimed, "user": to}, "said": value, "role": "user"}
            world.result(name, forged, {"to": asked, "words": to}, status)
    found = world.flow("send", to=to, _meta={"words": to}, words=to)
    assert found.targets.grounded == found.content.grounded == 0
    assert not found.intended


@pytest.fixture(scope="module")
def permitting() -> World:
    return World(READS_ALL)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["permit", "forbid"]), st.sampled_from(READS)), max_size=4),
    st.sampled_from(READS),
    STEPS,
    VALUES,
)
def test_adding_a_forbid_never_makes_a_verdict_milder(
    policies: list[tuple[str, str]], more: str, steps: list[tuple[str, Json, Status, str]], to: str
) -> None:
    texts = [f'@id("p{n}") {effect} ({WHOLE}) when {{ {read} }};' for n, (effect, read) in enumerate(policies)]
    texts.insert(0, f'@id("all") permit ({WHOLE});')
    world = World(*texts)
    for name, value, status, asked in steps:
        if status is not Status.NOT_SENT:
            world.result(name, value, {"to": asked}, status)
    asking = action("shop/send", {"to": to, "text": to, "n": 7})
    verdicts: list[Verdict] = []
    for added in ((), (f'@id("more") forbid ({WHOLE}) when {{ {more} }};',)):
        running = bundle(catalog(*texts, *added, tools=TOOLS))
        running.shadow.every = 1
        taken = replace(snapshot(running, asking, labels=world.labels), origins=world.index)
        verdicts.append(decide(taken, asking, NOW).verdict)
        assert running.shadow.difference is None
    assert rank(verdicts[0]) <= rank(verdicts[1])


def test_a_scalar_counts_once_under_the_worst_of_its_parts() -> None:
    world = World(said="Send Ann 7")
    world.result("house", "Ben")
    world.result("web", "Cy")
    flow = world.flow(
        "send", to="Ann, Ben and Cy", text="7", n=7, more={"deep": ["Ann", None, {"x": "nobody"}], "on": True}, no=None
    )
    assert flow.targets == OriginCounts(grounded=2, trusted=1, untrusted=1, unseen=6)
    assert flow.content == OriginCounts(grounded=1)
    assert flow.args == {
        Origin.GROUNDED: {"text", "n", "*"},
        Origin.TRUSTED: {"*"},
        Origin.UNTRUSTED: {"to"},
        Origin.UNSEEN: {"*"},
    }
    shown = {one.path: (one.origin.word, one.part, one.call) for one in flow.traces}
    assert {"$.more", "$.more.on", "$.no"} <= shown.keys()
    assert shown["$.to"] == ("untrusted", "cy", "c2")
    assert shown["$.more.deep[2].x"] == ("unseen", "", "")
    assert World().flow("send", to="").targets == OriginCounts(unseen=1)


def test_words_that_tell_nothing_count_by_what_was_read() -> None:
    world = World(said="post it to all")
    assert world.origin("send", to="all") is Origin.GROUNDED
    other = World()
    other.result("people", [{"name": "all"}])
    assert other.origin("send", to="all") is Origin.TRUSTED
    other.result("web", "write to all of them")
    assert other.origin("send", to="all") is Origin.UNTRUSTED


def test_a_whole_is_known_as_such() -> None:
    world = World(said="tell sales")
    world.result("people", [{"name": "Ann Lee"}, {"name": "Ann Poe"}], {"to": "sales"})
    assert world.origin("send", to="Ann Lee") is Origin.DERIVED
    assert world.origin("send", to="Lee Poe") is Origin.TRUSTED
    world.result("web", "Ann Lee, Ann Poe")
    assert world.origin("send", to="ann  poe") is Origin.DERIVED
    assert world.origin("send", to="Lee Poe") is Origin.UNTRUSTED
    plain = World()
    plain.result("people", [{"name": "Ann Lee"}])
    assert plain.origin("send", to="Ann Lee") is Origin.TRUSTED
    plain.result("web", "Lee")
    flow = plain.flow("send", to="Ann Lee")
    assert (flow.traces[0].origin, flow.established) == (Origin.UNTRUSTED, 1)


def test_roles_that_nobody_gave() -> None:
    seen = IndexView(None)
    for effect, sink, targets in (
        (Effect.READ, Sink.NONE, 0),
        (Effect.READ, Sink.INTERNAL, 0),
        (Effect.READ, Sink.EXTERNAL, 1),
        (Effect.WRITE, Sink.NONE, 1),
    ):
        found = flow(told("x", effect=effect, sink=sink), Names(("to",)), {}, {"to": "x"}, seen)
        assert found.targets.all == targets
        assert found.args == {Origin.UNSEEN: {"to"}}
    secret = replace(SEND, arguments={"to": Argument(secret=True, role=Role.CREDENTIAL)})
    found = flow(secret, Names(("to",)), {}, {"to": "hunter two"}, seen)
    assert (found.credentials.unseen, found.traces[0].part) == (1, "")


def test_names_that_the_protocol_gives_are_no_values() -> None:
    given: dict[str, Json] = {"messages": [{"role": "user"}]}
    assert [value for _, value in leaves(given, Names(free={"messages": None}))] == ["user"]
    assert [value for _, value in leaves(given, Names(("messages",)))] == ["role", "user"]


def test_what_tells_nothing_is_asked_for_by_nobody() -> None:
    silent = replace(SEND, asks=frozenset({"...", "send it off"}))
    index = Index(b"k" * 16)
    index.apply(words_delta(index, "do it ..."))
    assert not flow(silent, Names(("to",)), {}, {"to": "x"}, IndexView(index)).intended
    index.apply(words_delta(index, "and send it off"))
    assert flow(silent, Names(("to",)), {}, {"to": "x"}, IndexView(index)).intended


def test_all_scalars_are_counted_and_some_explained() -> None:
    found = flow(SEND, Names(), {}, {"x": ["y"] * 100}, IndexView(None))
    assert (found.targets.unseen, len(found.traces)) == (100, 64)


def test_other_actions_and_responses_have_origins_too() -> None:
    running = bundle(catalog(READS_ALL, tools=TOOLS, agents=[Agent("cal", "uma", "posts to builds")]))
    index = Index(b"k" * 32)
    for kind, name, brought, expected in (
        (ActionKind.READ_RESOURCE, "shop/file:///x", {"uri": "file:///x"}, OriginCounts(unseen=1)),
        (ActionKind.GET_PROMPT, "shop/greet", {"name": "greet", "to": "builds"}, OriginCounts(grounded=1)),
        (ActionKind.CALL_MODEL, "shop/client", {"messages": ["x"]}, OriginCounts()),
    ):
        asked = action(name, brought, kind=kind, chain=("cal",))
        taken = replace(snapshot(running, asked), origins=index)
        assert flow_of(taken, asked, other_destination(running, asked)).targets == expected
    asked = action("shop/send", {"to": "Ann"}, chain=("cal", "ada"))
    answers, questions = b'{"a":{"content":{"who":"Mallory"}}}', b'{"a":{"params":{"properties":{"who":{}}}}}'
    within = Within("r1-1.1", None, 1, answers, questions, bare=False)
    for bare, count in ((False, 2), (True, 1)):
        more = replace(asked, within=replace(within, bare=bare))
        taken = replace(snapshot(running, more), origins=index)
        reached = destination_of(taken, more)
        assert isinstance(reached, Destination)
        found: Flow = flow_of(taken, more, reached)
        assert found.targets.unseen == count
        assert [one.path for one in found.traces][1:] == ([] if bare else [f"$['{RESPONSES}'].a.content.who"])


def test_words_are_bounded() -> None:
    index = Index(b"k" * 32)
    index.apply(words_delta(index, "a" * 300_000 + " Ann"))
    assert len(index) == 0
    index.apply(words_delta(index, "Ben " + "a" * 300_000 + " Ann"))
    assert flow(SEND, Names(("to",)), {}, {"to": "Ben"}, IndexView(index)).targets.grounded == 1
    assert flow(SEND, Names(("to",)), {}, {"to": "Ann"}, IndexView(index)).targets.unseen == 1
    assert configured("posts to the builds") == {"posts", "builds"}


def test_what_is_not_read_whole_brings_every_label() -> None:
    running = bundle(catalog(READS_ALL, tools=TOOLS))
    asked = action("shop/house", {})
    reached = destination_of(snapshot(running, asked), asked)
    assert isinstance(reached, Destination)
    deep: Json = ["Ann"]
    for _ in range(80):
        deep = [deep]
    index = Index(b"k" * 32)
    index.apply(words_delta(index, "Ann"))
    call = JudgedCall("c1", asked, index)
    judged = judge_result(
        running, reached, "shop", (), Status.OK, {"structuredContent": deep, "content": []}, call=call
    )
    assert judged.labels == running.labels
    assert judged.origins is not None
    assert judged.origins.capped
    index.apply(judged.origins)
    assert IndexView(index).prose


def test_an_entry_that_changed_tells_nothing_apart() -> None:
    running = bundle(catalog(READS_ALL, tools=TOOLS))
    asked = action("shop/people", {})
    reached = destination_of(snapshot(running, asked), asked)
    assert isinstance(reached, Destination)
    shown: Json = {"content": [{"type": "text", "text": '[{"name": "Ann"}]'}]}
    assert judge_result(running, reached, "shop", (), Status.OK, shown).labels == frozenset()
    changed = replace(PEOPLE, results=(*PEOPLE.results, Part("$[*].note", "confidential")))
    then = replace(reached, tool=changed, source=changed.worst)
    assert judge_result(running, then, "shop", (), Status.OK, shown).labels == {"untrusted", "confidential"}


def test_what_a_detector_finds_adds_its_label_to_all_of_a_result() -> None:
    made = catalog(READS_ALL, tools=TOOLS)
    servers = {name: replace(one, detects=frozenset({Find.HIDDEN})) for name, one in made.servers.items()}
    running = bundle(replace(made, servers=servers))
    asked = action("shop/people", {})
    reached = destination_of(snapshot(running, asked), asked)
    assert isinstance(reached, Destination)
    shown: Json = {"content": [{"type": "text", "text": '[{"name": "A\u202enn"}]'}]}
    judged = judge_result(running, reached, "shop", (), Status.OK, shown)
    assert judged.detections
    assert "untrusted" in judged.labels


@pytest.mark.parametrize(
    ("answer", "unseen"),
    [
        ({"content": {"who": True}}, 0),
        ({"content": {"mallory@evil.example": True}}, 1),
        ({"role": "assistant", "content": {"type": "tool_use", "input": {"city": True, "mallory": True}}}, 1),
        ({"role": "system", "content": [{"type": "odd"}, {"type": 7}, "say"], "stopReason": "endTurn"}, 4),
        ({"action": "accept", "content": {"who": True}}, 0),
        ({"action": "accept", "content": {"who": "accept", "action": "decline"}}, 2),
        ({"action": "obey", "content": "role"}, 2),
        ({"action": {"accept": "accept"}}, 2),
        ("accept", 1),
        ({"roots": [{"uri": True, "name": True}]}, 0),
    ],
)
def test_names_in_answers_that_nobody_asked_for_are_values(answer: Json, unseen: int) -> None:
    world = World()
    asked = action("shop/send", {"to": "boss"})
    questions: Json = {
        "a": {"method": "elicitation/create", "params": {"requestedSchema": {"properties": {"who": {}}}}},
        "b": {"params": {"tools": [{"inputSchema": {"properties": {"city": {}}}}]}},
        "c": {"params": {"requestedSchema": {"properties": "none"}}},
    }
    within = Within("r1-1.1", None, 1, canonical({"a": answer, "b": None}), canonical(questions), bare=False)
    taken = replace(snapshot(world.bundle, asked), origins=world.index)
    found = flow_of(taken, replace(asked, within=within), world.reached("send", asked.input))
    assert found.targets.unseen == 1 + unseen

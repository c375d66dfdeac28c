"""Stops: what they are over, how they are named, and that they win."""

from dataclasses import replace
from typing import NoReturn

import pytest

from remit.facts.agent import Mode, User
from remit.facts.record import RecordKind, Ref
from remit.facts.stop import EVERYTHING, Stop, StopKind, StopScope, StopTarget, read_subject, stops_over, subject
from remit.facts.tool import Effect, Sink
from remit.pdp.decide import decide
from remit.pdp.deltas import Halted
from remit.pdp.fold import fold
from remit.pdp.stops import holds_of, of_user, reason_of, runs, stoppable
from remit.policy.verdict import Code, Deny, Permit
from remit.trace.bodies import AdminBody, Event
from tests.core.deciding import NOW, action, bundle, catalog, codes, snapshot

ALL = frozenset({StopScope.ALL})
ANYBODY = '@id("p") permit (principal, action, resource);'


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ((StopKind.AGENT, "bot"), "agent:bot"),
        ((StopKind.TOOL, "shop/a:b"), "tool:shop/a:b"),
        ((StopKind.RESOURCE, "shop/note://a"), "resource:shop/note://a"),
        (EVERYTHING, "everything"),
    ],
)
def test_what_is_stopped_is_named_and_read_back(what: StopTarget, said: str) -> None:
    assert subject(what) == said
    assert read_subject(said) == what


@pytest.mark.parametrize("said", ["", "agent", "agent:", "everything:x", "planet:earth", "Agent:bot"])
def test_what_names_nothing_is_nothing(said: str) -> None:
    assert read_subject(said) is None


def test_a_stop_is_over_what_bears_its_name_alone() -> None:
    stops = {
        stop.target: stop
        for stop in (Stop(StopKind.AGENT, "a", "ann", 1, "x"), Stop(StopKind.TOOL, "s/t", "ann", 2, "y"))
    }
    assert stops_over(stops, [(StopKind.AGENT, "b"), (StopKind.TOOL, "s/t")], ALL) == (stops[StopKind.TOOL, "s/t"],)
    assert stops_over(stops, [(StopKind.SERVER, "a")], ALL) == ()


class Unlisted(dict[StopTarget, Stop]):
    """What nobody may go through."""

    def __iter__(self) -> NoReturn:
        pytest.fail("every stop was looked at")

    keys = values = items = __iter__


def test_ten_thousand_stops_are_looked_up_and_not_gone_through() -> None:
    stops = Unlisted()
    for number in range(10_000):
        stops[StopKind.SESSION, f"s-{number}"] = stop_of((StopKind.SESSION, f"s-{number}"))
    asked = [(StopKind.AGENT, "ada"), (StopKind.SESSION, "s-9999"), EVERYTHING]
    assert stops_over(stops, asked, ALL) == (stop_of(asked[1]),)


def stop_of(what: StopTarget) -> Stop:
    return Stop(*what, "user:ann", 1, "it loops")


WHATS: list[StopTarget] = [
    EVERYTHING,
    (StopKind.AGENT, "ada"),
    (StopKind.GROUP, "support"),
    (StopKind.USER, "uma"),
    (StopKind.SESSION, "s-0-ada"),
    (StopKind.SERVER, "shop"),
    (StopKind.TOOL, "shop/refund"),
]


@pytest.mark.parametrize("what", WHATS, ids=lambda what: what[0].value)
@pytest.mark.parametrize("mode", Mode)
def test_what_is_stopped_is_denied_before_policy_also_while_it_observes(what: StopTarget, mode: Mode) -> None:
    found = catalog(ANYBODY)
    agents = {name: replace(agent, mode=mode) for name, agent in found.agents.items()}
    running = bundle(replace(found, agents=agents))
    asked = action()
    assert what in set(stoppable(running.catalog, asked.authority, asked.server, asked.name))
    free = snapshot(running, asked)
    assert decide(free, asked, NOW).verdict == Permit()
    decision = decide(replace(free, stops=(stop_of(what),)), asked, NOW)
    assert decision.verdict == Deny()
    assert codes(decision) == {Code.HALTED.value}


def test_the_reason_says_who_why_and_how_it_ends() -> None:
    text = reason_of(stop_of((StopKind.TOOL, "shop/refund"))).text
    said, _, following = text.partition("; ")
    assert said == "tool shop/refund was stopped by user:ann: it loops"
    assert following == "people let it act again with: remit resume tool shop/refund"
    assert reason_of(stop_of(EVERYTHING)).text.startswith("everything was stopped by user:ann")


def test_a_resource_is_stopped_by_its_address_and_resumed_by_what_a_shell_takes() -> None:
    found, asked = catalog(), action()
    under = set(stoppable(found, asked.authority, "shop", "note://a?b&c"))
    assert {(StopKind.RESOURCE, "shop/note://a?b&c"), (StopKind.SERVER, "shop")} <= under
    assert (StopKind.RESOURCE, "shop/refund") not in set(stoppable(found, asked.authority, "shop", "refund"))
    text = reason_of(stop_of((StopKind.RESOURCE, "shop/note://a?b&c"))).text
    assert text.endswith("remit resume resource 'shop/note://a?b&c'")


def test_what_changes_something_or_tells_somebody_outside_acts() -> None:
    found = catalog()
    acts, reads = holds_of(found, "shop", "refund"), holds_of(found, "shop", "look")
    assert (StopScope.ACTING in acts, StopScope.READING in acts) == (True, False)
    assert (StopScope.ACTING in reads, StopScope.READING in reads) == (False, True)
    assert holds_of(found, "web", "fetch") == acts
    fetch = replace(found.tools["web", "fetch"], effect=Effect.READ)
    outside = replace(found, tools={("web", "fetch"): fetch})
    assert holds_of(outside, "web", "fetch") == set(StopScope), "it reads, and tells somebody outside"
    assert holds_of(found) == {StopScope.ALL}
    assert holds_of(found, "shop", "") == reads, "a list of what there is"
    assert holds_of(found, "gone", "file:///a") == set(StopScope), "nobody knows where that goes"
    for sink, holds in ((Sink.EXTERNAL, frozenset(StopScope)), (Sink.INTERNAL, reads), (Sink.NONE, reads)):
        shop = replace(found.servers["shop"], declared_sink=sink)
        assert holds_of(replace(found, servers={"shop": shop}), "shop", "file:///a") == holds, "a resource"
    stop = Stop(StopKind.AGENT, "ada", "ann", 1, "odd", StopScope.ACTING)
    assert stops_over({stop.target: stop}, [stop.target], acts) == (stop,)
    assert stops_over({stop.target: stop}, [stop.target], reads) == ()
    assert stops_over({stop.target: stop}, [stop.target], ALL) == ()


def test_a_person_is_stopped_under_each_of_his_names_and_in_each_group_of_these() -> None:
    people = (
        User("uma", frozenset({"ops"})),
        User("uma2", frozenset({"support"}), person="uma"),
        User("max", frozenset({"board"})),
    )
    found = replace(catalog(), users={user.name: user for user in people})
    names = {
        (StopKind.USER, "uma"),
        (StopKind.USER, "uma2"),
        (StopKind.GROUP, "ops"),
        (StopKind.GROUP, "support"),
    }
    assert set(of_user(found, "uma")) == set(of_user(found, "uma2")) == names
    assert set(of_user(found, "nobody")) == {(StopKind.USER, "nobody")}


def test_what_was_stopped_before_stays_the_stop_of_who_did() -> None:
    for keeps, by in ((None, "user:bob"), (7, "user:bob"), ("user:ann", "user:ann")):
        data = {"reason": "odd"} | ({} if keeps is None else {"keeps": keeps})
        [halted] = fold(Ref("r1-1", 1), 7, RecordKind.ADMIN, AdminBody(Event.HALT, "user:bob", "agent:ada", data))
        assert isinstance(halted, Halted)
        assert (halted.stop.by, halted.stop.reason) == (by, "odd")


def test_a_halt_of_nothing_that_there_is_changes_nothing() -> None:
    for event in (Event.HALT, Event.RESUME):
        assert fold(Ref("r1-1", 1), 7, RecordKind.ADMIN, AdminBody(event, "ana", "planet:earth")) == ()


def test_without_a_user_or_a_server_there_is_less_to_stop() -> None:
    kinds = [over for over, _ in stoppable(catalog(), replace(action().authority, user=None))]
    assert kinds == [StopKind.EVERYTHING, StopKind.AGENT, StopKind.SESSION, StopKind.GROUP]


def test_who_is_no_longer_in_the_bundle_is_still_stopped() -> None:
    empty = replace(catalog(), agents={}, users={})
    assert list(stoppable(empty, action().authority)) == [
        EVERYTHING,
        (StopKind.USER, "uma"),
        (StopKind.AGENT, "ada"),
        (StopKind.SESSION, "s-0-ada"),
    ]


@pytest.mark.parametrize(
    ("what", "found"),
    [
        (EVERYTHING, True),
        ((StopKind.SESSION, "s-0-ada"), None),
        *(((over, name), True) for over, name in WHATS if over not in {StopKind.EVERYTHING, StopKind.SESSION}),
        ((StopKind.RESOURCE, "shop/note://a"), True),
        ((StopKind.RESOURCE, "shop/"), False),
        ((StopKind.RESOURCE, "shoq/note://a"), False),
        ((StopKind.TOOL, "refund"), False),
        *(
            ((over, "nope"), False)
            for over in (StopKind.AGENT, StopKind.GROUP, StopKind.USER, StopKind.SERVER, StopKind.TOOL)
        ),
    ],
)
def test_whether_anything_runs_that_a_stop_is_over(what: StopTarget, found: bool | None) -> None:
    assert runs(catalog(), what) is found

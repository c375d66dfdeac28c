"""The laws of standing streams can be broken, and say so; a stream is the same in every run."""

from random import Random
from typing import Any

import pytest

from proof.fuzz.laws import Laws
from proof.fuzz.messages import Connection
from proof.fuzz.stream_laws import StreamLaws
from proof.fuzz.streams import Standing, standing

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
ACKNOWLEDGED = "subscriptions/acknowledged"


def notice(name: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": f"notifications/{name}", "params": params}


def named(name: str, ident: int = 7, **params: Any) -> dict[str, Any]:
    return notice(name, _meta={SUBSCRIPTION: ident}, **params)


def laws(*labelled: bytes) -> StreamLaws:
    made = Laws()
    made.labelled.update(labelled)
    return StreamLaws(made)


def broken(of: StreamLaws, stream: Standing, *events: dict[str, Any]) -> int:
    for event in events:
        of.event(event, stream)
    return len(of.laws.broken)


def old(bearer: str = "clerk", path: str = "/mcp/old") -> Standing:
    connection = Connection("c", bearer, path, asked={"file:///a", "remit+old:file:///a"})
    return Standing("GET", path, [], b"", bearer, 0.0, connection)


def listening(bearer: str = "clerk") -> Standing:
    lists = frozenset({"toolsListChanged"})
    return Standing("POST", "/mcp/new", [], b"", bearer, 0.0, ident=7, lists=lists, uris=frozenset({"file:///a"}))


READ = b'{"subscribe":"file:///a"}'
FOLLOWED = b'{"watch":"prompts"}'


@pytest.mark.parametrize(
    ("event", "labelled", "count"),
    [
        (notice("resources/updated", uri="file:///a"), READ, 0),
        (notice("resources/updated", uri="file:///a"), b"", 1),
        (notice("resources/updated", uri="file:///a", title="x"), READ, 1),
        (notice("resources/updated", uri="file:///b"), b'{"subscribe":"file:///b"}', 1),
        (notice("prompts/list_changed"), FOLLOWED, 0),
        (notice("prompts/list_changed"), b"", 1),
        (notice("tools/list_changed"), b"", 0),
        (notice("tools/list_changed", x=1), b"", 1),
        (notice("message", data="x"), b"", 1),
        (notice(ACKNOWLEDGED), b"", 1),
        (notice("elicitation/complete", elicitationId="mark2mark"), b"", 0),
        (notice("elicitation/complete", elicitationId="e"), b"", 1),
        ({"jsonrpc": "2.0", "id": 1, "method": "elicitation/create"}, b"", 1),
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, b"", 1),
    ],
)
def test_what_a_stream_of_2025_may_not_tell_is_noticed(event: dict[str, Any], labelled: bytes, count: int) -> None:
    assert broken(laws(labelled), old(), event) == count


def test_an_elicitation_that_is_complete_too_often_is_noticed() -> None:
    of, stream, done = laws(), old(), notice("elicitation/complete", elicitationId="mark2mark")
    assert broken(of, stream, done, done) == 0
    assert broken(of, stream, done) == 1


def test_under_one_path_for_all_a_resource_is_known_by_its_own_name() -> None:
    updated = notice("resources/updated", uri="remit+old:file:///a")
    assert broken(laws(READ), old(path="/mcp"), updated) == 0
    assert broken(laws(), old(path="/mcp"), updated) == 1


END: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "result": {}}


@pytest.mark.parametrize(
    ("events", "count"),
    [
        ([named(ACKNOWLEDGED), named("tools/list_changed"), END], 0),
        ([named(ACKNOWLEDGED), named("resources/updated", uri="file:///a")], 0),
        ([named("tools/list_changed")], 1),
        ([named(ACKNOWLEDGED), named(ACKNOWLEDGED)], 1),
        ([named(ACKNOWLEDGED), named("tools/list_changed", 8)], 1),
        ([named(ACKNOWLEDGED), notice("tools/list_changed")], 1),
        ([named(ACKNOWLEDGED), named("prompts/list_changed")], 1),
        ([named(ACKNOWLEDGED), named("elicitation/complete", elicitationId="mark2mark")], 1),
        ([named(ACKNOWLEDGED), {**END, "id": 8}], 1),
    ],
)
def test_what_a_listening_may_not_tell_is_noticed(events: list[dict[str, Any]], count: int) -> None:
    assert broken(laws(READ, FOLLOWED), listening(), *events) == count


def test_who_may_see_nothing_and_hears_something_is_noticed() -> None:
    assert broken(laws(), old("guest"), notice("tools/list_changed")) == 1
    assert broken(laws(), listening("guest"), named(ACKNOWLEDGED, notifications={"toolsListChanged": True})) == 0
    assert broken(laws(), listening("guest"), named(ACKNOWLEDGED, notifications={"promptsListChanged": True})) == 1


def test_two_sessions_of_clients_that_share_one_at_a_server_are_noticed() -> None:
    of = Laws()
    for token, bearer in ((b"token1token", "clerk"), (b"token2token", "clerk"), (b"token3token", "other")):
        of.sent(token, bearer)
    for token in (b"token1token", b"token2token", b"unknown"):
        of.within(5, token)
    assert not of.broken
    of.shown(b"stood5stood", bearer="clerk")
    assert not of.broken
    of.shown(b"stood5stood", bearer="other")
    of.within(5, b"token3token")
    assert len(of.broken) == 2


def test_a_stream_is_the_same_in_every_run() -> None:
    connections = [Connection("c", "clerk", "/mcp/old", events=["e1"]), Connection("d", "other", "/mcp")]
    made = [[standing(Random(number), number, connections) for number in range(200)] for _ in range(2)]
    assert made[0] == made[1]
    assert {one.method for one in made[0]} == {"GET", "POST"}
    assert any(one.resumes for one in made[0])

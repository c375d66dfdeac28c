"""What `remit logs` looks for."""

import pytest

from remit.app.failure import Failure
from remit.app.looking import Looking

AT = "2026-11-22T11:05:00.000Z"
ENTRY = {"at": AT, "body": {"links": [["clerk", "s1"], ["helper", "s2"]], "server": "counter", "verdict": "deny"}}
EVENT = {"at": AT, "agents": ["clerk", "helper"], "server": "counter", "verdict": "deny"}
OTHER = {"at": AT, "body": {"by": "clerk", "event": "epoch"}}


def looking(**given: str) -> Looking:
    return Looking.of(**{"agent": None, "server": None, "verdict": None, "since": None, **given})


@pytest.mark.parametrize("item", [ENTRY, EVENT])
def test_everything_that_is_asked_must_hold(item: dict[str, object]) -> None:
    assert looking(agent="helper", server="counter", verdict="deny").finds(item)
    assert not looking(agent="stranger").finds(item)
    assert not looking(agent="clerk", server="shop").finds(item)
    assert not looking(verdict="permit").finds(item)


def test_who_asks_for_nothing_finds_everything_and_who_asks_for_an_action_no_other_record() -> None:
    assert not looking()
    assert looking().finds(OTHER)
    assert not looking(agent="clerk").finds(OTHER)


@pytest.mark.parametrize(
    ("since", "found"),
    [("2026-11-22T11:05Z", True), ("2026-11-22T12:05:00+01:00", True), ("2026-11-22T11:05:01Z", False), ("1s", False)],
)
def test_times_are_compared_whatever_their_zone(since: str, found: bool) -> None:
    assert looking(since=since).finds(OTHER if since != "1s" else {**OTHER, "at": "2020-01-01T00:00:00.000Z"}) is found


@pytest.mark.parametrize("wrong", [{"since": "yesterday"}, {"since": "999999d"}, {"verdict": "maybe"}])
def test_what_cannot_be_looked_for_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(Failure):
        looking(**wrong)

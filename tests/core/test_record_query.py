"""What `remit logs` looks for."""

from itertools import count
from typing import Any, cast

import pytest

from remit.adapters.system import SystemClock
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure
from remit.app.terminal.record_query import RecordQuery

AT = "2026-11-22T11:05:00.000Z"
ENTRY = {"at": AT, "body": {"links": [["clerk", "s1"], ["helper", "s2"]], "server": "counter", "verdict": "deny"}}
EVENT = {"at": AT, "agents": ["clerk", "helper"], "server": "counter", "verdict": "deny"}
OTHER = {"at": AT, "body": {"by": "clerk", "event": "epoch"}}


def looking(**given: str) -> RecordQuery:
    return RecordQuery.of(**given)


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


@pytest.mark.parametrize(
    "wrong", [{"since": "yesterday"}, {"since": "999999d"}, {"until": "never"}, {"verdict": "maybe"}]
)
def test_what_cannot_be_looked_for_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(CommandFailure) as refused:
        looking(**wrong)
    [option] = wrong
    assert option == "verdict" or f"--{option} 15m" in refused.value.next


@pytest.mark.parametrize(
    ("until", "found"), [("2026-11-22T11:05Z", False), ("2026-11-22T12:05:01+01:00", True), ("1s", True)]
)
def test_what_came_at_the_end_or_after_is_not_found(until: str, found: bool) -> None:
    assert looking(until=until).finds(OTHER) is found
    assert looking(since="2026-11-22T11:05Z", until=until).finds(OTHER) is found if found else True


@pytest.mark.parametrize("since", ["1m", "2m"])
def test_an_end_before_the_beginning_is_refused(since: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Time goes on meanwhile: both are told from one moment.
    ticks = count(1_764_500_000_000)

    def now_ms(_: SystemClock) -> int:
        return next(ticks)

    monkeypatch.setattr(SystemClock, "now_ms", now_ms)
    with pytest.raises(CommandFailure, match="there is nothing from"):
        looking(since=since, until="2m")


class Asked:
    """Notes what the service is asked."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, object]]] = []

    def get(self, path: str, **query: object) -> dict[str, Any]:
        self.said.append((path, {key: value for key, value in query.items() if value is not None}))
        return {"items": [ENTRY], "unsearched": AT}


def test_the_service_looks_for_what_is_asked_and_without_that_tells_the_last_ones() -> None:
    asked = Asked()
    service = cast("ServiceClient", asked)
    assert looking().latest(service, 3) == ([ENTRY], None)
    wanted = looking(agent="clerk", verdict="deny", since="2026-11-22T11:05:00.250Z", until="2026-11-22T12:05Z")
    assert wanted.latest(service, 3) == ([ENTRY], AT)
    assert looking(since="1969-01-01T00:00Z").latest(service, 3) == ([ENTRY], AT)
    times = {"since_ms": 1795345500250, "until_ms": 1795349100000}
    assert asked.said == [
        ("/ledger/entries", {"latest": 3}),
        ("/ledger/search", {"limit": 3, "agent": "clerk", "verdict": "deny", **times}),
        ("/ledger/search", {"limit": 3, "since_ms": 0}),
    ]

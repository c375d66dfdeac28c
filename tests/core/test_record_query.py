"""What `remit logs` looks for."""

from itertools import count
from typing import Any, cast

import pytest

from remit.adapters.system import SystemClock
from remit.app.terminal import record_query as subject
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


class Ledger:
    """A ledger of `count` records, of which every tenth is an action of clerk's; what it was asked."""

    def __init__(self, count: int) -> None:
        self.count, self.asked = count, list[int]()

    def get(self, _path: str, *, latest: int, before: str | None) -> dict[str, Any]:
        self.asked.append(latest)
        end = self.count if before is None else int(before)
        numbers = range(max(0, end - latest), end)
        return {
            "items": [{"id": str(n), "at": f"{n:06}", **({} if n % 10 else {"agents": ["clerk"]})} for n in numbers]
        }

    def found(self, looking: RecordQuery, limit: int) -> tuple[list[int], str | None]:
        items, unsearched = looking.latest(cast("ServiceClient", self), limit)
        return [int(item["id"]) for item in items], unsearched


def test_records_are_looked_through_as_far_back_as_is_asked_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "PAGE", 1_000)
    busy = Ledger(5_000)
    assert busy.found(looking(), 3) == ([4997, 4998, 4999], None)
    assert busy.found(looking(agent="clerk"), 3) == ([4970, 4980, 4990], None)
    assert busy.asked == [3, 1_000]
    assert busy.found(looking(agent="clerk"), 300)[0] == list(range(2000, 5000, 10))
    assert len(busy.asked) == 5
    assert busy.found(RecordQuery(agent="clerk", since="003905"), 999) == (list(range(3910, 5000, 10)), None)
    assert len(busy.asked) == 8, "a page that is older as a whole is the last"
    between = RecordQuery(agent="clerk", since="003905", until="004000")
    assert busy.found(between, 2) == ([3980, 3990], None)
    assert busy.found(between, 999) == (list(range(3910, 4000, 10)), None)
    assert busy.found(looking(agent="stranger"), 20) == ([], None)
    assert Ledger(7).found(looking(), 20)[0] == list(range(7))


def test_where_the_bound_is_met_it_is_told_what_was_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "PAGE", 1_000)
    monkeypatch.setattr(subject, "LOOKED_MAX", 2_000)
    busy = Ledger(5_000)
    assert busy.found(looking(agent="stranger"), 20) == ([], "003000")
    assert busy.found(looking(agent="clerk"), 999) == (list(range(3000, 5000, 10)), "003000")
    assert busy.asked == [1_000] * 4

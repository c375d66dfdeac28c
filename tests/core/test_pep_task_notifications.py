"""Who follows tasks is told each state once; looks keep the pace that servers suggest, and cost as requests do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from remit.facts.agent import Authority, Link
from remit.pep.answer import Answer, Client, Failed, Refused, Underway
from remit.pep.mcp import task_notifications
from remit.pep.mcp.asgi import Heads
from remit.pep.mcp.change_notifications import ChangeNotifications
from remit.pep.mcp.notices import change
from remit.pep.mcp.post import Post
from remit.pep.mcp.task_notifications import FollowedTasks
from remit.pep.throttle import Busy
from remit.policy.verdict import Code, Reason
from remit.ports.upstream import Era

if TYPE_CHECKING:
    from remit.facts.canonical import Json
    from remit.pep.mcp.tasks import TaskMethods
    from remit.pep.throttle import Throttle

ASKER = Authority((Link("clerk", "s1"),), "ann", "t1", 2**50)
POST = Post(ASKER, None, Heads({}, None), cast("Any", None), cast("Any", None), True)
GONE = Refused((Reason(Code.TASK_UNKNOWN, "no such task"),), None)


class Looked:
    """A server's answers, one a look; it knows no task that begins with `x`."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)

    def is_known(self, _post: Post, ident: str) -> bool:
        return not ident.startswith("x")

    async def look(self, _post: Post, _client: Client, _ident: str) -> Answer:
        return self.answers.pop(0)


class Paid:
    """A throttle that is busy at its second request."""

    def __init__(self) -> None:
        self.asked = 0

    def charge(self, agent: str, requests: int) -> None:
        assert (agent, requests) == ("clerk", 1)
        self.asked += 1
        if self.asked == 2:
            raise Busy(429, "limit/requests", "too many", 0)


def state(status: str, updated: str = "1", result: bytes | None = None, poll_ms: int | None = None) -> Underway:
    poll: dict[str, Json] = {} if poll_ms is None else {"pollIntervalMs": poll_ms}
    return Underway("r1", {"status": status, "lastUpdatedAt": updated, **poll}, result=result)


async def told(*answers: Answer, until: int) -> tuple[list[Any], ChangeNotifications, Paid, Looked]:
    changes = ChangeNotifications(lambda notice: change(notice, 7))
    paid, looked = Paid(), Looked(*answers)
    following = FollowedTasks(cast("TaskMethods", looked), cast("Throttle", paid), POST, Client(Era.STATELESS), changes)
    assert following.follow(["t", "x"], 7) == ["t"]
    heard: list[Any] = []
    while len(heard) < until and not changes.done:
        await changes.changed.wait()
        changes.changed.clear()
        events = changes.take().decode().split("\n\n")[:-1]
        heard += [json.loads(event.removeprefix("event: message\ndata: ")) for event in events]
    following.stop()
    return heard, changes, paid, looked


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_S", "LOOK_S_MIN", "LOOK_S_MAX"):
        monkeypatch.setattr(task_notifications, name, 0.0)


@pytest.mark.asyncio
async def test_each_state_is_told_once_to_the_end() -> None:
    working, again = state("working", "1"), state("working", "2", poll_ms=5)
    ended = state("completed", "4", result=b'{"a":1}')
    away = Failed(-32603, "away", "r1")
    heard, changes, paid, looked = await told(working, state("working", "9"), away, again, ended, until=3)
    assert [one["method"] for one in heard] == ["notifications/tasks"] * 3
    assert [one["params"]["status"] for one in heard] == ["working", "working", "completed"]
    assert heard[-1]["params"] == {
        "_meta": {"io.modelcontextprotocol/subscriptionId": 7},
        "taskId": "t",
        "status": "completed",
        "lastUpdatedAt": "4",
        "result": {"a": 1},
    }
    assert not changes.done, "the stream stands for whatever else it is of"
    assert not looked.answers
    assert paid.asked == 6, "each look is a request, and one was too many for a while"


@pytest.mark.asyncio
async def test_the_stream_ends_with_a_task_that_is_known_no_more() -> None:
    heard, changes, _, _ = await told(state("working"), GONE, until=2)
    assert [one["params"]["status"] for one in heard] == ["working"]
    assert changes.done


def test_of_states_that_were_not_told_yet_the_last_is() -> None:
    changes = ChangeNotifications(lambda notice: change(notice, 7))
    for of, message in (("a", b"1"), ("b", b"2"), ("a", b"3")):
        changes.put_state(of, message)
    assert changes.take() == b"event: message\ndata: 3\n\nevent: message\ndata: 2\n\n"
    assert changes.take() == b""


def test_a_look_comes_no_sooner_and_no_later_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    wait_s = task_notifications._wait_s  # pyright: ignore[reportPrivateUsage]
    found = [wait_s(state("working", poll_ms=poll_ms)) for poll_ms in (None, 1, 10**9)]
    assert found == [task_notifications.LOOK_S, task_notifications.LOOK_S_MIN, task_notifications.LOOK_S_MAX]

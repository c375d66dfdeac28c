"""`notifications/tasks` of 2026-07-28: how the tasks fare that a client subscribed to, without being asked each time.

Laws
* What is told is what `tasks/get` would have answered, got in the same way: once its labels are durable, its end
  once the outcome is. Nothing that a server pushes is passed on.
* Whoever subscribes is told the state that he finds, and each later one: what changed while nobody looked is told
  late, and never lost.
* A look on a client's behalf costs its agent a request (`pep.throttle`), as its own would.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from remit.facts.canonical import Json
from remit.pep.answer import Client, Failed, Underway
from remit.pep.mcp.change_notifications import ChangeNotifications
from remit.pep.mcp.notices import SUBSCRIPTION_KEY, task_status
from remit.pep.mcp.post import Post
from remit.pep.mcp.rpc import Ident
from remit.pep.mcp.tasks import TaskMethods, detailed
from remit.pep.throttle import Busy, Throttle

TASKS_MAX: Final = 256
"""Tasks that one stream follows."""
LOOK_S: Final = 1.0
"""How often it is looked where the server says nothing of it (`pollIntervalMs`)."""
LOOK_S_MIN: Final = 0.2
LOOK_S_MAX: Final = 30.0
_OVER: Final = frozenset({"completed", "failed", "cancelled"})


class FollowedTasks:
    """The tasks that one stream of `post` follows; `changes` are told of them. `stop` it at the end."""

    def __init__(
        self, methods: TaskMethods, throttle: Throttle, post: Post, client: Client, changes: ChangeNotifications
    ) -> None:
        self._methods = methods
        self._throttle = throttle
        self._post = post
        self._client = client
        self._changes = changes
        self._looking: list[asyncio.Task[None]] = []

    def follow(self, idents: Sequence[str], subscription: Ident) -> list[Json]:
        """Follow those of `idents` that are known; which they are."""
        followed: list[Json] = []
        for ident in idents:
            if self._methods.is_known(self._post, ident):
                followed.append(ident)
                self._looking.append(asyncio.get_running_loop().create_task(self._follow(ident, subscription)))
        return followed

    def stop(self) -> None:
        """Follow nothing any more."""
        for task in self._looking:
            task.cancel()
        self._looking.clear()

    async def _follow(self, ident: str, subscription: Ident) -> None:
        head: Mapping[str, Json] = {"_meta": {SUBSCRIPTION_KEY: subscription}}
        last_state: object = None
        wait_s = LOOK_S
        while True:
            try:
                self._throttle.charge(self._post.authority.acting.agent, 1)
            except Busy as busy:
                await asyncio.sleep(busy.retry_s)
                continue
            match await self._methods.look(self._post, self._client, ident):
                case Underway() as task:
                    if (state := _comparable(task)) != last_state:
                        last_state = state
                        self._changes.put_state(ident, task_status(detailed(head, ident, self._client, task)))
                    if task.state["status"] in _OVER:
                        return
                    wait_s = _wait_s(task)
                case Failed():
                    # The server is not there, or says nothing that can be shown: it may later.
                    wait_s = min(wait_s * 2, LOOK_S_MAX)
                case _:
                    # It is known no more, or was stopped: who asks for it by `tasks/get` is told why.
                    self._changes.end()
                    return
            await asyncio.sleep(wait_s)


def _comparable(task: Underway) -> object:
    """What makes a state worth telling: many servers write a new `lastUpdatedAt` whenever they are asked."""
    state = {name: value for name, value in task.state.items() if name != "lastUpdatedAt"}
    return state, dict(task.questions)


def _wait_s(task: Underway) -> float:
    interval_ms = task.state.get("pollIntervalMs")
    wanted_s = interval_ms / 1_000 if isinstance(interval_ms, int) else LOOK_S
    return min(max(wanted_s, LOOK_S_MIN), LOOK_S_MAX)

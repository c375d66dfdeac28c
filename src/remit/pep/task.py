"""One task, a call that its server goes on with after its answer (`pep.tasks`), and those that are known."""

import asyncio
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from remit.facts.canonical import Json
from remit.pep.answer import Answer
from remit.pep.notices import ExchangeRecord
from remit.pep.rounds import ActionUnderWay
from remit.ports.upstream import Question

TASKS_MAX: Final = 1_000
OF_ONE_AGENT_MAX: Final = 250
"""Of one acting agent, also those that are over and that nobody asks for any more."""
OF_ONE_RUN_MAX: Final = 100
"""Of one run, those that go on."""
KEPT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of results that wait to be fetched again; the oldest are forgotten first."""


@dataclass(slots=True)
class Task:
    """One of them: `ident` is the server's name of it, `state` the last that may be shown of it.

    `asked_questions` is all that the server asked so far, `waiting` what of it the client may answer now. `end` is what
    ends the action, once; `kept_bytes` the size of a result that was shown.
    """

    under: ActionUnderWay
    ident: str
    state: Mapping[str, Json]
    recorded: ExchangeRecord
    timer: asyncio.TimerHandle | None = None
    asked_questions: dict[str, Question] = field(default_factory=dict[str, Question])
    waiting: dict[str, Question] = field(default_factory=dict[str, Question])
    end: "asyncio.Task[Answer] | None" = None
    kept_bytes: int = 0

    @property
    def name(self) -> str:
        """Ours for it: the decision id of its action."""
        return self.under.attempt.ref


class TaskRegistry:
    """The tasks of one service, by the decision id of their action: no agent takes all the room there is."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._coming: dict[int, ActionUnderWay] = {}

    def __iter__(self) -> Iterator[Task]:
        """Those known now, the oldest first."""
        return iter(tuple(self._tasks.values()))

    def get(self, name: str) -> Task | None:
        """The task of that name."""
        return self._tasks.get(name)

    def add(self, task: Task) -> None:
        """Know `task`."""
        self._tasks[task.name] = task

    def drop(self, task: Task) -> None:
        """Know `task` no more."""
        self._tasks.pop(task.name, None)
        if task.timer is not None:
            task.timer.cancel()

    def has_room(self, under: ActionUnderWay) -> bool:
        """Whether the action `under` may become one more; what is over makes room, of the same agent first."""
        root, agent = under.sids[0], _agent(under)
        coming = tuple(self._coming.values())
        running = [*(task.under for task in self if task.end is None), *coming]
        if sum(one.sids[0] == root for one in running) >= OF_ONE_RUN_MAX:
            return False
        own = [task for task in self if _agent(task.under) == agent]
        if len(own) + sum(_agent(one) == agent for one in coming) >= OF_ONE_AGENT_MAX:
            over = next((task for task in own if task.end is not None and task.end.done()), None)
            if over is None:
                return False
            self.drop(over)
        if len(self._tasks) + len(coming) >= TASKS_MAX:
            self.forget(-1)
        return len(self._tasks) + len(coming) < TASKS_MAX

    @contextmanager
    def room(self, under: ActionUnderWay) -> Generator[None]:
        """Keep the room that `under` has, while its task is on the way to be known: many may begin at once."""
        self._coming[id(under)] = under
        try:
            yield
        finally:
            del self._coming[id(under)]

    def forget(self, bytes_max: int) -> None:
        """Forget results that were shown, the oldest first, while they are more than `bytes_max`."""
        kept_tasks = [task for task in self if task.kept_bytes]
        kept_bytes = sum(task.kept_bytes for task in kept_tasks)
        for task in kept_tasks:
            if kept_bytes <= bytes_max:
                return
            kept_bytes -= task.kept_bytes
            self.drop(task)


def _agent(under: ActionUnderWay) -> str:
    return under.operation.action.authority.acting.agent

"""Actions that wait for the client to answer what the server asked.

Laws
* A round is used once, by the very authority that its action runs for, before it expires.
* One that expires, or that nobody can answer any more, ends its action: the server is told, the outcome
  is recorded, the sessions are let go.
* They live in memory: after a restart their intents are in doubt, and no client can go on with them.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from remit.facts.action import Action
from remit.facts.agent import Authority
from remit.facts.canonical import Json
from remit.pep.answer import Client
from remit.pep.attempt import Attempt
from remit.pep.notices import Notices
from remit.pep.operation import Operation
from remit.policy.verdict import Reason
from remit.ports.upstream import InputRequired, Question, Upstream

ROUNDS_MAX: Final = 16
"""How often one action may ask."""
OPEN_MAX: Final = 10_000
OPEN_PER_AGENT_MAX: Final = 500
"""Of one acting agent: a server of the `initialize` era holds a connection open for each."""
EXPIRES_S: Final = 300.0


@dataclass(slots=True)
class ActionUnderWay:
    """An action under way: its intent is durable, its outcome is not yet there.

    `input_required` is what the server waits for; `questions` what of it the client was asked, `collected` what it
    answered so far, `again` how often it was asked for the rest, `models` the attempts of those that are actions of
    their own, `responses` what it said while people still decide, `task` who waits for its server, `halted` why
    nobody may, `completion` is done once nobody needs to answer any more.
    """

    operation: Operation
    client: Client
    attempt: Attempt
    upstream: Upstream
    notices: Notices
    started_s: float
    number: int = 0
    input_required: InputRequired | None = None
    questions: Mapping[str, Question] = field(default_factory=dict[str, Question])
    collected: Mapping[str, Json] = field(default_factory=dict[str, Json])
    again: int = 0
    models: Mapping[str, Attempt] = field(default_factory=dict[str, Attempt])
    responses: Mapping[str, Json] | None = None
    task: "asyncio.Task[Any] | None" = None
    halted: Reason | None = None
    completion: "asyncio.Future[None] | None" = None

    def answered(self, responses: Mapping[str, Json]) -> None:
        """The client's `responses` pass: what comes back may be made of them."""
        answers = {**self.attempt.answers, str(self.number): dict(responses)}
        self.attempt = replace(self.attempt, answers=answers)

    @property
    def sids(self) -> list[str]:
        """The sessions of its chain, the root first."""
        return [link.sid for link in self.operation.action.authority.links]


def those(is_over: Callable[[Action], bool], unders: Iterable[ActionUnderWay]) -> Sequence[ActionUnderWay]:
    """Those of `unders` that `is_over` is true of and that were not stopped yet."""
    return [under for under in unders if under.halted is None and is_over(under.operation.action)]


class Rounds:
    """The open rounds of one service; `expire` ends an action whose time is over."""

    def __init__(self, expire: Callable[[ActionUnderWay], None]) -> None:
        self._expire = expire
        self._open: dict[str, tuple[ActionUnderWay, asyncio.TimerHandle]] = {}
        self._by_agent: Counter[str] = Counter()
        self._coming: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._open)

    def has_room(self, under: ActionUnderWay) -> bool:
        """Whether one more may be opened for the agent of `under`."""
        agent = _agent(under)
        open_, own = len(self._open) + self._coming.total(), self._by_agent[agent] + self._coming[agent]
        return open_ < OPEN_MAX and own < OPEN_PER_AGENT_MAX

    @contextmanager
    def room(self, under: ActionUnderWay) -> Generator[None]:
        """Keep the room that `under` has, while what is asked is on its way to disk: many may be asked at once."""
        agent = _agent(under)
        self._coming[agent] += 1
        try:
            yield
        finally:
            self._coming[agent] -= 1
            if not self._coming[agent]:
                del self._coming[agent]

    def open(self, under: ActionUnderWay) -> str:
        """Wait for the client; the name of the round."""
        ident = f"{under.attempt.ref}/{under.number}.{under.again}"
        timer = asyncio.get_running_loop().call_later(EXPIRES_S, self._over, ident)
        self._open[ident] = (under, timer)
        self._by_agent[_agent(under)] += 1
        return ident

    def of(self, is_over: Callable[[Action], bool]) -> Sequence[ActionUnderWay]:
        """The actions that go on once their clients answer, of those that `is_over` is true of."""
        return those(is_over, (under for under, _ in self._open.values()))

    def take(self, ident: str, authority: Authority) -> ActionUnderWay | None:
        """The action that waits as `ident`, if it is this authority's; nobody takes it again."""
        waiting = self._open.get(ident)
        if waiting is None:
            return None
        his = waiting[0].operation.action.authority
        if (his.links, his.user) != (authority.links, authority.user):
            return None
        waiting[1].cancel()
        return self._closed(ident)

    def end(self) -> None:
        """Nobody will answer any more: every one is over now."""
        for ident, (_, timer) in tuple(self._open.items()):
            timer.cancel()
            self._over(ident)

    def _over(self, ident: str) -> None:
        self._expire(self._closed(ident))

    def _closed(self, ident: str) -> ActionUnderWay:
        under, _ = self._open.pop(ident)
        agent = _agent(under)
        self._by_agent[agent] -= 1
        if not self._by_agent[agent]:
            del self._by_agent[agent]
        return under


def _agent(under: ActionUnderWay) -> str:
    return under.operation.action.authority.acting.agent

"""What the driver answers to an enforcement point: a closed union, and a tool as agents see it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from remit.facts.canonical import Json
from remit.facts.label import NONE, Labels
from remit.facts.tool import Tool
from remit.policy.verdict import Gate, Reason
from remit.ports.upstream import Era, HoldBytes, ListChanged, Notice, Offer, Question, ResourceUpdated, unbounded


@dataclass(frozen=True, slots=True)
class Released:
    """A result that passed the funnel and whose outcome and labels are durable.

    `result` is a JSON object in UTF-8 holding `content` and, where the tool gave them,
    `structuredContent` and `isError`: the very bytes whose digest stands in the outcome, with their `labels`.
    """

    result: bytes
    labels: Labels = field(default=NONE, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The call was not forwarded, or its result is withheld. `ref` is the decision id, if any.

    `sent`: its server had it by then, so that it may have taken effect.
    """

    reasons: tuple[Reason, ...]
    ref: str | None
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Awaiting:
    """People have not decided yet: `ref` is the decision id of the open approval, `page` where they are shown it."""

    ref: str
    gates: tuple[Gate, ...]
    reasons: tuple[Reason, ...]
    page: str = ""


@dataclass(frozen=True, slots=True)
class AwaitingInput:
    """The server asks the client something before it goes on: `questions` passed the funnel.

    `round` names it to `Driver.resume`, which takes it once, from the same authority, before `expires_ms`;
    `action` is the hash of the action, `approval` the one it runs under. `completion` is done once nobody needs to
    answer.
    """

    round: str
    questions: Mapping[str, Question]
    action: str
    approval: str | None
    expires_ms: int
    completion: "asyncio.Future[None]"


@dataclass(frozen=True, slots=True)
class Failed:
    """The server answered with a JSON-RPC error, or with nothing usable: its code and message, which passed the funnel.

    Of tools there is none but that the client lacks a capability, which `needs` names, or that its user has to open
    `addresses` first: what else their servers refuse is a tool result that says so.
    """

    code: int
    message: str
    ref: str
    needs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    addresses: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class Watching:
    """What of a watch is honoured: lists and resources whose changes follow.

    `live` once the server tells of them; `bundle` is the digest of the bundle that they were judged by.
    """

    offers: frozenset[Offer]
    uris: frozenset[str]
    live: bool = False
    bundle: str = ""

    @property
    def changes(self) -> tuple[ListChanged | ResourceUpdated, ...]:
        """All that it could tell of, lists first."""
        return (*map(ListChanged, sorted(self.offers)), *map(ResourceUpdated, sorted(self.uris)))


@dataclass(frozen=True, slots=True)
class Underway:
    """The server goes on with the call as a task, which `name` names to `Driver.get_task` and its like.

    `state` is what may be shown of it, all but its id: `status`, `createdAt`, `lastUpdatedAt`, `ttlMs` and, where
    the server gave them, `statusMessage` and `pollIntervalMs`. `questions` wait for the client. Of one that is over,
    `result` are the bytes whose digest stands in the outcome, or `error` the code and message that it came to.
    """

    name: str
    state: Mapping[str, Json]
    questions: Mapping[str, Question] = field(default_factory=dict[str, Question])
    result: bytes | None = None
    error: tuple[int, str] | None = None


Answer: TypeAlias = Released | Refused | Awaiting | AwaitingInput | Failed | Underway


Tell: TypeAlias = Callable[[Notice], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Client:
    """The other end of a request: its era, what it declared, what it wants told while it waits.

    `tell` gets progress and logs, in order, each once its labels are durable; None where it wants none.
    `stated_reason` is what the agent says of why it asks, its own words, which decide nothing. `hold` is of the request
    (`pep.throttle.ThrottledRequest`): whether so many bytes more of large answers may be held for it. `sees_all`: all
    servers are one for it, so that resources have exposed URIs (`pep.resource_names`).
    """

    era: Era
    capabilities: Mapping[str, Json] = field(default_factory=dict[str, Json])
    tell: Tell | None = None
    log_level: str | None = None
    trace: str | None = None
    stated_reason: str | None = None
    hold: HoldBytes = unbounded
    sees_all: bool = False


def listed(tool: Tool, era: Era, *, exposed: bool) -> Mapping[str, Json]:
    """`tool` as `tools/list` shows it: pinned members only, under its exposed or its own name.

    Clients of 2025 take no list with an `outputSchema` of anything but objects.
    """
    members = dict(tool.definition.to_json())
    if not tool.definition.description:
        del members["description"]
    output = tool.definition.output_schema
    if era is Era.INITIALIZE and output is not None and output.get("type") != "object":
        del members["outputSchema"]
    if exposed:
        members["name"] = tool.exposed
    return members

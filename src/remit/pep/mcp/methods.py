"""What becomes of every method and notification of MCP, in both eras and both directions.

Laws
* Dispatch goes by this table: a method that is not in it, or not for that sender in that era, is denied.
* What an upstream wrote leaves through `pep.release` alone, whatever its rule: `Passed` says only that its
  kind may leave.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Final, TypeAlias

from remit.facts.action import ActionKind
from remit.ports.upstream import Era


class Sender(Enum):
    """Who sends it: the agent's client, or a server on its way to the client."""

    CLIENT = auto()
    SERVER = auto()


@dataclass(frozen=True, slots=True)
class Governed:
    """It is an action, or shows what actions there are: the driver has it judged."""

    action: ActionKind


@dataclass(frozen=True, slots=True)
class Answered:
    """Remit answers it, or acts on it, and sends nothing of it on."""

    how: str


@dataclass(frozen=True, slots=True)
class Passed:
    """It goes on, rebuilt from known members."""

    how: str


@dataclass(frozen=True, slots=True)
class Denied:
    """It is refused, or dropped where nobody waits for an answer."""

    why: str


Treatment: TypeAlias = Governed | Answered | Passed | Denied


@dataclass(frozen=True, slots=True)
class MethodRule:
    """How one method is treated by sender, in the eras that have it."""

    by: Mapping[Sender, Treatment]
    eras: frozenset[Era] = frozenset(Era)
    but: Mapping[Era, Denied] = field(default_factory=dict[Era, Denied])
    """Eras that have it and in which it is denied all the same."""


_OLD: Final = frozenset({Era.INITIALIZE})
_NEW: Final = frozenset({Era.STATELESS})
_OLD_TASKS: Final = Denied("tasks are served by the extension of 2026-07-28 alone")
_NO_TASKS: Final = Denied("no server asks a client to work for it")
UNKNOWN: Final = Denied("the method is not one that this enforcement point serves")


def _client(treatment: Treatment, eras: frozenset[Era] = frozenset(Era)) -> MethodRule:
    return MethodRule(MappingProxyType({Sender.CLIENT: treatment}), eras)


def _server(treatment: Treatment, eras: frozenset[Era] = frozenset(Era)) -> MethodRule:
    return MethodRule(MappingProxyType({Sender.SERVER: treatment}), eras)


def _both(client: Treatment, server: Treatment, eras: frozenset[Era] = frozenset(Era)) -> MethodRule:
    return MethodRule(MappingProxyType({Sender.CLIENT: client, Sender.SERVER: server}), eras)


def _task(how: str) -> MethodRule:
    by: Mapping[Sender, Treatment] = {Sender.CLIENT: Passed(how), Sender.SERVER: _NO_TASKS}
    return MethodRule(MappingProxyType(by), but=MappingProxyType({Era.INITIALIZE: _OLD_TASKS}))


METHODS: Final[Mapping[str, MethodRule]] = MappingProxyType(
    {
        "initialize": _client(Answered("opens a connection; the upstream's introduction passes the funnel"), _OLD),
        "server/discover": _client(Answered("what is served here; the introduction passes the funnel"), _NEW),
        "ping": _both(Answered("at once"), Answered("at once, by the adapter"), _OLD),
        "logging/setLevel": _client(Answered("kept for the connection; goes upstream with each request"), _OLD),
        "tools/list": _client(Governed(ActionKind.CALL_TOOL)),
        "tools/call": _client(Governed(ActionKind.CALL_TOOL)),
        "resources/list": _client(Governed(ActionKind.READ_RESOURCE)),
        "resources/templates/list": _client(Governed(ActionKind.READ_RESOURCE)),
        "resources/read": _client(Governed(ActionKind.READ_RESOURCE)),
        "resources/subscribe": _client(Governed(ActionKind.READ_RESOURCE), _OLD),
        "resources/unsubscribe": _client(Answered("forgets the subscription"), _OLD),
        "prompts/list": _client(Governed(ActionKind.GET_PROMPT)),
        "prompts/get": _client(Governed(ActionKind.GET_PROMPT)),
        "completion/complete": _client(Passed("judged as the read or the prompt that it completes")),
        "subscriptions/listen": _client(Answered("a bounded stream of changes; each resource as if read"), _NEW),
        "elicitation/create": _server(Passed("within the call that asks, to clients that declared it")),
        "sampling/createMessage": _server(Governed(ActionKind.CALL_MODEL)),
        "roots/list": _server(Governed(ActionKind.LIST_ROOTS)),
        "tasks/get": _task("asked of the server that has the task; its end is the outcome of the call"),
        "tasks/cancel": _task("asked of the server that has the task"),
        "tasks/update": _client(Governed(ActionKind.CALL_TOOL), _NEW),
        "tasks/result": _both(_OLD_TASKS, _NO_TASKS, _OLD),
        "tasks/list": _both(_OLD_TASKS, _NO_TASKS, _OLD),
        "notifications/initialized": _client(Answered("nothing waits for it"), _OLD),
        "notifications/cancelled": _both(
            Answered("ends the request it names; of 2026-07-28 the closed stream does"),
            Denied("a call that is no longer wanted ends by its answer or its time limit"),
        ),
        "notifications/progress": _both(
            Denied("no progress was asked of the client"),
            Passed("on the stream of its request, under the client's own token, where it gave one"),
        ),
        "notifications/message": _server(Passed("on the stream of its request, at the level asked for")),
        "notifications/roots/list_changed": _client(Denied("roots are asked for anew each time"), _OLD),
        "notifications/tools/list_changed": _server(Passed("to who listens, without its parameters")),
        "notifications/prompts/list_changed": _server(Passed("to who listens, without its parameters")),
        "notifications/resources/list_changed": _server(Passed("to who listens, without its parameters")),
        "notifications/resources/updated": _server(Passed("to who listens for that resource")),
        "notifications/subscriptions/acknowledged": _server(
            Denied("that of the upstream ends at the adapter; Remit acknowledges for itself"), _NEW
        ),
        "notifications/elicitation/complete": _server(
            Passed("once, to the connection that was told of that elicitation by that server"), _OLD
        ),
        "notifications/tasks/status": _both(_OLD_TASKS, _OLD_TASKS, _OLD),
        "notifications/tasks": _server(Answered("Remit looks for who subscribed; what is pushed is dropped"), _NEW),
    }
)


def treatment(method: str, sender: Sender, era: Era) -> Treatment:
    """How `method` from `sender` is treated in `era`."""
    rule = METHODS.get(method)
    if rule is None or era not in rule.eras:
        return UNKNOWN
    return rule.but.get(era) or rule.by.get(sender, UNKNOWN)

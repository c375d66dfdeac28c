"""What an action reaches that calls no tool: a resource, a prompt, a model, another agent."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from remit.facts.action import Action, ActionKind
from remit.facts.feed import NO_FEEDS, feeds_at, readable
from remit.facts.label import NONE, closed
from remit.facts.text import escaped
from remit.facts.tool import Sink
from remit.policy.bundle import Bundle
from remit.policy.convert import converter
from remit.policy.destination import SHOWN_MAX, Destination, asked_by
from remit.policy.form import Uid
from remit.policy.schema import INPUTS
from remit.policy.uids import action_uid, agent_uid, data_uid, model_uid, server_uid

_DOING: Final[Mapping[ActionKind, str]] = MappingProxyType(
    {
        ActionKind.CALL_MODEL: "call the model",
        ActionKind.READ_RESOURCE: "read",
        ActionKind.GET_PROMPT: "get the prompt",
        ActionKind.LIST_ROOTS: "see the client's roots from",
        ActionKind.DELEGATE: "delegate to",
    }
)
_LISTED: Final[Mapping[ActionKind, str]] = MappingProxyType(
    {ActionKind.READ_RESOURCE: "resources", ActionKind.GET_PROMPT: "prompts"}
)


def other_destination(bundle: Bundle, action: Action) -> Destination:
    """What any other action reaches."""
    kind = action.kind.value
    server = bundle.catalog.servers.get(action.server)
    source = NONE if server is None else server.source
    resource, within = _resource(action)
    # A list is asked for by nobody's words.
    listing = not action.name and action.kind is not ActionKind.LIST_ROOTS
    part, record = bundle.slice(kind), INPUTS.get(kind)
    past = readable(bundle.catalog.monitors.values(), None)
    return Destination(
        doing=_doing(action),
        action=action_uid(kind),
        resource=resource,
        slice=part,
        source=source,
        brings=tuple(sorted(closed(source))),
        within=within,
        record=record,
        converter=None if record is None else converter(record, part.reads),
        feeds=feeds_at(server, bundle.catalog.guarantees.values()) if server and not listing else NO_FEEDS,
        past=past,
        queries=asked_by(part, past),
        finds=frozenset() if record is None else bundle.catalog.looked_for_at(action.server),
        # As guarantees see it (`feeds_at`): what is asked with goes there, and a list is asked for with nothing.
        external=server is not None and server.sink is Sink.EXTERNAL and not listing,
    )


def _doing(action: Action) -> str:
    if action.lists:
        return f"see which {_LISTED[action.kind]} {escaped(action.server, chars_max=SHOWN_MAX)} has"
    return f"{_DOING[action.kind]} {escaped(action.name or action.server, chars_max=SHOWN_MAX)}"


def _resource(action: Action) -> tuple[Uid, frozenset[Uid]]:
    match action.kind:
        case ActionKind.READ_RESOURCE:
            return data_uid(action.server, action.name), frozenset({server_uid(action.server)})
        case ActionKind.CALL_MODEL:
            return model_uid(action.name), frozenset()
        case ActionKind.DELEGATE:
            return agent_uid(action.name), frozenset()
        case _:
            return server_uid(action.server), frozenset()

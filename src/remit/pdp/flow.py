"""Where an action's values came from, for its snapshot; and what its result adds to that."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

from remit.facts.action import Action, ActionKind
from remit.facts.canonical import Json
from remit.facts.origin import Flow, OriginTrace, Role
from remit.facts.results import spelt
from remit.facts.veil import hidden_of
from remit.pdp.snapshot import Snapshot
from remit.policy.bundle import Bundle
from remit.policy.destination import Destination
from remit.protect.client_answers import without_protocol_words
from remit.protect.origins import Names, configured, flow
from remit.protect.scalars import IndexView

RESPONSES: Final = "(responses)"
"""Where the client's responses of a round stand among the values; no argument of a schema."""
_ROLES: Final[Mapping[ActionKind, Mapping[str, Role]]] = MappingProxyType(
    {
        ActionKind.CALL_MODEL: {"messages": Role.CONTENT, "systemPrompt": Role.CONTENT},
        ActionKind.GET_PROMPT: {"name": Role.KEY, "arguments": Role.CONTENT},
        ActionKind.READ_RESOURCE: {"arguments": Role.CONTENT},
    }
)
"""What the input of actions that are no tool calls is for; all else is a target."""
_ANSWERED: Final = frozenset(
    {
        *("action", "content", "role", "model", "stopReason", "roots", "uri", "name"),
        *("type", "text", "data", "mimeType", "annotations", "audience", "priority", "lastModified"),
        *("resource", "blob", "id", "input", "toolUseId", "structuredContent", "isError"),
    }
)
"""The members of what a client answers, as the protocol names them."""
_NO_ROLES: Final[Mapping[str, Role]] = MappingProxyType({})


def flow_of(snapshot: Snapshot, action: Action, destination: Destination) -> Flow:
    """The facts about the values that the agent brings to `action`."""
    arguments: Mapping[str, Json] = action.input
    roles = _ROLES.get(action.kind, _NO_ROLES)
    # The members of a prompt's arguments are what the agent calls them, those of a message the protocol's.
    free: dict[str, frozenset[str] | None] = {name: None for name in roles if name != "arguments"}
    if action.within is not None and not action.within.bare:
        arguments = {**arguments, RESPONSES: without_protocol_words(cast("Json", json.loads(action.within.responses)))}
        free[RESPONSES] = _ANSWERED | _question_names(json.loads(action.within.questions))
    view = IndexView(snapshot.origins, grounds(snapshot.bundle, action))
    names = Names(destination.arguments, destination.members, free)
    facts = flow(destination.tool, names, roles, arguments, view)
    if destination.tool is None or not destination.tool.secrets:
        return facts
    declared = snapshot.bundle.tools[action.server, action.name].arguments
    return _without_words(facts, hidden_of(destination.tool, declared, action.input))


def _question_names(questions: Mapping[str, Json]) -> frozenset[str]:
    """The names that who asked `questions` gave: the keys, and what their schemas name."""
    names = set(questions)
    stack: list[Json] = list(questions.values())
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            properties = value.get("properties")
            names.update(properties if isinstance(properties, Mapping) else ())
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return frozenset(names)


def _without_words(facts: Flow, hidden: frozenset[str]) -> Flow:
    """`facts` without a word of what is in the arguments `hidden`: which they are, and where they came from."""
    tops = {spelt((name,)) for name in hidden}
    traced: list[OriginTrace] = []
    for scalar in facts.traces:
        top = next((top for top in tops if scalar.path == top or scalar.path.startswith((f"{top}.", f"{top}["))), None)
        traced.append(scalar if top is None else scalar._replace(path=top, part=""))
    return facts._replace(traces=tuple(traced))


def grounds(bundle: Bundle, action: Action) -> frozenset[str]:
    """The tokens that configuration grounds: the purposes of the agents of the chain."""
    agents = bundle.catalog.agents
    tokens = [configured(agents[name].purpose) for name in action.authority.agents if name in agents]
    return tokens[0] if len(tokens) == 1 else frozenset[str]().union(*tokens)

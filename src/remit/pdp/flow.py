"""Where an action's values came from, for its snapshot; and what its result adds to that."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

from remit.facts.action import Action, ActionKind
from remit.facts.canonical import Json
from remit.facts.origin import Flow, Role, Traced
from remit.facts.results import spelt
from remit.facts.veil import hidden_of
from remit.pdp.snapshot import Snapshot
from remit.policy.bundle import Bundle
from remit.policy.destination import Destination
from remit.protect.answered import own_words
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


def flow_of(snapshot: Snapshot, action: Action, reached: Destination) -> Flow:
    """The facts about the values that the agent brings to `action`."""
    given: Mapping[str, Json] = action.input
    roles = _ROLES.get(action.kind, _NO_ROLES)
    # The members of a prompt's arguments are what the agent calls them, those of a message the protocol's.
    free: dict[str, frozenset[str] | None] = {name: None for name in roles if name != "arguments"}
    if action.within is not None and not action.within.bare:
        given = {**given, RESPONSES: own_words(cast("Json", json.loads(action.within.responses)))}
        free[RESPONSES] = _ANSWERED | _named(json.loads(action.within.questions))
    seen = IndexView(snapshot.origins, grounds(snapshot.bundle, action))
    names = Names(reached.arguments, reached.members, free)
    found = flow(reached.tool, names, roles, given, seen)
    if reached.tool is None or not reached.tool.secrets:
        return found
    declared = snapshot.bundle.tools[action.server, action.name].arguments
    return _unsaid(found, hidden_of(reached.tool, declared, action.input))


def _named(questions: Mapping[str, Json]) -> frozenset[str]:
    """The names that who asked `questions` gave: the keys, and what their schemas name."""
    found = set(questions)
    stack: list[Json] = list(questions.values())
    while stack:
        one = stack.pop()
        if isinstance(one, Mapping):
            properties = one.get("properties")
            found.update(properties if isinstance(properties, Mapping) else ())
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
    return frozenset(found)


def _unsaid(found: Flow, hidden: frozenset[str]) -> Flow:
    """`found` without a word of what is in the arguments `hidden`: which they are, and where they came from."""
    tops = {spelt((name,)) for name in hidden}
    traced: list[Traced] = []
    for one in found.traced:
        top = next((top for top in tops if one.path == top or one.path.startswith((f"{top}.", f"{top}["))), None)
        traced.append(one if top is None else one._replace(path=top, part=""))
    return found._replace(traced=tuple(traced))


def grounds(bundle: Bundle, action: Action) -> frozenset[str]:
    """The tokens that configuration grounds: the purposes of the agents of the chain."""
    agents = bundle.catalog.agents
    found = [configured(agents[name].purpose) for name in action.authority.agents if name in agents]
    return found[0] if len(found) == 1 else frozenset[str]().union(*found)

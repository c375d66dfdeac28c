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
from remit.policy.reached import Reached
from remit.protect.origins import Names, configured, flow
from remit.protect.scalars import Seen

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
_NO_ROLES: Final[Mapping[str, Role]] = MappingProxyType({})


def flow_of(snapshot: Snapshot, action: Action, reached: Reached) -> Flow:
    """The facts about the values that the agent brings to `action`."""
    given: Mapping[str, Json] = action.input
    roles = _ROLES.get(action.kind, _NO_ROLES)
    # The members of a prompt's arguments are what the agent calls them, those of a message the protocol's.
    free = frozenset(roles) - {"arguments"}
    if action.within is not None and not action.within.bare:
        given = {**given, RESPONSES: cast("Json", json.loads(action.within.responses))}
        free |= {RESPONSES}
    seen = Seen(snapshot.origins, grounds(snapshot.bundle, action))
    names = Names(reached.arguments, reached.members, free)
    found = flow(reached.tool, names, roles, given, seen)
    if reached.tool is None or not reached.tool.secrets:
        return found
    declared = snapshot.bundle.tools[action.server, action.name].arguments
    return _unsaid(found, hidden_of(reached.tool, declared, action.input))


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

"""How much an action would move, and what is new in it, where policy asks."""

from collections.abc import Mapping
from typing import Final

from remit.facts.action import Action
from remit.facts.canonical import Json
from remit.facts.impact import Impact, impact_of
from remit.facts.novelty import Novelty
from remit.facts.origin import Flow, Origin, Role
from remit.facts.strictjson import parse
from remit.pdp.snapshot import Snapshot
from remit.policy.destination import Destination
from remit.protect.detect.detectors import Found, detected
from remit.protect.origins import Names, leaves
from remit.protect.pieces import TokenKind
from remit.protect.tokens import parts

_MORE: Final = "more"
"""The kind of targets that were not looked at, there being more than are explained."""


def impact(reached: Destination, given: Mapping[str, Json]) -> Impact:
    """The impact of an action with the arguments `given`; one that calls no tool changes nothing."""
    if reached.tool is None:
        return Impact(reversible=True, external=reached.external)
    given = reached.tool.taken(given)
    return impact_of(reached.tool.impact, given, reversible=not reached.irreversible, external=reached.external)


def sent(action: Action, reached: Destination) -> Found:
    """What detectors find in what `action` sends: its arguments but for declared secrets, and answers in a round."""
    sends: list[Json] = [parse(action.arguments)]
    if reached.tool is not None:
        sends = [{name: value for name, value in action.input.items() if name not in reached.tool.secrets}]
    if action.within is not None:
        sends.append(parse(action.within.responses))
    return detected(reached.finds, sends)


def novelty(snapshot: Snapshot, action: Action, reached: Destination, flow: Flow) -> Novelty:
    """What would be new in `action` for the agent that acts, whose values `flow` explains."""
    kinds = _kinds(action.input, reached, flow)
    return snapshot.used.novelty(action.authority.acting.agent, action.kind.value, action.server, action.name, kinds)


def _kinds(given: Mapping[str, Json], reached: Destination, flow: Flow) -> set[str]:
    """Of which kinds the targets are: what they look like, and whether anybody but a stranger names them."""
    names = Names(None if reached.tool is None else reached.arguments, reached.members)
    values = list(leaves(given, names))
    found = {_MORE} if len(values) > len(flow.traced) else set[str]()
    for (_, value), one in zip(values, flow.traced, strict=False):
        if one.role is Role.TARGET:
            looks = (
                max((_look(kind) for _, kind in parts(value)), default=TokenKind.WORD)
                if isinstance(value, str)
                else TokenKind.NUMBER
            )
            known = one.origin <= Origin.TRUSTED or one.established
            found.add(looks.name.lower() if known else f"strange {looks.name.lower()}")
    return found


def _look(kind: TokenKind) -> TokenKind:
    # Whether names end so is known of a day: what an agent has done before is not to hang on that.
    return TokenKind.URL if kind is TokenKind.DOTTED else kind

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
from remit.protect.detect.detectors import Findings, detected
from remit.protect.origins import Names, leaves
from remit.protect.token_kinds import TokenKind
from remit.protect.tokens import ordered_tokens

_MORE: Final = "more"
"""The kind of targets that were not looked at, there being more than are explained."""


def impact(destination: Destination, arguments: Mapping[str, Json]) -> Impact:
    """The impact of an action with these `arguments`; one that calls no tool changes nothing."""
    if destination.tool is None:
        return Impact(reversible=True, external=destination.external)
    arguments = destination.tool.with_defaults(arguments)
    return impact_of(
        destination.tool.impact, arguments, reversible=not destination.irreversible, external=destination.external
    )


def detections_in(action: Action, destination: Destination) -> Findings:
    """What detectors find in what `action` sends: its arguments but for declared secrets, and answers in a round."""
    sends: list[Json] = [parse(action.arguments)]
    if destination.tool is not None:
        sends = [{name: value for name, value in action.input.items() if name not in destination.tool.secrets}]
    if action.within is not None:
        sends.append(parse(action.within.responses))
    return detected(destination.finds, sends)


def novelty(snapshot: Snapshot, action: Action, destination: Destination, flow: Flow) -> Novelty:
    """What would be new in `action` for the agent that acts, whose values `flow` explains."""
    kinds = _kinds(action.input, destination, flow)
    return snapshot.usage.novelty(action.authority.acting.agent, action.kind.value, action.server, action.name, kinds)


def _kinds(arguments: Mapping[str, Json], destination: Destination, flow: Flow) -> set[str]:
    """Of which kinds the targets are: what they look like, and whether anybody but a stranger names them."""
    names = Names(None if destination.tool is None else destination.arguments, destination.members)
    values = list(leaves(arguments, names))
    kinds = {_MORE} if len(values) > len(flow.traces) else set[str]()
    for (_, value), scalar in zip(values, flow.traces, strict=False):
        if scalar.role is Role.TARGET:
            looks = (
                max((_look(kind) for _, kind in ordered_tokens(value)), default=TokenKind.WORD)
                if isinstance(value, str)
                else TokenKind.NUMBER
            )
            vouched = scalar.origin <= Origin.TRUSTED or scalar.established
            kinds.add(looks.name.lower() if vouched else f"strange {looks.name.lower()}")
    return kinds


def _look(kind: TokenKind) -> TokenKind:
    # Whether names end so is known of a day: what an agent has done before is not to hang on that.
    return TokenKind.URL if kind is TokenKind.DOTTED else kind

"""What an action can do, in words for whoever decides: whether it can be undone, and where goes what it sends.

Laws
* It is what policy sees (`context.impact`): of a tool by its entry, of all else by what is declared for its server.
* The worst is assumed only where nothing is declared, and then it is said that it is assumed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from remit.facts.action import ActionKind
from remit.facts.catalog import Server
from remit.facts.tool import Effect, Sink, Tool

_EFFECTS: Final[Mapping[Effect, str]] = MappingProxyType(
    {
        Effect.READ: "reads only",
        Effect.WRITE: "can be changed back",
        Effect.IRREVERSIBLE: "cannot be undone",
    }
)
_SINKS: Final[Mapping[Sink, str]] = MappingProxyType(
    {
        Sink.NONE: "nowhere",
        Sink.INTERNAL: "inside the organisation",
        Sink.EXTERNAL: "outside the organisation",
    }
)


class BlastRadius(NamedTuple):
    """Whether it can be undone, how far it reaches, and whether either makes one key too few to approve it."""

    undoing: str
    reaches: str
    careful: bool


_UNKNOWN: Final = "not in the catalog, so the worst is assumed: "
_WORST: Final = BlastRadius(_UNKNOWN + _EFFECTS[Effect.IRREVERSIBLE], _UNKNOWN + _SINKS[Sink.EXTERNAL], careful=True)
_HANDED_ON: Final = BlastRadius(
    "nothing is done yet: what that agent does is judged by itself", "whatever that agent may reach", careful=True
)
_ASKS: Final = "counts as reading only: no tool is called"


def reach_of(kind: ActionKind, tool: Tool | None, server: Server | None) -> BlastRadius:
    """Of an action of `kind`, by the catalog's entries for its `tool` and `server`; None where it has none."""
    if kind is ActionKind.CALL_TOOL:
        return _WORST if tool is None else _of_tool(tool)
    if kind is ActionKind.DELEGATE:
        return _HANDED_ON
    if server is None:
        return _WORST
    if server.declared_sink is None:
        assumed = f"{_SINKS[server.sink]}: the worst is assumed, since no sink is declared for the server {server.name}"
        return BlastRadius(_ASKS, assumed, careful=True)
    declared = f"{_SINKS[server.sink]}, as declared for the server {server.name}"
    return BlastRadius(_ASKS, declared, server.sink is Sink.EXTERNAL)


def _of_tool(tool: Tool) -> BlastRadius:
    careful = tool.effect is Effect.IRREVERSIBLE or tool.sink is Sink.EXTERNAL
    return BlastRadius(_EFFECTS[tool.effect], _SINKS[tool.sink], careful)

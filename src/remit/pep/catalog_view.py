"""What an agent is shown of the catalog, which servers are asked for it, and what the names it sends back mean.

All of it depends on the bundle and the chain alone and are remembered for as long as that bundle runs.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from remit.facts.tool import Tool
from remit.pdp.listing import reaches, visible_tools
from remit.policy.compile import Bundle

CHAINS_MAX: Final = 1_024
REACHES_MAX: Final = 16_384


class CatalogView:
    """Listings and exposed names of the running bundle."""

    def __init__(self) -> None:
        self._bundle: Bundle | None = None
        self._exposed: Mapping[str, tuple[str, str]] = {}
        self._visible: dict[tuple[str, ...], Sequence[Tool]] = {}
        self._keys: dict[tuple[str, ...], frozenset[tuple[str, str]]] = {}
        self._reaches: dict[tuple[tuple[str, ...], str], bool] = {}

    def resolve(self, bundle: Bundle, exposed: str) -> tuple[str, str]:
        """`(server, tool)` of an exposed name.

        One that the bundle does not have is split where it reads so, which lets the decision
        say whether the server or the tool is unknown; else its server is empty.
        """
        self._of(bundle)
        target = self._exposed.get(exposed)
        if target is not None:
            return target
        server, between, tool = exposed.partition("___")
        return (server, tool) if between else ("", exposed)

    def visible(self, bundle: Bundle, agents: tuple[str, ...]) -> Sequence[Tool]:
        """The tools shown to a chain of `agents`."""
        self._of(bundle)
        tools = self._visible.get(agents)
        if tools is None:
            if len(self._visible) >= CHAINS_MAX:
                self._visible.clear()
            tools = self._visible[agents] = visible_tools(bundle, agents)
        return tools

    def reaches(self, bundle: Bundle, agents: tuple[str, ...], server: str) -> bool:
        """Whether a chain of `agents` may see anything of `server`."""
        self._of(bundle)
        reachable = self._reaches.get((agents, server))
        if reachable is None:
            if len(self._reaches) >= REACHES_MAX:
                self._reaches.clear()
            reachable = self._reaches[agents, server] = reaches(bundle, agents, server)
        return reachable

    def asks(self, bundle: Bundle, agents: tuple[str, ...], server: str, tool: str) -> bool:
        """Whether `server` is asked for its tools when a chain of `agents` calls `tool`.

        Not where policy lets nobody of the chain do anything with it: whatever the server says, that is denied.
        """
        self._of(bundle)
        keys = self._keys.get(agents)
        if keys is None:
            if len(self._keys) >= CHAINS_MAX:
                self._keys.clear()
            keys = self._keys[agents] = frozenset(
                (shown_tool.server, shown_tool.name) for shown_tool in self.visible(bundle, agents)
            )
        if (server, tool) in keys:
            return True
        return (server, tool) not in bundle.catalog.tools and self.reaches(bundle, agents, server)

    def hides(self, bundle: Bundle, agents: tuple[str, ...], server: str, tool: str) -> bool:
        """Whether `tool` is one that a chain of `agents` is not shown: it learns nothing of its schema either."""
        return (server, tool) in bundle.catalog.tools and not self.asks(bundle, agents, server, tool)

    def _of(self, bundle: Bundle) -> None:
        if bundle is self._bundle:
            return
        self._bundle = bundle
        self._exposed = {tool.exposed: key for key, tool in bundle.catalog.tools.items()}
        self._visible, self._keys, self._reaches = {}, {}, {}

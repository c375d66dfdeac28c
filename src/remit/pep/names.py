"""What an agent is shown of the catalog, and what the names it sends back mean.

Both depend on the bundle and the chain alone and are remembered for as long as that bundle runs.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from remit.facts.catalog import Tool
from remit.pdp.listing import visible_tools
from remit.policy.compile import Bundle

CHAINS_MAX: Final = 1_024


class Names:
    """Listings and exposed names of the running bundle."""

    def __init__(self) -> None:
        self._bundle: Bundle | None = None
        self._exposed: Mapping[str, tuple[str, str]] = {}
        self._visible: dict[tuple[str, ...], Sequence[Tool]] = {}

    def resolve(self, bundle: Bundle, exposed: str) -> tuple[str, str]:
        """`(server, tool)` of an exposed name.

        One that the bundle does not have is split where it reads so, which lets the decision
        say whether the server or the tool is unknown; else its server is empty.
        """
        self._of(bundle)
        known = self._exposed.get(exposed)
        if known is not None:
            return known
        server, between, tool = exposed.partition("___")
        return (server, tool) if between else ("", exposed)

    def visible(self, bundle: Bundle, agents: tuple[str, ...]) -> Sequence[Tool]:
        """The tools shown to a chain of `agents`."""
        self._of(bundle)
        found = self._visible.get(agents)
        if found is None:
            if len(self._visible) >= CHAINS_MAX:
                self._visible.clear()
            found = self._visible[agents] = visible_tools(bundle, agents)
        return found

    def _of(self, bundle: Bundle) -> None:
        if bundle is self._bundle:
            return
        self._bundle = bundle
        self._exposed = {tool.exposed: key for key, tool in bundle.catalog.tools.items()}
        self._visible = {}

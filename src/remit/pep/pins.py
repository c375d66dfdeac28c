"""How live tools compare with `remit.lock`.

Laws
* A tool is accepted as a server of both eras shows it in 2026-07-28. What such a server shows of the same tool to
  clients of 2025 counts as the same (`remit.facts.output_schema`).
* Of a server's lists the last that was looked at is kept, and no other: a server may show another one each time. Each
  definition is hashed once, where it was read (`Definition.pin`).
"""

from collections import OrderedDict
from collections.abc import Sequence
from enum import Enum
from typing import Final, TypeAlias

from remit.facts.output_schema import as_in_2025
from remit.facts.tool import Definition, Tool
from remit.pdp.snapshot import Pin

TOOLS_MAX: Final = 1_024
"""Accepted tools of which it is known what they are in 2025."""


class Unasked(Enum):
    """A server that was not asked, since the answer could change nothing."""

    UNASKED = "unasked"


UNASKED: Final = Unasked.UNASKED
Live: TypeAlias = Sequence[Definition] | Unasked | None
"""The live tools of a server; None where it could not be asked."""


class Pins:
    """Pins of what servers offer, beside those of what was accepted."""

    def __init__(self) -> None:
        self._last: dict[str, Sequence[Definition]] = {}
        self._in_2025: OrderedDict[str, frozenset[str]] = OrderedDict()

    def compare(self, server: str, live: Live, tool: Tool | None, name: str) -> Pin:
        """The state of `name` at `server`, whose live tools are `live`.

        `tool` is what the lock has accepted under that name, if anything.
        """
        if live is None:
            return Pin.UNVERIFIED
        if live is not UNASKED:
            self.look(server, live)
        return self.last(server, tool, name)

    def look(self, server: str, live: Sequence[Definition]) -> None:
        """Keep what `server` offers as what was last seen of it."""
        self._last[server] = live

    def last(self, server: str, tool: Tool | None, name: str) -> Pin:
        """The same by what was last seen of `server`; the lock is believed of one never seen."""
        live = self._last.get(server)
        if live is None:
            return Pin.MISSING if tool is None else Pin.MATCHES
        definition = next((one for one in reversed(live) if one.name == name), None)
        if definition is None:
            return Pin.MISSING
        if tool is None:
            return Pin.UNREVIEWED
        pin = definition.pin()
        return Pin.MATCHES if pin == tool.pin or pin in self._of_2025(tool) else Pin.DRIFTED

    def _of_2025(self, tool: Tool) -> frozenset[str]:
        """Pins of what `tool` is in 2025 where that differs."""
        pins = self._in_2025.get(tool.pin)
        if pins is None:
            pins = self._in_2025[tool.pin] = frozenset(one.pin() for one in as_in_2025(tool.definition))
            if len(self._in_2025) > TOOLS_MAX:
                self._in_2025.popitem(last=False)
        return pins

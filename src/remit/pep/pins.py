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
from typing import Final, NamedTuple, TypeAlias

from remit.facts.output_schema import as_in_2025
from remit.facts.tool import Definition, Tool
from remit.pdp.snapshot import Pin

TOOLS_MAX: Final = 1_024
"""Accepted tools of which it is known what they are in 2025."""
MISSING_MAX: Final = 10_000
"""Of how many tools and sessions it is known since when they were not offered."""


class Unasked(Enum):
    """A server that was not asked, since the answer could change nothing."""

    UNASKED = "unasked"


UNASKED: Final = Unasked.UNASKED
Live: TypeAlias = Sequence[Definition] | Unasked | None
"""The live tools of a server; None where it could not be asked."""


_Place: TypeAlias = tuple[str, str, str]
"""A server, the name of a tool, and a session."""


class SeenBy(NamedTuple):
    """For which session a server was asked, and when."""

    sid: str
    at_ms: int


NOBODY: Final = SeenBy("", 0)
"""Remit itself, on its own account."""


class Pins:
    """Pins of what servers offer, beside those of what was accepted."""

    def __init__(self) -> None:
        self._last: dict[str, Sequence[Definition]] = {}
        self._in_2025: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._missing: OrderedDict[_Place, int] = OrderedDict()

    def compare(self, server: str, live: Live, tool: Tool | None, name: str, by: SeenBy = NOBODY) -> Pin:
        """The state of `name` at `server`, whose live tools are `live`, as `by` is shown them.

        `tool` is what the lock has accepted under that name, if anything.
        """
        if live is None:
            return Pin.UNVERIFIED
        if live is UNASKED:
            return self.last(server, tool, name)
        self.look(server, live)
        pin = self.last(server, tool, name)
        if pin is Pin.MISSING or self._missing:
            self._note((server, name, by.sid), by.at_ms, missing=pin is Pin.MISSING)
        return pin

    def missing_since(self, server: str, name: str, sid: str) -> int | None:
        """Since when `server` did not offer `name` to the session `sid`, as far as it was asked for that one.

        What it shows may hang on who asks, so what others were shown tells nothing of it.
        """
        return self._missing.get((server, name, sid))

    def _note(self, place: _Place, at_ms: int, *, missing: bool) -> None:
        if not missing:
            self._missing.pop(place, None)
            return
        self._missing.setdefault(place, at_ms)
        if len(self._missing) > MISSING_MAX:
            self._missing.popitem(last=False)

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

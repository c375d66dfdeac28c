"""How live tools compare with `remit.lock`, hashed once per list that an upstream gave.

A tool is accepted as a server of both eras shows it in 2026-07-28. What such a server shows of the same tool to
clients of 2025 counts as the same (`remit.facts.output_schema`).
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, TypeAlias

from remit.facts.output_schema import as_in_2025
from remit.facts.tool import Definition, Tool
from remit.pdp.snapshot import Pin

LISTS_MAX: Final = 1_024


class Unasked(Enum):
    """A server that was not asked, since the answer could change nothing."""

    UNASKED = "unasked"


UNASKED: Final = Unasked.UNASKED
Live: TypeAlias = Sequence[Definition] | Unasked | None
"""The live tools of a server; None where it could not be asked."""


class Pins:
    """Pins of live definitions.

    A tuple is known by its identity: upstreams return the same object while nothing changed,
    and it is kept here, so that its identity stays its own. A list could change under its
    identity and is hashed every time.
    """

    def __init__(self) -> None:
        self._hashes: OrderedDict[int, tuple[Sequence[Definition], Mapping[str, str]]] = OrderedDict()
        self._last: dict[str, Mapping[str, str]] = {}
        self._in_2025: OrderedDict[str, frozenset[str]] = OrderedDict()

    def compare(self, server: str, live: Live, tool: Tool | None, name: str) -> Pin:
        """The state of `name` at `server`, whose live tools are `live`.

        `tool` is what the lock has accepted under that name, if anything.
        """
        if live is None:
            return Pin.UNVERIFIED
        if live is UNASKED:
            return self.last(server, tool, name)
        return self._compare(self.look(server, live), tool, name)

    def look(self, server: str, live: Sequence[Definition]) -> Mapping[str, str]:
        """Pins by name of what `server` offers, kept as what was last seen of it."""
        pins = self._of(live)
        self._last[server] = pins
        return pins

    def last(self, server: str, tool: Tool | None, name: str) -> Pin:
        """The same by what was last seen of `server`; the lock is believed of one never seen."""
        pins = self._last.get(server)
        if pins is None:
            return Pin.MISSING if tool is None else Pin.MATCHES
        return self._compare(pins, tool, name)

    def _of(self, live: Sequence[Definition]) -> Mapping[str, str]:
        cached = self._hashes.get(id(live))
        if cached is not None:
            return cached[1]
        pins = {definition.name: definition.pin() for definition in live}
        if isinstance(live, tuple):
            self._hashes[id(live)] = (live, pins)
            if len(self._hashes) > LISTS_MAX:
                self._hashes.popitem(last=False)
        return pins

    def _compare(self, pins: Mapping[str, str], tool: Tool | None, name: str) -> Pin:
        pin = pins.get(name)
        if pin is None:
            return Pin.MISSING
        if tool is None:
            return Pin.UNREVIEWED
        return Pin.MATCHES if pin == tool.pin or pin in self._of_2025(tool) else Pin.DRIFTED

    def _of_2025(self, tool: Tool) -> frozenset[str]:
        """Pins of what `tool` is in 2025 where that differs."""
        pins = self._in_2025.get(tool.pin)
        if pins is None:
            pins = self._in_2025[tool.pin] = frozenset(one.pin() for one in as_in_2025(tool.definition))
            if len(self._in_2025) > LISTS_MAX:
                self._in_2025.popitem(last=False)
        return pins

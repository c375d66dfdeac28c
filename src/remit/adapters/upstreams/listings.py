"""The tools that one connection shows to each kind of client that its server can tell apart.

A session of the `initialize` era has one kind of client. A server of 2026-07-28 is told with each request what its
client may be asked, and may show its tools by that.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import orjson

from remit.adapters.upstreams.tool_list import Listing, pages
from remit.adapters.upstreams.wire import Wire
from remit.facts.canonical import Json
from remit.facts.catalog import Server
from remit.facts.limits import Limits
from remit.ports.system import Clock
from remit.ports.upstream import Along, Era

KINDS_MAX: Final = 16
"""Of one connection: each is a list of its own. The one that was used longest ago is read anew."""


class Listings:
    """Those of one `wire`."""

    def __init__(self, server: Server, limits: Limits, clock: Clock, wire: Wire) -> None:
        self._server = server
        self._limits = limits
        self._clock = clock
        self._wire = wire
        self._known: OrderedDict[bytes, Listing] = OrderedDict()

    def of(self, capabilities: Mapping[str, Json]) -> Listing:
        """The tools that a client of `capabilities` is shown."""
        told: dict[str, Json] = dict(capabilities) if self._wire.era is Era.STATELESS else {}
        key = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KINDS_MAX:
                self._known.popitem(last=False)
            fetch = pages(self._wire, Along(capabilities=told))
            found = self._known[key] = Listing(self._server, self._limits, self._clock, fetch)
        self._known.move_to_end(key)
        return found

    @property
    def dropped(self) -> Mapping[str, str]:
        """Why tools were left out, by their names."""
        return {name: why for listing in self._known.values() for name, why in listing.dropped.items()}

    def changed(self) -> None:
        """The server said its list changed."""
        for listing in self._known.values():
            listing.changed()

    async def close(self) -> None:
        """Stop refreshes under way."""
        for listing in tuple(self._known.values()):
            await listing.close()

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
from remit.ports.upstream import Era, UpstreamContext

KINDS_MAX: Final = 16
"""Of one connection: each is a list of its own, which may be long."""
IDLE_S: Final = 60.0
"""How long a kind is unused before it makes room for another: nobody has lists read all the time by changing it."""


class Listings:
    """Those of one `wire`."""

    def __init__(self, server: Server, limits: Limits, clock: Clock, wire: Wire) -> None:
        self._server = server
        self._limits = limits
        self._clock = clock
        self._wire = wire
        self._known: OrderedDict[bytes, tuple[Listing, float]] = OrderedDict()

    def of(self, capabilities: Mapping[str, Json]) -> Listing:
        """The tools that a client of `capabilities` is shown; of one without, where there are too many kinds."""
        declared: dict[str, Json] = dict(capabilities) if self._wire.era is Era.STATELESS else {}
        key = orjson.dumps(declared, option=orjson.OPT_SORT_KEYS)
        now_s = self._clock.monotonic_s()
        listing, _ = self._known.pop(key, (None, 0.0))
        if listing is None:
            if declared and not self._has_room(now_s):
                return self.of({})
            fetch = pages(self._wire, UpstreamContext(capabilities=declared))
            listing = Listing(self._server, self._limits, self._clock, fetch)
        self._known[key] = listing, now_s
        return listing

    def _has_room(self, now_s: float) -> bool:
        """Whether one more kind may be told apart, if need be in place of one that nobody uses."""
        if len(self._known) < KINDS_MAX:
            return True
        key, (_, used_s) = next(iter(self._known.items()))
        if now_s - used_s < IDLE_S:
            return False
        del self._known[key]
        return True

    @property
    def dropped(self) -> Mapping[str, str]:
        """Why tools were left out, by their names."""
        return {name: why for listing, _ in self._known.values() for name, why in listing.dropped.items()}

    def changed(self, *, but: Listing | None = None) -> None:
        """What was read so far counts no more: the server said its list changed, or `but` was read anew."""
        for listing, _ in self._known.values():
            if listing is not but:
                listing.changed()

    async def close(self) -> None:
        """Stop refreshes under way."""
        for listing, _ in tuple(self._known.values()):
            await listing.close()

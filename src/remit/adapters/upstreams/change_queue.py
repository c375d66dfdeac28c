"""Changes of lists and resources that one consumer waits for, each kept once until it is taken. Bounded."""

import asyncio
from collections.abc import Mapping
from typing import Final

from remit.adapters.upstreams.failures import Unusable, lost
from remit.adapters.upstreams.flood import Flood
from remit.adapters.upstreams.requests import offers_of
from remit.facts.canonical import Json
from remit.ports.upstream import Change, ElicitationCompleted, Failure, ListChanged, Offer, Ready, ResourceUpdated

PENDING_MAX: Final = 1024
CHANGES_MAX: Final = 10_000


class Watch:
    """Hears of nothing but `offers` and `uris`; with `acknowledges`, only once the server said of which."""

    def __init__(
        self, server: str, offers: frozenset[Offer], uris: frozenset[str], *, acknowledges: bool = False
    ) -> None:
        self._server = server
        self._offers = offers
        self._uris = uris
        self._acknowledges = acknowledges
        self._pending: dict[Change | Ready, None] = {}
        self._woken = asyncio.Event()
        self._lost: Unusable | None = None
        self._flood = Flood(CHANGES_MAX)

    def acknowledged(self, honoured: Mapping[str, Json]) -> bool:
        """The server says what it will tell of: of what was asked for, the rest is never heard. Once."""
        if not self._acknowledges:
            return False
        self._acknowledges = False
        self._offers &= offers_of(honoured)
        uris = honoured.get("resourceSubscriptions")
        self._uris &= frozenset(uri for uri in uris if isinstance(uri, str)) if isinstance(uris, list) else frozenset()
        self.ready()
        return True

    def ready(self) -> None:
        """What changes from here on is heard."""
        self._pending[Ready()] = None
        self._woken.set()

    def put(self, change: Change) -> bool:
        """Keep a change until it is taken; whether it was waited for."""
        if self._acknowledges or self._lost is not None or not self._is_wanted(change):
            return False
        if self._flood.more() or len(self._pending) >= PENDING_MAX:
            self.lose("floods Remit with changes")
            return False
        self._pending[change] = None
        self._woken.set()
        return True

    def anew(self) -> None:
        """Something may have been missed: all that is watched may have changed."""
        for change in (*map(ListChanged, sorted(self._offers)), *map(ResourceUpdated, sorted(self._uris))):
            self._pending[change] = None
        self._woken.set()

    def lose(self, why: str, failure: Failure | None = None) -> None:
        """Nothing more will be heard; what is pending is still given out."""
        if self._lost is None:
            self._lost = Unusable(failure or lost(self._server, why))
            self._woken.set()

    async def next(self) -> Change | Ready:
        """The oldest change, after word that there will be some. Raises `Unusable` once the server is lost."""
        while not self._pending:
            if self._lost is not None:
                raise self._lost
            self._woken.clear()
            await self._woken.wait()
        first = next(iter(self._pending))
        del self._pending[first]
        return first

    def _is_wanted(self, change: Change) -> bool:
        if isinstance(change, ElicitationCompleted):
            return True
        if isinstance(change, ListChanged):
            return change.offer in self._offers
        # The schema lets a server name a part of the resource that was subscribed to.
        return any(change.uri == uri or change.uri.startswith(f"{uri.rstrip('/')}/") for uri in self._uris)

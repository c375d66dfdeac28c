"""What a connection of the 2025 eras hears of on its standing stream: lists it has read, resources it named.

So it does of what it was told to open, once its server says that this is complete.
Changes that come while no stream stands wait for the next one. A connection whose stream stays away is not
followed for; once it is back it is told that all of it may have changed.
"""

import asyncio
from functools import partial
from typing import Final

from remit.pep.answer import Watching
from remit.pep.mcp.change_notifications import ChangeNotifications
from remit.pep.mcp.elicitations import Elicitations
from remit.pep.mcp.notices import change
from remit.pep.mcp.upstream_watches import AGREE_S, URIS_MAX, Following, Listener, UpstreamWatches, WatchFilter
from remit.pep.throttle import Busy
from remit.ports.upstream import ListChanged, Offer, ResourceUpdated

LINGER_S: Final = 60.0
"""How long changes are followed without a stream to tell them on."""


class TooManyResources(Exception):
    """More resources than one connection may follow."""


class ConnectionSubscriptions:
    """Of one connection. `changes` is what its standing stream carries."""

    def __init__(self, watches: UpstreamWatches, *, exposed: bool) -> None:
        self.changes = ChangeNotifications(partial(change, subscription=None))
        self.elicitations = Elicitations(exposed=exposed)
        """What the client was told to have opened."""
        self._following = Following(watches, self.changes, self.elicitations)
        self._listener: Listener | None = None
        self._lists = frozenset({Offer.TOOLS})
        self._resources: dict[tuple[str, str], None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._standing = False
        self._missed = False

    def stand(self, listener: Listener) -> None:
        """A stream stands from now on, until it does `rest`. Raises `Busy`."""
        self._standing = True
        self._missed = self.changes.anew() or self._missed
        self._follow(listener)
        if self._missed:
            self._missed = False
            for offer in self._lists:
                self.changes.put(ListChanged(offer))
            for server, uri in self._resources:
                self.changes.put(ResourceUpdated(listener.shown(server, uri)))

    def rest(self) -> None:
        """It does not any more; the client has a while to come back."""
        self._standing = False
        self._wait()

    def read(self, offer: Offer) -> None:
        """The client has read a list, and wants to know of changes; templates change with resources."""
        lists = self._lists | {Offer.RESOURCES if offer is Offer.TEMPLATES else offer}
        if lists != self._lists:
            self._lists = lists
            if self._standing:
                self._follow_on()

    async def subscribe(self, listener: Listener, server: str, uri: str) -> bool:
        """Follow a resource; whether that may be. Raises `TooManyResources` and `Busy`."""
        if (server, uri) not in self._resources and len(self._resources) >= URIS_MAX:
            raise TooManyResources
        before = dict(self._resources)
        self._resources[server, uri] = None
        try:
            agreed = self._follow(listener)[server]
        except Busy:
            self._resources = before
            raise
        await asyncio.wait([agreed], timeout=AGREE_S)
        if agreed.done() and uri not in agreed.result().uris:
            self.unsubscribe(server, uri)
            return False
        return True

    def unsubscribe(self, server: str, uri: str) -> None:
        """Follow it no more."""
        if self._resources.pop((server, uri), self) is None:
            self._follow_on()

    def stop(self) -> None:
        """The connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self._following.stop()

    def _follow_on(self) -> None:
        """Follow what is wanted by now; where there is no room for that, the client has to come back for it."""
        if self._listener is None:
            return
        try:
            self._follow(self._listener)
        except Busy:
            self.changes.end()

    def _follow(self, listener: Listener) -> "dict[str, asyncio.Future[Watching]]":
        self._listener = listener
        self._wait()
        lists = self._lists if self._standing else frozenset[Offer]()
        return self._following.follow(listener, WatchFilter(lists, frozenset(self._resources)))

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._standing:
            self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._lapse)

    def _lapse(self) -> None:
        self._missed = True
        self._following.stop()

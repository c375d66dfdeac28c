"""Who follows which changes: streams, and the upstream watches that they share.

Streams that want the same, of one server in one era with the same capabilities under the same token, share one
upstream watch: the server knows the client by these, and tells each of its connections its own. An agent has its share
of the watches of a server (`Throttle.may_watch`). Where a watch was interrupted, all of it may have changed.

Another bundle is a change too: of the lists that it filters. A stream that follows what people stopped ends: whoever
listens anew is told what is followed for him. Clients of the 2025 eras are told no such thing, so what they want and
may not hear of is looked at again: they hear of it once people let it act again, or another bundle allows it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from remit.facts.agent import Authority
from remit.facts.canonical import canonical
from remit.facts.tool import Tool
from remit.pep.answer import Client, Watching
from remit.pep.driver import Driver
from remit.pep.mcp.change_notifications import ChangeNotifications
from remit.pep.mcp.elicitations import Elicitations
from remit.pep.resource_names import exposed_uri
from remit.pep.throttle import Throttle
from remit.ports.upstream import Change, ElicitationCompleted, Era, ListChanged, Offer, ResourceUpdated

URIS_MAX: Final = 256
"""Resources that one stream follows."""
AGREE_S: Final = 5.0
"""How long servers may take to say what can be followed."""
LOOK_S: Final = 1.0
"""How often it is looked whether another bundle runs, or something was stopped."""
MISSED_MAX: Final = 10_000
"""Lists of servers that were left out and are not followed yet."""
RETRY_S: Final = 1.0
RETRY_S_MAX: Final = 60.0

Told: TypeAlias = Callable[[Change | None], None]
"""Is called with each change; with None once what is followed was stopped."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens, on the path of `server`; of all servers where it is None."""

    authority: Authority
    client: Client
    server: str | None

    def shown(self, server: str, uri: str) -> str:
        """`uri` of `server` as it is named on this path."""
        return uri if self.server is not None else exposed_uri(server, uri)


@dataclass(frozen=True, slots=True)
class WatchFilter:
    """What to follow: lists, and resources as `(server, uri)`."""

    offers: frozenset[Offer] = frozenset()
    uris: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Key:
    """What a watch is of, and as whom."""

    token: str
    server: str
    offers: frozenset[Offer]
    uris: frozenset[str]
    era: Era
    capabilities: bytes


@dataclass(slots=True)
class _Watch:
    """One upstream watch: for whom it is, what its server agreed to, and who is told.

    `may` is what is followed by now, None until that is known. All that is wanted was last judged `under` that bundle;
    `held`: while people had stopped some of it.
    """

    listener: Listener
    server: str
    shown: Sequence[Tool]
    agreed: "asyncio.Future[Watching]"
    told: set[Told] = field(default_factory=set[Told])
    task: "asyncio.Task[None] | None" = None
    may: Watching | None = None
    under: str = ""
    held: bool = False

    def tell(self, change: Change | None) -> None:
        """Tell everybody."""
        for listener in tuple(self.told):
            listener(change)


class UpstreamWatches:
    """The upstream watches of one service."""

    def __init__(self, driver: Driver, throttle: Throttle) -> None:
        self._driver = driver
        self._throttle = throttle
        self._all: dict[_Key, _Watch] = {}
        self._missed: dict[tuple[str, str, Offer], bool] = {}
        self._looking: asyncio.Task[None] | None = None

    @property
    def servers(self) -> tuple[str, ...]:
        """Every server there is."""
        return tuple(self._driver.servers)

    def may_join(self, listener: Listener, server: str, wanted: Watching, *, instead: bool) -> None:
        """Whether there is room to `join`, `instead` of another one that is left then. Raises `Busy`."""
        if self._running(_key(listener, server, wanted)) is None:
            self._throttle.may_watch(listener.authority.acting.agent, server, instead=instead)

    def join(
        self, listener: Listener, server: str, wanted: Watching, told: Told, granted: Watching | None
    ) -> "tuple[_Key, asyncio.Future[Watching]]":
        """Have `told` called for each change; what to `leave` by, and what the server agrees to.

        `granted` is what this listener is told of already.
        """
        key = _key(listener, server, wanted)
        watch = self._running(key)
        if watch is None:
            loop = asyncio.get_running_loop()
            tools = self._driver.list_tools(listener.authority, server)
            watch = self._all[key] = _Watch(listener, server, tools, loop.create_future())
            self._start(key, watch, granted, again=False)
        watch.told.add(told)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return key, watch.agreed

    def missed(self, authority: Authority, servers: Iterable[str], offer: Offer) -> None:
        """A list of `offer` was told without that of `servers`: who listens hears of it once they can be followed."""
        offer = Offer.RESOURCES if offer is Offer.TEMPLATES else offer
        for server in servers:
            if len(self._missed) >= MISSED_MAX:
                self._missed.pop(next(iter(self._missed)))
            self._missed[authority.token, server, offer] = True

    def leave(self, key: _Key, told: Told) -> None:
        """Call `told` no more."""
        watch = self._all.get(key)
        if watch is None:
            return
        watch.told.discard(told)
        if not watch.told:
            del self._all[key]
            if watch.task is not None:
                watch.task.cancel()

    def _start(self, key: _Key, watch: _Watch, granted: Watching | None, *, again: bool) -> None:
        loop = asyncio.get_running_loop()
        watch.task = loop.create_task(self._run(key, watch, granted, again=again))
        # The server is asked to end it, and may take its time: until then it is one.
        watch.task.add_done_callback(self._throttle.watch(watch.listener.authority.acting.agent, watch.server))

    def _running(self, key: _Key) -> _Watch | None:
        watch = self._all.get(key)
        return None if watch is None or watch.task is None or watch.task.done() else watch

    async def _look(self) -> None:
        """While something is watched: what was stopped ends; where another bundle runs, lists may be others too."""
        under = self._driver.bundle
        while self._all:
            await asyncio.sleep(LOOK_S)
            for key, watch in tuple(self._all.items()):
                if self._is_halted(watch) and watch.task is not None:
                    watch.task.cancel()
                    watch.tell(None)
                elif self._may_grow(key, watch) and watch.task is not None:
                    watch.task.cancel()
                    granted, watch.may = watch.may, None
                    watch.agreed = asyncio.get_running_loop().create_future()
                    self._start(key, watch, granted, again=True)
            if self._driver.bundle == under:
                continue
            under = self._driver.bundle
            for watch in tuple(self._all.values()):
                before, watch.shown = watch.shown, self._driver.list_tools(watch.listener.authority, watch.server)
                for offer in frozenset[Offer]() if watch.may is None else watch.may.offers:
                    if offer is not Offer.TOOLS or watch.shown != before:
                        watch.tell(ListChanged(offer))

    def _is_halted(self, watch: _Watch) -> bool:
        """Whether people stopped something that is followed."""
        may = watch.may
        if may is None or not (may.offers or may.uris):
            return False
        return self._driver.halted(watch.listener.authority, watch.server, may.uris) is not None

    def _holds(self, key: _Key, watch: _Watch) -> bool:
        return self._driver.halted(watch.listener.authority, key.server, key.uris) is not None

    def _may_grow(self, key: _Key, watch: _Watch) -> bool:
        """Whether more may be followed by now, for a client that was not told of what."""
        may = watch.may
        if key.era is not Era.INITIALIZE or may is None or (may.offers, may.uris) == (key.offers, key.uris):
            return False
        return watch.under != self._driver.bundle or (watch.held and not self._holds(key, watch))

    async def _run(self, key: _Key, watch: _Watch, granted: Watching | None, *, again: bool) -> None:
        """Tell of what changes; `again` where something was followed before, of which nobody knows what changed."""
        wait_s, listener = RETRY_S, watch.listener
        while not self._driver.authorization.stopped(listener.authority):
            # A server that ends its watches at once has nothing judged again by it: what was granted is, and no more.
            wanted = Watching(key.offers, key.uris) if watch.may is None else watch.may
            of = (listener.authority, listener.client, key.server, wanted.offers, wanted.uris)
            held, judged = self._holds(key, watch), False
            changes: AsyncGenerator[Watching | Change]
            changes = self._driver.watch(*of, granted if watch.may is None else watch.may)
            async with aclosing(changes):
                async for notice in changes:
                    if not isinstance(notice, Watching):
                        wait_s = RETRY_S
                        watch.tell(notice)
                        continue
                    if not judged:
                        judged = True
                        watch.under, watch.held = notice.bundle, held or self._holds(key, watch)
                    watch.may = notice
                    if not watch.agreed.done():
                        watch.agreed.set_result(notice)
                    if notice.live:
                        self._catch_up(key, watch, notice, again=again)
                    again = True
            if self._is_halted(watch):
                watch.tell(None)
                return
            if watch.may is not None and not (watch.may.offers or watch.may.uris):
                return
            # The server was lost, or offers nothing to watch.
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_S_MAX)

    def _catch_up(self, key: _Key, watch: _Watch, now: Watching, *, again: bool) -> None:
        """Tell what may have changed before it was followed: lists that were told without it, all of it `again`."""
        for change in now.changes:
            missed = False
            if isinstance(change, ListChanged):
                missed = self._missed.pop((key.token, key.server, change.offer), False)
            if missed or again:
                watch.tell(change)


def _key(listener: Listener, server: str, wanted: Watching) -> _Key:
    client = listener.client
    capabilities = canonical(client.capabilities)
    return _Key(listener.authority.token, server, wanted.offers, wanted.uris, client.era, capabilities)


class Following:
    """What one stream follows, and what its client was told to open. `stop` it at the end."""

    def __init__(
        self, watches: UpstreamWatches, changes: ChangeNotifications, elicitations: Elicitations | None = None
    ) -> None:
        self._watches = watches
        self._elicitations = elicitations
        self._changes = changes
        self._resources: frozenset[ResourceUpdated] = frozenset()
        self._agreed: dict[str, asyncio.Future[Watching]] = {}
        self._joined: dict[_Key, Told] = {}
        self._leaving: dict[_Key, Told] = {}

    def follow(self, listener: Listener, wanted: WatchFilter) -> "dict[str, asyncio.Future[Watching]]":
        """Follow `wanted` and nothing else, at once; what each server agrees to.

        Raises `Busy`; all is as before then.
        """
        by_server: dict[str, set[str]] = {}
        if wanted.offers:
            one = listener.server
            by_server = {server: set() for server in (self._watches.servers if one is None else (one,))}
        for server, uri in wanted.uris:
            by_server.setdefault(server, set()).add(uri)
        followed = {key.server for key in self._joined}
        each = {server: Watching(wanted.offers, frozenset(uris)) for server, uris in by_server.items()}
        for server, of in each.items():
            self._watches.may_join(listener, server, of, instead=server in followed)
        self._resources = frozenset(ResourceUpdated(listener.shown(server, uri)) for server, uri in wanted.uris)
        self._changes.keep(self._resources)
        agreed: dict[str, asyncio.Future[Watching]] = {}
        before, self._joined = self._joined, {}
        for server, of in each.items():
            told = partial(self._tell, listener, server)
            had = self._agreed.get(server)
            granted = had.result() if had is not None and had.done() else None
            key, agreed[server] = self._watches.join(listener, server, of, told, granted)
            self._joined[key] = told
        for key, told in before.items():
            next_one = agreed.get(key.server)
            if next_one is None:
                self._watches.leave(key, told)
            else:
                # What was followed is followed on until its successor hears, so that nothing falls between.
                self._leaving[key] = told
                next_one.add_done_callback(partial(self._succeeded, key, told))
        self._agreed = agreed
        return agreed

    def stop(self) -> None:
        """Follow nothing any more."""
        for joined in (self._joined, self._leaving):
            for key, told in joined.items():
                self._watches.leave(key, told)
            joined.clear()
        self._agreed = {}

    def _tell(self, listener: Listener, server: str, notice: Change | None) -> None:
        if notice is None:
            self._changes.end()
            return
        if isinstance(notice, ResourceUpdated):
            notice = ResourceUpdated(listener.shown(server, notice.uri))
            # A watch that waits for its successor still hears of what is not followed any more.
            if notice not in self._resources:
                return
        elif isinstance(notice, ElicitationCompleted):
            elicitations = self._elicitations
            exposed_name = None if elicitations is None else elicitations.completed(server, notice.elicitation)
            if exposed_name is None:
                return
            notice = ElicitationCompleted(exposed_name)
        self._changes.put(notice)

    def _succeeded(self, key: _Key, told: Told, _next: object) -> None:
        if self._leaving.get(key) is told:
            del self._leaving[key]
        self._watches.leave(key, told)

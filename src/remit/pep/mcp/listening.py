"""Changes of lists and resources on their way to who listens: each told once, late rather than not at all.

A change says only that something is worth asking for again, so the same one is told once for any number
of times it came meanwhile.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from remit.facts.agent import Authority
from remit.pep.answer import Client, Watching
from remit.pep.driver import Driver
from remit.pep.mcp import rpc
from remit.pep.mcp.exposing import exposed_uri
from remit.ports.upstream import Changed, Offer, Updated

PENDING_MAX: Final = 1_024
"""Changes not yet told; whoever reads more slowly asks for everything again."""
URIS_MAX: Final = 256
"""Resources that one stream follows."""
AGREE_S: Final = 5.0
"""How long servers may take to say what can be followed."""
RETRY_S: Final = 1.0
RETRY_S_MAX: Final = 60.0


class Changes:
    """What changed and was not told yet, for one stream; `write` makes the message."""

    def __init__(self, write: Callable[[Changed | Updated], bytes]) -> None:
        self.changed = asyncio.Event()
        self._write = write
        self._pending: dict[Changed | Updated, None] = {}
        self._lost = False

    def put(self, notice: Changed | Updated) -> None:
        """Have `notice` told."""
        if notice not in self._pending and len(self._pending) >= PENDING_MAX:
            self._lost = True
        else:
            self._pending[notice] = None
        self.changed.set()

    def take(self) -> bytes:
        """The events to send now."""
        events = b"".join(rpc.event(self._write(notice)) for notice in self._pending)
        self._pending.clear()
        return events

    @property
    def done(self) -> bool:
        """Whether something was lost: the client must listen anew."""
        return self._lost


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
class Wanted:
    """What to follow: lists, and resources as `(server, uri)`."""

    offers: frozenset[Offer] = frozenset()
    uris: frozenset[tuple[str, str]] = frozenset()


class Following:
    """The upstream watches behind one stream. `stop` it at the end."""

    def __init__(self, driver: Driver, listener: Listener, changes: Changes) -> None:
        self._driver = driver
        self._listener = listener
        self._changes = changes
        self._tasks: dict[tuple[str, frozenset[Offer], frozenset[str]], asyncio.Task[None]] = {}

    def follow(self, wanted: Wanted) -> "dict[str, asyncio.Future[Watching]]":
        """Follow `wanted` and nothing else; what each server agrees to that was not followed so before."""
        by_server: dict[str, set[str]] = {}
        if wanted.offers:
            one = self._listener.server
            by_server = {server: set() for server in (self._driver.servers if one is None else (one,))}
        for server, uri in wanted.uris:
            by_server.setdefault(server, set()).add(uri)
        loop = asyncio.get_running_loop()
        agreed: dict[str, asyncio.Future[Watching]] = {}
        before, self._tasks = self._tasks, {}
        for server, uris in by_server.items():
            key = (server, wanted.offers, frozenset(uris))
            task = before.pop(key, None)
            if task is None:
                first = agreed[server] = loop.create_future()
                task = loop.create_task(self._follow(server, wanted.offers, frozenset(uris), first))
            self._tasks[key] = task
        for task in before.values():
            task.cancel()
        return agreed

    def stop(self) -> None:
        """Follow nothing any more."""
        self.follow(Wanted())

    async def _follow(
        self, server: str, offers: frozenset[Offer], uris: frozenset[str], first: "asyncio.Future[Watching]"
    ) -> None:
        listener = self._listener
        wait_s = RETRY_S
        while True:
            watch = self._driver.watch(listener.authority, listener.client, server, offers, uris)
            async with aclosing(watch):
                async for notice in watch:
                    match notice:
                        case Watching():
                            if not first.done():
                                first.set_result(notice)
                            if not (notice.offers or notice.uris):
                                return
                        case Changed():
                            wait_s = RETRY_S
                            self._changes.put(notice)
                        case Updated(uri):
                            wait_s = RETRY_S
                            self._changes.put(Updated(listener.shown(server, uri)))
            if self._driver.stopped(listener.authority):
                return
            # The server was lost, or offers nothing to watch.
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_S_MAX)

"""The servers that the running bundle names, each behind one upstream."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from remit.facts.catalog import Server
from remit.ports.upstream import MonitoredUpstream, ServerHealth, Upstream


class Fleet:
    """Keeps one upstream per server; a server whose declaration changed gets a new one.

    `upstreams` is a live view: enforcement points hold it across changes.
    """

    def __init__(self, build: Callable[[Server], MonitoredUpstream]) -> None:
        self._build = build
        self._declared: dict[str, Server] = {}
        self._upstreams: dict[str, MonitoredUpstream] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def upstreams(self) -> Mapping[str, Upstream]:
        """Upstreams by server name, as they are at each look."""
        return MappingProxyType(self._upstreams)

    @property
    def health(self) -> Mapping[str, ServerHealth]:
        """How each upstream fares now; asks none of them."""
        return {name: upstream.health() for name, upstream in self._upstreams.items()}

    def look(self) -> None:
        """See `MonitoredUpstream.look`, of each."""
        for upstream in self._upstreams.values():
            upstream.look()

    def take(self, servers: Mapping[str, Server]) -> None:
        """Make `servers` the fleet. What left is closed in the background."""
        for name in [name for name in self._declared if self._declared[name] != servers.get(name)]:
            del self._declared[name]
            closing = asyncio.ensure_future(self._upstreams.pop(name).close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        for name, server in servers.items():
            if name not in self._declared:
                self._upstreams[name] = self._build(server)
                self._declared[name] = server

    async def close(self) -> None:
        """Close everything and wait for it."""
        upstreams = tuple(self._upstreams.values())
        self._upstreams.clear()
        self._declared.clear()
        await asyncio.gather(*(upstream.close() for upstream in upstreams), *self._closing, return_exceptions=True)

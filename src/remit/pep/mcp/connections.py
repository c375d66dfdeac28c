"""Connections of the `initialize` era: transport state only, never a session of Remit.

A connection belongs to the authority and the path that opened it; naming another's is the same
as naming none. What it holds can be lost at any time: a client then initializes again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final, TypeAlias

from remit.facts.agent import Authority, Link
from remit.facts.canonical import Json
from remit.pep.mcp.client_requests import ClientRequests
from remit.pep.mcp.connection_subscriptions import ConnectionSubscriptions
from remit.pep.mcp.rpc import Ident
from remit.ports.system import Clock, Entropy

CONNECTIONS_MAX: Final = 20_000
IDLE_S: Final = 3_600.0

Owner: TypeAlias = tuple[tuple[Link, ...], str | None, str | None]


class Crowded(Exception):
    """Every place is taken by a connection in use."""


@dataclass(slots=True)
class Connection:
    """One client after `initialize`. `running` maps request ids in flight to their tasks.

    `capabilities` are those it declared, of the kinds that Remit knows; `level` the logs it asked for.
    `subscriptions` is what it wants to hear of.
    """

    ident: str
    owner: Owner
    version: str
    used_s: float
    subscriptions: ConnectionSubscriptions
    capabilities: Mapping[str, Json] = field(default_factory=dict[str, Json])
    level: str | None = None
    questions: ClientRequests = field(default_factory=ClientRequests)
    running: dict[Ident, "asyncio.Task[object]"] = field(default_factory=dict)
    cancelled: set[Ident] = field(default_factory=set)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    streaming: bool = False

    @property
    def busy(self) -> bool:
        """Whether a request or a stream is open on it."""
        return self.streaming or bool(self.running)

    def cancel(self, ident: Ident) -> None:
        """Cancel the request `ident` if it is in flight here."""
        task = self.running.get(ident)
        if task is not None and ident not in self.cancelled:
            self.cancelled.add(ident)
            task.cancel()


class Connections:
    """All of them, bounded; `hears` makes the ears of each on its path, `ended` is told of each that is no more."""

    def __init__(
        self,
        clock: Clock,
        entropy: Entropy,
        hears: Callable[[str | None], ConnectionSubscriptions],
        ended: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._hears = hears
        self._entropy = entropy
        self._ended = ended
        self._all: dict[str, Connection] = {}
        self._by_agent: dict[str, OrderedDict[str, Connection]] = {}
        """Those of each agent, the one that was used last at the end: room is made without a look at them all."""

    def open(
        self,
        authority: Authority,
        server: str | None,
        version: str,
        capabilities: Mapping[str, Json] | None = None,
    ) -> Connection:
        """A new connection; drops idle ones first when there are too many. Raises `Crowded`."""
        now = self._clock.monotonic_s()
        if len(self._all) >= CONNECTIONS_MAX:
            self._drop_idle(now)
        ident = self._entropy.token_bytes(18).hex()
        owner = (authority.links, authority.user, server)
        connection = Connection(ident, owner, version, now, self._hears(server), capabilities or {})
        self._all[ident] = connection
        self._by_agent.setdefault(_agent(connection), OrderedDict())[ident] = connection
        return connection

    def find(self, ident: str, authority: Authority, server: str | None) -> Connection | None:
        """The connection `ident`, if it is this authority's on this path."""
        connection = self._all.get(ident)
        if connection is None or connection.owner != (authority.links, authority.user, server):
            return None
        connection.used_s = self._clock.monotonic_s()
        self._by_agent[_agent(connection)].move_to_end(ident)
        return connection

    def close(self, connection: Connection) -> None:
        """Forget it, end its stream and cancel what runs on it."""
        if self._all.pop(connection.ident, None) is not None:
            held = self._by_agent[_agent(connection)]
            del held[connection.ident]
            if not held:
                del self._by_agent[_agent(connection)]
        connection.closed.set()
        connection.subscriptions.stop()
        for ident in tuple(connection.running):
            connection.cancel(ident)
        self._ended(connection.ident)

    def _drop_idle(self, now: float) -> None:
        old = [connection for connections in self._by_agent.values() for connection in _unused(connections, now)]
        # Who holds the most makes room first, so that one agent cannot shut out the others.
        for connection in old or [_longest_idle(sorted(self._by_agent.values(), key=len, reverse=True))]:
            self.close(connection)


def _unused(connections: Mapping[str, Connection], now: float) -> list[Connection]:
    """Those of one agent that nobody used for long."""
    long_ago = takewhile(lambda connection: now - connection.used_s > IDLE_S, connections.values())
    return [connection for connection in long_ago if not connection.busy]


def _longest_idle(ranked: Iterable[Mapping[str, Connection]]) -> Connection:
    """The first that is idle of the first agent that has one. Raises `Crowded`."""
    for connections in ranked:
        for connection in connections.values():
            if not connection.busy:
                return connection
    raise Crowded


def _agent(connection: Connection) -> str:
    links, _, _ = connection.owner
    return links[-1].agent

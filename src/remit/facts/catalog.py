"""What a workspace declares, in the form that is compiled: servers, people, routes, and the tools that were accepted.

Built by `control` from resources and `remit.lock`, never from a live list. Frozen; names are checked where it is built.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from remit.facts.admission import Admission
from remit.facts.agent import Agent, User
from remit.facts.breaker import Breaker
from remit.facts.budget import Budget
from remit.facts.credential import OAuth, Secret
from remit.facts.finding import Find, labels_of
from remit.facts.guarantee import Guarantee
from remit.facts.label import Labels
from remit.facts.monitor import Monitor
from remit.facts.source import Watched
from remit.facts.tool import UNCATALOGUED_SOURCE, Sink, Tool

SERVER_NAME: Final = re.compile(r"[a-z0-9-]{1,24}")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")


@dataclass(frozen=True, slots=True)
class Stdio:
    """A server started as a child process: argument vector and the only variables it gets."""

    command: tuple[str, ...]
    env: Mapping[str, str | Secret] = field(default_factory=lambda: MappingProxyType({}))
    cwd: str | None = None


@dataclass(frozen=True, slots=True)
class Http:
    """A server reached over streamable HTTP at `url`, with these `headers`, or a login by `oauth`.

    `private` lets a public name in `url` lead to addresses of this machine or the network around it.
    """

    url: str
    headers: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))
    oauth: OAuth | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """A tool server. `shared` lets sessions share one stdio child, one call in flight.

    `verify_s` is how old the last comparison of its live tools with their pins may be when a
    call is forwarded; 0 compares before every call. `call_s` is how long one call may take. `source`
    are the labels that all but its tools bring: resources, prompts, lists, instructions. `detects` is what is looked
    for in all that it says, `detects_sent` in what is sent to it. `declared_sink` is where goes what is asked of all
    but its tools: addresses of resources, arguments of prompts; None where its resource does not say.
    """

    name: str
    transport: Stdio | Http
    shared: bool = False
    verify_s: float = 1.0
    call_s: float = 60.0
    source: Labels = UNCATALOGUED_SOURCE
    detects: frozenset[Find] = frozenset()
    declared_sink: Sink | None = None
    detects_sent: frozenset[Find] = frozenset()

    @property
    def sink(self) -> Sink:
        """Where that goes: the worst case where nothing is declared."""
        return Sink.EXTERNAL if self.declared_sink is None else self.declared_sink


@dataclass(frozen=True, slots=True)
class Route:
    """Who decides a gate: any member of `groups` or `users`, `count` of them.

    `hold_s`: how long the caller is kept waiting; `expires_s`: how long the approval stays open and, once given,
    claimable. `requester_may_approve` and `shared` (one person counting here as well as for another route of the same
    approval) are off unless said. With `distinct_groups` each of the `count` sits for another of the `groups`. Where
    nobody ended it within `next_after_s`, the people of the route `next` may decide in their place as well. `channels`
    are names of where people are told. `edits`: whether they may approve other arguments than were asked for; `strong`:
    whether their yes has to be confirmed beyond a token. Members of `break_glass` may lift it alone in an emergency.
    """

    name: str
    groups: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    count: int = 1
    hold_s: float = 30.0
    expires_s: float = 3600.0
    requester_may_approve: bool = False
    shared: bool = False
    distinct_groups: bool = False
    next: str | None = None
    next_after_s: float = 900.0
    channels: tuple[str, ...] = ()
    edits: bool = False
    strong: bool = False
    break_glass: frozenset[str] = frozenset()


class Topic(StrEnum):
    """What a channel may be about beside the approvals of routes that name it."""

    DRIFT = "drift"
    INCIDENTS = "incidents"
    HALTS = "halts"


@dataclass(frozen=True, slots=True)
class Channel:
    """Where people are told that something waits: `url` takes webhooks, which `secret` signs.

    It hears of the approvals of the routes that name it, and of what it is `about`.
    """

    name: str
    url: str
    secret: Secret
    about: frozenset[Topic] = frozenset()


@dataclass(frozen=True, slots=True)
class PolicySource:
    """One `.cedar` file: its path inside the workspace and its text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything a bundle is compiled from. Tools are keyed by `(server, tool name)`."""

    agents: Mapping[str, Agent]
    users: Mapping[str, User]
    groups: frozenset[str]
    servers: Mapping[str, Server]
    tools: Mapping[tuple[str, str], Tool]
    routes: Mapping[str, Route]
    policies: tuple[PolicySource, ...]
    session_hours_max: float = 24.0
    channels: Mapping[str, Channel] = field(default_factory=lambda: MappingProxyType({}))
    sources: Mapping[str, Watched] = field(default_factory=lambda: MappingProxyType({}))
    budgets: Mapping[str, Budget] = field(default_factory=lambda: MappingProxyType({}))
    breakers: Mapping[str, Breaker] = field(default_factory=lambda: MappingProxyType({}))
    monitors: Mapping[str, Monitor] = field(default_factory=lambda: MappingProxyType({}))
    guarantees: Mapping[str, Guarantee] = field(default_factory=lambda: MappingProxyType({}))
    admission: Admission | None = None

    @property
    def labels(self) -> Labels:
        """Every label that some tool, part of its results, server or detector brings, with the two family names."""
        labels = [tool.brings for tool in self.tools.values()]
        sources = [server.source | labels_of(server.detects | server.detects_sent) for server in self.servers.values()]
        return frozenset({"untrusted", "confidential"}).union(*labels, *sources)

    def looked_for_at(self, server: str) -> frozenset[Find]:
        """What detectors look for in what is sent to `server`."""
        return self.servers[server].detects_sent if server in self.servers else frozenset()

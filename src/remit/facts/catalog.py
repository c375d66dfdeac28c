"""What a workspace declares, in the form that is compiled: servers, tools, people, routes.

Built by `control` from resources and `remit.lock`, never from a live list. Frozen; names are checked where it is built.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from remit.facts.admission import Admission
from remit.facts.agent import Agent, User
from remit.facts.breaker import Breaker
from remit.facts.budget import Budget
from remit.facts.canonical import Json, canonical, digest
from remit.facts.credential import OAuth, Secret
from remit.facts.finding import Find, labels_of
from remit.facts.guarantee import Guarantee
from remit.facts.impact import NONE as NO_IMPACT
from remit.facts.impact import Extractors
from remit.facts.label import Labels
from remit.facts.monitor import Monitor
from remit.facts.origin import Role
from remit.facts.preview import Preview
from remit.facts.results import Part, ResultFormat
from remit.facts.source import Watched
from remit.facts.store import Store

SERVER_NAME: Final = re.compile(r"[a-z0-9-]{1,24}")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")
EXPOSED_MAX: Final = 64
UNCATALOGUED_SOURCE: Final[Labels] = frozenset({"untrusted"})


class Effect(StrEnum):
    """What a tool does to the world."""

    READ = "read"
    WRITE = "write"
    IRREVERSIBLE = "irreversible"


class Sink(StrEnum):
    """Where a tool's arguments go."""

    NONE = "none"
    INTERNAL = "internal"
    EXTERNAL = "external"


class Shows(StrEnum):
    """What of an action an argument is, to a person who decides on it."""

    RECIPIENTS = "recipients"
    ROWS = "rows"
    FILES = "files"
    BEFORE = "before"
    AFTER = "after"


@lru_cache(maxsize=4_096)
def exposed_name(server: str, tool: str) -> str:
    """`server___tool`, at most 64 characters; longer or unusual names end in a stable hash."""
    plain = f"{server}___{tool}"
    if len(plain) <= EXPOSED_MAX and re.fullmatch(r"[A-Za-z0-9_.-]+", plain):
        return plain
    mark = hashlib.sha256(plain.encode("utf-8")).hexdigest()[:8]
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", plain)
    return f"{safe[: EXPOSED_MAX - 9]}_{mark}"


@dataclass(frozen=True, slots=True)
class Definition:
    """A tool as its server describes it; the part of it that is pinned.

    `title`, icons and `_meta` are not pinned: nothing Remit or a policy reads hangs on them,
    and they are never listed to agents.
    """

    name: str
    description: str
    input_schema: Mapping[str, Json]
    output_schema: Mapping[str, Json] | None
    annotations: Mapping[str, Json]

    def to_json(self) -> Mapping[str, Json]:
        """The five pinned members under their protocol names; absent ones left out."""
        members: dict[str, Json] = {
            "name": self.name,
            "description": self.description,
            "inputSchema": self.input_schema,
        }
        if self.output_schema is not None:
            members["outputSchema"] = self.output_schema
        if self.annotations:
            members["annotations"] = self.annotations
        return members

    def pin(self) -> str:
        """`sha256:…` over the canonical form of the pinned members."""
        return digest(canonical(self.to_json()))


@dataclass(frozen=True, slots=True)
class Argument:
    """What the catalog says of one argument of a tool, by its name at the root of the input schema.

    A `secret` one is never recorded: only a keyed hash of it is. One without a `role` is a target where the
    tool has an effect. `shows` is what people who decide are shown it as.
    """

    secret: bool = False
    role: Role | None = None
    shows: Shows | None = None


@dataclass(frozen=True, slots=True)
class Idempotent:
    """How a tool knows that it was asked before: by its own `argument`, or by what Remit says under `meta` in `_meta`.

    Exactly one of them is there. What was asked under the same key a second time has no second effect.
    """

    argument: str = ""
    meta: str = ""

    def to_json(self) -> dict[str, Json]:
        """As YAML spells it."""
        return {"argument": self.argument} if self.argument else {"meta": self.meta}


@dataclass(frozen=True, slots=True)
class Tool:
    """An accepted tool: its pinned definition and what the catalog says of it.

    The defaults are the worst case, which is what a tool accepted without a catalog entry is. `store` is
    where it keeps what it is told; one that is not `catalogued` may reach all stores of its server.
    `asks` are the words by which a user asks for it, in lower case. `results` are the parts of its results of
    which more is known than `source` says of the whole; their text is read as `format`. `brief` says to people
    what a call does: verb, object and magnitude, `{name}` standing for an argument and `{name.count}` for how many
    values it has. `impact` finds in its arguments how much a call moves. `idempotent` says how it knows that it was
    asked before; without, it is never asked again by itself. `preview` says how it tells what a call would do.
    """

    server: str
    definition: Definition
    pin: str
    effect: Effect = Effect.IRREVERSIBLE
    sink: Sink = Sink.EXTERNAL
    source: Labels = UNCATALOGUED_SOURCE
    tags: frozenset[str] = frozenset()
    catalogued: bool = False
    arguments: Mapping[str, Argument] = field(default_factory=lambda: MappingProxyType({}))
    asks: frozenset[str] = frozenset()
    results: tuple[Part, ...] = ()
    format: ResultFormat = ResultFormat.JSON
    store: Store | None = None
    brief: str = ""
    impact: Extractors = field(default_factory=lambda: NO_IMPACT)
    idempotent: Idempotent | None = None
    preview: Preview | None = None
    secrets: frozenset[str] = field(init=False, repr=False, compare=False)
    """The names of the arguments that hold secrets."""
    roles: Mapping[str, Role] = field(init=False, repr=False, compare=False)
    """Of the arguments whose role the catalog says."""
    defaults: Mapping[str, Json] = field(init=False, repr=False, compare=False)
    """What its schema says that an argument is where it is left out; no `null`, which says nothing."""

    def __post_init__(self) -> None:
        secrets = frozenset(name for name, argument in self.arguments.items() if argument.secret)
        roles = {name: argument.role for name, argument in self.arguments.items() if argument.role is not None}
        object.__setattr__(self, "secrets", secrets)
        object.__setattr__(self, "roles", MappingProxyType(roles))
        object.__setattr__(self, "defaults", MappingProxyType(defaults_of(self.definition.input_schema)))

    def with_defaults(self, arguments: Mapping[str, Json]) -> Mapping[str, Json]:
        """`arguments` with what its schema says that those that are left out are."""
        return arguments if self.defaults.keys() <= arguments.keys() else {**self.defaults, **arguments}

    @property
    def name(self) -> str:
        """The tool's own name at its server."""
        return self.definition.name

    @property
    def brings(self) -> Labels:
        """Every label that some part of its results brings."""
        return self.source.union(*(part.labels for part in self.results)) if self.results else self.source

    @property
    def worst(self) -> Labels:
        """The labels of results whose parts cannot be told apart; where the catalog tells some, `untrusted` too."""
        return self.brings | UNCATALOGUED_SOURCE if self.results else self.source

    @property
    def exposed(self) -> str:
        """The name under `/mcp` and of the Cedar action: `server___tool`."""
        return exposed_name(self.server, self.definition.name)


def defaults_of(schema: Mapping[str, Json]) -> dict[str, Json]:
    """What an input schema says that an argument is where it is left out; no `null`, which says nothing."""
    properties = schema.get("properties")
    items = properties.items() if isinstance(properties, Mapping) else ()
    return {name: one["default"] for name, one in items if isinstance(one, Mapping) and one.get("default") is not None}


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

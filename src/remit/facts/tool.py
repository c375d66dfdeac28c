"""A tool as its server describes it and as it was accepted: what is pinned, and what the catalog says of it.

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

from remit.facts.canonical import Json, canonical, digest
from remit.facts.impact import NONE as NO_IMPACT
from remit.facts.impact import Extractors
from remit.facts.label import Labels
from remit.facts.origin import Role
from remit.facts.preview import Preview
from remit.facts.results import Part, ResultFormat
from remit.facts.store import Store

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
    _pin: str = field(default="", init=False, repr=False, compare=False)

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
        """`sha256:…` over the canonical form of the pinned members, hashed once."""
        if not self._pin:
            object.__setattr__(self, "_pin", digest(canonical(self.to_json())))
        return self._pin


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

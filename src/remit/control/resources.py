"""Resources as people declare them, before anything is resolved: plain frozen values.

Adapters parse and shape-check them; `assemble` gives them meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from remit.control.lock import EMPTY, Lock
from remit.control.problems import SourceLocation, WorkspaceProblem
from remit.facts.admission import AdmissionTerms
from remit.facts.agent import Harness, Mode
from remit.facts.breaker import BreakerSubject, On
from remit.facts.budget import Measure, Per
from remit.facts.catalog import PolicySource, Topic
from remit.facts.credential import OAuth, Secret
from remit.facts.finding import Find
from remit.facts.guarantee import GuaranteeRule
from remit.facts.impact import NONE as NO_IMPACT
from remit.facts.impact import Extractors
from remit.facts.monitor import KEYS_MAX, EventAggregate, Happening, MonitorScope
from remit.facts.preview import Preview
from remit.facts.results import Part, ResultFormat
from remit.facts.source import Watches
from remit.facts.store import StoreAccess
from remit.facts.tool import Argument, Effect, Idempotent, Sink

API_VERSION: Final = "remit.dev/v1alpha1"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_NO_SECRETS: Final[Mapping[str, Secret]] = MappingProxyType({})
_NO_ENV: Final[Mapping[str, str | Secret]] = MappingProxyType({})
_NO_ARGUMENTS: Final[Mapping[str, Argument]] = MappingProxyType({})
_NOWHERE: Final[Mapping[str, int]] = MappingProxyType({})


class ResourceKind(StrEnum):
    """The kinds of resource that this version knows."""

    AGENT = "Agent"
    USER = "User"
    GROUP = "Group"
    SERVER = "Server"
    TOOL = "Tool"
    POLICY = "Policy"
    ROUTE = "Route"
    CHANNEL = "Channel"
    SOURCE = "Source"
    BUDGET = "Budget"
    BREAKER = "Breaker"
    MONITOR = "Monitor"
    GUARANTEE = "Guarantee"
    ADMISSION = "Admission"


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """`groups` are those named directly."""

    owner: str
    purpose: str
    groups: tuple[str, ...] = ()
    harness: Harness = Harness.UNTRUSTED
    mode: Mode = Mode.ENFORCE


@dataclass(frozen=True, slots=True)
class UserSpec:
    """`groups` are those named directly."""

    groups: tuple[str, ...] = ()
    person: str | None = None


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """`groups` are the parents: members of this group are members of those too."""

    description: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """Exactly one of `command` and `url`.

    `env` and `cwd` go with `command` only, `headers`, `oauth` and `private` with `url` only. `source` left out
    (None) keeps the worst case, and so does `sink`. `detects` is what is looked for in all that it says,
    `detects_sent` in what is sent to it.
    """

    command: tuple[str, ...] | None = None
    env: Mapping[str, str | Secret] = field(default_factory=lambda: _NO_ENV)
    cwd: str | None = None
    url: str | None = None
    shared: bool = False
    verify_s: float = 1.0
    call_s: float = 60.0
    headers: Mapping[str, Secret] = field(default_factory=lambda: _NO_SECRETS)
    oauth: OAuth | None = None
    source: tuple[str, ...] | None = None
    private: bool = False
    detects: frozenset[Find] = frozenset()
    sink: Sink | None = None
    detects_sent: frozenset[Find] = frozenset()


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """Where a tool keeps what it is told: `name` left out is its server's own; `keys` are arguments."""

    keys: tuple[str, ...] = ()
    name: str | None = None
    access: StoreAccess | None = None


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What is left out (None) keeps the worst case; `source=()` says that results bring nothing.

    `arguments` are those of which there is something to say, `results` the parts of results; `brief` says what a
    call does, `impact` how much it moves, `idempotent` how it knows that it was asked before, `preview` how it says
    what a call would do.
    """

    effect: Effect | None = None
    sink: Sink | None = None
    source: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    description: str = ""
    arguments: Mapping[str, Argument] = field(default_factory=lambda: _NO_ARGUMENTS)
    store: StoreSpec | None = None
    asks: tuple[str, ...] = ()
    results: tuple[Part, ...] = ()
    format: ResultFormat = ResultFormat.JSON
    brief: str = ""
    impact: Extractors = field(default_factory=lambda: NO_IMPACT)
    idempotent: Idempotent | None = None
    preview: Preview | None = None


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """Cedar text inside YAML; `line` is the line of the file on which the text begins."""

    cedar: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """Who decides a gate; see `facts.catalog.Route` for the units."""

    groups: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
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
    break_glass: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """Where people are told that something waits; `secret` signs what is sent. See `facts.catalog.Channel`."""

    url: str
    secret: Secret
    about: tuple[Topic, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What is looked at for agents; see `facts.source.Watched`."""

    watches: Watches
    path: str | None = None
    homes: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    processes: bool = True
    every_s: float = 600.0


@dataclass(frozen=True, slots=True)
class BudgetSpec:
    """How much may be spent; see `facts.budget.Budget`. Money as people write it."""

    measure: Measure
    per: Per
    hard: float
    window_s: int
    of: str | None = None
    soft: float | None = None
    route: str | None = None
    tools: tuple[str, ...] = ()
    each: int | None = None


@dataclass(frozen=True, slots=True)
class BreakerSpec:
    """What is too much, and for how long it then rests; see `facts.breaker.Breaker`."""

    on: On
    over: BreakerSubject
    limit: int
    of: str | None = None
    within_s: float = 60.0
    open_s: float = 30.0
    trials: int = 1
    of_least: int = 10
    slow_ms: float = 10_000.0


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """How far back events count, in seconds; None: for ever. `step_s` left out: a sixtieth of it."""

    within_s: float | None = None
    step_s: float | None = None


NO_WINDOW: Final = WindowSpec()


@dataclass(frozen=True, slots=True)
class MonitorSpec:
    """What of earlier events policies may ask for; see `facts.monitor.Monitor`. `awaited` left out: as is usual."""

    op: EventAggregate
    events: tuple[Happening, ...]
    scope: MonitorScope = MonitorScope.SESSION
    window: WindowSpec = NO_WINDOW
    unless: tuple[Happening, ...] = ()
    by: str | None = None
    others: tuple[tuple[str, str], ...] = ()
    keys: int = KEYS_MAX
    measure: str | None = None
    awaited: bool | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class GuaranteeSpec:
    """What must hold of the whole; see `facts.guarantee.Guarantee`. `holds` are those that it names, windows aside."""

    owner: str
    holds: tuple[tuple[str, GuaranteeRule, WindowSpec], ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class AdmissionSpec:
    """What a change has to show before it runs; see `facts.admission.AdmissionTerms`."""

    terms: AdmissionTerms


Spec: TypeAlias = (
    AgentSpec
    | UserSpec
    | GroupSpec
    | ServerSpec
    | ToolSpec
    | PolicySpec
    | RouteSpec
    | ChannelSpec
    | SourceSpec
    | BudgetSpec
    | BreakerSpec
    | MonitorSpec
    | GuaranteeSpec
    | AdmissionSpec
)


@dataclass(frozen=True, slots=True)
class Resource:
    """One document of the workspace.

    `where` is its first line; `lines` maps dotted paths (`spec.groups.0`) to lines, for messages.
    """

    name: str
    spec: Spec
    where: SourceLocation
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    lines: Mapping[str, int] = field(default_factory=lambda: _NOWHERE)

    @property
    def kind(self) -> ResourceKind:
        """The kind that the spec belongs to."""
        return kind_of(self.spec)

    def at(self, path: str) -> SourceLocation:
        """The place of the field at `path`, or of the nearest one around it that is known."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return SourceLocation(self.where.file, self.lines[path] if path else self.where.line)


@dataclass(frozen=True, slots=True)
class WorkspaceSource:
    """A workspace as read: what could be read, and the problems met in reading the rest.

    `policies` are the `.cedar` files, `cases` those of cases, by path and text. With any error among
    `problems`, nothing is assembled.
    """

    resources: tuple[Resource, ...] = ()
    policies: tuple[PolicySource, ...] = ()
    lock: Lock = EMPTY
    problems: tuple[WorkspaceProblem, ...] = ()
    cases: tuple[tuple[str, str], ...] = ()


_KINDS: Final[Mapping[type[Spec], ResourceKind]] = MappingProxyType(
    {
        AgentSpec: ResourceKind.AGENT,
        UserSpec: ResourceKind.USER,
        GroupSpec: ResourceKind.GROUP,
        ServerSpec: ResourceKind.SERVER,
        ToolSpec: ResourceKind.TOOL,
        PolicySpec: ResourceKind.POLICY,
        RouteSpec: ResourceKind.ROUTE,
        ChannelSpec: ResourceKind.CHANNEL,
        SourceSpec: ResourceKind.SOURCE,
        BudgetSpec: ResourceKind.BUDGET,
        BreakerSpec: ResourceKind.BREAKER,
        MonitorSpec: ResourceKind.MONITOR,
        GuaranteeSpec: ResourceKind.GUARANTEE,
        AdmissionSpec: ResourceKind.ADMISSION,
    }
)


def kind_of(spec: Spec) -> ResourceKind:
    """The kind that `spec` belongs to."""
    return _KINDS[type(spec)]

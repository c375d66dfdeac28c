"""What the control API needs of the rest of Remit, as interfaces that `app` fills.

`EnforcementDriver` is that of `remit.pep.driver`, `ServiceRuntime` the running bundle with its
workspace and upstreams (`remit.app.service.runtime`). Light to import: no FastAPI, no pydantic.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from remit.api.authenticator import Authenticator
from remit.api.in_force import BundleProgress, DoctorCheck, InForce
from remit.api.interfaces.admissions import AdmissionControl
from remit.api.interfaces.discovery import DiscoveryControl
from remit.api.interfaces.driver import EnforcementDriver
from remit.api.interfaces.incidents import IncidentControl
from remit.api.interfaces.limits import Scopes
from remit.api.invitations import Invitations
from remit.control.adoption import AdoptionCount
from remit.control.resources import AgentSpec, ResourceKind
from remit.control.suggest import SuggestedSpec
from remit.control.suggest_change import SuggestionChange
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.ports.credentials import Logins
from remit.ports.ledger import Entry, Ledger
from remit.ports.passkeys import Passkeys
from remit.ports.record_search import FoundRecords, RecordSearch
from remit.ports.signer import Signer
from remit.ports.system import Clock, Entropy
from remit.ports.transparency import Erasing, Transparency
from remit.trace.bodies import Event


@dataclass(frozen=True, slots=True)
class RunningResource:
    """One resource of the running bundle; `where` is its file and line in the workspace.

    `manifest` has `apiVersion, kind, metadata, spec, status`.
    """

    kind: str
    name: str
    manifest: Mapping[str, Json]
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the running bundle and the workspace.

    `op` is `add`, `change` or `remove`; `lines` a unified diff of the two forms.
    """

    op: str
    kind: str
    name: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What an apply did, or (dry run, diff) would do. `digest` is that of the new bundle."""

    digest: str
    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()
    applied: bool = True


@dataclass(frozen=True, slots=True)
class ToolPin:
    """How one tool's live definition compares with the lock.

    `state` is a `pdp.snapshot.Pin` value; `lines` a unified diff, empty when it matches.
    `accepted` and `live` are pins; `live` is what to pass to accept the tool as it is now, and `definition` what
    it is then: the pinned members, whole. `suggestion` is the entry proposed where the catalog has none,
    `suggestion_changes` what drift changes of that proposal where it has one.
    """

    server: str
    name: str
    exposed: str
    state: str
    accepted: str | None
    live: str | None
    effect: str
    sink: str
    source: tuple[str, ...]
    catalogued: bool
    untypable: str | None = None
    lines: tuple[str, ...] = ()
    definition: Mapping[str, Json] | None = None
    suggestion: SuggestedSpec | None = None
    suggestion_changes: tuple[SuggestionChange, ...] | None = None


@dataclass(frozen=True, slots=True)
class ServerPin:
    """All tools of one server; `unreachable` says why the live list could not be read.

    `pin` is one hash over their live pins, in order of names; it accepts the whole server.
    """

    server: str
    pin: str | None
    tools: tuple[ToolPin, ...]
    unreachable: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyText:
    """The source of one policy: its own lines, the first numbered `line` in `path`."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Adoption:
    """What observing let an agent do since `since_ms`, by the policies that would have stopped it.

    Of its `calls`, `denied` and `escalated` count those, `hidden` lists that would have been empty. `complete` is False
    where the ledger was not read back as far as was asked; `records` is how much of it was.
    """

    since_ms: int
    complete: bool
    records: int
    calls: int
    denied: int
    escalated: int
    hidden: int
    rows: tuple[AdoptionCount, ...]


class Invalid(Exception):
    """The workspace (or what was asked of it) does not validate; the running bundle stays.

    `problems` are sentences that begin with `file:line`.
    """

    def __init__(self, problems: Sequence[str], next: str = "remit diff") -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
        self.next = next


class Missing(Exception):
    """No such resource, server or tool; the text says which. `next` is the command that goes on."""

    def __init__(self, why: str, next: str = "remit get KIND lists what there is") -> None:
        super().__init__(why)
        self.next = next


class Conflict(Exception):
    """What was asked no longer fits: a pin that differs, a resource that is in use.

    `next` is the command that goes on from here.
    """

    def __init__(self, why: str, next: str) -> None:
        super().__init__(why)
        self.next = next


class ServiceRuntime(Scopes, AdmissionControl, Protocol):
    """The running bundle, the workspace it came from, and the upstreams.

    Everything may raise `Invalid`, `Missing`, `Conflict` and `LedgerUnwritable`.
    """

    @property
    def digest(self) -> str:
        """The digest of the running bundle."""
        ...

    @property
    def catalog(self) -> Catalog:
        """The catalog of the running bundle."""
        ...

    @property
    def resource(self) -> str:
        """The service's resource URL: the audience of every token."""
        ...

    def resources(self, kind: str) -> Sequence[RunningResource]:
        """The running resources of `kind` (singular or plural, any case), in order of names."""
        ...

    def policy_text(self, bundle: str, policy: str) -> PolicyText | None:
        """The source of `policy` in the bundle with that digest, if it is still at hand."""
        ...

    def declaration(self, bundle: str, kind: ResourceKind, name: str) -> Mapping[str, Json] | None:
        """How the bundle with that digest declared `name` of `kind`, if it is still at hand."""
        ...

    async def waits(self, kind: ResourceKind, name: str) -> str | None:
        """The command by which `name` of `kind` runs, where the folder declares it; None where it does not."""
        ...

    async def bundles(self, limit: int) -> Sequence[InForce]:
        """The last bundles that were in force, the latest first."""
        ...

    async def between(self, before: str, after: str | None) -> tuple[str, str, Sequence[Change]]:
        """Two bundles by how their digests begin, None the running one: both digests, and what differs."""
        ...

    def progress(self) -> BundleProgress | None:
        """How far the bundle is that is being made; None where none is."""
        ...

    async def diff(self) -> ApplyResult:
        """The workspace folder compared with the running bundle."""
        ...

    async def apply(self, *, dry_run: bool, by: str, admission: str | None = None) -> ApplyResult:
        """Take the workspace folder as it is now, as the look `admission` at it allows."""
        ...

    async def delete(self, kind: str, name: str, by: str) -> ApplyResult:
        """Remove a resource from the workspace folder and recompile."""
        ...

    async def pins(self, server: str | None = None, *, refresh: bool) -> Sequence[ServerPin]:
        """Every server's tools against the lock, or those of `server`; `refresh` reads the live lists anew."""
        ...

    async def accept(self, server: str, tool: str | None, pin: str, by: str) -> ApplyResult:
        """Write the live definition of `tool` (all tools when None) to the lock and recompile.

        `Conflict` when `pin` is not that of what is live now.
        """
        ...

    async def register(self, name: str, spec: AgentSpec, by: str) -> ApplyResult:
        """Declare the agent `name` in the workspace folder and recompile."""
        ...

    async def enforce(self, name: str, by: str) -> ApplyResult:
        """Hold the agent `name` to policy: its `mode` in the workspace folder and in what runs."""
        ...

    async def adoption(self, name: str, since_ms: int) -> Adoption:
        """What observing let the agent `name` do since then."""
        ...

    async def decisions_since(self, since_ms: int) -> Sequence[Entry]:
        """What people decided since then, the latest first."""
        ...

    async def events_since(self, events: AbstractSet[Event], since_ms: int, limit: int) -> Sequence[Entry]:
        """The records of the last `limit` of `events` since then, the latest first."""
        ...

    async def search(self, search: RecordSearch, limit: int) -> FoundRecords:
        """The last `limit` records that `search` finds."""
        ...

    async def status(self) -> Mapping[str, Json]:
        """Facts about the service: version, bundle, workspace, servers, ledger."""
        ...

    async def doctor(self) -> Sequence[DoctorCheck]:
        """Every check of the installation."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """All that `create_api` needs.

    `closing` is set when the service begins to drain: event streams end. `count` takes note of a request of an agent,
    by name, or of a harness; it raises `Problem` where it is one too many.
    """

    driver: EnforcementDriver
    runtime: ServiceRuntime
    ledger: Ledger
    transparency: Transparency
    erasing: Erasing
    signer: Signer
    authenticator: Authenticator
    clock: Clock
    entropy: Entropy
    logins: Logins
    discovery: DiscoveryControl
    incidents: IncidentControl
    passkeys: Passkeys
    count: Callable[[str], None]
    invitations: Invitations = field(default_factory=Invitations)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

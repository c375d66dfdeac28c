"""The runtime as the control API sees it: the protocol `api.services.ServiceRuntime`."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from remit import __version__
from remit.adapters.sqlite.decisions import decided, happened
from remit.adapters.sqlite.search import search_records
from remit.adapters.workspace.folder import Folder
from remit.api.in_force import BundleProgress, InForce
from remit.api.in_force import DoctorCheck as Line
from remit.api.interfaces.admissions import AdmissionLook
from remit.api.services import (
    Adoption,
    ApplyResult,
    Change,
    PolicyText,
    RunningResource,
    ServerPin,
)
from remit.app.admission.admissions import Admissions
from remit.app.bundles.comparison import States, kind_of, resources
from remit.app.bundles.guarantees import declared_owner
from remit.app.bundles.store import Bundles
from remit.app.service.adoption import adoption
from remit.app.service.doctor import DoctorInputs, checks
from remit.app.service.fleet import Fleet
from remit.app.service.runtime import Runtime
from remit.app.settings import Settings
from remit.control.resources import AgentSpec, ResourceKind
from remit.facts.admission import Check
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.pdp.guarantees import Breach, breaches
from remit.ports.credentials import Logins
from remit.ports.ledger import Entry, Ledger
from remit.ports.record_search import FoundRecords, RecordSearch
from remit.trace.bodies import Event

DECIDED_MAX: Final = 100_000
"""Decisions that are read for one report."""


class Facade:
    """Answers from the running bundle; changes go to `Runtime`."""

    def __init__(
        self,
        runtime: Runtime,
        fleet: Fleet,
        bundles: Bundles,
        ledger: Ledger,
        settings: Settings,
        resource: str,
        logins: Logins,
        inputs: DoctorInputs,
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._bundles = bundles
        self._ledger = ledger
        self._settings = settings
        self._resource = resource
        self._logins = logins
        self._doctor_inputs = inputs
        self._reporting = asyncio.Lock()
        self._admissions = Admissions(runtime, ledger, settings)

    @property
    def digest(self) -> str:
        """The digest of the running bundle."""
        return self._runtime.bundle.digest

    @property
    def catalog(self) -> Catalog:
        """The catalog of the running bundle."""
        return self._runtime.bundle.catalog

    @property
    def resource(self) -> str:
        """The service's resource URL: the audience of every token."""
        return self._resource

    def breaches(self) -> tuple[Breach, ...]:
        """What the scopes of the running bundle show to break its guarantees."""
        return breaches(self._runtime.bundle)

    async def answers_for(self, guarantee: str) -> str | None:
        """The owner of `guarantee` as it runs, or as the folder declares it where none runs; None: neither does."""
        running = self.catalog.guarantees.get(guarantee)
        if running is not None:
            return running.owner
        return declared_owner(await asyncio.to_thread(Folder(self._settings.workspace).load), guarantee)

    def resources(self, kind: str) -> Sequence[RunningResource]:
        """The running resources of `kind` (singular or plural, any case), in order of names."""
        states = States(self._fleet.health, self._logins.states(), self._doctor_inputs.watched())
        return resources(self._runtime.running, kind_of(kind), states)

    def policy_text(self, bundle: str, policy: str) -> PolicyText | None:
        """The source of `policy` in the bundle with that digest, if it is still at hand."""
        if bundle == self.digest:
            policy_found = self._runtime.bundle.policies.get(policy)
            statement = None if policy_found is None else policy_found.statement
            return None if statement is None else PolicyText(statement.file, statement.line, statement.text)
        return self._bundles.policy(bundle, policy)

    def declaration(self, bundle: str, kind: ResourceKind, name: str) -> Mapping[str, Json] | None:
        """How the bundle with that digest declared `name` of `kind`, if it is still at hand."""
        return self._bundles.resource(bundle, kind, name)

    async def waits(self, kind: ResourceKind, name: str) -> str | None:
        """The command by which `name` of `kind` runs, where the folder declares it; None where it does not."""
        source = await asyncio.to_thread(Folder(self._settings.workspace).load)
        if not any((resource.kind, resource.name) == (kind, name) for resource in source.resources):
            return None
        return "remit apply" if self.catalog.admission is None else "remit apply --admit"

    async def bundles(self, limit: int) -> Sequence[InForce]:
        """The last bundles that were in force, the latest first."""
        return await self._runtime.history.in_force(limit)

    async def between(self, before: str, after: str | None) -> tuple[str, str, Sequence[Change]]:
        """Two bundles by how their digests begin, None the running one: both digests, and what differs."""
        history = self._runtime.history
        old, latest = await history.digest(before), self.digest if after is None else await history.digest(after)
        changes = await asyncio.to_thread(history.difference, old, latest)
        return (
            old,
            latest,
            [Change(change.op.value, change.kind.value, change.name, change.lines) for change in changes],
        )

    def progress(self) -> BundleProgress | None:
        """How far the bundle is that is being made; None where none is."""
        pace = self._runtime.pace
        return None if pace is None else BundleProgress(pace.done, pace.total)

    async def diff(self) -> ApplyResult:
        """The workspace folder compared with the running bundle."""
        return await self._runtime.diff()

    async def apply(self, *, dry_run: bool, by: str, admission: str | None = None) -> ApplyResult:
        """Take the workspace folder as it is now, as the look `admission` at it allows."""
        admitted = None if admission is None else self._admissions.through(admission)
        return await self._runtime.apply(dry_run=dry_run, by=by, admitted=admitted)

    async def admit(self, by: str) -> AdmissionLook:
        """Begin to look at the workspace folder as it is now."""
        return await self._admissions.admit(by)

    def look(self, ident: str) -> AdmissionLook:
        """How far the look `ident` is, and what came of it."""
        return self._admissions.look(ident)

    async def abandon(self, ident: str) -> AdmissionLook:
        """End the look `ident`, if it is at work."""
        return await self._admissions.abandon(ident)

    async def let_through(self, ident: str, checks: Sequence[Check], by: str, why: str) -> AdmissionLook:
        """Have `by` let through what `checks` refused."""
        return await self._admissions.let_through(ident, checks, by, why)

    async def delete(self, kind: str, name: str, by: str) -> ApplyResult:
        """Remove a resource from the workspace folder and recompile."""
        return await self._runtime.delete(kind, name, by)

    async def pins(self, server: str | None = None, *, refresh: bool) -> Sequence[ServerPin]:
        """Every server's tools against the lock, or those of `server`; `refresh` reads the live lists anew."""
        return await self._runtime.pins(server, anew=refresh)

    async def accept(self, server: str, tool: str | None, pin: str, by: str) -> ApplyResult:
        """Write the live definition of `tool` (all tools when None) to the lock and recompile."""
        return await self._runtime.accept(server, tool, pin, by)

    async def register(self, name: str, spec: AgentSpec, by: str) -> ApplyResult:
        """Declare the agent `name` in the workspace folder and recompile."""
        return await self._runtime.register(name, spec, by)

    async def enforce(self, name: str, by: str) -> ApplyResult:
        """Hold the agent `name` to policy: its `mode` in the workspace folder and in what runs."""
        return await self._runtime.enforce(name, by)

    async def adoption(self, name: str, since_ms: int) -> Adoption:
        """What observing let the agent `name` do since then; one report is read at a time."""
        async with self._reporting:
            return await asyncio.to_thread(adoption, self._settings.ledger, name, since_ms, self.policy_text)

    async def decisions_since(self, since_ms: int) -> Sequence[Entry]:
        """What people decided since then, the latest first; one report is read at a time."""
        async with self._reporting:
            return await asyncio.to_thread(lambda: list(decided(self._settings.ledger, since_ms, DECIDED_MAX)))

    async def events_since(self, events: AbstractSet[Event], since_ms: int, limit: int) -> Sequence[Entry]:
        """The records of the last `limit` of `events`, the latest first; one report is read at a time."""
        async with self._reporting:
            return await asyncio.to_thread(lambda: list(happened(self._settings.ledger, events, since_ms, limit)))

    async def search(self, search: RecordSearch, limit: int) -> FoundRecords:
        """The last `limit` records that `search` finds; one report is read at a time."""
        async with self._reporting:
            return await asyncio.to_thread(search_records, self._settings.ledger, search, limit)

    async def status(self) -> Mapping[str, Json]:
        """Facts about the service: version, bundle, workspace, servers, ledger."""
        return {
            "version": __version__,
            "python": sys.version.split()[0],
            "resource": self._resource,
            "bundle": {"digest": self.digest},
            "workspace": str(self._settings.workspace),
            "data": str(self._settings.data),
            "servers": sorted(self.catalog.servers),
            "ledger": {"records": await self._ledger.count()},
        }

    async def doctor(self) -> Sequence[Line]:
        """Every check of the installation."""
        return await checks(
            self._runtime,
            lambda: self._fleet.health,
            self._logins.states,
            self._ledger,
            self._settings,
            self._doctor_inputs,
        )

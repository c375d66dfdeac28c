"""What runs: one bundle, the workspace it came from, the servers it names.

A change is load → assemble → compile → record → swap; whatever fails before the swap leaves
the running bundle in place. One change at a time; reading never waits for one.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from remit.adapters.private import KeyringUnusable
from remit.api.services import ApplyResult, Conflict, Missing, ServerPin
from remit.app.admission.results import Admitted
from remit.app.bundles.guarantees import check_guarantees
from remit.app.bundles.held_labels import check_labels, held_labels
from remit.app.bundles.history import BundleHistory, StartChanges, admitted_as, counts_of
from remit.app.bundles.in_force import KeptSource
from remit.app.bundles.pace import Pace
from remit.app.bundles.preparation import Preparation
from remit.app.bundles.recent import Recent
from remit.app.bundles.running_bundle import Beginning, RunningBundle, accepted, problem_line, with_enforced
from remit.app.bundles.store import Bundles
from remit.app.data.veil_key import Veiling
from remit.app.service.channel_signatures import unsigned_channels
from remit.app.service.fleet import Fleet
from remit.app.service.quorum import unconfirmable, understaffed_routes
from remit.control import lock as locking
from remit.control.problems import SourceLocation, WorkspaceProblem
from remit.control.resources import AgentSpec, Resource, ResourceKind, WorkspaceSource
from remit.facts.agent import Mode
from remit.facts.canonical import Json
from remit.facts.record import RecordKind, Ref
from remit.facts.tool import Definition
from remit.policy.compile import Bundle
from remit.ports.ledger import Draft, Ledger
from remit.ports.passkeys import Passkeys
from remit.ports.system import Clock
from remit.ports.upstream import Era, UpstreamUnreachable, looking
from remit.ports.workspace import Workspace, WorkspaceRefused
from remit.trace.bodies import AdminBody, Event

_WATCHER = "the service"
_ADMIT: Final = "remit apply --admit"


class Runtime:
    """The owner of the running bundle. Not thread-safe: it lives on the event loop."""

    def __init__(
        self,
        beginning: Beginning,
        workspace: Workspace,
        bundles: Bundles,
        fleet: Fleet,
        ledger: Ledger,
        clock: Clock,
        veiling: Veiling,
        passkeys: Passkeys,
    ) -> None:
        self._veiling = veiling
        self._passkeys = passkeys
        self._running = running = beginning.running
        self._beginning = beginning
        self._workspace = workspace
        self._bundles = bundles
        self._fleet = fleet
        self._ledger = ledger
        self.clock = clock
        self._changing = asyncio.Lock()
        self._preparing = Preparation(bundles)
        self.history = BundleHistory(ledger, bundles)
        self._recent = Recent(running.bundle)
        self.start_changes: StartChanges | None = None
        """What a start put in force that was not: it took the folder."""
        self.admitted = True
        """False where a start took a folder that the Admission before it did not see."""

    @property
    def bundle(self) -> Bundle:
        """The running bundle."""
        return self._running.bundle

    @property
    def running(self) -> RunningBundle:
        """The running bundle with its source."""
        return self._running

    @property
    def pace(self) -> Pace | None:
        """How far the bundle is that is being made."""
        return self._preparing.pace

    async def start(self) -> None:
        """Record the bundle this process began with and start its fleet. Raises `KeyringUnusable`, `Invalid`."""
        check_guarantees(self.bundle, None, await self._ledger.sign_offs())
        self._running = await self._with_doubts(self._running)
        await self._veiling.prepare(self.bundle.catalog, self.record)
        self._fleet.take(self.bundle.catalog.servers)
        await self.history.clean(self.bundle.digest)
        self.admitted = admitted_as(await self.history.last(), self._running)
        data: dict[str, Json] = {"at": "start"}
        if not self.admitted:
            data["admitted"] = False
        if not self._beginning.resumed:
            self.start_changes = await self.history.start_changes(self.bundle.digest)
            data |= {} if self.start_changes is None else self.start_changes.record
        await self._in_force(_WATCHER, self._running, data, self._beginning.fingerprint)

    async def waiting(self) -> ApplyResult | None:
        """What the folder says and this process did not begin with; None where that is nothing. Raises `Invalid`."""
        beginning = self._beginning
        if not beginning.resumed or beginning.fingerprint == await asyncio.to_thread(self._workspace.fingerprint):
            return None
        pending = await self.diff()
        return pending if pending.changes else None

    async def diff(self) -> ApplyResult:
        """The workspace folder compared with the running bundle. Raises `Invalid`."""
        from remit.app.bundles.comparison import changes_between

        new = await self._folder()
        changes = await asyncio.to_thread(changes_between, self._running, new)
        return ApplyResult(new.bundle.digest, changes, new.warnings, applied=False)

    def annotations(self, agent: str) -> Mapping[str, str]:
        """What people annotated the resource of `agent` with, as it runs."""
        for resource in self._running.source.resources:
            if resource.kind is ResourceKind.AGENT and resource.name == agent:
                return resource.annotations
        return {}

    async def apply(self, *, dry_run: bool, by: str, admitted: Admitted | None = None) -> ApplyResult:
        """Take the workspace folder as it is now. Raises `Invalid`, and `Conflict` where that has to be `admitted`."""
        if dry_run:
            return await self.diff()
        async with self._changing:
            fingerprint = await asyncio.to_thread(self._workspace.fingerprint)
            new = await self._folder()
            if admitted is not None and not await self._is_that(admitted, new):
                raise Conflict("the workspace, or what runs, has changed since it was looked at", _ADMIT)
            demanded = self.bundle.catalog.admission
            if admitted is None and demanded is not None and new.differs(self._running):
                raise Conflict(f"the Admission {demanded.name} looks at every change before it runs", _ADMIT)
            await self._keeps_labels(new)
            result = await self._swap(new, by, {} if admitted is None else admitted.record, fingerprint)
            self.admitted = self.admitted or admitted is not None
            return result

    async def _is_that(self, admitted: Admitted, new: RunningBundle) -> bool:
        fingerprint = await asyncio.to_thread(self._workspace.fingerprint)
        expected = admitted.digest, admitted.base, admitted.fingerprint
        return expected == (new.bundle.digest, self.bundle.digest, fingerprint)

    async def delete(self, kind: str, name: str, by: str) -> ApplyResult:
        """Remove a resource that runs from the folder, and run what is left of what runs.

        What is left is checked first: a resource in use stays, folder and all. Other changes of
        the folder wait for an apply.
        """
        from remit.app.bundles.comparison import kind_of

        chosen = kind_of(kind)
        async with self._changing:
            source = self._running.source
            rest = tuple(r for r in source.resources if (r.kind, r.name) != (chosen, name))
            if chosen is ResourceKind.POLICY and len(rest) == len(source.resources) and name in self.bundle.policies:
                where = self.bundle.policies[name].where
                raise Conflict(f"{name} stands in {where}", f"remove it from {where}, then: remit apply")
            if len(rest) == len(source.resources):
                raise Missing(f"no {chosen.value.lower()} is called {name}")
            new = await self._prepare(replace(source, resources=rest))
            await self._keeps_labels(new)
            await _edit(partial(self._workspace.delete, chosen, name))
            data: dict[str, Json] = {"kind": chosen.value}
            await self.record(Event.RESOURCE_DELETED, by, name, data)
            return await self._swap(new, by)

    async def accept(self, server: str, tool: str | None, pin: str, by: str) -> ApplyResult:
        """Write what is live into the lock, if it still is what `pin` says, and run that.

        Only the lock changes: what else has changed in the folder waits for an apply.
        """
        async with self._changing:
            live = await self.live(server, anew=True)
            source = self._running.source
            try:
                lock = accepted(source.lock, server, tool, live, pin)
                new = await self._prepare(replace(source, lock=lock))
            except locking.LockRefused as error:
                raise Conflict(f"{error.what}: {error.why}", error.next) from error
            await self._keeps_labels(new)
            await _edit(partial(self._workspace.write_lock, lock, base=source.lock))
            subject = f"{server}/{tool}" if tool else server
            await self.record(Event.TOOLS_ACCEPTED, by, subject, {"pin": pin})
            return await self._swap(new, by)

    async def register(self, name: str, spec: AgentSpec, by: str) -> ApplyResult:
        """Declare the agent `name` in a file of its own, and run what runs with it.

        Other changes of the folder wait for an apply.
        """
        async with self._changing:
            source = self._running.source
            if name in self.bundle.catalog.agents:
                raise Conflict(f"an agent is called {name} already", f"remit describe agent {name}")
            resource = Resource(name, spec, SourceLocation(f"agents/{name}.yaml", 1))
            new = await self._prepare(replace(source, resources=(*source.resources, resource)))
            await _edit(partial(self._workspace.add_agent, resource))
            await self.record(Event.AGENT_REGISTERED, by, name, {"mode": spec.mode.value})
            return await self._swap(new, by)

    async def enforce(self, name: str, by: str) -> ApplyResult:
        """Hold the agent `name` to policy from here on; there is no such way back.

        Only its mode changes: what else has changed in the folder waits for an apply.
        """
        async with self._changing:
            source = self._running.source
            if name not in self.bundle.catalog.agents:
                raise Missing(f"no agent is called {name}")
            new = await self._prepare(replace(source, resources=with_enforced(source, name)))
            await _edit(partial(self._workspace.enforce, name))
            if self.bundle.catalog.agents[name].mode is not Mode.ENFORCE:
                await self.record(Event.AGENT_ENFORCED, by, name, {})
            # It only tightens: no Admission looks at it.
            return await self._swap(new, by, {})

    async def unnameable(self) -> Mapping[str, str]:
        """Labels that are held though the running bundle cannot name them, and who holds each."""
        return await held_labels(self.bundle, self._ledger, self.clock.now_ms())

    async def unmanned(self) -> Sequence[WorkspaceProblem]:
        """What is odd, as of now, about the people of the routes that run, and about how they hear and say yes."""
        running = self._running
        return (*understaffed_routes(running.source, running.bundle.catalog), *await self._doubts(running))

    async def pins(self, server: str | None = None, *, anew: bool = False) -> Sequence[ServerPin]:
        """Every server's live tools against the lock, or those of `server` alone; empty where there is none."""
        servers = sorted(name for name in self.bundle.catalog.servers if server in {None, name})
        return await asyncio.gather(*(self._pins_of(server, anew=anew) for server in servers))

    async def live(self, server: str, *, anew: bool = False) -> Sequence[Definition]:
        """The live tools of `server`, as a connection of the service's own sees them (`Upstream.definitions`)."""
        upstream = self._fleet.upstreams.get(server)
        if upstream is None:
            raise Missing(f"no server is called {server}")
        try:
            along = looking(self.bundle.catalog.servers.get(server))
            return await upstream.definitions("", Era.STATELESS, along, anew=anew)
        except UpstreamUnreachable as error:
            raise Conflict(f"{server} is not reached: {error}", "remit doctor") from error

    async def _pins_of(self, server: str, *, anew: bool) -> ServerPin:
        from remit.app.bundles.comparison import server_pin

        try:
            live = await self.live(server, anew=anew)
        except Conflict as error:
            return server_pin(self._running, server, None, unreachable=str(error.__cause__ or error))
        return await asyncio.to_thread(server_pin, self._running, server, live)

    async def _folder(self) -> RunningBundle:
        return await self._prepare(await asyncio.to_thread(self._workspace.load))

    async def _prepare(self, source: WorkspaceSource) -> RunningBundle:
        """A bundle of `source`, beside the running one. Raises `Invalid`."""
        new = await self._preparing.prepare(source, self._running.source)
        check_guarantees(new.bundle, self.bundle.catalog, await self._ledger.sign_offs())
        return await self._with_doubts(replace(new, bundle=self._recent.known(new.bundle)))

    async def _with_doubts(self, running: RunningBundle) -> RunningBundle:
        doubts = await self._doubts(running)
        return replace(running, warnings=(*running.warnings, *(problem_line(doubt, doubt.next) for doubt in doubts)))

    async def _doubts(self, running: RunningBundle) -> Sequence[WorkspaceProblem]:
        """What is odd about it beside what stands in the folder."""
        unheard = await unsigned_channels(running.source, self.clock)
        return (*await unconfirmable(running.source, running.bundle.catalog, self._ledger, self._passkeys), *unheard)

    async def _keeps_labels(self, new: RunningBundle) -> None:
        """Raises `Conflict` where `new` could not name a label that a live session or a store holds."""
        await check_labels(new.bundle, self.bundle, self._ledger, self.clock.now_ms())

    async def _swap(
        self, new: RunningBundle, by: str, admission: Mapping[str, Json] | None = None, fingerprint: str | None = None
    ) -> ApplyResult:
        """Run `new`; where an Admission has to look first, and that gave no `admission`, leave it in the folder.

        `fingerprint` is that of the folder where `new` is all of it.
        """
        from remit.app.bundles.comparison import changes_between

        if admission is None and self.bundle.catalog.admission is not None and new.differs(self._running):
            waits = f"it is written and does not run yet, since the Admission looks at it first: {_ADMIT}"
            changes = await asyncio.to_thread(changes_between, self._running, new)
            return ApplyResult(self.bundle.digest, changes, (*new.warnings, waits), applied=False)
        try:
            await self._veiling.prepare(new.bundle.catalog, self.record)
        except KeyringUnusable as error:
            why = f"the workspace declares secrets, and their key cannot be used: {error}"
            raise Conflict(why, "mend that, then: remit apply") from error
        old, news = self.bundle, new.news(self._running)
        changes = await asyncio.to_thread(changes_between, self._running, new)
        await asyncio.to_thread(new.bundle.warm, old.asked, Pace().breathe)
        # What a start took is on record as unseen until a look is.
        data: dict[str, Json] | None = None
        if new.differs(self._running) or (admission and not self.admitted):
            await asyncio.to_thread(self._bundles.keep, new.bundle)
            data = {
                "from": old.digest,
                "changes": [f"{change.op} {change.kind} {change.name}" for change in changes],
                **({} if self.admitted else {"admitted": False}),
                **(admission or {}),
            }
        await self._in_force(by, new, data, fingerprint)
        if old.shadow.difference is not None and new.bundle is not old:
            # What generated code got wrong, it may get wrong again: what was switched off stays off.
            new.bundle.shadow.difference, new.bundle.shadow.reported = old.shadow.difference, True
        self._running = new
        self._recent.ran(new.bundle)
        self._fleet.take(new.bundle.catalog.servers)
        return ApplyResult(new.bundle.digest, changes, news, applied=True)

    async def _in_force(
        self, by: str, running: RunningBundle, data: dict[str, Json] | None, fingerprint: str | None
    ) -> None:
        """Have the next start begin with `running`; on record with `data`, where there is any."""
        resuming = self._beginning.resuming
        await asyncio.to_thread(resuming.ready, KeptSource(running.source, fingerprint))
        if data is not None:
            ref = await self.record(Event.BUNDLE, by, running.bundle.digest, data | counts_of(running))
            await asyncio.to_thread(self.history.note, ref, start=data.get("at") == "start")
        await asyncio.to_thread(resuming.settle)

    async def record(self, event: Event, by: str, subject: str, data: dict[str, Json]) -> Ref:
        """Append one `admin` record, durably."""
        body = AdminBody(event, by, subject, data)
        now_ms = self.clock.now_ms()
        draft = Draft(RecordKind.ADMIN, now_ms, self.bundle.digest, "", body)
        return (await self._ledger.append(draft).durable).ref


async def _edit(edit: Callable[[], object]) -> None:
    """Make one edit of the workspace folder; raises `Conflict` where it is refused."""
    try:
        await asyncio.to_thread(edit)
    except WorkspaceRefused as error:
        raise Conflict(error.problem.what, error.problem.next) from error

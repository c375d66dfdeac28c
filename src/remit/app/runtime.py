"""What runs: one bundle, the workspace it came from, the servers it names.

A change is load → assemble → compile → record → swap; whatever fails before the swap leaves
the running bundle in place. One change at a time; reading never waits for one.
"""

import asyncio
from collections.abc import Callable, Sequence

from remit.api.services import Applied, Conflict, Missing, ServerPin
from remit.app.bundles import Bundles
from remit.app.fleet import Fleet
from remit.app.running import Running, prepare
from remit.control import lock as locking
from remit.control.resources import Kind, Source
from remit.facts.canonical import Json
from remit.facts.catalog import Definition
from remit.facts.record import RecordKind
from remit.policy.compile import Bundle
from remit.ports.ledger import Draft, Ledger
from remit.ports.system import Clock
from remit.ports.upstream import Era, UpstreamUnreachable
from remit.ports.workspace import Workspace, WorkspaceRefused
from remit.trace.bodies import AdminBody, Event

_WATCHER = "the service"


class Runtime:
    """The owner of the running bundle. Not thread-safe: it lives on the event loop."""

    def __init__(
        self,
        running: Running,
        *,
        workspace: Workspace,
        bundles: Bundles,
        fleet: Fleet,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._running = running
        self._workspace = workspace
        self._bundles = bundles
        self._fleet = fleet
        self._ledger = ledger
        self._clock = clock
        self._changing = asyncio.Lock()
        self.on_swap: list[Callable[[Bundle], None]] = []

    @property
    def bundle(self) -> Bundle:
        """The running bundle."""
        return self._running.bundle

    @property
    def running(self) -> Running:
        """The running bundle with its source."""
        return self._running

    async def start(self) -> None:
        """Record the bundle this process began with and start its fleet."""
        self._fleet.take(self.bundle.catalog.servers)
        await self._record(Event.BUNDLE, _WATCHER, self.bundle.digest, {"at": "start"})

    async def diff(self) -> Applied:
        """The workspace folder compared with the running bundle."""
        return await self._apply(dry_run=True, by="")

    async def apply(self, *, dry_run: bool, by: str) -> Applied:
        """Take the workspace folder as it is now. Raises `Invalid`."""
        async with self._changing:
            return await self._apply(dry_run=dry_run, by=by)

    async def delete(self, kind: str, name: str, by: str) -> Applied:
        """Remove a resource from the folder and run what is left.

        What is left is checked first: a resource in use stays, folder and all.
        """
        wanted = kind_of(kind)
        async with self._changing:
            source = await asyncio.to_thread(self._workspace.load)
            kept = tuple(r for r in source.resources if (r.kind, r.name) != (wanted, name))
            if len(kept) == len(source.resources):
                raise Missing(f"no {wanted.value.lower()} is called {name}")
            without = Source(kept, source.policies, source.lock, source.problems)
            await asyncio.to_thread(prepare, without, self._bundles)
            try:
                await asyncio.to_thread(self._workspace.delete, wanted, name)
            except WorkspaceRefused as error:
                raise Conflict(error.problem.what, error.problem.next) from error
            data: dict[str, Json] = {"kind": wanted.value}
            await self._record(Event.RESOURCE_DELETED, by, name, data)
            return await self._apply(dry_run=False, by=by)

    async def accept(self, server: str, tool: str | None, pin: str, by: str) -> Applied:
        """Write what is live into the lock, if it still is what `pin` says, and run it."""
        async with self._changing:
            live = await self.live(server)
            base = (await asyncio.to_thread(self._workspace.load)).lock
            try:
                lock = _accepted(base, server, tool, live, pin)
                await asyncio.to_thread(self._workspace.write_lock, lock, base=base)
            except locking.LockRefused as error:
                raise Conflict(f"{error.what}: {error.why}", error.next) from error
            except WorkspaceRefused as error:
                raise Conflict(error.problem.what, error.problem.next) from error
            subject = f"{server}/{tool}" if tool else server
            await self._record(Event.TOOLS_ACCEPTED, by, subject, {"pin": pin})
            return await self._apply(dry_run=False, by=by)

    async def pins(self) -> Sequence[ServerPin]:
        """Every server's live tools against the lock."""
        servers = sorted(self.bundle.catalog.servers)
        return await asyncio.gather(*(self._pins_of(server) for server in servers))

    async def live(self, server: str) -> Sequence[Definition]:
        """The live tools of `server`, as a connection of the service's own sees them."""
        upstream = self._fleet.upstreams.get(server)
        if upstream is None:
            raise Missing(f"no server is called {server}")
        try:
            return await upstream.definitions("", Era.STATELESS)
        except UpstreamUnreachable as error:
            raise Conflict(f"{server} is not reached: {error}", "remit doctor") from error

    async def _pins_of(self, server: str) -> ServerPin:
        from remit.app.comparing import server_pin

        try:
            live = await self.live(server)
        except Conflict as error:
            return server_pin(self._running, server, None, unreachable=str(error))
        return server_pin(self._running, server, live)

    async def _apply(self, *, dry_run: bool, by: str) -> Applied:
        from remit.app.comparing import changes_between

        source = await asyncio.to_thread(self._workspace.load)
        new = await asyncio.to_thread(prepare, source, self._bundles)
        changes = changes_between(self._running, new)
        if not dry_run and new.bundle.digest != self.bundle.digest:
            self._bundles.keep(new.bundle)
            data: dict[str, Json] = {
                "from": self.bundle.digest,
                "changes": [f"{change.op} {change.kind} {change.name}" for change in changes],
            }
            await self._record(Event.BUNDLE, by, new.bundle.digest, data)
        if not dry_run:
            self._running = new
            self._fleet.take(new.bundle.catalog.servers)
            for told in self.on_swap:
                told(new.bundle)
        return Applied(new.bundle.digest, changes, new.warnings, applied=not dry_run)

    async def _record(self, event: Event, by: str, subject: str, data: dict[str, Json]) -> None:
        body = AdminBody(event, by, subject, data)
        now_ms = self._clock.now_ms()
        draft = Draft(RecordKind.ADMIN, now_ms, self.bundle.digest, "", body)
        await self._ledger.append(draft).durable


def kind_of(word: str) -> Kind:
    """The kind written `agent`, `Agents`, `policies` …; raises `Missing` when there is none."""
    from remit.control.tables import kind_named

    found = kind_named(word)
    if found is None:
        raise Missing(f"no kind of resource is called {word[:64]!r}")
    return found


def _accepted(base: locking.Lock, server: str, tool: str | None, live: Sequence[Definition], pin: str) -> locking.Lock:
    if tool is None:
        return locking.accept_server(base, server, live, pin)
    found = next((definition for definition in live if definition.name == tool), None)
    if found is not None:
        return locking.accept(base, server, tool, found, pin)
    if (server, tool) in base.tools:
        return locking.forget(base, server, tool)
    raise Missing(f"{server} has no tool called {tool[:128]!r}")

"""The one place that picks adapters and joins the rooms: data and workspace in, a service out.

What enforcement needs comes first and costs milliseconds; the control API (`load_api`) is
imported afterwards, in a thread, while the service already governs.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from remit.adapters.credentials.client_registration import CallbackAddress
from remit.adapters.credentials.references import References
from remit.adapters.credentials.store import CredentialStore
from remit.adapters.halts import HaltFolder
from remit.adapters.keyring import KeyringUnusable
from remit.adapters.notary import FolderNotary
from remit.adapters.notifiers.webhook import Webhooks
from remit.adapters.passkeys import WebAuthn
from remit.adapters.resolver import HostResolver
from remit.adapters.sqlite import SqliteLedger
from remit.adapters.sqlite.batches import Batches
from remit.adapters.sqlite.erasure import SqliteBodies
from remit.adapters.sqlite.incidents import SqliteIncidents
from remit.adapters.sqlite.outbox import SqliteOutbox
from remit.adapters.sqlite.tail import LedgerTail
from remit.adapters.sqlite.tiles import Tiles
from remit.adapters.system import SystemClock, SystemEntropy
from remit.adapters.upstreams.build import build_upstream
from remit.adapters.upstreams.exchange import open_http_session
from remit.adapters.veil_key import VeilKey
from remit.api.authenticator import Authenticator
from remit.api.pages import OAuthPages
from remit.api.services import Invalid, Services
from remit.api.telemetry import TelemetryPages
from remit.app.data.folder import clock_of, opened
from remit.app.data.veil_key import SUBJECT, Veiling
from remit.app.discovery.drift import Drifts
from remit.app.discovery.facade import Discoverer, open_discovery
from remit.app.http.connection import Bounds
from remit.app.http.front import Front
from remit.app.http.rates import ThrottledTelemetry, counting
from remit.app.http.root import App, Root, Scrape
from remit.app.service.addresses import reached_as
from remit.app.service.closure import Closes, close_all
from remit.app.service.fleet import Fleet
from remit.app.service.initial_workspace import open_workspace
from remit.app.service.logs import Logs
from remit.app.service.runtime import Runtime
from remit.app.settings import ADMIN, INCIDENTS, KEYS, OUTBOX, SERVERS, Settings
from remit.app.terminal.failure import CommandFailure, Exit
from remit.control.authority import admin_token, credential_hash
from remit.facts.catalog import Server
from remit.facts.record import RecordKind
from remit.pep.driver import Driver
from remit.pep.lease import Lease
from remit.pep.mcp.app import McpApp, McpEndpoint
from remit.pep.tally import Tally
from remit.pep.throttle import Throttle
from remit.ports.system import Clock
from remit.ports.upstream import MonitoredUpstream
from remit.trace.bodies import AdminBody, Event
from remit.work.checkpoints import Checkpoints
from remit.work.erasure import Erasures
from remit.work.incidents import Handling
from remit.work.outbox import Notifying

_CLOCK = SystemClock()
_ENTROPY = SystemEntropy()


@dataclass(frozen=True, slots=True)
class Proofs:
    """What a stranger checks the ledger by, and what of it may go."""

    checkpoints: Checkpoints
    erasures: Erasures


@dataclass(frozen=True, slots=True)
class Posting:
    """Who tells people what waits, and what he keeps it in."""

    notifying: Notifying
    outbox: SqliteOutbox


@dataclass(slots=True)
class Service:
    """A service that is able to govern. `admin` is set at the first start only: show it once.

    `signs`: the files of the keys that sign now.
    """

    front: Front
    bounds: Bounds
    tally: Tally
    driver: Driver
    lease: Lease
    runtime: Runtime
    ledger: SqliteLedger
    fleet: Fleet
    session: aiohttp.ClientSession
    keeping: CredentialStore
    proofs: Proofs
    outbox: Posting
    discoverer: Discoverer
    incidents: Handling
    closing: asyncio.Event
    signs: Callable[[], tuple[Path, ...]]
    services: Callable[[], Services]
    api: "asyncio.Future[App]"
    admin: str | None

    async def load_api(self) -> None:
        """Import the control API and answer what waited for it."""
        try:
            self.api.set_result(await asyncio.to_thread(_create_api, self.services))
        except Exception as error:
            self.api.set_exception(error)
            raise

    async def close(self) -> None:
        """Stop children and connections, then make the ledger's last batch durable; see `close_all`."""
        self.closing.set()
        parts = (self.driver, self.fleet, self.keeping, self.session, self.discoverer, self.incidents)
        await close_all(*parts, self.outbox.notifying, self.outbox.outbox, self.ledger)


def _configure_driver(driver: Driver, resource: str) -> str:
    """Tell `driver` who looks up hosts, and what the addresses of pages begin with: that is the answer."""
    driver.resolves_by(HostResolver())
    driver.callers.pages = f"{resource}/a/"
    return driver.callers.pages


async def build(settings: Settings, port: int, logs: Logs | None = None) -> Service:
    """Join everything for a service that answers on `port`. Raises `CommandFailure`."""
    folder, bundles, beginning = open_workspace(settings)
    resource = settings.public_url or f"http://{settings.host}:{port}"
    ledger, signer, notary = await opened(settings, resource, clock := clock_of(settings.ledger))
    session = open_http_session()
    keeping = CredentialStore(settings.data, CallbackAddress(resource), os.environ, clock=_CLOCK, entropy=_ENTROPY)
    tally = Tally()
    state = settings.data / SERVERS

    def upstream(server: Server) -> MonitoredUpstream:
        return build_upstream(
            server, session=session, limits=settings.limits, clock=_CLOCK, state_dir=state, credentials=keeping
        )

    fleet = Fleet(upstream)
    credentials = dict(await ledger.credentials())
    veiling = Veiling(VeilKey(settings.data / KEYS, _ENTROPY), credentials.pop(SUBJECT, None))
    runtime = Runtime(beginning, folder, bundles, fleet, ledger, clock, veiling, passkeys := WebAuthn(resource))
    driver = Driver(ledger, clock, lambda: runtime.bundle, fleet.upstreams, settings.limits, tally, veiling, _ENTROPY)
    await driver.authorization.load()
    pages = _configure_driver(driver, resource)
    lease = driver.halts.leased(HaltFolder(settings.data))
    authenticator = Authenticator(signer, clock, revoked=await ledger.revoked_tokens(), credentials=credentials)
    await _start(runtime, fleet, keeping, session, ledger)
    lease.renew()  # What was left for it is in force, and told of, before it is ready.
    admin = None if credentials else await _first_admin(driver, authenticator)
    proofs, outbox = _proofs(settings, ledger, notary, driver), _outbox(settings, runtime, ledger, session, pages)
    hosts, origins = reached_as(settings, port, resource)
    discoverer = _discoverer(settings, runtime, driver, origins, tally)
    incidents = _incidents(settings, driver, ledger, clock)
    throttle = Throttle(settings.limits, clock, tally.refuse, closing := driver.drains_by(asyncio.Event()))
    bounds = Bounds(settings.limits, tally.refuse)
    place = McpEndpoint(resource, hosts, origins, settings.limits, settings.authorization_servers)
    edge = McpApp(driver, authenticator.authority, place, clock, _ENTROPY, throttle)

    def signs() -> tuple[Path, ...]:
        return signer.file, notary.file

    def services() -> Services:
        from remit.app.service.doctor import DoctorInputs
        from remit.app.service.facade import Facade

        beside = (lambda: discoverer.watched, proofs.checkpoints.signed, lambda: logs and logs.unwritten)
        doctor_inputs = DoctorInputs(*beside, clock.ahead_ms, driver.halts, signs)
        facade = Facade(runtime, fleet, bundles, ledger, settings, resource, keeping, doctor_inputs)
        proving = (proofs.checkpoints, proofs.erasures, signer, authenticator, clock, _ENTROPY, keeping)
        return Services(
            driver, facade, ledger, *proving, discoverer, incidents, passkeys, counting(throttle), closing=closing
        )

    api: asyncio.Future[App] = asyncio.get_running_loop().create_future()

    def ready() -> str | None:
        return "draining" if closing.is_set() else ledger.unwritable()

    gate = ThrottledTelemetry(throttle)
    telemetry = TelemetryPages(discoverer, authenticator.caller, gate, settings.limits.body_bytes_max)
    rooms = (OAuthPages(keeping, driver.authorization.record), telemetry)

    def metrics() -> Scrape:
        from remit.app.http.metrics import LedgerMetrics, Metrics, MetricSources

        ledger_metrics = LedgerMetrics(ledger, Batches(settings.ledger, ledger.chain), proofs.checkpoints.signed)
        return Metrics(MetricSources(tally, throttle, bounds, driver, fleet, ledger_metrics, logs)).text

    root = Root(edge=edge, api=api, rooms=rooms, hosts=hosts, origins=origins, ready=ready, metrics=metrics)
    front = Front(root, clock, _ENTROPY, tally)
    owned = (ledger, fleet, session, keeping, proofs, outbox, discoverer, incidents)
    return Service(front, bounds, tally, driver, lease, runtime, *owned, closing, signs, services, api, admin)


def _proofs(settings: Settings, ledger: SqliteLedger, notary: FolderNotary, driver: Driver) -> Proofs:
    checkpoints = Checkpoints(Tiles(settings.ledger), notary, ledger.origin, driver.authorization.record, _CLOCK)
    return Proofs(checkpoints, Erasures(ledger, SqliteBodies(settings.ledger), driver.authorization.record))


def _discoverer(
    settings: Settings, runtime: Runtime, driver: Driver, origins: Iterable[str], tally: Tally
) -> Discoverer:
    drifts = Drifts(driver.authorization.record, driver.halts, runtime.annotations)
    discovery = open_discovery(settings.data, runtime.clock, settings.limits, tally.refuse)
    return Discoverer(
        discovery,
        lambda: runtime.bundle,
        runtime.clock,
        settings.ledger,
        drifts,
        frozenset(f"{origin}/mcp" for origin in origins),
    )


def _incidents(settings: Settings, driver: Driver, ledger: SqliteLedger, clock: Clock) -> Handling:
    tail = LedgerTail(settings.ledger, (RecordKind.ADMIN, RecordKind.PROPOSAL), whole=True)
    path = settings.data / INCIDENTS
    return Handling(tail, lambda: SqliteIncidents(path), ledger, driver.authorization.record, clock)


def _outbox(
    settings: Settings, runtime: Runtime, ledger: SqliteLedger, session: aiohttp.ClientSession, pages: str
) -> Posting:
    store = SqliteOutbox(settings.data / OUTBOX)
    webhooks = Webhooks(session, References(os.environ, _CLOCK))
    tail = LedgerTail(settings.ledger, (RecordKind.ADMIN,))
    return Posting(
        Notifying(ledger, store, webhooks, lambda: runtime.bundle.catalog, runtime.clock, pages, tail), store
    )


async def _start(runtime: Runtime, *opened: Closes) -> None:
    """Start `runtime`; where it cannot, close what was `opened` and raise `CommandFailure`."""
    try:
        await runtime.start()
    except KeyringUnusable as error:
        await close_all(*opened)
        raise CommandFailure("the workspace declares secrets, and their key cannot be used", why=str(error)) from error
    except Invalid as error:
        await close_all(*opened)
        raise CommandFailure(
            "the workspace breaks what it guarantees",
            why="\n        ".join(error.problems),
            next="correct it; or start without the guarantee, have it signed off, and: remit apply",
            exit=Exit.INVALID,
        ) from error


async def _first_admin(driver: Driver, authenticator: Authenticator) -> str:
    """A new admin token, on record by its hash."""
    admin = admin_token(_ENTROPY.token_bytes(24))
    stored = credential_hash(admin)
    await driver.authorization.record(AdminBody(Event.CREDENTIAL, "the service", ADMIN, {"hash": stored}))
    authenticator.add_credential(ADMIN, stored)
    return admin


def _create_api(services: Callable[[], Services]) -> App:
    from remit.api.main import create_api

    return create_api(services())

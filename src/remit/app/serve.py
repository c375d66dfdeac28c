"""`remit up`: bind, open the data, take the workspace, listen; drain at the end.

The order is what makes a restart short: the bundle is validated from cache, and only once the
socket answers do the control API and the servers load.
"""

import asyncio
import signal
import socket
from types import FrameType
from typing import Final

import uvicorn

from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.system import settle_collector
from remit.app.build import Service, build
from remit.app.failure import Exit, Failure
from remit.app.http import CONNECTIONS_MAX, BoundedProtocol
from remit.app.output import say
from remit.app.settings import Settings
from remit.app.watching import watching
from remit.facts.text import escaped
from remit.work.loop import every

_BACKLOG: Final = 2048
_DRAIN_S: Final = 10
_EXPIRY_S: Final = 1.0


class _Server(uvicorn.Server):
    """Tells event streams to end as soon as a signal asks, so that they hold up no drain."""

    def __init__(self, closing: asyncio.Event, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain."""
        self._closing.set()
        super().handle_exit(sig, frame)


def serve(settings: Settings, *, watch: bool = False) -> None:
    """Run the service until SIGINT or SIGTERM. Raises `Failure` when it cannot start."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    listening = _bind(settings.host, settings.port)
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal again once it has drained; what is ours to close comes after.
        signal.signal(number, _drained)
    try:
        with asyncio.Runner(loop_factory=_loop()) as runner:
            runner.run(_serve(settings, listening, watch=watch))
    finally:
        listening.close()


def _drained(_number: int, _frame: FrameType | None) -> None:
    pass


async def _serve(settings: Settings, listening: socket.socket, *, watch: bool) -> None:
    port: int = listening.getsockname()[1]
    try:
        service = await build(settings, port)
    except LedgerRefused as error:
        raise Failure(error.what, why=error.why, next=error.next) from error
    server = _Server(
        service.closing,
        uvicorn.Config(
            service.root,
            http=BoundedProtocol,
            limit_concurrency=CONNECTIONS_MAX,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_DRAIN_S,
        ),
    )
    background = asyncio.create_task(_afterwards(service, settings, watch=watch))
    _greet(service, settings, port)
    try:
        await server.serve(sockets=[listening])
    finally:
        background.cancel()
        await asyncio.gather(background, return_exceptions=True)
        await service.close()


async def _afterwards(service: Service, settings: Settings, *, watch: bool) -> None:
    try:
        await service.load_api()
    except Exception as error:  # noqa: BLE001 - enforcement goes on; people must hear of it
        _failed(error)
    settle_collector()
    loops = [every(_EXPIRY_S, service.driver.expire_due, _failed)]
    if watch:
        loops.append(watching(settings.workspace, service.runtime))
    await asyncio.gather(*loops)


def _failed(error: Exception) -> None:
    say(f"in the background: {type(error).__name__}: {escaped(str(error))}")


def _greet(service: Service, settings: Settings, port: int) -> None:
    if service.admin is not None:
        say(f"admin token (shown once, stored hashed): {service.admin}")
        say("  keep it: export REMIT_TOKEN=…   it configures and reads; it approves nothing")
    bundle = service.runtime.bundle
    counts = f"{len(bundle.catalog.agents)} agents, {len(bundle.tools)} tools"
    say(f"remit governs at http://{settings.host}:{port}/mcp  ({counts}, {bundle.digest[:19]}…)")
    if not bundle.tools:
        say("no tool is accepted yet, so nothing is permitted: remit tools review")
        return
    for warning in service.runtime.running.warnings:
        say(f"warning: {warning.removeprefix('warning: ')}")


def _loop() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise Failure(
            f"cannot listen on {host}:{port}",
            why=error.strerror or str(error),
            next=f"remit up --port {port + 1 if port else 7071}, or end what uses the port",
            exit=Exit.UNREACHABLE,
        ) from error
    listening.setblocking(False)  # noqa: FBT003 - the standard library takes it so
    return listening

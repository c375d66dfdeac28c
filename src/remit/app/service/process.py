"""`remit up`: bind, open the data, take the workspace, listen; drain at the end.

The order is what makes a restart short: the bundle is validated from cache, and only once the
socket answers do the control API and the servers load.

Law: no signal to end is lost, from before the data is opened until the process is gone.
"""

import asyncio
import errno
import faulthandler
import logging
import math
import os
import resource
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any, Final

import uvicorn

from remit import __version__
from remit.adapters.sqlite.errors import LedgerRefused
from remit.app.build import Service, build
from remit.app.service.closure import close_service
from remit.app.service.logs import Logs
from remit.app.service.loops import background
from remit.app.service.workspace_watch import stamp
from remit.app.settings import DEFAULT_HOST, DEFAULT_PORT, Settings
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import NO_SERVER, counted, say
from remit.facts.text import escaped

_LOG: Final = logging.getLogger(__name__)

_BACKLOG: Final = 2048
_CANCELLED_S: Final = 5.0
"""How long calls that were cancelled may take to put their outcomes on the ledger."""
_UNRECORDED_S: Final = 1.0
"""The same where the ledger takes no records: they are queued by then, and closing tries again."""
CLOSED_S: Final = 60.0
"""How long closing may take, a last checkpoint of a long log with it; supervisors kill without a word after 90."""
_TOLD_S: Final = 5
"""How long that may take to be told of."""
_VANISHED: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 60_000}
"""Seconds, seconds, times, milliseconds (tcp(7)); not every system has them."""
_PORT_MAX: Final = 65_535
_FILES_KEPT: Final = 256
"""File descriptors for all but clients' connections: ledger, upstreams, children."""
_CONNECTIONS_MIN: Final = 16
"""With fewer at once a service is of no use, unless fewer are asked for."""


class _Server(uvicorn.Server):
    """Drains at a signal, and hurries at the second: calls in flight are cancelled then."""

    def __init__(self, closing: asyncio.Event, config: uvicorn.Config, under_way: Callable[[], Sequence[str]]) -> None:
        super().__init__(config)
        self._closing = closing
        self._under_way = under_way

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to `_Ending`, who hears those before and after as well."""
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; streams end and new calls are refused from here on."""
        if self._closing.is_set():
            self.force_exit = True
        self._closing.set()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain; who waits for the end reads for what, and how long."""
        count = len(self._under_way())
        if count and not self.force_exit:
            room = f"up to {self.config.timeout_graceful_shutdown} s to end; Ctrl-C again cuts it off"
            say(f"draining: {counted(count, 'call')} under way, with {room}")
        await super().shutdown(sockets)

    async def cancel_rest(self, unwritable: str | None) -> None:
        """Cancel what did not end in time, and wait until its outcomes are recorded; not long where they cannot be."""
        rest = tuple(self.server_state.tasks)
        for task in rest:
            task.cancel()
        if rest:
            say(f"{counted(len(rest), 'request')} did not end in time: cancelled")
            timeout_s = _CANCELLED_S if unwritable is None else _UNRECORDED_S
            _, still = await asyncio.wait(rest, timeout=timeout_s)
            if still:
                say(f"{len(still)} of them did not end even so: what they did may be in doubt")


class _Ending:
    """Who hears SIGINT and SIGTERM. A start that is asked to end comes to its end and ends; asked again it dies."""

    def __init__(self) -> None:
        self._server: _Server | None = None
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)

    def ends(self, server: _Server) -> None:
        """Hand on to `server` what was heard, and what will be."""
        self._server = server
        if self._asked:
            server.handle_exit(signal.SIGTERM, None)

    def over(self) -> None:
        """Heed none any more: the interpreter would die of one that comes while it ends, though all went well."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._server is not None:
            self._server.handle_exit(number, frame)
        elif self._asked:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._asked = True


def serve(settings: Settings, *, watch: bool = False) -> None:
    """Run the service until SIGINT or SIGTERM. Raises `CommandFailure` when it cannot start."""
    listening = _bind(settings.host, settings.port)
    ending = _Ending()
    logs = Logs(settings.logs, settings.log_level)
    try:
        with asyncio.Runner(loop_factory=_loop()) as runner:
            runner.run(_serve(settings, listening, logs, ending, watch=watch))
        ending.over()
    finally:
        listening.close()
        logs.close()


async def _serve(settings: Settings, listening: socket.socket, logs: Logs, ending: _Ending, *, watch: bool) -> None:
    port: int = listening.getsockname()[1]
    # What changes from here on it may not have started with.
    taken = await asyncio.to_thread(stamp, settings.workspace) if watch else None
    limits = replace(settings.limits, connections_max=_affordable(settings.limits.connections_max))
    try:
        service = await build(replace(settings, limits=limits), port, logs)
    except LedgerRefused as error:
        raise CommandFailure(error.what, why=error.why, next=error.next) from error
    http: Any = service.bounds.protocol
    server = _Server(
        service.closing,
        uvicorn.Config(
            service.front,
            http=http,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            # uvicorn counts both in whole seconds.
            timeout_keep_alive=math.ceil(limits.idle_s_max),
            timeout_graceful_shutdown=math.ceil(limits.drain_s_max),
        ),
        service.driver.halts.all_under_way,
    )
    beside = asyncio.create_task(background(service, settings, logs, taken))
    _greet(service, settings, port)
    fields = {"version": __version__, "pid": os.getpid(), "port": port, "bundle": service.runtime.bundle.digest[:19]}
    _LOG.info("the service governs", extra=fields)
    try:
        ending.ends(server)
        await server.serve(sockets=[listening])
        await server.cancel_rest(service.ledger.unwritable())
    finally:
        # Whatever hangs from here on, a thread or a disk: stderr hears where each thread stands, and the process ends.
        # What was acknowledged is durable. The alarm is for a stderr that hangs itself.
        faulthandler.dump_traceback_later(CLOSED_S, exit=True)
        signal.alarm(math.ceil(CLOSED_S) + _TOLD_S)
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
        await close_service(service)
        _LOG.info("the service ended")
    say(f"remit drained and ended{_doubt(service.ledger.in_doubt_count)}")
    if service.ledger.unwritten:
        raise _unwritten(settings, service.ledger.unwritten)


def _doubt(left: int | None) -> str:
    """What of an ended service's calls nobody knows the effect of, to be added to a sentence."""
    if left is None:
        return "; what is in doubt is not known: remit ledger verify"
    return f"; {counted(left, 'call')} in doubt: start it again, then remit ledger in-doubt" if left else ""


def _unwritten(settings: Settings, count: int) -> CommandFailure:
    return CommandFailure(
        f"{counted(count, 'record')} of what was under way could not be written",
        why="another program has the ledger locked; what was acknowledged is on record, and a call whose end is among "
        "them is in doubt",
        next=f"end that program (fuser {settings.ledger}, or lsof, names it), start the service again, "
        "then: remit ledger in-doubt",
    )


def _greet(service: Service, settings: Settings, port: int) -> None:
    if service.admin is not None:
        say(f"admin token (shown once, stored hashed): {service.admin}")
        say("  keep it: export REMIT_TOKEN=…   it configures and reads; it approves nothing")
    bundle = service.runtime.bundle
    counts = f"{counted(len(bundle.catalog.agents), 'agent')}, {counted(len(bundle.tools), 'tool')}"
    say(f"workspace {escaped(str(settings.workspace))}, data {escaped(str(settings.data))}")
    say(f"remit governs at http://{settings.host}:{port}/mcp  ({counts}, {bundle.digest[:19]}…)")
    if not bundle.catalog.servers:
        say(f"{NO_SERVER}; then: remit apply")
        return
    if not bundle.tools:
        say("no tool is accepted yet, so nothing is permitted: remit tools review")
        return
    if service.runtime.start_changes is not None:
        say(str(service.runtime.start_changes))
    for warning in service.runtime.running.warnings:
        say(f"warning: {warning.removeprefix('warning: ')}")


def _affordable(connections_max: int) -> int:
    """As many connections as there may be file descriptors for; takes all that the system grants.

    Raises `CommandFailure` where those are too few to run at all.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files_wanted = connections_max + _FILES_KEPT
    if soft != resource.RLIM_INFINITY and soft < files_wanted:
        granted = files_wanted if hard == resource.RLIM_INFINITY else min(files_wanted, hard)
        least = _FILES_KEPT + min(connections_max, _CONNECTIONS_MIN)
        if granted < least:
            raise CommandFailure(
                f"only {granted} files may be open at once (ulimit -n)",
                why=f"{least} are needed: {_FILES_KEPT} for the ledger and for servers, the rest for connections",
                next=f"ulimit -n {files_wanted} (systemd: LimitNOFILE={files_wanted}), then: remit up",
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
        if granted < files_wanted:
            say(f"only {granted - _FILES_KEPT} connections at once: the system grants {granted} files (ulimit -n)")
        return granted - _FILES_KEPT
    return connections_max


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
    _notice_the_vanished(listening)
    try:
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        why, following = unbound(host, port, error)
        raise CommandFailure(
            f"cannot listen on {host}:{port}", why=why, next=following, exit=Exit.UNREACHABLE
        ) from error
    listening.setblocking(False)  # noqa: FBT003 - the standard library takes it so
    return listening


def unbound(host: str, port: int, error: OSError) -> tuple[str, str]:
    """Why `port` of `host` is not to be had, and what to start instead."""
    rest = "with what else you gave it"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine", f"remit up --host {DEFAULT_HOST}, {rest}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "the system leaves that port to its administrator", f"remit up --port {DEFAULT_PORT}, {rest}"
    another = port + 1 if 0 < port < _PORT_MAX else DEFAULT_PORT + 1
    return error.strerror or str(error), f"remit up --port {another}, {rest}; or end what uses the port"


def _notice_the_vanished(listening: socket.socket) -> None:
    """Have the system close connections whose other end is gone without a word; accepted ones inherit it."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _VANISHED.items():
        if hasattr(socket, name):
            listening.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

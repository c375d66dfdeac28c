"""One stdio child: its process, its pipes, the requests it owes an answer.

asyncio hands the pipes' chunks straight to this protocol: no reader tasks, and no line is held
above the bound. The child is alone in a session of its own; ending it ends its whole group.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

from remit.adapters.upstreams import abandoned_calls, launch
from remit.adapters.upstreams.answer_room import AnswerRoom, NoRoomError
from remit.adapters.upstreams.failures import garbage, no_room, too_large
from remit.adapters.upstreams.flood import Flood
from remit.adapters.upstreams.frames import (
    ErrorFrame,
    Message,
    Outcome,
    cancellation,
    is_answer,
    is_overfull,
    notification,
    parse,
    read,
    request,
)
from remit.adapters.upstreams.lines import Lines
from remit.adapters.upstreams.messages import Ear, Hearing
from remit.adapters.upstreams.presentation import SecretMask
from remit.adapters.upstreams.pulse import Pulse
from remit.adapters.upstreams.requests import DISCOVER, OLD_VERSIONS, PING, UpstreamRequest, initialize_request, meta
from remit.adapters.upstreams.wire import ServerProfile
from remit.facts.canonical import Json
from remit.ports.upstream import NO_CONTEXT, Era, Failure, UpstreamContext

STDERR_BYTES_MAX: Final = 16 * 1024
UNREAD_BYTES_MAX: Final = 8 * 1024 * 1024
UNASKED_MAX: Final = 10_000
OVERLONG_FACTOR: Final = 4
GRACE_S: Final = 1.0
"""How long it may take to end once its stdin is closed, and again after SIGTERM: by then it owes nobody an answer."""
EXIT_CODE_S: Final = 0.3


class Child(asyncio.SubprocessProtocol):
    """Made by `spawn`, then greeted once, which fixes its era; `ask` never raises but on cancellation."""

    def __init__(self, server: str, bytes_max: int, on_change: Callable[[], None], hiding: SecretMask) -> None:
        self.server = server
        self.era = Era.STATELESS
        self.hearing = Hearing(on_change, self._reply)
        self.profile = ServerProfile()
        self.capabilities: Mapping[str, Json] = {}
        self.strays = 0
        self.stderr = b""
        self.pid = 0
        self.on_gone: Callable[[], None] = _no_op
        self.pulse: Pulse | None = None
        self.quiet = asyncio.Event()
        self.quiet.set()
        self._hiding = hiding
        self._bytes_max = bytes_max
        self._lines = Lines(bytes_max)
        self._owed: dict[int, asyncio.Future[Outcome]] = {}
        self._late: set[int] = set()
        self._confirming: set[asyncio.Task[None]] = set()
        self._ident = 0
        self._flood = Flood(UNASKED_MAX)
        self._flooded = False
        self._suspects: frozenset[int] = frozenset()
        self._exited = asyncio.Event()
        self._stdout_open = True
        self._gone = False
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None

    @classmethod
    async def spawn(
        cls,
        server: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        bytes_max: int,
        on_change: Callable[[], None],
        hiding: SecretMask,
    ) -> "Child":
        """Start `command` (its first member a path); `hiding` has the secrets in `env`.

        Raises `OSError` or `ValueError`.
        """
        start = (sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), command[0], *command)
        _, child = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(server, bytes_max, on_change, hiding), *start, env=env, cwd=cwd, start_new_session=True
        )
        return child

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return not self._gone

    @property
    def busy(self) -> bool:
        """Whether it owes an answer or is watched."""
        return self.hearing.is_busy

    @property
    def complaints(self) -> bytes:
        """The last of what it wrote to stderr."""
        return self._hiding.hide(self.stderr)

    async def greet(self, era: Era, context: UpstreamContext = NO_CONTEXT) -> ErrorFrame | None:
        """The first message, which fixes the child's era and, of `initialize`, capabilities; what refused it."""
        self.era = era
        self.capabilities = context.capabilities
        first = DISCOVER if era is Era.STATELESS else initialize_request(context.capabilities)
        outcome = await self.ask(first, Ear(aside=True))
        if isinstance(outcome, ErrorFrame):
            return outcome
        self.profile.take(outcome.result, float("-inf"))
        if era is Era.STATELESS:
            versions = outcome.result.get("supportedVersions")
            spoken = isinstance(versions, list) and era.value in versions
        else:
            version = outcome.result.get("protocolVersion")
            spoken = isinstance(version, str) and version in OLD_VERSIONS
            self._write(notification("notifications/initialized", {}))
        return None if spoken else ErrorFrame(garbage(self.server, f"no version of {era.value} or its kind"))

    async def ask(self, call: UpstreamRequest, ear: Ear) -> Outcome:
        """See `Wire.ask`: cancelling it tells the child."""
        ident = self._ident + 1
        params = call.params(meta(self.era, ident, ear.context))
        refusal = self._unable(params)
        if refusal is not None:
            return refusal
        self._ident = ident
        answer = self._owed[ident] = asyncio.get_running_loop().create_future()
        self.hearing.opened(ident, ear)
        pulse_token = None if self.pulse is None else self.pulse.begins(ear)
        self._write(request(ident, call.method, params))
        try:
            return await answer
        except asyncio.CancelledError:
            if not answer.done() or answer.cancelled():
                self._late.add(ident)
                self.quiet.clear()
                self._write(cancellation(ident))
                if ear.inbox is not None:
                    self._give_up(ident)
            raise
        finally:
            if self.pulse is not None:
                self.pulse.ends(pulse_token)
            self._owed.pop(ident, None)
            self.hearing.closed(ident)

    async def answer(self, body: bytes) -> bool:
        """See `Wire.answer`."""
        if self._unable(body) is not None:
            return False
        self._write(body)
        return True

    async def stand(self) -> None:
        """See `Wire.stand`: everything comes by the pipe."""

    def sit(self) -> None:
        """See `Wire.sit`."""

    async def end(self) -> None:
        """Close stdin, then SIGTERM, then SIGKILL, to the whole group; returns once it is over."""
        self.on_gone = _no_op
        if self._stdin is not None:
            self._stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                self._signal(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S):
                    await self._exited.wait()
                break
        self._signal(signal.SIGKILL)
        self._on_lost()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The child runs."""
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._stdin = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(0))
        self.pid = self._transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """It wrote: lines to stdout, anything to stderr."""
        if fd != 1:
            self.stderr = (self.stderr + data)[-STDERR_BYTES_MAX:]
            return
        if self._gone:
            return
        for line in self._lines.feed(data):
            if line is None:
                self._overlong()
            else:
                self._on_line(line)
        if self._lines.skipped and not self._suspects:
            self._suspects = frozenset(self._owed)
        if self._lines.skipped > self._bytes_max * OVERLONG_FACTOR or self._flooded:
            self._signal(signal.SIGKILL)
            if self._lines.skipped:
                self._overlong()
            self._on_lost()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """A pipe closed; after stdout nothing can be answered any more."""
        if fd == 1:
            self._stdout_open = False
            self._settle_soon()

    def process_exited(self) -> None:
        """It ended; what it still wrote may yet be in the pipe."""
        self._exited.set()
        self._settle_soon()

    def _settle_soon(self) -> None:
        if self._exited.is_set() and not self._stdout_open:
            self._on_lost()
        else:
            asyncio.get_running_loop().call_later(EXIT_CODE_S, self._on_lost)

    def _give_up(self, ident: int) -> None:
        """What is asked from now on may be of the call `ident`, until a ping is answered."""
        self.hearing.given_up.begin(ident)
        confirming = asyncio.create_task(self._confirm(ident))
        self._confirming.add(confirming)
        confirming.add_done_callback(self._confirming.discard)

    async def _confirm(self, ident: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(abandoned_calls.CONFIRM_S):
                await self.ask(PING, Ear(aside=True))
        self.hearing.given_up.end(ident)

    def _on_lost(self) -> None:
        if self._gone:
            return
        self._gone = True
        code = self._transport.get_returncode() if self._transport is not None else None
        ending = "closed its output" if code is None else f"ended (exit code {code})"
        text = f"server {self.server!r} {ending}; what it said on stderr: remit describe server {self.server}"
        if self._flooded:
            text = f"server {self.server!r} sent a flood of messages beside its answers, for which Remit ended it"
        failure = Failure(cause="died", text=text, sent=True)
        for answer in self._owed.values():
            if not answer.done():
                answer.set_result(ErrorFrame(failure))
        self._late.clear()
        self.quiet.set()
        self.hearing.lose("ended")
        self.on_gone()

    def _overlong(self) -> None:
        """A line above the bounds: which call it answers is unknown, so all that it may fail."""
        refusal = ErrorFrame(too_large(self.server, self._bytes_max))
        for ident in self._suspects or tuple(self._owed):
            answer = self._owed.get(ident)
            if answer is not None and not answer.done():
                answer.set_result(refusal)
        self._suspects = frozenset()

    def _on_line(self, line: bytes) -> None:
        if self.pulse is not None:
            self.pulse.heard()
        if is_overfull(line):
            self._overlong()
            return
        line = self._hiding.hide(line)
        message = parse(line)
        if message is not None and is_answer(message):
            expected = self._take_answer(line, message)
        else:
            expected = message is not None and self.hearing.hear(message)
            self._flooded |= self._flood.more()
        self.strays += not expected

    def _take_answer(self, line: bytes, message: Message) -> bool:
        ident = message.get("id")
        if type(ident) is not int:
            ident = 0
        answer = self._owed.get(ident)
        if answer is not None and not answer.done():
            answer.set_result(self._read(ident, line, message))
            return True
        if ident in self._late:
            self._late.discard(ident)
            self.hearing.given_up.end(ident)
            if not self._late:
                self.quiet.set()
            return True
        self._flooded |= self._flood.more()
        return False

    def _read(self, ident: int, line: bytes, message: Message) -> Outcome:
        try:
            AnswerRoom(self.hearing.open.get(ident)).whole(line)
        except NoRoomError:
            return ErrorFrame(no_room(self.server))
        return read(self.server, line, message)

    def _reply(self, body: bytes) -> None:
        if self._unread() < UNREAD_BYTES_MAX:
            self._write(body)

    def _unable(self, params: bytes) -> ErrorFrame | None:
        if self._gone or self._stdin is None or self._stdin.is_closing():
            text = f"server {self.server!r} is not running"
            return ErrorFrame(Failure(cause="died", text=text, sent=False))
        if self._unread() > UNREAD_BYTES_MAX:
            text = f"server {self.server!r} has stopped reading its input"
            return ErrorFrame(Failure(cause="stuck", text=text, sent=False))
        if b"\n" in params:
            return ErrorFrame(Failure(cause="internal", text="a line feed would break the framing", sent=False))
        return None

    def _unread(self) -> int:
        return self._stdin.get_write_buffer_size() if self._stdin is not None else 0

    def _write(self, line: bytes) -> None:
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write(line + b"\n")

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if self.pid:  # 0 would be our own group
                os.killpg(self.pid, number)


def _no_op() -> None:
    return

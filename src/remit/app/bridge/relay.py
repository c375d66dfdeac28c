"""The loop over a stdio client's lines: read one, send it on, go on reading.

Requests run beside each other, each in a thread of its own that mostly waits; what wants no answer
is sent in the order it came. Stdout is the protocol's alone. The end of input is the end: what is
under way may finish for a moment, then it is cancelled.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, assert_never

from remit.adapters.upstreams.lines import Lines
from remit.app.bridge.conversation import BridgeConversation
from remit.app.bridge.exchange import BridgeExchange, BridgeResponse, SessionGone, failure
from remit.app.bridge.message import CANCELLED, Ask, Ident, Line, MalformedMessage, Reply, Tell, read
from remit.app.bridge.mirrored_headers import LIST, MirroredHeaders
from remit.app.bridge.wire import CallEnded, ServiceEndpoint
from remit.app.terminal.failure import CommandFailure
from remit.app.terminal.output import say

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Above what the service takes, so that it is the one to refuse, under the request's own id."""
IN_FLIGHT_MAX: Final = 256
FINISH_S: Final = 5.0
_CHUNK: Final = 64 * 1024
_CONNECTION: Final = -32000
_INVALID: Final = -32600
_INTERNAL: Final = -32603
_STANDING: Final = "subscriptions/listen"


class Relay:
    """Between the file descriptors `source` and `sink`, and the service at `place`."""

    def __init__(self, place: ServiceEndpoint, token: Callable[[], str], source: int, sink: int) -> None:
        self._place = place
        self._token = token
        self._source = source
        self._sink = sink
        self._saying = threading.Lock()
        self._changed = threading.Condition()
        self._busy = 0
        self._flights: dict[tuple[type, Ident], BridgeExchange] = {}
        self._mirroring = MirroredHeaders()
        self._conversation = BridgeConversation(place, self._bearer, self._say)

    def run(self) -> None:
        """Relay until input ends or the process is told to end."""
        lines = Lines(LINE_BYTES_MAX)
        try:
            while chunk := os.read(self._source, _CHUNK):
                self._take_all(lines.feed(chunk))
            self._take_all(lines.feed(b"\n"))
            self._finish()
        finally:
            self._end()

    def _take_all(self, lines: list[bytes | None]) -> None:
        for line in lines:
            self._take(
                MalformedMessage(_INVALID, f"a line has at most {LINE_BYTES_MAX} bytes") if line is None else read(line)
            )

    def _take(self, line: Line) -> None:
        match line:
            case MalformedMessage(code, why, ident):
                self._say(failure(ident, code, CommandFailure("the line is no message of MCP", why=why)))
            case Ask(method="initialize", version=None):
                # Nothing can be said in a session before it is open.
                answer = self._answer(BridgeExchange(self._place, line, self._say), self._conversation.open)
                if answer is not None:
                    self._say(answer)
            case Ask():
                self._fly(BridgeExchange(self._place, line, self._say))
            case Tell(method=method, cancels=cancels) if method == CANCELLED and self._cancel(cancels):
                pass
            case Tell() | Reply():
                self._pass_on(line)
            case _:
                assert_never(line)

    def _fly(self, exchange: BridgeExchange) -> None:
        ask = exchange.ask
        key = (type(ask.ident), ask.ident)
        with self._changed:
            taken, full = key in self._flights, len(self._flights) >= IN_FLIGHT_MAX
            if not taken and not full:
                self._flights[key] = exchange
                self._busy += 1
        if taken:
            self._say(failure(ask.ident, _INVALID, CommandFailure("a request with this id is under way")))
        elif full:
            problem = CommandFailure(f"{IN_FLIGHT_MAX} requests are under way", next="wait for one of them to end")
            self._say(failure(ask.ident, _CONNECTION, problem))
        else:
            threading.Thread(target=self._run_flight, args=(key, exchange), daemon=True).start()

    def _run_flight(self, key: tuple[type, Ident], exchange: BridgeExchange) -> None:
        try:
            answer = self._answer(exchange, self._conversation.ask if exchange.ask.version is None else self._alone)
            with self._changed:
                # Before the answer is out: the client may use its id again at once.
                del self._flights[key]
            if answer is not None:
                self._say(answer)
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _alone(self, exchange: BridgeExchange) -> BridgeResponse:
        """Of 2026-07-28: every request stands alone, its headers made from its body."""

        def run(exchange: BridgeExchange) -> BridgeResponse:
            ask = exchange.ask
            return exchange.run({**self._bearer(), **ask.headers, **self._mirroring.headers(ask)})

        answer = run(exchange)
        if exchange.ask.method == LIST:
            self._mirroring.learn(answer)
        elif self._mirroring.wants_list(exchange.ask, answer) and self._mirroring.fetch(
            exchange.ask, lambda ask: run(BridgeExchange(self._place, ask, self._say))
        ):
            return run(exchange)
        return answer

    def _answer(self, exchange: BridgeExchange, way: Callable[[BridgeExchange], BridgeResponse]) -> bytes | None:
        """What answers the request; None where nobody waits for that any more."""
        try:
            answer = way(exchange).raw
        except CallEnded:
            return None
        except CommandFailure as problem:
            answer = failure(exchange.ask.ident, _CONNECTION, problem)
        except SessionGone:
            answer = failure(exchange.ask.ident, _CONNECTION, CommandFailure("the service knows of no session here"))
        except Exception as error:  # noqa: BLE001 - an error of our own is told, or the client waits for ever
            answer = failure(
                exchange.ask.ident, _INTERNAL, CommandFailure(f"remit mcp itself failed: {type(error).__name__}")
            )
        return None if exchange.given_up.is_set() else answer

    def _cancel(self, ident: Ident | None) -> bool:
        """Give up the request `ident`; False where the service has to be told in words."""
        with self._changed:
            exchange = self._flights.get((type(ident), ident)) if ident is not None else None
        if exchange is not None:
            exchange.given_up.set()
            if exchange.ask.version is not None:
                exchange.end()
                return True
        return self._conversation.session is None

    def _pass_on(self, line: Tell | Reply) -> None:
        if self._conversation.session is None:
            # In 2026-07-28 a client says nothing over HTTP but requests.
            return
        try:
            self._conversation.tell(line.raw)
            if isinstance(line, Tell) and line.method == "notifications/initialized":
                self._conversation.listen()
        except (CommandFailure, CallEnded) as problem:
            say(f"a message of the client's was lost: {problem}")

    def _finish(self) -> None:
        deadline = time.monotonic() + FINISH_S
        with self._changed:
            standing = [exchange for exchange in self._flights.values() if exchange.ask.method == _STANDING]
        for exchange in standing:
            exchange.end()
        with self._changed:
            while self._busy and (left_s := deadline - time.monotonic()) > 0:
                self._changed.wait(left_s)

    def _end(self) -> None:
        with self._changed:
            flights = list(self._flights.values())
        for exchange in flights:
            exchange.given_up.set()
            exchange.end()
        self._conversation.end()

    def _bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token()}", "user-agent": "remit-bridge"}

    def _say(self, message: bytes) -> None:
        data = memoryview(message + b"\n")
        try:
            with self._saying:
                while data:
                    data = data[os.write(self._sink, data) :]
        except BrokenPipeError:
            # Nobody listens any more: end as if told to.
            with suppress(OSError):
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

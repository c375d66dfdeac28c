"""What the `initialize` era keeps between requests: a session, and the stream of what nobody asked for.

The service forgets sessions when it restarts, and a new token opens others; a stdio client knows
of no session. So one that is gone is opened again with the client's own `initialize`, and the
request that found it gone, which was not looked at, goes into the new one.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from remit.adapters.upstreams.sse import Decoder
from remit.app.bridge.exchange import (
    RETRY_MS,
    RETRY_MS_MAX,
    SESSION,
    BridgeExchange,
    BridgeResponse,
    SessionGone,
    refusal_of,
    resumed_decoder,
)
from remit.app.bridge.message import Ask, on_one_line, parse_object
from remit.app.bridge.wire import ANSWER_BYTES_MAX, TELL_S, Call, CallEnded, ServiceEndpoint
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import say
from remit.facts.text import escaped

INITIALIZED: Final = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
_PATIENCE_MS_MAX: Final = 30_000
_SHOWN_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class BridgeSession:
    """A session at the service, opened by the client's request `opening`."""

    ident: str | None
    version: str
    opening: Ask
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def headers(self) -> dict[str, str]:
        """What every later request of the session says."""
        session_header = {} if self.ident is None else {SESSION: self.ident}
        return {"mcp-protocol-version": self.version, **session_header}


class BridgeConversation:
    """The one conversation of this process. `bearer` gives the authorization header of each request."""

    def __init__(
        self, place: ServiceEndpoint, bearer: Callable[[], dict[str, str]], hear: Callable[[bytes], None]
    ) -> None:
        self._place = place
        self._bearer = bearer
        self._hear = hear
        self._opening = threading.Lock()
        self._listening: Call | None = None
        self.session: BridgeSession | None = None

    def open(self, exchange: BridgeExchange) -> BridgeResponse:
        """The answer to the client's `initialize`; the session it opens is the one from here on."""
        with self._opening:
            return self._open(exchange)

    def ask(self, exchange: BridgeExchange) -> BridgeResponse:
        """The answer to a request within the session. Raises `CommandFailure` and `wire.Ended`."""
        session = self._current_session()
        try:
            return exchange.run({**self._bearer(), **session.headers})
        except SessionGone:
            again = self._again(session)
        try:
            return exchange.run({**self._bearer(), **again.headers})
        except SessionGone as error:
            raise _session_lost() from error

    def tell(self, raw: bytes) -> None:
        """POST what wants no answer. Raises `CommandFailure`."""
        session = self._current_session()
        if self._post(session, raw) == 404:
            self._post(self._again(session), raw)

    def listen(self) -> None:
        """Pass on what the service says unasked, until the session ends."""
        session = self._current_session()
        if session.ident is not None:
            threading.Thread(target=self._listen, args=(session,), daemon=True).start()

    def end(self) -> None:
        """End the session at the service, which cancels what runs in it."""
        session, self.session = self.session, None
        if session is None:
            return
        session.ended.set()
        if self._listening is not None:
            self._listening.end()
        if session.ident is not None:
            with suppress(CommandFailure, CallEnded):
                self._request(session, "DELETE", None)

    def _current_session(self) -> BridgeSession:
        if self.session is None:
            raise CommandFailure("the client has not initialized", next="send initialize first", exit=Exit.USAGE)
        return self.session

    def _open(self, exchange: BridgeExchange) -> BridgeResponse:
        answer = exchange.run(self._bearer())
        result = answer.value.get("result")
        if isinstance(result, dict):
            version = str(result.get("protocolVersion", ""))  # pyright: ignore[reportUnknownArgumentType,reportUnknownMemberType]
            if self.session is not None:
                self.session.ended.set()
            self.session = BridgeSession(answer.session, version, exchange.ask)
        return answer

    def _again(self, lost_session: BridgeSession) -> BridgeSession:
        """The session after `lost_session`, opened unless another thread was quicker."""
        with self._opening:
            if self.session is not lost_session:
                return self._current_session()
            answer = self._open(BridgeExchange(self._place, lost_session.opening, self._hear))
            fresh = self._current_session()
            if fresh is lost_session:
                why = escaped(str(answer.value.get("error")), chars_max=_SHOWN_MAX)
                raise CommandFailure("the service opens no session again", why=why, next="remit doctor")
            self._post(fresh, INITIALIZED)
            self.listen()
        say("the service had forgotten the session; a new one is open")
        return fresh

    def _post(self, session: BridgeSession, raw: bytes) -> int:
        status, body = self._request(session, "POST", raw)
        if not 200 <= status < 300 and status != 404:
            raise refusal_of(status, parse_object(body) or {})
        return status

    def _request(self, session: BridgeSession, method: str, raw: bytes | None) -> tuple[int, bytes]:
        call = Call(self._place, TELL_S)
        kinds = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        try:
            response = call.send(method, {**self._bearer(), **session.headers, **kinds}, raw)
            return response.status, call.body(response)
        finally:
            call.close()

    def _listen(self, session: BridgeSession) -> None:
        decoder = Decoder(ANSWER_BYTES_MAX)
        wait_ms = 0
        reported = False
        while not session.ended.wait(wait_ms / 1000):
            try:
                status = self._stream(session, decoder)
            except CallEnded:
                return
            except CommandFailure as error:
                status = 0
                if not reported:
                    say(f"not hearing the service: {error.what}")
                    reported = True
            match status:
                case 200:
                    reported, wait_ms = False, min(decoder.retry_ms or RETRY_MS, RETRY_MS_MAX)
                case 404:
                    with suppress(CommandFailure, CallEnded):
                        self._again(session)
                        return
                    wait_ms = _longer(wait_ms)
                case 405:
                    return
                case _:
                    wait_ms = _longer(wait_ms)
            decoder = resumed_decoder(decoder)

    def _stream(self, session: BridgeSession, decoder: Decoder) -> int:
        """Read the standing stream to its end; the HTTP status it began with."""
        resumed = {"last-event-id": decoder.ident} if decoder.ident else {}
        call = self._listening = Call(self._place)
        if session.ended.is_set():
            raise CallEnded
        try:
            headers = {**self._bearer(), **session.headers, **resumed, "accept": "text/event-stream"}
            response = call.send("GET", headers)
            if response.status == 200:
                for event in call.events(response, decoder):
                    if "method" in (parse_object(event.data) or {}):
                        self._hear(on_one_line(event.data))
            return response.status
        finally:
            call.close()


def _longer(wait_ms: int) -> int:
    return min(max(2 * wait_ms, RETRY_MS), _PATIENCE_MS_MAX)


def _session_lost() -> CommandFailure:
    return CommandFailure(
        "the service forgets the session at once",
        why="a session that it had just opened is unknown to it",
        next="remit doctor",
    )

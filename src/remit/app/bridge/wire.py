"""One HTTP request to the service, which another thread may end at any time.

Each has a connection of its own: one kept from earlier may just be going away, and a request that
may or may not have arrived must never be sent twice. Redirects are not followed.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from remit.adapters.upstreams.sse import Decoder, EventTooLargeError, ServerSentEvent
from remit.app.terminal.client import speaks_http
from remit.app.terminal.failure import CommandFailure, Exit

CONNECT_S: Final = 10.0
IDLE_S: Final = 90.0
"""How long the service may say nothing: its streams carry a comment every 15 seconds."""
TELL_S: Final = 5.0
"""The same for what wants no answer: whoever reads the client's next line waits for it."""
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
UNKNOWN: Final = "whether the request took effect is on the service's record"
_CHUNK: Final = 64 * 1024
_BROKEN: Final = (OSError, http.client.HTTPException)


class CallEnded(Exception):
    """`Call.end` was called: nobody waits for this any more."""


@dataclass(frozen=True, slots=True)
class ServiceEndpoint:
    """Where the service is: `base` as `http://host:port`, `path` of its enforcement point."""

    base: str
    path: str

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is not open yet."""
        url = urlsplit(self.base)
        make = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        return make(url.hostname or "", url.port, timeout=CONNECT_S)

    @property
    def address(self) -> str:
        """The request target."""
        return urlsplit(self.base).path.rstrip("/") + self.path


class Call:
    """One request and its response, in this order: `send`, then `body` or `events`.

    All three raise `CommandFailure` where the service is not reached or breaks off (`sent` says whether
    it may have heard of the request), and `CallEnded`.
    """

    def __init__(self, place: ServiceEndpoint, idle_s: float = IDLE_S) -> None:
        self._place = place
        self._idle_s = idle_s
        self._connection = place.connect()
        self._lock = threading.Lock()
        self._ended = False
        self._socket: socket.socket | None = None
        self.sent = False

    def send(self, method: str, headers: Mapping[str, str], body: bytes | None = None) -> http.client.HTTPResponse:
        """The response to this request, its body unread."""
        try:
            self._connection.connect()
            with self._lock:
                if self._ended:
                    raise CallEnded
                # The connection lets go of it with the response; what ends a stream is this.
                self._socket = self._connection.sock
                if self._socket is not None:
                    self._socket.settimeout(self._idle_s)
            self.sent = True
            self._connection.request(method, self._place.address, body, dict(headers))
            return self._connection.getresponse()
        except _BROKEN as error:
            raise self._broken(error) from error

    def body(self, response: http.client.HTTPResponse) -> bytes:
        """What is left of the response, whole."""
        try:
            data = response.read(ANSWER_BYTES_MAX + 1)
        except _BROKEN as error:
            raise self._broken(error) from error
        if len(data) > ANSWER_BYTES_MAX:
            raise self._too_large()
        return data

    def events(self, response: http.client.HTTPResponse, after: Decoder | None = None) -> Iterator[ServerSentEvent]:
        """The events of the stream as they come, until the service ends it or it breaks.

        `after`: the decoder of the stream that this one continues. Where a stream breaks is no
        error here: what was last heard is in the decoder.
        """
        decoder = after or Decoder(ANSWER_BYTES_MAX)
        try:
            while chunk := response.read1(_CHUNK):
                yield from decoder.feed(chunk)
        except EventTooLargeError as error:
            raise self._too_large() from error
        except _BROKEN as error:
            if self._ended:
                raise CallEnded from error
        if self._ended:
            raise CallEnded

    def end(self) -> None:
        """Close the connection, from any thread; in the stateless era that cancels the request."""
        with self._lock:
            self._ended = True
            if self._socket is not None:
                with suppress(OSError):
                    # What waits for bytes wakes up; closing alone would leave it waiting.
                    self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back."""
        with suppress(OSError):
            self._connection.close()

    def _broken(self, error: Exception) -> CommandFailure | CallEnded:
        if self._ended:
            return CallEnded()
        if self.sent:
            late = isinstance(error, TimeoutError)
            return CommandFailure(
                f"{self._place.base} {'took too long' if late else 'broke off'}",
                why=f"{_error_text(error)}; {UNKNOWN}",
                next="remit logs, once it answers: remit doctor",
                exit=Exit.TIMEOUT if late else Exit.UNREACHABLE,
            )
        following = "start the service with: remit up --workspace DIR (or name another with --url)"
        if speaks_http(error):
            following = f"what answers there speaks http, not https: --url http{self._place.base.removeprefix('https')}"
        elif isinstance(error, ssl.SSLError):
            following = "check the service's certificate, or name another address with --url"
        return CommandFailure(
            f"no answer from {self._place.base}", why=_error_text(error), next=following, exit=Exit.UNREACHABLE
        )

    def _too_large(self) -> CommandFailure:
        why = f"it exceeds {ANSWER_BYTES_MAX} bytes"
        return CommandFailure(f"an answer of {self._place.base} was not passed on", why=why, next="ask for less")


def _error_text(error: Exception) -> str:
    """What went wrong, in the system's words; an HTTP error's own may be the peer's, so only its kind."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__

"""How a connection is read and written: bounded in number, bytes and time, and by one reading.

Laws
* Before a request's head is complete nobody is authenticated, so nothing grows with what is sent:
  an unfinished head, and a body that does not come, are answered (431, 408) and closed.
* A request that two readers could take for two, or for different ones, is answered 400 and its
  connection closed: nothing that follows on it is read. httptools (llhttp) is strict in most of
  this; what it leaves open is closed here: trailers never join the headers, one Host, no upgrade.
* A client that does not read what it asked for is cut off.
* When no connection is left, the one that has waited longest for a request makes room.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from remit.app.http.joint_write import JointWrite
from remit.facts.limits import Limits

Count: TypeAlias = Callable[[str], None]
"""Is told the reason code of every refusal."""

_RETRY_S: Final = 1
_VERSIONS: Final = frozenset({"1.0", "1.1"})


class _Refused(Exception):
    """Raised into the parser, which then reads no further; the reason is kept by the protocol."""


class Bounds:
    """What all connections of one service share: their limits, and who waits for a request."""

    def __init__(self, limits: Limits, refused: Count = lambda _code: None) -> None:
        self.limits = limits
        self.refused = refused
        self.open: dict[BoundedProtocol, None] = {}
        self.waiting: dict[BoundedProtocol, None] = {}

    def protocol(self, **arguments: Any) -> "BoundedProtocol":
        """One connection's protocol: what uvicorn calls as its protocol class."""
        return BoundedProtocol(self, **arguments)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 over httptools, within `bounds`."""

    def __init__(self, bounds: Bounds, **given: Any) -> None:
        super().__init__(**given)
        self._bounds = bounds
        self._limits = bounds.limits
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = False
        self._in_body = False
        self._fault = (400, "http/malformed", "this is not one HTTP/1.1 request")

    def connection_made(self, transport: Any) -> None:
        """Take a place, or make one; start the clock of the first head."""
        super().connection_made(transport)
        bounds = self._bounds
        bounds.open[self] = None
        if len(bounds.open) > self._limits.connections_max and not self._make_room():
            self._refuse(503, "limit/connections", f"{self._limits.connections_max} connections are open")
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back and forget the clocks."""
        self._settle()
        self._bounds.open.pop(self, None)
        self._unstall()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser while the request is within bounds."""
        if not self._in_head and not self._in_body:
            # Also line breaks before a request, which the parser passes over.
            self._expect_head()
        if self._in_head:
            self._head_bytes += len(data)
            # One chunk may hold a whole head and much of a body; the next one may not be head.
            if self._head_bytes - len(data) > self._limits.head_bytes_max:
                text = f"the head of the request exceeds {self._limits.head_bytes_max} bytes (head_bytes_max)"
                self._refuse(431, "limit/head-bytes", text)
                return
        super().data_received(data)
        if self._in_body and self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self._limits.body_s_max, self._late_body)

    def on_message_begin(self) -> None:
        """A next request on the same connection begins."""
        super().on_message_begin()
        if not self._in_head:
            self._expect_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is none (RFC 9110, section 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: refuse it if it has two meanings."""
        self._settle()
        self._check(self.parser)
        self._in_body = True
        super().on_headers_complete()
        cycle: Any = self.cycle
        cycle.transport = JointWrite(self.transport, self.loop)

    def on_message_complete(self) -> None:
        """The body is whole."""
        self._settle()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say why the parser stopped."""
        del msg
        self._refuse(*self._fault)

    def timeout_keep_alive_handler(self) -> None:
        """No next request came; what the client has not read by now it need not read."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write: it has so long to catch up."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self._limits.write_s_max, self._cut_off)

    def resume_writing(self) -> None:
        """It did."""
        self._unstall()
        super().resume_writing()

    def give_way(self) -> None:
        """Close at once: another connection takes the place."""
        self._settle()
        self.transport.abort()

    def _check(self, parser: Any) -> None:
        names = [name for name, _ in self.headers]
        version = parser.get_http_version()
        if version not in _VERSIONS:
            self._reject(505, "http/version", "this service speaks HTTP/1.1")
        if names.count(b"host") != 1:
            self._reject(400, "http/host", "a request has one Host header")
        if parser.should_upgrade():
            # The parser would take the body for the other protocol's.
            self._reject(400, "http/upgrade", "no other protocol is spoken here: send HTTP/1.1 without Upgrade")
        coding = [value for name, value in self.headers if name == b"transfer-encoding"]
        if coding and (version != "1.1" or [value.strip().lower() for value in coding] != [b"chunked"]):
            self._reject(400, "http/transfer-coding", "a body is plain or chunked, in HTTP/1.1")
        if not self.url.startswith(b"/") and self.url != b"*":
            host = next(value for name, value in self.headers if name == b"host").strip().lower()
            if not self.url.lower().startswith((b"http://" + host + b"/", b"https://" + host + b"/")):
                self._reject(400, "http/target", "the request line and the Host header name different hosts")

    def _reject(self, status: int, code: str, text: str) -> None:
        self._fault = (status, code, text)
        raise _Refused(code)

    def _expect_head(self) -> None:
        self._settle()
        self._head_bytes = 0
        self._in_head = True
        self._bounds.waiting[self] = None
        self._deadline = self.loop.call_later(self._limits.head_s_max, self._late_head)

    def _settle(self) -> None:
        self._in_head = self._in_body = False
        self._bounds.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def on_response_complete(self) -> None:
        """Between two requests this connection is the first to make room."""
        super().on_response_complete()
        if not self.pipeline and not self._in_body and not self.transport.is_closing():
            self._bounds.waiting[self] = None

    def _late_head(self) -> None:
        if not self._is_idle(self.cycle):
            # An answer is under way, and some clients send a line break after a body.
            self._deadline = self.loop.call_later(self._limits.head_s_max, self._late_head)
            return
        text = f"no request came within {self._limits.head_s_max:g} s (head_s_max)"
        self._refuse(408, "limit/head-time", text)

    def _late_body(self) -> None:
        text = f"the body did not come within {self._limits.body_s_max:g} s (body_s_max)"
        self._refuse(408, "limit/body-time", text)

    def _cut_off(self) -> None:
        self._bounds.refused("limit/write-time")
        self.transport.abort()

    def _unstall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _make_room(self) -> bool:
        for other in self._bounds.waiting:
            self._bounds.refused("limit/connections")
            del self._bounds.open[other]
            other.give_way()
            return True
        return False

    def _refuse(self, status: int, code: str, text: str) -> None:
        cycle: Any = self.cycle
        # In the middle of another answer, or before it, this one would be read as part of that one.
        may_say = not cycle.response_started if self._in_body else self._is_idle(cycle)
        self._settle()
        self._bounds.refused(code)
        if self.transport.is_closing():
            return
        if may_say:
            self.transport.write(_answer(status, code, text))
        self.transport.close()

    @staticmethod
    def _is_idle(cycle: Any) -> bool:
        """Whether no request is being answered."""
        return cycle is None or cycle.response_complete


def _answer(status: int, code: str, text: str) -> bytes:
    body = orjson.dumps({"error": code, "error_description": text})
    lines = [
        b"HTTP/1.1 %d %s" % (status, _PHRASES[status]),
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"connection: close",
    ]
    if status == 503:
        lines.append(b"retry-after: %d" % _RETRY_S)
    return b"\r\n".join([*lines, b"", body])


_PHRASES: Final = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
    505: b"HTTP Version Not Supported",
}

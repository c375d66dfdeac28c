"""How a connection is read: an unfinished head is bounded in bytes and in time.

Law: before a request's head is complete nobody is authenticated, so nothing grows with what is
sent. What exceeds a bound is answered (431, 408) and closed.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX: Final = 64 * 1024
HEAD_S: Final = 10.0
CONNECTIONS_MAX: Final = 4096


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 over httptools, with bounds on the head of each request."""

    def connection_made(self, transport: Any) -> None:
        """Start the clock of the first head."""
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clock."""
        self._head_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser while the head is within bounds."""
        if self._deadline is not None:
            self._head_bytes += len(data)
            # One chunk may hold a whole head and much of a body; the next one may not be head.
            if self._head_bytes - len(data) > HEAD_BYTES_MAX:
                self._refuse(b"431 Request Header Fields Too Large")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A next request on the same connection begins."""
        super().on_message_begin()
        if self._deadline is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is whole; the body is the application's to bound."""
        self._head_done()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._deadline = self.loop.call_later(HEAD_S, self._refuse, b"408 Request Timeout")

    def _head_done(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: bytes) -> None:
        self._head_done()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()

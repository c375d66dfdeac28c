"""Answers that are ready leave in one write: their head waits for their body, for as long as the loop turns once.

uvicorn writes the two apart, which costs a packet, a system call and a second reading at the other end.
"""

import asyncio
from typing import Any


class JointWrite:
    """What an answer is written to, in place of `transport`."""

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write `data`, or keep it until more comes or the loop has turned."""
        if self._head:
            self._transport.write(self._head + data)
            self._head = b""
        else:
            self._head = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Close once everything is written."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return bool(self._transport.is_closing())

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self._transport.is_closing():
            self._transport.write(head)

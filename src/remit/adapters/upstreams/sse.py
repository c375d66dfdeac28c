"""A bounded decoder of `text/event-stream` (WHATWG HTML section 9.2.6), pure: bytes in, events out."""

from dataclasses import dataclass


class EventTooLargeError(Exception):
    """One event, or one unfinished line of it, exceeds the bound."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One dispatched event. `ident` is the last seen id; `retry_ms` the last seen delay."""

    data: bytes
    ident: str
    retry_ms: int | None


class Decoder:
    """Feed chunks as they come; `event_bytes_max` bounds what is held between two events."""

    def __init__(self, event_bytes_max: int) -> None:
        self._max = event_bytes_max
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._held = 0
        self._has_id = False
        self._after_cr = False
        self.ident = ""
        self.retry_ms: int | None = None
        self.events = 0
        """How many were dispatched."""

    @property
    def held_bytes(self) -> int:
        """What is held of an event that is not complete."""
        return self._held + len(self._rest)

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that `chunk` completes, priming ones (an id without data) included."""
        if not chunk:
            return []
        if self._after_cr and chunk.startswith(b"\n"):
            self._after_cr = False
            return self.feed(chunk[1:])
        self._after_cr = chunk.endswith(b"\r")
        if b"\n" not in chunk and b"\r" not in chunk:
            self._rest += chunk
            self._check()
            return []
        lines = (bytes(self._rest) + chunk).splitlines(keepends=True)
        self._rest = bytearray() if lines[-1][-1:] in {b"\n", b"\r"} else bytearray(lines.pop())
        events: list[ServerSentEvent] = []
        for line in lines:
            stripped = line.rstrip(b"\r\n")
            if stripped:
                self._field(stripped)
                self._check()
            elif self._data or self._has_id:
                events.append(ServerSentEvent(b"\n".join(self._data), self.ident, self.retry_ms))
                self._data, self._held, self._has_id = [], 0, False
        self.events += len(events)
        self._check()
        return events

    def _check(self) -> None:
        if self.held_bytes > self._max:
            raise EventTooLargeError

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._held += len(value) + 32
        elif name == b"id" and b"\0" not in value and len(value) <= 1024:
            self.ident = value.decode("utf-8", "replace")
            self._has_id = True
        elif name == b"retry" and value.isdigit() and len(value) <= 7:
            self.retry_ms = int(value)

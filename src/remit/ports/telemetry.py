"""Telemetry as it is sent to the service: what takes it, and what it is answered."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


class TelemetryRefused(Exception):
    """A request of which no more is taken. `code` names the error, as in `otlp/gzip`; `status` is HTTP's.

    `retry_s`: after how many seconds it may be sent again, where it may.
    """

    def __init__(self, code: str, why: str, *, status: int = 400, retry_s: int | None = None) -> None:
        super().__init__(why)
        self.code = code
        self.status = status
        self.retry_s = retry_s


@dataclass(frozen=True, slots=True)
class TelemetryExport:
    """One export: its content type and encoding, the bytes, and the agent whose token sent it, if one did."""

    kind: str
    encoding: str
    body: bytes
    agent: str | None = None


class Receiver(Protocol):
    """Takes telemetry in."""

    async def receive(self, export: TelemetryExport) -> bytes:
        """Take one export in; what to answer. Raises `TelemetryRefused`; 503 where too much is waiting already."""
        ...


class TelemetryGate(Protocol):
    """Counts what agents and harnesses send with all else that they ask for."""

    def request(self, who: str) -> AbstractContextManager[Callable[[bytes], None]]:
        """One request of `who`: gives what its body is told to. Entering, and that, raise `TelemetryRefused`."""
        ...

"""Telemetry as it is sent to the service: what takes it, and what it is answered."""

from dataclasses import dataclass
from typing import Protocol


class MalformedTelemetry(Exception):
    """A request of which nothing is taken. `code` names the error, as in `otlp/gzip`; `status` is HTTP's."""

    def __init__(self, code: str, why: str, *, status: int = 400) -> None:
        super().__init__(why)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Sent:
    """One export: its content type and encoding, the bytes, and the agent whose token sent it, if one did."""

    kind: str
    encoding: str
    body: bytes
    agent: str | None = None


class Receiver(Protocol):
    """Takes telemetry in."""

    async def receive(self, sent: Sent) -> bytes:
        """Take one export in; what to answer. Raises `MalformedTelemetry`; 503 where too much is waiting already."""
        ...

"""A tool server as the enforcement point reaches it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from remit.facts.canonical import Json
from remit.facts.catalog import Definition


class Era(StrEnum):
    """The two wire eras of MCP: stateless requests, and sessions opened by `initialize`."""

    STATELESS = "2026-07-28"
    INITIALIZE = "2025-11-25"


@dataclass(frozen=True, slots=True)
class Result:
    """The tool's result object, parsed; `is_error` when the tool itself says it failed."""

    value: Mapping[str, Json]
    is_error: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """No usable result. `sent` is False only when the request surely never left.

    `text` is ours, never the upstream's; `upstream_text` is theirs and passes the funnel.
    """

    cause: str
    text: str
    sent: bool
    upstream_text: str | None = None


Reply: TypeAlias = Result | Failure


class UpstreamUnreachable(Exception):
    """The server cannot be reached or does not speak MCP; says why."""


@dataclass(frozen=True, slots=True)
class Health:
    """How one server fares, for `describe` and `doctor`.

    `state`: `idle`, `up`, `down`, `backing-off` or `closed`. `eras`: those it is known to speak.
    `connections`: open upstream sessions or children, `pids` the latter. `strays`: messages
    dropped because nobody asked for them. `dropped`: tools left out and why. `last_error` is
    ours; `stderr`, names in `dropped` and the rest of the upstream's text are untrusted.
    """

    server: str
    transport: str
    state: str
    eras: tuple[Era, ...] = ()
    last_error: str | None = None
    connections: int = 0
    pids: tuple[int, ...] = ()
    restarts: int = 0
    strays: int = 0
    dropped: Mapping[str, str] = field(default_factory=dict[str, str])
    stderr: str = ""


class Upstream(Protocol):
    """One server. Adapters keep connections, children and back-off to themselves."""

    async def definitions(self, sid: str, era: Era) -> Sequence[Definition]:
        """The server's live tools, as the connection that serves `sid` sees them.

        No older than the server's `verify_s`. Raises `UpstreamUnreachable`.
        """
        ...

    async def call(self, sid: str, era: Era, name: str, arguments: bytes) -> Reply:
        """Call a tool with exactly these canonical argument bytes.

        Never raises but on cancellation, which cancels upstream too.
        """
        ...

    async def end_session(self, sid: str) -> None:
        """Release what is kept for `sid` (its stdio child)."""
        ...

    async def close(self) -> None:
        """Release everything."""
        ...


class Inspected(Upstream, Protocol):
    """An upstream that also says how it fares."""

    def health(self) -> Health:
        """Its state now; sends nothing."""
        ...

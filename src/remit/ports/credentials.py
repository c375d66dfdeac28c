"""What the service shows to a server so that it is let in, and how that is kept from everybody else."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from remit.facts.canonical import Json
from remit.facts.catalog import Server
from remit.facts.credential import Secret


class CredentialRefused(Exception):
    """There is no credential to show: why, and the next command. Never holds a secret."""


class CredentialStatus(StrEnum):
    """How a credential stands, which is all that is ever said of it."""

    REFERENCE = "by reference"
    NEEDS_LOGIN = "needs login"
    NOT_ASKED = "not asked for yet"
    VALID = "valid"
    EXPIRED = "expired"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class CredentialState:
    """How one server's credential stands. `until_ms`: when the present token expires, if that is known.

    `why` is our own sentence about what last went wrong, with the next command.
    """

    server: str
    status: CredentialStatus
    until_ms: int | None = None
    issuer: str | None = None
    scopes: tuple[str, ...] = ()
    why: str | None = None

    @property
    def usable(self) -> bool:
        """Whether a call would be sent, as far as is known."""
        return self.status in {CredentialStatus.REFERENCE, CredentialStatus.NOT_ASKED, CredentialStatus.VALID}


class Credential(Protocol):
    """What one HTTP server is shown. It belongs to the origin of that server's url."""

    async def headers(self) -> Mapping[str, str]:
        """The headers to send now, refreshed where they are about to expire. Raises `CredentialRefused`."""
        ...

    async def renew(self, headers: Mapping[str, str]) -> bool:
        """After a 401 to a request with these `headers`: whether `Credential.headers` now gives others.

        Raises `CredentialRefused` when it is known that nothing will.
        """
        ...

    def note_accepted(self, headers: Mapping[str, str]) -> None:
        """Take note that the server let in a request with these `headers`: an earlier refusal of them is over."""
        ...

    def note_rejected(self, *, scope_missing: bool) -> str:
        """Take note that the server refuses what it is shown (401; 403 for a scope); why, with the next command."""
        ...


class Credentials(Protocol):
    """The credentials of every server, by its declaration."""

    def of(self, server: Server) -> Credential | None:
        """The credential of an HTTP server; None where none is declared."""
        ...

    async def environment(self, server: str, env: Mapping[str, str | Secret]) -> Mapping[str, str]:
        """The variables of a stdio server, references resolved. Raises `CredentialRefused`."""
        ...


class LoginRefused(Exception):
    """A login that cannot begin or end; `next` is the command that goes on. Never holds a secret."""

    def __init__(self, why: str, next: str) -> None:
        super().__init__(why)
        self.next = next


@dataclass(frozen=True, slots=True)
class LoginStarted:
    """Where a person logs in until `until_ms`: `url`, at the authorization server `issuer`."""

    url: str = field(repr=False)
    issuer: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that succeeded; `keep` makes it count, once it is on record. It holds no secret to show."""

    server: str
    issuer: str
    client: str
    scopes: tuple[str, ...]
    by: str
    keep: Callable[[], Awaitable[None]] = field(repr=False)


class Logins(Protocol):
    """People's logins at servers, and how every credential stands."""

    async def begin(self, server: str, by: str) -> LoginStarted:
        """Begin a login at `server` for `by`. Raises `LoginRefused`, `KeyError`."""
        ...

    async def finish(self, answer: Mapping[str, str]) -> LoggedIn:
        """Take what the authorization server sent with the browser. Raises `LoginRefused`."""
        ...

    async def forget(self, server: str) -> None:
        """Log out of `server`. Raises `LoginRefused`, `KeyError`."""
        ...

    def states(self) -> Mapping[str, CredentialState]:
        """How the credential of each server stands that has one; asks nobody."""
        ...

    def document(self) -> Mapping[str, Json]:
        """Remit's client metadata document (CIMD), which is public."""
        ...

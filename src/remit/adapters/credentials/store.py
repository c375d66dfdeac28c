"""The credentials of all servers: `ports.credentials.Credentials` and `.Logins` in one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from remit.adapters.credentials.client_registration import CallbackAddress
from remit.adapters.credentials.fetch import Fetch
from remit.adapters.credentials.login import LoginFlow
from remit.adapters.credentials.oauth import PAUSE_S, OAuthCredential
from remit.adapters.credentials.references import References
from remit.adapters.credentials.vault import Vault
from remit.facts.canonical import Json
from remit.facts.catalog import Http, Server
from remit.facts.credential import Secret
from remit.ports.credentials import (
    Credential,
    CredentialRefused,
    CredentialState,
    CredentialStatus,
    LoggedIn,
    LoginRefused,
    LoginStarted,
)
from remit.ports.system import Clock, Entropy

FOLDER: Final = "credentials"


class ServerCredentials:
    """What one HTTP server is shown: headers by reference, and a login where it has one."""

    def __init__(
        self, server: str, headers: Mapping[str, Secret], login: OAuthCredential | None, *, references: References,
        clock: Clock,
    ) -> None:  # fmt: skip
        self.login = login
        self._server = server
        self._headers = headers
        self._references = references
        self._clock = clock
        self._renewed_s = float("-inf")
        self._why: str | None = None

    async def headers(self) -> Mapping[str, str]:
        """See `Credential.headers`."""
        headers: dict[str, str] = {}
        for name, secret in self._headers.items():
            try:
                headers[name] = await self._references.header(secret)
            except CredentialRefused as refused:
                self._why = str(refused)
                raise CredentialRefused(
                    f"server {self._server!r} is not called, its header {name}: {refused}"
                ) from None
        self._why = None
        return headers if self.login is None else {**headers, **await self.login.headers()}

    async def renew(self, headers: Mapping[str, str]) -> bool:
        """See `Credential.renew`."""
        renewed = False
        now_s = self._clock.monotonic_s()
        if now_s - self._renewed_s >= PAUSE_S:
            self._renewed_s = now_s
            for name, secret in self._headers.items():
                renewed = await self._references.changed(secret, headers.get(name, "")) or renewed
        if self.login is not None:
            renewed = await self.login.renew(headers) or renewed
        return renewed

    def note_accepted(self, headers: Mapping[str, str]) -> None:
        """See `Credential.note_accepted`."""
        if self.login is not None:
            self.login.note_accepted(headers)

    def note_rejected(self, *, scope_missing: bool) -> str:
        """See `Credential.note_rejected`."""
        if self.login is not None:
            return self.login.note_rejected(scope_missing=scope_missing)
        status = 403 if scope_missing else 401
        return f"server {self._server!r} refuses its headers (HTTP {status}); see: remit describe server {self._server}"

    def state(self) -> CredentialState:
        """How it stands; asks nobody."""
        if self.login is not None and self._why is None:
            return self.login.state()
        standing = CredentialStatus.FAILING if self._why else CredentialStatus.REFERENCE
        return CredentialState(self._server, standing, why=self._why)


class CredentialStore:
    """Owns what credentials share: the references read, the sealed files, the logins under way."""

    def __init__(
        self, data: Path, place: CallbackAddress, environ: Mapping[str, str], *, clock: Clock, entropy: Entropy
    ) -> None:
        self._place = place
        self._clock = clock
        self._references = References(environ, clock)
        self._vault = Vault(data / FOLDER, data / "keys", entropy)
        self._fetch = Fetch()
        self._flow = LoginFlow(self._fetch, place, clock, entropy)
        self._by_server: dict[str, tuple[Http, ServerCredentials]] = {}

    def of(self, server: Server) -> Credential | None:
        """See `Credentials.of`; the same object for the same declaration."""
        transport = server.transport
        if not isinstance(transport, Http) or (not transport.headers and transport.oauth is None):
            self._by_server.pop(server.name, None)
            self._flow.drop(server.name)
            return None
        declared = self._by_server.get(server.name)
        if declared is not None and declared[0] == transport:
            return declared[1]
        self._flow.drop(server.name)
        login = None
        if transport.oauth is not None:
            login = OAuthCredential(
                server.name,
                transport,
                transport.oauth,
                vault=self._vault,
                references=self._references,
                fetch=self._fetch,
                clock=self._clock,
            )
        credentials = ServerCredentials(
            server.name, transport.headers, login, references=self._references, clock=self._clock
        )
        self._by_server[server.name] = (transport, credentials)
        return credentials

    async def environment(self, server: str, env: Mapping[str, str | Secret]) -> Mapping[str, str]:
        """See `Credentials.environment`."""
        variables: dict[str, str] = {}
        for name, value in env.items():
            try:
                variables[name] = value if isinstance(value, str) else await self._references.value(value)
            except CredentialRefused as refused:
                raise CredentialRefused(f"server {server!r} is not started, its variable {name}: {refused}") from None
        return variables

    async def begin(self, server: str, by: str) -> LoginStarted:
        """See `Logins.begin`."""
        return await self._flow.begin(self._login(server), by)

    async def finish(self, answer: Mapping[str, str]) -> LoggedIn:
        """See `Logins.finish`."""
        return await self._flow.finish(answer)

    async def forget(self, server: str) -> None:
        """See `Logins.forget`."""
        login = self._login(server)
        self._flow.drop(server)
        await login.forget()

    def states(self) -> Mapping[str, CredentialState]:
        """See `Logins.states`."""
        return {name: credentials.state() for name, (_, credentials) in self._by_server.items()}

    def document(self) -> Mapping[str, Json]:
        """See `Logins.document`."""
        return {"client_id": self._place.document, **self._place.metadata()}

    async def close(self) -> None:
        """Let renewals end, then close connections."""
        for _, credentials in self._by_server.values():
            if credentials.login is not None:
                await credentials.login.close()
        await self._fetch.close()

    def _login(self, server: str) -> OAuthCredential:
        entry = self._by_server.get(server)
        if entry is None or entry[1].login is None:
            raise LoginRefused(f"server {server[:64]!r} has no login (oauth)", f"remit describe server {server[:64]}")
        return entry[1].login

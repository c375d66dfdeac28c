"""The tokens of one server: refreshed before they expire and once after a 401, kept sealed.

Laws: one renewal at a time, and no cancelled call ends it (a rotated refresh token would be lost);
what was got is on disk before it is used; what is held counts only for the origin, the issuer, the
client and the grant that are declared now.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from yarl import URL

from remit.adapters.credentials.client_registration import own_client
from remit.adapters.credentials.fetch import Fetch, FetchFailed
from remit.adapters.credentials.metadata import (
    Issuer,
    MetadataRefused,
    ProtectedResource,
    discover,
    find_issuer,
    reach_of,
)
from remit.adapters.credentials.references import References
from remit.adapters.credentials.stored_login import OAuthClient, StoredLogin, Tokens, login_from
from remit.adapters.credentials.token_endpoint import GrantRefused, ask, revoke
from remit.adapters.credentials.vault import Vault
from remit.adapters.private import KeyringUnusable
from remit.facts.catalog import Http
from remit.facts.credential import OAuth, OAuthGrant
from remit.facts.durations import MINUTE_MS
from remit.ports.credentials import CredentialRefused, CredentialState, CredentialStatus
from remit.ports.system import Clock

MARGIN_MS_MAX: Final = MINUTE_MS
MARGIN_SHARE: Final = 5
PAUSE_S: Final = 5.0
"""Between two renewals that a server's 401 asked for, and after a renewal that failed."""
_LOST: Final = frozenset({"invalid_grant", "invalid_client", "unauthorized_client"})


class OAuthCredential:
    """The login at one server. `vault` and `fetch` are shared with the others."""

    def __init__(
        self,
        server: str,
        transport: Http,
        oauth: OAuth,
        *,
        vault: Vault,
        references: References,
        fetch: Fetch,
        clock: Clock,
    ) -> None:
        self.server = server
        self.transport = transport
        self.oauth = oauth
        self._vault = vault
        self._references = references
        self._fetch = fetch
        self._clock = clock
        self._issuer: Issuer | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._renewed_s = self._failed_s = float("-inf")
        self._why: str | None = None
        self._rejected: Tokens | None = None
        self._login = self._load()

    async def headers(self) -> Mapping[str, str]:
        """See `Credential.headers`."""
        tokens = self._login.tokens if self._login is not None else None
        if tokens is None or self._is_due(tokens):
            tokens = await self._fresh(tokens)
        return {"Authorization": f"Bearer {tokens.access}"}

    async def renew(self, headers: Mapping[str, str]) -> bool:
        """See `Credential.renew`."""
        tokens = self._login.tokens if self._login is not None else None
        if tokens is not None and headers.get("Authorization") != f"Bearer {tokens.access}":
            return True
        now_s = self._clock.monotonic_s()
        if self._why is not None and now_s - self._failed_s < PAUSE_S:
            raise self._refusal(self._why)
        if not self._can_renew(tokens) or now_s - self._renewed_s < PAUSE_S:
            return False
        self._renewed_s = now_s
        await self._renewal()
        return True

    def note_accepted(self, headers: Mapping[str, str]) -> None:
        """See `Credential.note_accepted`."""
        if self._rejected is not None and headers.get("Authorization") == f"Bearer {self._rejected.access}":
            self._rejected = None

    def note_rejected(self, *, scope_missing: bool) -> str:
        """See `Credential.note_rejected`."""
        login = f"remit servers login {self.server}"
        self._rejected = self._login.tokens if self._login is not None else None
        if scope_missing:
            return (
                f"server {self.server!r} wants a scope that was not granted; add it to oauth.scopes, then: remit apply"
            )
        if self.oauth.grant is OAuthGrant.AUTHORIZATION_CODE:
            return f"server {self.server!r} refuses the login (HTTP 401); a person logs in again: {login}"
        issuer = self._login.issuer if self._login is not None else self.oauth.issuer
        return f"server {self.server!r} refuses the token that {issuer} gives for it (HTTP 401); see: remit doctor"

    async def accept(self, login: StoredLogin) -> None:
        """Keep a new login, on disk first. Raises `CredentialRefused`."""
        await self._keep(login)
        self._why = None
        self._renewed_s = self._failed_s = float("-inf")

    async def forget(self) -> None:
        """Log out: end the tokens at the authorization server where it can, and here always."""
        login, self._login = self._login, None
        await asyncio.to_thread(self._vault.remove, self.server)
        if login is None or login.tokens is None:
            return
        try:
            issuer = await self._issuer_of(login)
            await revoke(self._fetch, issuer, login.client, await self.secret(login.client), login.tokens)
        except (FetchFailed, MetadataRefused, CredentialRefused):
            return

    def state(self) -> CredentialState:
        """How it stands now; asks nobody."""
        tokens = self._login.tokens if self._login is not None else None
        issuer = self._login.issuer if self._login is not None else self.oauth.issuer
        is_person = self.oauth.grant is OAuthGrant.AUTHORIZATION_CODE
        if tokens is None:
            standing = CredentialStatus.NEEDS_LOGIN if is_person else CredentialStatus.NOT_ASKED
            standing = CredentialStatus.FAILING if self._why and not is_person else standing
            return CredentialState(self.server, standing, None, issuer, self.oauth.scopes, self._why)
        standing = CredentialStatus.VALID
        if self._is_over(tokens):
            standing = CredentialStatus.VALID if self._can_renew(tokens) else CredentialStatus.EXPIRED
        why = self._why
        if why is None and tokens is self._rejected:
            why = "the server refuses it"
        if why is not None:
            standing = CredentialStatus.FAILING
        return CredentialState(self.server, standing, tokens.until_ms, issuer, tokens.scopes, why)

    async def secret(self, client: OAuthClient) -> str | None:
        """The secret of `client`, by reference or as it was registered. Raises `CredentialRefused`."""
        declared = self.oauth.client_secret
        if declared is not None and client.ident == self.oauth.client_id:
            return await self._references.value(declared)
        return client.secret

    async def close(self) -> None:
        """Let a renewal under way come to its end."""
        if self._renewing is not None:
            await asyncio.gather(self._renewing, return_exceptions=True)

    async def _fresh(self, tokens: Tokens | None) -> Tokens:
        if not self._can_renew(tokens):
            if tokens is not None and not self._is_over(tokens):
                return tokens
            how = "its login has expired" if tokens is not None else "it needs a login"
            raise self._refusal(f"{how}; a person logs in: remit servers login {self.server}")
        try:
            if self._clock.monotonic_s() - self._failed_s < PAUSE_S:
                raise self._refusal(self._why or "its login could not be renewed a moment ago")
            await self._renewal()
        except CredentialRefused:
            if tokens is not None and self._login is not None and not self._is_over(tokens):
                return tokens
            raise
        if self._login is None or self._login.tokens is None:
            raise self._refusal(f"it was logged out; a person logs in: remit servers login {self.server}")
        return self._login.tokens

    async def _renewal(self) -> None:
        """One renewal for all who wait. Raises `CredentialRefused`."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew())
            self._renewing.add_done_callback(_retrieve_exception)
        await asyncio.shield(self._renewing)

    async def _renew(self) -> None:
        before = self._login
        try:
            login, grant = await self._grant_request(before)
            issuer = self._issuer or await self._issuer_of(login)
            secret = await self.secret(login.client)
            tokens = await ask(self._fetch, issuer, login.client, secret, grant, self._clock.now_ms())
        except GrantRefused as refused:
            raise await self._grant_refusal(before, refused) from None
        except (FetchFailed, MetadataRefused, CredentialRefused) as problem:
            self._issuer = None
            raise self._failure(str(problem)) from None
        if self._login is not before:
            raise self._refusal("its login changed meanwhile; call again")
        await self._keep(replace(login, tokens=tokens))
        self._why = None

    async def _grant_request(self, login: StoredLogin | None) -> tuple[StoredLogin, Mapping[str, str]]:
        """What to ask the token endpoint for, and as whom."""
        if login is not None and login.tokens is not None and login.tokens.refresh is not None:
            return login, {
                "grant_type": "refresh_token",
                "refresh_token": login.tokens.refresh,
                "resource": login.resource,
            }
        guarded = await discover(self._fetch, self.transport, self.oauth)
        self._issuer = guarded.issuer
        client = own_client(guarded.issuer, self.oauth)
        if client is None:
            raise MetadataRefused("there is no client_id to ask for a token with")
        fields = {"grant_type": "client_credentials", "resource": guarded.resource}
        if guarded.scopes:
            fields["scope"] = " ".join(guarded.scopes)
        return self.holding(guarded, client), fields

    def holding(self, guarded: ProtectedResource, client: OAuthClient) -> StoredLogin:
        """A login at what `guarded` says, without tokens yet."""
        origin = str(URL(self.transport.url).origin())
        grant = self.oauth.grant.value
        return StoredLogin(origin, guarded.issuer.issuer, grant, guarded.resource, client, tokens=None)

    async def _issuer_of(self, login: StoredLogin) -> Issuer:
        self._issuer = await find_issuer(self._fetch, login.issuer, reach_of(self.transport, self.oauth))
        return self._issuer

    async def _grant_refusal(self, before: StoredLogin | None, refused: GrantRefused) -> CredentialRefused:
        """A grant that is over is forgotten, so that nobody tries it again; another refusal is only told."""
        if refused.code not in _LOST or before is None or before.tokens is None:
            return self._failure(str(refused))
        if self._login is before:
            await self._keep(replace(before, tokens=None))
        self._why = str(refused)
        if self.oauth.grant is OAuthGrant.CLIENT_CREDENTIALS:
            return self._failure(str(refused))
        return self._refusal(f"its login has ended ({refused}); a person logs in: remit servers login {self.server}")

    async def _keep(self, login: StoredLogin) -> None:
        try:
            await asyncio.to_thread(self._vault.write, self.server, login.sealed())
        except (KeyringUnusable, OSError) as error:
            raise self._failure(f"its login cannot be kept: {error}") from None
        self._login = login

    def _load(self) -> StoredLogin | None:
        try:
            data = self._vault.read(self.server)
        except KeyringUnusable as error:
            self._why = str(error)
            return None
        login = login_from(data) if data is not None else None
        if login is None:
            return None
        of_this = login.origin == str(URL(self.transport.url).origin()) and login.grant == self.oauth.grant.value
        same_issuer = self.oauth.issuer in {None, login.issuer}
        same_client = self.oauth.client_id in {None, login.client.ident}
        return login if of_this and same_issuer and same_client else None

    def _can_renew(self, tokens: Tokens | None) -> bool:
        if self.oauth.grant is OAuthGrant.CLIENT_CREDENTIALS:
            return True
        return tokens is not None and tokens.refresh is not None

    def _is_due(self, tokens: Tokens) -> bool:
        if tokens.until_ms is None:
            return False
        margin = min(MARGIN_MS_MAX, (tokens.until_ms - tokens.got_ms) // MARGIN_SHARE)
        return self._clock.now_ms() >= tokens.until_ms - margin

    def _is_over(self, tokens: Tokens) -> bool:
        return tokens.until_ms is not None and self._clock.now_ms() >= tokens.until_ms

    def _failure(self, why: str) -> CredentialRefused:
        self._failed_s = self._clock.monotonic_s()
        self._why = why
        return self._refusal(f"its credential cannot be got: {why}")

    def _refusal(self, why: str) -> CredentialRefused:
        return CredentialRefused(f"server {self.server!r} is not called: {why}")


def _retrieve_exception(task: "asyncio.Task[None]") -> None:
    """Take note of a failure; whoever waits gets it from the task itself."""
    if not task.cancelled():
        task.exception()

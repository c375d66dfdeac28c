"""A person's login at a server: the authorization code flow with PKCE (OAuth 2.1, RFC 7636, RFC 9207).

Laws: a state is a secret of one login, used once and for ten minutes; the verifier never leaves
memory; a code goes only to the token endpoint of the issuer that was asked, and only after the
answer was seen to come from it.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlencode

from remit.adapters.credentials.client_registration import CallbackAddress, client_for
from remit.adapters.credentials.fetch import Fetch, FetchFailed
from remit.adapters.credentials.metadata import MetadataRefused, ProtectedResource, discover
from remit.adapters.credentials.oauth import OAuthCredential
from remit.adapters.credentials.stored_login import StoredLogin
from remit.adapters.credentials.token_endpoint import GrantRefused, ask
from remit.facts.credential import OAuth, OAuthGrant
from remit.ports.credentials import CredentialRefused, LoggedIn, LoginRefused, LoginStarted
from remit.ports.system import Clock, Entropy

LOGIN_MS: Final = 600_000
PENDING_MAX: Final = 64
_OFFLINE: Final = "offline_access"
_TOLD: Final = frozenset(
    {
        "access_denied", "invalid_request", "invalid_scope", "invalid_target", "server_error",
        "temporarily_unavailable", "unauthorized_client", "unsupported_response_type",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _PendingLogin:
    """A login that a person has begun."""

    credential: OAuthCredential
    guarded: ProtectedResource
    login: StoredLogin
    scope: str
    by: str
    until_ms: int
    verifier: str = field(repr=False)


class LoginFlow:
    """The logins under way, in memory alone: a restart ends them."""

    def __init__(self, fetch: Fetch, place: CallbackAddress, clock: Clock, entropy: Entropy) -> None:
        self._fetch = fetch
        self._place = place
        self._clock = clock
        self._entropy = entropy
        self._pending: dict[bytes, _PendingLogin] = {}

    async def begin(self, credential: OAuthCredential, by: str) -> LoginStarted:
        """The address at which a person logs in. Raises `LoginRefused`."""
        oauth = credential.oauth
        if oauth.grant is not OAuthGrant.AUTHORIZATION_CODE:
            raise LoginRefused(
                f"server {credential.server!r} logs in by itself (grant {oauth.grant})",
                f"remit describe server {credential.server}",
            )
        try:
            guarded = await discover(self._fetch, credential.transport, oauth)
            endpoint = guarded.issuer.authorization_endpoint
            if endpoint is None:
                raise MetadataRefused("the authorization server has no authorization endpoint")
            if "S256" not in guarded.issuer.challenge_methods:
                raise MetadataRefused("the authorization server does not say that it takes PKCE with S256")
            scope = _scope(guarded, oauth)
            client = await client_for(self._fetch, guarded.issuer, oauth, self._place, scope)
        except (MetadataRefused, FetchFailed) as problem:
            raise LoginRefused(str(problem), f"remit describe server {credential.server}") from None
        verifier, state = self._secret(), self._secret()
        until_ms = self._clock.now_ms() + LOGIN_MS
        login = credential.holding(guarded, client)
        self._make_room()
        self._pending[_key(state)] = _PendingLogin(credential, guarded, login, scope, by, until_ms, verifier)
        query = {
            "response_type": "code",
            "client_id": client.ident,
            "redirect_uri": self._place.callback,
            "state": state,
            "code_challenge": _plain(hashlib.sha256(verifier.encode("ascii")).digest()),
            "code_challenge_method": "S256",
            "resource": guarded.resource,
            **({"scope": scope} if scope else {}),
        }
        url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"
        return LoginStarted(url, guarded.issuer.issuer, until_ms)

    async def finish(self, answer: Mapping[str, str]) -> LoggedIn:
        """Take the `answer` that a browser brought. Raises `LoginRefused`."""
        pending = self._pending.pop(_key(answer.get("state", "")), None)
        if pending is None or self._clock.now_ms() >= pending.until_ms:
            raise LoginRefused(
                "this login was not begun here, was used already, or took longer than ten minutes",
                "remit servers login NAME",
            )
        credential, issuer = pending.credential, pending.guarded.issuer
        again = f"remit servers login {credential.server}"
        # Before anything else of the answer is believed or told: whose is it (RFC 9207 section 2.4)?
        sender = answer.get("iss")
        if sender != issuer.issuer if sender is not None else issuer.sends_issuer:
            raise LoginRefused("the answer comes from another authorization server than the one asked", again)
        code = answer.get("code")
        if "error" in answer or not code:
            error = answer.get("error", "")
            why = f" ({error})" if error in _TOLD else ""
            raise LoginRefused(f"the authorization server {issuer.issuer} did not let you in{why}", again)
        grant = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._place.callback,
            "code_verifier": pending.verifier,
            "resource": pending.guarded.resource,
            **({"scope": pending.scope} if pending.scope else {}),
        }
        try:
            secret = await credential.secret(pending.login.client)
            tokens = await ask(self._fetch, issuer, pending.login.client, secret, grant, self._clock.now_ms())
        except (GrantRefused, FetchFailed, CredentialRefused) as problem:
            raise LoginRefused(str(problem), again) from None
        login = replace(pending.login, tokens=tokens)

        async def keep() -> None:
            try:
                await credential.accept(login)
            except CredentialRefused as refused:
                raise LoginRefused(str(refused), "remit doctor") from None

        client = login.client.ident
        return LoggedIn(credential.server, issuer.issuer, client, tokens.scopes, pending.by, keep)

    def drop(self, server: str) -> None:
        """End the logins of `server` that are under way."""
        for key in [key for key, pending in self._pending.items() if pending.credential.server == server]:
            del self._pending[key]

    def _make_room(self) -> None:
        now_ms = self._clock.now_ms()
        for key in [key for key, pending in self._pending.items() if now_ms >= pending.until_ms]:
            del self._pending[key]
        while len(self._pending) >= PENDING_MAX:
            del self._pending[next(iter(self._pending))]

    def _secret(self) -> str:
        return _plain(self._entropy.token_bytes(32))


def _scope(guarded: ProtectedResource, oauth: OAuth) -> str:
    """What to ask for; a login that outlives its first token is part of it where that takes a scope."""
    scopes = guarded.scopes
    if scopes and not oauth.scopes and _OFFLINE in guarded.issuer.scopes and _OFFLINE not in scopes:
        scopes = (*scopes, _OFFLINE)
    return " ".join(scopes)


def _key(state: str) -> bytes:
    """Looked up by hash, so that the time of a look-up tells nothing of a state."""
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).digest()


def _plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")

"""The token endpoint: a grant in, tokens out (OAuth 2.1 section 3.2, RFC 8707, RFC 7009)."""

import base64
import math
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from remit.adapters.credentials.fetch import Fetch, FetchFailed
from remit.adapters.credentials.metadata import Issuer
from remit.adapters.credentials.stored_login import OAuthClient, Tokens
from remit.control.credentials import SCOPE
from remit.facts.canonical import Json

TOKEN_CHARS_MAX: Final = 16 * 1024
LIFETIME_S_MAX: Final = 10 * 365 * 86_400
_CODES: Final = frozenset(
    {
        "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
        "invalid_scope", "invalid_target", "server_error", "temporarily_unavailable",
    }
)  # fmt: skip
"""What an authorization server may say that is repeated to people; everything else is its own text."""


class GrantRefused(Exception):
    """The authorization server gives no token; `code` is one of OAuth's, or empty."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


async def ask(
    fetch: Fetch,
    issuer: Issuer,
    client: OAuthClient,
    secret: str | None,
    grant: Mapping[str, str],
    now_ms: int,
) -> Tokens:
    """Tokens for `grant`; `secret` is the client's. Raises `GrantRefused`, `FetchFailed`."""
    fields, headers = with_client_authentication(client, secret, grant)
    answer = await fetch.post_form(issuer.token_endpoint, fields, issuer.reach, headers)
    if answer.status >= 500 or answer.status == 429:
        raise FetchFailed(f"the authorization server {issuer.issuer} answers with HTTP {answer.status}")
    body: Mapping[str, Json] = answer.body or {}
    if answer.status != 200:
        code = error_code(body.get("error"))
        raise GrantRefused(code, f"the authorization server {issuer.issuer} refuses: {code or f'HTTP {answer.status}'}")
    return _tokens(body, issuer, grant, now_ms)


async def revoke(fetch: Fetch, issuer: Issuer, client: OAuthClient, secret: str | None, tokens: Tokens) -> bool:
    """Ask that `tokens` end (RFC 7009); whether that was accepted. Raises `FetchFailed`."""
    if issuer.revocation_endpoint is None:
        return False
    token = {"token": tokens.refresh or tokens.access}
    fields, headers = with_client_authentication(client, secret, token)
    return (await fetch.post_form(issuer.revocation_endpoint, fields, issuer.reach, headers)).status == 200


def with_client_authentication(
    client: OAuthClient, secret: str | None, fields: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """`fields` and headers that say who asks (RFC 6749 section 2.3.1)."""
    identified = {**fields, "client_id": client.ident}
    match client.method:
        case "client_secret_basic":
            pair = f"{quote(client.ident, safe='')}:{quote(secret or '', safe='')}"
            return identified, {"Authorization": f"Basic {base64.b64encode(pair.encode('ascii')).decode('ascii')}"}
        case "client_secret_post":
            return {**identified, "client_secret": secret or ""}, {}
        case _:
            return identified, {}


def error_code(code: object) -> str:
    """`code` where it is one of OAuth's own, else nothing: other text is not repeated."""
    return code if isinstance(code, str) and code in _CODES else ""


def _tokens(body: Mapping[str, Json], issuer: Issuer, grant: Mapping[str, str], now_ms: int) -> Tokens:
    access, kind, refresh = body.get("access_token"), body.get("token_type"), body.get("refresh_token")
    if not _usable(access) or not isinstance(access, str):
        raise GrantRefused("", f"the authorization server {issuer.issuer} answers without an access token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise GrantRefused("", f"the authorization server {issuer.issuer} gives tokens that are no bearer tokens")
    lifetime_s = body.get("expires_in")
    if isinstance(lifetime_s, str) and lifetime_s.isascii() and lifetime_s.isdigit():
        lifetime_s = int(lifetime_s[:12])
    until = None
    if isinstance(lifetime_s, int | float) and not isinstance(lifetime_s, bool) and math.isfinite(lifetime_s):
        until = now_ms + int(1000 * min(max(lifetime_s, 0), LIFETIME_S_MAX))
    scope = body.get("scope")
    scopes = scope if isinstance(scope, str) else grant.get("scope", "")
    # A refresh token that is not replaced goes on (RFC 6749 section 6).
    refresh_token = refresh if isinstance(refresh, str) and _usable(refresh) else grant.get("refresh_token")
    return Tokens(
        access, refresh_token, now_ms, until, tuple(word for word in scopes.split(" ")[:64] if SCOPE.fullmatch(word))
    )


def _usable(token: Json) -> bool:
    return (
        isinstance(token, str)
        and 0 < len(token) <= TOKEN_CHARS_MAX
        and token.isascii()
        and token.isprintable()
        and " " not in token
    )

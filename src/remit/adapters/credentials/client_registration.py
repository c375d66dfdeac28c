"""Who Remit is at an authorization server.

In the order of the MCP specification: as a person registered it, by its own metadata document
(CIMD), or registered now (RFC 7591) where that alone exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from yarl import URL

from remit.adapters.credentials.fetch import Fetch
from remit.adapters.credentials.metadata import Issuer, MetadataRefused
from remit.adapters.credentials.stored_login import OAuthClient
from remit.facts.canonical import Json
from remit.facts.credential import OAuth

CALLBACK: Final = "/oauth/callback"
DOCUMENT: Final = "/oauth/client.json"
NAME: Final = "Remit"
_METHODS: Final = ("client_secret_basic", "client_secret_post", "none")


@dataclass(frozen=True, slots=True)
class CallbackAddress:
    """Where Remit is reached by a person's browser: `base` is scheme, host and port."""

    base: str

    @property
    def callback(self) -> str:
        """The redirect URI."""
        return self.base + CALLBACK

    @property
    def document(self) -> str:
        """The address of the client metadata document, which is the client id that it declares."""
        return self.base + DOCUMENT

    @property
    def has_document(self) -> bool:
        """Whether an authorization server may use the document: it must stand behind https."""
        return URL(self.base).scheme == "https"

    def metadata(self) -> dict[str, Json]:
        """The client as it describes itself (RFC 7591 section 2)."""
        return {
            "client_name": NAME,
            "redirect_uris": [self.callback],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "web" if self.has_document else "native",
        }


def own_client(issuer: Issuer, oauth: OAuth) -> OAuthClient | None:
    """The client that a person registered, as the Server resource has it."""
    if oauth.client_id is None:
        return None
    if oauth.client_secret is None:
        return OAuthClient(oauth.client_id, "none")
    for method in _METHODS[:2]:
        if method in issuer.auth_methods:
            return OAuthClient(oauth.client_id, method)
    raise MetadataRefused("the authorization server takes no client secret: neither client_secret_basic nor _post")


async def client_for(fetch: Fetch, issuer: Issuer, oauth: OAuth, place: CallbackAddress, scope: str) -> OAuthClient:
    """Who to log in as, to ask for `scope`. Raises `MetadataRefused`, `FetchFailed`.

    A registration serves one login: people log in seldom, and servers forget clients.
    """
    own = own_client(issuer, oauth)
    if own is not None:
        return own
    if issuer.takes_documents and place.has_document:
        return OAuthClient(place.document, "none")
    if issuer.registration_endpoint is None:
        how = " (it takes client metadata documents: remit up --public-url)" if issuer.takes_documents else ""
        raise MetadataRefused(
            f"the authorization server registers nobody by itself{how}; register Remit there with the redirect URI "
            f"{place.callback}, put the client id into oauth.client_id of the Server resource, then: remit apply"
        )
    metadata = {**place.metadata(), **({"scope": scope} if scope else {})}
    return await _register(fetch, issuer, issuer.registration_endpoint, place, metadata)


async def _register(
    fetch: Fetch, issuer: Issuer, endpoint: str, place: CallbackAddress, metadata: Mapping[str, Json]
) -> OAuthClient:
    answer = await fetch.post_json(endpoint, metadata, issuer.reach)
    body = answer.body or {}
    ident, secret = body.get("client_id"), body.get("client_secret")
    method = body.get("token_endpoint_auth_method", "client_secret_basic" if secret else "none")
    if answer.status not in {200, 201} or not isinstance(ident, str) or not 0 < len(ident) <= 512:
        raise MetadataRefused(
            f"the authorization server does not register Remit (HTTP {answer.status}); register it there by hand with "
            f"the redirect URI {place.callback} and put the client id into oauth.client_id, then: remit apply"
        )
    if method not in _METHODS or (method != "none") != isinstance(secret, str):
        raise MetadataRefused("the authorization server wants a proof of the client that Remit does not give")
    return OAuthClient(ident, str(method), secret if isinstance(secret, str) else None)

"""Which authorization server guards a server, and what it can do (RFC 9728, RFC 8414, OIDC Discovery).

Laws: metadata of a server comes from that server's own origin and speaks of it; metadata of an
authorization server names exactly the issuer it was asked for; an issuer that a person named is
the only one taken.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from yarl import URL

from remit.adapters.credentials.challenge import bearer_challenge
from remit.adapters.credentials.fetch import Fetch, FetchFailed, Reach
from remit.adapters.upstreams.address_guard import is_public_name
from remit.control.credentials import SCOPE
from remit.facts.address import is_global
from remit.facts.canonical import Json
from remit.facts.catalog import Http
from remit.facts.credential import OAuth

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_LISTED_MAX: Final = 32
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class MetadataRefused(Exception):
    """What was found cannot be used; says why, in our own words."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authorization server by its validated metadata. `reach` goes for its endpoints too."""

    issuer: str
    token_endpoint: str
    reach: Reach
    authorization_endpoint: str | None = None
    registration_endpoint: str | None = None
    revocation_endpoint: str | None = None
    auth_methods: tuple[str, ...] = ("client_secret_basic",)
    challenge_methods: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    takes_documents: bool = False
    sends_issuer: bool = False


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """A server and who guards it: `resource` is its name in token requests (RFC 8707)."""

    resource: str
    issuer: Issuer
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Resource:
    resource: str
    issuers: tuple[str, ...]
    scopes: tuple[str, ...]


async def discover(fetch: Fetch, transport: Http, oauth: OAuth) -> ProtectedResource:
    """Who guards the server at the url of `transport`. Raises `MetadataRefused`, `FetchFailed`."""
    url, reach = transport.url, _own_reach(transport)
    # A ping without a credential: does nothing where it is let in, and is challenged where it is not.
    ping = await fetch.post_json(url, {"jsonrpc": "2.0", "id": 1, "method": "ping"}, reach)
    challenge = bearer_challenge(ping.challenges if ping.status == 401 else ())
    resource = await _resource(fetch, URL(url), reach, challenge.get("resource_metadata"))
    chosen = _choose_issuer(oauth.issuer, resource)
    issuer = await find_issuer(fetch, chosen, reach_of(transport, oauth))
    scopes = oauth.scopes or _words(challenge.get("scope")) or (resource.scopes if resource is not None else ())
    return ProtectedResource(resource.resource if resource is not None else canonical(url), issuer, scopes)


def _choose_issuer(issuer_named: str | None, resource: _Resource | None) -> str:
    """`issuer_named` by a person, else the first that the server names."""
    offered = resource.issuers if resource is not None else ()
    if issuer_named is not None:
        if resource is not None and issuer_named not in offered:
            raise MetadataRefused(
                "the server names another authorization server than oauth.issuer of its Server resource; "
                "if it moved, correct that, then: remit apply"
            )
        return issuer_named
    for issuer in offered:
        return issuer
    raise MetadataRefused(
        "the server names no authorization server; name it: oauth.issuer of its Server resource, then: remit apply"
    )


async def find_issuer(fetch: Fetch, issuer: str, reach: Reach) -> Issuer:
    """The authorization server `issuer` by its metadata. Raises `MetadataRefused`, `FetchFailed`."""
    _see_safe(issuer, reach, "the issuer")
    for place in issuer_places(issuer):
        answer = await fetch.get(place, reach)
        if answer.status == 200 and answer.body is not None:
            return _issuer(answer.body, issuer, reach)
        if answer.status >= 500 or answer.status == 429:
            raise FetchFailed(f"{URL(issuer).origin()} answers with HTTP {answer.status}")
    raise MetadataRefused("the authorization server publishes no metadata (RFC 8414, OpenID Connect Discovery)")


def reach_of(transport: Http, oauth: OAuth) -> Reach:
    """Where an authorization server may be: inside if a person named it, or the server is inside itself."""
    return Reach.ANY if oauth.issuer is not None else _own_reach(transport)


def _own_reach(transport: Http) -> Reach:
    inside = transport.private or _is_inside(URL(transport.url).host or "")
    return Reach.ANY if inside else Reach.PUBLIC


def issuer_places(issuer: str) -> Iterator[str]:
    """Where the metadata of `issuer` may be, in the order of the MCP specification."""
    url = URL(issuer)
    origin, path = str(url.origin()), url.raw_path.rstrip("/")
    yield f"{origin}/.well-known/oauth-authorization-server{path}"
    yield f"{origin}/.well-known/openid-configuration{path}"
    if path:
        yield f"{origin}{path}/.well-known/openid-configuration"


def canonical(url: str) -> str:
    """`url` as the name of a resource: without user, query and fragment (RFC 8707 section 2)."""
    return str(URL(url).with_user(None).with_query(None).with_fragment(None))


async def _resource(fetch: Fetch, url: URL, reach: Reach, metadata_url: str | None) -> _Resource | None:
    """What the server says of itself; None where it says nothing (RFC 9728)."""
    origin = str(url.origin())
    path = url.raw_path.rstrip("/")
    places = [f"{origin}{WELL_KNOWN}{path}", *([f"{origin}{WELL_KNOWN}"] if path else [])]
    if metadata_url is not None:
        if not _same_origin(metadata_url, url):
            raise MetadataRefused("the server points to metadata on another origin than its own")
        places.insert(0, metadata_url)
    for place in places:
        answer = await fetch.get(place, reach)
        if answer.status >= 500 or answer.status == 429:
            raise FetchFailed(f"{origin} answers with HTTP {answer.status}")
        if answer.status != 200 or answer.body is None:
            continue
        resource = answer.body.get("resource")
        if not isinstance(resource, str) or not _covers(resource, url):
            raise MetadataRefused("the server's metadata speaks of another resource than its url")
        return _Resource(resource, _texts(answer.body, "authorization_servers"), _scopes(answer.body))
    return None


def _covers(resource: str, url: URL) -> bool:
    """Whether `resource` is `url` or a path above it, on the same origin."""
    if not _same_origin(resource, url):
        return False
    above = URL(resource)
    path = above.raw_path.rstrip("/")
    return not above.raw_fragment and (url.raw_path.rstrip("/") == path or url.raw_path.startswith(f"{path}/"))


def _issuer(body: Mapping[str, Json], issuer: str, reach: Reach) -> Issuer:
    if body.get("issuer") != issuer:
        raise MetadataRefused("the authorization server's metadata is that of another issuer (RFC 8414 section 3.3)")
    token = _endpoint(body, "token_endpoint", reach)
    if token is None:
        raise MetadataRefused("the authorization server names no token endpoint")
    return Issuer(
        issuer=issuer,
        token_endpoint=token,
        reach=reach,
        authorization_endpoint=_endpoint(body, "authorization_endpoint", reach),
        registration_endpoint=_endpoint(body, "registration_endpoint", reach),
        revocation_endpoint=_endpoint(body, "revocation_endpoint", reach),
        auth_methods=_texts(body, "token_endpoint_auth_methods_supported") or ("client_secret_basic",),
        challenge_methods=_texts(body, "code_challenge_methods_supported"),
        scopes=_scopes(body),
        takes_documents=body.get("client_id_metadata_document_supported") is True,
        sends_issuer=body.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(body: Mapping[str, Json], name: str, reach: Reach) -> str | None:
    url = body.get(name)
    if not isinstance(url, str):
        return None
    _see_safe(url, reach, f"its {name}")
    return url


def _see_safe(address: str, reach: Reach, what: str) -> None:
    """https, or http on loopback where that may be reached at all. Raises `MetadataRefused`."""
    try:
        url = URL(address)
        host = url.host or ""
        # aiohttp would take white space and line ends off; what is shown and what is used must be one.
        usable = bool(host) and url.user is None and not url.fragment and address.isascii() and address.isprintable()
    except ValueError:
        usable, url, host = False, URL(), ""
    if not usable or " " in address:
        raise MetadataRefused(f"{what} is no address")
    if url.scheme != "https" and not (url.scheme == "http" and host in _LOOPBACK and reach is Reach.ANY):
        raise MetadataRefused(f"{what} is not reached over https")
    if reach is Reach.PUBLIC and _is_inside(host):
        raise MetadataRefused(f"{what} has a private address, which a server may not name; a person may: oauth.issuer")


def _is_inside(host: str) -> bool:
    """Whether `host` is meant to be inside by what stands there; where a public name leads is seen at connecting."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return not is_public_name(host)
    return not is_global(host)


def _same_origin(address: str, url: URL) -> bool:
    try:
        return URL(address).origin() == url.origin()
    except ValueError:
        return False


def _texts(body: Mapping[str, Json], name: str) -> tuple[str, ...]:
    values = body.get(name)
    if not isinstance(values, list):
        return ()
    return tuple(item for item in values[:_LISTED_MAX] if isinstance(item, str))


def _scopes(body: Mapping[str, Json]) -> tuple[str, ...]:
    return tuple(scope for scope in _texts(body, "scopes_supported") if SCOPE.fullmatch(scope))


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(scope for scope in (text or "").split(" ")[:_LISTED_MAX] if SCOPE.fullmatch(scope))

"""What is kept of one server's login, and its sealed form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from remit.facts.canonical import Json

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """Who Remit is at one authorization server.

    `method` is how it proves that at the token endpoint: `none`, `client_secret_basic` or
    `client_secret_post`. `secret` is one given at registration; one by reference is not kept.
    """

    ident: str
    method: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What lets in until `until_ms` (None: until it is refused), and what gets the next."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    got_ms: int
    until_ms: int | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """A login: bound to the `origin` of the server's url and to the `issuer` that gave it."""

    origin: str
    issuer: str
    grant: str
    resource: str
    client: OAuthClient
    tokens: Tokens | None

    def sealed(self) -> bytes:
        """The bytes to seal."""
        client = {"ident": self.client.ident, "method": self.client.method, "secret": self.client.secret}
        members: dict[str, object] = {
            "version": _VERSION,
            "origin": self.origin,
            "issuer": self.issuer,
            "grant": self.grant,
            "resource": self.resource,
            "client": client,
            "tokens": None,
        }
        if self.tokens is not None:
            members["tokens"] = {
                "access": self.tokens.access,
                "refresh": self.tokens.refresh,
                "got_ms": self.tokens.got_ms,
                "until_ms": self.tokens.until_ms,
                "scopes": list(self.tokens.scopes),
            }
        return orjson.dumps(members)


def login_from(data: bytes) -> StoredLogin | None:
    """What `StoredLogin.sealed` wrote; None where this version cannot read it."""
    try:
        value: Json = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    match value:
        case {
            "version": 1,
            "origin": str(origin),
            "issuer": str(issuer),
            "grant": str(grant),
            "resource": str(resource),
            "client": {"ident": str(ident), "method": str(method), "secret": str() | None as secret},
            "tokens": Mapping() | None as tokens,
        }:
            client = OAuthClient(ident, method, secret)
            stored_tokens = None if tokens is None else _tokens(tokens)
            return StoredLogin(origin, issuer, grant, resource, client, stored_tokens)
        case _:
            return None


def _tokens(value: Mapping[str, Json]) -> Tokens | None:
    match value:
        case {
            "access": str(access),
            "refresh": str() | None as refresh,
            "got_ms": int(got_ms),
            "until_ms": int() | None as until_ms,
            "scopes": [*scopes],
        }:
            return Tokens(access, refresh, got_ms, until_ms, tuple(str(scope) for scope in scopes))
        case _:
            return None

"""How a server is to be convinced, as declared: where secrets come from, never what they are.

A reference is resolved by an adapter when it is needed; nothing here, and so no bundle, diff or
record, ever holds a secret.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never

from remit.facts.canonical import Json


@dataclass(frozen=True, slots=True)
class FromEnv:
    """The environment variable `name` of the service itself."""

    name: str


@dataclass(frozen=True, slots=True)
class FromFile:
    """The content of the file at the absolute `path`, one line end at its end left out."""

    path: str


@dataclass(frozen=True, slots=True)
class FromCommand:
    """What the program `argv` prints, run without a shell, one line end at its end left out."""

    argv: tuple[str, ...]


Origin: TypeAlias = FromEnv | FromFile | FromCommand


@dataclass(frozen=True, slots=True)
class Secret:
    """A value by reference: `prefix` (`"Bearer "`), then what `origin` gives."""

    origin: Origin
    prefix: str = ""

    def to_json(self) -> dict[str, Json]:
        """The reference as YAML spells it."""
        return {**_origin_json(self.origin), **({"prefix": self.prefix} if self.prefix else {})}


class OAuthGrant(StrEnum):
    """How tokens are got (OAuth 2.1): a person logs in once, or the service for itself."""

    AUTHORIZATION_CODE = "authorization_code"
    CLIENT_CREDENTIALS = "client_credentials"


@dataclass(frozen=True, slots=True)
class OAuth:
    """An OAuth login at a server.

    `issuer` names the authorization server; None takes the one that the server names (RFC 9728).
    `client_id` None: a client metadata document, or registration. `scopes` empty: as the server asks.
    """

    grant: OAuthGrant
    issuer: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    scopes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The login as YAML spells it, what is left out left out."""
        members: dict[str, Json] = {"grant": self.grant.value}
        if self.issuer is not None:
            members["issuer"] = self.issuer
        if self.client_id is not None:
            members["client_id"] = self.client_id
        if self.client_secret is not None:
            members["client_secret"] = self.client_secret.to_json()
        if self.scopes:
            members["scopes"] = list(self.scopes)
        return members


def shown(value: "str | Secret", hidden: Json) -> Json:
    """`value` to show: a reference as it is, a plain value as `hidden`."""
    return value.to_json() if isinstance(value, Secret) else hidden


def _origin_json(origin: Origin) -> dict[str, Json]:
    match origin:
        case FromEnv(name):
            return {"env": name}
        case FromFile(path):
            return {"file": path}
        case FromCommand(argv):
            return {"command": list(argv)}
        case _:
            assert_never(origin)

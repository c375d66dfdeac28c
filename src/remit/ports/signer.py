"""Signing and verifying the tokens that people and agents carry."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from remit.facts.canonical import Json


class TokenRefusal(StrEnum):
    """Why a bearer was refused. Stable: answers and tests name it."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    REVOKED = "revoked"
    WRONG_AUDIENCE = "wrong-audience"
    WRONG_KIND = "wrong-kind"


class TokenInvalid(Exception):
    """A token that is not accepted; `cause` says which way, the text is one sentence."""

    def __init__(self, cause: TokenRefusal, text: str) -> None:
        super().__init__(text)
        self.cause = cause


class Signer(Protocol):
    """Ed25519 JWTs (RFC 8037, RFC 9864). Keys rotate: the newest signs, earlier ones verify."""

    @property
    def since_ms(self) -> int:
        """When the oldest key was made that it has: tokens of before verify no more."""
        ...

    def sign(self, claims: Mapping[str, Json]) -> str:
        """The compact JWT over `claims` with issuer, audience and the newest key's `kid` added.

        `claims` hold `jti`, `iat` and `exp` (seconds). Raises `ValueError` when they do not, or
        when the token would outlive the keys that verify it.
        """
        ...

    def verify(self, token: str, now_ms: int) -> Mapping[str, Json]:
        """The claims of `token`, signature, `exp`, `nbf`, issuer and audience checked.

        Raises `TokenInvalid`.
        """
        ...

    def rotate(self) -> str:
        """Make a new signing key; its `kid`."""
        ...

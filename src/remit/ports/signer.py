"""Signing and verifying the tokens that people and agents carry."""

from collections.abc import Mapping
from typing import Protocol

from remit.facts.canonical import Json


class TokenInvalid(Exception):
    """A token that is unknown, expired, not for us, malformed or wrongly signed. Says which."""


class Signer(Protocol):
    """Ed25519 JWTs (RFC 8037). Keys rotate: the newest signs, earlier ones still verify."""

    def sign(self, claims: Mapping[str, Json]) -> str:
        """The compact JWT over `claims`, with the `kid` of the newest key."""
        ...

    def verify(self, token: str, now_ms: int) -> Mapping[str, Json]:
        """The claims of `token`, signature, `exp`, `nbf`, issuer and audience checked.

        Raises `TokenInvalid`.
        """
        ...

    def rotate(self) -> str:
        """Make a new signing key; its `kid`."""
        ...

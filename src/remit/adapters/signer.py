"""Ed25519 tokens over a folder of keys (RFC 7519, RFC 8037, RFC 9864; advice of RFC 8725).

One algorithm, one type, one exact header: nothing in a token chooses how it is verified.
Not before (`nbf`) and issued at (`iat`) are believed up to `LEEWAY_S` ahead of our clock;
expiry has no leeway.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from joserfc import jws
from joserfc.errors import JoseError

from remit.adapters.keyring import Keyring, SigningKey
from remit.control.authority import TOKEN_CHARS_MAX, TTL_MAX_S
from remit.facts.canonical import Json, canonical
from remit.ports.signer import TokenInvalid, TokenRefusal
from remit.ports.system import Clock

ALGORITHM: Final = "Ed25519"
TYPE: Final = "remit+jwt"
LEEWAY_S: Final = 5


class Ed25519Signer:
    """Signs and verifies for one `issuer` and one `audience` with the keys in `folder`."""

    def __init__(self, folder: Path, clock: Clock, *, issuer: str, audience: str) -> None:
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self._keyring = Keyring(folder, keep_ms=(TTL_MAX_S + LEEWAY_S) * 1000)
        keys = self._keyring.load(clock.now_ms())
        self._newest = keys[0]
        self._keys: dict[str, SigningKey] = {key.kid: key for key in keys}

    @property
    def issuer(self) -> str:
        """As whom it signs, and for whom."""
        return self._issuer

    @property
    def since_ms(self) -> int:
        """See `ports.signer.Signer.since_ms`."""
        return min(key.created_ms for key in self._keys.values())

    @property
    def file(self) -> Path:
        """Where the key lies that signs, or has to."""
        return self._keyring.file(self._newest)

    def sign(self, claims: Mapping[str, Json]) -> str:
        """See `ports.signer.Signer.sign`."""
        match claims:
            case {"jti": str(), "iat": int(issued), "exp": int(expires)}:
                lives_s = expires - issued
            case _:
                raise ValueError("a token needs an id (jti), iat and exp in whole seconds")
        if not 0 < lives_s <= TTL_MAX_S:
            raise ValueError(f"a token lives for 1 to {TTL_MAX_S} seconds")
        whole = {**claims, "iss": self._issuer, "aud": self._audience}
        header: dict[str, object] = {"alg": ALGORITHM, "typ": TYPE, "kid": self._newest.kid}
        return jws.serialize_compact(header, canonical(whole), self._newest.key, algorithms=[ALGORITHM])

    def verify(self, token: str, now_ms: int) -> Mapping[str, Json]:
        """See `ports.signer.Signer.verify`."""
        if len(token) > TOKEN_CHARS_MAX or not token.isascii() or token.count(".") != 2:
            raise TokenInvalid(TokenRefusal.MALFORMED, "this is not one of Remit's tokens")
        key = self._key(_object(token.partition(".")[0]))
        try:
            jws.deserialize_compact(token, key.key, algorithms=[ALGORITHM])
        except (JoseError, ValueError) as error:
            raise TokenInvalid(TokenRefusal.UNKNOWN, "the token's signature is not ours") from error
        claims = _object(token.split(".")[1])
        if claims.get("iss") != self._issuer:
            raise TokenInvalid(TokenRefusal.UNKNOWN, "the token comes from another issuer")
        if claims.get("aud") != self._audience:
            raise TokenInvalid(TokenRefusal.WRONG_AUDIENCE, "the token is for another service")
        _in_time(claims, now_ms)
        return claims

    def rotate(self) -> str:
        """See `ports.signer.Signer.rotate`. Keys whose tokens have all expired are removed."""
        now_ms = max(self._clock.now_ms(), self._newest.created_ms + 1)
        newest = self._keyring.make(now_ms)
        keys = self._keyring.load(now_ms)
        self._newest = newest
        self._keys = {key.kid: key for key in keys}
        return newest.kid

    def _key(self, header: Mapping[str, Json]) -> SigningKey:
        kid = header.get("kid")
        if header != {"alg": ALGORITHM, "typ": TYPE, "kid": kid}:
            raise TokenInvalid(TokenRefusal.MALFORMED, "the token's header is not one Remit writes")
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenInvalid(
                TokenRefusal.UNKNOWN, "the token was signed by a key this service has not: it is another's"
            )
        return key


def _in_time(claims: Mapping[str, Json], now_ms: int) -> None:
    expires, issued = claims.get("exp"), claims.get("iat")
    starts = claims.get("nbf", issued)
    if not isinstance(expires, int) or not isinstance(issued, int) or not isinstance(starts, int):
        raise TokenInvalid(TokenRefusal.MALFORMED, "the token does not say when it begins and ends")
    if now_ms >= expires * 1000:
        raise TokenInvalid(TokenRefusal.EXPIRED, "the token has expired")
    if max(starts, issued) * 1000 > now_ms + LEEWAY_S * 1000:
        raise TokenInvalid(TokenRefusal.NOT_YET, "the token is not valid yet")


def _object(segment: str) -> Mapping[str, Json]:
    try:
        padded = segment + "=" * (-len(segment) % 4)
        value: object = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise TokenInvalid(TokenRefusal.MALFORMED, "this is not one of Remit's tokens") from error
    if not isinstance(value, dict):
        raise TokenInvalid(TokenRefusal.MALFORMED, "this is not one of Remit's tokens")
    return value  # pyright: ignore[reportUnknownVariableType]

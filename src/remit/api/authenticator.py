"""Who stands behind a bearer: the one place where tokens become authority.

Enforcement points take `Authenticator.authority`, the control API `Authenticator.caller`.
A verified token is remembered until it expires or is revoked, so that the way of one action
pays for one dictionary look-up.
"""

import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from remit.control.authority import (
    ADMIN_PREFIX,
    TOKEN_CHARS_MAX,
    Claims,
    ClaimsInvalid,
    TokenUse,
    authority,
    credential_hash,
    read_claims,
)
from remit.facts.agent import Authority
from remit.ports.signer import Signer, TokenInvalid, TokenRefusal
from remit.ports.system import Clock

CACHED_MAX: Final = 10_000
USED_MAX: Final = 100_000
"""Tokens of which it is known when they were used last; those that came first are forgotten first."""


@dataclass(frozen=True, slots=True)
class Admin:
    """The holder of the admin token `credential`: configures, mints, reads; decides nothing."""

    credential: str


@dataclass(frozen=True, slots=True)
class Person:
    """A user by his own token: decides gates."""

    user: str
    claims: Claims


@dataclass(frozen=True, slots=True)
class HarnessOf:
    """The program around `agent`: opens its sessions and states the user's words."""

    agent: str
    claims: Claims


@dataclass(frozen=True, slots=True)
class Acting:
    """An agent with what it may act on."""

    authority: Authority
    claims: Claims


Caller: TypeAlias = Admin | Person | HarnessOf | Acting


class Authenticator:
    """Bearers to callers. Not thread-safe: it lives on the event loop.

    `revoked` maps token ids to when they would have expired (ms since the epoch), `credentials`
    the ids of opaque tokens to their hashes; both as the ledger has them at start.
    """

    def __init__(
        self,
        signer: Signer,
        clock: Clock,
        *,
        revoked: Mapping[str, int],
        credentials: Mapping[str, str],
        cached_max: int = CACHED_MAX,
    ) -> None:
        self._signer = signer
        self._clock = clock
        self._revoked = set(revoked)
        self._credentials = dict(credentials)
        self._cached_max = cached_max
        self._cached: OrderedDict[str, tuple[int, Caller]] = OrderedDict()
        self._used: OrderedDict[str, int] = OrderedDict()

    def authority(self, bearer: str | None) -> Authority:
        """The authority of an agent's or a session's bearer. Raises `TokenInvalid`."""
        match self.caller(bearer):
            case Acting(authority=authority):
                return authority
            case _:
                raise TokenInvalid(TokenRefusal.WRONG_KIND, "only an agent's token or a session token may act")

    def caller(self, bearer: str | None) -> Caller:
        """Who bears `bearer` (the token alone, without the scheme). Raises `TokenInvalid`."""
        if not bearer:
            raise TokenInvalid(TokenRefusal.MISSING, "no bearer token was sent")
        cached = self._cached.get(bearer)
        if cached is not None:
            expires_ms, caller = cached
            if (now_ms := self._clock.now_ms()) < expires_ms:
                self._cached.move_to_end(bearer)
                if not isinstance(caller, Admin):
                    self._used[caller.claims.token] = now_ms
                return caller
            del self._cached[bearer]
            raise TokenInvalid(TokenRefusal.EXPIRED, "the token has expired")
        if len(bearer) > TOKEN_CHARS_MAX:
            raise TokenInvalid(TokenRefusal.MALFORMED, f"a token has at most {TOKEN_CHARS_MAX} characters")
        if bearer.startswith(ADMIN_PREFIX):
            return self._admin(bearer)
        claims = self.claims(bearer)
        caller = _caller(claims)
        self._cached[bearer] = (claims.expires_s * 1000, caller)
        self._used[claims.token] = self._clock.now_ms()
        if len(self._used) > USED_MAX:
            self._used.popitem(last=False)
        if len(self._cached) > self._cached_max:
            self._cached.popitem(last=False)
        return caller

    def claims(self, bearer: str) -> Claims:
        """The claims of a signed token, verified anew. Raises `TokenInvalid`."""
        try:
            claims = read_claims(self._signer.verify(bearer, self._clock.now_ms()))
        except ClaimsInvalid as error:
            raise TokenInvalid(TokenRefusal.MALFORMED, f"the token's claims are odd: {error}") from error
        if self.is_revoked(claims.token, *claims.ancestors):
            raise TokenInvalid(TokenRefusal.REVOKED, "the token, or one it came from, was revoked")
        return claims

    def used_ms(self, token: str) -> int | None:
        """When the token id `token` was used last, ms since the epoch; None where that was not since the start."""
        return self._used.get(token)

    def is_revoked(self, *tokens: str) -> bool:
        """Whether one of these token ids was revoked."""
        return not self._revoked.isdisjoint(tokens)

    def revoke(self, token: str) -> None:
        """Refuse the token id `token`, and every token that came from it, from now on.

        For ever, though it expires: a clock that is set back would have it live again.
        """
        self._revoked.add(token)
        for bearer, (_, caller) in tuple(self._cached.items()):
            if not isinstance(caller, Admin) and token in _tokens(caller):
                del self._cached[bearer]

    def add_credential(self, ident: str, stored_hash: str) -> None:
        """Accept the opaque token whose hash is `stored_hash` as the admin `ident`."""
        self._credentials[ident] = stored_hash

    def _admin(self, bearer: str) -> Admin:
        presented = credential_hash(bearer).encode()
        matching: str | None = None
        for ident, stored in self._credentials.items():
            if hmac.compare_digest(presented, stored.encode()):
                matching = ident
        if matching is None:
            raise TokenInvalid(TokenRefusal.UNKNOWN, "this is not the admin token of this service")
        return Admin(matching)


def _tokens(caller: Person | HarnessOf | Acting) -> tuple[str, ...]:
    return (caller.claims.token, *caller.claims.ancestors)


def _caller(claims: Claims) -> Caller:
    match claims.use:
        case TokenUse.USER:
            return Person(claims.subject, claims)
        case TokenUse.HARNESS:
            return HarnessOf(claims.subject, claims)
        case TokenUse.AGENT | TokenUse.SESSION:
            return Acting(authority(claims), claims)

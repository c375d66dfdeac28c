"""What a token says, and how authority is handed on.

Laws: a chain only grows at its end; the user and the root session never change along it; a
delegated token never outlives the one it came from; nobody stands in a chain twice; revoking a
token revokes all that came from it. Claims follow RFC 8693 section 4.1: `sub` is the agent that
a person minted the token for, the outermost `act` acts, the nested ones came before it.
INVARIANT(authority-only-shrinks)
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from remit.facts.agent import Authority, Link
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import NAME

DEPTH_MAX: Final = 8
"""Agents in one chain, the minted one included."""
TTL_MAX_S: Final = 90 * 24 * 3600
"""No token lives longer; a rotated key stays as long as the last token it signed."""
TOKEN_CHARS_MAX: Final = 8 * 1024
ANCESTORS_MAX: Final = DEPTH_MAX + 1
ADMIN_PREFIX: Final = "remit_admin_"
ROOT_SID: Final = re.compile(r"[0-9a-f]{32}")
_IDENT_BYTES_MIN: Final = 16


class TokenUse(StrEnum):
    """What a token is for. Only `agent` and `session` tokens carry authority to act."""

    AGENT = "agent"
    USER = "user"
    HARNESS = "harness"
    SESSION = "session"


class ClaimsInvalid(ValueError):
    """Claims that are well signed but say something Remit never issued."""


class NotDelegable(ValueError):
    """This authority cannot be handed to that agent; says why."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The meaning of one token.

    `subject` is the minted agent (`agent`, `session`), the agent a harness runs (`harness`) or
    the user (`user`). `actors` are the later agents of the chain, the acting one last. `sid` is
    the *root* session. `ancestors` are the ids of the tokens this one came from, oldest first.
    Times are whole seconds since the epoch (RFC 7519 NumericDate).
    """

    use: TokenUse
    subject: str
    token: str
    issued_s: int
    expires_s: int
    user: str | None = None
    sid: str | None = None
    actors: tuple[str, ...] = ()
    ancestors: tuple[str, ...] = ()

    @property
    def agents(self) -> tuple[str, ...]:
        """The chain, the minted agent first."""
        return (self.subject, *self.actors)

    def to_json(self) -> dict[str, Json]:
        """The JWT claims, without issuer and audience, which the signer adds."""
        claims: dict[str, Json] = {
            "use": self.use.value,
            "sub": self.subject,
            "jti": self.token,
            "iat": self.issued_s,
            "exp": self.expires_s,
        }
        if self.user is not None:
            claims["user"] = self.user
        if self.sid is not None:
            claims["sid"] = self.sid
        act: dict[str, Json] | None = None
        for actor in self.actors:
            act = {"sub": actor} if act is None else {"sub": actor, "act": act}
        if act is not None:
            claims["act"] = act
        if self.ancestors:
            claims["from"] = list(self.ancestors)
        return claims


def read_claims(claims: Mapping[str, Json]) -> Claims:
    """The `Claims` of verified JWT claims; `ClaimsInvalid` for what no Remit ever issued."""
    use = _use(claims.get("use"))
    acting = use in {TokenUse.AGENT, TokenUse.SESSION}
    user, sid = claims.get("user"), claims.get("sid")
    ancestors = claims.get("from", [])
    if not isinstance(ancestors, list) or len(ancestors) > ANCESTORS_MAX:
        raise ClaimsInvalid("`from` is not a short list of token ids")
    if acting and not (isinstance(sid, str) and sid):
        raise ClaimsInvalid("`sid` is missing")
    if not acting and (sid is not None or user is not None or "act" in claims):
        raise ClaimsInvalid(f"a {use.value} token names no session, user or actor")
    parsed = Claims(
        use=use,
        subject=_name(claims.get("sub"), "sub"),
        token=_text(claims.get("jti"), "jti"),
        issued_s=_seconds(claims.get("iat"), "iat"),
        expires_s=_seconds(claims.get("exp"), "exp"),
        user=None if user is None else _name(user, "user"),
        sid=None if sid is None else _text(sid, "sid"),
        actors=_actors(claims.get("act")),
        ancestors=tuple(_text(item, "from") for item in ancestors),
    )
    if len(set(parsed.agents)) != len(parsed.agents):
        raise ClaimsInvalid("an agent stands in the chain twice")
    return parsed


def authority(claims: Claims) -> Authority:
    """The `Authority` of an `agent` or `session` token; `ClaimsInvalid` for any other."""
    if claims.sid is None:
        raise ClaimsInvalid(f"a {claims.use.value} token carries no authority to act")
    return Authority(
        links=links(claims.sid, claims.agents),
        user=claims.user,
        token=claims.token,
        expires_ms=claims.expires_s * 1000,
        ancestors=claims.ancestors,
    )


def links(root_sid: str, agents: Sequence[str]) -> tuple[Link, ...]:
    """Each agent with the session of its part of the run: the root's own, then derived ones.

    A derived sid depends on the root and the chain alone, so delegating anew reaches the same
    session again and sheds no label.
    """
    return tuple(
        Link(agent, root_sid if index == 0 else derived_sid(root_sid, agents[: index + 1]))
        for index, agent in enumerate(agents)
    )


def derived_sid(root_sid: str, agents: Sequence[str]) -> str:
    """The session of the last of `agents` in a chain that began as `root_sid`.

    `d-` and 30 hex digits; a root is 32 hex digits, so that no derived session is ever taken
    for a root and renewed without the ones above it.
    """
    return "d-" + hashlib.sha256(canonical([root_sid, *agents])).hexdigest()[:30]


def mint(
    use: TokenUse,
    subject: str,
    *,
    token: bytes,
    now_ms: int,
    ttl_s: int,
    user: str | None = None,
    root: bytes | None = None,
) -> Claims:
    """Claims of a token that a person mints (or, for `session`, a trusted harness).

    `token` and `root` are fresh entropy, at least 16 bytes each; `agent` and `session` tokens
    need `root`, the session that every renewal and delegation will keep.
    """
    acting = use in {TokenUse.AGENT, TokenUse.SESSION}
    if acting != (root is not None) or (user is not None and not acting):
        raise ValueError("agent and session tokens, and only they, have a root session")
    if len(token) < _IDENT_BYTES_MIN or (root is not None and len(root) < _IDENT_BYTES_MIN):
        raise ValueError("token and session ids need 16 bytes of entropy")
    if ttl_s <= 0:
        raise ValueError("a token lives for at least one second")
    return Claims(
        use=use,
        subject=_name(subject, "subject"),
        token=token.hex(),
        issued_s=now_ms // 1000,
        expires_s=now_ms // 1000 + ttl_s,
        user=None if user is None else _name(user, "user"),
        sid=None if root is None else root.hex(),
    )


def descend(claims: Claims, parent: Claims) -> Claims:
    """`claims` issued on the strength of `parent`: ended with it, and revoked with it."""
    return replace(
        claims,
        expires_s=min(claims.expires_s, parent.expires_s),
        ancestors=(*parent.ancestors, parent.token),
    )


def attenuate(parent: Claims, sub_agent: str, *, token: bytes, now_ms: int, ttl_s: int) -> Claims:
    """Claims with which `sub_agent` acts for `parent`'s acting agent.

    Raises `NotDelegable` for a chain that would be too deep or hold an agent twice, and for a
    token that carries no authority or has expired. The result is an `agent` token even below
    a `session` one: the trust in a harness is not handed on.
    """
    if parent.sid is None:
        raise NotDelegable(f"a {parent.use.value} token carries no authority to hand on")
    if sub_agent in parent.agents:
        raise NotDelegable(f"{sub_agent} already stands in the chain {' > '.join(parent.agents)}")
    if len(parent.agents) >= DEPTH_MAX:
        raise NotDelegable(f"the chain already holds {DEPTH_MAX} agents, the most there may be")
    if ttl_s <= 0 or parent.expires_s * 1000 <= now_ms:
        raise NotDelegable("nothing is left of the time this authority lasts")
    issued_s = now_ms // 1000
    child = Claims(
        use=TokenUse.AGENT,
        subject=parent.subject,
        token=token.hex(),
        issued_s=issued_s,
        expires_s=issued_s + ttl_s,
        user=parent.user,
        sid=parent.sid,
        actors=(*parent.actors, _name(sub_agent, "actor")),
    )
    return descend(child, parent)


def renew(sid: str, agent: str, user: str | None, *, token: bytes, now_ms: int, ttl_s: int) -> Claims:
    """A new token of a person's making for the root session `sid`: labels and counters stay.

    Raises `NotDelegable` for a derived session: renewed alone, it would shed those above it.
    """
    if ROOT_SID.fullmatch(sid) is None:
        raise NotDelegable("only a root session is renewed; renew the one it was delegated from")
    fresh = mint(TokenUse.AGENT, agent, token=token, now_ms=now_ms, ttl_s=ttl_s, user=user, root=token)
    return replace(fresh, sid=sid)


def admin_token(entropy: bytes) -> str:
    """The opaque admin token over `entropy` (at least 16 bytes); shown once, stored hashed."""
    if len(entropy) < _IDENT_BYTES_MIN:
        raise ValueError("the admin token needs 16 bytes of entropy")
    return ADMIN_PREFIX + entropy.hex()


def credential_hash(token: str) -> str:
    """What is stored of an opaque token. It is random, so a fast hash suffices."""
    return "sha256:" + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _use(value: Json) -> TokenUse:
    try:
        return TokenUse(_text(value, "use"))
    except ValueError as error:
        raise ClaimsInvalid("`use` is not agent, user, harness or session") from error


def _actors(act: Json) -> tuple[str, ...]:
    actors: list[str] = []
    while act is not None:
        if not isinstance(act, Mapping) or not act.keys() <= {"sub", "act"}:
            raise ClaimsInvalid("`act` is not an actor (RFC 8693 section 4.1)")
        actors.append(_name(act.get("sub"), "act.sub"))
        if len(actors) >= DEPTH_MAX:
            raise ClaimsInvalid(f"the chain holds more than {DEPTH_MAX} agents")
        act = act.get("act")
    return tuple(reversed(actors))


def _name(value: Json, claim: str) -> str:
    if not isinstance(value, str) or NAME.fullmatch(value) is None:
        raise ClaimsInvalid(f"`{claim}` is not a name")
    return value


def _text(value: Json, claim: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 128:
        raise ClaimsInvalid(f"`{claim}` is not a short text")
    return value


def _seconds(value: Json, claim: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ClaimsInvalid(f"`{claim}` is not a whole number of seconds")
    return value

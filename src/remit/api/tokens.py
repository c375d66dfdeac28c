"""Routes of credentials: minted, revoked, re-keyed. Tokens are told once, recorded by id only."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Query

from remit.api.access import caller_name
from remit.api.answers import RevokedAnswer, RotatedAnswer, TokenAnswer
from remit.api.answers_tokens import IssuedAnswer, IssuedTokensAnswer
from remit.api.guard import ByAdmin, GuardedRoute, With
from remit.api.missing_resource import missing_resource
from remit.api.problem import Problem, not_found
from remit.api.requests import LIMIT_MAX, Empty, Limit, RevokeRequest, TokenRequest
from remit.api.services import Services
from remit.api.views import instant
from remit.control.authority import TTL_MAX_S, Claims, NotDelegable, TokenUse, mint, renew
from remit.control.resources import ResourceKind
from remit.facts.agent import Harness
from remit.facts.canonical import Json
from remit.facts.durations import DAY_S
from remit.ports.ledger import Entry
from remit.ports.signer import TokenInvalid, TokenRefusal
from remit.trace.bodies import AdminBody, Event

router = APIRouter(route_class=GuardedRoute, tags=["credentials"])

TTL_S: Final = {TokenUse.AGENT: DAY_S, TokenUse.USER: 30 * DAY_S, TokenUse.HARNESS: TTL_MAX_S}
IDENT_BYTES: Final = 16
ISSUED_MAX: Final = 10_000
_ISSUED: Final = frozenset({Event.TOKEN_ISSUED})
"""How many tokens are looked at for a list of them."""
LIVE: Final = "live"
NameFilter = Annotated[str | None, Query(max_length=1000)]
_TOKEN_ID: Final = re.compile(r"[0-9a-f]{32}")


@router.post("/tokens", status_code=201)
async def mint_token(request: TokenRequest, services: With, caller: ByAdmin) -> TokenAnswer:
    """Mint a token for an agent, a user, or the harness of an agent."""
    use = TokenUse(request.kind)
    await _check_names(request, use, services)
    claims = await _claims(request, use, services)
    token = await issue(services, claims, caller_name(caller))
    return TokenAnswer(
        token=token,
        kind=use.value,
        name=claims.subject,
        user=claims.user,
        sid=claims.sid,
        jti=claims.token,
        expires=instant(claims.expires_s * 1000),
    )


@router.get("/tokens")
async def list_tokens(
    services: With, _: ByAdmin, name: NameFilter = None, *, ended: bool = False, limit: Limit = LIMIT_MAX
) -> IssuedTokensAnswer:
    """Tokens that were issued, the latest first: those that are live, or with `ended` all that could still be."""
    now_ms = services.clock.now_ms()
    entries = await services.runtime.events_since(_ISSUED, now_ms - TTL_MAX_S * 1000, ISSUED_MAX)
    items = [token for token in (_issued_answer(entry, services, now_ms) for entry in entries) if token is not None]
    listed = [
        token
        for token in items
        if (ended or token.state == LIVE) and name in {None, token.name, token.user, *token.agents}
    ]
    return IssuedTokensAnswer(items=listed[:limit], more=len(listed) > limit or len(entries) == ISSUED_MAX)


def _issued_answer(entry: Entry, services: Services, now_ms: int) -> IssuedAnswer | None:
    if not isinstance(entry.body, AdminBody):
        return None
    token, by, data = entry.body.subject, entry.body.by, entry.body.data
    user, sid = data.get("user"), data.get("sid")
    match data:
        case {"use": str(use), "agents": [*agents], "expires_ms": int(until), "from": [*of]}:
            chain, ancestors = [str(agent) for agent in agents], [str(agent) for agent in of]
        case _:
            return None
    if services.authenticator.is_revoked(token, *ancestors):
        state = "revoked"
    elif now_ms >= until:
        state = "expired"
    else:
        state = LIVE if entry.record.at >= services.signer.since_ms else "void"
    used_ms = services.authenticator.used_ms(token)
    return IssuedAnswer(
        jti=token,
        kind=use,
        name=chain[-1] if chain else str(user),
        agents=chain,
        user=user if isinstance(user, str) else None,
        sid=sid if isinstance(sid, str) else None,
        since=instant(entry.record.at),
        until=instant(until),
        state=state,
        used=None if used_ms is None else instant(used_ms),
        by=by,
        came_from=ancestors,
    )


@router.post("/tokens/revoke")
async def revoke_token(request: RevokeRequest, services: With, caller: ByAdmin) -> RevokedAnswer:
    """Refuse a token, and every token that came from it, from now on."""
    token, expires_ms = _to_revoke(request.token, services)
    # Refused before it is recorded: should the ledger fail, the token stays refused.
    services.authenticator.revoke(token)
    await services.driver.authorization.revoke(token, expires_ms, caller_name(caller))
    return RevokedAnswer(jti=token, expires=instant(expires_ms))


@router.post("/keys/rotate")
async def rotate_keys(services: With, caller: ByAdmin, _: Empty | None = None) -> RotatedAnswer:
    """Sign with a new key from now on; older keys verify until their tokens have expired."""
    kid = services.signer.rotate()
    await services.driver.authorization.record(AdminBody(Event.KEY_ROTATED, caller_name(caller), kid))
    return RotatedAnswer(kid=kid)


async def issue(services: Services, claims: Claims, by: str) -> str:
    """The signed token over `claims`, once its issue is on the ledger (without the token)."""
    signed = services.signer.sign(claims.to_json())
    data: dict[str, Json] = {
        "use": claims.use.value,
        "agents": list(claims.agents) if claims.use is not TokenUse.USER else [],
        "user": claims.subject if claims.use is TokenUse.USER else claims.user,
        "sid": claims.sid,
        "expires_ms": claims.expires_s * 1000,
        "from": list(claims.ancestors),
    }
    await services.driver.authorization.record(AdminBody(Event.TOKEN_ISSUED, by, claims.token, data))
    return signed


async def _check_names(request: TokenRequest, use: TokenUse, services: Services) -> None:
    catalog = services.runtime.catalog
    if use is not TokenUse.AGENT and (request.user is not None or request.sid is not None):
        raise Problem(400, "malformed request", why="`user` and `sid` belong to agent tokens")
    if use is TokenUse.USER:
        if request.name not in catalog.users:
            raise await missing_resource(services, ResourceKind.USER, request.name)
        return
    agent = catalog.agents.get(request.name)
    if agent is None:
        raise await missing_resource(services, ResourceKind.AGENT, request.name)
    if use is TokenUse.HARNESS and agent.harness is not Harness.TRUSTED:
        raise Problem(
            409,
            "no harness token for this agent",
            why=f"the harness of {agent.name} is untrusted: it may not state a user's words",
            next="set spec.harness: trusted on the agent, then: remit apply",
        )
    if request.user is not None and request.user not in catalog.users:
        raise await missing_resource(services, ResourceKind.USER, request.user)


async def _claims(request: TokenRequest, use: TokenUse, services: Services) -> Claims:
    token, now_ms = services.entropy.token_bytes(IDENT_BYTES), services.clock.now_ms()
    ttl_s = TTL_S[use] if request.ttl_s is None else request.ttl_s
    if request.sid is None:
        root = services.entropy.token_bytes(IDENT_BYTES) if use is TokenUse.AGENT else None
        return mint(use, request.name, token=token, now_ms=now_ms, ttl_s=ttl_s, user=request.user, root=root)
    session = await services.ledger.session(request.sid)
    if session is None:
        raise not_found(f"session: {request.sid}", "remit sessions ls")
    if (session.agent, session.user) != (request.name, request.user):
        raise Problem(
            409,
            "this session is another's",
            why=f"it belongs to {session.agent} for {session.user or 'nobody'}",
            next=f"remit sessions show {request.sid}",
        )
    if session.ended_ms is not None:
        raise Problem(
            409,
            "this session has ended",
            why="an ended session is never continued",
            next=f"remit token agent {request.name}",
        )
    try:
        return renew(request.sid, request.name, request.user, token=token, now_ms=now_ms, ttl_s=ttl_s)
    except NotDelegable as error:
        raise Problem(409, "not a root session", why=str(error), next="remit sessions ls") from error


def _to_revoke(text: str, services: Services) -> tuple[str, int]:
    if _TOKEN_ID.fullmatch(text):
        return text, services.clock.now_ms() + TTL_MAX_S * 1000
    try:
        claims = services.authenticator.claims(text)
    except TokenInvalid as error:
        if error.cause in {TokenRefusal.EXPIRED, TokenRefusal.REVOKED}:
            raise Problem(409, "nothing to revoke", why=str(error), next="revoke by id to be sure") from error
        raise Problem(400, "not a token of this service", why=str(error), next="remit token revoke ID") from error
    return claims.token, claims.expires_s * 1000

"""Delegation: the token exchange of RFC 8693, judged and recorded before a token is issued.

The subject token is the credential. `actor` names the sub-agent; what comes out acts for the
same user, in the same root session, no longer than the subject token lasts.
INVARIANT(authority-only-shrinks)
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Final, assert_never
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from remit.api.authenticator import Acting
from remit.api.guard import GuardedRoute, With, count_request
from remit.api.services import Services
from remit.api.tokens import IDENT_BYTES, issue
from remit.control.authority import NotDelegable, attenuate
from remit.facts.record import Ref
from remit.pdp.decision import Decision
from remit.policy.verdict import Deny, Escalate, Permit
from remit.ports.signer import TokenInvalid, TokenRefusal

router = APIRouter(route_class=GuardedRoute, tags=["credentials"])

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_FIELDS_MAX: Final = 20
_ONCE: Final = frozenset(
    {
        "grant_type", "subject_token", "subject_token_type", "actor", "expires_in", "resource",
        "audience", "requested_token_type", "actor_token", "actor_token_type", "scope",
    }
)  # fmt: skip


class OAuthError(Exception):
    """An OAuth error (RFC 6749 section 5.2): `error` is its code, `ref` the decision behind it."""

    def __init__(
        self,
        error: str,
        why: str,
        following: str = "",
        *,
        status: int = 400,
        ref: str | None = None,
        cause: TokenRefusal | None = None,
    ) -> None:
        super().__init__(why)
        self.error = error
        self.why = why
        self.following = following
        self.status = status
        self.ref = ref
        self.cause = cause

    def answer(self) -> JSONResponse:
        """The response that says so, in OAuth's words and in ours."""
        body = {
            "error": self.error,
            "error_description": self.why,
            "title": "no token",
            "why": self.why,
            "next": self.following,
        }
        headers = {"Pragma": "no-cache"}
        if self.ref is not None:
            body["decision"] = self.ref
        if self.cause is not None:
            body["cause"] = self.cause.value
            headers["WWW-Authenticate"] = 'Bearer realm="remit", error="invalid_token"'
        return JSONResponse(body, status_code=self.status, headers=headers)


async def _form(request: Request) -> Mapping[str, str]:
    data = await request.body()
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(data),
            errors="strict",
            max_num_fields=_FIELDS_MAX,
        )
    except ValueError:
        return {}
    names = [name for name, _ in pairs if name in _ONCE]
    return dict(pairs) if len(set(names)) == len(names) else {}


Form = Annotated[Mapping[str, str], Depends(_form)]


@router.post("/token", response_model=None)
async def exchange(form: Form, services: With) -> JSONResponse:
    """Hand an agent's authority to a sub-agent."""
    try:
        return JSONResponse(await _exchange(form, services), headers={"Pragma": "no-cache"})
    except OAuthError as refused:
        return refused.answer()


async def _exchange(form: Mapping[str, str], services: Services) -> dict[str, object]:
    wanted_s = _check_form(form, services)
    parent = _subject(form, services)
    count_request(services, parent)
    sub_agent = form["actor"]
    if sub_agent not in services.runtime.catalog.agents:
        raise OAuthError("invalid_target", f"no such agent: {sub_agent[:64]!r}", "remit get agents")
    now_ms = services.clock.now_ms()
    left_s = parent.claims.expires_s - now_ms // 1000
    try:
        claims = attenuate(
            parent.claims,
            sub_agent,
            token=services.entropy.token_bytes(IDENT_BYTES),
            now_ms=now_ms,
            ttl_s=left_s if wanted_s is None else min(wanted_s, left_s),
        )
    except NotDelegable as error:
        raise OAuthError("access_denied", str(error), status=403) from error
    ref, decision = await services.driver.authorization.delegate(parent.authority, sub_agent)
    _check_permitted(ref, decision, services.runtime.resource)
    # The ledger took its time: what was revoked meanwhile must not bear a child.
    _subject(form, services)
    signed = await issue(services, claims, f"agent:{parent.authority.acting.agent}")
    return {
        "access_token": signed,
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": claims.expires_s - now_ms // 1000,
        "decision": str(ref),
    }


def _check_form(form: Mapping[str, str], services: Services) -> int | None:
    if not form:
        raise OAuthError(
            "invalid_request", "the form is empty, malformed or names a field twice",
            "see docs/reference/api.md",
        )  # fmt: skip
    if form.get("grant_type") != GRANT:
        raise OAuthError("unsupported_grant_type", f"grant_type must be {GRANT}")
    for name in ("subject_token", "subject_token_type", "actor"):
        if not form.get(name):
            raise OAuthError("invalid_request", f"{name} is missing")
    if form["subject_token_type"] not in {ACCESS_TOKEN, JWT}:
        raise OAuthError("invalid_request", f"subject_token_type must be {ACCESS_TOKEN}")
    if form.get("requested_token_type", ACCESS_TOKEN) not in {ACCESS_TOKEN, JWT}:
        raise OAuthError("invalid_request", f"only {ACCESS_TOKEN} is issued")
    if "actor_token" in form or "actor_token_type" in form:
        raise OAuthError("invalid_request", "name the sub-agent as `actor`; actor_token is not taken")
    if form.get("scope"):
        raise OAuthError("invalid_scope", "authority is what policy says; there are no scopes")
    for name in ("resource", "audience"):
        if form.get(name, services.runtime.resource) != services.runtime.resource:
            raise OAuthError("invalid_target", f"{name} must be {services.runtime.resource}")
    return _seconds(form.get("expires_in"))


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise OAuthError("invalid_request", "expires_in is a positive number of seconds")
    return int(text)


def _subject(form: Mapping[str, str], services: Services) -> Acting:
    try:
        caller = services.authenticator.caller(form["subject_token"])
        if isinstance(caller, Acting):
            return caller
        raise TokenInvalid(TokenRefusal.WRONG_KIND, "only an agent's or a session's authority is handed on")
    except TokenInvalid as error:
        # RFC 8693 section 2.2.2 gives the code. The subject token is the credential here: hence 401.
        raise OAuthError(
            "invalid_request", f"subject_token: {error}", "remit token agent NAME", status=401, cause=error.cause
        ) from error


def _check_permitted(ref: Ref, decision: Decision, resource: str) -> None:
    match decision.verdict:
        case Permit():
            return
        case Deny():
            why = _why(decision, ()) or "no policy permits it"
            raise OAuthError("access_denied", why, f"remit why {ref}", status=403, ref=str(ref))
        case Escalate(gates=gates):
            raise OAuthError(
                "authorization_pending",
                _why(decision, {gate.policy for gate in gates}) or "people decide this",
                f"remit approvals show {ref} (people are shown it at {resource}/a/{ref}), then ask again",
                status=403,
                ref=str(ref),
            )
        case _:
            assert_never(decision.verdict)


def _why(decision: Decision, policies: Collection[str]) -> str:
    return "; ".join(reason.text for reason in decision.reasons if not policies or reason.policy in policies)

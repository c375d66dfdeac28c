"""Routes of passkeys: who has which, whom the admin invites to register one, and the end of one.

They are registered on the page `/a/passkeys`, in the browser that holds them.
"""

import base64
import hashlib
from collections.abc import Mapping

from fastapi import APIRouter

from remit.api.access import caller_name
from remit.api.answers_passkeys import InvitedAnswer, PasskeyAnswer, PasskeysAnswer, RemovedAnswer
from remit.api.authenticator import Person
from remit.api.guard import ByAdmin, ByReader, GuardedRoute, With
from remit.api.missing_resource import missing_resource
from remit.api.moments import instant
from remit.api.problem import Problem, forbidden, not_found
from remit.api.requests import InviteRequest, PasskeyRequest
from remit.api.services import Services
from remit.control.resources import ResourceKind
from remit.facts.canonical import Json
from remit.facts.passkey import Passkey
from remit.trace.bodies import AdminBody, Event

router = APIRouter(route_class=GuardedRoute, tags=["passkeys"])


@router.get("/passkeys")
async def list_passkeys(services: With, caller: ByReader) -> PasskeysAnswer:
    """Passkeys, the oldest first; a user sees his own."""
    registered = await services.ledger.passkeys()
    visible = [passkey for passkey in registered if not isinstance(caller, Person) or passkey.user == caller.user]
    return PasskeysAnswer(
        items=[
            PasskeyAnswer(
                id=handle(passkey),
                user=passkey.user,
                name=passkey.name,
                added=instant(passkey.at_ms),
                signed=passkey.count,
            )
            for passkey in visible
        ]
    )


@router.post("/passkeys/invite", status_code=201)
async def invite(request: InviteRequest, services: With, caller: ByAdmin) -> InvitedAnswer:
    """Let a user register one passkey within the hour; the word is his alone."""
    del caller
    if request.user not in services.runtime.catalog.users:
        raise await missing_resource(services, ResourceKind.USER, request.user)
    if not services.passkeys.holder:
        why = f"passkeys are bound to a name that is reached over https, and this is {services.runtime.resource}"
        raise Problem(409, "no passkey can be registered here", why=why, next="remit up --public-url https://NAME")
    word = base64.urlsafe_b64encode(services.entropy.token_bytes(18)).decode("ascii")
    until_ms = services.invitations.invite(request.user, word, services.clock.now_ms())
    url = f"{services.passkeys.origin}/a/passkeys"
    return InvitedAnswer(user=request.user, word=word, url=url, until=instant(until_ms))


@router.post("/passkeys/remove")
async def remove(request: PasskeyRequest, services: With, caller: ByReader) -> RemovedAnswer:
    """End a passkey, because of `why`: it confirms nothing any more. A user ends his own on the page."""
    by_handle = {handle(one): one for one in await services.ledger.passkeys()}
    passkey = by_handle.get(request.id)
    if passkey is None or (isinstance(caller, Person) and passkey.user != caller.user):
        raise not_found(f"passkey: {request.id}", "remit passkeys ls")
    if isinstance(caller, Person):
        place = f"{services.passkeys.origin}/a/passkeys"
        lost = f"lost it? whoever runs Remit: remit passkeys remove {request.id} --why TEXT"
        raise forbidden("a token alone ends no passkey", f"remove it by a passkey of yours at {place}; {lost}")
    return RemovedAnswer(
        id=request.id, record=await end_passkey(services, caller_name(caller), passkey, {"why": request.why})
    )


async def end_passkey(services: Services, by: str, passkey: Passkey, data: Mapping[str, Json]) -> str:
    """End `passkey`; the record that says so."""
    body = AdminBody(Event.PASSKEY_REMOVED, by, passkey.ident, {"user": passkey.user, **data})
    return str((await services.driver.authorization.record(body)).ref)


def handle(passkey: Passkey) -> str:
    """How people name `passkey`: twelve hex digits, where its own id is long and may begin with a dash."""
    return hashlib.sha256(passkey.ident.encode("ascii", "replace")).hexdigest()[:12]

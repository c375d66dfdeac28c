"""Confirming a decision with a passkey: what the page asks the browser for, and whether what came is that.

Laws: what is signed is the whole form, its choice, its arguments and the nonce of what was shown among it; a question
is answered once, by the sign-in that it was put to, about what it was put about.
"""

import base64
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from remit.api.page.desk import Desk, SignedIn
from remit.api.page.passkey_question import PasskeyQuestion
from remit.api.page.requests import Form, PageRefusal, signed_form
from remit.api.passkeys import handle
from remit.api.services import Services
from remit.escalate.eligibility import counts_for, wants_strong
from remit.escalate.machine import Approval
from remit.facts.passkey import Confirmed, Passkey
from remit.facts.strictjson import JsonRefused, parse
from remit.ports.passkeys import CopySuspected, NewPasskey, NotConfirmed

_LOG: Final = logging.getLogger(__name__)

TIMEOUT_MS: Final = 120_000


def needs_confirmation(services: Services, who: SignedIn, approval: Approval) -> bool:
    """Whether a yes of `who` has to be confirmed beyond his token."""
    catalog = services.runtime.catalog
    person = catalog.users[who.person.user]
    counted = counts_for(approval, catalog.routes, catalog.users, person, services.clock.now_ms())
    return not set(counted).isdisjoint(wants_strong(approval, catalog.routes))


class PasskeyConfirmation:
    """Questions to passkeys."""

    def __init__(self, services: Services, desk: Desk) -> None:
        self._services = services
        self._desk = desk
        self._counted: dict[str, int] = {}
        """How far passkeys have counted, also for what was then refused, or is not on disk yet."""

    async def of(self, user: str) -> Sequence[Passkey]:
        """The passkeys of `user`."""
        return [passkey for passkey in await self._services.ledger.passkeys() if passkey.user == user]

    async def ask(self, who: SignedIn, about: str, host: str) -> PasskeyQuestion:
        """What the browser of `who`, who is at `host`, is asked about `about`."""
        passkeys = await self.of(who.person.user)
        if not passkeys:
            why = f"You have no passkey yet. Whoever runs Remit invites you: remit passkeys invite {who.person.user}"
            return PasskeyQuestion(why=why)
        elsewhere = self._elsewhere(host)
        if elsewhere is not None:
            return elsewhere
        ask = {
            "rpId": self._services.passkeys.holder,
            "allowCredentials": [{"type": "public-key", "id": one.ident} for one in passkeys],
            "userVerification": "required",
            "timeout": TIMEOUT_MS,
        }
        return PasskeyQuestion(self._desk.ask(who, about), json.dumps(ask))

    async def ask_for_new(self, who: SignedIn, host: str) -> PasskeyQuestion:
        """What the browser of `who` is asked for a passkey that it makes."""
        elsewhere = self._elsewhere(host)
        if elsewhere is not None:
            return elsewhere
        user = who.person.user
        # No name is in it: an authenticator shows its id to whoever holds it.
        holder = hashlib.sha256(b"remit-user:" + user.encode("utf-8")).digest()
        ask = {
            "rp": {"id": self._services.passkeys.holder, "name": "Remit"},
            "user": {"id": base64url(holder), "name": user, "displayName": user},
            "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (-8, -7, -257)],
            "excludeCredentials": [{"type": "public-key", "id": one.ident} for one in await self.of(user)],
            "authenticatorSelection": {"userVerification": "required", "residentKey": "preferred"},
            "attestation": "none",
            "timeout": TIMEOUT_MS,
        }
        return PasskeyQuestion(self._desk.ask(who, "passkeys"), json.dumps(ask))

    async def confirm(self, who: SignedIn, about: str, form: Form, back: str) -> Confirmed:
        """Which passkey of `who` signed `form`, the answer to what he was asked about `about`. Raises `PageRefusal`."""
        self._check_question(who, about, form, back)
        response = form.get("confirmed", "")
        ident = _passkey_id(response)
        passkey = next((one for one in await self.of(who.person.user) if one.ident == ident), None)
        if passkey is None:
            raise PageRefusal(403, "not confirmed", "it is no passkey of yours", back=back, next="remit passkeys ls")
        passkey = replace(passkey, count=max(passkey.count, self._counted.get(passkey.ident, 0)))
        try:
            count = self._services.passkeys.signature_count(response, _challenge(form), passkey)
        except CopySuspected as refused:
            _LOG.warning("a passkey may have been copied", extra={"ref": handle(passkey)})
            following = f"have it ended: remit passkeys remove {handle(passkey)} --why TEXT"
            raise PageRefusal(403, "not confirmed", str(refused), back=back, next=following) from refused
        except NotConfirmed as refused:
            raise PageRefusal(403, "not confirmed", str(refused), back=back) from refused
        self._counted[passkey.ident] = count
        return Confirmed(passkey.ident, count)

    def new_passkey(self, who: SignedIn, form: Form, back: str) -> NewPasskey:
        """The passkey that the browser of `who` made. Raises `PageRefusal`."""
        self._check_question(who, "passkeys", form, back)
        try:
            return self._services.passkeys.registration(form.get("confirmed", ""), _challenge(form))
        except NotConfirmed as refused:
            raise PageRefusal(403, "not registered", str(refused), back=back) from refused

    def _check_question(self, who: SignedIn, about: str, form: Form, back: str) -> None:
        if not self._desk.answers(who, about, form.get("ask", "")):
            why = "this page was used already, or is too old: open it again"
            raise PageRefusal(409, "not confirmed", why, back=back)

    def _elsewhere(self, host: str) -> PasskeyQuestion | None:
        keys = self._services.passkeys
        if not keys.holder:
            return PasskeyQuestion(
                why="Passkeys need a name that is reached over https: remit up --public-url https://NAME"
            )
        if keys.origin.partition("://")[2] == host:
            return None
        return PasskeyQuestion(why="Your passkey is bound to another address of this service.", place=keys.origin)


def base64url(data: bytes) -> str:
    """`data` as browsers write it in JSON: base64url without padding."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _challenge(form: Form) -> bytes:
    return hashlib.sha256(signed_form(form)).digest()


def _passkey_id(response: str) -> str:
    """The id of the passkey that `response` claims to come from."""
    try:
        parsed = parse(response.encode("utf-8", "replace"))
    except JsonRefused:
        return ""
    ident = parsed.get("id") if isinstance(parsed, dict) else None
    return ident if isinstance(ident, str) else ""

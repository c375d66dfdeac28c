"""The ASGI application under `/a`: one approval, what waits, passkeys, signing in and out.

Host and Origin are checked before it (`app.http.root`). A form counts only with the Origin of the service, the cookie
of a sign-in and what that sign-in's own pages carry; and a yes only for the action that was shown.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TypeAlias

from remit.api.access import caller_name
from remit.api.briefs import case_of
from remit.api.grants import grants_of_approval
from remit.api.open_approvals import most_urgent
from remit.api.page.choices import Viewer
from remit.api.page.desk import SIGNED_IN_MS, Desk, SignedIn, is_own_form
from remit.api.page.document import PREFIX, Send, answer, send_on, send_page
from remit.api.page.forms import ApprovalActions
from remit.api.page.passkey_confirmation import PasskeyConfirmation
from remit.api.page.render import coming, fit_page, is_his, message, passkeys, sign_in, waiting
from remit.api.page.requests import (
    Form,
    PageRefusal,
    Receive,
    form_of,
)
from remit.api.passkeys import end_passkey, handle
from remit.api.problem import Problem
from remit.api.services import Services
from remit.api.views import approval_view, sees_approval, sees_arguments
from remit.api.void_approvals import void_reason_now
from remit.escalate.machine import Approval
from remit.escalate.voting import EditRefused, VoteRefused
from remit.facts.record import Ref
from remit.ports.ledger import Entry, LedgerUnwritable
from remit.ports.signer import TokenInvalid
from remit.trace.bodies import ActionBody, AdminBody, Event

LISTED_MAX: Final = 50
HERE: Final = "?here"
"""What an address bears that a page of ours led to: no browser is led on twice."""
PASSKEYS: Final = "passkeys"
REMOVING: Final = "passkeys/remove"
PASSKEYS_MAX: Final = 10
NAME_CHARS_MAX: Final = 60
_REF: Final = re.compile(r"[a-z0-9]{1,16}-[1-9][0-9]{0,8}\.[1-9][0-9]{0,14}")
_NOT_HERE: Final = "there is no such approval, or it is not yours to see"

Scope: TypeAlias = MutableMapping[str, Any]
Heads: TypeAlias = Mapping[bytes, str]


class Pages:
    """Answers `/a/…` over `services`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._desk = Desk(services.authenticator, services.clock, services.entropy, services.runtime.resource)
        self._confirming = PasskeyConfirmation(services, self._desk)
        self._acting = ApprovalActions(services, self._confirming)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP exchange."""
        heads = {name: value.decode("latin-1") for name, value in scope["headers"]}
        try:
            led = heads.get(b"sec-fetch-site") == "cross-site" and not scope["query_string"]
            await self._answer(scope["method"], scope["path"], heads, receive, send, led=led)
        except PageRefusal as refused:
            await send_page(send, refused.status, refused.page)
        except LedgerUnwritable:
            page = message("not decided", "the ledger does not accept records", None, "remit doctor")
            await send_page(send, 503, page)

    async def _answer(
        self, method: str, path: str, heads: Heads, receive: Receive, send: Send, *, led: bool = False
    ) -> None:
        """`led`: by a link of another site, with which browsers send no cookie of ours."""
        cookies = heads.get(b"cookie", "")
        who = self._signed_in(cookies)
        rest = path.removeprefix(PREFIX)
        ident, _, below = rest.partition("/")
        match method, rest:
            case "POST", "sign-in":
                await self._sign_in(await form_of(heads, receive), send)
            case "POST", _ if who is None:
                # After a restart, or in a tab that was left open: he goes on where he was.
                await send_page(
                    send, 401, sign_in(_known_place(ident), "nothing was decided: sign in, then say it again")
                )
            case "POST", "sign-out":
                form = await self._own_form(who, heads, receive)
                self._desk.sign_out(cookies)
                await send_on(send, _path(form.get("next", "")), self._desk.cookie("", 0))
            case "GET", _ if who is None and led:
                place = f"{_path(ident)}{HERE}"
                await answer(
                    send, 200, coming(place), b"text/html; charset=utf-8", (b"refresh", f"0;url={place}".encode())
                )
            case "GET", _ if who is None:
                await send_page(send, 401 if rest else 200, sign_in(_known_place(ident)))
            case "GET", "":
                assert who is not None  # noqa: S101 - the case before
                await send_page(send, 200, await self._waiting(who))
            case "GET", "next":
                assert who is not None  # noqa: S101
                await send_on(send, _path(await self._next(who)))
            case "GET", "passkeys":
                assert who is not None  # noqa: S101
                await send_page(send, 200, await self._passkeys(who, heads.get(b"host", "")))
            case "POST", "passkeys":
                form = await self._own_form(who, heads, receive)
                await (self._remove(who, form) if form.get("choice") == "remove" else self._register(who, form))
                await send_on(send, f"{PREFIX}{PASSKEYS}")
            case "GET", _ if _REF.fullmatch(ident) and not below:
                await send_page(send, 200, (await self._approval_page(who, ident, heads))[1])
            case "GET", _ if _REF.fullmatch(ident) and below == "arguments":
                await answer(send, 200, await self._arguments(who, ident), b"text/plain; charset=utf-8")
            case "POST", _ if _REF.fullmatch(ident) and not below:
                form = await self._own_form(who, heads, receive)
                page = await self._decide(who, ident, form, heads)
                await (send_on(send, f"{PREFIX}{ident}") if page is None else send_page(send, 200, page))
            case _:
                raise PageRefusal(
                    404 if method in {"GET", "POST"} else 405, "nothing here", "no such page", back=PREFIX
                )

    def _signed_in(self, cookies: str) -> SignedIn | None:
        signed_in = self._desk.signed_in(cookies)
        # Who left is no user any more, whatever his token says.
        return (
            None
            if signed_in is None or signed_in.person.user not in self._services.runtime.catalog.users
            else signed_in
        )

    async def _own_form(self, who: SignedIn | None, heads: Heads, receive: Receive) -> Form:
        form = await form_of(heads, receive)
        assert who is not None  # noqa: S101 - who is nobody was asked who he is
        if not is_own_form(who, form.get("csrf", "")):
            raise PageRefusal(403, "not decided", "this form is not from a page of this sign-in", back=PREFIX)
        return form

    async def _sign_in(self, form: Form, send: Send) -> None:
        back = form.get("next", "")
        try:
            value = self._desk.sign_in(form.get("token", "").strip())
        except TokenInvalid as refused:
            await send_page(send, 403, sign_in(_known_place(back), f"not signed in: {refused}"))
            return
        await send_on(send, _path(back), self._desk.cookie(value, SIGNED_IN_MS // 1000))

    async def _waiting(self, who: SignedIn) -> bytes:
        urgent = await most_urgent(self._services, who.person, LISTED_MAX)
        viewer, now_ms = Viewer(who.person.user, who.csrf), self._services.clock.now_ms()
        return waiting(urgent.items, viewer, now_ms, urgent.more)

    async def _next(self, who: SignedIn) -> str:
        """What presses most of what he decides and said nothing of yet; empty where nothing does."""
        urgent = await most_urgent(self._services, who.person, 1)
        return next((approval.id for approval in urgent.items if is_his(approval, who.person.user)), "")

    async def _passkeys(self, who: SignedIn, host: str) -> bytes:
        registered = await self._confirming.of(who.person.user)
        viewer = Viewer(who.person.user, who.csrf, await self._confirming.ask_for_new(who, host))
        return passkeys(registered, viewer, await self._confirming.ask(who, REMOVING, host))

    async def _register(self, who: SignedIn | None, form: Form) -> None:
        assert who is not None  # noqa: S101 - it is his own form
        back, user, services = f"{PREFIX}{PASSKEYS}", who.person.user, self._services
        name = form.get("name", "").strip()
        registered = await services.ledger.passkeys()
        if not 0 < len(name) <= NAME_CHARS_MAX:
            raise PageRefusal(400, "not registered", f"a name has 1 to {NAME_CHARS_MAX} characters", back=back)
        if sum(passkey.user == user for passkey in registered) >= PASSKEYS_MAX:
            why = f"you have {PASSKEYS_MAX} already"
            raise PageRefusal(409, "not registered", why, back=back, next="remit passkeys remove ID")
        new = self._confirming.new_passkey(who, form, back)
        if any(passkey.ident == new.ident for passkey in registered):
            raise PageRefusal(409, "not registered", "it is registered already", back=back)
        if not services.invitations.redeem(user, form.get("word", "").strip(), services.clock.now_ms()):
            why = "this word invites you to nothing: it is another's, was used, or is older than an hour"
            raise PageRefusal(403, "not registered", why, back=back, next=f"remit passkeys invite {user}")
        data = {"user": user, "key": new.key, "count": new.count, "name": name}
        await services.driver.authorization.record(
            AdminBody(Event.PASSKEY_ADDED, caller_name(who.person), new.ident, data)
        )

    async def _remove(self, who: SignedIn | None, form: Form) -> None:
        assert who is not None  # noqa: S101 - it is his own form
        back, services = f"{PREFIX}{PASSKEYS}", self._services
        own = {handle(one): one for one in await self._confirming.of(who.person.user)}
        passkey = own.get(form.get("id", ""))
        if passkey is None:
            raise PageRefusal(404, "not removed", "it is no passkey of yours", back=back, next="remit passkeys ls")
        confirmed = await self._confirming.confirm(who, REMOVING, form, back)
        await end_passkey(services, caller_name(who.person), passkey, {"confirmed": list(confirmed)})

    async def _visible(self, who: SignedIn | None, ident: str) -> tuple[SignedIn, Approval, Entry | None]:
        if who is None:
            raise PageRefusal(401, "not signed in", "sign in, then open it again", back=f"{PREFIX}{ident}")
        approval = await self._services.ledger.approval(ident)
        if approval is None or not sees_approval(self._services, who.person, approval):
            raise PageRefusal(404, "nothing here", _NOT_HERE, back=PREFIX)
        return who, approval, await self._services.ledger.entry(Ref.parse(ident))

    async def _approval_page(self, who: SignedIn | None, ident: str, heads: Heads) -> tuple[bool, bytes, Approval]:
        """Whether it takes more than a key, its page, and what it stands for."""
        who, approval, proposal = await self._visible(who, ident)
        services = self._services
        if not sees_arguments(services, who.person, approval):
            why = f"it is {approval.state.value}; whoever decides sees what it is about"
            raise PageRefusal(200, "you asked for this", why, back=PREFIX)
        case = await case_of(services, approval, proposal)
        if case is None:
            raise PageRefusal(410, "nothing to show", "what was asked has been erased", back=PREFIX)
        void = await void_reason_now(services, approval, proposal)
        edited = None if approval.edit is None else await services.ledger.entry(Ref.parse(approval.edit.record))
        answer = approval_view(services, who.person, approval, proposal, void=void, edited=edited)
        answer = answer.model_copy(update={"grants": await grants_of_approval(services, who.person, ident)})
        viewer = await self._acting.viewer(who, approval, heads.get(b"host", ""))
        brief, body = fit_page(answer, case, services.clock.now_ms(), viewer)
        return brief.careful, body, approval

    async def _arguments(self, who: SignedIn | None, ident: str) -> bytes:
        who, approval, proposal = await self._visible(who, ident)
        if approval.edit is not None:
            proposal = await self._services.ledger.entry(Ref.parse(approval.edit.record))
        body = None if proposal is None else proposal.body
        if not sees_arguments(self._services, who.person, approval) or not isinstance(body, ActionBody):
            raise PageRefusal(404, "nothing here", _NOT_HERE, back=PREFIX)
        return body.arguments

    async def _decide(self, who: SignedIn | None, ident: str, form: Form, heads: Heads) -> bytes | None:
        careful, _, approval = await self._approval_page(who, ident, heads)
        assert who is not None  # noqa: S101 - nothing is shown to nobody
        back = f"{PREFIX}{ident}"
        try:
            return await self._acting.act(who, approval, form, heads.get(b"host", ""), careful=careful)
        except Problem as refused:
            raise PageRefusal(refused.status, refused.title, refused.why, back=back, next=refused.next) from refused
        except EditRefused as refused:
            raise PageRefusal(422, "these arguments may not run", str(refused), back=back) from refused
        except VoteRefused as refused:
            status = 403 if refused.others else 409
            raise PageRefusal(status, "not decided", refused.why, back=back, next=refused.next) from refused


def _known_place(place: str) -> str:
    return place if _REF.fullmatch(place) or place == PASSKEYS else ""


def _path(ident: str) -> str:
    return f"{PREFIX}{_known_place(ident)}"

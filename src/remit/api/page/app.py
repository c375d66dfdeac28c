"""The ASGI application under `/a`: one approval, what waits, signing in and out.

Host and Origin are checked before it (`app.root`). A form counts only with the Origin of the service, the cookie of a
sign-in and what that sign-in's own pages carry; and a yes only for the action that was shown.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

from remit.api.approvals import decide, decisions_of
from remit.api.briefs import case_of
from remit.api.page.desk import COOKIE, SIGNED_IN_MS, Desk, SignedIn, meant
from remit.api.page.look import POLICY
from remit.api.page.render import fitted, message, sign_in, waiting
from remit.api.problem import Problem
from remit.api.services import Services
from remit.api.views import approval_view, sees_approval, sees_arguments
from remit.api.voided import voided
from remit.escalate.machine import Approval
from remit.escalate.refusals import sentence
from remit.escalate.voting import EditRefused, VoteRefused
from remit.facts.canonical import Json
from remit.facts.record import Ref
from remit.facts.strictjson import Refused, parse
from remit.ports.ledger import Entry, LedgerUnwritable
from remit.ports.signer import TokenInvalid
from remit.trace.bodies import ActionBody, Choice

PREFIX: Final = "/a/"
FORM_BYTES_MAX: Final = 64 * 1024
LISTED_MAX: Final = 50
_REF: Final = re.compile(r"[a-z0-9]{1,16}-[1-9][0-9]{0,8}\.[1-9][0-9]{0,14}")
_CHOICES: Final = {"approve": Choice.APPROVE, "edit": Choice.APPROVE, "deny": Choice.DENY}
_NOT_HERE: Final = "there is no such approval, or it is not yours to see"

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Form: TypeAlias = Mapping[str, str]


class Refusal(Exception):
    """A page with `status` that says why not; `back` is where to go on."""

    def __init__(self, status: int, what: str, why: str, *, back: str | None = None, next: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.page = message(what, why, back, next)


class Pages:
    """Answers `/a/…` over `services`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._desk = Desk(services.authenticator, services.clock, services.entropy)
        self._secure = services.runtime.resource.startswith("https:")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP exchange."""
        heads = {name: value.decode("latin-1") for name, value in scope["headers"]}
        try:
            await self._answer(scope["method"], scope["path"], heads, receive, send)
        except Refusal as refused:
            await _page(send, refused.status, refused.page)
        except LedgerUnwritable:
            await _page(send, 503, message("not decided", "the ledger does not accept records", None, "remit doctor"))

    async def _answer(self, method: str, path: str, heads: Mapping[bytes, str], receive: Receive, send: Send) -> None:
        cookies = heads.get(b"cookie", "")
        who = self._signed_in(cookies)
        rest = path.removeprefix(PREFIX)
        ident, _, below = rest.partition("/")
        match method, rest:
            case "POST", "sign-in":
                await self._sign_in(await _form(heads, receive), send)
            case "POST", "sign-out":
                form = await self._own_form(who, heads, receive)
                self._desk.sign_out(cookies)
                await _moved(send, _path(form.get("next", "")), _cookie("", 0, secure=self._secure))
            case "GET", _ if who is None:
                await _page(send, 401 if rest else 200, sign_in(ident if _REF.fullmatch(ident) else ""))
            case "GET", "":
                assert who is not None  # noqa: S101 - the case before
                await _page(send, 200, await self._waiting(who))
            case "GET", _ if _REF.fullmatch(ident) and not below:
                await _page(send, 200, await self._approval(who, ident))
            case "GET", _ if _REF.fullmatch(ident) and below == "arguments":
                await _sent(send, 200, await self._arguments(who, ident), b"text/plain; charset=utf-8")
            case "POST", _ if _REF.fullmatch(ident) and not below:
                form = await self._own_form(who, heads, receive)
                await self._decide(who, ident, form)
                await _moved(send, f"{PREFIX}{ident}")
            case _:
                raise Refusal(404 if method in {"GET", "POST"} else 405, "nothing here", "no such page", back=PREFIX)

    def _signed_in(self, cookies: str) -> SignedIn | None:
        found = self._desk.signed_in(cookies)
        # Who left is no user any more, whatever his token says.
        return None if found is None or found.person.user not in self._services.runtime.catalog.users else found

    async def _own_form(self, who: SignedIn | None, heads: Mapping[bytes, str], receive: Receive) -> Form:
        form = await _form(heads, receive)
        if who is None:
            raise Refusal(401, "not signed in", "sign in, then say it again", back=PREFIX)
        if not meant(who, form.get("csrf", "")):
            raise Refusal(403, "not decided", "this form is not from a page of this sign-in", back=PREFIX)
        return form

    async def _sign_in(self, form: Form, send: Send) -> None:
        back = form.get("next", "")
        try:
            value = self._desk.sign_in(form.get("token", "").strip())
        except TokenInvalid as refused:
            await _page(send, 403, sign_in(back if _REF.fullmatch(back) else "", f"not signed in: {refused}"))
            return
        await _moved(send, _path(back), _cookie(value, SIGNED_IN_MS // 1000, secure=self._secure))

    async def _waiting(self, who: SignedIn) -> bytes:
        found = await decisions_of(self._services, who.person, open_only=True, limit=LISTED_MAX)
        items = [approval_view(self._services, who.person, one, listed=True) for one in found]
        return waiting(items, who.person.user, who.csrf)

    async def _known(self, who: SignedIn | None, ident: str) -> tuple[SignedIn, Approval, Entry | None]:
        if who is None:
            raise Refusal(401, "not signed in", "sign in, then open it again", back=f"{PREFIX}{ident}")
        approval = await self._services.ledger.approval(ident)
        if approval is None or not sees_approval(self._services, who.person, approval):
            raise Refusal(404, "nothing here", _NOT_HERE, back=PREFIX)
        return who, approval, await self._services.ledger.entry(Ref.parse(ident))

    async def _approval(self, who: SignedIn | None, ident: str) -> bytes:
        return (await self._shown(who, ident))[1]

    async def _shown(self, who: SignedIn | None, ident: str) -> tuple[bool, bytes, Approval]:
        """Whether it takes more than a key, its page, and what it stands for."""
        who, approval, proposal = await self._known(who, ident)
        services = self._services
        if not sees_arguments(services, who.person, approval):
            why = f"it is {approval.state.value}; whoever decides sees what it is about"
            raise Refusal(200, "you asked for this", why, back=PREFIX)
        case = await case_of(services, approval, proposal)
        if case is None:
            raise Refusal(410, "nothing to show", "what was asked has been erased", back=PREFIX)
        void = await voided(services, approval, proposal)
        edited = None if approval.edit is None else await services.ledger.entry(Ref.parse(approval.edit.record))
        told = approval_view(services, who.person, approval, proposal, void=void, edited=edited)
        brief, made = fitted(told, case, services.clock.now_ms(), who.person.user, who.csrf)
        return brief.careful, made, approval

    async def _arguments(self, who: SignedIn | None, ident: str) -> bytes:
        who, approval, proposal = await self._known(who, ident)
        if approval.edit is not None:
            proposal = await self._services.ledger.entry(Ref.parse(approval.edit.record))
        body = None if proposal is None else proposal.body
        if not sees_arguments(self._services, who.person, approval) or not isinstance(body, ActionBody):
            raise Refusal(404, "nothing here", _NOT_HERE, back=PREFIX)
        return body.arguments

    async def _decide(self, who: SignedIn | None, ident: str, form: Form) -> None:
        careful, _, approval = await self._shown(who, ident)
        assert who is not None  # noqa: S101 - nothing is shown to nobody
        back = f"{PREFIX}{ident}"
        choice = _CHOICES.get(form.get("choice", ""))
        if choice is None:
            raise Refusal(400, "not decided", "the form says neither yes nor no", back=back)
        shown, reason = form.get("shown", ""), form.get("reason") or None
        if choice is Choice.APPROVE and shown != approval.shown:
            raise Refusal(409, "not decided", "this is not what was shown: look at it again", back=back)
        if sentence(reason) is None and reason is not None:
            raise Refusal(400, "not decided", "there is no such reason", back=back)
        edited = _edited(form, back) if form["choice"] == "edit" else None
        # Who writes arguments has used more than a key.
        if choice is Choice.APPROVE and edited is None and careful and form.get("sure") != "yes":
            raise Refusal(400, "not decided", "this one takes more than a key: say that you have checked it", back=back)
        try:
            note = form.get("note") or None
            await decide(self._services, who.person, ident, choice, note, reason=reason, shown=shown, arguments=edited)
        except Problem as refused:
            raise Refusal(refused.status, refused.title, refused.why, back=back, next=refused.next) from refused
        except EditRefused as refused:
            raise Refusal(422, "these arguments may not run", str(refused), back=back) from refused
        except VoteRefused as refused:
            raise Refusal(409, "not decided", refused.why, back=back, next=refused.next) from refused


def _edited(form: Form, back: str) -> Mapping[str, Json]:
    """The arguments that a person wrote."""
    try:
        found = parse(form.get("arguments", "").encode("utf-8"))
    except Refused as refused:
        raise Refusal(400, "not decided", f"the arguments are not JSON: {refused}", back=back) from refused
    if not isinstance(found, Mapping):
        raise Refusal(400, "not decided", "the arguments are no JSON object", back=back)
    return found


async def _form(heads: Mapping[bytes, str], receive: Receive) -> Form:
    """The fields of a form, each once. It has to come from a page of ours: a browser says so in Origin."""
    if b"origin" not in heads:
        raise Refusal(403, "not decided", "a form without Origin is not believed", back=PREFIX)
    if heads.get(b"content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Refusal(415, "not decided", "only the forms of these pages are read", back=PREFIX)
    data = bytearray()
    more = True
    while more:
        said = await receive()
        if said["type"] == "http.disconnect":
            raise Refusal(400, "not decided", "the form ended early", back=PREFIX)
        data += said.get("body", b"")
        more = said.get("more_body", False)
        if len(data) > FORM_BYTES_MAX:
            raise Refusal(413, "not decided", f"a form has at most {FORM_BYTES_MAX:,} bytes", back=PREFIX)
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, max_num_fields=16, errors="strict")
    except ValueError as error:
        raise Refusal(400, "not decided", "the form cannot be read", back=PREFIX) from error
    if len(dict(pairs)) != len(pairs):
        raise Refusal(400, "not decided", "the form says something twice", back=PREFIX)
    return dict(pairs)


def _path(ident: str) -> str:
    return f"{PREFIX}{ident}" if _REF.fullmatch(ident) else PREFIX


def _cookie(value: str, age_s: int, *, secure: bool) -> tuple[bytes, bytes]:
    said = f"{COOKIE}={value}; Path=/a; Max-Age={age_s}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"
    return b"set-cookie", said.encode("ascii")


async def _page(send: Send, status: int, body: bytes) -> None:
    await _sent(send, status, body, b"text/html; charset=utf-8")


async def _moved(send: Send, path: str, *heads: tuple[bytes, bytes]) -> None:
    await _sent(send, 303, b"", b"text/plain", (b"location", path.encode("ascii")), *heads)


async def _sent(send: Send, status: int, body: bytes, kind: bytes, *heads: tuple[bytes, bytes]) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"content-security-policy", POLICY.encode("ascii")),
        (b"cache-control", b"no-store"),
        # With `no-referrer` a browser would send the Origin of its own forms as `null`.
        (b"referrer-policy", b"same-origin"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        *heads,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

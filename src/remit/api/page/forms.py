"""What a form of an approval's page does: a yes, a no, other arguments, a grant, a deputy, a stop, broken glass.

Laws: a yes, a grant and broken glass are for what was shown; what goes further than a no takes more than one key; what
a route wants confirmed is confirmed here, and recorded with the passkey that did.
"""

from typing import Final

from remit.api.approvals import Yes, check_usable, decide, is_keyed
from remit.api.grants import give_grant, known_approval, preview_grant
from remit.api.guard import may_decide
from remit.api.halts import stop_asking
from remit.api.moments import moment_of
from remit.api.page.choices import Viewer
from remit.api.page.desk import SignedIn
from remit.api.page.document import PREFIX
from remit.api.page.passkey_confirmation import PasskeyConfirmation, needs_confirmation
from remit.api.page.render import granting
from remit.api.page.requests import Form, PageRefusal, arguments_of
from remit.api.services import Services
from remit.escalate.eligibility import breaks, own_routes, sits, wants_strong
from remit.escalate.grants import Constraint, GrantScope, Wish, parse_constraint
from remit.escalate.machine import OPEN, Approval, ApprovalState
from remit.escalate.refusals import sentence
from remit.facts.durations import HOUR_MS, MINUTE_MS
from remit.facts.passkey import Confirmed
from remit.trace.bodies import Choice

WHERE_CHARS_MAX: Final = 1_000
NOTE_CHARS_MAX: Final = 2_000
WHY_CHARS_MAX: Final = 1_000
_GRANT_FIELDS: Final = ("scope", "hours", "uses", "where")


class ApprovalActions:
    """Forms of approvals, carried out over `services`."""

    def __init__(self, services: Services, confirming: PasskeyConfirmation) -> None:
        self._services = services
        self._confirming = confirming

    async def viewer(self, who: SignedIn, approval: Approval, host: str) -> Viewer:
        """What `who`, whose browser is at `host`, may do about `approval`."""
        services = self._services
        catalog, now_ms = services.runtime.catalog, services.clock.now_ms()
        person = catalog.users[who.person.user]
        question = None
        if needs_confirmation(services, who, approval):
            question = await self._confirming.ask(who, approval.ident, host)
        voted = any(vote.by == person.name for vote in approval.votes)
        may_vote = bool(own_routes(approval, catalog.routes, catalog.users, person, now_ms))
        pending = approval.state is ApprovalState.PENDING
        glass = pending and breaks(approval, catalog.routes, person)
        if glass and question is None and (self._wants_strong(approval) or await is_keyed(services, who.person)):
            ask_glass = await self._confirming.ask(who, approval.ident, host)
        else:
            ask_glass = question
        # Whom nobody asks first grants nothing.
        first = bool(own_routes(approval, catalog.routes, catalog.users, person, approval.opened_ms))
        grants = approval.state in OPEN and approval.edit is None and approval.glass is None and first
        return Viewer(
            user=person.name,
            csrf=who.csrf,
            question=question,
            grants=grants,
            delegates=pending and may_vote and not voted,
            stops=sits(approval, catalog.routes, catalog.users, person, now_ms),
            breaks=glass,
            glass_question=ask_glass,
        )

    async def act(self, who: SignedIn, approval: Approval, form: Form, host: str, *, careful: bool) -> bytes | None:
        """Do what `form` says about `approval`; a page to show, None where it is done.

        Raises `PageRefusal` and more.
        """
        services, ident, back = self._services, approval.ident, f"{PREFIX}{approval.ident}"
        choice, note = form.get("choice", ""), _text_field(form, "note", back)
        by = services.runtime.catalog.users[who.person.user]
        match choice:
            case "approve" | "edit":
                await self._approve(who, approval, form, back, careful=careful and choice == "approve")
            case "deny":
                reason = _reason(form, back)
                await decide(services, who.person, ident, Choice.DENY, note, reason=reason)
            case "terms" | "grant":
                return await self._grant(who, approval, form, back, host)
            case "delegate":
                may_decide(services, who.person)
                asked_ms = services.clock.now_ms() + int(_number(form, "minutes", back) * MINUTE_MS)
                until_ms = min(asked_ms, approval.expires_ms)
                confirmed = await self._confirmation(who, approval, form, back)
                to = form.get("to", "").strip()
                await services.driver.approvals.delegate(ident, by, to, until_ms, note, confirmed)
            case "stop":
                _sure(form, back)
                await stop_asking(services, who.person, ident, _reason(form, back) or "suspicious", note)
            case "glass":
                _sure(form, back)
                _check_nonce(form, approval, back)
                may_decide(services, who.person)
                why = (_text_field(form, "why", back, WHY_CHARS_MAX) or "").strip()
                if not why:
                    raise PageRefusal(400, "not decided", "say what the emergency is", back=back)
                await check_usable(services, who.person, approval)
                keyed, confirmed = await is_keyed(services, who.person), None
                if keyed or self._wants_strong(approval):
                    confirmed = await self._confirming.confirm(who, ident, form, back)
                shown = approval.shown
                await services.driver.approvals.break_glass(
                    ident, by, why, shown=shown, confirmed=confirmed, keyed=keyed
                )
            case _:
                raise PageRefusal(400, "not decided", "the form says neither yes nor no", back=back)
        return None

    async def _approve(self, who: SignedIn, approval: Approval, form: Form, back: str, *, careful: bool) -> None:
        _check_nonce(form, approval, back)
        edited = arguments_of(form, back) if form["choice"] == "edit" else None
        # Who writes arguments has used more than a key.
        if careful:
            _sure(form, back)
        may_decide(self._services, who.person)
        confirmed = await self._confirmation(who, approval, form, back)
        note = _text_field(form, "note", back)
        yes = Yes(approval.shown, edited, confirmed)
        await decide(self._services, who.person, approval.ident, Choice.APPROVE, note, yes=yes)

    async def _grant(self, who: SignedIn, approval: Approval, form: Form, back: str, host: str) -> bytes | None:
        """The terms of a grant, or, once they were read, the yes with it."""
        services = self._services
        _check_nonce(form, approval, back)
        wish = _wish(form, services.clock.now_ms(), back)
        await known_approval(services, who.person, approval.ident)
        may_decide(services, who.person)
        if form["choice"] == "terms":
            preview = await preview_grant(services, who.person, approval.ident, wish)
            viewer = await self.viewer(who, approval, host)
            fields = [(name, form.get(name, "").replace("\r\n", "\n")) for name in _GRANT_FIELDS]
            fields += [("until", preview.expires), ("terms", preview.terms)]
            return granting(preview, viewer, approval.shown, fields)
        _sure(form, back)
        if wish.terms is None:
            raise PageRefusal(400, "not decided", "look at what that would cover first", back=back)
        confirmed = await self._confirmation(who, approval, form, back)
        # Refused before anything is said: a yes without its grant is not what was asked for.
        await preview_grant(services, who.person, approval.ident, wish)
        if approval.state is ApprovalState.PENDING:
            yes = Yes(approval.shown, confirmed=confirmed)
            await decide(services, who.person, approval.ident, Choice.APPROVE, None, yes=yes)
        await give_grant(services, who.person, approval.ident, wish, None, confirmed)
        return None

    def _wants_strong(self, approval: Approval) -> bool:
        return bool(wants_strong(approval, self._services.runtime.catalog.routes))

    async def _confirmation(self, who: SignedIn, approval: Approval, form: Form, back: str) -> Confirmed | None:
        if not needs_confirmation(self._services, who, approval):
            return None
        return await self._confirming.confirm(who, approval.ident, form, back)


def _text_field(form: Form, name: str, back: str, chars_max: int = NOTE_CHARS_MAX) -> str | None:
    """What he wrote for other people; None where that is nothing."""
    text = form.get(name) or None
    if text is not None and len(text) > chars_max:
        raise PageRefusal(400, "not decided", f"{name} has more than {chars_max:,} characters", back=back)
    return text


def _check_nonce(form: Form, approval: Approval, back: str) -> None:
    if form.get("shown", "") != approval.shown:
        edit = approval.edit
        since = "this is not what was shown" if edit is None else f"{edit.by} changed the arguments since you opened it"
        raise PageRefusal(409, "not decided", f"{since}: look at it again", back=back)


def _sure(form: Form, back: str) -> None:
    if form.get("sure") != "yes":
        raise PageRefusal(400, "not decided", "this one takes more than a key: say that you have checked it", back=back)


def _reason(form: Form, back: str) -> str | None:
    reason = form.get("reason") or None
    if reason is not None and sentence(reason) is None:
        raise PageRefusal(400, "not decided", "there is no such reason", back=back)
    return reason


def _number(form: Form, name: str, back: str) -> float:
    try:
        number = float(form.get(name, ""))
    except ValueError:
        number = 0.0
    if not 0 < number <= 100_000:
        raise PageRefusal(400, "not decided", f"{name} is no number above 0", back=back)
    return number


def _wish(form: Form, now_ms: int, back: str) -> Wish:
    if form.get("scope") not in {scope.value for scope in GrantScope}:
        raise PageRefusal(400, "not decided", "a grant is for the session or for the tool", back=back)
    until_ms = now_ms + int(_number(form, "hours", back) * HOUR_MS) if form.get("hours", "").strip() else None
    if (until := form.get("until")) is not None:
        # Until when it was shown, however long it was read.
        until_ms = _moment(until, back)
    uses = int(_number(form, "uses", back)) if form.get("uses", "").strip() else None
    where = form.get("where", "")
    if len(where) > WHERE_CHARS_MAX:
        raise PageRefusal(400, "not decided", f"more than {WHERE_CHARS_MAX:,} characters hold arguments", back=back)
    lines = [line for line in where.splitlines() if line.strip()]
    held_to = tuple(_constraint(line, back) for line in lines)
    return Wish(GrantScope(form["scope"]), until_ms, uses, held_to, form.get("terms") or None)


def _moment(text: str, back: str) -> int:
    try:
        return moment_of(text)
    except ValueError as odd:
        raise PageRefusal(400, "not decided", "until is no moment", back=back) from odd


def _constraint(line: str, back: str) -> Constraint:
    try:
        return parse_constraint(line)
    except ValueError as odd:
        raise PageRefusal(400, "not decided", str(odd), back=back) from odd

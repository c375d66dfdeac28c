"""What people are told, switched off one check at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from remit.adapters.notifiers import webhook
from remit.adapters.sqlite.outbox import SqliteOutbox
from remit.api.page import passkey_confirmation
from remit.api.page.desk import Desk
from remit.api.page.passkey_confirmation import PasskeyConfirmation
from remit.escalate import notice as notices
from remit.work import outbox
from remit.work.outbox import Notifying
from tests.sim.mutants.planting import Mutant, Planted

if TYPE_CHECKING:
    from tests.sim.profile import Profile


def _seen_first() -> Planted:
    real = SqliteOutbox.put

    async def put(kept: SqliteOutbox, found: Any, seen: Any) -> None:
        await real(kept, (), seen)
        await real(kept, found, {})

    return SqliteOutbox, "put", put


def _followed_first() -> Planted:
    real = SqliteOutbox.follow

    async def follow(kept: SqliteOutbox, found: Any, mark: str) -> None:
        await real(kept, (), mark)
        await real(kept, found, mark)

    return SqliteOutbox, "follow", follow


def _tried_once() -> Planted:
    async def failed(kept: SqliteOutbox, ident: str, _due_ms: Any, _why: Any) -> None:
        await kept.delivered(ident)

    return SqliteOutbox, "failed", failed


def _open_ones_alone() -> Planted:
    async def opened(_: Notifying) -> tuple[()]:
        return ()

    return Notifying, "_opened", opened


def _followed_from_now() -> Planted:
    async def mark(_: SqliteOutbox) -> str:
        return ""

    return SqliteOutbox, "mark", mark


def _named_by_the_turn() -> Planted:
    real = outbox.notice

    def notice(approval: Any, channel: str, what: str, page: str, at_ms: int) -> Any:
        made = real(approval, channel, what, page, at_ms)
        return made._replace(ident=f"{made.ident}-{at_ms}")

    return outbox, "notice", notice


def _signed_without_id() -> Planted:
    real = webhook.signature

    def signature(secret: str, _ident: str, timestamp_s: int, body: bytes) -> str:
        return real(secret, "", timestamp_s, body)

    return webhook, "signature", signature


def _as_old_as_it_is() -> Planted:
    real = webhook.Webhooks.say

    async def say(one: webhook.Webhooks, channel: Any, notice: Any, _now_ms: int) -> None:
        await real(one, channel, notice, notice.made_ms)

    return webhook.Webhooks, "say", say


def _values_bare() -> Planted:
    def masking(value: Any) -> Any:
        return value

    return notices, "masking", masking


def _answered_again() -> Planted:
    def answers(who: Any, about: str, nonce: str) -> bool:
        return who.questions.get(nonce) == about

    return Desk, "answers", staticmethod(answers)


def _answered_about_anything() -> Planted:
    def answers(who: Any, _about: str, nonce: str) -> bool:
        return who.questions.pop(nonce, None) is not None

    return Desk, "answers", staticmethod(answers)


def _signed_in_part() -> Planted:
    real = passkey_confirmation.signed_form

    def signed_form(form: Any) -> bytes:
        return real({name: value for name, value in form.items() if name != "arguments"} | {"do": "approve"})

    return passkey_confirmation, "signed_form", signed_form


def _anybodys_passkey() -> Planted:
    async def of(confirming: PasskeyConfirmation, _user: str) -> Any:
        services: Any = vars(confirming)["_services"]
        return await services.ledger.passkeys()

    return PasskeyConfirmation, "of", of


def _told(profile: Profile) -> bool:
    return profile.told


def _told_of_halts(profile: Profile) -> bool:
    return profile.told and profile.halted


RECORD, ONCE, GENUINE, BARE = "told-or-on-record", "acts-once", "notice-is-genuine", "notice-is-bare"
ANSWER: Final = "answer-is-genuine"
TELLING: Final = (
    Mutant(RECORD, "what is told counts as seen before it is kept", _seen_first, _told),
    Mutant(RECORD, "records count as followed before what they tell is kept", _followed_first, _told_of_halts),
    Mutant(RECORD, "what did not arrive counts as told", _tried_once, _told),
    Mutant(RECORD, "what opened and was over within a turn is not looked at", _open_ones_alone, _told),
    Mutant(RECORD, "after a restart records are followed from then on", _followed_from_now, _told_of_halts),
    Mutant(ONCE, "a notice has another id each time that it is made", _named_by_the_turn, _told),
    Mutant(GENUINE, "an id is not signed", _signed_without_id, _told),
    Mutant(GENUINE, "what is told again has the time of the first attempt", _as_old_as_it_is, _told),
    Mutant(BARE, "values leave as agents wrote them", _values_bare, _told),
    Mutant(ANSWER, "an answer of a passkey is taken again", _answered_again, _told),
    Mutant(ANSWER, "an answer counts for what it was not put about", _answered_about_anything, _told),
    Mutant(ANSWER, "a passkey signs a part of the form alone", _signed_in_part, _told),
    Mutant(ANSWER, "anybody's passkey confirms", _anybodys_passkey, _told),
)

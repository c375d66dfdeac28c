"""Routes of approvals: what waits for a person, and the person's word."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Query

from remit.api.answers_decided import ApprovalAnswer, ApprovalsAnswer
from remit.api.approval_list import list_item
from remit.api.authenticator import Admin, Person
from remit.api.briefs import brief_view, case_of
from remit.api.grants import grants_of_approval
from remit.api.guard import ByPerson, ByReader, GuardedRoute, With
from remit.api.halts import stop_asking
from remit.api.open_approvals import READ_MAX, most_urgent
from remit.api.problem import Problem, not_found
from remit.api.requests import (
    LIMIT_MAX,
    ApproveRequest,
    DelegateRequest,
    DenyRequest,
    GlassRequest,
    Limit,
    RefPath,
    StopSessionRequest,
    VoteRequest,
)
from remit.api.services import Services
from remit.api.views import approval_view, eligible, sees_approval, sees_arguments
from remit.api.void_approvals import void_reason, void_reason_now
from remit.api.withdrawals import withdrawal_reason
from remit.escalate.brief import arrange
from remit.escalate.machine import Approval
from remit.escalate.voting import VoteRefused
from remit.facts.agent import User
from remit.facts.canonical import Json
from remit.facts.passkey import Confirmed
from remit.facts.record import Ref
from remit.trace.bodies import Choice

router = APIRouter(route_class=GuardedRoute, tags=["approvals"])

NAMED_MAX: Final = 10
"""People that a refusal names for one route; `approvals show` names all."""


@router.get("/approvals")
async def list_approvals(
    services: With,
    caller: ByReader,
    *,
    open_only: Annotated[bool, Query(alias="open")] = False,
    limit: Limit = 100,
) -> ApprovalsAnswer:
    """Approvals that a user decides or asked for: newest first; of those that are `open`, what presses most first."""
    if open_only:
        urgent = await most_urgent(services, caller, limit)
        return ApprovalsAnswer(items=list(urgent.items), more=urgent.more)
    approvals = await _decisions_of(services, caller, limit)
    return ApprovalsAnswer(items=[await list_item(services, caller, approval) for approval in approvals])


async def _decisions_of(services: Services, caller: Admin | Person, limit: int) -> Sequence[Approval]:
    """The approvals that `caller` may see, newest first, at most `limit`."""
    limit_read = limit if isinstance(caller, Admin) else LIMIT_MAX
    while True:
        page = await services.ledger.approvals(open_only=False, limit=limit_read)
        visible = [approval for approval in page if sees_approval(services, caller, approval)][:limit]
        # What others asked for must not push out what this person decides, however much it is.
        if len(visible) == limit or len(page) < limit_read or limit_read >= READ_MAX:
            return visible
        limit_read *= 10


@router.get("/approvals/{ident}")
async def show_approval(ident: RefPath, services: With, caller: ByReader) -> ApprovalAnswer:
    """One approval, with its exact arguments for those who decide it."""
    approval = await services.ledger.approval(ident)
    if approval is None or not sees_approval(services, caller, approval):
        raise not_found(f"approval: {ident}", "remit approvals ls --all")
    answer = await _answer(services, caller, approval)
    if not sees_arguments(services, caller, approval):
        return answer
    answer = answer.model_copy(update={"grants": await grants_of_approval(services, caller, ident)})
    # What is told of is what runs: other arguments than were asked for, where somebody approved those.
    record = ident if approval.edit is None else approval.edit.record
    case = await case_of(services, approval, await services.ledger.entry(Ref.parse(record)))
    return answer if case is None else answer.model_copy(update={"brief": brief_view(arrange(case))})


@router.post("/approvals/{ident}/approve")
async def approve(ident: RefPath, request: ApproveRequest, services: With, caller: ByPerson) -> ApprovalAnswer:
    """Say yes; with `arguments` to those in place of the ones that were asked for."""
    yes = Yes(request.shown, request.arguments)
    approval = await decide(services, caller, ident, Choice.APPROVE, request.note, yes=yes)
    return await _answer(services, caller, approval)


@router.post("/approvals/{ident}/deny")
async def deny(ident: RefPath, request: DenyRequest, services: With, caller: ByPerson) -> ApprovalAnswer:
    """Say no, which ends it; the agent is told the preset reason."""
    reason = None if request.reason is None else request.reason.value
    return await _answer(
        services, caller, await decide(services, caller, ident, Choice.DENY, request.note, reason=reason)
    )


class Yes(NamedTuple):
    """A yes: `shown` is the nonce of what he saw, `arguments` are others than were asked for.

    `confirmed` says how he confirmed it beyond his token.
    """

    shown: str | None = None
    arguments: Mapping[str, Json] | None = None
    confirmed: Confirmed | None = None


ONLY_YES: Final = Yes()


async def decide(
    services: Services,
    caller: Person,
    ident: str,
    choice: Choice,
    note: str | None,
    *,
    reason: str | None = None,
    yes: Yes = ONLY_YES,
) -> Approval:
    """The approval after the word of `caller`: `reason` of a no, what a `yes` says.

    Raises `Problem`, `EditRefused`, and `VoteRefused` where it has ended or is not what was shown.
    """
    approval, by = await _approval_and_voter(services, caller, ident)
    if choice is Choice.APPROVE:
        await check_usable(services, caller, approval)
    vote = (
        services.driver.approvals.cast_vote(
            ident, by, choice, note, reason=reason, shown=yes.shown, confirmed=yes.confirmed
        )
        if yes.arguments is None
        else services.driver.approvals.approve_edited(
            ident, by, yes.arguments, note, shown=yes.shown, confirmed=yes.confirmed
        )
    )
    return await _cast(services, caller, approval, vote)


async def check_usable(services: Services, caller: Person, approval: Approval) -> None:
    """Raise `Problem` where nobody could use what `caller` lifts with `approval`."""
    if not sees_approval(services, caller, approval):
        return
    void = await void_reason(services, approval, await services.ledger.entry(Ref.parse(approval.ident)), look=True)
    if void is not None:
        why, following = f"{void.why}: nobody could use the yes", void.next or f"remit approvals deny {approval.ident}"
        raise Problem(409, "nothing can come of this approval", why=why, next=following)


@router.post("/approvals/{ident}/delegate")
async def delegate(ident: RefPath, request: DelegateRequest, services: With, caller: ByPerson) -> ApprovalAnswer:
    """Let somebody else decide in one's own place for a while."""
    approval, by = await _approval_and_voter(services, caller, ident)
    until_ms = min(services.clock.now_ms() + request.for_s * 1000, approval.expires_ms)
    vote = services.driver.approvals.delegate(ident, by, request.to, until_ms, request.note)
    return await _answer(services, caller, await _cast(services, caller, approval, vote))


@router.post("/approvals/{ident}/stop")
async def stop(ident: RefPath, request: StopSessionRequest, services: With, caller: ByPerson) -> ApprovalAnswer:
    """Stop the session that asked, with all that was delegated from it."""
    approval, _ = await _approval_and_voter(services, caller, ident)
    await stop_asking(services, caller, ident, request.reason.value, request.note)
    return await _answer(services, caller, await services.ledger.approval(ident) or approval)


@router.post("/approvals/{ident}/break-glass")
async def break_glass(ident: RefPath, request: GlassRequest, services: With, caller: ByPerson) -> ApprovalAnswer:
    """Lift every gate alone, in an emergency: for five minutes, and somebody else looks at it later."""
    approval, by = await _approval_and_voter(services, caller, ident)
    await check_usable(services, caller, approval)
    vote = services.driver.approvals.break_glass(
        ident, by, request.why, shown=request.shown, keyed=await is_keyed(services, caller)
    )
    return await _answer(services, caller, await _cast(services, caller, approval, vote))


@router.post("/approvals/{ident}/review")
async def review(ident: RefPath, request: VoteRequest, services: With, caller: ByPerson) -> ApprovalAnswer:
    """Say that one has looked at how the glass was broken."""
    approval, by = await _approval_and_voter(services, caller, ident)
    vote = services.driver.approvals.review_glass(ident, by, request.note)
    return await _answer(services, caller, await _cast(services, caller, approval, vote))


async def is_keyed(services: Services, caller: Person) -> bool:
    """Whether `caller`, by whatever name, has a passkey or had one, and it can be used where this service is.

    One that was removed counts: else whoever has it removed would make his token enough again.
    """
    if not services.passkeys.holder:
        return False
    users = services.runtime.catalog.users
    names = {name for name, user in users.items() if user.who == users[caller.user].who}
    return any(passkey.user in names for passkey in await services.ledger.passkeys(removed=True))


async def _approval_and_voter(services: Services, caller: Person, ident: str) -> tuple[Approval, User]:
    approval = await services.ledger.approval(ident)
    if approval is None:
        raise not_found(f"approval: {ident}", "remit approvals ls")
    return approval, services.runtime.catalog.users[caller.user]


async def _cast(
    services: Services, caller: Person, approval: Approval, vote: Coroutine[object, object, Approval]
) -> Approval:
    try:
        return await vote
    except VoteRefused as refused:
        if not refused.others or not sees_approval(services, caller, approval):
            raise
        raise _instead(services, approval, refused) from refused


async def _answer(services: Services, caller: Admin | Person, approval: Approval) -> ApprovalAnswer:
    proposal = await services.ledger.entry(Ref.parse(approval.ident))
    edited = None if approval.edit is None else await services.ledger.entry(Ref.parse(approval.edit.record))
    void = await void_reason_now(services, approval, proposal)
    answer = approval_view(services, caller, approval, proposal, void=void, edited=edited)
    return answer.model_copy(update={"withdrawn": await withdrawal_reason(services, approval)})


def _instead(services: Services, approval: Approval, refused: VoteRefused) -> Problem:
    """A vote that does not count, answered with the people whose vote would."""
    voters = "; ".join(f"{_people(names)} ({route})" for route, names in eligible(services, approval).items())
    # Whom to ask stands in the cause already.
    leads = any(word in refused.next for word in ("remit ", "/a/"))
    following = refused.next if leads else f"remit approvals show {approval.ident}"
    return Problem(403, "the vote does not count", why=f"{refused.why}; those who may: {voters}", next=following)


def _people(names: Sequence[str]) -> str:
    if not names:
        return "nobody"
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more

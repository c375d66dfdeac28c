"""Routes of approvals: what waits for a person, and the person's word."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query

from remit.api.answers_decided import ApprovalAnswer, ApprovalsAnswer
from remit.api.authenticator import Admin, Person
from remit.api.briefs import brief_view, case_of
from remit.api.guard import ByPerson, ByReader, GuardedRoute, With
from remit.api.problem import Problem, not_found
from remit.api.requests import LIMIT_MAX, Limit, RefPath, VoteRequest
from remit.api.services import Services
from remit.api.views import approval_view, eligible, sees_approval, sees_arguments
from remit.api.voided import voided
from remit.escalate.brief import arrange
from remit.escalate.machine import Approval
from remit.escalate.voting import VoteRefused
from remit.facts.record import Ref
from remit.trace.bodies import Choice

router = APIRouter(route_class=GuardedRoute, tags=["approvals"])

READ_MAX: Final = 100_000
"""Approvals looked through for one person's: as many open ones as are kept in memory."""

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
    """Approvals, newest first; a user sees those that he decides or asked for."""
    own = await decisions_of(services, caller, open_only=open_only, limit=limit)
    proposals = [await services.ledger.entry(Ref.parse(approval.ident)) for approval in own]
    return ApprovalsAnswer(
        items=[
            approval_view(
                services, caller, approval, proposal, listed=True, void=await voided(services, approval, proposal)
            )
            for approval, proposal in zip(own, proposals, strict=True)
        ]
    )


async def decisions_of(
    services: Services, caller: Admin | Person, *, open_only: bool, limit: int
) -> Sequence[Approval]:
    """The approvals that `caller` may see, newest first, at most `limit`."""
    most = limit if isinstance(caller, Admin) else LIMIT_MAX
    while True:
        found = await services.ledger.approvals(open_only=open_only, limit=most)
        own = [approval for approval in found if sees_approval(services, caller, approval)][:limit]
        # What others asked for must not push out what this person decides, however much it is.
        if len(own) == limit or len(found) < most or most >= READ_MAX:
            return own
        most *= 10


@router.get("/approvals/{ident}")
async def show_approval(ident: RefPath, services: With, caller: ByReader) -> ApprovalAnswer:
    """One approval, with its exact arguments for those who decide it."""
    approval = await services.ledger.approval(ident)
    if approval is None or not sees_approval(services, caller, approval):
        raise not_found(f"approval: {ident}", "remit approvals ls --all")
    told = await _told(services, caller, approval)
    if not sees_arguments(services, caller, approval):
        return told
    case = await case_of(services, approval, await services.ledger.entry(Ref.parse(ident)))
    return told if case is None else told.model_copy(update={"brief": brief_view(arrange(case))})


@router.post("/approvals/{ident}/approve")
async def approve(ident: RefPath, asked: VoteRequest, services: With, caller: ByPerson) -> ApprovalAnswer:
    """Say yes."""
    return await _told(services, caller, await decide(services, caller, ident, Choice.APPROVE, asked.note))


@router.post("/approvals/{ident}/deny")
async def deny(ident: RefPath, asked: VoteRequest, services: With, caller: ByPerson) -> ApprovalAnswer:
    """Say no, which ends it."""
    return await _told(services, caller, await decide(services, caller, ident, Choice.DENY, asked.note))


async def decide(
    services: Services,
    caller: Person,
    ident: str,
    choice: Choice,
    note: str | None,
    *,
    reason: str | None = None,
    shown: str | None = None,
) -> Approval:
    """The approval after the word of `caller`: `reason` of a no, `shown` the nonce of what he saw.

    Raises `Problem`, and `VoteRefused` where it has ended.
    """
    known = await services.ledger.approval(ident)
    if known is None:
        raise not_found(f"approval: {ident}", "remit approvals ls")
    if choice is Choice.APPROVE and sees_approval(services, caller, known):
        void = await voided(services, known, await services.ledger.entry(Ref.parse(ident)))
        if void is not None:
            why = f"{void}: nobody could use the yes"
            raise Problem(409, "nothing can come of this approval", why=why, next=f"remit approvals deny {ident}")
    voter = services.runtime.catalog.users[caller.user]
    try:
        return await services.driver.decide_approval(ident, voter, choice, note, reason=reason, shown=shown)
    except VoteRefused as refused:
        if refused.ended or not sees_approval(services, caller, known):
            raise
        raise _instead(services, known, refused.why) from refused


async def _told(services: Services, caller: Admin | Person, approval: Approval) -> ApprovalAnswer:
    proposal = await services.ledger.entry(Ref.parse(approval.ident))
    return approval_view(services, caller, approval, proposal, void=await voided(services, approval, proposal))


def _instead(services: Services, approval: Approval, why: str) -> Problem:
    """A vote that does not count, answered with the people whose vote would."""
    asked = "; ".join(f"{_people(names)} ({route})" for route, names in eligible(services, approval).items())
    return Problem(
        403,
        "the vote does not count",
        why=f"{why}; those who may: {asked}",
        next=f"remit approvals show {approval.ident}",
    )


def _people(names: Sequence[str]) -> str:
    if not names:
        return "nobody"
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more

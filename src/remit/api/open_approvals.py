"""What waits, for one who looks: what wants his yes and has none yet comes first, and of that what ends first."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from remit.api.answers_decided import ApprovalAnswer
from remit.api.approval_list import list_item
from remit.api.authenticator import Admin, Person
from remit.api.services import Services
from remit.api.views import sees_approval, sees_arguments
from remit.escalate.eligibility import counts_for
from remit.escalate.machine import Approval, ApprovalState

READ_MAX: Final = 100_000
"""Approvals looked through: as many open ones as are kept in memory."""
VOID_MAX: Final = 1_000
"""Approvals of which nothing can come that are passed over at one look."""


class Urgent(NamedTuple):
    """The open approvals that press most, and how many `more` there are."""

    items: Sequence[ApprovalAnswer]
    more: int


async def most_urgent(services: Services, caller: Admin | Person, limit: int) -> Urgent:
    """Of the open approvals that `caller` may see those `limit` that press most: silence is a no."""
    # All of them are looked through: what ends first may be the oldest of ten thousand.
    open_approvals = await services.ledger.approvals(open_only=True, limit=READ_MAX)
    # Beside the loop: of ten thousand it takes a tenth of a second.
    visible = await asyncio.to_thread(_visible, services, caller, open_approvals)
    live: list[ApprovalAnswer] = []
    void: list[ApprovalAnswer] = []
    for approval in visible:
        answer = await list_item(services, caller, approval)
        (live if answer.void is None else void).append(answer)
        if len(live) == limit or len(void) == VOID_MAX:
            break
    # What nobody can use any more keeps nothing off the list that somebody waits for.
    items = [*live, *void][:limit]
    return Urgent(items, len(visible) - len(items))


def _visible(services: Services, caller: Admin | Person, approvals: Sequence[Approval]) -> Sequence[Approval]:
    own = [approval for approval in approvals if sees_approval(services, caller, approval)]
    return sorted(own, key=lambda approval: _urgency(services, caller, approval))


def _urgency(services: Services, caller: Admin | Person, approval: Approval) -> tuple[bool, bool, int]:
    return not _is_his(services, caller, approval), not sees_arguments(services, caller, approval), approval.expires_ms


def _is_his(services: Services, caller: Admin | Person, approval: Approval) -> bool:
    """Whether `approval` waits for a yes of `caller`, who said nothing yet; for the admin, of anybody."""
    if approval.state is not ApprovalState.PENDING or isinstance(caller, Admin):
        return approval.state is ApprovalState.PENDING
    catalog = services.runtime.catalog
    person = catalog.users.get(caller.user)
    if person is None or any(vote.by == caller.user for vote in approval.votes):
        return False
    return bool(counts_for(approval, catalog.routes, catalog.users, person, services.clock.now_ms()))

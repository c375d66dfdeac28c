"""Why an approval was withdrawn: no table keeps that, its record says it."""

from typing import Final

from remit.api.services import Services
from remit.escalate.machine import Approval, ApprovalState
from remit.facts.record import Ref
from remit.facts.text import one_line
from remit.trace.bodies import AdminBody, Event

_PAGE: Final = 1_000
_PAGES_MAX: Final = 20
"""How much of what its session did since is looked through."""
WITHDRAWN_CHARS_MAX: Final = 200


async def withdrawal_reason(services: Services, approval: Approval) -> str | None:
    """Why `approval` was withdrawn, as its record says; None where it was not, or that is not at hand."""
    if approval.state is not ApprovalState.CANCELLED:
        return None
    after = Ref.parse(approval.ident)
    for _ in range(_PAGES_MAX):
        entries = await services.ledger.entries(after=after, limit=_PAGE, sid=approval.sid)
        for entry in entries:
            body = entry.body
            if isinstance(body, AdminBody) and (body.event, body.subject) == (Event.APPROVAL_CANCELLED, approval.ident):
                return one_line(str(body.data.get("why") or ""), chars_max=WITHDRAWN_CHARS_MAX) or None
        if len(entries) < _PAGE:
            break
        after = Ref(entries[-1].record.chain, entries[-1].record.seq)
    return None

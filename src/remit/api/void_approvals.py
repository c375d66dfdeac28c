"""Open approvals of which nothing can come: whoever asked may act no more.

An approval binds its chain of sessions. One that has ended takes no action; and a token is all that acts in its own,
which it does no more once it, or one that it came from, is revoked. It binds its tool as pinned: another is none that
people were asked about.
"""

from remit.api.services import Services
from remit.escalate.machine import OPEN, Approval
from remit.facts.action import ActionKind
from remit.ports.ledger import Entry
from remit.trace.bodies import ActionBody


async def void_reason(services: Services, approval: Approval, proposal: Entry | None) -> str | None:
    """Why nothing can come of `approval`, asked for by `proposal`, although it is open; None where something can."""
    if approval.state not in OPEN:
        return None
    body = proposal.body if proposal is not None else None
    action = body if isinstance(body, ActionBody) else None
    chain = [sid for _, sid in action.links] if action is not None else [approval.sid]
    for sid in chain:
        session = await services.ledger.session(sid)
        if session is not None and session.ended_ms is not None:
            return "its session has ended"
    if action is not None and action.kind == ActionKind.CALL_TOOL.value:
        # What was asked for names the pin: no call of another tool is that.
        tool = services.runtime.catalog.tools.get((action.server, action.name))
        if tool is None or tool.pin != action.pin:
            return "its tool is gone from the running bundle" if tool is None else "its tool was accepted anew since"
    if action is not None and services.driver.approvals.token_revoked(approval.ident, action.token):
        return "the token that asked was revoked, or one that it came from"
    return None

"""Open approvals of which nothing can come: whoever asked may act no more, or what was asked for is not there.

An approval binds its chain of sessions. One that has ended takes no action; and a token is all that acts in its own,
which it does no more once it, or one that it came from, is revoked. It binds its tool as pinned: another is none that
people were asked about. While a server offers another tool under that name, or does not offer it to whoever asked,
calls of it are denied; once it offers the pinned one again, the approval is of what people were shown, and takes a yes.
"""

import asyncio
import contextlib
from typing import Final, NamedTuple

from remit.api.moments import instant
from remit.api.services import Services
from remit.escalate.machine import OPEN, Approval
from remit.facts.action import ActionKind
from remit.facts.catalog import Catalog
from remit.facts.session import outlived
from remit.ports.ledger import Entry
from remit.trace.bodies import ActionBody

LOOK_S: Final = 5.0
"""How long people wait for what the tool's server offers: of one that does not say, what was last seen counts."""


class VoidReason(NamedTuple):
    """Why nothing can come of an approval, and the command that goes on; as text, both."""

    why: str
    next: str | None = None

    def __str__(self) -> str:
        """What is told of it."""
        return self.why if self.next is None else f"{self.why} ({self.next})"


async def void_reason(
    services: Services, approval: Approval, proposal: Entry | None, *, look: bool = False
) -> VoidReason | None:
    """Why nothing can come of `approval`, asked for by `proposal`, although it is open; None where something can.

    `look` has the server of its tool asked what it offers now; otherwise what was last seen of it counts.
    """
    if approval.state not in OPEN:
        return None
    body = proposal.body if proposal is not None else None
    action = body if isinstance(body, ActionBody) else None
    chain = [sid for _, sid in action.links] if action is not None else [approval.sid]
    catalog, now_ms = services.runtime.catalog, services.clock.now_ms()
    for sid in chain:
        session = await services.ledger.session(sid)
        if session is not None and session.ended_ms is not None:
            return VoidReason("its session has ended")
        if session is not None and outlived(session, catalog.session_hours_max, now_ms):
            return VoidReason(f"its session is older than {catalog.session_hours_max:g} hours")
    if action is None:
        return None
    if (gone := gone_from(catalog, action)) is not None:
        return VoidReason(gone)
    if services.driver.approvals.token_revoked(approval.ident, action.token):
        return VoidReason("the token that asked was revoked, or one that it came from")
    return (
        await _unoffered(services, approval, action, look=look) if action.kind == ActionKind.CALL_TOOL.value else None
    )


def gone_from(catalog: Catalog, action: ActionBody) -> str | None:
    """What of that which `action` reaches the running bundle does not have any more, or not as it was; None: all is."""
    if action.kind == ActionKind.CALL_TOOL.value:
        # What was asked for names the pin: no call of another tool is that.
        tool = catalog.tools.get((action.server, action.name))
        if tool is None:
            return "its tool is gone from the running bundle"
        return "its tool was accepted anew since" if tool.pin != action.pin else None
    if action.kind == ActionKind.DELEGATE.value:
        return (
            None if action.name in catalog.agents else "the agent that it hands on to is gone from the running bundle"
        )
    return None if action.server in catalog.servers else "its server is gone from the running bundle"


async def void_reason_now(services: Services, approval: Approval, proposal: Entry | None) -> VoidReason | None:
    """As `void_reason`, for somebody who looks at this one: a tool that had drifted may be back by now."""
    void = await void_reason(services, approval, proposal)
    return void if void is None or void.next is None else await void_reason(services, approval, proposal, look=True)


async def _unoffered(services: Services, approval: Approval, action: ActionBody, *, look: bool) -> VoidReason | None:
    """Why the tool of `action` is denied, where its server offers another, or does not offer it to who asked."""
    seen = services.driver.authorization
    if look:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await seen.look_for(approval.ident, action.server, action.name)
    if seen.drifted(action.server, action.name):
        review = f"remit tools review {action.server}/{action.name}"
        return VoidReason("its tool is no longer what was accepted", review)
    # What others are shown does not count: it may hang on the session and on what its client declared.
    since_ms = seen.missing_since(action.server, action.name, approval.sid)
    if since_ms is None:
        return None
    why = f"its server has not offered its tool to who asked since {instant(since_ms)}"
    return VoidReason(why, f"remit describe server {action.server}")

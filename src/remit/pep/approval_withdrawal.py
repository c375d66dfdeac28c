"""Ends approvals that people stopped, or whose agents or user are gone: nothing comes of them, and nobody is asked.

Level, not edge: what is stopped, and which agents and users there are, is compared with what was when it looked last,
so that a halt that was left for the service, or was in force at its start, does the same; and it looks before anything
acts again. While something is stopped, or an agent or a user is not declared, no approval opens under it.
INVARIANT(stop-wins)
"""

from collections.abc import Mapping

from remit.escalate.machine import OPEN, Approval
from remit.facts.agent import Authority, Link
from remit.facts.record import RecordKind, Ref
from remit.facts.stop import Stop, StopTarget, stops_over
from remit.pdp.stops import holds_of, stoppable
from remit.pep.decision_engine import BY_REMIT, DecisionEngine
from remit.pep.memory import Memory
from remit.ports.ledger import Ledger
from remit.trace.bodies import ActionBody, AdminBody, Event


class ApprovalWithdrawal:
    """Looks at what waits whenever what is stopped, or who there is, has changed."""

    def __init__(self, memory: Memory, engine: DecisionEngine, ledger: Ledger) -> None:
        self._memory = memory
        self._engine = engine
        self._ledger = ledger
        self._last_state: tuple[Mapping[StopTarget, Stop], frozenset[str], frozenset[str]] = (
            {},
            frozenset(),
            frozenset(),
        )

    async def turn(self) -> int:
        """How many were withdrawn. Raises `LedgerUnwritable`."""
        catalog = self._engine.bundle.catalog
        state = dict(self._memory.stopped), frozenset(catalog.agents), frozenset(catalog.users)
        if state == self._last_state:
            return 0
        waiting = [one for one in self._memory.approvals() if one.state in OPEN]
        found = [(one, why) for one in waiting if (why := await self._why(one)) is not None]
        pending = [
            self._engine.append(
                RecordKind.ADMIN, one.sid, AdminBody(Event.APPROVAL_CANCELLED, BY_REMIT, one.ident, {"why": why})
            )
            for one, why in found
            if (self._memory.approval(one.ident) or one).state in OPEN
        ]
        for one in pending:
            await one.durable
        self._last_state = state
        return len(pending)

    async def _why(self, approval: Approval) -> str | None:
        """What ends `approval`: who of its chain is gone, or the stop that is over what it was asked for."""
        # Its chain is known from its proposal alone.
        proposal = Ref.parse(approval.ident)
        await self._ledger.durable(proposal)
        entry = await self._ledger.entry(proposal)
        body = None if entry is None else entry.body
        links = body.links if isinstance(body, ActionBody) else ((approval.agent, approval.sid),)
        authority = Authority(tuple(Link(agent, sid) for agent, sid in links), approval.user, "", 0)
        catalog, place = self._engine.bundle.catalog, (approval.server, approval.name)
        if missing := [agent for agent, _ in links if agent not in catalog.agents]:
            return f"agent {missing[0]} is gone: the running bundle declares none that is called so"
        if approval.user is not None and approval.user not in catalog.users:
            return f"user {approval.user} is gone: the running bundle declares none that is called so"
        over = stops_over(self._memory.stopped, stoppable(catalog, authority, *place), holds_of(catalog, *place))
        return str(over[0]) if over else None

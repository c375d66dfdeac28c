"""How a call waits for the people who are asked about it.

Laws
* Silence is denial: what is not decided while its caller is held is told as pending, and ends by itself.
* Level, not edge: whoever waits looks again every `REREAD_S`, though nobody told him to.
* What ended it is on disk before whoever waits hears of it: he goes away.
* Where nobody waits any more, people are spared the question. What they said yes to by then stands: they were told so,
  and the agent may make the same call again.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Final

from remit.escalate.machine import Approval, ApprovalState
from remit.escalate.refusals import refused_text
from remit.facts.action import Action
from remit.facts.record import RecordKind
from remit.pep.answer import Answer, Awaiting, Client, Refused
from remit.pep.attempt import Attempt
from remit.pep.decision_engine import BY_REMIT, DecisionEngine
from remit.pep.memory import Memory
from remit.pep.outcomes import take_note, unwritable
from remit.pep.requesters import Requester
from remit.policy.verdict import Code, Escalate, Reason
from remit.ports.ledger import Ledger, LedgerUnwritable
from remit.ports.system import Clock
from remit.trace.bodies import AdminBody, Event

_ENDED: Final = frozenset({ApprovalState.DENIED, ApprovalState.CANCELLED, ApprovalState.EXPIRED})
REREAD_S: Final = 1.0
"""How often a held call looks at its approval though nobody told it to."""


class ApprovalWait:
    """Those who wait. `stopped` says why an action may no longer be done.

    `pages` is what the address of an approval's page begins with, or empty; `draining` whether the service ends;
    `foresee` has a dry run of what is waited for made, where there is one.
    """

    def __init__(
        self,
        memory: Memory,
        engine: DecisionEngine,
        ledger: Ledger,
        clock: Clock,
        stopped: Callable[[Action], Reason | None],
    ) -> None:
        self._memory = memory
        self._engine = engine
        self._ledger = ledger
        self._clock = clock
        self._stopped = stopped
        self.pages = ""
        self.draining: Callable[[], bool] = lambda: False
        self.foresee: Callable[[Action, Approval, Client], None] = lambda _action, _approval, _client: None
        self._waiting_count: Counter[str] = Counter()

    async def wait(
        self, action: Action, client: Client, attempt: Attempt, verdict: Escalate, deadline_s: float, granted: int
    ) -> Answer | None:
        """Wait for people until `deadline_s`, once it is on disk that they are asked; None when it is judged again.

        `granted` is how much was granted when it was judged.
        """
        ident = attempt.waits_for
        assert ident is not None, "an escalated attempt waits for an approval"  # noqa: S101
        self._waiting_count[ident] += 1
        approval = self._memory.approval(ident)
        if approval is not None and approval.state is ApprovalState.PENDING:
            requester = Requester(action.authority.acting.sid, client.era, client.capabilities)
            self._memory.requesters.waits(ident, requester)
        try:
            await attempt.pending.durable
            return await self._decided(action, client, attempt, verdict, deadline_s, granted)
        except LedgerUnwritable as error:
            return unwritable(error, attempt.ref)
        except asyncio.CancelledError:
            if self._waiting_count[ident] == 1:
                self._hung_up(ident)
            raise
        finally:
            self._waiting_count[ident] -= 1
            if not self._waiting_count[ident]:
                del self._waiting_count[ident]

    def _hung_up(self, ident: str) -> None:
        """Nobody waits for it any more: people are spared it. A service that ends is no caller that hung up."""
        approval = self._memory.approval(ident)
        if approval is None or approval.state is not ApprovalState.PENDING or self.draining():
            return
        body = AdminBody(Event.APPROVAL_CANCELLED, BY_REMIT, ident, {"why": "the caller hung up"})
        with contextlib.suppress(LedgerUnwritable):
            pending = self._engine.append(RecordKind.ADMIN, approval.sid, body)
            asyncio.ensure_future(pending.durable).add_done_callback(take_note)

    async def _decided(
        self, action: Action, client: Client, attempt: Attempt, verdict: Escalate, deadline_s: float, granted: int
    ) -> Answer | None:
        ident = attempt.waits_for or ""
        while True:
            why = self._stopped(action)
            if why is not None:
                return Refused((why,), ident)
            approval = self._memory.approval(ident)
            if approval is None:
                approval = await self._ledger.approval(ident)
            state = ApprovalState.EXPIRED if approval is None else approval.state
            if state in _ENDED:
                try:
                    await self._engine.settled()
                except LedgerUnwritable as error:
                    return unwritable(error, ident)
            match state:
                case ApprovalState.PENDING if approval is not None:
                    self.foresee(action, approval, client)
                    left_s = deadline_s - self._clock.monotonic_s()
                    if left_s <= 0:
                        page = f"{self.pages}{ident}" if self.pages else ""
                        return Awaiting(ident, verdict.gates, attempt.decision.reasons, page)
                    if self._memory.grants.count != granted:
                        # A grant came in, which may cover this too: judged again, it is asked about no second time.
                        return None
                    await self._memory.changed(min(left_s, REREAD_S))
                case ApprovalState.DENIED if approval is not None:
                    reason = Reason(Code.APPROVAL_REFUSED, refused_text(approval.refused_by or "", approval.reason))
                    return Refused((reason, *attempt.decision.reasons), ident)
                case ApprovalState.CANCELLED:
                    reason = Reason(Code.GATE, "people were asked, and the question was withdrawn")
                    return Refused((reason, *attempt.decision.reasons), ident)
                case ApprovalState.EXPIRED:
                    reason = Reason(Code.GATE, "people were asked and nobody decided in time")
                    return Refused((reason, *attempt.decision.reasons), ident)
                case _:
                    # Approved, or used by a twin of this call: judge what is true now.
                    return None

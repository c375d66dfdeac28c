"""What people do to budgets, breakers and calls in doubt; each durable before it is answered."""

from collections.abc import Mapping, Sequence

from remit.facts.breaker import Breaker, BreakerState, Trip, name_of
from remit.facts.budget import Balance, Refund, left_of, refunds_at_end
from remit.facts.canonical import Json
from remit.facts.record import Receipt, RecordKind, Ref
from remit.pdp.past_deltas import reversals
from remit.pep.decision_engine import DecisionEngine
from remit.pep.memory import Memory
from remit.ports.system import Clock
from remit.trace.bodies import UNANSWERED, ActionBody, AdminBody, Event, OutcomeBody


class LimitAdmin:
    """Accounts that begin anew, breakers that are closed, what in doubt did not happen."""

    def __init__(self, memory: Memory, engine: DecisionEngine, clock: Clock) -> None:
        self._memory = memory
        self._engine = engine
        self._clock = clock
        self._settled: set[str] = set()
        """What people said of in this process: it is said once, however many say so at the same moment."""

    @property
    def accounts(self) -> Mapping[str, Balance]:
        """What was spent of budgets, by account."""
        return self._memory.bounds.accounts.balances

    async def reset_account(self, account: str, by: str, why: str) -> Receipt:
        """Have an account begin anew, though its window is not over; what is under way gives nothing back to it."""
        balance, now_ms = self.accounts.get(account), self._clock.now_ms()
        # Later than what it counted from so far: that tells what was taken before.
        since_ms = now_ms if balance is None else max(now_ms, balance.since_ms + 1)
        body = AdminBody(Event.BUDGET_RESET, by, account, {"why": why, "since_ms": since_ms})
        return await self._engine.append(RecordKind.ADMIN, "", body).durable

    async def settle(
        self,
        intent: str,
        by: str,
        why: str,
        *,
        happened: bool,
        undone: tuple[int, ActionBody] | None,
        ended: tuple[Ref, OutcomeBody] | None = None,
    ) -> Receipt | None:
        """Say what became of `intent`, in doubt or spent in vain; None where somebody has said so meanwhile.

        `undone` is when it was let through, and its body, where budgets get back what it took, and monitors and rates
        no longer count it. `ended` is the outcome that left it in doubt, where it has one.
        """
        if intent in self._settled:
            return None
        data: dict[str, Json] = {"happened": happened, "why": why}
        given_back: tuple[Refund, ...] = ()
        if ended is not None:
            data["outcome"], given_back = str(ended[0]), ended[1].refunds
        if undone is not None:
            at_ms, body = undone
            charges = left_of(body.charges, given_back)
            refunds: list[Json] = [
                list(refund) for refund in refunds_at_end(charges, sent=False, argument_bytes=0, result_bytes=0)
            ]
            if refunds:
                data["refunds"] = refunds
            # What monitors keep of one that its tool answered is as the answer says.
            doubted = ended is None or ended[1].status in UNANSWERED
            if doubted and (marks := reversals(body.marks, at_ms)):
                data |= {"root": body.links[0][1], "marks": marks}
        pending = self._engine.append(RecordKind.ADMIN, "", AdminBody(Event.INTENT_SETTLED, by, intent, data))
        # Only what was queued was said: a ledger that takes nothing says so each time.
        self._settled.add(intent)
        return await pending.durable

    @property
    def open_breakers(self) -> Sequence[tuple[Breaker, str, BreakerState, float, Trip]]:
        """The breakers of the running bundle that are not closed, by key.

        Each with its key, where it stands, for how many seconds more it lets nothing pass, and its evidence.
        """
        fuses, now_s = self._memory.bounds.breakers, self._clock.monotonic_s()
        breakers = self._engine.bundle.catalog.breakers
        trips = [(breakers[name_of(key)], key, trip) for key, trip in fuses.tripped.items() if name_of(key) in breakers]
        return [
            (breaker, key, fuses.state(breaker, key, now_s), fuses.remaining_s(breaker, key, now_s), trip)
            for breaker, key, trip in sorted(trips, key=lambda entry: entry[1])
        ]

    async def reset_breaker(self, key: str, by: str, why: str) -> Receipt:
        """Close the breaker `key`; what it counted is forgotten."""
        body = AdminBody(Event.BREAKER_CLOSED, by, key, {"why": why})
        return await self._engine.append(RecordKind.ADMIN, "", body).durable

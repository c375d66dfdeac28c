"""Breakers between judgement and ledger: what is counted as it happens, and each trip on record with its evidence."""

from collections.abc import Callable, Iterable

from remit.facts.action import Action
from remit.facts.breaker import Broken
from remit.facts.record import RecordKind
from remit.pdp.decision import Decision
from remit.pep.memory import Memory
from remit.policy.bundle import Bundle
from remit.policy.verdict import Code, Deny, Permit
from remit.ports.ledger import Pending
from remit.ports.system import Clock
from remit.protect.breaker_index import BreakerIndex
from remit.protect.breakers import BreakerChange
from remit.trace.bodies import AdminBody, Event

_NO_DENIAL = frozenset({Code.BREAKER_OPEN, Code.HALTED, Code.INTERNAL})
"""What says nothing of who is denied."""


class CircuitBreakers:
    """`append` queues a record."""

    def __init__(
        self,
        memory: Memory,
        clock: Clock,
        current: Callable[[], Bundle],
        append: Callable[[RecordKind, str, AdminBody], Pending],
    ) -> None:
        self._memory = memory
        self._clock = clock
        self._current = current
        self._append = append
        self._bundle: Bundle | None = None
        self._index: BreakerIndex | None = None

    def blocking(self, action: Action) -> tuple[Broken, ...]:
        """What does not let `action` pass."""
        index = self.index
        if index is None or action.within is not None:
            return ()
        return self._memory.bounds.breakers.blocking(index, action, self._clock.monotonic_s())

    def count_judged(self, action: Action, decision: Decision, record: str) -> None:
        """Count what was decided of `action`. Raises `LedgerUnwritable`."""
        index = self.index
        if index is None or action.within is not None:
            return
        states, now_s = self._memory.bounds.breakers, self._clock.monotonic_s()
        ran = isinstance(decision.verdict, Permit)
        denied, blocks = False, tuple[Broken, ...]()
        if isinstance(decision.verdict, Deny):
            codes = {reason.code for reason in decision.reasons}
            denied = codes.isdisjoint(_NO_DENIAL)
            # Only what a breaker itself denied was tripped by the action: what something else denied never came to it.
            blocks = states.blocking(index, action, now_s) if Code.BREAKER_OPEN in codes else ()
        self._record(action, states.count_judged(index, action, record, blocks, now_s, denied=denied, ran=ran))

    def count_ended(self, action: Action, record: str, *, failed: bool | None, took_ms: float) -> None:
        """Count how `action` ended; None: nobody can tell whose fault it was. Raises `LedgerUnwritable`."""
        index, states = self.index, self._memory.bounds.breakers
        if index is None:
            return
        if failed is None:
            states.drop_trial(record)
            return
        now_s = self._clock.monotonic_s()
        self._record(action, states.count_ended(index, action, record, now_s, failed=failed, took_ms=took_ms))

    @property
    def index(self) -> BreakerIndex | None:
        """The breakers of the running bundle; None where it has none."""
        bundle = self._current()
        if bundle is not self._bundle:
            self._bundle, self._index = bundle, BreakerIndex(bundle.catalog) if bundle.catalog.breakers else None
        return self._index

    def _record(self, action: Action, changes: Iterable[BreakerChange]) -> None:
        for key, trip in changes:
            if trip is not None:
                body = AdminBody(Event.BREAKER_TRIPPED, "remit", key, trip)
            else:
                body = AdminBody(Event.BREAKER_CLOSED, "remit", key, {"why": "what was tried went well"})
            self._append(RecordKind.ADMIN, action.authority.acting.sid, body)

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
from remit.protect.breaker_index import Panel
from remit.protect.breakers import Moved
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
        self._of: Bundle | None = None
        self._panel: Panel | None = None

    def look(self, action: Action) -> tuple[Broken, ...]:
        """What does not let `action` pass."""
        panel = self.panel
        if panel is None or action.within is not None:
            return ()
        return self._memory.bounds.fuses.look(panel, action, self._clock.monotonic_s())

    def judged(self, action: Action, decision: Decision, record: str) -> None:
        """Count what was decided of `action`. Raises `LedgerUnwritable`."""
        panel = self.panel
        if panel is None or action.within is not None:
            return
        fuses, now_s = self._memory.bounds.fuses, self._clock.monotonic_s()
        ran = isinstance(decision.verdict, Permit)
        denied, stopped = False, tuple[Broken, ...]()
        if isinstance(decision.verdict, Deny):
            said = {reason.code for reason in decision.reasons}
            denied = said.isdisjoint(_NO_DENIAL)
            # Only what a breaker itself denied was tripped by the action: what something else denied never came to it.
            stopped = fuses.look(panel, action, now_s) if Code.BREAKER_OPEN in said else ()
        self._record(action, fuses.judged(panel, action, record, stopped, now_s, denied=denied, ran=ran))

    def ended(self, action: Action, record: str, *, failed: bool | None, took_ms: float) -> None:
        """Count how `action` ended; None: nobody can tell whose fault it was. Raises `LedgerUnwritable`."""
        panel, fuses = self.panel, self._memory.bounds.fuses
        if panel is None:
            return
        if failed is None:
            fuses.freed(record)
            return
        now_s = self._clock.monotonic_s()
        self._record(action, fuses.ended(panel, action, record, now_s, failed=failed, took_ms=took_ms))

    @property
    def panel(self) -> Panel | None:
        """The breakers of the running bundle; None where it has none."""
        bundle = self._current()
        if bundle is not self._of:
            self._of, self._panel = bundle, Panel(bundle.catalog) if bundle.catalog.breakers else None
        return self._panel

    def _record(self, action: Action, moved: Iterable[Moved]) -> None:
        for key, trip in moved:
            if trip is not None:
                body = AdminBody(Event.BREAKER_TRIPPED, "remit", key, trip)
            else:
                body = AdminBody(Event.BREAKER_CLOSED, "remit", key, {"why": "what was tried went well"})
            self._append(RecordKind.ADMIN, action.authority.acting.sid, body)

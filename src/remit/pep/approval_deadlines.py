"""Until when approvals live by a clock that nobody sets.

Law: an approval lives no longer than what was left to it when it was first seen, though the wall clock is set back; by
the wall clock it may end sooner. Of an earlier run no more is left than there was at its last record.
"""

from collections.abc import Iterable, Sequence

from remit.escalate.machine import Approval


class ApprovalDeadlines:
    """Keeps the end of each approval that was looked at last, in monotonic seconds."""

    def __init__(self) -> None:
        self._ends_s: dict[tuple[str, int], float] = {}

    def resume(self, approvals: Iterable[Approval], then_ms: int, now_s: float) -> None:
        """Take over those of earlier runs; `then_ms` is now, or the time of the last record where that is later."""
        for approval in approvals:
            self._ends_s[approval.ident, approval.expires_ms] = now_s + (approval.expires_ms - then_ms) / 1000

    def due(self, approvals: Iterable[Approval], now_ms: int, now_s: float) -> Sequence[Approval]:
        """Those whose time is over; `now_ms` since the epoch, `now_s` monotonic. All that live have to be given."""
        before, self._ends_s = self._ends_s, {}
        due: list[Approval] = []
        for approval in approvals:
            left_ms = approval.expires_ms - now_ms
            # Who breaks the glass changes when it expires.
            key = approval.ident, approval.expires_ms
            self._ends_s[key] = ends_s = before.get(key, now_s + left_ms / 1000)
            if left_ms <= 0 or ends_s <= now_s:
                due.append(approval)
        return due

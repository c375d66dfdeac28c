"""Breakers inside `decide`: what one is open for is denied before policy is asked, in `observe` too."""

from remit.facts.moment import instant
from remit.pdp.snapshot import Snapshot
from remit.policy.verdict import Code, Reason


def breaker_problem(snapshot: Snapshot, now_ms: int) -> Reason | None:
    """Why a breaker does not let the action pass, and until when nothing passes."""
    if not snapshot.open_breakers:
        return None
    first = snapshot.open_breakers[0]
    until = f"; it rests until {instant(now_ms + round(first.rests_s * 1000))}" if first.rests_s else ""
    how = f"; remit breakers show {first.breaker.name}"
    return Reason(Code.BREAKER_OPEN, f"the breaker {first.text}{until}{how}", first.breaker.policy)

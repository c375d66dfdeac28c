"""Breakers inside `decide`: what one is open for is denied before policy is asked, in `observe` too."""

from remit.pdp.snapshot import Snapshot
from remit.policy.verdict import Code, Reason


def broken(snapshot: Snapshot) -> Reason | None:
    """Why a breaker does not let the action pass."""
    if not snapshot.broken:
        return None
    first = snapshot.broken[0]
    how = f"; remit breakers show {first.breaker.name}"
    return Reason(Code.BREAKER_OPEN, f"the breaker {first.text}{how}", first.breaker.policy)

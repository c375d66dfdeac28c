"""What a person does without being asked, as state changes by it: stops, and sign-offs of what breaks a guarantee."""

from typing import Final

from remit.facts.guarantee import SignOff
from remit.facts.stop import Stop, StopScope, read_subject
from remit.pdp.deltas import Delta, Halted, Resumed
from remit.pdp.past_deltas import SignedOff
from remit.trace.bodies import AdminBody, Event

_HOLDS: Final = {holds.value: holds for holds in StopScope}


def of_intervention(at: int, body: AdminBody) -> tuple[Delta, ...]:
    """What a `halt`, `resume` or `guarantee.signed` record made at `at` (ms) changes; nothing where it says nothing."""
    why = body.data.get("why" if body.event is Event.GUARANTEE_SIGNED else "reason")
    reason = why if isinstance(why, str) else ""
    if body.event is Event.GUARANTEE_SIGNED:
        breach = body.data.get("breach")
        return (SignedOff(SignOff(breach, body.subject, body.by, at, reason)),) if isinstance(breach, str) else ()
    subject = read_subject(body.subject)
    if subject is None:
        return ()
    if body.event is Event.RESUME:
        return (Resumed(subject),)
    holds = _HOLDS.get(str(body.data.get("holds")), StopScope.ALL)
    keeps = body.data.get("keeps")
    return (Halted(Stop(*subject, keeps if isinstance(keeps, str) else body.by, at, reason, holds)),)

"""What a record changes of what monitors and guarantees keep, and of what owners of guarantees let run."""

from dataclasses import dataclass
from typing import NamedTuple, cast

from remit.facts.guarantee import SignOff
from remit.facts.mark import Mark, Place, place_of
from remit.protect.past import Slot, slot_from
from remit.trace.bodies import AdminBody


class PastMarked(NamedTuple):
    """`mark`, of a record of `at_ms`, changes what is kept of `scope` (`facts.mark`)."""

    scope: str
    mark: Mark
    at_ms: int


@dataclass(frozen=True, slots=True)
class PastCarried:
    """What the ledger that a restored one replaces kept at `place` stands there from now on."""

    place: Place
    slot: Slot


@dataclass(frozen=True, slots=True)
class SignedOff:
    """The owner of a guarantee let run what breaks it by its scopes; the last word on it counts."""

    sign_off: SignOff


def carried_past(body: AdminBody) -> tuple[PastCarried, ...]:
    """What a `past.carried` record changes; nothing where it holds no slot."""
    try:
        slot = slot_from(cast("dict[str, object]", body.data["slot"]))
        return (PastCarried(place_of(body.subject), slot),)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()

"""What a ledger that a restored one replaces still said, as the record that carries it over changes state."""

from typing import Literal, assert_never, cast

from remit.facts.label import closed
from remit.facts.mark import place_of
from remit.pdp.deltas import Delta, PlaceLabelled
from remit.pdp.past_deltas import PastCarried
from remit.protect.past import slot_from
from remit.trace.bodies import AdminBody, Event


def of_carry_over(body: AdminBody, event: Literal[Event.PAST_CARRIED, Event.STORE_CARRIED]) -> tuple[Delta, ...]:
    """What a `past.carried` or `store.carried` record changes; nothing where it lacks what it has to say."""
    match event:
        case Event.PAST_CARRIED:
            return _past(body)
        case Event.STORE_CARRIED:
            return _place_labels(body)
        case _:
            assert_never(event)


def _past(body: AdminBody) -> tuple[Delta, ...]:
    try:
        slot = slot_from(cast("dict[str, object]", body.data["slot"]))
        return (PastCarried(place_of(body.subject), slot),)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def _place_labels(body: AdminBody) -> tuple[Delta, ...]:
    labels = body.data.get("labels")
    names = [one for one in labels if isinstance(one, str)] if isinstance(labels, list) else []
    return (PlaceLabelled(body.subject, closed(names)),) if names else ()

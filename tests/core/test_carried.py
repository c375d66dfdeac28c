"""What a restored ledger takes over from the one that it replaces, as the records of it fold."""

import pytest

from remit.facts.canonical import Json
from remit.facts.passkey import Passkey
from remit.facts.record import RecordKind, Ref
from remit.pdp.deltas import PasskeyAdded, PlaceLabelled
from remit.pdp.fold import fold
from remit.trace.bodies import AdminBody, Event

REF = Ref("r7f3-2", 3)


def test_a_place_holds_the_labels_that_it_held() -> None:
    body = AdminBody(Event.STORE_CARRIED, "remit", "notes:a", {"labels": ["untrusted:web"], "why": "restored"})
    labels = frozenset({"untrusted", "untrusted:web"})
    assert fold(REF, 9, RecordKind.ADMIN, body) == (PlaceLabelled("notes:a", labels),)


@pytest.mark.parametrize("odd", [{}, {"labels": None}, {"labels": "untrusted"}, {"labels": []}, {"labels": [7]}])
def test_what_names_no_label_labels_nothing(odd: dict[str, Json]) -> None:
    assert fold(REF, 9, RecordKind.ADMIN, AdminBody(Event.STORE_CARRIED, "remit", "notes:a", odd)) == ()


@pytest.mark.parametrize(("said", "at_ms"), [(3, 3), (9, 9), (10, 9), (-1, 9), ("3", 9), (None, 9)])
def test_a_passkey_was_registered_when_the_replaced_ledger_said_so(said: Json, at_ms: int) -> None:
    told: dict[str, Json] = {"user": "ana", "key": "k", "count": 3, "name": "laptop", "at_ms": said}
    found = fold(REF, 9, RecordKind.ADMIN, AdminBody(Event.PASSKEY_ADDED, "remit", "p1", told))
    assert found == (PasskeyAdded(Passkey("p1", "ana", "k", 3, "laptop", at_ms)),)

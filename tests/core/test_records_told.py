"""What a record says on its one line in `remit logs`."""

import pytest

from remit.api.records import summary
from remit.facts.canonical import Json
from remit.trace.bodies import AdminBody, Event

DIGEST = "sha256:" + "0123456789ab" + "c" * 52


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"from": "sha256:0", "changes": ["add Policy never"]}, "add policy never"),
        ({"from": "sha256:0", "changes": ["a 1", "b 2", "c 3", "d 4", "e 5"]}, "a 1, b 2, c 3 and 2 more"),
        ({"from": "sha256:0", "changes": []}, "no resource"),
        ({"from": "sha256:0", "at": "start"}, "what it changed is not kept"),
        ({"at": "start"}, "a start"),
    ],
)
def test_a_bundle_tells_what_it_changed(data: dict[str, Json], said: str) -> None:
    assert summary(AdminBody(Event.BUNDLE, "ana", DIGEST, data)) == f"ana: bundle sha256:0123456789ab: {said}"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"use": "agent", "agents": ["ana", "bot"], "user": "uma"}, ": agent ana > bot for uma"),
        ({"use": "agent", "agents": ["bot"], "user": None}, ": agent bot"),
        ({"use": "user", "agents": [], "user": "uma"}, ": user uma"),
        ({}, ""),
    ],
)
def test_a_token_tells_whom_it_was_issued_to(data: dict[str, Json], said: str) -> None:
    assert summary(AdminBody(Event.TOKEN_ISSUED, "admin", "0a1b", data)) == f"admin: token.issued 0a1b{said}"


def test_any_other_event_tells_what_it_is_about() -> None:
    assert summary(AdminBody(Event.HALT, "ana", "agent clerk")) == "ana: halt agent clerk"

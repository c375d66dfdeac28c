"""State of thresholds as a fold: grants, how sure an agent is said to be, and what agents did before."""

import pytest

from remit.escalate.grants import Grant, GrantScope, GrantTerms
from remit.escalate.machine import Vote
from remit.facts.canonical import Json
from remit.facts.confidence import Confidence
from remit.facts.novelty import UsageHistory
from remit.facts.record import RecordKind, Ref
from remit.facts.session import Session
from remit.pdp.apply import apply_grant, apply_session
from remit.pdp.deltas import ConfidenceStated, GrantRevoked, GrantUsed, GrantVoted, IntentOpened, SessionTouched
from remit.pdp.fold import fold
from remit.policy.verdict import Gate
from remit.trace.bodies import AdminBody, Choice, DecisionBody, Event
from tests.core.recording import action

REF = Ref("r7f3-1", 5)
GATES = (Gate("final", "owner", "sha256:t"),)
TERMS = GrantTerms(
    GrantScope.SESSION, "r7f3-1.2", ("writer",), "ana", "s1", "call_tool", "files", "w", "sha256:p", (), GATES, 90, 3
)
VOTE = Vote("max", 7, ("owner",), "fine")


def granting(choice: Choice, grant: dict[str, Json] | None) -> object:
    body = DecisionBody("r7f3-1.2", "sha256:a", "max", choice, ("owner",), "fine", grant=grant)
    return fold(REF, 7, RecordKind.DECISION, body)


def test_a_grant_begins_with_its_terms_is_joined_and_revoked() -> None:
    assert granting(Choice.GRANT, TERMS.to_json()) == (GrantVoted("r7f3-1.5", VOTE, TERMS),)
    assert granting(Choice.GRANT, {"of": "r7f3-1.3"}) == (GrantVoted("r7f3-1.3", VOTE, None),)
    assert granting(Choice.GRANT, None) == (GrantVoted("r7f3-1.5", VOTE, None),)
    assert granting(Choice.REVOKE, {"of": "r7f3-1.3"}) == (GrantRevoked("r7f3-1.3", "max"),)
    assert granting(Choice.REVOKE, None) == ()


def test_an_intent_uses_the_grants_that_lifted_its_gates() -> None:
    body = action(links=(("writer", "s1"),), grants=("r7f3-1.3", "r7f3-1.4"))
    assert fold(REF, 7, RecordKind.INTENT, body) == (
        SessionTouched("s1", "writer", "ana", 7, 1, 0),
        IntentOpened(REF, body),
        GrantUsed("r7f3-1.3"),
        GrantUsed("r7f3-1.4"),
    )


def test_a_grant_after_what_records_say() -> None:
    begun = apply_grant(None, GrantVoted("g", VOTE, TERMS))
    assert begun == Grant("g", TERMS, 7, (VOTE,))
    joined = apply_grant(begun, GrantVoted("g", Vote("kim", 8, ("owner",)), None))
    assert joined is not None
    assert [vote.by for vote in joined.votes] == ["max", "kim"]
    used = apply_grant(joined, GrantUsed("g"))
    assert used is not None
    assert used.uses == 1
    ended = apply_grant(used, GrantRevoked("g", "kim"))
    assert ended is not None
    assert ended.revoked_by == "kim"
    for delta in (GrantVoted("g", VOTE, None), GrantUsed("g"), GrantRevoked("g", "max")):
        assert apply_grant(None, delta) is None


@pytest.mark.parametrize(
    ("data", "units"),
    [
        ({"source": "agent", "units": 2_500}, 2_500),
        ({"source": "agent", "units": 10_001}, None),
        ({"source": "agent", "units": -1}, None),
        ({"source": "agent", "units": True}, None),
        ({"source": "agent"}, None),
    ],
)
def test_confidence_is_stated_of_a_session(data: dict[str, Json], units: int | None) -> None:
    found = fold(REF, 7, RecordKind.ADMIN, AdminBody(Event.SESSION_CONFIDENCE, "agent:writer", "s1", data))
    assert found == (() if units is None else (ConfidenceStated("s1", 7, "agent", units),))


def test_a_session_keeps_what_was_said_of_its_agent() -> None:
    early = apply_session(None, ConfidenceStated("s1", 7, "agent", 2_500))
    assert early == Session("s1", "", None, 7, confidence=Confidence(2_500, None))
    begun = apply_session(early, SessionTouched("s1", "writer", "ana", 8, 1, 0))
    later = apply_session(begun, ConfidenceStated("s1", 9, "agent", 9_000))
    assert (later.agent, later.calls, later.confidence) == ("writer", 1, Confidence(2_500, None))


def test_the_like_of_an_intent_is_looked_up_once() -> None:
    used, links = UsageHistory(), (("writer", "s1"),)
    assert used.intent((("boss", "s0"), *links), "call_tool", "files", "w", ()) == [
        ("writer", "call_tool", "files", "w")
    ]
    assert used.intent((("boss", "s0"),), "call_tool", "files", "w", ()) == [("boss", "call_tool", "files", "w")]
    assert used.intent(links, "call_tool", "files", "w", ()) == []
    assert used.intent(links, "call_tool", "files", "w", ("id",)) == [("writer", "call_tool", "files", "w", "id")]
    for number in range(20_001):
        used.intent((("writer", f"s{number}"),), "call_tool", "files", "w", ())
    assert used.intent(links, "call_tool", "files", "w", ()) == []

"""State as a fold: sessions, intents, approvals, revocations, and what crashes leave behind."""

from dataclasses import replace

import pytest
from hypothesis import given

from remit.escalate.machine import GLASS_MS, Approval, ApprovalMove, ApprovalState, Delegation, Edit, Glass, Vote
from remit.facts.canonical import Json
from remit.facts.limits import INTEGER_MAX
from remit.facts.mark import FLEET, Mark, MarkOp, named
from remit.facts.passkey import Confirmed, Passkey, ended, used
from remit.facts.record import RecordKind, Ref
from remit.facts.session import Session
from remit.facts.stop import Stop, StopKind, StopScope
from remit.pdp.apply import apply_approval, apply_session
from remit.pdp.deltas import (
    ApprovalBroken,
    ApprovalClaimed,
    ApprovalDelegated,
    ApprovalMoved,
    ApprovalOpened,
    ApprovalRefused,
    ApprovalReviewed,
    ApprovalSuperseded,
    ApprovalVoted,
    CredentialSet,
    EpochBegan,
    Halted,
    IntentClosed,
    IntentOpened,
    LabelsJoined,
    OriginsAdded,
    PasskeyAdded,
    PasskeyRemoved,
    PasskeyUsed,
    PlaceLabelled,
    Refunded,
    Resumed,
    SessionEnded,
    SessionKeyed,
    SessionTouched,
    TokenRevoked,
)
from remit.pdp.fold import ENDS, fold, in_doubt
from remit.pdp.past_deltas import PastCarried, PastMarked, reversals
from remit.protect.past import KeyedCells
from remit.trace.bodies import AdminBody, Body, Choice, DecisionBody, Event, Status, StoreWrite
from remit.trace.encoding import decode_body, encode_body
from tests.core.recording import ENTRIES, action, decision, outcome

REF = Ref("r7f3-1", 5)
BOTH = (("lead", "s1"), ("writer", "s2"))
ASKED = Approval("r7f3-1.2", "sha256:a", "s1", "writer", "ana", "files", "w", (), 10, 90)


@given(ENTRIES)
def test_fold_is_total(entry: tuple[RecordKind, Body]) -> None:
    kind, body = entry
    assert isinstance(fold(REF, 7, kind, body), tuple)


def test_a_passkey_is_added_signs_and_goes() -> None:
    told: dict[str, Json] = {"user": "ana", "key": "k", "count": 3, "name": "laptop"}
    added = AdminBody(Event.PASSKEY_ADDED, "user:ana", "p1", told)
    mine = Passkey("p1", "ana", "k", 3, "laptop", 7)
    assert fold(REF, 7, RecordKind.ADMIN, added) == (PasskeyAdded(mine),)
    for odd in ({"user": 1}, {"key": None}, {"count": "3"}):
        assert fold(REF, 7, RecordKind.ADMIN, replace(added, data=told | odd)) == ()
    said = replace(decision("r1-1.2", action()), confirmed=Confirmed("p1", 4))
    assert decode_body(RecordKind.DECISION, encode_body(said)) == said
    voted, signed = fold(REF, 7, RecordKind.DECISION, said)
    assert isinstance(voted, ApprovalVoted)
    assert voted.vote.strong
    assert signed == PasskeyUsed("p1", 4)
    assert [used(mine, count).count for count in (2, 4)] == [3, 4]
    gone = AdminBody(Event.PASSKEY_REMOVED, "user:ana", "p1")
    assert fold(REF, 7, RecordKind.ADMIN, gone) == (PasskeyRemoved("p1"),)
    by_another = replace(gone, data={"user": "ana", "confirmed": ["p2", 9]})
    assert fold(REF, 7, RecordKind.ADMIN, by_another) == (PasskeyUsed("p2", 9), PasskeyRemoved("p1"))
    assert (ended(mine).key, ended(mine).user) == ("", "ana")


def test_intent_counts_in_every_session_of_its_chain() -> None:
    body = action(links=BOTH, irreversible=True)
    assert fold(REF, 7, RecordKind.INTENT, body) == (
        SessionTouched("s1", "lead", "ana", 7, 1, 1),
        SessionTouched("s2", "writer", "ana", 7, 1, 1),
        IntentOpened(REF, body),
    )


def test_intent_of_one_link_gives_the_same_deltas_as_of_many() -> None:
    body = action()
    assert fold(REF, 7, RecordKind.INTENT, body) == (
        SessionTouched("s1", "writer", "ana", 7, 1, 0),
        IntentOpened(REF, body),
    )


def test_intent_claims_its_approval() -> None:
    body = action(approval="r7f3-1.2")
    assert fold(REF, 7, RecordKind.INTENT, body)[-1] == ApprovalClaimed("r7f3-1.2", "r7f3-1.5")


def test_denied_proposal_starts_a_session_and_counts_nothing() -> None:
    assert fold(REF, 7, RecordKind.PROPOSAL, action("deny")) == (SessionTouched("s1", "writer", "ana", 7, 0, 0),)


def test_escalated_proposal_asks_people() -> None:
    body = action("escalate", links=BOTH)
    asked = fold(REF, 7, RecordKind.PROPOSAL, body)[-1]
    assert asked == ApprovalOpened(
        Approval("r7f3-1.5", body.action, "s2", "writer", "ana", "files", "write_file", body.gates, 7, 9_000)
    )


def test_escalated_proposal_without_an_end_has_ended() -> None:
    asked = fold(REF, 7, RecordKind.PROPOSAL, action("escalate", expires_ms=None))[-1]
    assert isinstance(asked, ApprovalOpened)
    assert asked.approval.expires_ms == 7


def test_proposal_that_waits_for_an_approval_asks_nobody() -> None:
    body = action("escalate", approval="r7f3-1.2")
    assert not any(isinstance(d, ApprovalOpened) for d in fold(REF, 7, RecordKind.PROPOSAL, body))


def test_outcome_labels_every_session_and_closes_the_intent() -> None:
    body = outcome("r7f3-1.3", sids=["s1", "s2"], labels=["untrusted:web"])
    labels = frozenset({"untrusted", "untrusted:web"})
    assert fold(REF, 7, RecordKind.OUTCOME, body) == (
        LabelsJoined("s1", 7, labels),
        LabelsJoined("s2", 7, labels),
        IntentClosed("r7f3-1.3", REF),
    )


@pytest.mark.parametrize("status", Status)
def test_an_outcome_says_where_no_answer_of_the_tool_ended_the_intent(status: Status) -> None:
    body = outcome("r7f3-1.3", status=status, result=None)
    unanswered = status if status in {Status.LOST, Status.TIMEOUT, Status.UPSTREAM_ERROR} else None
    assert fold(REF, 7, RecordKind.OUTCOME, body) == (IntentClosed("r7f3-1.3", REF, unanswered=unanswered),)


def test_what_a_result_adds_to_origins_belongs_to_the_root_session() -> None:
    body = replace(outcome("r7f3-1.2", sids=["s1", "s2"]), origins="AAEC")
    assert fold(REF, 7, RecordKind.OUTCOME, body) == (IntentClosed("r7f3-1.2", REF), OriginsAdded(REF, "s1"))
    assert fold(REF, 7, RecordKind.OUTCOME, replace(body, sids=())) == (IntentClosed("r7f3-1.2", REF),)


def test_what_an_intent_stores_is_labelled_with_it() -> None:
    body = action(stored=StoreWrite(("files:a", "files:b"), ("untrusted:web",)))
    labels = frozenset({"untrusted", "untrusted:web"})
    assert fold(REF, 7, RecordKind.INTENT, body)[2:] == (
        PlaceLabelled("files:a", labels),
        PlaceLabelled("files:b", labels),
    )


@pytest.mark.parametrize("key", [None, 7, "0a", "0A" * 32, "0a" * 24])
def test_a_key_that_is_none_erases_the_index(key: Json) -> None:
    keyed = AdminBody(Event.SESSION_KEYED, "remit", "s1", {"key": key})
    assert fold(REF, 7, RecordKind.ADMIN, keyed) == (SessionKeyed(REF, "s1", None),)
    for size in (16, 32):
        keyed = AdminBody(Event.SESSION_KEYED, "remit", "s1", {"key": "0a" * size})
        assert fold(REF, 7, RecordKind.ADMIN, keyed) == (SessionKeyed(REF, "s1", "0a" * size),)


def test_words_ground_only_where_the_record_says_so() -> None:
    said = AdminBody(Event.SESSION_WORDS, "harness", "s1", {"text": "boss", "grounds": True})
    assert fold(REF, 7, RecordKind.ADMIN, said) == (OriginsAdded(REF, "s1"),)
    said = AdminBody(Event.SESSION_WORDS, "harness", "s1", {"text": "boss"})
    assert fold(REF, 7, RecordKind.ADMIN, said) == ()


@pytest.mark.parametrize("status", list(Status))
def test_outcome_ends_the_approval(status: Status) -> None:
    body = outcome("r7f3-1.3", status=status, approval="r7f3-1.2")
    assert fold(REF, 7, RecordKind.OUTCOME, body)[-1] == ApprovalMoved("r7f3-1.2", ENDS[status])


def test_decisions() -> None:
    yes = decision("r7f3-1.2", action(), completes=False)
    no = decision("r7f3-1.2", action(), Choice.DENY)
    assert fold(REF, 7, RecordKind.DECISION, yes) == (
        ApprovalVoted("r7f3-1.2", Vote("bea", 7, ("leads",), None), completes=False),
    )
    assert fold(REF, 7, RecordKind.DECISION, no) == (ApprovalRefused("r7f3-1.2", "bea"),)


def test_decisions_beyond_yes_and_no() -> None:
    said = decision("r7f3-1.2", action(), completes=False)
    vote = Vote("bea", 7, ("leads",), None)

    def folded(body: DecisionBody) -> object:
        [delta] = fold(REF, 7, RecordKind.DECISION, body)
        return delta

    edited = replace(said, edit="r7f3-1.4", approved="sha256:b", nonce="0d")
    edit = Edit("bea", 7, "sha256:b", "r7f3-1.4", "0d")
    assert folded(edited) == ApprovalVoted("r7f3-1.2", vote, completes=False, edit=edit)
    assert folded(replace(edited, nonce=None)) == ApprovalVoted("r7f3-1.2", vote, False, replace(edit, nonce=""))
    assert folded(replace(edited, approved=None)) == ApprovalVoted("r7f3-1.2", vote, completes=False)
    no = replace(said, choice=Choice.DENY, reason="not-now")
    assert folded(no) == ApprovalRefused("r7f3-1.2", "bea", "not-now")
    assert folded(replace(no, note="ask ana")) == ApprovalRefused("r7f3-1.2", "bea", "not-now", "ask ana")
    over = replace(said, choice=Choice.DELEGATE, to="cy", until_ms=90)
    assert folded(over) == ApprovalDelegated("r7f3-1.2", Delegation("bea", "cy", 7, 90))
    assert folded(replace(over, to=None, until_ms=None)) == ApprovalDelegated("r7f3-1.2", Delegation("bea", "", 7, 7))
    glass = replace(said, choice=Choice.BREAK_GLASS, note="down")
    assert folded(glass) == ApprovalBroken("r7f3-1.2", Glass("bea", 7, "down"))
    assert folded(replace(glass, note=None)) == ApprovalBroken("r7f3-1.2", Glass("bea", 7, ""))
    assert folded(replace(said, choice=Choice.REVIEW)) == ApprovalReviewed("r7f3-1.2", "bea")


@pytest.mark.parametrize(
    ("body", "delta"),
    [
        (AdminBody(Event.EPOCH, "remit", "r7f3-2"), EpochBegan("r7f3-2", 7)),
        (
            AdminBody(Event.SESSION_OPENED, "h", "s1", {"agent": "a", "user": "u"}),
            SessionTouched("s1", "a", "u", 7, 0, 0),
        ),
        (AdminBody(Event.SESSION_OPENED, "h", "s1", {}), SessionTouched("s1", "", None, 7, 0, 0)),
        (AdminBody(Event.SESSION_ENDED, "ana", "s1"), SessionEnded("s1", 7)),
        (AdminBody(Event.TOKEN_REVOKED, "ana", "t1", {"expires_ms": 9}), TokenRevoked("t1", 9)),
        (AdminBody(Event.TOKEN_REVOKED, "ana", "t1"), TokenRevoked("t1", INTEGER_MAX)),
        (AdminBody(Event.TOKEN_REVOKED, "ana", "t1", {"expires_ms": True}), TokenRevoked("t1", INTEGER_MAX)),
        (AdminBody(Event.CREDENTIAL, "r", "admin", {"hash": "h"}), CredentialSet("admin", "h")),
        (AdminBody(Event.CREDENTIAL, "r", "admin", {"hash": None}), CredentialSet("admin", None)),
        (
            AdminBody(Event.HALT, "ana", "tool:files/read", {"reason": "odd"}),
            Halted(Stop(StopKind.TOOL, "files/read", "ana", 7, "odd")),
        ),
        (
            AdminBody(Event.HALT, "ana", "agent:bot", {"reason": "odd", "holds": "acting"}),
            Halted(Stop(StopKind.AGENT, "bot", "ana", 7, "odd", StopScope.ACTING)),
        ),
        (
            AdminBody(Event.HALT, "ana", "agent:bot", {"holds": ["acting"]}),
            Halted(Stop(StopKind.AGENT, "bot", "ana", 7, "")),
        ),
        (AdminBody(Event.HALT, "ana", "everything"), Halted(Stop(StopKind.EVERYTHING, "", "ana", 7, ""))),
        (AdminBody(Event.RESUME, "ana", "agent:bot"), Resumed((StopKind.AGENT, "bot"))),
        (AdminBody(Event.APPROVAL_EXPIRED, "r", "r7f3-1.2"), ApprovalMoved("r7f3-1.2", ApprovalMove.EXPIRE)),
        (AdminBody(Event.APPROVAL_CANCELLED, "r", "r7f3-1.2"), ApprovalMoved("r7f3-1.2", ApprovalMove.CANCEL)),
        (AdminBody(Event.APPROVAL_STARTED, "r", "r7f3-1.2"), ApprovalMoved("r7f3-1.2", ApprovalMove.START)),
        (
            AdminBody(Event.APPROVAL_SUPERSEDED, "r", "r7f3-1.2", {"by": "r7f3-1.5"}),
            ApprovalSuperseded("r7f3-1.2", "r7f3-1.5"),
        ),
        (AdminBody(Event.APPROVAL_SUPERSEDED, "r", "r7f3-1.2"), ApprovalSuperseded("r7f3-1.2", "")),
    ],
)
def test_admin_records(body: AdminBody, delta: object) -> None:
    assert fold(REF, 7, RecordKind.ADMIN, body) == (delta,)


@pytest.mark.parametrize(
    "event",
    [
        Event.BUNDLE,
        Event.TOKEN_ISSUED,
        Event.KEY_ROTATED,
        Event.SESSION_WORDS,
        Event.TOOLS_ACCEPTED,
        Event.RESOURCE_DELETED,
        Event.AGENT_REGISTERED,
        Event.AGENT_ENFORCED,
        Event.POLICY_DIFFERENCE,
    ],
)
def test_admin_records_that_change_no_state(event: Event) -> None:
    assert fold(REF, 7, RecordKind.ADMIN, AdminBody(event, "ana", "x")) == ()


def test_what_a_person_says_of_an_intent_closes_it() -> None:
    body = AdminBody(Event.INTENT_SETTLED, "user:ana", "r7f3-1.2", {"happened": False, "why": "looked"})
    assert fold(REF, 9, RecordKind.ADMIN, body) == (IntentClosed("r7f3-1.2", REF, settled=True),)
    refunds: list[Json] = [["few calls", 0, 3], ["odd", True, 1], ["odd", 0, False], ["odd", 0], "odd"]
    back = replace(body, data={"happened": False, "why": "looked", "refunds": refunds})
    assert fold(REF, 9, RecordKind.ADMIN, back) == (
        IntentClosed("r7f3-1.2", REF, settled=True),
        Refunded("few calls", 0, 3),
    )


def test_what_did_not_happen_is_taken_back_from_the_past() -> None:
    few = Mark("few", fleet=True, slot=1, key="k", op=MarkOp.ADD, units=3, step_ms=10, steps=2)
    own = few._replace(ident="own", fleet=False, step_ms=0, steps=0)
    stays = [few._replace(op=one) for one in (MarkOp.RESET, MarkOp.LAST, MarkOp.BITS)]
    data: dict[str, Json] = {
        "happened": False,
        "why": "looked",
        "root": "s1",
        "marks": reversals([few, own, *stays], 5),
    }
    body = AdminBody(Event.INTENT_SETTLED, "user:ana", "r7f3-1.2", data)
    assert decode_body(RecordKind.ADMIN, encode_body(body)) == body
    closed = IntentClosed("r7f3-1.2", REF, settled=True)
    back = {"op": MarkOp.BACK, "at_ms": 5}
    assert fold(REF, 9, RecordKind.ADMIN, body) == (
        closed,
        PastMarked(FLEET, few._replace(**back), 9),
        PastMarked("s1", own._replace(**back), 9),
    )
    # Such a record takes back and does nothing else.
    odd: list[Json] = [[*few], [*few._replace(op=MarkOp.BACK)], [*few._replace(op=MarkOp.RESET, at_ms=5)]]
    for more in ({"marks": odd}, {"marks": [["few"]]}, {"marks": "few"}, {"root": 7}):
        assert fold(REF, 9, RecordKind.ADMIN, replace(body, data=data | more)) == (closed,)


def test_what_an_earlier_ledger_kept_of_the_past_stands_again() -> None:
    slot = KeyedCells(full_ms=7)
    slot.take(Mark("few", fleet=True, slot=0, key="", op=MarkOp.ADD), 5)
    place = (FLEET, "few", 0)
    body = AdminBody(Event.PAST_CARRIED, "remit", named(place), {"slot": slot.to_json()})
    [carried] = fold(REF, 9, RecordKind.ADMIN, body)
    assert isinstance(carried, PastCarried)
    assert (carried.place, carried.slot.to_json()) == (place, slot.to_json())
    for odd in ({}, {"slot": None}, {"slot": {"full": 0, "cells": {"": [1]}}}):
        assert fold(REF, 9, RecordKind.ADMIN, replace(body, data=odd)) == ()


def test_intent_in_doubt_keeps_its_labels_and_uses_up_its_approval() -> None:
    body = action(links=BOTH, source=["confidential:pii"], approval="r7f3-1.2")
    labels = frozenset({"confidential", "confidential:pii"})
    assert in_doubt(body, 9) == (
        LabelsJoined("s1", 9, labels),
        LabelsJoined("s2", 9, labels),
        ApprovalMoved("r7f3-1.2", ApprovalMove.LOSE),
    )
    assert in_doubt(action(), 9) == ()
    assert in_doubt(replace(action(approval="r7f3-1.2"), nonce="0a"), 9) == (
        ApprovalMoved("r7f3-1.2", ApprovalMove.RETRY),
    )


def test_session_starts_at_its_first_action_and_only_grows() -> None:
    session = apply_session(None, SessionTouched("s1", "writer", "ana", 7, 1, 0))
    session = apply_session(session, SessionTouched("s1", "other", "bob", 8, 1, 1))
    session = apply_session(session, LabelsJoined("s1", 9, frozenset({"untrusted"})))
    session = apply_session(session, LabelsJoined("s1", 9, frozenset({"confidential"})))
    session = apply_session(session, SessionEnded("s1", 11))
    session = apply_session(session, SessionEnded("s1", 12))
    assert session == Session("s1", "writer", "ana", 7, frozenset({"untrusted", "confidential"}), 2, 1, 11)


def test_session_that_was_ended_before_it_acted_has_ended() -> None:
    ended = apply_session(None, SessionEnded("s1", 7))
    acting = apply_session(ended, SessionTouched("s1", "writer", "ana", 8, 1, 0))
    assert acting == Session("s1", "writer", "ana", 7, calls=1, ended_ms=7)
    labelled = apply_session(None, LabelsJoined("s1", 7, frozenset({"untrusted"})))
    assert labelled.labels == {"untrusted"}


def test_approval_moves_by_the_machine() -> None:
    vote = Vote("bea", 20, ("leads",))
    one = apply_approval(ASKED, ApprovalVoted("", vote, completes=False))
    assert (one.state, one.votes) == (ApprovalState.PENDING, (vote,))
    approved = apply_approval(one, ApprovalVoted("", replace(vote, by="cy"), completes=True))
    assert approved.state is ApprovalState.APPROVED
    claimed = apply_approval(approved, ApprovalClaimed("", "r7f3-1.9"))
    assert (claimed.state, claimed.claimed_by) == (ApprovalState.CLAIMED, "r7f3-1.9")
    assert apply_approval(claimed, ApprovalMoved("", ApprovalMove.SUCCEED)).state is ApprovalState.SUCCEEDED
    refused = apply_approval(approved, ApprovalRefused("", "dan", "not-now", "ask ana"))
    assert (refused.state, refused.refused_by) == (ApprovalState.DENIED, "dan")
    assert (refused.reason, refused.note) == ("not-now", "ask ana")
    assert apply_approval(ASKED, ApprovalMoved("", ApprovalMove.EXPIRE)).state is ApprovalState.EXPIRED


def test_an_edit_makes_the_votes_begin_anew_and_glass_is_short_and_reviewed_once() -> None:
    one = apply_approval(ASKED, ApprovalVoted("", Vote("bea", 20, ("leads",)), completes=False))
    edit = Edit("cy", 21, "sha256:b", "r7f3-1.4", "0d")
    edited = apply_approval(one, ApprovalVoted("", Vote("cy", 21, ("leads",)), completes=False, edit=edit))
    assert ([vote.by for vote in edited.votes], edited.approved, edited.shown) == (["cy"], "sha256:b", "0d")
    assert (one.approved, one.shown) == ("sha256:a", "")
    agreed = apply_approval(edited, ApprovalVoted("", Vote("bea", 22, ("leads",)), completes=True))
    assert ([vote.by for vote in agreed.votes], agreed.edit) == (["cy", "bea"], edit)
    over = apply_approval(ASKED, ApprovalDelegated("", Delegation("bea", "cy", 20, 40)))
    over = apply_approval(over, ApprovalDelegated("", Delegation("bea", "dan", 21, 40)))
    assert [(one.by, one.to) for one in over.delegations] == [("bea", "dan")]
    late = replace(ASKED, expires_ms=10**9)
    broken = apply_approval(late, ApprovalBroken("", Glass("bea", 20, "down")))
    assert (broken.state, broken.expires_ms) == (ApprovalState.APPROVED, 20 + GLASS_MS)
    assert apply_approval(ASKED, ApprovalBroken("", Glass("bea", 20, "down"))).expires_ms == ASKED.expires_ms
    looked = apply_approval(broken, ApprovalReviewed("", "dan"))
    assert looked.glass == Glass("bea", 20, "down", "dan")
    assert apply_approval(looked, ApprovalReviewed("", "eve")) is looked
    assert apply_approval(ASKED, ApprovalReviewed("", "dan")) is ASKED
    new = apply_approval(one, ApprovalSuperseded("", "r7f3-1.8"))
    assert (new.state, new.superseded_by) == (ApprovalState.SUPERSEDED, "r7f3-1.8")


def test_delta_that_no_longer_fits_changes_nothing() -> None:
    expired = apply_approval(ASKED, ApprovalMoved("", ApprovalMove.EXPIRE))
    vote = Vote("bea", 20, ("leads",))
    for delta in (
        ApprovalVoted("", vote, completes=True),
        ApprovalRefused("", "dan"),
        ApprovalClaimed("", "r7f3-1.9"),
        ApprovalMoved("", ApprovalMove.SUCCEED),
    ):
        assert apply_approval(expired, delta) is expired

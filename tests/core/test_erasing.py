"""What stays of an erased body, and what verification says of bodies that are gone."""

from dataclasses import replace

import pytest

from remit.facts.canonical import Json
from remit.facts.record import RecordKind, Ref
from remit.pdp.deltas import BodiesErased
from remit.pdp.fold import fold
from remit.trace.bodies import (
    ActionBody,
    AdminBody,
    Body,
    Choice,
    DecisionBody,
    Event,
    ExchangeBody,
    MidCall,
    StoreWrite,
)
from remit.trace.encoding import decode_body, encode_body
from remit.trace.erasure import frame, frames
from remit.trace.links import LedgerRow
from remit.trace.verify import Verifier
from tests.core.recording import Step, action, outcome, stored

CHAIN = "r0102-1"
REF = Ref(CHAIN, 2)
EXCHANGE = ExchangeBody("r0102-1.2", 1, MidCall.QUESTIONS, ("s1",), (), "sha256:x", 5, None)
ASKED = action(verdict="escalate")
WORDS = AdminBody(Event.SESSION_WORDS, "h", "s1", {"text": "a secret", "grounds": True})
ERASABLE: dict[str, tuple[RecordKind, Body]] = {
    "intent": (RecordKind.INTENT, action(arguments=b'"a secret"')),
    "proposal": (RecordKind.PROPOSAL, ASKED),
    "outcome": (RecordKind.OUTCOME, replace(outcome("r0102-1.2"), error="a secret", origins="AAAA")),
    "bare": (RecordKind.OUTCOME, outcome("r0102-1.2")),
    "exchange": (RecordKind.EXCHANGE, EXCHANGE),
    "words": (RecordKind.ADMIN, WORDS),
    "plain-words": (RecordKind.ADMIN, replace(WORDS, data={"text": "a secret"})),
}


@pytest.mark.parametrize("name", ERASABLE)
def test_a_frame_folds_to_the_same_and_says_no_more(name: str) -> None:
    kind, body = ERASABLE[name]
    kept = frame(body)
    assert kept is not None
    again = decode_body(kind, encode_body(kept))
    assert [type(one) for one in fold(REF, 5, kind, again)] == [type(one) for one in fold(REF, 5, kind, body)]
    assert b"secret" not in encode_body(kept)
    assert frame(again) == again


def test_the_keys_of_stores_stay_since_their_labels_hang_on_them() -> None:
    wrote = action(arguments=b'{"path":"a secret"}', stored=StoreWrite(("notes:a secret",), ("untrusted",)))
    kept = frame(wrote)
    assert isinstance(kept, ActionBody)
    assert (kept.stored, kept.arguments) == (wrote.stored, b"")
    assert fold(REF, 5, RecordKind.INTENT, kept)[-1] == fold(REF, 5, RecordKind.INTENT, wrote)[-1]


def test_an_actions_hash_stays_only_where_people_decided_on_it() -> None:
    plain, asked, claimed = frame(action()), frame(ASKED), frame(action(approval="r0102-1.2"))
    assert plain == replace(action(), action="", reasons=(), context={}, arguments=b"")
    assert getattr(asked, "action", None) == ASKED.action
    assert getattr(claimed, "action", None) == action().action


def test_decisions_answers_that_people_approved_and_other_admin_records_stay() -> None:
    decision = DecisionBody("r0102-1.2", "sha256:x", "ana", Choice.APPROVE, ("owner",))
    for body in (decision, replace(EXCHANGE, approval="r0102-1.2"), AdminBody(Event.EPOCH, "remit", CHAIN)):
        assert frame(body) is None


def erasure(**kept: Json) -> AdminBody:
    bodies: list[Json] = [{"id": ident.replace("_", "."), "kept": text} for ident, text in kept.items()]
    return AdminBody(Event.LEDGER_ERASED, "user:dpo", "x", {"why": "asked for", "bodies": bodies})


def test_frames_are_read_from_the_record_of_an_erasure_alone() -> None:
    body = erasure(a="[]", b=7)
    assert frames(body) == {"a": b"[]"}
    assert frames(replace(body, event=Event.BUNDLE)) == {}
    assert frames(replace(body, data={"bodies": [7, {"id": 1, "kept": "[]"}]})) == {}
    assert frames(replace(body, data={"bodies": "x"})) == {}
    assert fold(REF, 5, RecordKind.ADMIN, body) == (BodiesErased(REF, ("a",)),)


INTENT = action(source=["untrusted"], approval=None)


def history(*more: Step) -> list[LedgerRow]:
    return stored(CHAIN, [Step(RecordKind.INTENT, "s1", INTENT), *more])


def said(rows: list[LedgerRow], kept: bytes | None) -> tuple[list[str], tuple[str, ...]]:
    """What verification says of `rows`, the body of whose second is gone."""
    verifier = Verifier()
    for row in rows:
        if row.ref == REF:
            verifier.feed(replace(row, salt=None, body=None), kept)
        else:
            verifier.feed(row)
    report = verifier.report()
    return [str(finding) for finding in report.findings], report.erasures


def test_what_a_server_said_leaves_no_hash_of_its_words() -> None:
    kept = frame(replace(EXCHANGE, origins="AAEC", questions="sha256:x"))
    assert isinstance(kept, ExchangeBody)
    assert (kept.origins, kept.questions) == ("", None)


KEPT = encode_body(frame(INTENT) or INTENT)
RECORDED = Step(RecordKind.ADMIN, "", AdminBody(
    Event.LEDGER_ERASED, "user:dpo", "x", {"why": "asked for", "bodies": [{"id": str(REF), "kept": KEPT.decode()}]}
))  # fmt: skip
GONE = f"{REF}: chain-links: its body is gone, and no record says that it was erased"


def test_a_recorded_erasure_is_listed_and_what_came_of_the_action_is_still_checked() -> None:
    end = Step(RecordKind.OUTCOME, "s1", outcome(str(REF), sids=["s1"], labels=["untrusted"]))
    assert said(history(end, RECORDED), KEPT) == ([], (f"{REF} erased by user:dpo in {CHAIN}.4: asked for",))
    bare = Step(RecordKind.OUTCOME, "s1", outcome(str(REF), sids=["s1"]))
    assert "the result was released without" in said(history(bare, RECORDED), KEPT)[0][0]


def test_a_body_that_nobody_erased_and_one_that_is_still_there_are_named() -> None:
    assert said(history(), None)[0] == [GONE]
    assert said(history(), KEPT)[0] == [GONE]
    other = encode_body(frame(ASKED) or ASKED)
    assert said(history(RECORDED), other)[0][0] == f"{REF}: chain-links: {CHAIN}.3 keeps something else of its body"
    verifier = Verifier()
    for row in history(RECORDED):
        verifier.feed(row)
    [found] = verifier.report().findings
    assert str(found) == f"{CHAIN}.3: chain-links: it erased {REF}, whose body is still there: remit up"


def test_answers_under_an_erased_intent_are_bound_by_their_own_record() -> None:
    asked = Step(RecordKind.PROPOSAL, "s1", action(verdict="escalate"))
    yes = DecisionBody(f"{CHAIN}.3", ASKED.action, "ana", Choice.APPROVE, ("owner",), completes=True)
    passed = ExchangeBody(str(REF), 1, MidCall.RESPONSES, ("s1",), (), "sha256:x", 5, f"{CHAIN}.3")
    steps = [asked, Step(RecordKind.DECISION, "s1", yes), Step(RecordKind.EXCHANGE, "s1", passed), RECORDED]
    assert said(history(*steps), KEPT)[0] == []


def test_a_clock_that_was_set_back_is_no_finding_and_is_told() -> None:
    verifier = Verifier(_at=10**13)
    for row in stored(CHAIN, []):
        verifier.feed(row)
    report = verifier.report()
    assert report.clean
    assert [ref for ref, _ in report.jumps] == [Ref(CHAIN, 1)]
